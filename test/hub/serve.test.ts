/** The hub that `anuente serve` starts, from its first line to the files it leaves: commands beside it, over HTTP, and without it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { typed } from '../../cli/typed.fixture.ts'
import { callLocal, socketPath } from '../../core/local-socket.ts'
import type { BacktestDetail, BacktestJob, BacktestReport } from '../../schemas/backtest.ts'
import { basic, openPlace, post, startVendor, type Vendor } from './rig.ts'

const PEOPLE = 60
const DAY_MS = 86_400_000
const rule = (version: number, more = '') => `id: aviso
version: ${version}
title: {pt: Aviso de teste, en: Test notice}
when: {event: Product Added}
${more}unless: {purpose: email_marketing}
then: {all: [{destination: hook, action: sendMessage, with: {text: Olá}}]}
`
const LARGE = 'who: {all: [{field: event.price, op: gte, value: 50}]}\n'
const BROKEN = rule(7).replace('purpose: email_marketing', 'purpose: email')

const bin = fileURLToPath(new URL('../../bin/anuente.js', import.meta.url))

let vendor: Vendor
let dir: string
let serving: ChildProcess
let started: { readonly url: string; readonly publicUrl: string; readonly invitation: string }
let token: string
const at = (name: string) => join(dir, name)

beforeAll(async () => {
  vendor = await startVendor()
  dir = mkdtempSync(join(tmpdir(), 'anuente-serve-'))
  const config = () => at('anuente.yaml')
  expect(await typed(['init'], { config: config() })).toMatchObject({ code: 0 })
  const written = parse(readFileSync(config(), 'utf8')) as {
    server: { port: number }
    sources: { site: { settings: { writeKey: string } } }
    purposes: { email_marketing: { signals: object } }
  }
  written.server.port = 0
  written.sources.site.settings.writeKey = 'wk_serve'
  written.purposes.email_marketing.signals = { segment: ['Marketing'], person: true }
  const hook = {
    connector: 'webhook',
    role: 'operator',
    country: 'BR',
    purposes: ['email_marketing'],
    settings: { url: 'https://hook.example/in', secret: 'a-secret-of-sixteen' },
    sandbox: vendor.url,
    actions: [],
  }
  writeFileSync(config(), stringify({ ...written, destinations: { hook }, simulated: true }))
  writeFileSync(at('rules/aviso.yaml'), rule(1))
  serving = spawn(process.execPath, [bin, 'serve', '--json', '--config', config()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const first = await new Promise<string>((resolve, reject) => {
    serving.stdout!.once('data', (line: Buffer) => resolve(line.toString()))
    serving.once('close', () => reject(new Error('the hub did not start')))
  })
  started = JSON.parse(first) as typeof started
  await send(0, PEOPLE)
  const made = await callLocal(socketPath(at('data')), {
    name: 'createToken',
    args: { name: 'tests', role: 'marketing' },
  })
  token = (made as unknown as { value: { value: string } }).value.value
  await vi.waitFor(async () => expect(await kept()).toBe(PEOPLE * 2), { timeout: 30_000, interval: 50 })
}, 90_000)
afterAll(async () => {
  serving?.kill('SIGKILL')
  await vendor?.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Every third person says no; prices go from 1 up. */
async function send(from: number, to: number): Promise<void> {
  const batch = Array.from({ length: to - from }, (_, index) => from + index).flatMap((n) => {
    const context = { consent: { categoryPreferences: { Marketing: n % 3 !== 0, Analytics: true } } }
    const userId = `u${n}`
    return [
      { type: 'identify', userId, messageId: `i-${n}`, traits: { email: `u${n}@loja.example` }, context },
      {
        type: 'track',
        event: 'Product Added',
        userId,
        messageId: `t-${n}`,
        properties: { product_id: 'p', price: n },
        context,
      },
    ]
  })
  expect(await post(`${started.url}/v1/batch`, { batch }, basic('wk_serve'))).toBe(200)
}

