/** What the schema cannot say about the trigger and the conditions of a rule, seen without the configuration. */
import type { Conditions, FieldCondition, Rule } from '../../schemas/rule.ts'
import { durationProblem, parseDuration } from './duration.ts'
import { FIELDS, isField, isNumberField } from './fields.ts'
import { type Atom, isMeasure, leavesOf, MEASURED_KEPT, measureOf } from './measures.ts'
import { nameMatches } from './names.ts'
import { scheduleProblem } from './schedule.ts'
import { placesOf } from './triggers.ts'
import { calendarSpan, instantOf } from './windows.ts'

export type Path = readonly (string | number)[]

export interface Found {
  readonly path: Path
  readonly message: string
}

/** Our choice, as long as the longest wait of the tools that people know. */
const LONGEST_WAIT_DAYS = 182
const DAY = 86_400_000

/** Every condition of a rule, those under `where` of a measure included. */
export function listedConditions(rule: Rule): { condition: Atom; path: Path }[] {
  const places = placesOf(rule).flatMap(({ conditions, path }) => leavesOf(conditions, path))
  const trigger = isMeasure(rule.when) ? [{ condition: rule.when as Atom, path: ['when'] as Path }] : []
  return [...trigger, ...places].flatMap(({ condition, path }) => [
    { condition, path },
    ...insideMeasure(condition, path),
  ])
}

function insideMeasure(condition: Atom, path: Path): { condition: Atom; path: Path }[] {
  if (!isMeasure(condition)) return []
  const { name, measured } = measureOf(condition)
  return leavesOf(measured.where, [...path, name, 'where'])
}

/** Conditions on a field, wherever they stand. */
export function fieldConditions(rule: Rule): { condition: FieldCondition; path: Path }[] {
  return listedConditions(rule).flatMap(({ condition, path }) => ('field' in condition ? [{ condition, path }] : []))
}

export function whenProblems(rule: Rule): Found[] {
  return [
    ...listedConditions(rule).flatMap(({ condition, path }) => atomProblems(condition, path)),
    ...absenceProblems(rule),
    ...sequenceProblems(rule),
    ...crossingProblems(rule),
    ...lineProblems(rule),
    ...membershipProblems(rule),
    ...('schedule' in rule.when && rule.when.schedule !== undefined
      ? said(scheduleProblem(rule.when.schedule), ['when', 'schedule'])
      : []),
    ...correlationProblems(rule),
  ]
}

const said = (message: string | undefined, path: Path): Found[] => (message === undefined ? [] : [{ path, message }])

// ---------------------------------------------------------------- conditions

function atomProblems(condition: Atom, path: Path): Found[] {
  if (isMeasure(condition)) return measureProblems(condition, path)
  if ('audience' in condition) return []
  return fieldProblems(condition as FieldCondition, path)
}

function fieldProblems({ field, op, value }: FieldCondition, path: Path): Found[] {
  if (!isField(field))
    return [{ path: [...path, 'field'], message: `"${field}" is no field a rule can read: use ${FIELDS}` }]
  const at = (key: string, message: string): Found[] => [
    { path: [...path, key], message: `${field} ${op}: ${message}` },
  ]
  const found = valueProblem(op, value)
  if (found) return at(found.key, found.message)
  if (value === undefined || op === 'in') return []
  if (isNumberField(field) && typeof value !== 'number')
    return at(
      'value',
      `${field} is a number${field === 'cart.total' ? ' in minor units (5000 is 50.00)' : ''}, write one without quotes`,
    )
  if (field === 'person.known' && typeof value !== 'boolean') return at('value', 'person.known is true or false')
  return []
}

function valueProblem(
  op: FieldCondition['op'],
  value: FieldCondition['value'],
): { key: string; message: string } | undefined {
  const problem = (key: string, message: string) => ({ key, message })
  if (op === 'exists' || op === 'absent')
    return value === undefined ? undefined : problem('value', 'takes no value, remove it')
  if (value === undefined) return problem('op', 'needs a value, add "value: …"')
  if (op === 'in') return Array.isArray(value) ? undefined : problem('value', 'needs a list, write "value: [a, b]"')
  if (Array.isArray(value)) return problem('value', 'takes one value; for several use "op: in"')
  if (op !== 'eq' && op !== 'ne' && typeof value === 'boolean')
    return problem('value', 'compares numbers or text; for true or false use "op: eq"')
  return undefined
}

/** Names of properties that hold what a person can be reached or known by. */
export const CONTACT_LIKE =
  /e[-_]?mail|phone|fone|celular|whatsapp|cpf|cnpj|(^|[._-])(full|first|last)?[-_]?name$|nome|address|endereco/i

