/** Every way to tamper that we know of, done straight in the database, and the name under which it is found. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { canonicalText } from '../../consent/ledger/canonical.ts'
import { rootOf, textLeafHash } from '../../consent/ledger/merkle.ts'
import { formatCheckpoint, signNote } from '../../consent/ledger/note.ts'
import { appendLeaves } from '../../consent/ledger/tiles.ts'
import { seal } from '../seal.ts'
import { openState } from '../stores/open.ts'
import { deliveryRow } from '../testing/admin-hub.ts'
import { LedgerForked, rotateKey, signCheckpoint } from './checkpoint.ts'
import { hubEntry } from './hub-entry.ts'
import { anchorCheckpoint } from './keeper.ts'
import { currentSigner } from './keyring.ts'
import { openTestLedger, START, type TestLedger } from './ledger.fixture.ts'
import { openPayload, proveEntry } from './prove.ts'
import { parseEntry, readHead } from './rows.ts'
import { sequence } from './sequence.ts'
import { shredNode } from './shred.ts'
import { type VerifyOptions, verifyLedger, verifyState } from './verify.ts'

let opened: TestLedger | undefined
afterEach(async () => {
  await opened?.close()
  opened = undefined
})

/** Three people, a revocation, deliveries, a state root, a signed and copied checkpoint. */
async function filled(): Promise<TestLedger & { readonly ids: string[] }> {
  const ledger = await openTestLedger()
  opened = ledger
  const ids = [
    await ledger.answer('ana', 'granted'),
    await ledger.answer('bia', 'granted'),
    await ledger.answer('caio', 'granted', 'ads'),
    await ledger.answer('ana', 'revoked'),
  ]
  await ledger.state.db
    .insertInto('deliveries')
    .values(
      ['d1', 'd2', 'd3', 'd4'].map((id, n) =>
        deliveryRow({ id, created_at: START + n, node_id: 'bia', entry_id: ids[1]! }),
      ) as never,
    )
    .execute()
  await ledger.sequence()
  await sequence(ledger.state, { now: ledger.now, stateRoot: true })
  await sign(ledger)
  return Object.assign(ledger, { ids })
}
async function sign(ledger: TestLedger) {
  const checkpoint = (await signCheckpoint(ledger.ports, ledger.now))!
  await anchorCheckpoint(ledger.ports, checkpoint, ledger.now)
  return checkpoint
}
const verify = async (ledger: TestLedger, more: Partial<VerifyOptions> = {}) =>
  (await verifyLedger(ledger.state.db, { keys: ledger.keys, anchorFolder: ledger.anchors, ...more }))!
/** `CODE what`, each once. */
const found = async (ledger: TestLedger, more: Partial<VerifyOptions> = {}) =>
  (await verify(ledger, more)).findings.map(({ code, what }) => `${code} ${what}`)
const codes = async (ledger: TestLedger, more: Partial<VerifyOptions> = {}) => [
  ...new Set((await verify(ledger, more)).findings.map(({ code }) => code)),
]
async function rewrite(ledger: TestLedger, seq: number, change: Record<string, unknown>): Promise<string> {
  const row = await ledger.state.db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('seq', '=', seq)
    .executeTakeFirstOrThrow()
  const bytes = canonicalText({ ...parseEntry(row.bytes), ...change })
  await ledger.state.db.updateTable('ledger_entries').set({ bytes }).where('seq', '=', seq).execute()
  return row.id
}
/** What an insider with the database does: every hash of the tree computed anew from the bytes. */
async function rebuildTree({ state: { db } }: TestLedger): Promise<void> {
  const rows = await db.selectFrom('ledger_entries').select('bytes').orderBy('seq').execute()
  await db.deleteFrom('ledger_tiles').execute()
  const tiles = await appendLeaves(
    0,
    rows.map(({ bytes }) => textLeafHash(bytes)),
    { read: async () => undefined },
  )
  await db
    .insertInto('ledger_tiles')
    .values([...tiles])
    .execute()
}