async function kept(): Promise<number> {
  const { state } = await openPlace({ dir })
  const rows = await state.db.selectFrom('history').select('id').execute()
  await state.close()
  return rows.length
}

const anuente = (words: readonly string[], terminal = false) => typed(words, { config: at('anuente.yaml'), terminal })
const write = (name: string, text: string) => {
  writeFileSync(at(name), text)
  return at(name)
}
const today = () => new Date(Date.now() - DAY_MS).toISOString()
const reportOf = async (...args: string[]) => {
  const { code, out, err } = await anuente(['backtest', ...args, '--json'])
  expect([code, err]).toEqual([0, ''])
  return JSON.parse(out) as BacktestReport
}

async function call<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<{ status: number; body: T }> {
  const answer = await fetch(`${started.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as T }
}
const start = async (body: object) => {
  const { status, body: job } = await call<BacktestJob>('POST', '/api/backtests', body)
  expect([status, job.status, job.people]).toEqual([202, 'running', { done: 0, total: null }])
  return job.id
}
const detail = async (id: string) => (await call<BacktestDetail>('GET', `/api/backtests/${id}`)).body
async function ended(id: string): Promise<BacktestDetail> {
  await expect.poll(async () => (await detail(id)).job.status, { timeout: 30_000 }).not.toBe('running')
  return detail(id)
}

test('port 0 takes any free port, and the links it prints lead there', () => {
  const { port } = new URL(started.url)
  expect(port).toMatch(/^[1-9]\d+$/)
  expect(started.publicUrl).toBe(`http://localhost:${port}`)
  expect(started.invitation).toMatch(new RegExp(`^http://localhost:${port}/setup#`))
})

test('a backtest at the terminal: the rule of the files, a changed text, a draft, and what it says of each', async () => {
  const live = await reportOf('aviso', '--from', today())
  expect(live.rule).toMatchObject({ id: 'aviso', version: 1, published: true })
  expect(live).toMatchObject({
    people: { computed: 40, leftOut: { DENIED: 20 }, matched: 40, sent: 40 },
    sends: { total: 40 },
    blocked: { reasons: {} },
  })
  expect(await anuente(['rules', 'add', write('v2.yaml', rule(2, LARGE)), '--reason', 'só os caros'])).toMatchObject({
    code: 0,
  })
  const draft = await reportOf('aviso@2', '--from', today())
  expect(draft.rule).toMatchObject({ version: 2, published: false })
  // u50 … u59 without u51, u54, u57, who said no.
  expect([draft.sends.total, draft.results]).toEqual([7, { NOT_MATCHED: 33, ENQUEUED: 7 }])
  const changed = write('novo.yaml', rule(3, LARGE.replace('50', '58')))
  expect((await reportOf(changed, '--from', today())).sends.total).toBe(2)

  const shown = await anuente(['backtest', changed, '--from', today(), '--lang', 'pt'], true)
  expect(shown.code).toBe(0)
  expect(shown.out).toMatch(
    /^aviso v3 {2}não publicada, testada com 100% das pessoas {2}\d\d\/\d\d\/\d{4} – \d\d\/\d\d\/\d{4}\n2 envios a 2 pessoas; /,
  )
  expect(shown.out).toMatch(/Por dia\n +casos +envios +controle +barrados\n +\d\d\/\d\d\/\d{4} +2 +2 +0 +0\n/)
  expect(shown.out).toContain('Condições que não valeram')
  expect(shown.out).toMatch(/de fora: recusou +20/)
  // The bar stands on standard error alone, and is gone at the end.
  expect(shown.err).toMatch(/backtest .*%/s)
  expect(shown.err).toMatch(/\d+ eventos em \d+,\d s\n$/)
  const english = await anuente(['backtest', 'aviso', '--from', today()])
  expect(english.out).toMatch(/Per day\n +matches +sends +held out +stopped\n/)
  expect(english.err).toMatch(/^\d+ events in \d+\.\d s\n$/)
  const nothing = await anuente(['backtest', 'aviso', '--from', '2020-01-01', '--to', '2020-01-02', '--lang', 'pt'])
  expect(nothing.out).toContain('Nenhum caso nestes dias')
})

