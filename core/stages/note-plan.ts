/** What was sent against a tracking plan is counted per source, event, kind, place and day, with the newest such shape. */
import type { Transaction } from 'kysely'
import type { ExitCode } from '../../schemas/exits.ts'
import type { ViolationKind } from '../../schemas/plan.ts'
import { plannedName } from '../plans/plan.ts'
import { anyPlace } from '../plans/violations.ts'
import { insertMany, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { Batch } from './batch.ts'
import type { Fresh } from './deduplicate.ts'

const DAY_MS = 86_400_000
/** A source that sends made-up names fills no table: what comes after so many kinds of a day is counted as `*`. */
const MOST_PER_DAY = 500
const MOST_NAME = 120

export interface PlanCount {
  readonly source: string
  readonly day: number
  readonly event: string
  readonly kind: ViolationKind
  readonly path: string
  readonly expected: string
  readonly version: number
  events: number
  quarantined: number
  blocked: number
  shape: string
}

export function notePlan({ input: { record } }: Fresh, batch: Batch): void {
  const { event, plan } = record
  if (!plan) return
  const day = Math.floor(batch.now / DAY_MS)
  const name = plannedName(event).slice(0, MOST_NAME)
  if (plan.effect === 'pass') batch.count(`source:${event.source.id}`, 'PLAN_PASSED')
  const shape = JSON.stringify(plan.shape)
  for (const { kind, path, expected } of plan.violations) {
    const place = anyPlace(path).slice(0, 300)
    const key = `${event.source.id}\0${day}\0${name}\0${kind}\0${place}`
    let count = batch.planCounts.get(key)
    if (!count) {
      count = {
        source: event.source.id,
        day,
        event: name,
        kind,
        path: place,
        expected: expected.slice(0, 300),
        version: plan.version,
        events: 0,
        quarantined: 0,
        blocked: 0,
        shape,
      }
      batch.planCounts.set(key, count)
    }
    count.events += 1
    if (plan.effect === 'quarantine') count.quarantined += 1
    if (plan.effect === 'block') count.blocked += 1
    count.shape = shape
  }
}

/** Where an event ends that its plan does not let through. What it says of consent is noted before that. */
export function planExit({ input: { record } }: Fresh): ExitCode | undefined {
  if (record.plan?.effect === 'quarantine') return 'PLAN_VIOLATION'
  return record.plan?.effect === 'block' ? 'PLAN_BLOCKED' : undefined
}

export async function writePlanCounts(trx: Transaction<Tables>, state: StateStore, batch: Batch): Promise<void> {
  if (batch.planCounts.size === 0) return
  const rows = new Map<string, unknown[]>()
  const known = new Map<string, Set<string>>()
  for (const count of batch.planCounts.values()) {
    const group = `${count.source}\0${count.day}`
    let names = known.get(group)
    if (!names) {
      const found = await trx
        .selectFrom('plan_violations')
        .select(['event', 'kind', 'path'])
        .where('source_id', '=', count.source)
        .where('day', '=', count.day)
        .execute()
      names = new Set(found.map(({ event, kind, path }) => `${event}\0${kind}\0${path}`))
      known.set(group, names)
    }
    const name = `${count.event}\0${count.kind}\0${count.path}`
    const fits = names.has(name) || names.size < MOST_PER_DAY
    if (fits) names.add(name)
    const [event, path] = fits ? [count.event, count.path] : ['*', '*']
    const key = `${group}\0${event}\0${count.kind}\0${path}`
    const row = rows.get(key)
    if (row) {
      for (const [place, more] of [
        [7, count.events],
        [8, count.quarantined],
        [9, count.blocked],
      ] as const)
        row[place] = (row[place] as number) + more
      continue
    }
    rows.set(key, [
      count.source,
      count.day,
      event,
      count.kind,
      path,
      fits ? count.expected : '',
      count.version,
      count.events,
      count.quarantined,
      count.blocked,
      batch.now,
      batch.now,
      fits ? count.shape : '{}',
    ])
  }
  await insertMany(
    trx,
    state.dialect,
    'plan_violations',
    [
      'source_id',
      'day',
      'event',
      'kind',
      'path',
      'expected',
      'plan_version',
      'events',
      'quarantined',
      'blocked',
      'first_at',
      'last_at',
      'shape',
    ],
    [...rows.values()],
    `on conflict (source_id, day, event, kind, path) do update set expected = excluded.expected,
      plan_version = excluded.plan_version, events = plan_violations.events + excluded.events,
      quarantined = plan_violations.quarantined + excluded.quarantined,
      blocked = plan_violations.blocked + excluded.blocked, last_at = excluded.last_at, shape = excluded.shape`,
  )
}
