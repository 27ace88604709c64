/** The command line as programs and people use it: child processes, standard streams, exit codes. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { registry } from '../connectors/index.ts'
import { loadConfig } from '../core/config.ts'
import { loadRules } from '../core/decision/index.ts'
import { serveLocal, socketPath } from '../core/local-socket.ts'
import { type Ended, typed } from './typed.fixture.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-cli-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

/** As typed in a shell. */
function anuente(args: string[], input = '', cwd = dir): Promise<Omit<Ended, 'code'> & { code: number | null }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { cwd, env: { PATH: process.env['PATH'] } })
    const out = gather(child.stdout)
    const err = gather(child.stderr)
    child.on('close', (code) => resolve({ code, out: out(), err: err() }))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

/** The same without a process of its own: only tests about processes have one. */
const call = (args: string[], at?: string) => typed(args, at ? { config: join(at, 'anuente.yaml') } : {})

function gather(stream: Readable): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return () => text
}

const lines = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('every command', () => {
  const COMMANDS = [
    ['init'],
    ['doctor'],
    ['normalize'],
    ['preview'],
    ['new', 'destination'],
    ['new', 'source'],
    ['sandbox'],
    ['explain'],
    ['serve'],
    ['backfill'],
    ['redrive', 'quarantine'],
    ['redrive', 'deliveries'],
    ['deliveries', 'stats'],
    ['deliveries', 'list'],
    ['deliveries', 'show'],
    ['deliveries', 'redrive'],
    ['plan', 'infer'],
    ['plan', 'validate'],
    ['plan', 'show'],
    ['plan', 'diff'],
    ['plan', 'violations'],
    ['ledger', 'verify'],
    ['ledger', 'prove'],
    ['ledger', 'consistency'],
    ['ledger', 'checkpoint'],
    ['ledger', 'verify-receipt'],
    ['ledger', 'rotate-key'],
    ['ledger', 'minutes'],
    ['requests', 'open'],
    ['requests', 'import'],
    ['requests', 'list'],
    ['requests', 'show'],
    ['requests', 'run'],
  ]
  test.each(COMMANDS.map((command) => [command]))('%j has help with examples, --config and --json', async (command) => {
    const { code, out } = await call([...command, '--help'])
    expect(code).toBe(0)
    expect(out).toContain('Examples:\n  anuente ')
    expect(out).toContain('--config <file>')
    expect(out).toContain('--json')
  })

  test('what is not known is an error with a hint', async () => {
    expect(await call(['normalise'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('Did you mean normalize?'),
    })
    expect(await call(['doctor', '--frobnicate'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('--frobnicate'),
    })
  })

  test('a missing configuration says how to make one, as text and as JSON', async () => {
    expect(await call(['redrive', 'quarantine', '--config', join(dir, 'none.yaml')])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('anuente init'),
    })
    const { code, out } = await call(['redrive', 'quarantine', '--json', '--config', join(dir, 'none.yaml')])
    expect(code).toBe(1)
    expect(lines(out)[0]).toMatchObject({ error: { code: 'CONFIG', message: expect.stringContaining('anuente init') } })
  })
})

describe('normalize', () => {
  test('prints one line per line', async () => {
    const input = [
      {
        path: '/v1/track',
        body: {
          userId: 'u1',
          event: 'Order Completed',
          messageId: 'm1',
          timestamp: '2026-11-24T10:00:00Z',
          sentAt: '2026-11-24T10:00:01Z',
        },
        receivedAt: '2026-11-24T11:00:01Z',
      },
      {
        path: '/v1/batch?writeKey=k',
        body: JSON.stringify({
          batch: [{ type: 'track', userId: 'u1', event: 'X' }, { type: 'nope' }, { type: 'page' }],
        }),
      },
      { body: '{"type"' },
      { boby: {} },
    ]
    const { code, out } = await anuente(
      ['normalize', 'segment'],
      `${input.map((line) => JSON.stringify(line)).join('\r\n')}\n\nnot json\n`,
    )
    expect(code).toBe(0)
    const [first, second, third, fourth, fifth, ...rest] = lines(out)
    expect(rest).toEqual([])
    expect(first).toMatchObject({
      events: [
        { messageId: 'm1', name: 'Order Completed', occurredAt: '2026-11-24T11:00:00.000Z', source: { id: 'segment' } },
      ],
    })
    expect(second).toMatchObject({
      events: [{ name: 'X' }],
      errors: [
        { code: 'UNKNOWN_CALL', path: '/batch/1/type' },
        { code: 'NO_IDENTIFIER', path: '/batch/2' },
      ],
    })
    expect(third).toEqual({ error: { code: 'MALFORMED_JSON', message: 'the body is not valid JSON', path: '' } })
    expect(fourth).toMatchObject({ error: { code: 'INVALID' } })
    expect(fifth).toMatchObject({ error: { code: 'MALFORMED_JSON' } })
  })

  test('reads thousands of lines in order', async () => {
    const input = Array.from({ length: 3000 }, (_, index) =>
      JSON.stringify({ path: '/v1/track', body: { userId: 'u', event: 'E', messageId: `m${index}` } }),
    ).join('\n')
    const { out } = await anuente(['normalize', 'segment'], input)
    expect(lines(out).map((line) => (line['events'] as { messageId: string }[])[0]?.messageId)).toEqual(
      Array.from({ length: 3000 }, (_, index) => `m${index}`),
    )
  })

  test('an unknown source names those that exist', async () => {
    expect(await anuente(['normalize', 'nothing'], '{}')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Known: .*segment/),
    })
  })
})

