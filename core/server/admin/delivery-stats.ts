/** How deliveries ended over time, per destination: from the minute counts; what waits or is dead now: from the rows. */
import { DELIVERY_OUTCOMES, type DeliveryOutcome, type DeliveryStats } from '../../../schemas/deliveries.ts'
import { EXITS, type ExitCode } from '../../../schemas/exits.ts'
import { type Db, sql } from '../../stores/open.ts'
import { bucketsOf } from './pipeline.ts'

const MINUTE_MS = 60_000
/** A lane of events moves on without a row that has waited so long. */
const LATE_MS = 60_000

/** What an exit of a delivery is added up as; undefined for what merely waits. */
export function outcomeOf(code: string): DeliveryOutcome | undefined {
  if (code === 'DELIVERED') return 'delivered'
  if (code === 'RETRY') return 'retried'
  if (code === 'UNCERTAIN') return 'uncertain'
  // A credential that is refused is tried again until somebody mends it or the delivery is too old.
  if (code === 'AUTHENTICATION') return 'failed'
  if (code === 'SUPERSEDED' || code === 'EXPIRED' || code === 'GOAL_REACHED' || code === 'GRANTED_AGAIN')
    return 'cancelled'
  if (!Object.hasOwn(EXITS, code)) return undefined
  const { group } = EXITS[code as ExitCode]
  if (group === 'consent') return 'blocked'
  if (group === 'experiment') return 'held_out'
  if (group === 'failed') return code === 'WAITING' ? undefined : 'failed'
  return undefined
}

export async function readDeliveryStats(
  db: Db,
  asked: { readonly destinations: readonly string[]; readonly from: number; readonly to: number; readonly now: number },
): Promise<DeliveryStats> {
  const { destinations, from, to, now } = asked
  const { bucketMs, at } = bucketsOf(from, to)
  const empty = () => Object.fromEntries(DELIVERY_OUTCOMES.map((name) => [name, 0])) as Record<DeliveryOutcome, number>
  const items = new Map(
    destinations.map((destination) => [
      destination,
      {
        destination,
        created: 0,
        outcomes: empty(),
        reasons: new Map<string, number>(),
        waiting: 0,
        late: 0,
        oldestAt: null as number | null,
        dead: 0,
        uncertain: 0,
        series: at.map(empty),
      },
    ]),
  )
  const origins = destinations.map((id) => `destination:${id}`)
  if (origins.length === 0) return { from, to, bucketMs, at, items: [] }
  const start = at[0]!
  const bucketOf = sql<number>`(minute - ${sql.lit(start / MINUTE_MS)}) / ${sql.lit(bucketMs / MINUTE_MS)}`
  const rows = await db
    .selectFrom('rollups')
    .select(({ fn }) => [bucketOf.as('bucket'), 'origin', 'code', fn.sum<number>('count').as('total')])
    .where('origin', 'in', origins)
    .where('minute', '>=', Math.floor(from / MINUTE_MS))
    .where('minute', '<', Math.ceil(to / MINUTE_MS))
    .groupBy([bucketOf, 'origin', 'code'])
    .execute()
  for (const { bucket, origin, code, total } of rows) {
    const item = items.get(origin.slice('destination:'.length))!
    const count = Number(total)
    if (code === 'RECEIVED') item.created += count
    const outcome = outcomeOf(code)
    if (!outcome) continue
    item.outcomes[outcome] += count
    if (code !== 'DELIVERED') item.reasons.set(code, (item.reasons.get(code) ?? 0) + count)
    const place = item.series[Number(bucket)]
    if (place) place[outcome] += count
  }
  const open = await db
    .selectFrom('deliveries')
    .select(({ fn }) => ['destination', fn.countAll<number>().as('waiting'), fn.min('created_at').as('oldest')])
    .where('destination', 'in', destinations)
    .where('settled_at', 'is', null)
    .groupBy('destination')
    .execute()
  for (const { destination, waiting, oldest } of open) {
    const item = items.get(destination)!
    item.waiting = Number(waiting)
    item.oldestAt = oldest === null ? null : Number(oldest)
  }
  const late = await db
    .selectFrom('deliveries')
    .select(({ fn }) => ['destination', fn.countAll<number>().as('late')])
    .where('destination', 'in', destinations)
    .where('settled_at', 'is', null)
    .where('kind', '=', 'event')
    .where('created_at', '<', now - LATE_MS)
    .groupBy('destination')
    .execute()
  for (const row of late) items.get(row.destination)!.late = Number(row.late)
  const letters = await db
    .selectFrom('deliveries')
    .select(({ fn }) => ['destination', 'status', fn.countAll<number>().as('count')])
    .where('destination', 'in', destinations)
    .where('status', 'in', ['dead', 'uncertain'])
    .groupBy(['destination', 'status'])
    .execute()
  for (const { destination, status, count } of letters)
    items.get(destination)![status as 'dead' | 'uncertain'] = Number(count)
  return {
    from,
    to,
    bucketMs,
    at,
    items: [...items.values()].map((item) => ({
      ...item,
      reasons: [...item.reasons].sort((a, b) => b[1] - a[1]).map(([code, count]) => ({ code, count })),
    })),
  }
}
