/** What a rule has waiting in the outbox when it is paused, resumed or stopped. */
import type { Transaction } from 'kysely'
import { LATE_START_MS } from '../decision/ruleset.ts'
import { writeRollups } from '../stages/commit.ts'
import { HELD, unpark } from '../stages/lease.ts'
import { type StateStore, sql } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { releaseReservations } from './budgets.ts'
import { isAll } from './publish.ts'

type Store = Pick<StateStore, 'db' | 'dialect'>
const trxOf = (state: Store) => state.db as unknown as Transaction<Tables>
const WAITING = ['queued', 'retry'] as const

/** Held until the rule is resumed; lanes go on without them. @returns how many. */
export async function holdWaiting(rule: string, state: Store, now: number): Promise<number> {
  const rows = await state.db
    .updateTable('deliveries')
    .set({ due_at: HELD, reason: 'PAUSED' })
    .where('settled_at', 'is', null)
    .where('rule', 'is not', null)
    .where('status', 'in', WAITING)
    .where('due_at', '<>', HELD)
    .$if(!isAll(rule), (query) => query.where('rule', '=', rule))
    .returning(['person_id', 'destination', 'kind'])
    .execute()
  await unpark(trxOf(state), state.dialect, rows, now)
  return rows.length
}

/**
 * Due again, and asked everything once more: consent, expiry, goal. Over are a value that a newer one has replaced since,
 * and what waited longer than a day without saying how long it is worth it. @returns how many go on.
 */
export async function releaseWaiting(rule: string, state: Store, now: number): Promise<number> {
  const { db } = state
  // Those of a rule that stays stopped for another reason are not touched.
  const switches = await db.selectFrom('rule_switches').select('rule').execute()
  if (switches.some((row) => isAll(row.rule))) return 0
  const stopped = switches.map((row) => row.rule)
  const held = () =>
    db
      .selectFrom('deliveries')
      .select('id')
      .where('settled_at', 'is', null)
      .where('due_at', '=', HELD)
      .where('rule', 'is not', null)
      .$if(!isAll(rule), (query) => query.where('rule', '=', rule))
      .$if(stopped.length > 0, (query) => query.where('rule', 'not in', stopped))
  await db
    .updateTable('deliveries')
    .set({ status: 'superseded', reason: 'SUPERSEDED', settled_at: now })
    .where('id', 'in', held())
    .where('kind', '=', 'state')
    .where(
      sql<boolean>`exists (select 1 from deliveries as newer where newer.person_id = deliveries.person_id
        and newer.destination = deliveries.destination and newer.action = deliveries.action and newer.ord > deliveries.ord
        and newer.status = 'delivered')`,
    )
    .execute()
  const stale = await db
    .updateTable('deliveries')
    .set({ status: 'cancelled', reason: 'EXPIRED', settled_at: now })
    .where('id', 'in', held())
    .where('expires_at', 'is', null)
    .where('created_at', '<', now - LATE_START_MS)
    .returning('id')
    .execute()
  await releaseReservations(
    trxOf(state),
    stale.map(({ id }) => id),
  )
  const due = await db
    .updateTable('deliveries')
    .set({ due_at: now, reason: null })
    .where('id', 'in', held())
    .returning('id')
    .execute()
  return due.length
}

/** Settled as cancelled; what they had taken of caps and budgets is given back. @returns how many. */
export async function cancelWaiting(rule: string, state: Store, now: number): Promise<number> {
  const rows = await state.db
    .updateTable('deliveries')
    .set({ status: 'cancelled', reason: 'KILLED', settled_at: now })
    .where('settled_at', 'is', null)
    .where('rule', 'is not', null)
    .where('status', 'in', WAITING)
    .$if(!isAll(rule), (query) => query.where('rule', '=', rule))
    .returning(['id', 'person_id', 'destination', 'kind'])
    .execute()
  await releaseReservations(
    trxOf(state),
    rows.map(({ id }) => id),
  )
  await unpark(trxOf(state), state.dialect, rows, now)
  const counts = new Map<string, number>()
  for (const { destination } of rows) {
    const key = `${Math.floor(now / 60_000)}\0destination:${destination}\0KILLED`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  await writeRollups(trxOf(state), state.dialect, counts)
  return rows.length
}