function measureProblems(condition: Parameters<typeof measureOf>[0], path: Path): Found[] {
  const { name, measured, value } = measureOf(condition)
  const at = (key: string, message: string): Found[] => [{ path: [...path, name, key], message: `${name}: ${message}` }]
  const here = (key: string, message: string): Found[] => [{ path: [...path, key], message: `${name}: ${message}` }]
  const problems: Found[] = []
  const { window, calendar, from, to, property } = measured
  if ((window === undefined) === (from === undefined))
    problems.push(
      ...at(window === undefined ? 'event' : 'from', 'needs either "window: P30D" or "from: 2026-11-01", and not both'),
    )
  if (from === undefined && to !== undefined) problems.push(...at('to', 'needs "from" beside it'))
  if (window !== undefined && calendar !== undefined && !calendarSpan(window))
    problems.push(
      ...at('window', `"${window}" is no whole number of days, weeks, months or years: write P1D, P7D, P1M`),
    )
  if (window !== undefined && calendar === undefined) {
    const problem = durationProblem(window)
    if (problem) problems.push({ path: [...path, name, 'window'], message: problem })
    else if (parseDuration(window) === 0) problems.push(...at('window', 'a window of no length holds nothing'))
  }
  if (from !== undefined) {
    if (calendar !== undefined) problems.push(...at('calendar', 'goes with "window", not with "from"'))
    for (const [key, text] of [
      ['from', from],
      ['to', to],
    ] as const)
      if (text !== undefined && Number.isNaN(instantOf(text))) problems.push(...at(key, `"${text}" is no date`))
    if (to !== undefined && instantOf(from) >= instantOf(to))
      problems.push(...at('to', `${to} is not after ${from}: no event can be between them`))
  }
  if (property !== undefined && CONTACT_LIKE.test(property))
    problems.push(...at('property', `"${property}" looks like contact data, which profiles must not hold in the open`))
  for (const { condition: inner, path: place } of leavesOf(measured.where, [...path, name, 'where']))
    if (!('field' in inner) || !inner.field.startsWith('event.'))
      problems.push({
        path: 'field' in inner ? [...place, 'field'] : place,
        message: `${name}: "where" reads the event that is measured, so only event.<property> can stand here`,
      })
  const wrong = valueProblem(condition.op, value)
  if (wrong) problems.push(...here(wrong.key, wrong.message))
  else if (name === 'first' || name === 'last') {
    const text = [value].flat().some((one) => typeof one === 'string')
    if (text && !['eq', 'ne', 'in'].includes(condition.op))
      problems.push(...here('op', 'text that is no word of the rule is not kept: compare with eq, ne or in'))
  } else if (value !== undefined && [value].flat().some((one) => typeof one !== 'number'))
    problems.push(...here('value', 'is a number, write one without quotes'))
  if (
    (name === 'count' || name === 'distinct') &&
    typeof value === 'number' &&
    (condition.op === 'gt'
      ? value >= MEASURED_KEPT
      : (condition.op === 'gte' || condition.op === 'eq') && value > MEASURED_KEPT)
  )
    problems.push(
      ...here(
        'value',
        `the newest ${MEASURED_KEPT} events are kept, so this never holds: ask for ${MEASURED_KEPT} or fewer`,
      ),
    )
  return problems
}

// ---------------------------------------------------------------- triggers

function waitProblems(text: string, path: Path): Found[] {
  const problem = durationProblem(text)
  if (problem) return [{ path, message: problem }]
  const ms = parseDuration(text)
  if (ms === 0) return [{ path, message: 'a time of no length is over at once: write one such as PT30M' }]
  if (ms > LONGEST_WAIT_DAYS * DAY)
    return [{ path, message: `"${text}" is longer than a rule can wait: at most P${LONGEST_WAIT_DAYS}D` }]
  return []
}

function absenceProblems({ when }: Rule): Found[] {
  if (!('absence' in when)) return []
  const { start, unless, within, grace } = when.absence
  return [
    ...waitProblems(within, ['when', 'absence', 'within']),
    ...said(grace === undefined ? undefined : durationProblem(grace), ['when', 'absence', 'grace']),
    ...unless.any.flatMap((entry, index) =>
      'event' in entry && entry.where === undefined && covers(entry.event, start.event)
        ? [
            {
              path: ['when', 'absence', 'unless', 'any', index, 'event'],
              message: `"${start.event}" starts the wait and ends it at once, so this rule never fires: leave it out of "unless", or give it conditions under "where"`,
            },
          ]
        : [],
    ),
  ]
}