test('mistakes in a backtest are told with code, place and what to do, and end with 1', async () => {
  const refused = async (code: string, path: string, ...args: string[]) => {
    const { code: ended, out } = await anuente(['backtest', ...args, '--json'])
    const { error } = JSON.parse(out) as { error: { code: string; path: string; message: string } }
    expect([args[0], ended, error.code, error.path]).toEqual([args[0], 1, code, path])
    return error.message
  }
  expect(await refused('CONFIG', 'rule', 'nada')).toContain('there is no rule nada (there are: aviso)')
  expect(await refused('CONFIG', 'rule', 'aviso@9')).toContain('there is no rule aviso@9')
  expect(await refused('NO_FILE', 'nada.yaml', 'nada.yaml')).toContain('or the id of a rule')
  expect(await refused('INVALID', '--from', 'aviso', '--from', 'ontem')).toContain('Write 2026-11-24')
  expect(await refused('INVALID', '--from', 'aviso', '--from', '2026-02-01', '--to', '2026-01-01')).toContain('earlier')
  expect(await refused('INVALID', '--from', 'aviso', '--from', '2999-01-01')).toContain('future')
  expect(await refused('INVALID', '--lang', 'aviso', '--lang', 'fr')).toContain('pt or en')
  const text = write('quebrada.yaml', BROKEN)
  expect(await refused('CONFIG', expect.any(String) as unknown as string, text)).toContain(
    'quebrada.yaml:5:10: rule aviso: purpose "email" is not in the configuration',
  )
  const syntax = await anuente(['backtest', write('torta.yaml', 'id: [\n')])
  expect([syntax.code, syntax.out]).toEqual([1, ''])
  expect(syntax.err).toMatch(/torta\.yaml:2:1: not valid YAML: .*; check indentation and quotes\n$/)
  const two = write('duas.yaml', [rule(1), rule(1).replace('id: aviso', 'id: outra')].join('---\n'))
  expect((await anuente(['backtest', two])).err).toContain('has 2 rules; a backtest tries one')
})

test('a backtest over HTTP, in a thread of its own: the hub takes events meanwhile; cancelled, the next one runs to its report', async () => {
  const first = await start({ text: rule(3), from: today() })
  await send(PEOPLE, PEOPLE + 1)
  expect(await call('POST', '/api/backtests', { rule: 'aviso' })).toMatchObject({
    status: 409,
    body: { error: { code: 'BUSY' } },
  })
  expect((await call<BacktestJob>('POST', `/api/backtests/${first}/cancel`)).body.status).toBe('cancelled')

  const second = await start({ rule: 'aviso@2', from: today() })
  await send(PEOPLE + 1, PEOPLE + 3)
  const { job, report } = await ended(second)
  expect(job).toMatchObject({ status: 'done', error: null })
  expect(job.people.total).toBeGreaterThanOrEqual(PEOPLE)
  expect(job.people.done).toBe(job.people.total)
  expect(report).toMatchObject({
    rule: { version: 2, published: false },
    people: { leftOut: { DENIED: expect.any(Number) } },
  })
  expect(report!.samples[0]).toMatchObject({
    result: 'ENQUEUED',
    clauses: expect.arrayContaining([
      expect.objectContaining({ id: 'who.all.0', ok: true, value: expect.any(Number) }),
    ]),
  })
  expect(report!.samples[0]!.sentence.pt.length).toBeGreaterThan(20)
  expect(JSON.stringify(report)).not.toContain('loja.example')
  // Taken while both ran, kept and delivered like any other.
  await expect.poll(kept, { timeout: 30_000 }).toBe((PEOPLE + 3) * 2)
  await expect
    .poll(() => vendor.requests.length, { timeout: 30_000 })
    .toBe(Array.from({ length: PEOPLE + 3 }, (_, n) => n).filter((n) => n % 3 !== 0).length)
  expect((await detail(first)).job.status).toBe('cancelled')

  const broken = await ended(await start({ text: BROKEN }))
  expect(broken.job).toMatchObject({ status: 'failed', error: expect.stringContaining('rule.yaml:5:10: rule aviso') })
})

