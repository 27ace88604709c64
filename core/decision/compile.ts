/**
 * Conditions as closures, with a trace of why. Nothing is evaluated from text: a condition is data, its field is one of
 * a closed list of roots, its operator one of a closed list of words.
 */
import type { MeasuredValue, OpenProfile } from '../../schemas/profile.ts'
import type { AudienceCondition, Condition, Conditions, FieldCondition, MeasureCondition } from '../../schemas/rule.ts'
import { expectedWords, fieldReader, fieldTest, fieldWords, isFreeField, OPERATOR_WORDS, shown } from './fields.ts'
import { type Atom, type CompiledMeasure, compileMeasure, isGroup, isMeasure } from './measures.ts'
import { nameMatches } from './names.ts'

/** What conditions may look at. `now` is epoch milliseconds; counts include the event being decided on. */
export interface RuleView {
  readonly now: number
  readonly profile: OpenProfile
  /** The rule's own: traits collected for others only count as missing. */
  readonly purpose: string
  /** Times of events kept for that purpose. */
  readonly counted: OpenProfile['recent']
  /** What is measured of events kept for that purpose, by `Measure.key`. */
  readonly measured?: Readonly<Record<string, readonly (readonly [number, MeasuredValue])[]>>
  /** Whose calendar days count; America/Sao_Paulo where neither is known. */
  readonly zones?: { readonly person?: string; readonly organization: string }
  readonly event?: {
    readonly properties: Readonly<Record<string, unknown>>
    /** Where a source may say which session it is of. */
    readonly context?: Readonly<Record<string, unknown>>
    /** ISO 8601. */
    readonly occurredAt?: string
  }
  /** What was measured already for this view: many rules ask the same. */
  readonly measuredAlready?: Map<string, MeasuredValue | undefined>
  /** The person has a user id, an e-mail or a phone. */
  readonly known: boolean
}

export type ClauseValue = string | number | boolean | null

/** One condition as it stood when it was tried. */
export interface Clause {
  /** Place in the rule: who.all.0, when.where.any.1, who.all.0.any.2 in a nested group. Counters per clause use it. */
  readonly id: string
  /** In English. */
  readonly clause: string
  /** Em português. */
  readonly pt: string
  readonly ok: boolean
  /**
   * What was found; null when missing. Text of an event that is not a word of the rule itself, and numbers
   * long enough to be somebody's number, are replaced by their kind: explanations are stored in the open.
   */
  readonly value: ClauseValue
  /** The value is money in hundredths of the currency unit. */
  readonly unit?: 'cents'
}

export interface Compiled {
  /** What each clause says, in the order of `explain`. */
  readonly words: readonly Pick<Clause, 'id' | 'clause' | 'pt' | 'unit'>[]
  test(view: RuleView): boolean
  explain(view: RuleView): Clause[]
  /** Whether these clauses, as `explain` gave them, hold together. */
  holds(clauses: readonly Clause[]): boolean
  /** Of these clauses those that made the whole not hold: in a group where one is enough, only when none held. */
  broken(clauses: readonly Clause[]): Clause[]
  /** Epoch ms of the earliest moment at which time alone may change the answer; undefined: never. */
  changesAt(view: RuleView): number | undefined
}

/** One atom, and in a group of "none" its opposite. */
interface CompiledClause {
  readonly id: string
  readonly en: string
  readonly pt: string
  /** What it is about: read once, to be judged and told. */
  find(view: RuleView): unknown
  holds(found: unknown): boolean
  shows(found: unknown): ClauseValue
  readonly unit?: 'cents'
  changesAt?(view: RuleView): number | undefined
}

/** Groups as a tree whose leaves are in the order of the clauses. "None" is turned into opposites on the way down. */
type Tree = { readonly leaf: CompiledClause } | { readonly every: readonly Tree[] } | { readonly some: readonly Tree[] }

/** @param path where the conditions stand in the rule: "who" or "when.where". */
export function compileConditions(conditions: Conditions | undefined, path: string): Compiled {
  const tree = groupTree(conditions ?? {}, path, false)
  const leaves = leavesOfTree(tree)
  // Nearly all rules: every clause has to hold.
  const flat = 'every' in tree && tree.every.every((part) => 'leaf' in part)
  const timed = leaves.filter((leaf) => leaf.changesAt !== undefined)
  return {
    words: leaves.map(({ id, en, pt, unit }) => ({ id, clause: en, pt, ...(unit && { unit }) })),
    test: tester(tree),
    explain(view) {
      const clauses: Clause[] = []
      for (const { id, en, pt, unit, find, holds, shows } of leaves) {
        const found = find(view)
        const told = { id, clause: en, pt, ok: holds(found), value: shows(found) }
        clauses.push(unit ? { ...told, unit } : told)
      }
      return clauses
    },
    holds: flat ? (clauses) => clauses.every(isOk) : (clauses) => weigh(tree, clauses, { next: 0 }).ok,
    broken: (clauses) => weigh(tree, clauses, { next: 0 }).broken,
    changesAt: (view) => earliest(timed.map((leaf) => leaf.changesAt!(view))),
  }
}

