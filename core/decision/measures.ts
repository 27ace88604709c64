/**
 * What conditions measure of past events: how many, how much, the last, how many different. Plain counts are read from
 * `profile.counted`; everything else from `profile.measured`, which keeps one value per event, taken when the event was
 * applied. Conditions on the event (`where`) are tried at that moment, so that its other properties need not be kept.
 *
 * Bounded: the newest 500 events per measure, one per value for `distinct`, one for `last`; and no longer than
 * the window. A measure begins when a rule first asks for it: earlier events are known to a backtest alone.
 */

import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Measured, MeasureName } from '../../schemas/conditions.ts'
import { MEASURES } from '../../schemas/conditions.ts'
import type { MeasuredValue } from '../../schemas/profile.ts'
import type { Condition, Conditions, MeasureCondition } from '../../schemas/rule.ts'
import type { Compiled, RuleView } from './compile.ts'
import { emptyProfile } from './empty-profile.ts'
import { asNumeric, type Expected, LONG_NUMBER, readSteps } from './fields.ts'
import { nameMatches } from './names.ts'
import { type Window, windowOf } from './windows.ts'

/** Newest events kept per measure, and times kept per counted name. */
export const MEASURED_KEPT = 500

/** What the profile has to keep for one measure of one purpose. */
export interface Measure {
  /** Names it in the profile, the events first: the same for all rules that ask the same. */
  readonly key: string
  /** Name or glob of the events. */
  readonly event: string
  /** Conditions on the event, which `take` asks. */
  readonly where?: Conditions
  readonly keep: 'all' | 'distinct' | 'last'
  readonly keepMs: number
  readonly range?: { readonly from: number; readonly to: number }
  /** The value to keep of an event; undefined when it does not count. */
  readonly take: (event: MeasuredEvent) => MeasuredValue | undefined
}

export interface MeasuredEvent {
  readonly occurredAt: string
  readonly properties: Readonly<Record<string, unknown>>
}

export type Entries = readonly (readonly [number, MeasuredValue])[]

export function isMeasure(condition: object): condition is MeasureCondition {
  return MEASURES.some((name) => name in condition)
}

/** The name of the measure, and what is measured. */
export function measureOf(condition: MeasureCondition): { name: MeasureName; measured: Measured; value: Expected } {
  const name = MEASURES.find((known) => known in condition)!
  return { name, measured: (condition as unknown as Record<string, Measured>)[name]!, value: condition.value }
}

/** Times alone answer it: they are kept per event name, for all windows together. */
export const isPlainCount = ({ name, measured }: Pick<ReturnType<typeof measureOf>, 'name' | 'measured'>): boolean =>
  name === 'count' && measured.where === undefined && measured.from === undefined

export interface CompiledMeasure {
  readonly condition: MeasureCondition
  readonly name: MeasureName
  readonly measured: Measured
  readonly window: Window
  /** Undefined for plain counts. */
  readonly measure: Measure | undefined
  /** Undefined where nothing happened, except for count, sum and distinct. */
  value(view: RuleView): MeasuredValue | undefined
  /** The value as it was before one event of that time, which is in the view, happened. */
  valueBefore(view: RuleView, eventName: string, event: MeasuredEvent): MeasuredValue | undefined
  /** Epoch ms of the first moment after `now` at which time alone changes what is in the window. */
  changesAt(view: RuleView): number | undefined
}

/**
 * @param compileWhere compiles `where`: passed in, since conditions are made of measures and measures of conditions.
 * @param whole every event is kept, so that one can be taken back: a rule fires when this measure crosses a line
 */