test('a ledger that nobody touched verifies, and says what was looked at', async () => {
  const ledger = await filled()
  const report = await verify(ledger)
  expect(report.findings).toEqual([])
  expect(report).toMatchObject({
    ok: true,
    size: 6,
    pending: 0,
    subjects: 4,
    checkpoints: 1,
    anchors: 1,
    stateRoots: 1,
    deliveries: 4,
    payloads: 6,
    destroyed: 0,
  })
})

test('a hub that goes on working meanwhile is no tampering', async () => {
  const ledger = await filled()
  const writer = await openState({ file: join(ledger.folder, 'state.db') }, { migrate: false })
  const { size } = (await verifyState(ledger.state, { keys: ledger.keys, anchorFolder: ledger.anchors }))!
  const during = ledger.state.db.transaction().execute(async (db) => {
    await readHead(db)
    await hubEntry(writer.db, { type: 'x', at: ledger.now })
    await sequence(writer, { now: ledger.now })
    return verifyLedger(db, { keys: ledger.keys, anchorFolder: ledger.anchors })
  })
  expect(await during).toMatchObject({ ok: true, size })
  await writer.close()
  expect(await verify(ledger)).toMatchObject({ ok: true, size: size + 1 })
})

test('an UPDATE of an entry straight in the database', async () => {
  const ledger = await filled()
  const id = await rewrite(ledger, 3, { status: 'granted' })
  expect(await found(ledger)).toContain(`ENTRY_ALTERED ${id}`)
})

test('an edit of the columns alone, which queries read', async () => {
  const ledger = await filled()
  await ledger.state.db.updateTable('ledger_entries').set({ purpose: 'ads' }).where('seq', '=', 3).execute()
  expect(await found(ledger)).toEqual([`COLUMNS_ALTERED ${ledger.ids[3]}`])
})

test('an edit with the whole tree computed anew: no longer what was signed', async () => {
  const ledger = await filled()
  await rewrite(ledger, 3, { status: 'granted' })
  await rebuildTree(ledger)
  expect(await codes(ledger)).toEqual(expect.arrayContaining(['LEDGER_FORKED', 'STATE_ROOT_WRONG', 'SUBJECT_ALTERED']))
  await ledger.answer('ana', 'granted')
  await ledger.sequence()
  await expect(signCheckpoint(ledger.ports, ledger.now)).rejects.toMatchObject({ code: 'LEDGER_FORKED' })
})

test('a deleted entry', async () => {
  const ledger = await filled()
  await ledger.state.db.deleteFrom('ledger_entries').where('seq', '=', 3).execute()
  expect(await found(ledger)).toContain('ENTRY_MISSING entry 3')
})

test('an inserted entry', async () => {
  const ledger = await filled()
  const row = await ledger.state.db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('seq', '=', 0)
    .executeTakeFirstOrThrow()
  await ledger.state.db
    .insertInto('ledger_entries')
    .values({ ...row, seq: 6, id: 'forged', bytes: row.bytes.replace('"seq":0', '"seq":6') })
    .execute()
  expect(await found(ledger)).toContain('ENTRY_INSERTED forged')
})

test('two entries that changed places', async () => {
  const ledger = await filled()
  const [first, second] = await ledger.state.db
    .selectFrom('ledger_entries')
    .selectAll()
    .where('seq', 'in', [1, 2])
    .orderBy('seq')
    .execute()
  await ledger.state.db.deleteFrom('ledger_entries').where('seq', 'in', [1, 2]).execute()
  await ledger.state.db
    .insertInto('ledger_entries')
    .values([
      { ...first!, seq: 2 },
      { ...second!, seq: 1 },
    ])
    .execute()
  expect(await found(ledger)).toEqual(
    expect.arrayContaining([`ENTRY_REORDERED ${first!.id}`, `ENTRY_REORDERED ${second!.id}`]),
  )
})

test('an end that was cut off, with everything that told of it', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  await db.deleteFrom('ledger_entries').where('seq', '>=', 3).execute()
  await db.deleteFrom('ledger_deliveries').execute()
  await db.updateTable('deliveries').set({ rooted: null }).execute()
  await db.deleteFrom('ledger_checkpoints').execute()
  await db.updateTable('ledger_head').set({ size: 3, state_size: 0 }).execute()
  await db.deleteFrom('ledger_subjects').where('subject', '=', 'hub').execute()
  await rebuildTree(ledger)
  // Nothing inside tells any more; the copy outside does.
  expect(await codes(ledger, { anchorFolder: undefined })).not.toContain('LEDGER_SHORTENED')
  expect(await codes(ledger)).toContain('LEDGER_SHORTENED')
  await expect(signCheckpoint(ledger.ports, ledger.now)).rejects.toMatchObject({ code: 'LEDGER_SHORTENED' })
})