test('preview shows what would be sent, and what stops it', async () => {
  const given = {
    destination: 'rdstation',
    action: 'sendConversion',
    settings: { accessToken: 'token-12345' },
    event: { type: 'track', event: 'Order Completed', userId: 'u1' },
    profile: { traits: { email: 'ana@example.com' } },
  }
  const { code, out } = await anuente(
    ['preview'],
    [{ ...given, consent: 'granted' }, given].map((line) => JSON.stringify(line)).join('\n'),
  )
  expect(code).toBe(0)
  expect(lines(out)).toEqual([
    {
      requests: [
        expect.objectContaining({
          method: 'POST',
          url: 'https://api.rd.services/platform/events?event_type=conversion',
          body: expect.objectContaining({ event_type: 'CONVERSION' }),
        }),
      ],
    },
    { halt: expect.objectContaining({ code: 'BLOCKED_BY_CONSENT', status: 'unknown' }) },
  ])
})

describe('init', () => {
  let here: string
  beforeEach(() => {
    here = mkdtempSync(join(dir, 'init-'))
  })

  test('rules are checked where no hub has run', async () => {
    const config = join(here, 'anuente.yaml')
    await call(['init'], here)
    const yaml = readFileSync(config, 'utf8')
    const destination =
      'destinations: {chat: {connector: slack, role: operator, country: BR, purposes: [orders], settings: {url: "https://hooks.slack.com/services/T/B/x"}}}'
    writeFileSync(config, yaml.replace('destinations: {}', destination))
    const file = join(here, 'aviso.yaml')
    const text = (purpose: string) =>
      `id: aviso\nversion: 1\nwhen: {event: Order Completed}\nunless: {purpose: ${purpose}}\nthen: {all: [{destination: chat, action: postMessage, with: {text: oi}}]}\n`
    writeFileSync(file, text('orders'))
    expect(await call(['rules', 'validate', file], here)).toMatchObject({
      code: 0,
      out: expect.stringContaining('aviso@1'),
    })
    writeFileSync(file, text('nada'))
    expect(await call(['rules', 'validate', file], here)).toMatchObject({
      code: 1,
      err: expect.stringContaining('aviso.yaml:4:10: rule aviso: purpose "nada" is not in the configuration'),
    })
    expect((await call(['rules', 'add', file], here)).err).toContain('no hub has run')
  })

  test('writes a configuration that loads, with random keys, and never overwrites by itself', async () => {
    const flags = [
      '--name',
      'Loja "Boa": nº 1',
      '--dpo-name',
      'Ana Prado',
      '--dpo-email',
      'dpo@loja.example',
      '--public-url',
      'https://hub.loja.example/',
    ]
    expect(await call(['init', ...flags], here)).toMatchObject({ code: 0, err: '' })
    const loaded = loadConfig(join(here, 'anuente.yaml'), { registry, env: {} })
    expect(loaded.config.organization).toMatchObject({
      name: 'Loja "Boa": nº 1',
      dpo: { name: 'Ana Prado', email: 'dpo@loja.example' },
    })
    expect(loaded).toMatchObject({ publicUrl: 'https://hub.loja.example', warnings: [] })
    expect(Object.keys(loaded.config.purposes)).toHaveLength(10)
    expect(readFileSync(join(here, '.gitignore'), 'utf8')).toContain('data/')

    const before = readFileSync(join(here, 'anuente.yaml'), 'utf8')
    expect(await call(['init'], here)).toMatchObject({ code: 1, err: expect.stringContaining('--force') })
    expect(readFileSync(join(here, 'anuente.yaml'), 'utf8')).toBe(before)
    expect(await call(['init', '--force', '--json'], here)).toMatchObject({ code: 0 })
    const again = readFileSync(join(here, 'anuente.yaml'), 'utf8')
    const key = (text: string) => /writeKey: (\S+)}/.exec(text)?.[1]
    expect(key(again)).toMatch(/^wk_.{24}$/)
    expect(key(again)).not.toBe(key(before))
  })

  test('the example rule runs once its lines are uncommented', async () => {
    await call(['init'], here)
    const text = readFileSync(join(here, 'rules', 'cart-recovery.yaml'), 'utf8')
    const [, rule = ''] = text.split('#\n')
    const { rules } = loadRules([{ file: 'cart-recovery.yaml', text: rule.replace(/^# /gm, '') }])
    expect(rules.map((compiled) => compiled.rule.id)).toEqual(['cart-recovery'])
  })

  test('half an encarregado or a wrong address is refused before anything is written', async () => {
    expect(await call(['init', '--dpo-name', 'Ana'], here)).toMatchObject({ code: 1 })
    expect(await call(['init', '--public-url', 'hub.loja.example'], here)).toMatchObject({
      code: 1,
      err: expect.stringContaining('https://'),
    })
    expect(existsSync(join(here, 'anuente.yaml'))).toBe(false)
  })
})

describe('redrive', () => {
  let here: string
  beforeEach(async () => {
    here = mkdtempSync(join(dir, 'redrive-'))
    await call(['init'], here)
  })

  test('goes to the running hub with its filter', async () => {
    const server = await serveLocal(socketPath(join(here, 'data')), async (command) => ({
      ok: true,
      value: { matched: 3, redriven: 2, changed: 0, refused: { INVALID: 1 }, samples: [], more: false, command },
    }))
    try {
      const { code, out } = await call(
        [
          'redrive',
          'deliveries',
          '--destination',
          'rd',
          '--code',
          'EXHAUSTED',
          '--since',
          '2026-11-24',
          '--dry-run',
          '--json',
        ],
        here,
      )
      expect(code).toBe(0)
      expect(lines(out)[0]).toMatchObject({
        matched: 3,
        command: {
          name: 'redriveDeliveries',
          actor: 'cli',
          args: { filter: { destination: 'rd', code: 'EXHAUSTED', from: '2026-11-24T03:00:00.000Z' }, dryRun: true },
        },
      })
      const text = await call(['redrive', 'quarantine', '--source', 'site'], here)
      expect(text.out).toMatch(/re-driven +2\nchanged by fixes +0\nstill INVALID +1/)
    } finally {
      await server.close()
    }
  })

  test('what the hub refuses is an error', async () => {
    const server = await serveLocal(socketPath(join(here, 'data')), async () => ({
      ok: false,
      code: 'NOT_FOUND',
      message: 'no such destination',
    }))
    try {
      expect(await call(['redrive', 'deliveries'], here)).toMatchObject({
        code: 1,
        err: 'no such destination\n',
      })
    } finally {
      await server.close()
    }
  })

  test('without data, and with a time that is none', async () => {
    expect(await call(['redrive', 'quarantine'], here)).toMatchObject({
      code: 1,
      err: expect.stringContaining('no hub has run'),
    })
    expect(await call(['redrive', 'quarantine', '--since', 'yesterday'], here)).toMatchObject({
      code: 1,
      err: expect.stringContaining('--since yesterday'),
    })
  })
})

describe('doctor', () => {
  test('tells every check and ends with 0 when nothing must be corrected', async () => {
    const here = mkdtempSync(join(dir, 'doctor-'))
    await call(['init'], here)
    const file = join(here, 'anuente.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('port: 8787', 'port: 0'))
    const { code, out } = await call(['doctor', '--json'], here)
    expect(code).toBe(0)
    const found = lines(out)
    expect(found.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        'node',
        'config',
        'secrets',
        'purposes',
        'rules',
        'data',
        'disk',
        'port',
        'https',
        'public-url',
        'mail',
      ]),
    )
    for (const finding of found) if (finding['status'] !== 'ok') expect(finding['todo']).toBeTruthy()
  })

  test('a broken configuration is told line by line and ends with 1', async () => {
    const file = join(dir, 'broken.yaml')
    writeFileSync(file, 'organization: {nome: x}\nsources: {}\npurposes: {}\n')
    const { code, out } = await call(['doctor', '--config', file])
    expect(code).toBe(1)
    expect(out).toContain('FAIL  broken.yaml:1:16 organization.nome: unknown key "nome". Did you mean name?')
    expect(out).toContain('FAIL  broken.yaml:1:1 organization.name: is missing')
  })
})
