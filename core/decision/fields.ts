/** Fields a condition may read, how they compare, and how they are told. Missing is undefined. */
import type { FieldCondition, Operator } from '../../schemas/rule.ts'
import type { ClauseValue, RuleView } from './compile.ts'
import { moneyWords, numberWords } from './money-words.ts'

/** The fields a rule may name, for messages. */
export const FIELDS =
  'cart.total, cart.items, cart.url, traits.<trait>, event.<property>, counters.<purpose>.<name>, scores.<id>, computed.<id>, person.known'

export function isField(field: string): boolean {
  return /^(cart\.(total|items|url)|person\.known|traits\..+|event\..+|counters\.[^.]+\..+|(scores|computed)\.[^.]+)$/.test(
    field,
  )
}

/** The purpose in `counters.<purpose>.<name>`. */
export const counterPurpose = (field: string): string => field.split('.')[1] ?? ''

/** Fields whose value is always a number. */
export const isNumberField = (field: string): boolean =>
  field === 'cart.total' || field === 'cart.items' || /^(counters|scores)\./.test(field)

export function fieldReader(field: string): (view: RuleView) => unknown {
  if (field === 'cart.total') return (view) => view.profile.cart?.total
  if (field === 'cart.url') return (view) => view.profile.cart?.url
  if (field === 'cart.items') return (view) => view.profile.cart?.lines.reduce((sum, line) => sum + line.quantity, 0)
  if (field === 'person.known') return (view) => view.known
  const [root, ...steps] = field.split('.')
  const rest = steps.join('.')
  const inherited = isInherited(rest)
  if (root === 'traits')
    return ({ profile, purpose }) => {
      const trait = inherited && !Object.hasOwn(profile.traits, rest) ? undefined : profile.traits[rest]
      return trait && (trait.purposes.length === 0 || trait.purposes.includes(purpose)) ? trait.value : undefined
    }
  if (root === 'counters') {
    const [purpose, ...name] = steps
    return (view) => readSteps(view.profile.counters, [purpose!, name.join('.')]) ?? 0
  }
  // Of another purpose it is as good as missing, like a trait.
  if (root === 'scores' || root === 'computed')
    return ({ profile, purpose }) => {
      const known = Object.hasOwn(profile[root] ?? {}, rest) ? profile[root]![rest]! : undefined
      return known?.purpose === purpose ? known.value : undefined
    }
  if (steps.length === 1 && !inherited)
    return ({ event }) => {
      const properties = event?.properties
      return properties === undefined ? undefined : (properties[rest] ?? undefined)
    }
  return (view) => readSteps(view.event?.properties, steps)
}

/** Names that every object has without having been given them. */
const isInherited = (name: string): boolean => name in Object.prototype

