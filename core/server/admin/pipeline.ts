/** The strip: how many events came, and where each of them stopped. Read from the minute counts alone. */
import { Exits, Pipeline, RangeQuery, STRIP_STEPS, type StripStep } from '../../../schemas/admin.ts'
import { EXITS, type ExitCode } from '../../../schemas/exits.ts'
import { type Db, sql } from '../../stores/open.ts'
import { timeOf } from './paging.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** More points than this no chart of ours can show. */
const MAX_BUCKETS = 120
const BUCKETS_MS = [1, 2, 5, 10, 15, 30, 60, 180, 360, 720, 1440].map((minutes) => minutes * MINUTE_MS)
/** Minute counts are asked for at most this far apart. */
const MAX_RANGE_MS = 92 * 24 * HOUR_MS

/**
 * What a counted code is shown as. RECEIVED counts every recorded event. HELD waits, RETRY will be sent
 * again, NO_PURPOSE nobody asked for and UNDECLARED is up to the configuration: none of them is a refusal by the person or a failure, so each has its own step.
 */
export function stepOf(origin: string, code: string): StripStep | undefined {
  // What a rule decided shows in the deliveries it made: counted again it would count twice.
  if (origin.startsWith('rule:') || origin.startsWith('shadow:')) return undefined
  // At a destination RECEIVED counts deliveries that were made; how they ended is counted by their exits.
  if (code === 'RECEIVED') return origin.startsWith('source:') ? 'received' : 'created'
  if (code === 'DELIVERED') return 'delivered'
  if (code === 'NO_PURPOSE' || code === 'UNDECLARED') return 'no_purpose'
  if (code === 'HELD') return 'waiting'
  if (code === 'RETRY') return 'retried'
  if (!Object.hasOwn(EXITS, code)) return undefined
  switch (EXITS[code as ExitCode].group) {
    case 'refused':
      return 'refused'
    case 'quarantined':
      return 'quarantined'
    case 'duplicate':
      return 'duplicate'
    case 'consent':
      // Events and deliveries are never added up: one event may make many deliveries.
      return origin.startsWith('destination:') ? 'blocked' : 'consent'
    case 'experiment':
      return 'held_out'
    case 'rule':
      return 'rule'
    case 'failed':
      return 'failed'
    case 'done':
      return undefined
  }
}

interface Counts {
  count: number
  events: number
  deliveries: number
  readonly byOrigin: Map<string, number>
  readonly byCode: Map<string, number>
}

const emptyCounts = (): Counts => ({ count: 0, events: 0, deliveries: 0, byOrigin: new Map(), byCode: new Map() })
const add = (map: Map<string, number>, key: string, count: number) => map.set(key, (map.get(key) ?? 0) + count)

/** `rollups.minute` counts minutes since the epoch; a minute begun is in. */
const minutes = (from: number, to: number) => [Math.floor(from / MINUTE_MS), Math.ceil(to / MINUTE_MS)] as const

async function countSteps(db: Db, from: number, to: number): Promise<Map<StripStep, Counts>> {
  const [first, end] = minutes(from, to)
  const rows = await db
    .selectFrom('rollups')
    .select(({ fn }) => ['origin', 'code', fn.sum<number>('count').as('total')])
    .where('minute', '>=', first)
    .where('minute', '<', end)
    .groupBy(['origin', 'code'])
    .execute()
  const steps = new Map(STRIP_STEPS.map((step) => [step, emptyCounts()]))
  for (const row of rows) {
    const step = stepOf(row.origin, row.code)
    if (!step) continue
    const counts = steps.get(step)!
    const total = Number(row.total)
    counts.count += total
    if (row.origin.startsWith('destination:')) counts.deliveries += total
    else counts.events += total
    add(counts.byOrigin, row.origin, total)
    add(counts.byCode, row.code, total)
  }
  return steps
}

/** The first minute counted at all: before it there is no data, which is not the same as zero. */
async function firstMinute(db: Db): Promise<number | undefined> {
  const row = await db
    .selectFrom('rollups')
    .select(({ fn }) => fn.min('minute').as('first'))
    .executeTakeFirst()
  return row?.first === null || row?.first === undefined ? undefined : Number(row.first) * MINUTE_MS
}

