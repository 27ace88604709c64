/** Rules ready to be asked: compiled, indexed by the event names they listen to, kept by version. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Conditions, Rule } from '../../schemas/rule.ts'
import type { CompiledCap } from './caps.ts'
import { type Compiled, compileConditions } from './compile.ts'
import { type CompiledTimes, compileCaps, compileSendTimes } from './compile-gates.ts'
import { parseDuration } from './duration.ts'
import { byPriority, groupMemoryMs } from './exclusion.ts'
import { NameIndex, nameMatches, namesMatcher } from './names.ts'
import type { Rollouts } from './rollout.ts'

/** How long after its time an event may still start a clock when its rule has no `expires`. */
export const LATE_START_MS = 86_400_000
/** How long a delivery without `expires` is assumed to be able to wait, for the check of its goal. */
export const GOAL_MEMORY_MS = 7 * 86_400_000

export interface CompiledAbsence {
  readonly start: string
  readonly startMatches: (name: string) => boolean
  readonly unlessMatches: (name: string) => boolean
  readonly cancelledByEmptyCart: boolean
  readonly withinMs: number
  readonly graceMs: number
  /** Property path that names the instance. */
  readonly correlate: readonly string[] | undefined
}

/** Where a place of a rule stands in its file. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface CompiledRule {
  readonly rule: Rule
  /** SHA-256 (hex) of the rule in RFC 8785 form: names this exact text. */
  readonly hash: string
  readonly where: Compiled
  readonly who: Compiled
  /** Undefined for event triggers. */
  readonly absence: CompiledAbsence | undefined
  readonly caps: readonly CompiledCap[]
  /** When it may send; undefined: at any time. */
  readonly times: CompiledTimes | undefined
  readonly reentry: { readonly max: number | undefined; readonly minIntervalMs: number | undefined } | undefined
  readonly expiresMs: number | undefined
  readonly goalMatches: (name: string) => boolean
  /** The rule's `who` reads the start event: a timer input must bring it. */
  readonly readsStartEvent: boolean
  /** Where in its file; the rule's own place when `path` is not written there. */
  readonly positionOf: (path: readonly (string | number)[]) => Position
}

/** @throws ConfigError for durations without a fixed length. Rules from `loadRules` never throw. */
export function compileRule(rule: Rule, positionOf?: CompiledRule['positionOf']): CompiledRule {
  const { when, unless, exit_on: exitOn = [] } = rule
  const absence = 'absence' in when ? when.absence : undefined
  const unlessEvents = absence?.unless.any.flatMap((entry) => ('event' in entry ? [entry.event] : [])) ?? []
  const { reentry } = unless
  return {
    rule,
    hash: createHash('sha256')
      .update(canonicalize(versionText(rule))!)
      .digest('hex'),
    where: compileConditions('event' in when ? when.where : undefined, 'when.where'),
    who: compileConditions(rule.who, 'who'),
    absence: absence && {
      start: absence.start.event,
      startMatches: namesMatcher([absence.start.event]),
      unlessMatches: namesMatcher(unlessEvents),
      cancelledByEmptyCart: absence.unless.any.some((entry) => 'cart' in entry),
      withinMs: parseDuration(absence.within),
      graceMs: absence.grace === undefined ? 0 : parseDuration(absence.grace),
      correlate: absence.correlate?.split('.'),
    },
    caps: compileCaps(unless),
    times: compileSendTimes(unless),
    reentry: reentry && {
      max: reentry.max,
      minIntervalMs: reentry.min_interval === undefined ? undefined : parseDuration(reentry.min_interval),
    },
    expiresMs: rule.then.expires === undefined ? undefined : parseDuration(rule.then.expires),
    goalMatches: namesMatcher(exitOn),
    readsStartEvent:
      absence !== undefined && conditionsOf(rule.who).some((c) => 'field' in c && c.field.startsWith('event.')),
    positionOf: positionOf ?? (() => ({ file: rule.id, line: 1, column: 1 })),
  }
}

/** What makes a version: all of the rule but how far it is published, which may change without a new version. */
export function versionText({ rollout: _, ...text }: Rule): Rule {
  return text
}

export function conditionsOf(conditions: Conditions | undefined) {
  return [...(conditions?.all ?? []), ...(conditions?.any ?? []), ...(conditions?.none ?? [])]
}

/** What `decide` asks. Retired versions only finish the instances they started. */
export interface RuleSet {
  /** Published rules, in order of id. */
  readonly current: readonly CompiledRule[]
  readonly versionOf: (id: string, version: number) => CompiledRule | undefined
  /** Published rules whose event trigger names this event. */
  readonly triggeredBy: (name: string) => CompiledRule[]
  /** All versions whose absence starts with this event. */
  readonly startedBy: (name: string) => CompiledRule[]
  /** Published absence rules with `correlate` that this event may end. */
  readonly closedBy: (name: string) => CompiledRule[]
  /** All versions that have this event among their goals. */
  readonly goalOf: (name: string) => CompiledRule[]
  readonly isCurrent: (compiled: CompiledRule) => boolean
  /** Who gets which version; everybody gets what is published when absent. */
  readonly rollouts?: Rollouts
  /** Rules that decide and send nothing, under names of their own. */
  readonly shadows?: RuleSet
}

