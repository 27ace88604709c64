/** What was counted against plans, read back; and the history a first plan is made from. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { CountedViolation } from '../../schemas/plan.ts'
import type { Keys } from '../keys.ts'
import { unsealJson } from '../seal.ts'
import type { SealedEvent } from '../stages/apply.ts'
import { eventOf } from '../stages/load.ts'
import type { Db } from '../stores/open.ts'
import { typeAt } from './shape.ts'

const DAY_MS = 86_400_000
const PAGE = 500

export interface ViolationFilter {
  readonly source?: string | undefined
  readonly event?: string | undefined
  /** Epoch milliseconds; whole days count. */
  readonly from: number
  readonly to: number
}

/** Most frequent first. */
export async function readViolations(
  db: Db,
  { source, event, from, to }: ViolationFilter,
): Promise<CountedViolation[]> {
  let query = db
    .selectFrom('plan_violations')
    .selectAll()
    .where('day', '>=', Math.floor(from / DAY_MS))
    .where('day', '<=', Math.floor((to - 1) / DAY_MS))
  if (source !== undefined) query = query.where('source_id', '=', source)
  if (event !== undefined) query = query.where('event', '=', event)
  const groups = new Map<string, CountedViolation>()
  for (const row of await query.orderBy('day').execute()) {
    const key = `${row.source_id}\0${row.event}\0${row.kind}\0${row.path}`
    const known = groups.get(key)
    const more = {
      events: Number(row.events),
      quarantined: Number(row.quarantined),
      blocked: Number(row.blocked),
    }
    const events = (known?.events ?? 0) + more.events
    const quarantined = (known?.quarantined ?? 0) + more.quarantined
    const blocked = (known?.blocked ?? 0) + more.blocked
    const shape = JSON.parse(row.shape) as unknown
    const got = row.kind === 'type' ? typeAt(shape, row.path) : undefined
    groups.set(key, {
      source: row.source_id,
      event: row.event,
      kind: row.kind as CountedViolation['kind'],
      path: row.path,
      expected: row.expected,
      ...(got !== undefined && { got }),
      version: row.plan_version,
      events,
      passed: events - quarantined - blocked,
      quarantined,
      blocked,
      firstAt: known?.firstAt ?? Number(row.first_at),
      lastAt: Number(row.last_at),
      shape,
    })
  }
  return [...groups.values()].sort((a, b) => b.events - a.events || (a.path < b.path ? -1 : 1))
}

/** Kept events of a source, as they were kept, oldest first. Those of erased people are gone. */
export async function* keptEvents(
  db: Db,
  keys: Keys,
  { source, from, most }: { readonly source: string; readonly from: number; readonly most: number },
): AsyncGenerator<{ readonly event: CanonicalEvent; readonly who: string }> {
  let [after, last] = [from, '']
  for (let taken = 0; taken < most; ) {
    const rows = await db
      .selectFrom('history')
      .innerJoin('nodes', 'nodes.id', 'history.node_id')
      .selectAll('history')
      .select(['nodes.data_key', 'nodes.person_id'])
      .where('history.source_id', '=', source)
      .where((eb) =>
        eb.or([
          eb('history.occurred_at', '>', after),
          eb.and([eb('history.occurred_at', '=', after), eb('history.id', '>', last)]),
        ]),
      )
      .orderBy('history.occurred_at')
      .orderBy('history.id')
      .limit(PAGE)
      .execute()
    for (const row of rows) {
      taken += 1
      const sealed = unsealJson<SealedEvent>(keys.unwrap(row.data_key), row.sealed)
      yield { event: eventOf(row, sealed), who: row.person_id }
    }
    if (rows.length < PAGE) return
    ;[after, last] = [Number(rows.at(-1)!.occurred_at), rows.at(-1)!.id]
  }
}