export function compileMeasure(
  condition: MeasureCondition,
  compileWhere: (where: Measured['where']) => Compiled,
  whole = false,
): CompiledMeasure {
  const { name, measured, value } = measureOf(condition)
  const window = windowOf(measured)
  const plain = isPlainCount({ name, measured })
  const measure = plain ? undefined : measureFor(name, measured, value, window, compileWhere(measured.where), whole)
  const entriesOf = measure
    ? (view: RuleView): Entries => view.measured?.[measure.key] ?? []
    : (view: RuleView): Entries => plainEntries(view.counted, measured.event)
  const inside = (entries: Entries, view: RuleView) => {
    const { after, until } = window.at(view)
    return entries.filter(([at]) => at > after && at <= until)
  }
  const fold = FOLDS[name]
  const valueNow = (view: RuleView) => fold(inside(entriesOf(view), view))
  const { calendar, from, to } = measured
  const question = JSON.stringify([name, measure?.key ?? measured.event, measured.window, calendar, from, to])
  const questionBefore = `before ${question}`
  const before = (view: RuleView, eventName: string, event: MeasuredEvent) => {
    const taken = measure ? measure.take(event) : true
    const entries = inside(entriesOf(view), view)
    if (taken === undefined || !nameMatches(measured.event, eventName)) return fold(entries)
    const at = Date.parse(event.occurredAt)
    const own = entries.findLastIndex((entry) => entry[0] === at && entry[1] === taken)
    return fold(own < 0 ? entries : entries.toSpliced(own, 1))
  }
  return {
    condition,
    name,
    measured,
    window,
    measure,
    value(view) {
      const { measuredAlready: known } = view
      if (!known) return valueNow(view)
      if (!known.has(question)) known.set(question, valueNow(view))
      return known.get(question)
    },
    valueBefore(view, eventName, event) {
      const { measuredAlready: known } = view
      if (!known) return before(view, eventName, event)
      if (!known.has(questionBefore)) known.set(questionBefore, before(view, eventName, event))
      return known.get(questionBefore)
    },
    changesAt(view) {
      let earliest: number | undefined
      for (const [at] of inside(entriesOf(view), view)) {
        const change = window.changeOf(at, view)
        if (change !== undefined && change > view.now && (earliest === undefined || change < earliest))
          earliest = change
      }
      return earliest
    },
  }
}

function plainEntries(counted: RuleView['counted'], pattern: string): Entries {
  const found: [number, MeasuredValue][] = []
  const add = (times: readonly string[] | undefined) => {
    for (const time of times ?? []) found.push([Date.parse(time), true])
  }
  if (!pattern.includes('*')) add(Object.hasOwn(counted, pattern) ? counted[pattern] : undefined)
  else for (const name of Object.keys(counted)) if (nameMatches(pattern, name)) add(counted[name])
  return found
}

const numbers = (entries: Entries) => entries.map(([, value]) => value).filter((value) => typeof value === 'number')
const sum = (entries: Entries) => numbers(entries).reduce((total, value) => total + value, 0)
/** Money in decimals adds up to cents and not to 0.30000000000000004. */
const rounded = (value: number) => Math.round(value * 1e6) / 1e6

const FOLDS: Record<MeasureName, (entries: Entries) => MeasuredValue | undefined> = {
  count: (entries) => entries.length,
  sum: (entries) => rounded(sum(entries)),
  avg: (entries) => (entries.length === 0 ? undefined : rounded(sum(entries) / entries.length)),
  min: (entries) => (entries.length === 0 ? undefined : numbers(entries).reduce((a, b) => Math.min(a, b))),
  max: (entries) => (entries.length === 0 ? undefined : numbers(entries).reduce((a, b) => Math.max(a, b))),
  // Of two at the same moment the one that was taken later is the newer.
  first: (entries) =>
    entries.reduce<Entries[number] | undefined>((a, b) => (a && a[0] <= b[0] ? a : b), undefined)?.[1],
  last: (entries) => entries.reduce<Entries[number] | undefined>((a, b) => (a && a[0] > b[0] ? a : b), undefined)?.[1],
  distinct: (entries) => new Set(entries.map(([, value]) => value)).size,
}

const digest = (value: unknown) => createHash('sha256').update(String(value)).digest('hex').slice(0, 16)

