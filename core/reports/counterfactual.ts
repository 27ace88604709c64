/**
 * The nearest change that would have turned a decision (LGPD art. 20 §1): found by search over the conditions of
 * the very rule version that decided, tried with the code that decides. What is told here really flips the result.
 */

import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import type { Counterfactual, CounterfactualChange } from '../../schemas/records.ts'
import type { Conditions, FieldCondition, MeasureCondition, Rule } from '../../schemas/rule.ts'
import { compileConditions, measureLabel, type RuleView } from '../decision/compile.ts'
import { parseDuration } from '../decision/duration.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { fieldLabel } from '../decision/fields.ts'
import type { Clause, Explanation } from '../decision/index.ts'
import { type Atom, compileMeasure, isMeasure, isPlainCount, leavesOf, measureOf } from '../decision/measures.ts'
import { moneyWords, numberWords } from '../decision/money-words.ts'
import { uncapital } from '../decision/sentence-how.ts'

type Value = string | number | boolean | null | readonly (string | number | boolean)[]
/** What a rule looks at, by `field` or by `count:<event>:<window>`. */
export type Situation = ReadonlyMap<string, Value>

const MAX_TRIES = 50_000

interface Named {
  readonly id: string
  readonly key: string
  readonly condition: Atom
}

/** Every condition of a rule with the id its clause has. */
function conditionsOf(rule: Rule): Named[] {
  const of = (conditions: Conditions | undefined, path: string) =>
    leavesOf(conditions, [path]).map(({ condition, path: place }) => ({
      id: place.join('.'),
      key: keyOf(condition),
      condition,
    }))
  return [...of('event' in rule.when ? rule.when.where : undefined, 'when.where'), ...of(rule.who, 'who')]
}

function keyOf(condition: Atom): string {
  if (isMeasure(condition)) {
    const { name, measured } = measureOf(condition)
    return isPlainCount({ name, measured }) && measured.calendar === undefined
      ? `count:${measured.event}:${measured.window}`
      : `measure:${JSON.stringify({ [name]: measured })}`
  }
  return 'audience' in condition ? `audience:${condition.audience}` : condition.field
}

/** Whether the conditions of a rule hold in a situation; undefined when no profile could be like that. */
export type Trial = (situation: Situation, now: number) => boolean | undefined

/** Compiled once, for many situations. */
export function trialOf(rule: Rule): Trial {
  const where = compileConditions('event' in rule.when ? rule.when.where : undefined, 'when.where')
  const who = compileConditions(rule.who, 'who')
  const measures = conditionsOf(rule).flatMap(({ key, condition }) =>
    isMeasure(condition) ? [{ key, measure: compileMeasure(condition, (inner) => compileConditions(inner, 'x')) }] : [],
  )
  return (situation, now) => {
    const view = viewOf(situation, now, rule.unless.purpose)
    if (!view) return undefined
    // Two measures may look at the same events: then a profile made for one changes the other, and it is not this situation.
    const faithful = measures.every(
      ({ key, measure }) => !situation.has(key) || (measure.value(view) ?? null) === situation.get(key),
    )
    return faithful ? where.test(view) && who.test(view) : undefined
  }
}

