/**
 * Conditions of a rule as closures, with a trace of why. Nothing is evaluated from text: a condition is
 * data, its field is one of a closed list of roots, its operator one of a closed list of words.
 */

import type { OpenProfile } from '../../schemas/profile.ts'
import type { Condition, Conditions, CountCondition, FieldCondition } from '../../schemas/rule.ts'
import { durationWords, parseDuration } from './duration.ts'
import { moneyWords } from './money-words.ts'
import { nameMatches } from './names.ts'

/** What conditions may look at. `now` is epoch milliseconds; counts include the event being decided on. */
export interface RuleView {
  readonly now: number
  readonly profile: OpenProfile
  /** The rule's own: traits collected for others only count as missing. */
  readonly purpose: string
  /** Times of events kept for that purpose. */
  readonly counted: OpenProfile['recent']
  readonly event?: { readonly properties: Readonly<Record<string, unknown>> }
  /** The person has a user id, an e-mail or a phone. */
  readonly known: boolean
}

export type ClauseValue = string | number | boolean | null

/** One condition as it stood when it was tried. */
export interface Clause {
  /** Place in the rule: who.all.0, when.where.any.1. Counters per clause use it. */
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
  test(view: RuleView): boolean
  explain(view: RuleView): Clause[]
  /** Whether these clauses, as `explain` gave them, hold together. */
  holds(clauses: readonly Clause[]): boolean
}

interface CompiledClause {
  readonly id: string
  readonly en: string
  readonly pt: string
  /** In `none`, true when the condition does not hold. */
  test(view: RuleView): boolean
  value(view: RuleView): ClauseValue
  readonly unit?: 'cents'
}

/** @param path where the conditions stand in the rule: "who" or "when.where". */
export function compileConditions(conditions: Conditions | undefined, path: string): Compiled {
  const group = (name: 'all' | 'any' | 'none') =>
    (conditions?.[name] ?? []).map((condition, index) =>
      compileCondition(condition, `${path}.${name}.${index}`, name === 'none'),
    )
  const all = group('all')
  const any = group('any')
  const none = group('none')
  const every = [...all, ...any, ...none]
  return {
    test: (view) =>
      all.every((clause) => clause.test(view)) &&
      (any.length === 0 || any.some((clause) => clause.test(view))) &&
      none.every((clause) => clause.test(view)),
    explain: (view) =>
      every.map((clause) => ({
        id: clause.id,
        clause: clause.en,
        pt: clause.pt,
        ok: clause.test(view),
        value: clause.value(view),
        ...(clause.unit && { unit: clause.unit }),
      })),
    holds: (clauses) => {
      const afterAny = all.length + any.length
      const [first, middle, last] = [
        clauses.slice(0, all.length),
        clauses.slice(all.length, afterAny),
        clauses.slice(afterAny),
      ]
      return (
        first.every((clause) => clause.ok) &&
        (middle.length === 0 || middle.some((clause) => clause.ok)) &&
        last.every((clause) => clause.ok)
      )
    },
  }
}

function compileCondition(condition: Condition, id: string, negated: boolean): CompiledClause {
  const clause = 'count' in condition ? compileCount(condition) : compileField(condition)
  if (!negated) return { id, ...clause }
  return { ...clause, id, en: `not: ${clause.en}`, pt: `não: ${clause.pt}`, test: (view) => !clause.test(view) }
}

// ---------------------------------------------------------------- counts

function compileCount(condition: CountCondition): Omit<CompiledClause, 'id'> {
  const { event, window } = condition.count
  const ms = parseDuration(window)
  const count = (view: RuleView) => countSince(view.counted, event, view.now - ms)
  const compare = COMPARE[condition.op]
  const never = condition.op === 'eq' && condition.value === 0
  return {
    en: never
      ? `no "${event}" within ${durationWords(ms, 'en')}`
      : `number of "${event}" within ${durationWords(ms, 'en')} ${WORDS[condition.op].en} ${condition.value}`,
    pt: never
      ? `nenhum "${event}" no período de ${durationWords(ms, 'pt')}`
      : `quantidade de "${event}" no período de ${durationWords(ms, 'pt')} ${WORDS[condition.op].pt} ${condition.value}`,
    test: (view) => compare(count(view), condition.value),
    value: count,
  }
}

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

// ---------------------------------------------------------------- fields

/** A missing field satisfies only `absent` and `ne`. A counter nobody has fed is 0. */
function compileField(condition: FieldCondition): Omit<CompiledClause, 'id'> {
  const { field, op } = condition
  const read = fieldReader(field)
  const expected = condition.value
  const test = fieldTest(op, expected)
  const words = fieldWords(condition)
  return {
    ...words,
    test: (view) => test(read(view)),
    value: (view) => shown(field, read(view), expected),
    ...(field === 'cart.total' && { unit: 'cents' as const }),
  }
}

/** The fields a rule may name, for messages. */
export const FIELDS =
  'cart.total, cart.items, cart.url, traits.<trait>, event.<property>, counters.<purpose>.<name>, person.known'

export function isField(field: string): boolean {
  return /^(cart\.(total|items|url)|person\.known|traits\..+|event\..+|counters\.[^.]+\..+)$/.test(field)
}

/** The purpose in `counters.<purpose>.<name>`. */
export const counterPurpose = (field: string): string => field.split('.')[1] ?? ''

