/**
 * `npm run bench -- ledger [entries]`: the sequencer on SQLite as the hub runs it (entries per second, tree,
 * chains and payload rows included), the time of one proof, and how fast leaf bytes and tree are hashed again. The
 * last is also given as a ratio to bare SHA-256 of the same bytes, which carries from machine to machine.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consentEntry } from '../consent/ledger/entry.ts'
import { createFrontier, textLeafHash, verifyInclusion } from '../consent/ledger/merkle.ts'
import { viewTree } from '../consent/ledger/tiles.ts'
import type { LedgerEntryDraft } from '../consent/status.ts'
import { newId } from '../core/ids.ts'
import { createKeys } from '../core/keys.ts'
import { ensureLedger } from '../core/ledger/keyring.ts'
import { readHead, tileReader } from '../core/ledger/rows.ts'
import { sequence } from '../core/ledger/sequence.ts'
import { verifyLedger } from '../core/ledger/verify.ts'
import { seal } from '../core/seal.ts'
import { insertMany, openState } from '../core/stores/open.ts'

const ENTRIES = Number(process.argv.find((argument) => /^\d+$/.test(argument)) ?? 100_000)
const SUBJECTS = Math.max(1, Math.floor(ENTRIES / 4))
const PART = 10_000
const ROUNDS = 3

const dir = mkdtempSync(join(tmpdir(), 'anuente-bench-ledger-'))
try {
  const keys = createKeys(randomBytes(32))
  const state = await openState({ file: join(dir, 'state.db') })
  await ensureLedger(state, keys, 'https://bench.example', Date.now())
  const { key, wrapped } = keys.create()
  const nodes = Array.from({ length: SUBJECTS }, (_, n) => [`n${n}`, `n${n}`, `s_${n}`, 0, wrapped, wrapped, 0])
  await state.transaction((db) =>
    insertMany(
      db,
      state.dialect,
      'nodes',
      ['id', 'person_id', 'subject', 'device', 'data_key', 'proof_key', 'founded_at'],
      nodes,
    ),
  )
  const rates: number[] = []
  let cpu = 0
  for (let done = 0; done < ENTRIES; done += PART) {
    const count = Math.min(PART, ENTRIES - done)
    await state.transaction((db) =>
      insertMany(
        db,
        state.dialect,
        'ledger_pending',
        ['id', 'node_id', 'subject', 'purpose', 'at', 'public', 'sealed'],
        Array.from({ length: count }, (_, n) => pendingRow(done + n)),
      ),
    )
    const started = performance.now()
    const before = process.cpuUsage()
    while ((await sequence(state, { now: Date.now() })) > 0);
    const { user, system } = process.cpuUsage(before)
    cpu += (user + system) / 1e6
    rates.push(count / ((performance.now() - started) / 1000))
  }
  const best = Math.max(...rates)
  const median = rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)]!
  console.log(
    `sequenced    ${best.toFixed(0)} entries/s best, ${median.toFixed(0)} median, ${(ENTRIES / cpu).toFixed(0)} per CPU-second (${ENTRIES} entries, ${SUBJECTS} subjects)`,
  )

  const { size } = (await readHead(state.db))!
  const root = await viewTree(tileReader(state.db)).root(size)
  const times: number[] = []
  for (let n = 0; n < 200; n++) {
    const index = Math.floor(Math.random() * size)
    const { bytes } = await state.db
      .selectFrom('ledger_entries')
      .select('bytes')
      .where('seq', '=', index)
      .executeTakeFirstOrThrow()
    const started = performance.now()
    const proof = await viewTree(tileReader(state.db)).inclusion(index, size)
    times.push(performance.now() - started)
    if (!verifyInclusion(index, size, textLeafHash(bytes), proof, root)) throw new Error(`no proof of ${index}`)
  }
  times.sort((a, b) => a - b)
  console.log(
    `proof        ${times[100]!.toFixed(2)} ms median, ${times[198]!.toFixed(2)} ms p99, at ${size} entries, from the database`,
  )

  const rows = await state.db.selectFrom('ledger_entries').select('bytes').orderBy('seq').limit(200_000).execute()
  let [ours, bare] = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const hashed = performance.now()
    for (const { bytes } of rows) createHash('sha256').update(bytes).digest()
    bare = Math.max(bare, rows.length / ((performance.now() - hashed) / 1000))
    const started = performance.now()
    const tree = createFrontier()
    for (const { bytes } of rows) tree.add(textLeafHash(bytes))
    tree.root()
    ours = Math.max(ours, rows.length / ((performance.now() - started) / 1000))
  }
  console.log(
    `verification ${ours.toFixed(0)} leaves/s, bytes and tree; ${(ours / bare).toFixed(2)} of bare SHA-256 of the same bytes`,
  )

  const started = performance.now()
  const report = (await verifyLedger(state.db, { keys, anchorFolder: undefined, payloads: false }))!
  if (!report.ok)
    throw new Error(
      `the ledger of the benchmark does not verify: ${JSON.stringify(report.counts)} ${JSON.stringify(report.findings[0])}`,
    )
  console.log(
    `whole verify ${(size / ((performance.now() - started) / 1000)).toFixed(0)} entries/s from the database, chains and state roots included`,
  )
  await state.close()

  function pendingRow(n: number): unknown[] {
    const at = Date.now()
    const entry = consentEntry(draft(at), `s_${n % SUBJECTS}`, [{ type: 'email', value: `p${n}@example.com` }])
    const capsule = seal(key, Buffer.concat([entry.salt, entry.payload]))
    return [
      entry.id,
      `n${n % SUBJECTS}`,
      `s_${n % SUBJECTS}`,
      'email_marketing',
      at,
      entry.publicBytes.toString('utf8'),
      capsule,
    ]
  }
} finally {
  rmSync(dir, { recursive: true, force: true })
}

function draft(now: number): LedgerEntryDraft {
  const at = new Date(now).toISOString()
  return {
    id: newId(),
    effect: 'status',
    purpose: 'email_marketing',
    scope: 'person',
    action: 'grant',
    status: 'granted',
    basis: 'consent',
    actor: 'subject',
    evidenceClass: 'valid',
    evidence: { method: 'checkbox', flags: [], sha256: 'ab'.repeat(32), raw: { Marketing: true } },
    notice: { id: 'cookies', version: 3 },
    origin: { kind: 'segment', ref: 'site' },
    occurredAt: at,
    receivedAt: at,
  }
}