test('a fork: another history of the same length, signed with the stolen key', async () => {
  const ledger = await filled()
  const { origin, size } = (await readHead(ledger.state.db))!
  const signer = await currentSigner(ledger.state.db, ledger.keys, origin)
  const forged = signNote(formatCheckpoint({ origin, size, root: rootOf([textLeafHash('another')]) }), [signer])
  expect(await found(ledger, { notes: [{ name: 'paper', note: forged }] })).toEqual(['LEDGER_FORKED paper'])
})

test('the replay of an old checkpoint as if it were the newest: the signer does not go back', async () => {
  const ledger = await filled()
  const old = (await readHead(ledger.state.db))!.size
  await ledger.answer('bia', 'revoked')
  await ledger.sequence()
  const later = await sign(ledger)
  // The old state of the tree is put back; its checkpoint is genuine.
  const { db } = ledger.state
  await db.deleteFrom('ledger_checkpoints').where('size', '>', old).execute()
  await db.deleteFrom('ledger_entries').where('seq', '>=', old).execute()
  await db.updateTable('ledger_head').set({ size: old }).execute()
  await rebuildTree(ledger)
  await expect(signCheckpoint(ledger.ports, ledger.now)).rejects.toThrow(String(later.size))
  expect(await codes(ledger)).toContain('LEDGER_SHORTENED')
})

test('a checkpoint that a stranger signed, or whose columns were changed', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  await db
    .updateTable('ledger_checkpoints')
    .set({ root: Buffer.alloc(32) })
    .execute()
  expect(await found(ledger)).toEqual(['CHECKPOINT_ALTERED checkpoint 6'])
  const row = await db.selectFrom('ledger_checkpoints').selectAll().executeTakeFirstOrThrow()
  await db
    .updateTable('ledger_checkpoints')
    .set({ note: row.note.replace('\n6\n', '\n5\n') })
    .execute()
  expect(await found(ledger)).toEqual(['CHECKPOINT_SIGNATURE checkpoint 6'])
})

test('a swapped subject: somebody else’s answer passed off as hers', async () => {
  const ledger = await filled()
  const id = await rewrite(ledger, 1, { subject: 's_ana' })
  await ledger.state.db.updateTable('ledger_entries').set({ subject: 's_ana' }).where('seq', '=', 1).execute()
  await rebuildTree(ledger)
  const all = await found(ledger)
  expect(all).toContain(`CHAIN_BROKEN ${id}`)
  expect(all.some((line) => line.startsWith('LEDGER_FORKED'))).toBe(true)
})

test('swapped payloads, and a payload with another salt', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  const { proof_key } = await db
    .selectFrom('nodes')
    .select('proof_key')
    .where('id', '=', 'ana')
    .executeTakeFirstOrThrow()
  const [first, , , last] = ledger.ids as [string, string, string, string]
  const capsule = (await openPayload(db, first, ledger.keys))!
  await db
    .updateTable('ledger_payloads')
    .set({ sealed: seal(ledger.keys.unwrap(proof_key), Buffer.concat([capsule.salt, capsule.bytes])) })
    .where('id', '=', last)
    .execute()
  expect(await found(ledger)).toEqual([`PAYLOAD_ALTERED ${last}`])
  await db
    .updateTable('ledger_payloads')
    .set({ sealed: seal(ledger.keys.unwrap(proof_key), Buffer.concat([Buffer.alloc(32), capsule.bytes])) })
    .where('id', '=', first)
    .execute()
  expect(await found(ledger)).toEqual([`PAYLOAD_ALTERED ${first}`, `PAYLOAD_ALTERED ${last}`])
  await db.deleteFrom('ledger_payloads').where('id', 'in', [first, last]).execute()
  expect(await found(ledger, { payloads: false })).toEqual([`PAYLOAD_MISSING ${first}`, `PAYLOAD_MISSING ${last}`])
})