function fieldReader(field: string): (view: RuleView) => unknown {
  if (field === 'cart.total') return (view) => view.profile.cart?.total
  if (field === 'cart.url') return (view) => view.profile.cart?.url
  if (field === 'cart.items') return (view) => view.profile.cart?.lines.reduce((sum, line) => sum + line.quantity, 0)
  if (field === 'person.known') return (view) => view.known
  const [root, ...steps] = field.split('.')
  const rest = steps.join('.')
  if (root === 'traits')
    return ({ profile, purpose }) => {
      const trait = Object.hasOwn(profile.traits, rest) ? profile.traits[rest]! : undefined
      return trait && (trait.purposes.length === 0 || trait.purposes.includes(purpose)) ? trait.value : undefined
    }
  if (root === 'counters') {
    const [purpose, ...name] = steps
    return (view) => readSteps(view.profile.counters, [purpose!, name.join('.')]) ?? 0
  }
  return (view) => readSteps(view.event?.properties, steps)
}

function readSteps(from: unknown, steps: readonly string[]): unknown {
  let value = from
  for (const step of steps) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value ?? undefined
}

type Comparison = 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte'
const COMPARE: Record<Comparison, (a: unknown, b: unknown) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => order(a, b) > 0,
  gte: (a, b) => order(a, b) >= 0,
  lt: (a, b) => order(a, b) < 0,
  lte: (a, b) => order(a, b) <= 0,
}

/** Two numbers, or two texts (dates in ISO 8601 order as text does). Anything else is in no order: NaN. */
function order(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return Number.NaN
}

/** Sources often write numbers as text; a rule that names a number means the number. */
function alike(found: unknown, expected: unknown): unknown {
  return typeof expected === 'number' && typeof found === 'string' && /^-?\d+(\.\d+)?$/.test(found.trim())
    ? Number(found)
    : found
}

function fieldTest(op: FieldCondition['op'], expected: FieldCondition['value']): (found: unknown) => boolean {
  switch (op) {
    case 'exists':
      return (found) => found !== undefined
    case 'absent':
      return (found) => found === undefined
    case 'in': {
      const values = Array.isArray(expected) ? expected : []
      return (found) => values.some((value) => alike(found, value) === value)
    }
    case 'contains':
      return (found) =>
        typeof found === 'string'
          ? found.includes(String(expected))
          : Array.isArray(found) && found.some((item) => alike(item, expected) === expected)
    default: {
      const compare = COMPARE[op]
      return (found) => compare(alike(found, expected), expected)
    }
  }
}

function shown(field: string, found: unknown, expected: FieldCondition['value']): ClauseValue {
  if (found === undefined || found === null) return null
  if (typeof found === 'boolean') return found
  const free = field.startsWith('event.') || field === 'cart.url'
  if (typeof found === 'number') return free && Math.abs(found) >= 1e9 ? '(number)' : found
  if (typeof found === 'string') return !free || [expected].flat().includes(found) ? found : '(text)'
  return Array.isArray(found) ? `(list of ${found.length})` : '(object)'
}

// ---------------------------------------------------------------- words

const WORDS: Record<FieldCondition['op'], { en: string; pt: string }> = {
  eq: { en: 'is', pt: 'é' },
  ne: { en: 'is not', pt: 'não é' },
  gt: { en: 'is more than', pt: 'é maior que' },
  gte: { en: 'is at least', pt: 'é pelo menos' },
  lt: { en: 'is less than', pt: 'é menor que' },
  lte: { en: 'is at most', pt: 'é no máximo' },
  in: { en: 'is one of', pt: 'é um de' },
  contains: { en: 'contains', pt: 'contém' },
  exists: { en: 'is known', pt: 'é conhecido' },
  absent: { en: 'is not known', pt: 'não é conhecido' },
}

const LABELS: Readonly<Record<string, { en: string; pt: string }>> = {
  'cart.total': { en: 'cart total', pt: 'total do carrinho' },
  'cart.items': { en: 'number of pieces in the cart', pt: 'quantidade de peças no carrinho' },
  'cart.url': { en: 'cart address', pt: 'endereço do carrinho' },
}

function fieldWords(condition: FieldCondition): { en: string; pt: string } {
  const { field, op, value } = condition
  if (field === 'person.known' && op === 'eq' && typeof value === 'boolean')
    return value
      ? { en: 'the person is identified', pt: 'a pessoa está identificada' }
      : { en: 'the person is not identified', pt: 'a pessoa não está identificada' }
  const [root, ...steps] = field.split('.')
  const rest = steps.join('.')
  const label =
    LABELS[field] ??
    (root === 'traits'
      ? { en: `trait "${rest}"`, pt: `característica "${rest}"` }
      : root === 'counters'
        ? { en: `counter "${rest}"`, pt: `contador "${rest}"` }
        : root === 'event'
          ? { en: `"${rest}" of the event`, pt: `"${rest}" do evento` }
          : { en: `"${field}"`, pt: `"${field}"` })
  const literal = (language: 'en' | 'pt') =>
    value === undefined || op === 'exists' || op === 'absent'
      ? ''
      : ` ${[value]
          .flat()
          .map((item) => literalWords(item, field, language))
          .join(', ')}`
  return { en: `${label.en} ${WORDS[op].en}${literal('en')}`, pt: `${label.pt} ${WORDS[op].pt}${literal('pt')}` }
}

/** Money is written with its cents. A word of the rule that could be somebody's address or number is left out. */
function literalWords(value: string | number | boolean, field: string, language: 'en' | 'pt'): string {
  if (typeof value === 'boolean') return language === 'pt' ? (value ? 'sim' : 'não') : value ? 'yes' : 'no'
  if (typeof value === 'number') {
    if (field !== 'cart.total') return field.startsWith('event.') && Math.abs(value) >= 1e9 ? '(…)' : String(value)
    return moneyWords(value, language)
  }
  return /@|\d{8}/.test(value.replace(/[\s.()-]/g, '')) ? '(…)' : `"${value}"`
}
