/** Rules ready to be asked: compiled, indexed by the event names they listen to, kept by version. */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Rule } from '../../schemas/rule.ts'
import { type CompiledBranch, compileBranches } from './branches.ts'
import type { CompiledCap } from './caps.ts'
import { type Compiled, compileConditions } from './compile.ts'
import { type CompiledTimes, compileCaps, compileSendTimes } from './compile-gates.ts'
import type { OtherInput } from './decision.ts'
import { parseDuration } from './duration.ts'
import { EventIndex, type Properties } from './event-index.ts'
import { byPriority, groupMemoryMs } from './exclusion.ts'
import { type CompiledMeasure, leavesOf } from './measures.ts'
import { namesMatcher } from './names.ts'
import type { Rollouts } from './rollout.ts'
import {
  type CompiledAbsence,
  type CompiledLine,
  type CompiledSequence,
  compileAbsence,
  compileCrossing,
  compileLine,
  compileSequence,
  endings,
} from './triggers.ts'

/** How long after its time an event may still start a clock when its rule has no `expires`. */
export const LATE_START_MS = 86_400_000
/** How long a delivery without `expires` is assumed to be able to wait, for the check of its goal. */
export const GOAL_MEMORY_MS = 7 * 86_400_000

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
  /** What kind of trigger it has; a rule on one event, a schedule, an audience or a request has none of these. */
  readonly absence: CompiledAbsence | undefined
  readonly sequence: CompiledSequence | undefined
  readonly crossing: CompiledMeasure | undefined
  readonly line: CompiledLine | undefined
  /** Of what it does, where `then` has branches; none where it does the same for everybody. */
  readonly branches: readonly CompiledBranch[]
  readonly caps: readonly CompiledCap[]
  /** When it may send; undefined: at any time. */
  readonly times: CompiledTimes | undefined
  readonly reentry:
    | { readonly max: number | undefined; readonly perSession: boolean; readonly minIntervalMs: number | undefined }
    | undefined
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
  const { reentry } = unless
  return {
    rule,
    hash: createHash('sha256')
      .update(canonicalize(versionText(rule))!)
      .digest('hex'),
    where: compileConditions('event' in when ? when.where : undefined, 'when.where'),
    who: compileConditions(rule.who, 'who'),
    absence: compileAbsence(rule),
    sequence: compileSequence(rule),
    crossing: compileCrossing(rule),
    line: compileLine(rule),
    branches: compileBranches(rule),
    caps: compileCaps(unless),
    times: compileSendTimes(unless),
    reentry: reentry && {
      max: reentry.max,
      perSession: reentry.per === 'session',
      minIntervalMs: reentry.min_interval === undefined ? undefined : parseDuration(reentry.min_interval),
    },
    expiresMs: rule.then.expires === undefined ? undefined : parseDuration(rule.then.expires),
    goalMatches: namesMatcher(exitOn),
    readsStartEvent:
      'absence' in when &&
      [rule.who, ...(rule.then.branches ?? []).map(({ who }) => who)].some((conditions) =>
        leavesOf(conditions).some(({ condition }) => 'field' in condition && condition.field.startsWith('event.')),
      ),
    positionOf: positionOf ?? (() => ({ file: rule.id, line: 1, column: 1 })),
  }
}

/** What makes a version: all of the rule but how far it is published, which may change without a new version. */
export function versionText({ rollout: _, ...text }: Rule): Rule {
  return text
}

/**
 * What `decide` asks. Retired versions only finish the instances they started. Where an event has properties, rules are
 * left out whose `where` names a value that it does not have: to them it is another event. Without properties all rules
 * of the name are given.
 */
