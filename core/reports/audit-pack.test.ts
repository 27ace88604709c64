/** A pack for an inquiry: whole, cut to its scope, and checked by the code an auditor gets. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { STARTER_PURPOSES } from '../../consent/starter.ts'
import type { Config } from '../../schemas/config.ts'
import type { Ropa } from '../../schemas/records.ts'
import type { RetentionPlan } from '../../schemas/retention.ts'
import { signCheckpoint } from '../ledger/checkpoint.ts'
import { openTestLedger, type TestLedger } from '../ledger/ledger.fixture.ts'
import { sequence } from '../ledger/sequence.ts'
import type { StateStore } from '../stores/open.ts'
import { type AuditScope, writeAuditPack } from './audit-pack.ts'
import { recordsCommands } from './commands.ts'

const DAY = 86_400_000
const config: Config = { organization: { name: 'Loja Exemplo' }, sources: {}, purposes: STARTER_PURPOSES }

let ledger: TestLedger
const folders: string[] = []
afterEach(async () => {
  await ledger.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function act<T>(name: string, args: Record<string, unknown> = {}): Promise<T> {
  const commands = recordsCommands(config, ledger.keys, (id) => id)
  return ledger.state.transaction((trx) =>
    commands[name]!(args, {
      state: { ...ledger.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
      actor: 'u1',
      now: ledger.now,
    }),
  ) as Promise<T>
}

async function pack(scope: AuditScope) {
  while ((await sequence(ledger.state, { now: ledger.now })) > 0);
  await sequence(ledger.state, { now: ledger.now, stateRoot: true })
  await signCheckpoint(ledger.ports, ledger.now)
  const dir = mkdtempSync(join(tmpdir(), 'anuente-pack-'))
  folders.push(dir)
  const ropa = await act<Ropa>('ropa')
  const { db } = ledger.state
  const made = await writeAuditPack({ db, keys: ledger.keys, config, ropa, now: ledger.now }, dir, scope)
  return { dir, made, read: (name: string) => readFileSync(join(dir, name), 'utf8') }
}

/** A year in which ana and bia answered, something expired, and somebody was looked at. */
async function year(): Promise<number> {
  ledger = await openTestLedger()
  const start = ledger.now
  for (const person of ['ana', 'bia'])
    await ledger.state.db
      .insertInto('persons')
      .values({ id: person, seq: 0, profile: '{}', merged_into: null, updated_at: ledger.now })
      .execute()
  await ledger.answer('ana', 'granted')
  await ledger.answer('bia', 'granted')
  await act('recordRopa')
  ledger.now += 30 * DAY
  await ledger.answer('ana', 'revoked')
  await act('reveal', { what: 'person', id: 's_ana', reason: 'she called about the offers' })
  await act('reveal', { what: 'person', id: 's_bia', reason: 'he called about the offers' })
  await act('openIncident', {
    title: 'Aviso',
    description: 'Um teste do registro',
    knownAt: new Date(ledger.now).toISOString(),
  })
  ledger.now += 200 * DAY
  const plan = await act<RetentionPlan>('retentionPlan')
  await act('retentionApprove', { hash: plan.hash, policies: ['access_log/*/occurred'] })
  await act('retentionRun')
  while ((await act('retentionStep')) !== null);
  await act('setHold', { subject: 's_bia', ref: 'Processo 1', reason: 'ordered by the court' })
  return start
}

test('everything of a period, each file with its hash, verified offline', async () => {
  const start = await year()
  const { dir, made, read } = await pack({ from: start, to: ledger.now + DAY })
  expect(made).toMatchObject({ runs: 1, requests: 0, people: null })
  expect(readdirSync(dir).sort()).toEqual([
    'LEIA-ME.md',
    'acessos.csv',
    'incidentes.json',
    'livro',
    'manifesto.json',
    'pedidos.csv',
    'politica',
    'retencao.json',
    'ropa',
  ])
  const manifest = JSON.parse(read('manifesto.json')) as { files: { name: string; sha256: string }[] }
  for (const { name, sha256 } of manifest.files)
    expect(
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ).toBe(sha256)
  const runs = (JSON.parse(read('retencao.json')) as { runs: { root: string; entryId: string }[] }).runs
  const entry = read('livro/ledger.ndjson')
    .split('\n')
    .find((line) => line.includes(runs[0]!.entryId))!
  expect(JSON.parse(entry)).toMatchObject({ type: 'retention.run', root: runs[0]!.root })
  const verified = await promisify(execFile)(process.execPath, [join(dir, 'livro/verify.mjs'), join(dir, 'livro')])
  expect(verified.stdout + verified.stderr).not.toContain('@example.com')
  // Nothing in the folder names anybody.
  for (const { name } of manifest.files) expect(read(name)).not.toContain('@example.com')
  expect(read('LEIA-ME.md')).toContain('node livro/verify.mjs')
})

test('cut to one person: of others no entry, no look, no hold', async () => {
  const start = await year()
  ledger.now += DAY
  await act('reveal', { what: 'person', id: 's_ana', reason: 'for the inquiry number 12' })
  await act('reveal', { what: 'person', id: 's_bia', reason: 'about something else' })
  const { made, read, dir } = await pack({ from: start, to: ledger.now + DAY, subjects: ['s_ana'] })
  expect(made.people).toBe(1)
  expect(read('livro/ledger.ndjson')).toContain('s_ana')
  expect(read('livro/ledger.ndjson')).not.toContain('s_bia')
  expect(read('acessos.csv')).toContain('for the inquiry number 12')
  expect(read('acessos.csv')).not.toContain('about something else')
  expect(JSON.parse(read('retencao.json'))).toMatchObject({ holds: [] })
  expect(readdirSync(dir)).not.toContain('incidentes.json')
  await promisify(execFile)(process.execPath, [join(dir, 'livro/verify.mjs'), join(dir, 'livro')])
})

test('cut to a period: what was before or after is not in it', async () => {
  const start = await year()
  const { read, made } = await pack({ from: start + 20 * DAY, to: start + 40 * DAY })
  expect(made.runs).toBe(0)
  expect(JSON.parse(read('incidentes.json'))).toHaveLength(1)
  expect(read('livro/ledger.ndjson')).toContain('"consent.revoke"')
  expect(read('livro/ledger.ndjson')).not.toContain('"consent.grant"')
})
