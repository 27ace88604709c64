/** What profiles have to keep of events, so that the rules can be answered: which times, which values, for how long. */
import type { Conditions } from '../../schemas/rule.ts'
import { compileConditions } from './compile.ts'
import { EventIndex, type Properties } from './event-index.ts'
import { compileMeasure, isMeasure, isPlainCount, leavesOf, type Measure, measureOf } from './measures.ts'
import { type CompiledRule, GOAL_MEMORY_MS, memoryMs } from './ruleset.ts'
import { endings, placesOf } from './triggers.ts'
import { windowOf } from './windows.ts'

/** Conditions somebody asks for one purpose: rules do, audiences do. */
export interface Asker {
  readonly purpose: string
  readonly conditions: Conditions | undefined
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
    if (compiled.absence) for (const { event } of endings(rule)) need(event, memoryMs(compiled))
    for (const goal of rule.exit_on ?? []) need(goal, memoryMs(compiled) + (compiled.expiresMs ?? GOAL_MEMORY_MS))
  }
  return needed
}

/** What profiles have to keep of events for these rules, and for whoever else asks: three questions about an event name. */
export const keptFor = (rules: readonly CompiledRule[], more: readonly Asker[] = []) => ({
  recentWindow: recentWindow(neededWindows(rules)),
  countWindow: countWindow(neededCounts(rules, more)),
  measuresFor: measuresFor(neededMeasures(rules, more)),
})

/** Everything that is asked of a person, by rules and whoever else asks. */
function asked(rules: readonly CompiledRule[], more: readonly Asker[]) {
  return [
    ...rules.flatMap(({ rule }) =>
      placesOf(rule).map(({ conditions }) => ({ purpose: rule.unless.purpose, conditions })),
    ),
    ...more,
  ].flatMap(({ purpose, conditions }) => leavesOf(conditions).map(({ condition }) => ({ purpose, condition })))
}

/** How long `profile.counted` has to keep times: purpose → name or glob → milliseconds. Only what is counted for that purpose. */
export function neededCounts(
  rules: readonly CompiledRule[],
  more: readonly Asker[] = [],
): Map<string, Map<string, number>> {
  const needed = new Map<string, Map<string, number>>()
  const need = (purpose: string, event: string, ms: number) => {
    const windows = needed.get(purpose) ?? new Map<string, number>()
    windows.set(event, Math.max(ms, windows.get(event) ?? 0))
    needed.set(purpose, windows)
  }
  for (const { purpose, condition } of asked(rules, more)) {
    if (!isMeasure(condition)) continue
    const { name, measured } = measureOf(condition)
    if (isPlainCount({ name, measured })) need(purpose, measured.event, windowOf(measured).keepMs)
  }
  for (const { rule, crossing } of rules)
    if (crossing && !crossing.measure) need(rule.unless.purpose, crossing.measured.event, crossing.window.keepMs)
  return needed
}

/** What `profile.measured` has to keep: purpose → measures, each once, for the longest time anybody asks. */
export function neededMeasures(
  rules: readonly CompiledRule[],
  more: readonly Asker[] = [],
): Map<string, Map<string, Measure>> {
  const needed = new Map<string, Map<string, Measure>>()
  const need = (purpose: string, measure: Measure) => {
    const measures = needed.get(purpose) ?? new Map<string, Measure>()
    const known = measures.get(measure.key)
    if (!known || known.keepMs < measure.keepMs) measures.set(measure.key, measure)
    needed.set(purpose, measures)
  }
  for (const { purpose, condition } of asked(rules, more)) {
    if (!isMeasure(condition)) continue
    const { measure } = compileMeasure(condition, (where) => compileConditions(where, 'where'))
    if (measure) need(purpose, measure)
  }
  for (const { rule, crossing } of rules) if (crossing?.measure) need(rule.unless.purpose, crossing.measure)
  return needed
}

/**
 * `neededMeasures` as a question about a purpose and an event name. With the properties of the event those are left out
 * whose `where` names a value it does not have.
 */
export function measuresFor(
  needed: ReadonlyMap<string, ReadonlyMap<string, Measure>>,
): (purpose: string, name: string, properties?: Properties) => readonly Measure[] {
  const byPurpose = new Map<string, EventIndex<Measure>>()
  for (const [purpose, measures] of needed) {
    const index = new EventIndex<Measure>()
    for (const measure of measures.values()) index.add([measure], measure)
    byPurpose.set(purpose, index)
  }
  return (purpose, name, properties) => byPurpose.get(purpose)?.find(name, properties) ?? []
}

/** `neededCounts` as a question about a purpose and an event name; 0 when nobody counts it. */
export function countWindow(
  needed: ReadonlyMap<string, ReadonlyMap<string, number>>,
): (purpose: string, name: string) => number {
  const byPurpose = new Map([...needed].map(([purpose, windows]) => [purpose, recentWindow(windows)]))
  return (purpose, name) => byPurpose.get(purpose)?.(name) ?? 0
}

/** `neededWindows` as a question about one event name; 0 when no rule wants its times. */
export function recentWindow(needed: ReadonlyMap<string, number>): (name: string) => number {
  const index = new EventIndex<number>()
  for (const [pattern, ms] of needed) index.add([pattern], ms)
  return (name) => index.find(name).reduce((longest, ms) => Math.max(longest, ms), 0)
}
