/**
 * One number of rules and profiles, in a process of its own: profiles lie in SQLite as the hub keeps them (its pragmas,
 * its keys), are read, decided on and written back in batches, as `process` does. Told `go`, it takes some events and
 * answers what they cost.
 *
 *   node bench/rules-cell.ts <rules> <matching> <profiles> <events>
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { emptyProfile } from '../core/decision/empty-profile.ts'
import { buildRuleSet, type DecisionContext, decide, dueTimers } from '../core/decision/index.ts'
import { newId } from '../core/ids.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { OpenProfile } from '../schemas/profile.ts'
import { compiledRules, eventOf, keeperFor, PACE_MS, personOf, START } from './rules-set.ts'

/** Microseconds per event unless it says otherwise; `Cpu` of the whole process, its collector included. */
export interface CellFigures {
  readonly reducer: number
  readonly reducerCpu: number
  readonly whole: number
  readonly wholeCpu: number
  /** The most this process ever held, megabytes. */
  readonly peakMb: number
  readonly profileBytes: number
  readonly sent: number
  /** Explanations that would be stored. */
  readonly told: number
}

const [ruleCount, matching, profiles, events] = process.argv.slice(2).map(Number) as [number, number, number, number]
const BATCH = 512
/** People begin as one of these, who have lived with the rules for ten days. */
const TEMPLATES = 64
const DAYS = 10

const compiled = compiledRules(ruleCount, matching)
const rules = buildRuleSet(compiled)
const keep = keeperFor(compiled)

const context = (nowMs: number, personKey: string): DecisionContext => ({
  now: new Date(nowMs).toISOString(),
  personKey,
  holdout: { globalHoldout: 0.05, globalSeed: 'bench' },
  consent: () => ({ granted: true, entryId: 'e' }),
  reachable: () => true,
  capUses: () => [],
  actionOf: () => ({ kind: 'message', channel: 'email', identifier: ['email'] }),
})

const done = { sent: 0, told: 0 }
function take(profile: OpenProfile, event: CanonicalEvent, person: string): void {
  keep(profile, event)
  for (const input of [
    ...dueTimers(profile, event.occurredAt, rules),
    { kind: 'event' as const, event, seq: profile.seq },
  ]) {
    const result = decide(input, profile, rules, context(Date.parse(event.occurredAt), person))
    const { timers, entries, closings, sequences, crossed } = result
    Object.assign(profile, { timers, entries, closings, sequences, crossed })
    done.sent += result.deliveries.length
    done.told += result.explanations.length
  }
}

function template(id: number): string {
  const at = new Date(START).toISOString()
  const profile: OpenProfile = {
    ...emptyProfile(at),
    traits: { points: { value: (id * 7) % 40, at, purposes: ['p'] } },
  }
  const past = (DAYS * 86_400_000) / PACE_MS
  for (let n = 0; n < past; n++) take(profile, eventOf(id * past + n, START + (n - past) * PACE_MS), `t${id}`)
  return JSON.stringify(profile)
}

const dir = mkdtempSync(join(tmpdir(), 'anuente-bench-rules-'))
const db = new Database(join(dir, 'profiles.db'))
for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'secure_delete = ON']) db.pragma(pragma)
db.pragma('cache_size = -65536')
db.pragma('wal_autocheckpoint = 16000')
db.exec('create table persons (id text primary key, profile text not null)')
const templates = Array.from({ length: TEMPLATES }, (_, id) => template(id))
const profileBytes = templates.reduce((sum, text) => sum + text.length, 0) / TEMPLATES
const keyPrefix = newId(START).slice(0, 19)
const keyOf = (person: number) => `${keyPrefix}${String(person).padStart(7, '0')}`
const insert = db.prepare('insert into persons values (?, ?)')
const fill = db.transaction((from: number, to: number) => {
  for (let id = from; id < to; id++) insert.run(keyOf(id), templates[id % TEMPLATES])
})
for (let from = 0; from < profiles; from += 50_000) fill(from, Math.min(profiles, from + 50_000))
db.pragma('wal_checkpoint(TRUNCATE)')
const read = db.prepare('select profile from persons where id = ?').pluck()
const write = db.prepare('insert into persons values (?, ?) on conflict (id) do update set profile = excluded.profile')
const writeAll = db.transaction((people: ReadonlyMap<string, OpenProfile>) => {
  for (const [id, profile] of people) write.run(id, JSON.stringify(profile))
})

let next = 0
function round(): CellFigures {
  let reducer = 0
  let reducerCpu = 0
  done.sent = 0
  done.told = 0
  const end = next + events
  const cpuBefore = process.cpuUsage()
  const before = performance.now()
  while (next < end) {
    const people = new Map<string, OpenProfile>()
    const batch: { key: string; event: CanonicalEvent }[] = []
    for (; batch.length < BATCH && next < end; next++) {
      const key = keyOf(personOf(next, profiles))
      batch.push({ key, event: eventOf(next, START + next * (PACE_MS / profiles)) })
      if (!people.has(key)) people.set(key, JSON.parse(read.get(key) as string) as OpenProfile)
    }
    const cpu = process.cpuUsage()
    const started = performance.now()
    for (const { key, event } of batch) take(people.get(key)!, event, key)
    reducer += performance.now() - started
    const used = process.cpuUsage(cpu)
    reducerCpu += used.user + used.system
    writeAll(people)
  }
  const whole = performance.now() - before
  const used = process.cpuUsage(cpuBefore)
  return {
    reducer: (reducer * 1000) / events,
    reducerCpu: reducerCpu / events,
    whole: (whole * 1000) / events,
    wholeCpu: (used.user + used.system) / events,
    peakMb: process.resourceUsage().maxRSS / 1024,
    profileBytes,
    sent: done.sent,
    told: done.told,
  }
}

process.on('message', (message) => {
  if (message === 'go') process.send!(round())
  else {
    db.close()
    rmSync(dir, { recursive: true, force: true })
    process.exit()
  }
})
process.send!('ready')