/** A profile and event that are like this. */
export function viewOf(situation: Situation, now: number, purpose: string): RuleView | undefined {
  const profile = emptyProfile(new Date(now).toISOString())
  const properties: Record<string, unknown> = {}
  let known = false
  const counted: Record<string, string[]> = {}
  const measured: Record<string, [number, string | number | boolean][]> = {}
  const counts = new Map<string, { ms: number; count: number }[]>()
  for (const [key, value] of situation) {
    if (key.startsWith('count:')) {
      const [, event, window] = /^count:(.*):([^:]+)$/s.exec(key)!
      counts.set(event!, [...(counts.get(event!) ?? []), { ms: parseDuration(window!), count: Number(value) }])
      continue
    }
    if (key.startsWith('measure:')) {
      if (!measureLike(key, value, now, counted, measured)) return undefined
      continue
    }
    if (value === null) continue
    if (key.startsWith('audience:')) {
      const audience = key.slice('audience:'.length)
      if (value === true) profile.audiences = { ...profile.audiences, [audience]: { since: '', purpose } }
      continue
    }
    const [root, ...steps] = key.split('.')
    if (key === 'person.known') known = value === true
    else if (root === 'cart') {
      profile.cart ??= { lines: [], total: 0, currency: 'BRL', updatedAt: new Date(now).toISOString() }
      if (key === 'cart.total') profile.cart.total = Number(value)
      else if (key === 'cart.url') profile.cart.url = String(value)
      else profile.cart.lines = [{ productId: 'x', price: 0, quantity: Number(value) }]
    } else if (root === 'traits')
      profile.traits[steps.join('.')] = { value: value as string, at: new Date(now).toISOString(), purposes: [purpose] }
    else if (root === 'counters') {
      const [purpose, ...name] = steps
      profile.counters[purpose!] = { ...profile.counters[purpose!], [name.join('.')]: Number(value) }
    } else if (root === 'event') setDeep(properties, steps, value)
    else if (root === 'scores')
      profile.scores = { ...profile.scores, [steps.join('.')]: { value: Number(value), at: '', purpose } }
    else if (root === 'computed')
      profile.computed = {
        ...profile.computed,
        [steps.join('.')]: { hash: '', purpose, value: value as string | number | boolean },
      }
    else return undefined
  }
  for (const [event, wanted] of counts) {
    if (counted[event]) return undefined
    const times: string[] = []
    let inner = 0
    let from = 0
    for (const { ms, count } of [...wanted].sort((a, b) => a.ms - b.ms)) {
      // A longer window cannot hold fewer of them.
      if (!Number.isInteger(count) || count < inner || count > 10_000) return undefined
      const at = new Date(now - (from + ms) / 2).toISOString()
      for (; inner < count; inner++) times.push(at)
      from = ms
    }
    counted[event] = times.sort()
  }
  const view = { now, purpose, profile, counted, measured, known, event: { properties } }
  return view
}

/**
 * Events of which a measure gives that value now.
 * @returns false when there are none, or when another measure of the same events already wants something else.
 */
function measureLike(
  key: string,
  value: Value,
  now: number,
  counted: Record<string, string[]>,
  measured: Record<string, [number, string | number | boolean][]>,
): boolean {
  const written = JSON.parse(key.slice('measure:'.length)) as Record<string, unknown>
  const condition = { ...written, op: 'eq', value: value ?? 0 } as MeasureCondition
  const { name, measured: of, window, measure } = compileMeasure(condition, (where) => compileConditions(where, 'x'))
  const { until } = window.at({ now })
  const at = Math.min(now, until)
  if (value === null) return name !== 'count' && name !== 'sum' && name !== 'distinct'
  const many = name === 'count' || name === 'distinct'
  if (many && (!Number.isInteger(value) || Number(value) < 0 || Number(value) > 10_000)) return false
  if (!measure) {
    if (counted[of.event]) return false
    counted[of.event] = Array.from({ length: Number(value) }, () => new Date(at).toISOString())
    return true
  }
  if (measured[measure.key] || Array.isArray(value)) return false
  measured[measure.key] = many
    ? Array.from({ length: Number(value) }, (_, index) => [at, name === 'count' ? true : String(index)])
    : [[at, value as string | number | boolean]]
  return true
}

function setDeep(into: Record<string, unknown>, steps: readonly string[], value: unknown): void {
  let at = into
  for (const step of steps.slice(0, -1)) {
    at[step] ??= {}
    at = at[step] as Record<string, unknown>
  }
  at[steps.at(-1)!] = value
}