const isOk = ({ ok }: Clause): boolean => ok

/** The earlier of moments that may never come. */
export function earliest(moments: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined
  for (const moment of moments) if (moment !== undefined && (first === undefined || moment < first)) first = moment
  return first
}

function groupTree({ all = [], any = [], none = [] }: Conditions, path: string, negated: boolean): Tree {
  const part = (name: 'all' | 'any' | 'none', conditions: readonly Condition[]) =>
    conditions.map((condition, index) =>
      conditionTree(condition, `${path}.${name}.${index}`, negated !== (name === 'none')),
    )
  const parts = [part('all', all), part('any', any), part('none', none)] as const
  if (negated) return { some: [...parts[0], ...(any.length > 0 ? [{ every: parts[1] }] : []), ...parts[2]] }
  return { every: [...parts[0], ...(any.length > 0 ? [{ some: parts[1] }] : []), ...parts[2]] }
}

function conditionTree(condition: Condition, id: string, negated: boolean): Tree {
  if (isGroup(condition)) return groupTree(condition, id, negated)
  const clause = atom(condition, id)
  if (!negated) return { leaf: { id, ...clause } }
  const { en, pt, holds } = clause
  return { leaf: { ...clause, id, en: `not: ${en}`, pt: `não: ${pt}`, holds: (found) => !holds(found) } }
}

function atom(condition: Atom, id: string): Omit<CompiledClause, 'id'> {
  if (isMeasure(condition)) return measureAtom(condition, id)
  if ('audience' in condition) return audienceAtom(condition)
  return fieldAtom(condition as FieldCondition)
}

function leavesOfTree(tree: Tree): CompiledClause[] {
  if ('leaf' in tree) return [tree.leaf]
  return ('every' in tree ? tree.every : tree.some).flatMap(leavesOfTree)
}

function tester(tree: Tree): (view: RuleView) => boolean {
  if ('leaf' in tree) {
    const { find, holds } = tree.leaf
    return (view) => holds(find(view))
  }
  if ('every' in tree) return everyOf(tree.every.map(tester))
  const parts = tree.some.map(tester)
  return (view) => parts.some((part) => part(view))
}

/** Of the usual few without a loop. */
function everyOf(parts: readonly ((view: RuleView) => boolean)[]): (view: RuleView) => boolean {
  const [first, second, third] = parts
  if (!first) return () => true
  if (!second) return first
  if (!third) return (view) => first(view) && second(view)
  if (parts.length === 3) return (view) => first(view) && second(view) && third(view)
  return (view) => parts.every((part) => part(view))
}

function weigh(tree: Tree, clauses: readonly Clause[], at: { next: number }): { ok: boolean; broken: Clause[] } {
  if ('leaf' in tree) {
    const clause = clauses[at.next++]
    return { ok: clause?.ok === true, broken: clause && !clause.ok ? [clause] : [] }
  }
  const parts = ('every' in tree ? tree.every : tree.some).map((part) => weigh(part, clauses, at))
  const ok = 'every' in tree ? parts.every((part) => part.ok) : parts.some((part) => part.ok)
  return { ok, broken: ok ? [] : parts.flatMap((part) => part.broken) }
}

// ---------------------------------------------------------------- atoms

/** A missing field satisfies only `absent` and `ne`. A counter nobody has fed is 0. */
function fieldAtom(condition: FieldCondition): Omit<CompiledClause, 'id'> {
  const { field, op, value: expected } = condition
  const read = fieldReader(field)
  const test = fieldTest(op, expected)
  const free = isFreeField(field)
  return {
    ...fieldWords(condition),
    find: read,
    holds: test,
    shows: (found) => shown(found, expected, free),
    ...(field === 'cart.total' && { unit: 'cents' as const }),
  }
}

function audienceAtom({ audience, in: member }: AudienceCondition): Omit<CompiledClause, 'id'> {
  const within = ({ profile, purpose }: RuleView) =>
    Object.hasOwn(profile.audiences ?? {}, audience) && profile.audiences![audience]!.purpose === purpose
  return {
    en: member ? `is in the audience "${audience}"` : `is not in the audience "${audience}"`,
    pt: member ? `está no público "${audience}"` : `não está no público "${audience}"`,
    find: within,
    holds: (found) => found === member,
    shows: (found) => found === true,
  }
}

