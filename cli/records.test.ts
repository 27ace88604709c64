/** The officer's commands as typed, on the files of a hub that does not run. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { STARTER_PURPOSES } from '../consent/starter.ts'
import { createKeys, loadMasterKey } from '../core/keys.ts'
import { ensureLedger } from '../core/ledger/keyring.ts'
import { openState } from '../core/stores/open.ts'
import { typed } from './typed.fixture.ts'

const DAY = 86_400_000
const now = Date.now()
let dir: string
const at = (name: string) => join(dir, name)

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-records-'))
  writeFileSync(
    at('anuente.yaml'),
    stringify({
      organization: {
        name: 'Loja Exemplo',
        cnpj: '12.345.678/0001-95',
        dpo: { name: 'Rui Prado', email: 'dpo@loja.example' },
      },
      storage: { dir: './data' },
      sources: {},
      purposes: STARTER_PURPOSES,
    }),
  )
  const keys = createKeys(loadMasterKey(at('data/master.key'), {}))
  const state = await openState({ file: at('data/state.db') })
  await ensureLedger(state, keys, 'https://hub.loja.example', now)
  const { db } = state
  await db
    .insertInto('persons')
    .values({ id: 'p1', seq: 1, profile: '{}', merged_into: null, updated_at: now })
    .execute()
  await db
    .insertInto('nodes')
    .values({
      id: 'p1',
      person_id: 'p1',
      subject: 's_one',
      device: 0,
      data_key: keys.create().wrapped,
      proof_key: keys.create().wrapped,
      founded_at: now,
    })
    .execute()
  for (let n = 0; n < 3; n++)
    await db
      .insertInto('access_log')
      .values({ id: `old${n}`, at: now - 300 * DAY, actor: 'u1', act: 'reveal.person', target: 'p1' })
      .execute()
  await state.close()
})
afterAll(() => rmSync(dir, { recursive: true }))

const anuente = (...args: string[]) => typed(args, { config: at('anuente.yaml') })
const json = async <T>(...args: string[]) => JSON.parse((await anuente(...args, '--json')).out) as T

test('retention: plan, approve by hash, run, status', async () => {
  const plan = await anuente('retention', 'plan')
  expect(plan.out).toMatch(/access_log\/\*\/occurred\s+erase\s+3/)
  expect(plan.err).toContain('Nothing was deleted')
  const { hash } = await json<{ hash: string }>('retention', 'plan')
  expect((await anuente('retention', 'run')).err).toContain('access_log/*/occurred waits for approval (new)')
  expect((await anuente('retention', 'approve', '0'.repeat(64))).code).toBe(1)
  expect((await anuente('retention', 'approve', hash, '--policy', 'access_log/*/occurred')).out).toMatch(
    /access_log\/\*\/occurred\s+approved/,
  )
  const ran = await anuente('retention', 'run', '--policy', 'access_log/*/occurred')
  expect(ran).toMatchObject({ code: 0 })
  expect(ran.out).toMatch(/access_log\/\*\/occurred\s+done\s+3 of 3/)
  expect((await anuente('retention', 'run', '--policy', 'access_log/*/occurred')).out).toContain(
    'Nothing that is approved',
  )
  expect((await anuente('retention', 'status')).out).toContain('An approved policy runs by itself')
})

test('legal holds: set, refuse a shredding, release', async () => {
  const short = await anuente('retention', 'hold', '--subject', 's_one', '--ref', 'P 1', '--reason', 'short')
  expect(short).toMatchObject({ code: 1 })
  const hold = await json<{ id: string }>(
    'retention',
    'hold',
    '--subject',
    's_one',
    '--ref',
    'P 1',
    '--reason',
    'ordered by the court',
  )
  const refused = await anuente('keys', 'shred', '--subject', 's_one', '--reason', 'court_order')
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.err).toContain('legal hold')
  expect((await anuente('retention', 'release', hold.id, '--reason', 'the proceeding ended')).out).toContain(
    'was released',
  )
})

test('ropa and ripd: printed, written, compared', async () => {
  expect((await anuente('ropa', 'export', '--format', 'csv')).out).toContain('1. Contato')
  const file = at('ropa.html')
  expect((await anuente('ropa', 'export', '--lang', 'en', '--out', file)).out).toContain(file)
  expect(readFileSync(file, 'utf8')).toContain('Record of processing operations')
  expect(await json<{ activities: unknown[] }>('ropa', 'export')).toHaveProperty('activities')
  expect((await anuente('ropa', 'drift')).out).toContain('declared_never_observed')
  expect((await anuente('ropa', 'diff', '--from', '2020-01-01')).err).toContain('No record was kept')
  expect((await anuente('ripd', 'draft', '--purpose', 'orders')).out).toContain('## 4.')
  expect((await anuente('ripd', 'draft', '--purpose', 'nothing')).code).toBe(1)
})

test('incidents: registered, clocks with exit code 3 when overdue, letters, done', async () => {
  expect((await anuente('incident', 'clock')).out).toContain('No incident')
  const known = new Date(now - 20 * DAY).toISOString()
  const incident = await json<{ id: string; clocks: { overdue: boolean }[] }>(
    'incident',
    'open',
    '--title',
    'Planilha exposta',
    '--description',
    'Uma planilha ficou pública',
    '--known',
    known,
    '--no-sensitive',
    '--purpose',
    'orders',
  )
  expect(incident).toMatchObject({ affectedPeople: 0, facts: { sensitive: false } })
  const clock = await anuente('incident', 'clock')
  expect(clock.code).toBe(3)
  expect(clock.out).toContain('OVERDUE')
  const letters = await anuente('incident', 'letters', incident.id, '--out', at('cartas'))
  expect(letters.err).toContain('falta: motivo da comunicação fora do prazo')
  expect(existsSync(at(`cartas/incidente-${incident.id}-anpd.txt`))).toBe(true)
  await anuente('incident', 'done', incident.id, 'authority', '--note', 'protocolo 1')
  await anuente('incident', 'done', incident.id, 'subjects')
  const after = await anuente('incident', 'clock')
  expect(after.code).toBe(0)
  expect(after.out).toContain('supplement')
  expect((await anuente('incident', 'list')).out).toContain('Planilha exposta')
  expect((await anuente('incident', 'affected', '--purpose', 'orders')).out).toContain('0 people')
})

test('a pack for an inquiry, and keys destroyed at the end', async () => {
  const today = new Date(now + DAY).toISOString().slice(0, 10)
  const out = at('pacote')
  const pack = await anuente('audit', 'pack', '--period', `2020-01-01/${today}`, '--out', out)
  expect(pack).toMatchObject({ code: 0 })
  for (const name of [
    'LEIA-ME.md',
    'manifesto.json',
    'livro/verify.mjs',
    'livro/verify.html',
    'pedidos.csv',
    'retencao.json',
  ])
    expect(existsSync(join(out, name))).toBe(true)
  expect((await anuente('audit', 'pack', '--period', `2020-01-01/${today}`, '--out', out)).err).toContain('not empty')
  expect((await anuente('audit', 'pack', '--period', 'yesterday', '--out', at('x'))).code).toBe(1)
  expect(
    (await anuente('audit', 'pack', '--period', `2020-01-01/${today}`, '--out', at('y'), '--with-payloads')).err,
  ).toContain('--reason')

  const shredded = await json<{ nodes: number; entryId: string }>(
    'keys',
    'shred',
    '--subject',
    's_one',
    '--reason',
    'court_order',
  )
  expect(shredded.nodes).toBe(1)
  expect(shredded.entryId).toMatch(/^[0-9A-Z]{26}$/)
})