/** Values just on either side of what a condition asks. */
function candidatesOf({ condition }: Named): Value[] {
  if ('audience' in condition) return [true, false]
  const { op, value } = condition
  const isCount = 'count' in condition || 'distinct' in condition
  if (op === 'exists' || op === 'absent') return [null, 'x']
  if (typeof value === 'number') {
    const step = Number.isInteger(value) ? 1 : 0.01
    const near = [value, value - step, value + step]
    return isCount ? near.filter((n) => n >= 0) : near
  }
  if (typeof value === 'boolean') return [value, !value]
  if (op === 'contains' && typeof value === 'string') return [value, `\u2026`]
  if (op === 'contains') return [[value as string], []]
  return [...[value ?? []].flat(), '\u2026', null]
}

/** What the explanation says was found. Text that was not kept is taken as any text with the same answers. */
function situationOf(conditions: readonly Named[], clauses: readonly Clause[]): Situation {
  const found = new Map<string, Value>()
  for (const named of conditions) {
    const clause = clauses.find(({ id }) => id === named.id)
    if (!clause || found.get(named.key) !== undefined) continue
    const { value } = clause
    const hidden = typeof value === 'string' && /^\((text|number|object|list of \d+)\)$/.test(value)
    if (!hidden) {
      found.set(named.key, value)
      continue
    }
    const holds = clause.ok !== isNegated(named.id)
    const same = conditions.filter(({ key }) => key === named.key).flatMap(candidatesOf)
    const fitting = same.find((candidate) => candidate !== null && satisfies(named, candidate) === holds)
    found.set(named.key, fitting ?? '\u2026')
  }
  return found
}

/** A group of "none" inside another one turns back what the outer one turned. */
const isNegated = (id: string): boolean => (id.match(/\.none\./g) ?? []).length % 2 === 1

/** Whether one condition alone holds with a value. */
function satisfies({ condition, key }: Named, value: Value): boolean | undefined {
  const view = viewOf(new Map([[key, value]]), 0, '')
  return view && compileConditions({ all: [condition] }, 'x').test(view)
}

function distance(from: Value, to: Value): number {
  if (from === to) return 0
  if (typeof from === 'number' && typeof to === 'number')
    return Math.abs(from - to) / Math.max(1, Math.abs(from), Math.abs(to))
  return 1
}

/** The fewest fields changed, and among those the smallest change. */
function nearest(
  holds: Trial,
  conditions: readonly Named[],
  before: Situation,
  wanted: boolean,
  now: number,
): Situation | undefined {
  const keys = [...new Set(conditions.map(({ key }) => key))]
  const options = keys.map((key) => {
    const from = before.get(key) ?? null
    const values = new Map<string, Value>()
    for (const named of conditions)
      if (named.key === key) for (const value of candidatesOf(named)) values.set(JSON.stringify(value), value)
    return [...values.values()]
      .filter((value) => JSON.stringify(value) !== JSON.stringify(from))
      .sort((a, b) => distance(from, a) - distance(from, b))
  })
  let tries = 0
  for (let size = 1; size <= keys.length; size++) {
    let best: { situation: Situation; cost: number } | undefined
    const search = (start: number, chosen: Map<string, Value>, cost: number): void => {
      if (tries > MAX_TRIES || (best && cost >= best.cost)) return
      if (chosen.size === size) {
        tries += 1
        const situation = new Map([...before, ...chosen])
        if (holds(situation, now) === wanted) best = { situation, cost }
        return
      }
      for (let index = start; index < keys.length; index++) {
        const key = keys[index]!
        for (const value of options[index]!) {
          chosen.set(key, value)
          search(index + 1, chosen, cost + distance(before.get(key) ?? null, value))
          chosen.delete(key)
        }
      }
    }
    search(0, new Map(), 0)
    if (best) return best.situation
    if (tries > MAX_TRIES) return undefined
  }
  return undefined
}