function measureAtom(condition: MeasureCondition, id: string): Omit<CompiledClause, 'id'> {
  const compiled = compileMeasure(condition, (where) => compileConditions(where, `${id}.where`))
  return { ...measureTest(compiled), ...measureWords(compiled) }
}

/** How a measure compares, of whatever moment. */
export function measureTest({ condition, name, value, changesAt }: CompiledMeasure) {
  const raw = name === 'first' || name === 'last' || name === 'min' || name === 'max'
  return {
    find: value,
    holds: fieldTest(condition.op, condition.value),
    shows: (found: unknown) => shown(found, condition.value, raw),
    changesAt,
  }
}

const MEASURE_WORDS = {
  count: { en: 'number of', pt: 'quantidade de' },
  sum: { en: 'sum of', pt: 'soma de' },
  avg: { en: 'average of', pt: 'média de' },
  min: { en: 'smallest', pt: 'menor' },
  max: { en: 'largest', pt: 'maior' },
  first: { en: 'first', pt: 'primeiro valor de' },
  last: { en: 'last', pt: 'último valor de' },
  distinct: { en: 'number of different', pt: 'quantidade de valores distintos de' },
} as const

export function measureWords({ condition, name, measured, window }: CompiledMeasure): { en: string; pt: string } {
  const { event, where } = measured
  const on = { en: whereWords(where, 'en'), pt: whereWords(where, 'pt') }
  const never = name === 'count' && condition.op === 'eq' && condition.value === 0
  if (never)
    return { en: `no "${event}"${on.en} ${window.words.en}`, pt: `nenhum "${event}"${on.pt} ${window.words.pt}` }
  const label = measureLabel({ name, measured, window })
  const expected = expectedWords(condition.op, condition.value, 'free')
  return {
    en: `${label.en} ${OPERATOR_WORDS[condition.op].en}${expected.en}`,
    pt: `${label.pt} ${OPERATOR_WORDS[condition.op].pt}${expected.pt}`,
  }
}

/** What is measured, without what is asked of it. */
export function measureLabel({
  name,
  measured: { event, property, where },
  window,
}: Pick<CompiledMeasure, 'name' | 'measured' | 'window'>): { en: string; pt: string } {
  const of = property === undefined ? { en: '', pt: '' } : { en: ` "${property}" of`, pt: ` "${property}" em` }
  const { en, pt } = MEASURE_WORDS[name]
  return {
    en: `${en}${of.en} "${event}"${whereWords(where, 'en')} ${window.words.en}`,
    pt: `${pt}${of.pt} "${event}"${whereWords(where, 'pt')} ${window.words.pt}`,
  }
}

/** Conditions on the events that are measured, in brackets. */
function whereWords(where: Conditions | undefined, language: 'en' | 'pt'): string {
  if (where === undefined) return ''
  const words = groupWords(where, language)
  return words === '' ? '' : language === 'pt' ? ` (em que ${words})` : ` (where ${words})`
}

function groupWords({ all = [], any = [], none = [] }: Conditions, language: 'en' | 'pt'): string {
  const [and, or, not] = language === 'pt' ? [' e ', ' ou ', 'não: '] : [' and ', ' or ', 'not: ']
  const one = (condition: Condition): string => {
    if (isGroup(condition)) return `(${groupWords(condition, language)})`
    const { en, pt } = atom(condition, '')
    return language === 'pt' ? pt : en
  }
  return [
    ...all.map(one),
    ...(any.length > 0 ? [any.length > 1 ? `(${any.map(one).join(or)})` : one(any[0]!)] : []),
    ...none.map((condition) => `${not}${one(condition)}`),
  ].join(and)
}

// ---------------------------------------------------------------- counts of times

/** Events of that name or glob later than `after` (epoch ms). Exactly `after` is outside: windows are (now - w, now]. */
export function countSince(recent: OpenProfile['recent'], pattern: string, after: number): number {
  if (!pattern.includes('*')) return later(Object.hasOwn(recent, pattern) ? recent[pattern] : undefined, after)
  let count = 0
  for (const name of Object.keys(recent)) if (nameMatches(pattern, name)) count += later(recent[name], after)
  return count
}

function later(times: readonly string[] | undefined, after: number): number {
  let count = 0
  for (const time of times ?? []) if (Date.parse(time) > after) count++
  return count
}
