/** Connectors of a company's own: what loads, and what is said about what does not. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError } from '../core/kit/errors.ts'
import { loadConnectors } from './registry.ts'

let dir: string
let config: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-own-'))
  config = join(dir, 'anuente.yaml')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function put(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
}

/** A destination without imports, as somebody might write it in JavaScript. */
const destination = (id: string, change = '') => `export default {
  id: '${id}', name: 'Own', docs: 'https://own.example/docs', support: 'community', baseUrl: 'https://api.own.example',
  settings: { type: 'object', properties: {} }, limits: { perSecond: 1, concurrency: 1 },
  actions: { send: {
    title: { pt: 'a', en: 'a' }, description: { pt: 'a', en: 'a' }, purpose: 'email_marketing', kind: 'event',
    identifier: ['email'], idempotency: 'none', payload: { type: 'object', properties: {} },
    perform: ({ http }) => http.request('POST', '/', {}),
  } },
  check: async () => ({ ok: true, detail: 'fine' }),
  deleteSubject: { manual: {} }, exportSubject: { manual: {} }, correctSubject: { manual: {} }, feedback: { none: {} },
  ${change}
}
`

const message = async (): Promise<string> => {
  const error = await loadConnectors(config).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as ConfigError).path).toBe('/connectors/0')
  return (error as ConfigError).message
}

describe('a folder', () => {
  test('adds its connectors to those of the hub', async () => {
    put({
      'anuente.yaml': 'connectors: [./connectors]\n',
      'connectors/own/destination.mjs': destination('own'),
      'connectors/own/sandbox.mjs':
        "export default { connector: 'own', state: () => 0, settings: () => ({}), refused: () => ({}), handle: () => ({ status: 200 }) }",
      'connectors/notes/README.md': 'no connector',
    })
    const { destinations, sources, sandboxes } = await loadConnectors(config)
    expect(destinations.get('own')?.name).toBe('Own')
    expect(sandboxes.get('own')?.connector).toBe('own')
    expect([destinations.has('rdstation'), sources.has('segment'), sandboxes.has('meta')]).toEqual([true, true, true])
  })

  test('may itself be one connector', async () => {
    put({ 'anuente.yaml': 'connectors: [./own]\n', 'own/destination.mjs': destination('own') })
    expect((await loadConnectors(config)).destinations.has('own')).toBe(true)
  })

  test.each([
    ['does not exist', {}, ['anuente.yaml:1:14', 'does not exist', 'anuente new destination NAME --dir ./connectors']],
    ['is empty', { 'connectors/notes/README.md': '' }, ['holds no connector', 'anuente new destination NAME']],
    [
      'does not parse',
      { 'connectors/own/destination.mjs': 'export default {' },
      ['connectors/own/destination.mjs: cannot be loaded', 'Error'],
    ],
    [
      'has no default export',
      { 'connectors/own/destination.mjs': 'export const own = 1' },
      ['connectors/own/destination.mjs: has no default export', 'export default defineDestination('],
    ],
    [
      'has the name of another folder',
      { 'connectors/mine/destination.mjs': destination('own') },
      ['connectors/mine/destination.mjs: calls itself "own" and lies in the folder mine'],
    ],
    [
      'lacks a part',
      { 'connectors/own/destination.mjs': destination('own', 'deleteSubject: undefined,') },
      ['connectors/own/destination.mjs: deleteSubject is missing. It is an object.'],
    ],
    [
      'has an action without a purpose',
      { 'connectors/own/destination.mjs': destination('own').replace("purpose: 'email_marketing',", '') },
      ['actions.send.purpose is missing'],
    ],
    [
      'performs in two ways',
      { 'connectors/own/destination.mjs': destination('own').replace('perform:', 'performBatch: () => [], perform:') },
      ['actions.send needs exactly one of perform and performBatch; it has 2'],
    ],
    [
      'names a host with its scheme',
      { 'connectors/own/destination.mjs': destination('own', "hosts: ['https://login.own.example'],") },
      ['hosts is wrong. It is a list of names without https://'],
    ],
    [
      'takes a name of the hub',
      { 'connectors/slack/destination.mjs': destination('slack') },
      ['there is a destination connector "slack" already. Give this one another id.'],
    ],
  ])('that %s is named with what to do', async (_, files, parts) => {
    put({ 'anuente.yaml': 'connectors: [./connectors]\n', ...files })
    const said = await message()
    for (const part of parts) expect(said).toContain(part)
  })

  test('a word that is neither folder nor package says how both are written', async () => {
    put({ 'anuente.yaml': 'connectors: [connectors]\n' })
    expect(await message()).toContain('Write ./connectors for a folder, or anuente-connector-')
  })
})

describe('a package', () => {
  test('is loaded by its name from beside the configuration', async () => {
    put({
      'anuente.yaml': 'connectors: [anuente-connector-own]\n',
      'node_modules/anuente-connector-own/package.json':
        '{"name":"anuente-connector-own","type":"module","main":"index.js"}',
      'node_modules/anuente-connector-own/index.js': "export { default as destination } from './destination.js'",
      'node_modules/anuente-connector-own/destination.js': destination('own'),
    })
    expect((await loadConnectors(config)).destinations.get('own')?.name).toBe('Own')
  })

  test('that is not installed, or exports nothing known, says so', async () => {
    put({ 'anuente.yaml': 'connectors: [anuente-connector-own]\n' })
    expect(await message()).toContain(`is not installed. Run in ${dir}: npm install anuente-connector-own`)
    put({
      'node_modules/anuente-connector-own/package.json':
        '{"name":"anuente-connector-own","type":"module","main":"index.js"}',
      'node_modules/anuente-connector-own/index.js': 'export const other = 1',
    })
    expect(await message()).toContain('exports neither "destination" nor "source"')
  })
})

test('without a configuration, or with a broken one, the connectors of the hub remain', async () => {
  const { destinations } = await loadConnectors(config)
  put({ 'anuente.yaml': 'connectors: [./connectors\n' })
  expect((await loadConnectors(config)).destinations.size).toBe(destinations.size)
})

test('doctor tells of a connector that does not load among its findings', () => {
  put({ 'anuente.yaml': 'connectors: [./connectors]\n' })
  const main = fileURLToPath(new URL('./main.ts', import.meta.url))
  const { status, stdout } = spawnSync(process.execPath, [main, 'doctor', '--json'], { cwd: dir, encoding: 'utf8' })
  expect(status).toBe(1)
  const findings = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { check: string; text: string })
  expect(findings.at(-1)).toMatchObject({ check: 'config', text: expect.stringContaining('does not exist') })
})
