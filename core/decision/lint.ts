/** What the schema cannot say about a rule: fields that exist, operators that fit, names the configuration knows. */
import type { Condition, Rule } from '../../schemas/rule.ts'
import { ConfigError } from '../kit/errors.ts'
import { counterPurpose, FIELDS, isField } from './compile.ts'
import { durationProblem } from './duration.ts'
import type { CompiledRule, Position } from './ruleset.ts'

export interface RuleProblem extends Position {
  /** What is wrong and what to do. */
  readonly message: string
}

interface Found {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** @throws ConfigError with one line per problem, `file:line:column: message`; nothing when there is none. */
export function refuse(problems: readonly RuleProblem[]): void {
  if (problems.length === 0) return
  const place = (problem: RuleProblem) => `${problem.file}:${problem.line}:${problem.column}`
  throw new ConfigError(
    problems.map((problem) => `${place(problem)}: ${problem.message}`).join('\n'),
    place(problems[0]!),
  )
}

// ---------------------------------------------------------------- a rule by itself

/** Problems that can be seen without the configuration. */
export function ruleProblems(rule: Rule): Found[] {
  return [
    ...durationProblems(rule),
    ...listedConditions(rule).flatMap(({ condition, path }) => conditionProblems(condition, path)),
  ]
}

function listedConditions(rule: Rule): { condition: Condition; path: (string | number)[] }[] {
  const places = [
    { conditions: rule.who, path: ['who'] },
    { conditions: 'event' in rule.when ? rule.when.where : undefined, path: ['when', 'where'] },
  ]
  return places.flatMap(({ conditions, path }) =>
    (['all', 'any', 'none'] as const).flatMap((group) =>
      (conditions?.[group] ?? []).map((condition, index) => ({ condition, path: [...path, group, index] })),
    ),
  )
}

function durationProblems(rule: Rule): Found[] {
  const absence = 'absence' in rule.when ? rule.when.absence : undefined
  const written: [string | undefined, (string | number)[]][] = [
    [absence?.within, ['when', 'absence', 'within']],
    [absence?.grace, ['when', 'absence', 'grace']],
    [rule.then.expires, ['then', 'expires']],
    [rule.unless.reentry?.min_interval, ['unless', 'reentry', 'min_interval']],
    ...(rule.unless.caps ?? []).map((cap, index): [string, (string | number)[]] => [
      cap.window,
      ['unless', 'caps', index, 'window'],
    ]),
    ...listedConditions(rule).map(({ condition, path }): [string | undefined, (string | number)[]] => [
      'count' in condition ? condition.count.window : undefined,
      [...path, 'count', 'window'],
    ]),
  ]
  return written.flatMap(([text, path]) => {
    const message = text === undefined ? undefined : durationProblem(text)
    return message ? [{ path, message }] : []
  })
}

function conditionProblems(condition: Condition, path: readonly (string | number)[]): Found[] {
  if ('count' in condition) return []
  const { field, op, value } = condition
  if (!isField(field))
    return [{ path: [...path, 'field'], message: `"${field}" is no field a rule can read: use ${FIELDS}` }]
  const at = (key: string, message: string): Found[] => [
    { path: [...path, key], message: `${field} ${op}: ${message}` },
  ]
  if (op === 'exists' || op === 'absent') return value === undefined ? [] : at('value', 'takes no value, remove it')
  if (value === undefined) return at('op', 'needs a value, add "value: …"')
  if (op === 'in') return Array.isArray(value) ? [] : at('value', 'needs a list, write "value: [a, b]"')
  if (Array.isArray(value)) return at('value', 'takes one value; for several use "op: in"')
  if (op !== 'eq' && op !== 'ne' && typeof value === 'boolean')
    return at('value', 'compares numbers or text; for true or false use "op: eq"')
  const numeric = field === 'cart.total' || field === 'cart.items' || field.startsWith('counters.')
  if (numeric && typeof value !== 'number')
    return at(
      'value',
      `${field} is a number${field === 'cart.total' ? ' in minor units (5000 is 50.00)' : ''}, write one without quotes`,
    )
  if (field === 'person.known' && typeof value !== 'boolean') return at('value', 'person.known is true or false')
  return []
}

// ---------------------------------------------------------------- rules against the configuration

export interface RuleSurroundings {
  /** Purpose ids of the configuration. */
  readonly purposes: Iterable<string>
  /** Destination instance → its actions, with the channel each has. */
  readonly destinations: Readonly<Record<string, Readonly<Record<string, { readonly channel?: string | undefined }>>>>
  /** Text traits that rules may read (`openTraits`). Numbers and booleans are always open. */
  readonly openTraits: Iterable<string>
  /** Whether a purpose collects a trait at all; left out: not asked. */
  readonly collectsTrait?: (purpose: string, trait: string) => boolean
}

/** @throws ConfigError listing every problem of every rule with file, line, column. */
export function lintRules(rules: readonly CompiledRule[], surroundings: RuleSurroundings): void {
  const purposes = [...surroundings.purposes]
  const openTraits = new Set(surroundings.openTraits)
  const problems: RuleProblem[] = []
  const places = new Map<string, Position>()
  for (const compiled of rules) {
    const { rule } = compiled
    const first = places.get(rule.id)
    const found = [
      ...(first
        ? [{ path: ['id'], message: `is already written at ${first.file}:${first.line}: give this one another id` }]
        : []),
      ...(purposes.includes(rule.unless.purpose)
        ? []
        : [
            {
              path: ['unless', 'purpose'],
              message: `purpose "${rule.unless.purpose}" is not in the configuration: use ${list(purposes)}, or add it under purposes`,
            },
          ]),
      ...actionProblems(rule, surroundings),
      ...sealedTraitProblems(rule, openTraits),
      ...counterProblems(rule),
      ...(surroundings.collectsTrait ? foreignTraitProblems(rule, surroundings.collectsTrait) : []),
      ...correlationProblems(rule),
    ]
    problems.push(
      ...found.map(({ path, message }) => ({ ...compiled.positionOf(path), message: `rule ${rule.id}: ${message}` })),
    )
    if (!first) places.set(rule.id, compiled.positionOf(['id']))
  }
  refuse(problems)
}

const list = (names: readonly string[]) => (names.length === 0 ? '(none)' : names.join(', '))

function actionProblems(rule: Rule, { destinations }: RuleSurroundings): Found[] {
  const problems: Found[] = []
  const channels: (string | undefined)[] = []
  for (const [index, { destination, action }] of rule.then.all.entries()) {
    const actions = Object.hasOwn(destinations, destination) ? destinations[destination]! : undefined
    if (!actions)
      problems.push({
        path: ['then', 'all', index, 'destination'],
        message: `destination "${destination}" is not in the configuration: use ${list(Object.keys(destinations))}, or add it under destinations`,
      })
    else if (!Object.hasOwn(actions, action))
      problems.push({
        path: ['then', 'all', index, 'action'],
        message: `destination "${destination}" has no action "${action}": use ${list(Object.keys(actions))}`,
      })
    else channels.push(actions[action]!.channel)
  }
  // A cap that nothing can ever use up would be a promise without effect.
  if (problems.length === 0 && channels.every((channel) => channel === undefined))
    for (const [index, cap] of (rule.unless.caps ?? []).entries())
      if (cap.per !== 'person+rule')
        problems.push({
          path: ['unless', 'caps', index, 'per'],
          message: `"per: ${cap.per}" counts messages on a channel and no action of this rule has one: use "per: person+rule"`,
        })
  return problems
}

/** Free text about a person is sealed, and a rule that reads it would never match: say so instead of staying silent. */
function sealedTraitProblems(rule: Rule, openTraits: ReadonlySet<string>): Found[] {
  return listedConditions(rule).flatMap(({ condition, path }) => {
    if ('count' in condition || !condition.field.startsWith('traits.')) return []
    const trait = condition.field.slice('traits.'.length)
    const asText = condition.op === 'contains' || [condition.value].flat().some((value) => typeof value === 'string')
    if (!asText || openTraits.has(trait)) return []
    return [
      {
        path: [...path, 'field'],
        message: `trait "${trait}" is text and sealed, so no rule can read it: if it is not personal on its own (a plan, a state), add it to openTraits; otherwise use a number, true/false or a count`,
      },
    ]
  })
}

/** A trait that the rule's purpose does not collect is missing for it, always: say so. */
function foreignTraitProblems(rule: Rule, collects: (purpose: string, trait: string) => boolean): Found[] {
  const { purpose } = rule.unless
  return listedConditions(rule).flatMap(({ condition, path }) => {
    if ('count' in condition || !condition.field.startsWith('traits.')) return []
    const trait = condition.field.slice('traits.'.length)
    return collects(purpose, trait)
      ? []
      : [
          {
            path: [...path, 'field'],
            message: `"${purpose}" does not collect the trait "${trait}", so this rule would never see it: add it under purposes.${purpose}.collects, e.g. {identify: [${trait}]}`,
          },
        ]
  })
}

/** A counter belongs to the purpose whose events fed it; rules of another purpose may not look at it. */
function counterProblems(rule: Rule): Found[] {
  return listedConditions(rule).flatMap(({ condition, path }) => {
    if ('count' in condition || !condition.field.startsWith('counters.')) return []
    const purpose = counterPurpose(condition.field)
    if (purpose === rule.unless.purpose) return []
    return [
      {
        path: [...path, 'field'],
        message: `${condition.field} was fed by events kept for "${purpose}", and this rule acts for "${rule.unless.purpose}": read counters.${rule.unless.purpose}.… instead`,
      },
    ]
  })
}

/** The value of `correlate` is kept in the open beside the timer. */
function correlationProblems(rule: Rule): Found[] {
  const correlate = 'absence' in rule.when ? rule.when.absence.correlate : undefined
  const path = ['when', 'absence', 'correlate']
  if (
    correlate === undefined ||
    !/e[-_]?mail|phone|fone|celular|whatsapp|cpf|cnpj|name|nome|address|endereco/i.test(correlate)
  )
    return []
  return [
    {
      path,
      message: `"${correlate}" looks like contact data, which timers must not hold: correlate by an id such as cart_id or order_id`,
    },
  ]
}