export async function readPipeline(db: Db, from: number, to: number, now: number): Promise<Pipeline> {
  const length = to - from
  const [steps, previous, first] = [
    await countSteps(db, from, to),
    await countSteps(db, from - length, Math.floor(from / MINUTE_MS) * MINUTE_MS),
    await firstMinute(db),
  ]
  const comparable = first !== undefined && first <= from - length

  const { bucketMs, at } = bucketsOf(from, to)
  const start = at[0]!
  const bucketOf = sql<number>`(minute - ${sql.lit(start / MINUTE_MS)}) / ${sql.lit(bucketMs / MINUTE_MS)}`
  const rows = await db
    .selectFrom('rollups')
    .select(({ fn }) => [bucketOf.as('bucket'), 'origin', 'code', fn.sum<number>('count').as('total')])
    .where('minute', '>=', start / MINUTE_MS)
    .where('minute', '<', Math.ceil(to / MINUTE_MS))
    .groupBy([bucketOf, 'origin', 'code'])
    .execute()
  const line = () =>
    at.map((time) => (first === undefined || time + bucketMs <= first || time > now ? null : 0)) as (number | null)[]
  const lines: Record<string, (number | null)[]> = Object.fromEntries(STRIP_STEPS.map((step) => [step, line()]))
  const sources: Record<string, (number | null)[]> = {}
  for (const row of rows) {
    const step = stepOf(row.origin, row.code)
    if (!step) continue
    const bucket = Number(row.bucket)
    lines[step]![bucket] = (lines[step]![bucket] ?? 0) + Number(row.total)
    if (step !== 'received' || !row.origin.startsWith('source:')) continue
    const id = row.origin.slice('source:'.length)
    sources[id] ??= line()
    sources[id][bucket] = (sources[id][bucket] ?? 0) + Number(row.total)
  }

  const sorted = (map: Map<string, number>) => [...map].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  return {
    from,
    to,
    asOf: now,
    bucketMs,
    steps: STRIP_STEPS.map((step) => {
      const counts = steps.get(step)!
      return {
        step,
        count: counts.count,
        previous: comparable ? previous.get(step)!.count : null,
        events: counts.events,
        deliveries: counts.deliveries,
        byOrigin: sorted(counts.byOrigin).map(([origin, count]) => ({ origin, count })),
        byCode: sorted(counts.byCode).map(([code, count]) => ({ code, count })),
      }
    }),
    series: { at, steps: lines, sources },
  }
}

/** Epoch milliseconds. @throws Refusal */
export function checkRange(from: number, to: number): void {
  if (from >= to) throw new Refusal(400, 'INVALID', '"from" must be before "to".', { path: '/from' })
  if (to - from > MAX_RANGE_MS)
    throw new Refusal(400, 'INVALID', 'The range is longer than 92 days. Ask for a shorter one.', { path: '/from' })
}

/** Buckets that divide a range into at most as many points as a chart can show. */
export function bucketsOf(from: number, to: number): { bucketMs: number; at: number[] } {
  const bucketMs = BUCKETS_MS.find((size) => (to - from) / size <= MAX_BUCKETS) ?? BUCKETS_MS.at(-1)!
  const at: number[] = []
  for (let time = Math.floor(from / bucketMs) * bucketMs; time < to; time += bucketMs) at.push(time)
  return { bucketMs, at }
}

export const pipelineRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/pipeline',
    operationId: 'getPipeline',
    tag: 'Overview',
    summary:
      'The strip received → quarantined → blocked by consent → held out → delivered → failed, with its parts. The last hour when no range is given.',
    permission: 'overview.read',
    query: RangeQuery,
    answer: Pipeline,
    handle: async ({ context, query, now }) => {
      const to = timeOf(query.to, now)
      const from = timeOf(query.from, to - HOUR_MS)
      checkRange(from, to)
      return readPipeline(context.state.db, from, to, now)
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/exits',
    operationId: 'listExits',
    tag: 'Overview',
    summary: 'Every exit an event or a delivery can take, in both languages, with what to do.',
    permission: 'session',
    answer: Exits,
    handle: async () => ({ items: Object.entries(EXITS).map(([code, exit]) => ({ code, ...exit })) }),
  }),
]
