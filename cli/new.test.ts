/** `anuente new`: what it refuses, what it writes, and the tutorial of docs/connectors.md, typed as it stands there. */
import { spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUTHS } from './new/credentials.ts'
import { run } from './program.ts'

const root = join(import.meta.dirname, '..')
let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-new-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function call(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  const code = await run(['node', 'anuente', ...args, ...(args[0] === 'new' ? ['--dir', dir] : [])], {
    stdin,
    stdout,
    stderr,
    env: {},
  })
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

describe('anuente new', () => {
  test.each([
    ['Clima', '"Clima" cannot name a connector'],
    ['../clima', 'cannot name a connector'],
    ['clima_mail', 'such as meu-crm'],
    ['c'.repeat(40), 'up to 39'],
    ['mailchimp', 'the hub has a destination connector mailchimp already'],
  ])('refuses the name %s', async (name, said) => {
    const { code, err } = await call('new', 'destination', name)
    expect(code).toBe(1)
    expect(err).toContain(said)
    expect(readdirSync(dir)).toEqual([])
  })

  test('leaves a folder that exists as it is', async () => {
    mkdirSync(join(dir, 'there'))
    const { code, err } = await call('new', 'source', 'there')
    expect([code, err]).toEqual([1, expect.stringContaining('exists and was left as it is')])
    expect(readdirSync(join(dir, 'there'))).toEqual([])
    rmSync(join(dir, 'there'), { recursive: true })
  })

  test('refuses a source that anybody could write to, and an unknown way of asking', async () => {
    expect(await call('new', 'source', 'loja-x', '--auth', 'none')).toMatchObject({
      code: 1,
      err: expect.stringContaining('anybody could write events'),
    })
    expect(await call('new', 'source', 'loja-x', '--auth', 'magic')).toMatchObject({
      code: 1,
      err: expect.stringContaining('bearer, basic, header, query, none'),
    })
  })

  test.each(['destination', 'source'])('has help with examples for a %s', async (direction) => {
    const { out } = await call('new', direction, '--help')
    expect(out).toContain(`Examples:\n  anuente new ${direction} clima`)
    expect(out).toContain('--json')
  })

  test('says as JSON what it wrote', async () => {
    const { code, out } = await call('new', 'destination', 'em-json', '--auth', 'basic', '--json')
    const answer = JSON.parse(out) as { written: string[]; environment: string[] }
    expect(code).toBe(0)
    expect(answer.environment).toEqual(['EM_JSON_USER', 'EM_JSON_PASSWORD'])
    expect(answer.written.map((path) => path.slice(join(dir, 'em-json').length + 1)).sort()).toEqual(
      readdirSync(join(dir, 'em-json')).sort(),
    )
    rmSync(join(dir, 'em-json'), { recursive: true })
  })
})

/** A clone of its own, made of links, so that nothing is written into this one. */
function makeClone(): string {
  const clone = mkdtempSync(join(tmpdir(), 'anuente-clone-'))
  copyFileSync(join(root, 'package.json'), join(clone, 'package.json'))
  for (const folder of ['bin', 'cli', 'connectors', 'consent', 'core', 'demo', 'dist', 'node_modules', 'schemas'])
    if (existsSync(join(root, folder))) symlinkSync(join(root, folder), join(clone, folder))
  return clone
}

const environment = { PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}`, HOME: process.env['HOME'] }

describe('every kind that anuente new writes', () => {
  let clone: string
  beforeAll(() => {
    clone = makeClone()
  })
  afterAll(() => rmSync(clone, { recursive: true, force: true }))

  test('passes its contract as it is', async () => {
    const into = join(clone, 'connectors-of-ours')
    for (const auth of AUTHS)
      for (const direction of auth === 'none' ? ['destination'] : ['destination', 'source'])
        expect(
          await run(
            ['node', 'anuente', 'new', direction, `${direction[0]}-${auth}`, '--auth', auth, '--dir', into, '--json'],
            { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), env: {} },
          ),
        ).toBe(0)
    const files = readdirSync(into, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
    expect(files).toHaveLength(5 * 4 + 4 * 3)
    const tested = spawnSync(
      'npx',
      ['vitest', 'run', '--root', '.', '--no-isolate', '--maxWorkers=1', 'd-query', 's-basic'],
      { cwd: into, env: environment, encoding: 'utf8' },
    )
    expect(tested.stdout + tested.stderr).toMatch(/Test Files .*2 passed/)
    expect(tested.status).toBe(0)
  })
})

// ---------------------------------------------------------------- the tutorial

/** One command per block of shell under the heading. */
function tutorial(): string[] {
  const page = readFileSync(join(root, 'docs', 'connectors.md'), 'utf8')
  const section = /^## From nothing to a delivered event\n([\s\S]*?)^## /m.exec(page)?.[1] ?? ''
  return [...section.matchAll(/^( *)```sh\n([\s\S]*?)^ *```/gm)].map(([, indent = '', code = '']) =>
    code.replace(new RegExp(`^${indent}`, 'gm'), '').trimEnd(),
  )
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as AddressInfo
  await new Promise((done) => server.close(done))
  return port
}

test('the tutorial brings an event to the vendor in at most twelve commands', { timeout: 300_000 }, async () => {
  const commands = tutorial()
  expect(commands.length).toBeGreaterThan(8)
  expect(commands.length).toBeLessThanOrEqual(12)

  // Other ports than those of a hub that may be running here; "ask again" is done by the shell.
  const [hub, vendor] = [await freePort(), await freePort()]
  const typed = commands.map((command) => {
    const moved = command
      .replaceAll('8787', String(hub))
      .replaceAll(':8790', `:${vendor}`)
      .replace('anuente sandbox clima', `anuente sandbox clima --port ${vendor}`)
    return moved.startsWith('anuente explain')
      ? `for turn in $(seq 40); do told=$(${moved} 2>&1) && grep -q DELIVERED <<< "$told" && break; sleep 0.5; done; echo "$told"`
      : moved
  })
  const clone = makeClone()
  // As an interactive shell does: background jobs are groups of their own, which the last command ends.
  const script = ['set -em', "trap 'for job in $(jobs -p); do kill -- -$job 2>/dev/null; done' EXIT"]
  for (const [index, command] of typed.entries()) script.push(`echo "== ${index + 1}"`, command)
  script.push('wait')
  const child = spawn('bash', ['-c', script.join('\n')], { cwd: clone, env: environment })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  await new Promise((done) => child.once('close', done))

  const shown = (part: string) => expect(said, said).toContain(part)
  shown('wrote connectors/clima/destination.ts')
  expect(said).toMatch(/Tests .*\d{3} passed/)
  expect(said).not.toMatch(/ failed/)
  shown('{"requests":[{"method":"PUT","url":"https://api.clima.example/v1/contacts"')
  shown('PUT /v1/contacts → 200')
  shown('Delivery clima.upsertContact: delivered')
  expect(existsSync(join(clone, 'loja', 'data'))).toBe(true)
  rmSync(clone, { recursive: true, force: true })
})

test('a connector finds the kit of the hub from any folder, and its sandbox is known by name', async () => {
  // Outside of any clone and without packages.
  const own = mkdtempSync(join(tmpdir(), 'anuente-far-'))
  const main = join(root, 'cli', 'main.ts')
  const anuente = (args: string[], input = '') =>
    spawnSync(process.execPath, [main, ...args], { cwd: own, input, encoding: 'utf8', env: environment })
  expect(anuente(['new', 'destination', 'longe']).status).toBe(0)
  expect(anuente(['init', '--json']).status).toBe(0)
  const config = readFileSync(join(own, 'anuente.yaml'), 'utf8')
  writeFileSync(join(own, 'anuente.yaml'), `${config}\nconnectors: [./connectors]\n`)
  const shown = anuente(
    ['preview'],
    '{"destination":"longe","action":"unsubscribe","settings":{"token":"12345678"},"event":{"type":"identify","traits":{"email":"ana@example.com"}},"consent":"granted"}',
  )
  expect(shown.stdout, shown.stderr).toContain('https://api.longe.example/v1/contacts/unsubscribe')
  const unknown = anuente(['sandbox', 'long'])
  expect(unknown.status).toBe(1)
  expect(unknown.stderr).toContain('Did you mean longe')
  rmSync(own, { recursive: true, force: true })
})
