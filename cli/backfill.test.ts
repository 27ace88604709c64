/** `anuente backfill` against a stand-in for the hub's socket: what reaches it, also after an interruption. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type LocalServer, serveLocal, socketPath } from '../core/local-socket.ts'
import { typed } from './typed.fixture.ts'

const dir = mkdtempSync(join(tmpdir(), 'anuente-backfill-'))
const at = (name: string) => join(dir, name)
const MAPPING = `event: {const: Order Completed}
timestamp: Data
identifiers: {email: E-mail}
traits: {name: Nome}
properties: {total: {from: Total, as: number}}
`
let hub: LocalServer
let got: number[]
let imports: Set<unknown>
let failAfter: number

beforeAll(async () => {
  writeFileSync(
    at('anuente.yaml'),
    `organization: {name: Loja, timezone: America/Manaus}
storage: {dir: ./data}
purposes: {}
sources:
  site: {connector: segment, settings: {writeKey: wk_site}}
  erp:
    connector: file
    settings:
      decimal: ","
      mapping:
${MAPPING.replace(/^(?=.)/gm, '        ')}`,
  )
  hub = await serveLocal(socketPath(at('data')), async ({ name, args }) => {
    const { rows, firstRow } = args as { rows: unknown[]; firstRow: number }
    if (got.length >= failAfter) return { ok: false, code: 'FAILED', message: 'the hub went away' }
    expect([name, args['source']]).toEqual(['importRows', 'erp'])
    imports.add(args['import'])
    got.push(...rows.map((_, index) => firstRow + index))
    return { ok: true, value: { recorded: rows.length, quarantined: 0, codes: {} } }
  })
})
beforeEach(() => {
  got = []
  imports = new Set()
  failAfter = Number.POSITIVE_INFINITY
})
afterAll(async () => {
  await hub?.close()
  rmSync(dir, { recursive: true, force: true })
})

const backfill = (...args: string[]) => typed(['backfill', ...args], { config: at('anuente.yaml') })

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

test('every row arrives once and in order, over an interruption; the same file is not sent again', async () => {
  const file = at('pedidos.csv')
  const lines = upTo(1700).map((n) => `${n};24/11/2026;a${n}@example.com`)
  writeFileSync(file, ['Pedido;Data;E-mail', ...lines].join('\n'))
  failAfter = 1000
  expect(await backfill(file, '--source', 'erp')).toMatchObject({
    code: 1,
    err: expect.stringContaining('went away'),
  })
  expect(got).toEqual(upTo(1000))
  failAfter = Number.POSITIVE_INFINITY
  const second = await backfill(file, '--source', 'erp', '--json')
  expect(second.err).toContain('Going on after row 1000.')
  expect(JSON.parse(second.out)).toMatchObject({ rows: 1700, recorded: 1700, quarantined: 0 })
  expect(got).toEqual(upTo(1700))
  expect(imports.size).toBe(1)

  expect(await backfill(file, '--source', 'erp')).toMatchObject({ code: 1, err: expect.stringContaining('--again') })
  expect(got).toHaveLength(1700)
  expect(await backfill(file, '--source', 'erp', '--again')).toMatchObject({ code: 0 })
  expect(got).toHaveLength(3400)
  expect(imports.size).toBe(2)
})

test('a file that cannot be read to its end sends nothing', async () => {
  writeFileSync(at('aspas.csv'), ['Data;E-mail', ...upTo(900).map((n) => `x;${n}`), '"sem fim;1'].join('\n'))
  expect(await backfill(at('aspas.csv'), '--source', 'erp')).toMatchObject({
    code: 1,
    err: expect.stringContaining('aspas.csv: the CSV cannot be read on line'),
  })
  expect(got).toEqual([])
})

test('a dry run shows the first events and what each column becomes, and sends nothing', async () => {
  writeFileSync(
    at('latin.csv'),
    Buffer.from(
      'Data;E-mail;Nome;Total;Obs\n24/11/2026 08:00;ana@example.com;João;1.219,90;x\n24/11/2026;b@example.com;Zé;dez;\n24/11/2026;;Zé;1,00;\n',
      'latin1',
    ),
  )
  const { code, out } = await backfill(at('latin.csv'), '--source', 'erp', '--dry-run', '--json')
  expect(code).toBe(0)
  const shown = JSON.parse(out)
  expect(shown).toMatchObject({
    form: { kind: 'csv', encoding: 'windows-1252', delimiter: ';' },
    rows: 3,
    events: 2,
    setAside: 3,
    problems: { 'INVALID in Total: is not a number.': 1, [noIdentifier]: 2 },
    first: [
      { type: 'identify', traits: { name: 'João' }, occurredAt: '2026-11-24T12:00:00.000Z' },
      { type: 'track', name: 'Order Completed', properties: { total: 1219.9 } },
    ],
  })
  expect(shown.columns).toContainEqual({ column: 'Total', fills: ['properties.total'], filled: 3, unreadable: 1 })
  expect(shown.columns).toContainEqual({ column: 'Obs', fills: [], filled: 1, unreadable: 0 })
  const people = await backfill(at('latin.csv'), '--source', 'erp', '--dry-run')
  expect(people.out).toContain('CSV, windows-1252, columns end at ";": 3 rows become 2 events; 3 would be set aside.')
  expect(people.out).toMatch(/Obs +nothing: not in the mapping +1/)
  expect(people.err).toContain('Nothing was recorded')
  expect(got).toEqual([])
})
const noIdentifier = 'NO_IDENTIFIER: no usable userId, anonymousId, e-mail, phone or device id'

test('what is older than a day is marked as past: it starts nothing', async () => {
  writeFileSync(at('velho.ndjson'), '{"E-mail":"ana@example.com","Data":"24/11/2020"}\n{"E-mail":"ana@example.com"}\n')
  const dry = await backfill(at('velho.ndjson'), '--source', 'erp', '--dry-run', '--json')
  expect(JSON.parse(dry.out).first.map(({ source }: { source: { past?: true } }) => source.past)).toEqual([
    true,
    undefined,
  ])
})

test('another mapping can be tried', async () => {
  writeFileSync(at('outro.yaml'), 'identifiers: {email: E-mail}\ntraits: {city: Cidade}\n')
  writeFileSync(at('pessoas.ndjson'), '{"E-mail":"ana@example.com","Cidade":"Recife"}\n')
  const dry = await backfill(
    at('pessoas.ndjson'),
    '--source',
    'erp',
    '--dry-run',
    '--json',
    '--mapping',
    at('outro.yaml'),
  )
  expect(JSON.parse(dry.out)).toMatchObject({ events: 1, first: [{ type: 'identify', traits: { city: 'Recife' } }] })
  writeFileSync(at('outro.yaml'), 'identifiers: {e_mail: x}\n')
  expect(
    await backfill(at('pessoas.ndjson'), '--source', 'erp', '--dry-run', '--mapping', at('outro.yaml')),
  ).toMatchObject({ code: 1, err: expect.stringContaining('e_mail') })
  expect(await backfill(at('pessoas.ndjson'), '--source', 'erp', '--mapping', at('outro.yaml'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('--mapping is for --dry-run'),
  })
})

test.each([
  [['nada.csv', '--source', 'erp'], 'nada.csv cannot be read'],
  [['nada.csv', '--source', 'site'], 'site does not take files. These do: erp.'],
  [['nada.csv', '--source', 'outra'], 'no source is called outra'],
])('%j says what to do', async (args, message) => {
  expect(await backfill(...args)).toMatchObject({ code: 1, err: expect.stringContaining(message) })
})