export interface CounterfactualOptions {
  /** Fields that are a commercial secret (LGPD art. 20 §1): counted, not shown. */
  readonly secret?: readonly string[]
}

/** @param rule the version that decided. */
export function counterfactual(
  explanation: Explanation,
  rule: Rule,
  options: CounterfactualOptions = {},
): Counterfactual & { readonly before?: Situation; readonly after?: Situation } {
  const { result } = explanation
  const base = {
    decision: explanation.id ?? `${explanation.rule}:${explanation.eventId}`,
    rule: explanation.rule,
    version: explanation.version,
    hash: explanation.hash ?? '',
    result,
  }
  const none = (pt: string, en: string): Counterfactual => ({
    ...base,
    flipsTo: null,
    changes: [],
    hidden: 0,
    why: { pt, en },
    sentence: { pt, en },
  })
  // Records outlive the code that wrote them.
  if (!('when' in rule) || !('unless' in rule) || !Array.isArray(explanation.clauses))
    return none(
      'O que foi guardado desta decisão não basta para refazê-la; nada é afirmado.',
      'What was kept of this decision is not enough to make it again; nothing is claimed.',
    )
  if (result === 'ARMED' || result === 'RESET')
    return none('A regra ainda esperava: nada estava decidido.', 'The rule was still waiting: nothing was decided.')
  const gate = gateChange(explanation, rule)
  if (gate)
    return {
      ...base,
      flipsTo: 'matched',
      changes: [gate],
      hidden: 0,
      why: null,
      sentence: sentenceOf([gate], 'matched', 0),
    }
  const now = Date.parse(explanation.at)
  const conditions = conditionsOf(rule)
  if (conditions.length === 0)
    return none(
      'A regra não tem condições sobre a pessoa: só o acontecimento a dispara.',
      'The rule has no conditions about the person: the event alone triggers it.',
    )
  const before = situationOf(conditions, explanation.clauses)
  const matched = result !== 'NOT_MATCHED'
  const holds = trialOf(rule)
  if (holds(before, now) !== matched)
    return none(
      'O que foi guardado desta decisão não basta para refazê-la; nada é afirmado.',
      'What was kept of this decision is not enough to make it again; nothing is claimed.',
    )
  const after = nearest(holds, conditions, before, !matched, now)
  if (!after)
    return none(
      'Nenhuma mudança do que a regra observa altera o resultado.',
      'No change of what the rule looks at turns the result.',
    )
  const secret = new Set(options.secret ?? [])
  const all: CounterfactualChange[] = []
  let hidden = 0
  for (const [key, needed] of after) {
    const found = before.get(key) ?? null
    if (JSON.stringify(found) === JSON.stringify(needed)) continue
    const named = conditions.find((condition) => condition.key === key)!
    if (secret.has(key)) hidden += 1
    else all.push(changeOf(named, found, needed, explanation.clauses))
  }
  const flipsTo = matched ? 'not_matched' : 'matched'
  return {
    ...base,
    flipsTo,
    changes: all,
    hidden,
    why: null,
    sentence: sentenceOf(all, flipsTo, hidden),
    before,
    after,
  }
}

/** The rule's own conditions; every other clause is of what set it off, or of a gate. */
const CONDITION = /^(who|when\.where)\./