export function readSteps(from: unknown, steps: readonly string[]): unknown {
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

/** Numbers beside numbers, which most conditions are about. */
function quickly(op: Comparison, expected: number): (found: number) => boolean {
  switch (op) {
    case 'eq':
      return (found) => found === expected
    case 'ne':
      return (found) => found !== expected
    case 'gt':
      return (found) => found > expected
    case 'gte':
      return (found) => found >= expected
    case 'lt':
      return (found) => found < expected
    case 'lte':
      return (found) => found <= expected
  }
}

/** Two numbers, or two texts (dates in ISO 8601 order as text does). Anything else is in no order: NaN. */
function order(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return Number.NaN
}

const NUMERIC = /^-?\d+(\.\d+)?$/
/** Sources often write numbers as text; who asks for a number means the number. */
export const asNumeric = (found: unknown): unknown =>
  typeof found === 'string' && NUMERIC.test(found.trim()) ? Number(found) : found

const alike = (found: unknown, expected: unknown): unknown => (typeof expected === 'number' ? asNumeric(found) : found)

export type Expected = FieldCondition['value']

export function fieldTest(op: Operator, expected: Expected): (found: unknown) => boolean {
  switch (op) {
    case 'exists':
      return (found) => found !== undefined
    case 'absent':
      return (found) => found === undefined
    case 'in': {
      const values = Array.isArray(expected) ? expected : []
      if (values.every((value) => typeof value === 'string')) {
        const texts: readonly unknown[] = values
        return (found) => texts.includes(found)
      }
      return (found) => values.some((value) => alike(found, value) === value)
    }
    case 'contains':
      return (found) =>
        typeof found === 'string'
          ? found.includes(String(expected))
          : Array.isArray(found) && found.some((item) => alike(item, expected) === expected)
    default: {
      const compare = COMPARE[op]
      if (typeof expected === 'number') {
        const quick = quickly(op, expected)
        return (found) => (typeof found === 'number' ? quick(found) : compare(asNumeric(found), expected))
      }
      return (found) => compare(alike(found, expected), expected)
    }
  }
}

/** Numbers from here on are long enough to be somebody's number. */
export const LONG_NUMBER = 1e9

/** @param free the value comes from outside as it was sent: text that is no word of the rule, and long numbers, are named by their kind. */
export function shown(found: unknown, expected: Expected, free: boolean): ClauseValue {
  if (found === undefined || found === null) return null
  if (typeof found === 'boolean') return found
  if (typeof found === 'number') return free && Math.abs(found) >= LONG_NUMBER ? '(number)' : found
  if (typeof found === 'string') return !free || isWord(found, expected) ? found : '(text)'
  return Array.isArray(found) ? `(list of ${found.length})` : '(object)'
}

const isWord = (found: string, expected: Expected): boolean =>
  Array.isArray(expected) ? (expected as readonly unknown[]).includes(found) : found === expected

export const isFreeField = (field: string): boolean => field.startsWith('event.') || field === 'cart.url'

// ---------------------------------------------------------------- words

export const OPERATOR_WORDS: Record<Operator, { en: string; pt: string }> = {
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

const ROOT_LABELS: Readonly<Record<string, (rest: string) => { en: string; pt: string }>> = {
  traits: (rest) => ({ en: `trait "${rest}"`, pt: `característica "${rest}"` }),
  counters: (rest) => ({ en: `counter "${rest}"`, pt: `contador "${rest}"` }),
  event: (rest) => ({ en: `"${rest}" of the event`, pt: `"${rest}" do evento` }),
  scores: (rest) => ({ en: `score "${rest}"`, pt: `pontuação "${rest}"` }),
  computed: (rest) => ({ en: `computed trait "${rest}"`, pt: `característica calculada "${rest}"` }),
}

export function fieldLabel(field: string): { en: string; pt: string } {
  const [root, ...steps] = field.split('.')
  return LABELS[field] ?? ROOT_LABELS[root!]?.(steps.join('.')) ?? { en: `"${field}"`, pt: `"${field}"` }
}

export function fieldWords(condition: FieldCondition): { en: string; pt: string } {
  const { field, op, value } = condition
  if (field === 'person.known' && op === 'eq' && typeof value === 'boolean')
    return value
      ? { en: 'the person is identified', pt: 'a pessoa está identificada' }
      : { en: 'the person is not identified', pt: 'a pessoa não está identificada' }
  const label = fieldLabel(field)
  const literal = expectedWords(op, value, field === 'cart.total' ? 'money' : isFreeField(field) ? 'free' : 'plain')
  return {
    en: `${label.en} ${OPERATOR_WORDS[op].en}${literal.en}`,
    pt: `${label.pt} ${OPERATOR_WORDS[op].pt}${literal.pt}`,
  }
}

/** The value of a condition, with a space before it; empty where the operator takes none. */
export function expectedWords(
  op: Operator,
  value: Expected,
  kind: 'money' | 'free' | 'plain',
): { en: string; pt: string } {
  if (value === undefined || op === 'exists' || op === 'absent') return { en: '', pt: '' }
  const words = (language: 'en' | 'pt') =>
    ` ${[value]
      .flat()
      .map((item) => literalWords(item, kind, language))
      .join(', ')}`
  return { en: words('en'), pt: words('pt') }
}

/** Money is written with its cents. A word of the rule that could be somebody's address or number is left out. */
function literalWords(
  value: string | number | boolean,
  kind: 'money' | 'free' | 'plain',
  language: 'en' | 'pt',
): string {
  if (typeof value === 'boolean') return language === 'pt' ? (value ? 'sim' : 'não') : value ? 'yes' : 'no'
  if (typeof value === 'number') {
    if (kind === 'money') return moneyWords(value, language)
    return kind === 'free' && Math.abs(value) >= LONG_NUMBER ? '(…)' : numberWords(value, language)
  }
  return /@|\d{8}/.test(value.replace(/[\s.()-]/g, '')) ? '(…)' : `"${value}"`
}
