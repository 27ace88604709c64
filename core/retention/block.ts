/** Blocking (LGPD art. 5 XIII): kept, and out of reach of every rule, report, backtest and delivery. */
import { chunks, type Db } from '../stores/open.ts'

export async function blockHistory(ids: readonly string[], policyId: string, now: number, db: Db): Promise<void> {
  for (const part of chunks(ids)) {
    const rows = await db.selectFrom('history').selectAll().where('id', 'in', part).execute()
    for (const { sealed, ...open } of rows)
      await db
        .insertInto('blocked')
        .values({
          id: open.id,
          class: 'history',
          node_id: open.node_id,
          body: JSON.stringify(open),
          sealed,
          at: now,
          policy_id: policyId,
        })
        .execute()
    await db.deleteFrom('history').where('id', 'in', part).execute()
  }
}
