/** The `when` of a rule, compiled: what each kind of trigger listens to, and the conditions that stand in it. */
import type { Conditions, MeasureCondition, Rule } from '../../schemas/rule.ts'
import { type Compiled, compileConditions } from './compile.ts'
import { parseDuration } from './duration.ts'
import { type CompiledMeasure, compileMeasure, isMeasure } from './measures.ts'
import { nameMatches, namesMatcher } from './names.ts'

/** An event with its own conditions. */
export interface EventPattern {
  readonly event: string
  readonly matches: (name: string) => boolean
  /** Undefined: the name is enough. */
  readonly where: Compiled | undefined
}

export interface CompiledAbsence {
  readonly start: string
  readonly startWhere: Compiled | undefined
  readonly unless: readonly EventPattern[]
  /** The name is that of an event of `unless`, whatever its conditions. */
  readonly unlessNames: (name: string) => boolean
  readonly cancelledByEmptyCart: boolean
  readonly withinMs: number
  readonly graceMs: number
  /** Property path that names the instance. */
  readonly correlate: readonly string[] | undefined
  /** What ends an instance cannot be told from times alone: it is noted when it happens. */
  readonly notesClosings: boolean
}

export interface CompiledSequence {
  readonly steps: readonly EventPattern[]
  readonly strict: boolean
  readonly withinMs: number
  readonly correlate: readonly string[] | undefined
}

/** A line that a score passes. */
export interface CompiledLine {
  readonly score: string
  readonly line: number
  readonly direction: 'above' | 'below'
  /** Where the score has to come back to before it counts again. */
  readonly rearm: number
  /** Looked at when the schedule says, not when the score changes. */
  readonly scheduled: boolean
}

const pattern = (entry: { event: string; where?: Conditions }, path: string): EventPattern => ({
  event: entry.event,
  matches: entry.event.includes('*') ? (name) => nameMatches(entry.event, name) : (name) => name === entry.event,
  where: entry.where && compileConditions(entry.where, path),
})

export function compileAbsence({ when }: Rule): CompiledAbsence | undefined {
  if (!('absence' in when)) return undefined
  const { start, unless, within, correlate, grace } = when.absence
  const patterns = unless.any.flatMap((entry, index) =>
    'event' in entry ? [pattern(entry, `when.absence.unless.any.${index}.where`)] : [],
  )
  return {
    start: start.event,
    startWhere: start.where && compileConditions(start.where, 'when.absence.start.where'),
    unless: patterns,
    unlessNames: namesMatcher(patterns.map(({ event }) => event)),
    cancelledByEmptyCart: unless.any.some((entry) => 'cart' in entry),
    withinMs: parseDuration(within),
    graceMs: grace === undefined ? 0 : parseDuration(grace),
    correlate: correlate?.split('.'),
    notesClosings: correlate !== undefined || patterns.some(({ where }) => where !== undefined),
  }
}

export function compileSequence({ when }: Rule): CompiledSequence | undefined {
  if (!('sequence' in when)) return undefined
  const { steps, order, within, correlate } = when.sequence
  return {
    steps: steps.map((step, index) => pattern(step, `when.sequence.steps.${index}.where`)),
    strict: order !== 'any',
    withinMs: parseDuration(within),
    correlate: correlate?.split('.'),
  }
}

/** `when: {sum: …, op, value}`: fires on the event that makes it true. */
export function compileCrossing({ when }: Rule): CompiledMeasure | undefined {
  return isMeasure(when)
    ? compileMeasure(when as MeasureCondition, (where) => compileConditions(where, 'when.where'), true)
    : undefined
}

export function compileLine({ when }: Rule): CompiledLine | undefined {
  if (!('crosses' in when)) return undefined
  const { score, above, below, rearm_above: rearmAbove, rearm_below: rearmBelow } = when.crosses
  const scheduled = when.schedule !== undefined
  return above === undefined
    ? { score, line: below!, direction: 'below', rearm: rearmAbove ?? below!, scheduled }
    : { score, line: above, direction: 'above', rearm: rearmBelow ?? above, scheduled }
}

/** Events that end an instance of a rule: `unless` of an absence, and its goals. */
export function endings(rule: Rule): { readonly event: string; readonly where?: Conditions }[] {
  const unless = 'absence' in rule.when ? rule.when.absence.unless.any : []
  return [
    ...unless.flatMap((entry) => ('event' in entry ? [entry] : [])),
    ...(rule.exit_on ?? []).map((event) => ({ event })),
  ]
}

/** Every group of conditions of a rule, with its place. Those under `where` of a measure are the measure's own. */
export function placesOf(rule: Rule): { conditions: Conditions; path: (string | number)[] }[] {
  const { when, who } = rule
  const found: { conditions: Conditions | undefined; path: (string | number)[] }[] = [
    { conditions: who, path: ['who'] },
  ]
  if ('event' in when) found.push({ conditions: when.where, path: ['when', 'where'] })
  if ('absence' in when) {
    found.push({ conditions: when.absence.start.where, path: ['when', 'absence', 'start', 'where'] })
    for (const [index, entry] of when.absence.unless.any.entries())
      if ('event' in entry)
        found.push({ conditions: entry.where, path: ['when', 'absence', 'unless', 'any', index, 'where'] })
  }
  if ('sequence' in when)
    for (const [index, step] of when.sequence.steps.entries())
      found.push({ conditions: step.where, path: ['when', 'sequence', 'steps', index, 'where'] })
  for (const [index, branch] of (rule.then.branches ?? []).entries())
    found.push({ conditions: branch.who, path: ['then', 'branches', index, 'who'] })
  return found.flatMap(({ conditions, path }) => (conditions ? [{ conditions, path }] : []))
}