const byIdThenVersion = (a: CompiledRule, b: CompiledRule) =>
  a.rule.id < b.rule.id ? -1 : a.rule.id > b.rule.id ? 1 : b.rule.version - a.rule.version

/**
 * @param rules the published version of each rule
 * @param retired earlier versions whose timers may still run; those also in `rules` are ignored
 */
export function buildRuleSet(rules: readonly CompiledRule[], retired: readonly CompiledRule[] = []): RuleSet {
  const current = [...rules].sort(byIdThenVersion)
  const key = (id: string, version: number) => `${id}@${version}`
  const versions = new Map<string, CompiledRule>()
  for (const compiled of [...current, ...retired]) {
    const name = key(compiled.rule.id, compiled.rule.version)
    if (!versions.has(name)) versions.set(name, compiled)
  }
  const published = new Set(current)
  const triggers = new NameIndex<CompiledRule>()
  const starts = new NameIndex<CompiledRule>()
  const closings = new NameIndex<CompiledRule>()
  const goals = new NameIndex<CompiledRule>()
  // What one event triggers is asked in the order of priority, so that the highest takes what there is to take.
  for (const compiled of [...versions.values()].sort((a, b) => byPriority(a, b) || byIdThenVersion(a, b))) {
    const { when, exit_on: exitOn = [] } = compiled.rule
    if ('absence' in when) starts.add([when.absence.start.event], compiled)
    else if (published.has(compiled)) triggers.add([when.event], compiled)
    if (exitOn.length > 0) goals.add(exitOn, compiled)
    if (compiled.absence?.correlate && published.has(compiled)) closings.add(enders(compiled.rule), compiled)
  }
  return {
    current,
    versionOf: (id, version) => versions.get(key(id, version)),
    triggeredBy: (name) => triggers.find(name),
    startedBy: (name) => starts.find(name),
    closedBy: (name) => closings.find(name),
    goalOf: (name) => goals.find(name),
    isCurrent: (compiled) => published.has(compiled),
  }
}

/** Events that end an instance of an absence rule: its `unless` and its goals. */
function enders(rule: Rule): string[] {
  const unless = 'absence' in rule.when ? rule.when.absence.unless.any : []
  return [...unless.flatMap((entry) => ('event' in entry ? [entry.event] : [])), ...(rule.exit_on ?? [])]
}

/** How far back a late start has to be able to look. */
export function memoryMs(compiled: CompiledRule): number {
  const { absence, expiresMs } = compiled
  return absence ? absence.withinMs + absence.graceMs + (expiresMs ?? LATE_START_MS) : 0
}

/**
 * How long `profile.recent` has to keep the times of which events that may end something: name or glob →
 * milliseconds. Names are those of `triggerName`.
 */
export function neededWindows(rules: readonly CompiledRule[]): Map<string, number> {
  const needed = new Map<string, number>()
  const need = (pattern: string, ms: number) => needed.set(pattern, Math.max(ms, needed.get(pattern) ?? 0))
  for (const compiled of rules) {
    const { rule } = compiled
    if (compiled.absence) for (const name of enders(rule)) need(name, memoryMs(compiled))
    for (const goal of rule.exit_on ?? []) need(goal, memoryMs(compiled) + (compiled.expiresMs ?? GOAL_MEMORY_MS))
  }
  return needed
}

/** How long `profile.counted` has to keep times: purpose → name or glob → milliseconds. Only what rules of that purpose count. */
export function neededCounts(rules: readonly CompiledRule[]): Map<string, Map<string, number>> {
  const needed = new Map<string, Map<string, number>>()
  for (const { rule } of rules) {
    const where = 'event' in rule.when ? rule.when.where : undefined
    for (const condition of [...conditionsOf(rule.who), ...conditionsOf(where)]) {
      if (!('count' in condition)) continue
      const { event, window } = condition.count
      const { purpose } = rule.unless
      const windows = needed.get(purpose) ?? new Map<string, number>()
      windows.set(event, Math.max(parseDuration(window), windows.get(event) ?? 0))
      needed.set(purpose, windows)
    }
  }
  return needed
}

/** `neededCounts` as a question about a purpose and an event name; 0 when no rule counts it. */
export function countWindow(
  needed: ReadonlyMap<string, ReadonlyMap<string, number>>,
): (purpose: string, name: string) => number {
  const byPurpose = new Map([...needed].map(([purpose, windows]) => [purpose, recentWindow(windows)]))
  return (purpose, name) => byPurpose.get(purpose)?.(name) ?? 0
}

/** `neededWindows` as a question about one event name; 0 when no rule wants its times. */
export function recentWindow(needed: ReadonlyMap<string, number>): (name: string) => number {
  const globs = [...needed].filter(([pattern]) => pattern.includes('*'))
  return (name) => {
    let ms = needed.get(name) ?? 0
    for (const [pattern, window] of globs) if (window > ms && nameMatches(pattern, name)) ms = window
    return ms
  }
}

/** The longest window of any cap or exclusion group, in milliseconds: uses older than this may be forgotten. */
export function capMemoryMs(rules: readonly CompiledRule[]): number {
  return Math.max(groupMemoryMs(rules), ...rules.flatMap((compiled) => compiled.caps.map((cap) => cap.windowMs)))
}
