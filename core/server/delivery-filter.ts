/** Deliveries of a filter: one query for the list of the cockpit, the command line and re-drives. */
import type { Db } from '../stores/open.ts'

export interface DeliveryWanted {
  readonly id?: string | undefined
  readonly destination?: string | undefined
  readonly action?: string | undefined
  readonly status?: string | undefined
  /** Exit code. */
  readonly code?: string | undefined
  readonly rule?: string | undefined
  /** Status code of the vendor's last answer. */
  readonly http?: string | undefined
  /** Of their creation, epoch milliseconds. */
  readonly from?: number | undefined
  readonly to?: number | undefined
}

export function filterDeliveries(db: Db, wanted: DeliveryWanted) {
  let query = db.selectFrom('deliveries')
  for (const [word, column] of [
    ['id', 'id'],
    ['destination', 'destination'],
    ['action', 'action'],
    ['status', 'status'],
    ['code', 'reason'],
    ['rule', 'rule'],
  ] as const)
    if (wanted[word]) query = query.where(column, '=', wanted[word])
  if (wanted.http) query = query.where('answer', 'like', httpAnswer(wanted.http))
  if (wanted.from !== undefined) query = query.where('created_at', '>=', wanted.from)
  if (wanted.to !== undefined) query = query.where('created_at', '<', wanted.to)
  return query
}

/** Reasons begin with the status the vendor answered: `HTTP 422 …`. */
const httpAnswer = (status: string): string => `HTTP ${status.replace(/\D/g, '').slice(0, 3)}%`