test('a shredded key: proofs hold, the payload is gone, and the entry of its destruction is named', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  const entryId = (await shredNode(db, 'ana', 'proof', { at: ledger.now, reason: 'proof_expired' }))!
  await ledger.sequence()
  await sign(ledger)
  const report = await verify(ledger)
  expect(report).toMatchObject({ ok: true, destroyed: 2 })
  expect(await openPayload(db, ledger.ids[0]!, ledger.keys)).toBeUndefined()
  expect(await proveEntry(db, ledger.ids[0]!, ledger.keys)).toMatchObject({
    state: 'proven',
    payload: { state: 'destroyed', destroyedBy: { entryId, at: ledger.now } },
  })
})

test('a key that is gone and no entry says so', async () => {
  const ledger = await filled()
  await ledger.state.db
    .updateTable('nodes')
    .set({ proof_key: Buffer.alloc(0) })
    .where('id', '=', 'bia')
    .execute()
  expect(await found(ledger)).toEqual([`PAYLOAD_MISSING ${ledger.ids[1]}`])
  await ledger.state.db
    .insertInto('ledger_shredded')
    .values({ key_id: 's_bia.proof', node_id: 'bia', entry_id: ledger.ids[0]!, at: 1 })
    .execute()
  expect(await found(ledger)).toEqual([`PAYLOAD_MISSING ${ledger.ids[1]}`])
})

test('times that go back, written by somebody who set them by hand', async () => {
  const ledger = await filled()
  const id = await rewrite(ledger, 3, { logged_at: '2020-01-01T00:00:00.000Z' })
  await rebuildTree(ledger)
  expect(await found(ledger)).toContain(`TIME_WENT_BACK ${id}`)
})

test('a clock that goes back is noticed, and is no fault of the ledger', async () => {
  const ledger = await filled()
  ledger.now = START - 86_400_000
  await ledger.answer('bia', 'revoked')
  await ledger.sequence()
  expect(await verify(ledger)).toMatchObject({ ok: true, clockBehind: 1 })
})

test('a stored hash of the tree, low or high', async () => {
  const ledger = await filled()
  for (let n = 0; n < 300; n++) await hubEntry(ledger.state.db, { type: 'x', at: ledger.now, facts: { n } })
  await ledger.sequence()
  expect((await verify(ledger)).ok).toBe(true)
  const { db } = ledger.state
  await db
    .updateTable('ledger_tiles')
    .set({ hashes: Buffer.alloc(32, 1) })
    .where('level', '=', 1)
    .execute()
  expect(await found(ledger)).toEqual(['TREE_ALTERED tile 1/0'])
  await db
    .updateTable('ledger_tiles')
    .set({ hashes: Buffer.alloc(50 * 32, 1) })
    .where('level', '=', 0)
    .where('tile', '=', 1)
    .execute()
  expect(await codes(ledger)).toEqual(expect.arrayContaining(['ENTRY_ALTERED', 'TREE_ALTERED']))
})

test('the last word of somebody, from which the next entry would be chained', async () => {
  const ledger = await filled()
  await ledger.state.db.updateTable('ledger_subjects').set({ subject_seq: 7 }).where('subject', '=', 's_bia').execute()
  expect(await found(ledger)).toEqual(['SUBJECT_ALTERED s_bia'])
  await ledger.state.db.deleteFrom('ledger_subjects').where('subject', '=', 's_bia').execute()
  expect(await found(ledger)).toEqual(['SUBJECT_ALTERED 1 subjects are missing'])
})