/** A decision that something other than the conditions stopped: what would have opened it. */
function gateChange({ result, would, clauses }: Explanation, rule: Rule): CounterfactualChange | undefined {
  const outcome = result === 'SHADOW' ? (would ?? result) : result
  const stopped = clauses.findLast(({ id, ok }) => !ok && !CONDITION.test(id))
  // Its own conditions were not asked yet, or were the reason.
  if (outcome === 'NOT_MATCHED') return stopped && changeOfClause(stopped)
  // Who was sent something may still have an action that was left out.
  if (outcome === 'ENQUEUED' || outcome === 'SHADOW') return undefined
  const { purpose } = rule.unless
  if (CONSENT.has(outcome))
    return {
      clause: 'unless.purpose',
      field: purpose,
      found: clauses.find(({ id }) => id === 'unless.purpose')?.value ?? 'not granted',
      needed: 'granted',
      text: { pt: `a finalidade "${purpose}" estar autorizada`, en: `the purpose "${purpose}" being permitted` },
    }
  if (stopped) return changeOfClause(stopped)
  const exit = outcome in EXITS ? EXITS[outcome as ExitCode] : undefined
  return {
    clause: outcome,
    field: outcome,
    found: null,
    needed: null,
    text: {
      pt: `isto não ter acontecido: ${uncapital(exit?.pt ?? outcome)}`,
      en: `this not having happened: ${uncapital(exit?.en ?? outcome)}`,
    },
  }
}

const CONSENT: ReadonlySet<string> = new Set(['NO_CONSENT', 'CONSENT_DENIED', 'BLOCKED_BY_CONSENT'])

const changeOfClause = ({ id, clause, pt, value }: Clause): CounterfactualChange => ({
  clause: id,
  field: id,
  found: value,
  needed: null,
  text: { pt: `valer: ${pt}`, en: `this holding: ${clause}` },
})

function labelOf({ condition }: Named): { pt: string; en: string } {
  return isMeasure(condition)
    ? measureLabel(compileMeasure(condition, (where) => compileConditions(where, 'x')))
    : fieldLabel((condition as FieldCondition).field)
}

function changeOf(named: Named, found: Value, needed: Value, clauses: readonly Clause[]): CounterfactualChange {
  const clause = clauses.find(({ id }) => id === named.id)
  const words = (value: Value, language: 'pt' | 'en'): string => {
    if (value === null) return language === 'pt' ? 'nenhum' : 'none'
    if (value === '\u2026') return language === 'pt' ? 'outro valor' : 'another value'
    if (value === true) return language === 'pt' ? 'sim' : 'yes'
    if (value === false) return language === 'pt' ? 'não' : 'no'
    if (named.key === 'cart.total' && typeof value === 'number') return moneyWords(value, language)
    if (typeof value === 'number') return numberWords(value, language)
    return Array.isArray(value) ? value.join(', ') : String(value)
  }
  const change = { clause: named.id, field: named.key, found: clause?.value ?? found, needed }
  if ('audience' in named.condition) {
    const { audience } = named.condition
    return {
      ...change,
      text: needed
        ? { pt: `estar no público "${audience}"`, en: `being in the audience "${audience}"` }
        : { pt: `não estar no público "${audience}"`, en: `not being in the audience "${audience}"` },
    }
  }
  const label = labelOf(named)
  return {
    ...change,
    text: {
      pt: `${label.pt} ser ${words(needed, 'pt')} em vez de ${words(found, 'pt')}`,
      en: `${label.en} being ${words(needed, 'en')} instead of ${words(found, 'en')}`,
    },
  }
}

function sentenceOf(
  changes: readonly CounterfactualChange[],
  flipsTo: 'matched' | 'not_matched',
  hidden: number,
): { pt: string; en: string } {
  const join = (language: 'pt' | 'en') => {
    const texts = changes.map(({ text }) => text[language])
    if (hidden > 0)
      texts.push(
        language === 'pt'
          ? `${hidden} ocultado: segredo comercial, art. 20, § 1º`
          : `${hidden} withheld: commercial secret, art. 20 §1`,
      )
    return texts.join(language === 'pt' ? '; e ' : '; and ')
  }
  return {
    pt: `O resultado seria outro (${flipsTo === 'matched' ? 'a regra agiria' : 'a regra não agiria'}) com: ${join('pt')}.`,
    en: `The result would have been another (${flipsTo === 'matched' ? 'the rule would have acted' : 'the rule would not have acted'}) with: ${join('en')}.`,
  }
}
