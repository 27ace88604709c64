import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createFrontier, leafHash, verifyInclusion } from '../../consent/ledger/merkle.ts'
import { verifyPack } from '../../consent/ledger/offline/verify.mjs'
import { viewTree } from '../../consent/ledger/tiles.ts'
import { openState } from '../stores/open.ts'
import { deliveryRow } from '../testing/admin-hub.ts'
import { startPostgres, type TestPostgres } from '../testing/postgres.ts'
import { rotateKey, signCheckpoint } from './checkpoint.ts'
import { exportLedger } from './export.ts'
import { hubEntry } from './hub-entry.ts'
import { anchorCheckpoint } from './keeper.ts'
import { openTestLedger, START, type TestLedger } from './ledger.fixture.ts'
import { proveEntry, proveSubjects } from './prove.ts'
import { parseEntry, readHead, tileReader } from './rows.ts'
import { sequence } from './sequence.ts'
import { shredNode } from './shred.ts'
import { ledgerStatus } from './status.ts'
import { verifyState } from './verify.ts'

const opened: TestLedger[] = []
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
})
async function open(options: Parameters<typeof openTestLedger>[0] = {}): Promise<TestLedger> {
  const ledger = await openTestLedger(options)
  opened.push(ledger)
  return ledger
}
const entriesOf = async ({ state }: TestLedger) =>
  (await state.db.selectFrom('ledger_entries').select('bytes').orderBy('seq').execute()).map(({ bytes }) =>
    parseEntry(bytes),
  )

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server.stop())

describe.each(['SQLite', 'PostgreSQL'])('the sequencer on %s', (database) => {
  const place = async () => (database === 'SQLite' ? {} : { postgres: await server.url() })

  test('numbers entries in order and chains each subject to its entry before', async () => {
    const ledger = await open(await place())
    const ids = [
      await ledger.answer('ana', 'granted'),
      await ledger.answer('bia', 'granted'),
      await ledger.answer('ana', 'revoked'),
    ]
    await ledger.sequence()
    const rows = await ledger.state.db.selectFrom('ledger_entries').selectAll().orderBy('seq').execute()
    expect(rows.map(({ seq, id }) => [seq, id])).toEqual(ids.map((id, seq) => [seq, id]))
    const [first, second, third] = rows.map(({ bytes }) => parseEntry(bytes))
    expect(first).toMatchObject({ seq: 0, subject_seq: 0, prev_subject_leaf: null, status: 'granted' })
    expect(second).toMatchObject({ seq: 1, subject_seq: 0, prev_subject_leaf: null })
    expect(third).toMatchObject({
      seq: 2,
      subject_seq: 1,
      prev_subject_leaf: leafHash(Buffer.from(rows[0]!.bytes)).toString('hex'),
      status: 'revoked',
    })
    expect(await ledger.state.db.selectFrom('ledger_pending').selectAll().execute()).toEqual([])
    expect((await ledger.state.db.selectFrom('ledger_payloads').select('id').orderBy('id').execute()).length).toBe(3)
  })

  test('the stored tree is the tree of the bytes, whatever the batches were', async () => {
    const ledger = await open(await place())
    const tree = createFrontier()
    for (const limit of [1, 3, 255, 2, 260, 256]) {
      for (let n = 0; n < limit; n++) await hubEntry(ledger.state.db, { type: 'x', at: ledger.now, facts: { n } })
      while ((await sequence(ledger.state, { now: ledger.now, limit })) > 0);
    }
    const rows = await ledger.state.db.selectFrom('ledger_entries').select('bytes').orderBy('seq').execute()
    for (const { bytes } of rows) tree.add(leafHash(Buffer.from(bytes)))
    const view = viewTree(tileReader(ledger.state.db))
    const { size } = (await readHead(ledger.state.db))!
    expect(size).toBe(777)
    expect(await view.root(size)).toEqual(tree.root())
    for (const index of [0, 254, 255, 256, 600, 776])
      expect(
        verifyInclusion(
          index,
          size,
          leafHash(Buffer.from(rows[index]!.bytes)),
          await view.inclusion(index, size),
          tree.root(),
        ),
      ).toBe(true)
  })

  test('two writers: every entry gets one number, and no number is given twice', async () => {
    const at = await place()
    const ledger = await open(at)
    const other =
      at.postgres === undefined
        ? await openState({ file: `${ledger.folder}/state.db` }, { migrate: false })
        : await openState({ file: '', postgres: at.postgres }, { migrate: false })
    for (let n = 0; n < 60; n++) await hubEntry(ledger.state.db, { type: 'x', at: ledger.now, facts: { n } })
    // SQLite lets one write at a time, and in one thread they can only take turns; on PostgreSQL whoever finds the lock taken does nothing.
    let left = 1
    for (let round = 0; left > 0 && round < 100; round++) {
      const one = sequence(ledger.state, { now: ledger.now, limit: 7 })
      if (at.postgres === undefined) await one
      await Promise.all([one, sequence(other, { now: ledger.now, limit: 5 })])
      left = (await ledger.state.db.selectFrom('ledger_pending').select('id').execute()).length
    }
    await other.close()
    const entries = await entriesOf(ledger)
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 60 }, (_, n) => n))
    expect(entries.map(({ subject_seq }) => subject_seq)).toEqual(Array.from({ length: 60 }, (_, n) => n))
    expect(new Set(entries.map(({ id }) => id)).size).toBe(60)
    expect((await readHead(ledger.state.db))!.size).toBe(60)
  })

  test('a clock that goes back: times of the ledger stand still, and an entry says by how much', async () => {
    const ledger = await open(await place())
    await ledger.answer('ana', 'granted')
    await ledger.sequence()
    ledger.now = START - 3 * 3_600_000
    await ledger.answer('ana', 'revoked')
    await ledger.sequence()
    const entries = await entriesOf(ledger)
    expect(entries.map(({ type }) => type).sort()).toEqual(['clock.behind', 'consent.grant', 'consent.revoke'])
    expect(entries.map(({ logged_at }) => logged_at)).toEqual([...entries.map(({ logged_at }) => logged_at)].sort())
    expect(entries.find(({ type }) => type === 'clock.behind')).toMatchObject({
      subject: 'hub',
      newest: new Date(START + 1000).toISOString(),
      behind_ms: 3 * 3_600_000,
    })
  })

  test('the last words of everybody get a root once a day, and only when somebody said something', async () => {
    const ledger = await open(await place())
    const roots = async () => (await entriesOf(ledger)).filter(({ type }) => type === 'state.root')
    await ledger.answer('ana', 'granted')
    await ledger.answer('bia', 'granted')
    await ledger.sequence()
    expect(await roots()).toEqual([])
    ledger.now += 86_400_000
    await ledger.answer('bia', 'revoked')
    await ledger.sequence()
    expect(await roots()).toMatchObject([{ subject: 'hub', size: 2, subjects: 2 }])
    ledger.now += 86_400_000
    await hubEntry(ledger.state.db, { type: 'x', at: ledger.now })
    await ledger.sequence()
    expect(await roots()).toMatchObject([{ size: 2 }, { size: 4, subjects: 2 }])
    ledger.now += 86_400_000
    await hubEntry(ledger.state.db, { type: 'x', at: ledger.now })
    await ledger.sequence()
    expect((await roots()).length).toBe(2)
  })
})

