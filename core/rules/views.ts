import { stringify } from 'yaml'
import type { Rule } from '../../schemas/rule.ts'
import type {
  RuleCounts,
  RuleDetail,
  RuleList,
  RuleLogLine,
  RuleSlot,
  RuleSummary,
  RuleSwitch,
  RuleVersionView,
  ShadowComparison,
} from '../../schemas/rules.ts'
import { budgetLimits } from '../decision/budget.ts'
import { ALL_RULES, versionOrigin } from '../decision/rollout.ts'
import { nextSlot, parseSchedule, scheduleWords } from '../decision/schedule.ts'
import { decidedSince } from '../explain/stored.ts'
import type { Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { readStages, type StageRow } from './book.ts'

export const COUNTED_DAYS = 7
const DAY_MS = 86_400_000
/** Decisions of a shadow that the overlap with other rules is counted in. */
const EXAMINED = 2_000
const LOG_LINES = 200

export interface ViewOptions {
  readonly now: number
  /** IANA name of the organisation. */
  readonly timezone: string
}

type VersionRow = Tables['rule_versions']
type Counted = ReadonlyMap<string, ReadonlyMap<string, number>>

export async function listRules(db: Db, options: ViewOptions): Promise<RuleList> {
  const versions = await db.selectFrom('rule_versions').selectAll().orderBy('rule').orderBy('version', 'desc').execute()
  const stages = await readStages(db)
  const switches = await readSwitchViews(db)
  const counted = await readCounts(db, versions, options.now)
  const names = await actorNames(db)
  const budgets = await db.selectFrom('rule_budgets').selectAll().execute()
  const slots = await db.selectFrom('rule_slots').selectAll().orderBy('slot', 'desc').limit(1000).execute()
  const newest = versions.filter((row, index) => versions[index - 1]?.rule !== row.rule)
  return {
    items: newest.map((row) =>
      summaryOf(
        row,
        versions.filter(({ rule }) => rule === row.rule),
        stages.filter(({ rule }) => rule === row.rule),
        { switches, counted, budgets, slots, names },
        options,
      ),
    ),
    all: named(switches.get(ALL_RULES) ?? RUNNING, names),
    days: COUNTED_DAYS,
  }
}

interface Around {
  readonly switches: ReadonlyMap<string, RuleSwitch>
  readonly counted: Counted
  readonly budgets: readonly Tables['rule_budgets'][]
  readonly slots: readonly Tables['rule_slots'][]
  readonly names: ReadonlyMap<string, string>
}

function summaryOf(
  row: VersionRow,
  versions: readonly VersionRow[],
  stages: readonly StageRow[],
  { switches, counted, budgets, slots, names }: Around,
  { now, timezone }: ViewOptions,
): RuleSummary {
  const body = JSON.parse(row.body) as Partial<Rule>
  const standing = (found: StageRow | undefined) =>
    found ? { version: found.version, stage: found.stage, share: found.share, since: found.since } : null
  const live = stages.find(({ stage, share }) => stage === 'live' && share >= 1)
  const trial = stages.find(({ stage, share }) => stage === 'test' || (stage === 'live' && share < 1))
  const acting = live ?? trial
  const text = versions.find(({ version }) => version === (acting?.version ?? row.version)) ?? row
  const rule = JSON.parse(text.body) as Partial<Rule>
  return {
    id: row.rule,
    version: row.version,
    title: body.title ?? null,
    hash: row.hash,
    loadedAt: row.loaded_at,
    body,
    purpose: rule.unless?.purpose ?? null,
    live: standing(live),
    trial: standing(trial),
    shadow: standing(stages.find(({ stage }) => stage === 'shadow')),
    switch: named(switches.get(row.rule) ?? RUNNING, names),
    priority: rule.priority ?? 0,
    group: rule.group?.id ?? null,
    budget: budgetLimits(rule, new Date(now).toISOString(), timezone).map(({ kind, period, bucket, max }) => ({
      kind,
      period,
      max,
      used: Number(budgets.find((used) => used.rule === row.rule && used.bucket === bucket)?.used ?? 0),
    })),
    schedule: scheduleOf(rule, slots, row.rule, { now, timezone }),
    counts: countsOf(
      versions.map(({ version }) => versionOrigin(row.rule, version)),
      counted,
    ),
  }
}

function scheduleOf(
  rule: Partial<Rule>,
  slots: readonly Tables['rule_slots'][],
  id: string,
  { now, timezone }: ViewOptions,
): RuleSummary['schedule'] {
  const written = rule.when && 'schedule' in rule.when ? rule.when.schedule : undefined
  if (written === undefined) return null
  const schedule = parseSchedule(written, timezone)
  const last = slots.find((slot) => slot.rule === id)
  return {
    text: scheduleWords(written),
    next: nextSlot(schedule, now) ?? null,
    last: last ? Number(last.slot) : null,
    state: last?.state ?? null,
  }
}

export async function ruleDetail(id: string, db: Db, options: ViewOptions): Promise<RuleDetail | undefined> {
  const rule = (await listRules(db, options)).items.find((item) => item.id === id)
  if (!rule) return undefined
  const versions = await db
    .selectFrom('rule_versions')
    .selectAll()
    .where('rule', '=', id)
    .orderBy('version', 'desc')
    .execute()
  const stages = (await readStages(db)).filter((row) => row.rule === id)
  const counted = await readCounts(db, versions, options.now)
  const names = await actorNames(db)
  const slots = await db
    .selectFrom('rule_slots')
    .selectAll()
    .where('rule', '=', id)
    .orderBy('slot', 'desc')
    .limit(20)
    .execute()
  return {
    rule,
    versions: versions.map((row): RuleVersionView => {
      const stage = stages.find(({ version }) => version === row.version)
      return {
        version: row.version,
        hash: row.hash,
        stage: stage?.stage ?? 'retired',
        share: stage?.share ?? 0,
        since: stage?.since ?? row.loaded_at,
        actor: nameOf(stage?.actor ?? row.added_by ?? '', names),
        reason: stage?.reason ?? '',
        origin: row.origin ?? null,
        addedAt: row.loaded_at,
        text: ruleText(row.body),
        recipients: stage?.recipients.size ?? 0,
        counts: countsOf([versionOrigin(id, row.version)], counted),
      }
    }),
    log: await readLog(id, db, names),
    comparison: await compareShadow(rule, counted, db, options.now),
    slots: slots.map(
      (slot): RuleSlot => ({
        version: slot.version,
        slot: Number(slot.slot),
        state: slot.state as RuleSlot['state'],
        people: Number(slot.people),
        decided: Number(slot.decided),
        finishedAt: slot.finished_at === null ? null : Number(slot.finished_at),
        reason: slot.reason,
      }),
    ),
    days: COUNTED_DAYS,
  }
}

/** As its author would write it, without comments. */
export const ruleText = (body: string): string => stringify(JSON.parse(body), { lineWidth: 100 })

// ---------------------------------------------------------------- counts

async function readCounts(db: Db, versions: readonly VersionRow[], now: number): Promise<Counted> {
  const origins = versions.flatMap(({ rule, version }) => [
    versionOrigin(rule, version),
    versionOrigin(rule, version, true),
  ])
  const counted = new Map<string, Map<string, number>>()
  for (let offset = 0; offset < origins.length; offset += 400) {
    const rows = await db
      .selectFrom('rollups')
      .select(({ fn }) => ['origin', 'code', fn.sum<number>('count').as('total')])
      .where('origin', 'in', origins.slice(offset, offset + 400))
      .where('minute', '>=', Math.floor((now - COUNTED_DAYS * DAY_MS) / 60_000))
      .groupBy(['origin', 'code'])
      .execute()
    for (const { origin, code, total } of rows) {
      const codes = counted.get(origin) ?? new Map<string, number>()
      codes.set(code, Number(total))
      counted.set(origin, codes)
    }
  }
  return counted
}

/** What a decision comes to when the rule does nothing yet. */
const WAITS: readonly string[] = ['ARMED', 'RESET']
/** What becomes of a delivery; a decision was counted before. */
const DELIVERIES: readonly string[] = ['DELIVERED', 'HELD_OUT']

function countsOf(origins: readonly string[], counted: Counted): RuleCounts {
  const codes = new Map<string, number>()
  for (const origin of origins)
    for (const [code, count] of counted.get(origin) ?? []) codes.set(code, (codes.get(code) ?? 0) + count)
  const of = (code: string) => codes.get(code) ?? 0
  const decided = of('ENQUEUED') + of('WOULD_HOLD_OUT')
  const outcomes = [...codes].filter(
    ([code]) => !code.startsWith('clause:') && !WAITS.includes(code) && !DELIVERIES.includes(code),
  )
  const blocked = outcomes
    .filter(([code]) => code !== 'ENQUEUED' && code !== 'WOULD_HOLD_OUT' && code !== 'NOT_MATCHED')
    .map(([code, count]) => ({ code, count }))
    .sort((a, b) => b.count - a.count)
  const byRule = blocked.reduce((sum, { code, count }) => (AT_DELIVERY.has(code) ? sum : sum + count), 0)
  return {
    fired: decided + byRule + of('NOT_MATCHED'),
    matched: decided + byRule,
    decided,
    sent: of('DELIVERED'),
    heldOut: of('HELD_OUT'),
    blocked,
    clauses: [...codes]
      .filter(([code]) => code.startsWith('clause:'))
      .map(([code, count]) => ({ clause: code.slice('clause:'.length), count }))
      .sort((a, b) => b.count - a.count)
      .slice(0, 20),
  }
}

/** Exits of deliveries: the decision before them is counted already. */
const AT_DELIVERY: ReadonlySet<string> = new Set([
  'BLOCKED_BY_FENCE',
  'BLOCKED_BY_CONSENT',
  'BLOCKED_BY_SHARING',
  'BLOCKED_BY_TRANSFER',
  'SUPERSEDED',
  'MAPPING_FAILED',
  'FAULT',
  'UNCERTAIN',
  'REJECTED',
  'AUTHENTICATION',
  'EXHAUSTED',
])

async function compareShadow(
  { id, shadow, live }: RuleSummary,
  counted: Counted,
  db: Db,
  now: number,
): Promise<ShadowComparison | null> {
  if (!shadow) return null
  const decisions = await decidedSince(now - COUNTED_DAYS * DAY_MS, { rule: id, result: 'SHADOW', most: EXAMINED }, db)
  const sends = decisions
    .filter(({ version, would }) => version === shadow.version && would === 'ENQUEUED')
    .map(({ personId, at }) => ({ personId, at: Date.parse(at) }))
  const people = new Map<string, Set<string>>()
  for (let offset = 0; offset < sends.length; offset += 400) {
    const part = sends.slice(offset, offset + 400)
    const rows = await db
      .selectFrom('deliveries')
      .select(['person_id', 'rule', 'created_at'])
      .where(
        'person_id',
        'in',
        part.map(({ personId }) => personId),
      )
      .where('created_at', '>=', now - (COUNTED_DAYS + 1) * DAY_MS)
      .where('rule', 'is not', null)
      .where('rule', '<>', id)
      .where('arm', '=', 'treated')
      .execute()
    for (const row of rows)
      if (part.some(({ personId, at }) => personId === row.person_id && Math.abs(at - row.created_at) < DAY_MS))
        people.set(row.rule!, (people.get(row.rule!) ?? new Set()).add(row.person_id))
  }
  return {
    version: shadow.version,
    liveVersion: live?.version ?? null,
    shadow: countsOf([versionOrigin(id, shadow.version, true)], counted),
    live: live ? countsOf([versionOrigin(id, live.version)], counted) : null,
    overlap: [...people].map(([rule, them]) => ({ rule, people: them.size })).sort((a, b) => b.people - a.people),
    examined: sends.length,
  }
}

// ---------------------------------------------------------------- who, when and why

const RUNNING: RuleSwitch = { state: 'running', at: null, actor: null, reason: null }

async function readSwitchViews(db: Db): Promise<Map<string, RuleSwitch>> {
  const rows = await db.selectFrom('rule_switches').selectAll().execute()
  return new Map(
    rows.map(({ rule, state, at, actor, reason }) => [
      rule,
      { state: state as RuleSwitch['state'], at: Number(at), actor, reason },
    ]),
  )
}

const named = (view: RuleSwitch, names: ReadonlyMap<string, string>): RuleSwitch => ({
  ...view,
  actor: view.actor === null ? null : nameOf(view.actor, names),
})

const nameOf = (actor: string, names: ReadonlyMap<string, string>) => names.get(actor) ?? actor

/** Ids of users and tokens in the log, as people know them. */
async function actorNames(db: Db): Promise<Map<string, string>> {
  const users = await db.selectFrom('users').select(['id', 'name']).execute()
  const tokens = await db.selectFrom('api_tokens').select(['id', 'name']).execute()
  return new Map([...users, ...tokens].map(({ id, name }) => [id, name]))
}

async function readLog(id: string, db: Db, names: ReadonlyMap<string, string>): Promise<RuleLogLine[]> {
  const rows = await db
    .selectFrom('rule_rollout_log')
    .selectAll()
    .where('rule', 'in', [id, ALL_RULES])
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .limit(LOG_LINES)
    .execute()
  return rows.map(({ rule, at, actor, act, version, stage, share, reason }) => ({
    at: Number(at),
    actor: nameOf(actor, names),
    act,
    version,
    stage: stage as RuleLogLine['stage'],
    share: share === null ? null : share / 10_000,
    reason,
    everyRule: rule === ALL_RULES,
  }))
}
