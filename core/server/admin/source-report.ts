/** What one source sent over a time: read from counts; nothing of it names a person. */
import { loadPurposes } from '../../../consent/purposes.ts'
import type { Config } from '../../../schemas/config.ts'
import { EXITS, type ExitCode } from '../../../schemas/exits.ts'
import { SKEW_STEPS, type SourceReport } from '../../../schemas/sources.ts'
import { readGaps } from '../../answers/gaps.ts'
import { readViolations } from '../../plans/report.ts'
import { type Db, sql } from '../../stores/open.ts'
import type { LiveEvent } from '../context.ts'
import { bucketsOf } from './pipeline.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const MOST_NEWEST = 20
const MOST_VIOLATIONS = 50

export interface SourceQuestion {
  readonly config: Config
  readonly source: string
  readonly from: number
  readonly to: number
  /** What the live view still has, newest last. */
  readonly recent: readonly LiveEvent[]
}

export async function readSourceReport(
  db: Db,
  { config, source, from, to, recent }: SourceQuestion,
): Promise<SourceReport> {
  const counts = await countsOf(db, `source:${source}`, from, to)
  const count = (code: string) => counts.get(code) ?? 0
  const inGroup = (group: string, but: readonly string[] = []) =>
    [...counts]
      .filter(([code]) => Object.hasOwn(EXITS, code) && EXITS[code as ExitCode].group === group && !but.includes(code))
      .map(([code, total]) => ({ code, count: total }))
      .sort((a, b) => b.count - a.count)
  const skew = await countsOf(db, `skew:${source}`, from, to)
  const violations = await readViolations(db, { source, from, to })
  const version = await db
    .selectFrom('plan_versions')
    .select(({ fn }) => fn.max('version').as('version'))
    .where('source_id', '=', source)
    .executeTakeFirst()
  return {
    source,
    connector: config.sources[source]?.connector ?? source,
    from,
    to,
    received: count('RECEIVED'),
    kept: count('KEPT'),
    duplicates: count('DUPLICATE'),
    echoes: count('ECHO'),
    copies: count('COPY'),
    held: count('HELD'),
    dropped: [...inGroup('consent', ['HELD']), ...inGroup('refused')].sort((a, b) => b.count - a.count),
    quarantined: inGroup('quarantined'),
    waiting: await waitingIn(db, source),
    skew: SKEW_STEPS.map(({ id }) => ({ step: id, count: skew.get(id) ?? 0 })),
    consent: await consentOf(db, config, source, from, to),
    plan: {
      version: config.sources[source]?.plan === undefined ? null : (version?.version ?? null),
      passed: count('PLAN_PASSED'),
      quarantined: count('PLAN_VIOLATION'),
      blocked: count('PLAN_BLOCKED'),
      violations: violations.slice(0, MOST_VIOLATIONS),
    },
    newest: await newestOf(db, source, recent),
    series: await seriesOf(db, `source:${source}`, from, to),
  }
}

async function countsOf(db: Db, origin: string, from: number, to: number): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('rollups')
    .select(({ fn }) => ['code', fn.sum<number>('count').as('total')])
    .where('origin', '=', origin)
    .where('minute', '>=', Math.floor(from / MINUTE_MS))
    .where('minute', '<', Math.ceil(to / MINUTE_MS))
    .groupBy('code')
    .execute()
  return new Map(rows.map(({ code, total }) => [code, Number(total)]))
}

async function waitingIn(db: Db, source: string): Promise<SourceReport['waiting']> {
  const rows = await db
    .selectFrom('quarantine')
    .select(({ fn }) => ['code', 'path', fn.countAll<number>().as('count')])
    .where('source_id', '=', source)
    .where('status', '=', 'open')
    .groupBy(['code', 'path'])
    .execute()
  return rows
    .map(({ code, path, count }) => ({ code, path, count: Number(count) }))
    .sort((a, b) => b.count - a.count)
    .slice(0, 30)
}

/** Whole days, as the gaps are counted. */
async function consentOf(
  db: Db,
  config: Config,
  source: string,
  from: number,
  to: number,
): Promise<SourceReport['consent']> {
  const purposes = loadPurposes(config)
  const first = Math.floor(from / DAY_MS) * DAY_MS
  const end = Math.ceil(to / DAY_MS) * DAY_MS
  const wanted = await countsOf(db, `wanted:${source}`, first, end)
  const gaps = await readGaps(db, { purposes, config, from: first, to: end, source })
  return purposes.all
    .filter(({ id, basis }) => basis === 'consent' && (wanted.get(id) ?? 0) > 0)
    .map(({ id, title }) => {
      const own = gaps.items.filter(({ purpose }) => purpose === id)
      const unanswered = own.reduce((sum, { events }) => sum + events, 0)
      const all = Math.max(wanted.get(id)!, unanswered)
      return {
        purpose: id,
        title: { pt: title.pt, en: title.en },
        wanted: all,
        answered: all - unanswered,
        gaps: own
          .sort((a, b) => b.events - a.events)
          .map(({ reason, events, sentence, remedy }) => ({ reason, events, sentence, remedy })),
      }
    })
    .sort((a, b) => a.answered / a.wanted - b.answered / b.wanted)
}

/** What the live view has, whatever became of it; before that, what was kept. */
async function newestOf(db: Db, source: string, recent: readonly LiveEvent[]): Promise<SourceReport['newest']> {
  const live = recent
    .filter(({ kind, origin }) => kind === 'event' && origin === source)
    .slice(-MOST_NEWEST)
    .reverse()
    .map(({ id, at, type, name, code }) => ({ id, at, type, name, code }))
  if (live.length >= MOST_NEWEST) return live
  const known = new Set(live.map(({ id }) => id))
  const kept = await db
    .selectFrom('history')
    .select(['id', 'type', 'name', 'received_at'])
    .where('source_id', '=', source)
    .orderBy('occurred_at', 'desc')
    .limit(MOST_NEWEST)
    .execute()
  return [
    ...live,
    ...kept
      .filter(({ id }) => !known.has(id))
      .map(({ id, type, name, received_at }) => ({ id, at: Number(received_at), type, name, code: 'KEPT' })),
  ].slice(0, MOST_NEWEST)
}

async function seriesOf(db: Db, origin: string, from: number, to: number): Promise<SourceReport['series']> {
  const { bucketMs, at } = bucketsOf(from, to)
  const bucketOf = sql<number>`(minute - ${sql.lit(at[0]! / MINUTE_MS)}) / ${sql.lit(bucketMs / MINUTE_MS)}`
  const rows = await db
    .selectFrom('rollups')
    .select(({ fn }) => [bucketOf.as('bucket'), 'code', fn.sum<number>('count').as('total')])
    .where('origin', '=', origin)
    .where('minute', '>=', at[0]! / MINUTE_MS)
    .where('minute', '<', Math.ceil(to / MINUTE_MS))
    .groupBy([bucketOf, 'code'])
    .execute()
  const received = at.map(() => 0)
  const wrong = at.map(() => 0)
  for (const { bucket, code, total } of rows) {
    const place = Number(bucket)
    if (code === 'RECEIVED') received[place] = (received[place] ?? 0) + Number(total)
    else if (code === 'PLAN_BLOCKED' || (Object.hasOwn(EXITS, code) && EXITS[code as ExitCode].group === 'quarantined'))
      wrong[place] = (wrong[place] ?? 0) + Number(total)
  }
  return { bucketMs, at, received, wrong }
}