export interface RuleSet {
  /** Published rules, in order of id. */
  readonly current: readonly CompiledRule[]
  readonly versionOf: (id: string, version: number) => CompiledRule | undefined
  /** Published rules that one event of this name can fire: on the event, or on what is measured of it. */
  readonly triggeredBy: (name: string, properties?: Properties) => CompiledRule[]
  /** All versions with a sequence of which this event can be a step. */
  readonly steppedBy: (name: string, properties?: Properties) => CompiledRule[]
  /** Published rules that answer to what is no event and no timer, in the order of priority. */
  readonly answering: (input: OtherInput) => CompiledRule[]
  /** All versions whose absence starts with this event. */
  readonly startedBy: (name: string, properties?: Properties) => CompiledRule[]
  /** Published rules whose instances have names or conditions of their own, and that this event may end. */
  readonly closedBy: (name: string, properties?: Properties) => CompiledRule[]
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
  const versions = new Map<string, Map<number, CompiledRule>>()
  for (const compiled of [...current, ...retired]) {
    const { id, version } = compiled.rule
    const known = versions.get(id) ?? new Map<number, CompiledRule>()
    versions.set(id, known)
    if (!known.has(version)) known.set(version, compiled)
  }
  const every = [...versions.values()].flatMap((known) => [...known.values()])
  const published = new Set(current)
  const triggers = new EventIndex<CompiledRule>()
  const starts = new EventIndex<CompiledRule>()
  const steps = new EventIndex<CompiledRule>()
  const answers = new Map<string, CompiledRule[]>()
  const closings = new EventIndex<CompiledRule>()
  const goals = new EventIndex<CompiledRule>()
  // What one event triggers is asked in the order of priority, so that the highest takes what there is to take.
  for (const compiled of every.sort((a, b) => byPriority(a, b) || byIdThenVersion(a, b))) {
    const { when, exit_on: exitOn = [] } = compiled.rule
    const isPublished = published.has(compiled)
    if ('absence' in when) starts.add([when.absence.start], compiled)
    if ('sequence' in when) steps.add(when.sequence.steps, compiled)
    if (exitOn.length > 0) goals.add(exitOn, compiled)
    if (!isPublished) continue
    if ('event' in when) triggers.add([when], compiled)
    if (compiled.crossing) triggers.add([compiled.crossing.measured], compiled)
    if (compiled.absence?.notesClosings || compiled.sequence?.correlate) closings.add(endings(compiled.rule), compiled)
    for (const answer of answersOf(compiled)) answers.set(answer, [...(answers.get(answer) ?? []), compiled])
  }
  return {
    current,
    versionOf: (id, version) => versions.get(id)?.get(version),
    triggeredBy: (name, properties) => triggers.find(name, properties),
    startedBy: (name, properties) => starts.find(name, properties),
    steppedBy: (name, properties) => steps.find(name, properties),
    answering: (input) => answers.get(answerKey(input)) ?? [],
    closedBy: (name, properties) => closings.find(name, properties),
    goalOf: (name) => goals.find(name),
    isCurrent: (compiled) => published.has(compiled),
  }
}

/** The same rules, none left out for the value of a property: for telling what each of them says. */
export function askingAll(rules: RuleSet): RuleSet {
  return {
    ...rules,
    triggeredBy: (name) => rules.triggeredBy(name),
    startedBy: (name) => rules.startedBy(name),
    steppedBy: (name) => rules.steppedBy(name),
    closedBy: (name) => rules.closedBy(name),
    ...(rules.shadows && { shadows: askingAll(rules.shadows) }),
  }
}

/** What a rule without an event trigger answers to; the same keys as `answerKey`. */
function answersOf({ rule: { id, when }, line }: CompiledRule): string[] {
  if ('schedule' in when && when.schedule !== undefined) return [`schedule:${id}`]
  if (line) return [`score:${line.score}`]
  if ('audience' in when)
    return ['enters' in when.audience ? `entered:${when.audience.enters}` : `left:${when.audience.leaves}`]
  return 'request' in when ? [`request:${when.request}`] : []
}

function answerKey(input: OtherInput): string {
  switch (input.kind) {
    case 'schedule':
      return `schedule:${input.rule}`
    case 'score':
      return `score:${input.score}`
    case 'audience':
      return `${input.change}:${input.audience}`
    case 'request':
      return `request:${input.request}`
  }
}

/** How far back a late start has to be able to look. */
export function memoryMs(compiled: CompiledRule): number {
  const { absence, sequence, expiresMs } = compiled
  if (absence) return absence.withinMs + absence.graceMs + (expiresMs ?? LATE_START_MS)
  return sequence ? sequence.withinMs : 0
}

/** The longest window of any cap or exclusion group, in milliseconds: uses older than this may be forgotten. */
export function capMemoryMs(rules: readonly CompiledRule[]): number {
  return Math.max(groupMemoryMs(rules), ...rules.flatMap((compiled) => compiled.caps.map((cap) => cap.windowMs)))
}