test('explains and re-drives beside the hub; a second hub does not start', async () => {
  const batch = [
    { type: 'track', userId: 'x1', event: 'Order Completed', messageId: 'm-kept', properties: { order_id: 'o1' } },
    { type: 'track', userId: 'x1', event: 'Product Viewed', messageId: 'm-held' },
    { type: 'nope', userId: 'x1', messageId: 'm-bad' },
  ]
  expect(await post(`${started.url}/v1/batch`, { batch }, basic('wk_serve'))).toBe(200)
  const journey = async (id: string) => JSON.parse((await anuente(['explain', id, '--json'])).out) as object
  await expect
    .poll(() => journey('m-held'), { timeout: 20_000 })
    .toMatchObject({
      found: 'event',
      journey: expect.arrayContaining([expect.objectContaining({ stage: 'collect', exit: 'HELD' })]),
    })
  expect(await journey('m-kept')).toMatchObject({
    event: { name: 'Order Completed', source: 'site' },
    sentence: { pt: expect.stringContaining('Guardado no histórico desta pessoa.') },
  })
  const inPortuguese = await anuente(['explain', 'm-kept', '--lang', 'pt'])
  expect(inPortuguese.out).toContain('Guardado no histórico desta pessoa.')
  expect(await anuente(['explain', 'm-unknown'])).toMatchObject({ code: 1, err: expect.stringContaining('m-unknown') })
  expect(await redrive()).toMatchObject({ redriven: 0, refused: { UNKNOWN_CALL: 1 }, dryRun: false })
  expect(await anuente(['serve'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^another hub is running on/),
  })
})

/** Through the socket of the running hub, or on the files it left. */
const redrive = async () => JSON.parse((await anuente(['redrive', 'quarantine', '--json'])).out) as object

test('replay compares beside the hub; it ends in order, and what it left is replayed, re-driven and tried on', async () => {
  const beside = await anuente(['replay', '--json'])
  expect(JSON.parse(beside.out)).toMatchObject({ people: PEOPLE + 4, changed: 0, incomplete: 0, written: false })
  expect(await anuente(['replay', '--write'])).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('stop it, then replay with --write'),
  })
  serving.kill('SIGTERM')
  expect(await once(serving, 'close')).toEqual([0, null])
  const written = await anuente(['replay', '--write', '--lang', 'pt'], true)
  expect(written.out).toMatch(/pessoas +64\neventos +127\niguais +64\ngravadas +0\nhistórico incompleto +0\n$/)
  expect(written.err).toMatch(/replay .*%/s)
  expect(await anuente(['replay', '--lang', 'fr'])).toMatchObject({ code: 1, err: '--lang is pt or en\n' })
  expect((await reportOf('aviso', '--from', today())).sends.total).toBe(42)
  expect(await redrive()).toMatchObject({ redriven: 0, refused: { UNKNOWN_CALL: 1 }, dryRun: false })
  expect(await anuente(['redrive', 'deliveries', '--dry-run'])).toMatchObject({
    code: 0,
    out: expect.stringContaining('would go again  0'),
  })
})

test('files that do not belong together, or are not there, are named with what to do and without a stack trace', async () => {
  for (const name of ['log.db', 'log.db-wal', 'log.db-shm']) rmSync(at(`data/${name}`), { force: true })
  expect(await anuente(['serve'])).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^The state belongs to another log [^\n]*Restore both from one backup[^\n]*\n$/),
  })
  rmSync(at('data'), { recursive: true })
  for (const words of [['backtest', 'aviso'], ['replay']])
    expect(await anuente(words)).toMatchObject({
      code: 1,
      err: expect.stringContaining('Start one with anuente serve'),
    })
})