function sequenceProblems({ when, exit_on: goals = [] }: Rule): Found[] {
  if (!('sequence' in when)) return []
  const { steps, order, within } = when.sequence
  return [
    ...waitProblems(within, ['when', 'sequence', 'within']),
    ...steps.flatMap(({ event }, index) => {
      const goal = order === 'any' || index > 0 ? goals.find((one) => covers(one, event)) : undefined
      return goal === undefined
        ? []
        : [
            {
              path: ['when', 'sequence', 'steps', index, 'event'],
              message: `"${goal}" is also a goal (exit_on), which forgets the steps before it: this step can never be reached`,
            },
          ]
    }),
  ]
}

/** Whatever the second names, the first names too. */
const covers = (pattern: string, name: string): boolean =>
  pattern === name || (!name.includes('*') && nameMatches(pattern, name))

function crossingProblems({ when }: Rule): Found[] {
  if (!isMeasure(when)) return []
  const { name, value } = measureOf(when)
  const { op } = when
  const grows = name === 'count' || name === 'sum' || name === 'distinct'
  if (name !== 'sum' && grows && op !== 'gt' && op !== 'gte' && op !== 'eq')
    return [
      {
        path: ['when', 'op'],
        message: `${name} ${op}: an event only makes a ${name} larger, so this is never reached by one: use "absence" for what did not happen`,
      },
    ]
  if (op === 'absent')
    return [{ path: ['when', 'op'], message: 'an event never makes its own value missing: use "absence"' }]
  if (
    (name === 'count' || name === 'distinct') &&
    ((op === 'gt' && Number(value) < 0) || (op !== 'gt' && Number(value) <= 0))
  )
    return [
      {
        path: ['when', 'value'],
        message: `${name} ${op} ${String(value)} holds before any event, so no event makes it true`,
      },
    ]
  return []
}

function lineProblems({ when }: Rule): Found[] {
  if (!('crosses' in when)) return []
  const { above, below, rearm_above: rearmAbove, rearm_below: rearmBelow } = when.crosses
  const at = (key: string, message: string): Found[] => [{ path: ['when', 'crosses', key], message }]
  if ((above === undefined) === (below === undefined))
    return at('score', 'crosses needs either "above" or "below", and not both')
  if (above !== undefined) {
    if (rearmAbove !== undefined) return at('rearm_above', 'goes with "below"; with "above" write rearm_below')
    if (rearmBelow !== undefined && rearmBelow > above)
      return at(
        'rearm_below',
        `${rearmBelow} is above the line of ${above}: it would count again while it is still above`,
      )
  }
  if (below !== undefined) {
    if (rearmBelow !== undefined) return at('rearm_below', 'goes with "above"; with "below" write rearm_above')
    if (rearmAbove !== undefined && rearmAbove < below)
      return at(
        'rearm_above',
        `${rearmAbove} is below the line of ${below}: it would count again while it is still below`,
      )
  }
  return []
}

/** Whoever has just come in is in, whoever has left is out. */
function membershipProblems({ when, who }: Rule): Found[] {
  if (!('audience' in when)) return []
  const [id, inside] = 'enters' in when.audience ? [when.audience.enters, true] : [when.audience.leaves, false]
  const required: Conditions = who?.all ? { all: who.all } : {}
  return leavesOf(required, ['who']).flatMap(({ condition, path }) =>
    'audience' in condition && path.length === 3 && condition.audience === id && condition.in !== inside
      ? [
          {
            path: [...path, 'in'],
            message: `whoever ${inside ? 'enters' : 'leaves'} "${id}" is ${inside ? 'in' : 'not in'} it, so this rule never fires`,
          },
        ]
      : [],
  )
}

/** The value of `correlate` is kept in the open beside what waits. */
function correlationProblems({ when }: Rule): Found[] {
  const [kind, correlate] =
    'absence' in when
      ? ['absence', when.absence.correlate]
      : 'sequence' in when
        ? ['sequence', when.sequence.correlate]
        : ['', undefined]
  if (correlate === undefined || !CONTACT_LIKE_OR_NAME.test(correlate)) return []
  return [
    {
      path: ['when', kind, 'correlate'],
      message: `"${correlate}" looks like contact data, which timers must not hold: correlate by an id such as cart_id or order_id`,
    },
  ]
}

const CONTACT_LIKE_OR_NAME = /e[-_]?mail|phone|fone|celular|whatsapp|cpf|cnpj|name|nome|address|endereco/i