describe.each(['SQLite', 'PostgreSQL'])('the whole ledger on %s', (database) => {
  test('signs, proves, exports, shreds, rotates its key and verifies', async () => {
    const ledger = await open(database === 'SQLite' ? {} : { postgres: await server.url() })
    const { state, keys, ports } = ledger
    const id = await ledger.answer('ana', 'granted')
    await ledger.answer('bia', 'granted')
    await state.db
      .insertInto('deliveries')
      .values([
        deliveryRow({ id: 'd1', created_at: START, node_id: 'ana', entry_id: id }),
        deliveryRow({ id: 'd2', created_at: START, node_id: 'bia', entry_id: id }),
      ] as never)
      .execute()
    await ledger.sequence()
    await sequence(state, { now: ledger.now, stateRoot: true })
    const first = await signCheckpoint(ports, ledger.now)
    expect(await anchorCheckpoint(ports, first!, ledger.now)).toHaveLength(1)
    await shredNode(state.db, 'bia', 'proof', { at: ledger.now, reason: 'proof_expired' })
    await state.transaction(async (db) => {
      await hubEntry(db, { type: 'retention.batch', at: ledger.now, deliveries: ['d2'] })
      await db.deleteFrom('deliveries').where('id', '=', 'd2').execute()
    })
    await rotateKey(ports, { now: ledger.now, reason: 'yearly' })

    expect(await proveEntry(state.db, id)).toMatchObject({
      state: 'proven',
      lastWord: true,
      payload: { state: 'kept' },
    })
    expect((await proveSubjects(state.db, ['s_ana', 's_nobody']))!.map(({ says }) => says)).toEqual(['last', 'absent'])
    expect(await ledgerStatus(state.db, { anchorFolder: ledger.anchors, privacy: 'open' })).toMatchObject({
      pending: 0,
      checkpoint: { size: 7 },
      anchors: [{ kind: 'folder', size: first!.size }],
      unanchoredSince: expect.any(Number),
    })
    const report = await verifyState(state, { keys, anchorFolder: ledger.anchors })
    expect(report!.findings).toEqual([])
    expect(report).toMatchObject({
      ok: true,
      size: 7,
      checkpoints: 2,
      anchors: 1,
      deliveries: 2,
      destroyed: 1,
      payloads: 6,
    })

    const dir = `${ledger.folder}/pack`
    await exportLedger({ db: state.db, keys, now: ledger.now }, dir, { payloads: true, subjects: ['s_ana'] })
    expect(
      await verifyPack({ read: (name) => readFile(`${dir}/${name}`, 'utf8').catch(() => undefined) }),
    ).toMatchObject({
      ok: true,
      deliveries: { disclosed: 1 },
      subjects: [{ says: 'last' }],
    })
    await state.db.deleteFrom('deliveries').execute()
    expect((await verifyState(state, { keys, anchorFolder: undefined }))!.findings).toMatchObject([
      { code: 'DELIVERY_DELETED', what: 'd1' },
    ])
  })
})

test('however people and batches fall, each subject has one chain', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom('ana', 'bia', 'caio'), fc.boolean()), { maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (answers, limit) => {
        const ledger = await openTestLedger()
        for (const [person, granted] of answers) await ledger.answer(person, granted ? 'granted' : 'revoked')
        while ((await sequence(ledger.state, { now: ledger.now, limit })) > 0);
        const last = new Map<string, { subject_seq: number; leaf: string }>()
        const rows = await ledger.state.db.selectFrom('ledger_entries').select('bytes').orderBy('seq').execute()
        await ledger.close()
        expect(rows.length).toBe(answers.length)
        for (const { bytes } of rows) {
          const { subject, subject_seq, prev_subject_leaf } = parseEntry(bytes)
          const before = last.get(subject)
          expect([subject_seq, prev_subject_leaf]).toEqual(before ? [before.subject_seq + 1, before.leaf] : [0, null])
          last.set(subject, { subject_seq, leaf: leafHash(Buffer.from(bytes)).toString('hex') })
        }
      },
    ),
    { numRuns: 5 },
  )
})
