/**
 * Settled deliveries in the ledger: each round of the sequencer writes one `deliveries.root` entry, the
 * Merkle root over what it found newly settled, whoever settled it. A row that is deleted or altered afterwards no
 * longer fits its leaf.
 */
import { canonicalText } from '../../consent/ledger/canonical.ts'
import { rootOf, textLeafHash } from '../../consent/ledger/merkle.ts'
import { chunks, type Db, insertMany, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { hubEntry } from './hub-entry.ts'

/** What of a settled row never changes again. No payload and no answer: those have clocks of their own. */
export const RECORD_COLUMNS = [
  'id',
  'destination',
  'action',
  'kind',
  'node_id',
  'purpose',
  'channel',
  'rule',
  'rule_version',
  'arm',
  'event_id',
  'status',
  'reason',
  'entry_id',
  'attempt',
  'created_at',
  'settled_at',
] as const
export type DeliveryRecord = Pick<Tables['deliveries'], (typeof RECORD_COLUMNS)[number]>

/** The bytes of the leaf: RFC 8785 over the record's columns. */
export function recordText(row: DeliveryRecord): string {
  return canonicalText(Object.fromEntries(RECORD_COLUMNS.map((name) => [name, row[name]])))
}

/** @returns how many rows were taken up. In the caller's transaction. */
export async function rootDeliveries(
  db: Db,
  dialect: StateStore['dialect'],
  now: number,
  limit: number,
): Promise<number> {
  const rows = await db
    .selectFrom('deliveries')
    .select(RECORD_COLUMNS)
    .where('settled_at', 'is not', null)
    .where('rooted', 'is', null)
    .orderBy('settled_at')
    .limit(limit)
    .execute()
  if (rows.length === 0) return 0
  const leaves = rows.map((row) => textLeafHash(recordText(row)))
  const id = await hubEntry(db, {
    type: 'deliveries.root',
    at: now,
    facts: { count: rows.length, root: rootOf(leaves).toString('hex') },
  })
  await insertMany(
    db,
    dialect,
    'ledger_deliveries',
    ['entry_id', 'n', 'delivery_id', 'leaf', 'ended_by'],
    rows.map((row, n) => [id, n, row.id, leaves[n], null]),
  )
  for (const part of chunks(rows))
    await db
      .updateTable('deliveries')
      .set({ rooted: id })
      .where(
        'id',
        'in',
        part.map((row) => row.id),
      )
      .execute()
  return rows.length
}
