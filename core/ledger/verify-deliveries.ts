/** Settled deliveries against the roots that were taken of them. */
import { rootOf, textLeafHash } from '../../consent/ledger/merkle.ts'
import { chunks, type Db } from '../stores/open.ts'
import { type DeliveryRecord, RECORD_COLUMNS, recordText } from './deliveries.ts'
import type { Findings } from './findings.ts'
import { idsRoot } from './hub-entry.ts'

const PAGE = 2_000

/**
 * @param roots deliveries.root entries by id.
 * @param acts entries that name deliveries they deleted, reopened or changed, by id.
 * @returns how many records were compared.
 */
export async function verifyDeliveries(
  db: Db,
  roots: ReadonlyMap<string, { readonly count: number; readonly root: string; readonly seq: number }>,
  acts: ReadonlyMap<string, { readonly count: number; readonly root: string }>,
  findings: Findings,
): Promise<number> {
  const ended = new Map<string, string[]>()
  let compared = 0
  for (const part of chunks([...roots.keys()], PAGE / 10)) {
    const records = await db
      .selectFrom('ledger_deliveries')
      .selectAll()
      .where('entry_id', 'in', part)
      .orderBy('entry_id')
      .orderBy('n')
      .execute()
    const byEntry = Map.groupBy(records, ({ entry_id }) => entry_id)
    for (const id of part) {
      const { count, root, seq } = roots.get(id)!
      const own = byEntry.get(id) ?? []
      if (own.length !== count || rootOf(own.map(({ leaf }) => leaf)).toString('hex') !== root)
        findings.add('DELIVERIES_ROOT_WRONG', id, seq)
    }
    compared += records.length
    const rows = await rowsOf(
      db,
      records.map(({ delivery_id }) => delivery_id),
    )
    for (const record of records) {
      if (record.ended_by !== null) {
        const ids = ended.get(record.ended_by)
        if (ids) ids.push(record.delivery_id)
        else ended.set(record.ended_by, [record.delivery_id])
        continue
      }
      const row = rows.get(record.delivery_id)
      if (!row) findings.add('DELIVERY_DELETED', record.delivery_id)
      else if (!textLeafHash(recordText(row)).equals(record.leaf)) findings.add('DELIVERY_ALTERED', record.delivery_id)
    }
  }
  // Who only marks a record as ended must show an entry that names exactly those ids.
  for (const [entryId, ids] of ended) {
    const named = acts.get(entryId)
    const { count, root } = idsRoot(ids)
    if (named?.count !== count || named.root !== root) for (const id of ids) findings.add('DELIVERY_ALTERED', id)
  }
  await verifyUnrecorded(db, roots, findings)
  await verifySupport(db, findings)
  return compared
}

async function rowsOf(db: Db, ids: readonly string[]): Promise<Map<string, DeliveryRecord>> {
  const found = new Map<string, DeliveryRecord>()
  for (const part of chunks([...new Set(ids)])) {
    const rows = await db.selectFrom('deliveries').select(RECORD_COLUMNS).where('id', 'in', part).execute()
    for (const row of rows) found.set(row.id, row)
  }
  return found
}

/** Rows that claim to be in a root, and are in none. */
async function verifyUnrecorded(db: Db, roots: ReadonlyMap<string, unknown>, findings: Findings): Promise<void> {
  const rows = await db
    .selectFrom('deliveries')
    .leftJoin('ledger_deliveries', (join) =>
      join
        .onRef('ledger_deliveries.delivery_id', '=', 'deliveries.id')
        .onRef('ledger_deliveries.entry_id', '=', 'deliveries.rooted'),
    )
    .select(['deliveries.id', 'deliveries.rooted'])
    .where('deliveries.rooted', 'is not', null)
    .where('ledger_deliveries.n', 'is', null)
    .execute()
  for (const { id } of rows) findings.add('DELIVERY_INSERTED', id)
  const strange = await db.selectFrom('ledger_deliveries').select('entry_id').distinct().execute()
  for (const { entry_id } of strange)
    if (!roots.has(entry_id) && !(await isPending(db, entry_id))) findings.add('DELIVERIES_ROOT_WRONG', entry_id)
}

async function isPending(db: Db, id: string): Promise<boolean> {
  return (await db.selectFrom('ledger_pending').select('id').where('id', '=', id).executeTakeFirst()) !== undefined
}

/** What was delivered must name an entry that exists. */
async function verifySupport(db: Db, findings: Findings): Promise<void> {
  const rows = await db
    .selectFrom('deliveries')
    .leftJoin('ledger_entries', 'ledger_entries.id', 'deliveries.entry_id')
    .leftJoin('ledger_pending', 'ledger_pending.id', 'deliveries.entry_id')
    .select('deliveries.id')
    .where('deliveries.settled_at', 'is not', null)
    .where('deliveries.entry_id', 'is not', null)
    .where('ledger_entries.id', 'is', null)
    .where('ledger_pending.id', 'is', null)
    .execute()
  for (const { id } of rows) findings.add('DELIVERY_UNSUPPORTED', id)
}
