/**
 * `npm run bench -- rules [--profiles 10000,100000,1000000] [--rules 1,100,1000] [--events 50000] [--shared 2] [--json]`: what rules
 * cost per event, by the number of rules and of profiles. Rules are of every kind; of each kind that
 * events fire, `shared` listen to the same event (20 is the goal's worst case), and only such events are sent. Profiles lie in a SQLite file and are read, decided on and written back in batches, as
 * `process` does; identity, consent, sealing and history are not in it. Two times per event: the reducer alone
 * (`decide`, and what is kept for measures), and with reading and writing the profile. Ratios are to one rule and
 * the fewest profiles.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import { emptyProfile } from '../core/decision/empty-profile.ts'
import {
  buildRuleSet,
  countWindow,
  type DecisionContext,
  decide,
  dueTimers,
  loadRules,
  measuresFor,
  neededCounts,
  neededMeasures,
  neededWindows,
  type RuleSet,
  recentWindow,
  triggerName,
} from '../core/decision/index.ts'
import { withEvent } from '../core/decision/measures.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { OpenProfile } from '../schemas/profile.ts'

const { values: options } = parseArgs({
  args: process.argv.slice(process.argv[2] === 'rules' ? 3 : 2),
  options: {
    profiles: { type: 'string', default: '10000' },
    rules: { type: 'string', default: '1,100,1000' },
    events: { type: 'string', default: '50000' },
    shared: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
})
const numbers = (text: string) => text.split(',').map(Number)
const EVENTS = Number(options.events)
const BATCH = 512
/** Rules that an event name is the first of. */
const SHARED = Number(options.shared)
/** Names that are sent; the other rules wait for what does not come. */
const SENT_NAMES = 50
const START = Date.parse('2026-03-10T12:00:00.000Z')

/** One of each kind in turn. @param names how many event names there are. */
function ruleText(index: number, names: number): string {
  const name = (offset: number) => `Event ${(Math.floor(index / SHARED) + offset) % names}`
  const kinds = [
    `{event: ${name(0)}, where: {all: [{field: event.value, op: gte, value: 50}]}}`,
    `{absence: {start: {event: ${name(0)}}, unless: {any: [{event: ${name(1)}}]}, within: PT30M}}`,
    `{sequence: {steps: [{event: ${name(0)}}, {event: ${name(7)}}], within: PT1H}}`,
    `{sum: {event: ${name(0)}, property: value, window: P7D}, op: gte, value: 500}`,
    `{audience: {enters: a${index}}}`,
    `{crosses: {score: s${index}, above: 0.7}}`,
  ]
  return `{id: r${index}, version: 1, when: ${kinds[index % kinds.length]}, who: {all: [{count: {event: ${name(3)}, window: P1D}, op: lt, value: 3}, {field: traits.points, op: gte, value: 10}], none: [{sum: {event: ${name(5)}, property: value, window: P30D}, op: gt, value: 9000}]}, unless: {purpose: p, reentry: {min_interval: P1D}}, then: {all: [{destination: d, action: send}]}}`
}

const context = (nowMs: number, personKey: string): DecisionContext => ({
  now: new Date(nowMs).toISOString(),
  personKey,
  holdout: { globalHoldout: 0.05, globalSeed: 'bench' },
  consent: () => ({ granted: true, entryId: 'e' }),
  reachable: () => true,
  capUses: () => [],
  actionOf: () => ({ kind: 'message', channel: 'email', identifier: ['email'] }),
})

function eventOf(index: number, profiles: number, names: number): { person: number; event: CanonicalEvent } {
  // Every person, in an order without neighbours; names in another rhythm.
  const person = Math.floor(((index * 0.6180339887) % 1) * profiles)
  const occurredAt = new Date(START + index * 40).toISOString()
  return {
    person,
    event: {
      schemaVersion: 1,
      id: `e${index}`,
      messageId: `e${index}`,
      type: 'track',
      name: `Event ${(index * 7) % Math.min(names, SENT_NAMES)}`,
      occurredAt,
      receivedAt: occurredAt,
      source: { id: 's', connector: 'segment', payloadHash: '' },
      subject: { identifiers: [] },
      traits: {},
      properties: { value: (index * 13) % 120 },
      context: {},
      consent: [],
    },
  }
}

interface Keeps {
  readonly recent: (name: string) => number
  readonly counts: (purpose: string, name: string) => number
  readonly measures: ReturnType<typeof measuresFor>
}