test('a deleted delivery, an altered one, one that was never settled here', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  await db.deleteFrom('deliveries').where('id', '=', 'd1').execute()
  expect(await found(ledger)).toEqual(['DELIVERY_DELETED d1'])
  await db.updateTable('deliveries').set({ status: 'blocked' }).where('id', '=', 'd2').execute()
  await db.updateTable('deliveries').set({ settled_at: null }).where('id', '=', 'd3').execute()
  const { rooted } = await db.selectFrom('deliveries').select('rooted').where('id', '=', 'd2').executeTakeFirstOrThrow()
  await db
    .insertInto('deliveries')
    .values({ ...deliveryRow({ id: 'd9', created_at: START }), entry_id: 'nothing', rooted } as never)
    .execute()
  expect(await found(ledger)).toEqual([
    'DELIVERY_DELETED d1',
    'DELIVERY_ALTERED d2',
    'DELIVERY_ALTERED d3',
    'DELIVERY_INSERTED d9',
    'DELIVERY_UNSUPPORTED d9',
  ])
})

test('a deleted delivery together with its record, and a record marked as ended by an act that does not name it', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  const act = await hubEntry(db, { type: 'retention.run', at: ledger.now, deliveries: ['d1'] })
  await db.deleteFrom('deliveries').where('id', '=', 'd1').execute()
  expect((await verify(ledger)).ok).toBe(true)
  await ledger.sequence()
  expect((await verify(ledger)).ok).toBe(true)
  await db.deleteFrom('deliveries').where('id', '=', 'd2').execute()
  await db.updateTable('ledger_deliveries').set({ ended_by: act }).where('delivery_id', '=', 'd2').execute()
  expect(await found(ledger)).toEqual(['DELIVERY_ALTERED d1', 'DELIVERY_ALTERED d2'])
  await db.deleteFrom('ledger_deliveries').where('delivery_id', '=', 'd2').execute()
  const { id } = await db
    .selectFrom('ledger_entries')
    .select('id')
    .where('type', '=', 'deliveries.root')
    .executeTakeFirstOrThrow()
  expect(await found(ledger)).toEqual([`DELIVERIES_ROOT_WRONG ${id}`])
})

test('a delivery that was altered and put up to be recorded again: the first record stands against it', async () => {
  const ledger = await filled()
  await ledger.state.db
    .updateTable('deliveries')
    .set({ status: 'blocked', rooted: null })
    .where('id', '=', 'd2')
    .execute()
  await ledger.sequence()
  expect(await found(ledger)).toEqual(['DELIVERY_ALTERED d2'])
})

test('a copy in the folder that somebody replaced', async () => {
  const ledger = await filled()
  const [name] = readdirSync(ledger.anchors)
  mkdirSync(join(ledger.folder, 'other'))
  writeFileSync(join(ledger.folder, 'other', name!), 'not a checkpoint\n\n')
  expect(await codes(ledger, { anchorFolder: join(ledger.folder, 'other') })).toEqual(['CHECKPOINT_SIGNATURE'])
})

test('a rotated key: both signed, an entry names them, old and new checkpoints verify', async () => {
  const ledger = await filled()
  const { db } = ledger.state
  const { origin } = (await readHead(db))!
  const old = await currentSigner(db, ledger.keys, origin)
  const rotated = (await rotateKey(ledger.ports, { now: ledger.now, reason: 'yearly' }))!
  expect(rotated.checkpoint.note.split('\n\n')[1]!.trim().split('\n').length).toBe(2)
  expect((await currentSigner(db, ledger.keys, origin)).id).not.toBe(old.id)
  const entry = await db
    .selectFrom('ledger_entries')
    .select('bytes')
    .where('type', '=', 'key.rotated')
    .executeTakeFirstOrThrow()
  expect(parseEntry(entry.bytes)).toMatchObject({ from: rotated.from, to: rotated.to, reason: 'yearly' })
  await ledger.answer('bia', 'revoked')
  await ledger.sequence()
  const next = await sign(ledger)
  expect(next.note.split('\n\n')[1]!.trim().split('\n').length).toBe(1)
  expect(await verify(ledger)).toMatchObject({ ok: true, checkpoints: 3 })
})

test('refusals of the signer say what happened', async () => {
  const ledger = await filled()
  await ledger.state.db.deleteFrom('ledger_tiles').execute()
  await ledger.state.db.deleteFrom('ledger_checkpoints').execute()
  const refusal = await signCheckpoint(ledger.ports, ledger.now).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(LedgerForked)
  expect(refusal).toMatchObject({ code: 'LEDGER_DAMAGED', message: expect.stringContaining('tile 0/0') })
})
