/** The state store itself: one set of statements, two databases. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { migrateState } from './migrations.ts'
import { chunks, insertMany, openState } from './open.ts'

const rollup = (n: number) => [n, 'source:site', 'KEPT', 1]
const COLUMNS = ['minute', 'origin', 'code', 'count']

onBothDatabases('the state store', (open: OpenRig) => {
  test('a transaction that fails leaves nothing, and the next one goes on', async () => {
    const { state } = await open()
    await expect(
      state.transaction(async (trx) => {
        await insertMany(trx, state.dialect, 'rollups', COLUMNS, [rollup(1)])
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    await state.transaction((trx) => insertMany(trx, state.dialect, 'rollups', COLUMNS, [rollup(2)]))
    expect((await state.db.selectFrom('rollups').select('minute').execute()).map(({ minute }) => minute)).toEqual([2])
  })

  test('a statement that fails inside a transaction takes the whole of it back', async () => {
    const { state } = await open()
    await expect(
      state.transaction(async (trx) => {
        await insertMany(trx, state.dialect, 'rollups', COLUMNS, [rollup(1)])
        await insertMany(trx, state.dialect, 'rollups', COLUMNS, [rollup(1)])
      }),
    ).rejects.toThrow()
    expect(await state.db.selectFrom('rollups').select('minute').execute()).toEqual([])
  })

  test('transactions at the same moment all commit, one after the other', async () => {
    const { state } = await open()
    const add = () =>
      state.transaction((trx) =>
        insertMany(
          trx,
          state.dialect,
          'rollups',
          COLUMNS,
          [rollup(7)],
          'on conflict (minute, origin, code) do update set count = rollups.count + excluded.count',
        ),
      )
    await Promise.all(Array.from({ length: 20 }, add))
    expect(await state.db.selectFrom('rollups').select('count').execute()).toEqual([{ count: 20 }])
  })

  test('any number of rows is written, each once', async () => {
    const { state } = await open()
    for (const count of [0, 1, 7, 8, 9, 63, 64, 65, 200]) {
      await state.db.deleteFrom('rollups').execute()
      await insertMany(
        state.db,
        state.dialect,
        'rollups',
        COLUMNS,
        Array.from({ length: count }, (_, n) => rollup(n)),
      )
      const rows = await state.db.selectFrom('rollups').select('minute').orderBy('minute').execute()
      expect(rows.map(({ minute }) => minute)).toEqual(Array.from({ length: count }, (_, n) => n))
    }
  })

  test('numbers, bytes, empty bytes and nothing come back as they went in', async () => {
    const { state } = await open()
    const sealed = randomBytes(300)
    const late = 8_640_000_000_000_000
    await insertMany(
      state.db,
      state.dialect,
      'held',
      ['id', 'key_id', 'sealed', 'received_at', 'expires_at'],
      [
        ['a', 'k', sealed, 0, late],
        ['b', 'k', Buffer.alloc(0), -1, 1],
      ],
    )
    const rows = await state.db.selectFrom('held').selectAll().orderBy('id').execute()
    expect(rows.map((row) => ({ ...row, sealed: Buffer.from(row.sealed) }))).toEqual([
      { id: 'a', key_id: 'k', sealed, received_at: 0, expires_at: late },
      { id: 'b', key_id: 'k', sealed: Buffer.alloc(0), received_at: -1, expires_at: 1 },
    ])
    await insertMany(
      state.db,
      state.dialect,
      'identifiers',
      ['hmac', 'type', 'node_id', 'sealed', 'first_seen_at'],
      [[Buffer.from('00ff', 'hex'), 'email', 'n', null, 1]],
    )
    const [found] = await state.db
      .selectFrom('identifiers')
      .selectAll()
      .where('hmac', '=', Buffer.from('00ff', 'hex'))
      .execute()
    expect(found).toMatchObject({ sealed: null, type: 'email' })
  })

  test('opening again finds what was written; the schema is brought up to date once', async () => {
    const rig = await open()
    await insertMany(rig.state.db, rig.state.dialect, 'rollups', COLUMNS, [rollup(1)])
    const before = await rig.state.db.selectFrom('meta').selectAll().orderBy('key').execute()
    await Promise.all([migrateState(rig.state.db, rig.state.dialect), migrateState(rig.state.db, rig.state.dialect)])
    await rig.restart()
    expect(await rig.state.db.selectFrom('meta').selectAll().orderBy('key').execute()).toEqual(before)
    expect(await rig.rows('rollups')).toBe(1)
  })

  test('many values in one question', async () => {
    const { state } = await open()
    await insertMany(
      state.db,
      state.dialect,
      'rollups',
      COLUMNS,
      Array.from({ length: 1500 }, (_, n) => rollup(n)),
    )
    let found = 0
    for (const part of chunks(Array.from({ length: 1500 }, (_, n) => n)))
      found += (await state.db.selectFrom('rollups').select('minute').where('minute', 'in', part).execute()).length
    expect(found).toBe(1500)
  })
})

test('what was deleted is gone from the SQLite file and its write-ahead file', async () => {
  const { Rig } = await import('../testing/pipeline-rig.ts')
  const rig = await Rig.open()
  try {
    const sealed = randomBytes(64)
    await rig.state.db.insertInto('seal_keys').values({ id: 'k', wrapped: sealed, expires_at: 1 }).execute()
    const onDisk = () =>
      [rig.stateFile, `${rig.stateFile}-wal`].some((file) => existsSync(file) && readFileSync(file).includes(sealed))
    expect(onDisk()).toBe(true)
    await rig.state.db.deleteFrom('seal_keys').execute()
    rig.state.checkpoint()
    expect(onDisk()).toBe(false)
  } finally {
    await rig.close()
  }
})

test('two processes on one SQLite file wait for each other', async () => {
  const { Rig } = await import('../testing/pipeline-rig.ts')
  const rig = await Rig.open()
  const other = await openState({ file: rig.stateFile }, { migrate: false })
  try {
    for (let n = 0; n < 5; n++) {
      await rig.state.transaction((trx) => insertMany(trx, 'sqlite', 'rollups', COLUMNS, [rollup(n)]))
      await other.transaction((trx) => insertMany(trx, 'sqlite', 'rollups', COLUMNS, [rollup(100 + n)]))
    }
    expect(await rig.rows('rollups')).toBe(10)
  } finally {
    await other.close()
    await rig.close()
  }
})