function measureFor(
  name: MeasureName,
  measured: Measured,
  expected: Expected,
  window: Window,
  where: Compiled,
  whole: boolean,
): Measure {
  const { event, property } = measured
  const keep = whole ? 'all' : name === 'distinct' ? 'distinct' : name === 'last' ? 'last' : 'all'
  const words =
    name === 'first' || name === 'last' ? [expected].flat().filter((value) => typeof value === 'string') : []
  const shape = name === 'count' ? 'one' : name === 'distinct' ? 'digest' : words.length > 0 ? 'word' : 'number'
  // Sums, means and extremes of the same property keep the same; what is only kept in part is kept apart.
  const identity = { event, property, where: measured.where, shape, keep, words, from: measured.from, to: measured.to }
  const steps = property?.split('.') ?? []
  const read = valueReader(shape, words)
  const conditions = measured.where === undefined ? undefined : where
  return {
    key: `${event}#${createHash('sha256').update(canonicalize(identity)!).digest('hex').slice(0, 16)}`,
    event,
    ...(measured.where && { where: measured.where }),
    keep,
    keepMs: window.keepMs,
    ...(window.range && { range: window.range }),
    take(taken) {
      if (conditions && !conditions.test(whereView(taken))) return undefined
      return shape === 'one' ? true : read(readSteps(taken.properties, steps))
    },
  }
}

/** Text is kept only where it is a word of the rule; long numbers, which could be somebody's, never. */
function valueReader(shape: string, words: readonly string[]): (found: unknown) => MeasuredValue | undefined {
  if (shape === 'digest')
    return (found) => (found === undefined || typeof found === 'object' ? undefined : digest(asNumeric(found)))
  const number = (found: unknown) => {
    const value = asNumeric(found)
    return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) < LONG_NUMBER ? value : undefined
  }
  if (shape === 'number') return (found) => (typeof found === 'boolean' ? found : number(found))
  return (found) =>
    typeof found === 'boolean'
      ? found
      : typeof found === 'string' && words.includes(found)
        ? found
        : (number(found) ?? (typeof found === 'string' ? '(text)' : undefined))
}

/** Conditions under `where` read the event alone. */
function whereView(event: MeasuredEvent): RuleView {
  return { now: Date.parse(event.occurredAt), profile: NOBODY, purpose: '', counted: {}, known: false, event }
}

const NOBODY: RuleView['profile'] = emptyProfile('')

/** The entries of a measure with one more event in it, pruned. The same list when the event does not count. */
export function withEvent(entries: Entries, measure: Measure, event: MeasuredEvent): [number, MeasuredValue][] {
  const kept = entries as [number, MeasuredValue][]
  const at = Date.parse(event.occurredAt)
  if (measure.range && (at < measure.range.from || at >= measure.range.to)) return kept
  const value = measure.take(event)
  if (value === undefined) return kept
  const others = measure.keep === 'distinct' ? kept.filter((entry) => entry[1] !== value || entry[0] > at) : [...kept]
  const place = others.findLastIndex((entry) => entry[0] <= at) + 1
  const known =
    measure.keep === 'distinct' && others.length === kept.length && others.some((entry) => entry[1] === value)
  if (!known) others.splice(place, 0, [at, value])
  return pruned(others, measure)
}

function pruned(entries: [number, MeasuredValue][], { keep, keepMs }: Measure): [number, MeasuredValue][] {
  if (keep === 'last') return entries.slice(-1)
  const oldest = entries.at(-1)![0] - keepMs
  return entries.filter(([at]) => at >= oldest).slice(-MEASURED_KEPT)
}

/** The measure with this key may hold something of events of that name. */
export const measuresName = (key: string, name: string): boolean =>
  nameMatches(key.slice(0, key.lastIndexOf('#')), name)

/** Two people are one: what was measured of either was measured of both. */
export function mergeEntries(a: Entries = [], b: Entries = []): [number, MeasuredValue][] {
  return [...a, ...b]
    .map(([at, value]): [number, MeasuredValue] => [at, value])
    .sort((x, y) => x[0] - y[0] || (String(x[1]) < String(y[1]) ? -1 : 1))
    .slice(-MEASURED_KEPT)
}

/** A condition that is no group. */
export type Atom = Exclude<Condition, Conditions>

/** Every condition of a group, groups inside it opened, with its place. */
export function leavesOf(
  conditions: Conditions | undefined,
  path: readonly (string | number)[] = [],
): { condition: Atom; path: (string | number)[] }[] {
  return (['all', 'any', 'none'] as const).flatMap((group) =>
    (conditions?.[group] ?? []).flatMap((condition, index) => {
      const place = [...path, group, index]
      return isGroup(condition) ? leavesOf(condition, place) : [{ condition: condition as Atom, path: place }]
    }),
  )
}

export function isGroup(condition: object): condition is Conditions {
  return 'all' in condition || 'any' in condition || 'none' in condition
}
