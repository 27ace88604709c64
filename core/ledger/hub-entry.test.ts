import { expect, test } from 'vitest'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { hubEntry, idsRoot } from './hub-entry.ts'
import { isShredded, shredNode } from './shred.ts'

onBothDatabases('entries of the hub', (open: OpenRig) => {
  const node = (id: string) => ({
    id,
    person_id: id,
    subject: `s_${id}`,
    device: 0,
    data_key: Buffer.from('data'),
    proof_key: Buffer.from('proof'),
    founded_at: 1,
  })

  test('an act and its entry are one: both, or neither', async () => {
    const { state, now } = await open()
    const act = { type: 'retention.run', at: now, facts: { erased: 3, ground: 'art. 16' } }
    await expect(
      state.transaction(async (trx) => {
        await hubEntry(trx, act)
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await state.db.selectFrom('ledger_pending').select('id').execute()).toEqual([])

    const id = await state.transaction((trx) => hubEntry(trx, act))
    const row = await state.db.selectFrom('ledger_pending').selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({ id, subject: 'hub', node_id: 'hub' })
    expect(JSON.parse(row.public)).toMatchObject({
      type: 'retention.run',
      subject: 'hub',
      erased: 3,
      actor_kind: 'system',
    })
  })

  test('facts may not take the place of the fields of the chain', async () => {
    const { state, now } = await open()
    for (const name of ['seq', 'id', 'subject', 'commit', 'prev_subject_leaf'])
      await expect(hubEntry(state.db, { type: 'x', at: now, facts: { [name]: 1 } })).rejects.toThrow(name)
  })

  test('many ids are named by their number and root, in whatever order they come', () => {
    expect(idsRoot(['b', 'a', 'b'])).toEqual(idsRoot(['a', 'b']))
    expect(idsRoot(['a', 'b']).count).toBe(2)
    expect(idsRoot(['a', 'b']).root).not.toBe(idsRoot(['a', 'c']).root)
  })

  test('destroyed keys are gone from their rows, and the entry names them', async () => {
    const { state, now } = await open()
    await state.db
      .insertInto('nodes')
      .values([node('n1'), node('n2')])
      .execute()
    const entry = await shredNode(state.db, 'n1', 'data', { at: now, reason: 'erasure' })
    const rows = await state.db.selectFrom('nodes').selectAll().orderBy('id').execute()
    expect(rows.map(({ data_key, proof_key }) => [isShredded(data_key), isShredded(proof_key)])).toEqual([
      [true, false],
      [false, false],
    ])
    const pending = await state.db.selectFrom('ledger_pending').selectAll().executeTakeFirstOrThrow()
    expect(pending.id).toBe(entry)
    expect(JSON.parse(pending.public)).toMatchObject({
      type: 'key.destroyed',
      key_ids: ['s_n1.data'],
      reason: 'erasure',
    })

    expect(await shredNode(state.db, 'n1', 'data', { at: now, reason: 'erasure' })).toBeUndefined()
    const both = await shredNode(state.db, 'n1', 'both', { at: now, reason: 'proof_expired' })
    const last = await state.db
      .selectFrom('ledger_pending')
      .select('public')
      .where('id', '=', both!)
      .executeTakeFirstOrThrow()
    expect(JSON.parse(last.public)).toMatchObject({ key_ids: ['s_n1.proof'] })
    expect(await shredNode(state.db, 'nobody', 'both', { at: now, reason: 'erasure' })).toBeUndefined()
  })
})