/** What `apply` keeps of an event. */
function keep(profile: OpenProfile, event: CanonicalEvent, { recent, counts, measures }: Keeps): void {
  const name = triggerName(event)
  const push = (times: Record<string, string[]>, window: number) => {
    if (window === 0) return
    const oldest = new Date(Date.parse(event.occurredAt) - window).toISOString()
    times[name] = [...(times[name] ?? []), event.occurredAt].filter((time) => time >= oldest).slice(-500)
  }
  push(profile.recent, recent(name))
  const window = counts('p', name)
  if (window > 0) {
    profile.counted ??= {}
    profile.counted['p'] ??= {}
    push(profile.counted['p'], window)
  }
  for (const measure of measures('p', name)) {
    profile.measured ??= {}
    profile.measured['p'] ??= {}
    const own = profile.measured['p']
    own[measure.key] = withEvent(own[measure.key] ?? [], measure, event)
  }
}

function take(profile: OpenProfile, event: CanonicalEvent, person: string, rules: RuleSet, keeps: Keeps): number {
  const nowMs = Date.parse(event.occurredAt)
  keep(profile, event, keeps)
  profile.seq += 1
  const told = [
    ...dueTimers(profile, event.occurredAt, rules).map((timer) => ({ ...timer, seq: profile.seq })),
    { kind: 'event' as const, event, seq: profile.seq },
  ]
  let sent = 0
  for (const input of told) {
    const result = decide(input, profile, rules, context(nowMs, person))
    const { timers, entries, closings, sequences, crossed, deliveries } = result
    Object.assign(profile, { timers, entries, closings, sequences, crossed })
    sent += deliveries.length
  }
  return sent
}

interface Row {
  readonly rules: number
  readonly profiles: number
  /** Microseconds per event. */
  readonly reducer: number
  readonly withStore: number
  readonly peakMb: number
  readonly sent: number
}

function measure(count: number, profiles: number): Row {
  const names = Math.max(1, Math.ceil(count / SHARED))
  const loaded = loadRules(
    Array.from({ length: count }, (_, index) => ({ file: `r${index}.yaml`, text: ruleText(index, names) })),
  ).rules
  const rules = buildRuleSet(loaded)
  const keeps: Keeps = {
    recent: recentWindow(neededWindows(loaded)),
    counts: countWindow(neededCounts(loaded)),
    measures: measuresFor(neededMeasures(loaded)),
  }
  const dir = mkdtempSync(join(tmpdir(), 'anuente-bench-rules-'))
  const db = new Database(join(dir, 'profiles.db'))
  db.pragma('journal_mode = WAL')
  db.exec('create table persons (id integer primary key, profile text not null)')
  const insert = db.prepare('insert into persons values (?, ?)')
  const fresh = (id: number) => ({
    ...emptyProfile(new Date(START).toISOString()),
    traits: { points: { value: id % 40, at: new Date(START).toISOString(), purposes: ['p'] } },
  })
  db.transaction(() => {
    for (let id = 0; id < profiles; id++) insert.run(id, JSON.stringify(fresh(id)))
  })()
  const read = db.prepare('select profile from persons where id = ?').pluck()
  const write = db.prepare('update persons set profile = ? where id = ?')
  let reducer = 0
  let peakMb = 0
  let sent = 0
  const started = performance.now()
  for (let from = 0; from < EVENTS; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, EVENTS - from) }, (_, n) => eventOf(from + n, profiles, names))
    const people = new Map<number, OpenProfile>()
    for (const { person } of batch)
      if (!people.has(person)) people.set(person, JSON.parse(read.get(person) as string) as OpenProfile)
    const before = performance.now()
    for (const { person, event } of batch) sent += take(people.get(person)!, event, String(person), rules, keeps)
    reducer += performance.now() - before
    db.transaction(() => {
      for (const [id, profile] of people) write.run(JSON.stringify(profile), id)
    })()
    peakMb = Math.max(peakMb, process.memoryUsage().rss / 2 ** 20)
  }
  const withStore = performance.now() - started
  db.close()
  rmSync(dir, { recursive: true, force: true })
  return {
    rules: count,
    profiles,
    reducer: (reducer * 1000) / EVENTS,
    withStore: (withStore * 1000) / EVENTS,
    peakMb,
    sent,
  }
}

const rows: Row[] = []
// What is compiled on the way is not counted.
measure(1, 1000)
for (const profiles of numbers(options.profiles))
  for (const rules of numbers(options.rules)) {
    rows.push(measure(rules, profiles))
    if (!options.json) {
      const first = rows[0]!
      const row = rows.at(-1)!
      if (rows.length === 1) console.log(`${EVENTS} events each; load ${loadavg()[0]!.toFixed(1)}`)
      console.log(
        `${String(rules).padStart(5)} rules ${String(profiles).padStart(8)} profiles: reducer ${row.reducer.toFixed(1).padStart(6)} µs (× ${(row.reducer / first.reducer).toFixed(2)}), with the profile read and written ${row.withStore.toFixed(1).padStart(6)} µs (× ${(row.withStore / first.withStore).toFixed(2)}), ${row.peakMb.toFixed(0)} MB, ${row.sent} sent`,
      )
    }
  }
if (options.json) console.log(JSON.stringify({ load: loadavg()[0], events: EVENTS, rows }))
