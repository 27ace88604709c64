/** What the schema cannot say about a rule: fields that exist, operators that fit, names the configuration knows. */
import type { OfferConfig } from '../../schemas/offers.ts'
import type { Rule } from '../../schemas/rule.ts'
import { ConfigError } from '../kit/errors.ts'
import { durationProblem } from './duration.ts'
import { windowsDiffer } from './exclusion.ts'
import { counterPurpose } from './fields.ts'
import { gateProblems, gateSurroundingProblems } from './lint-gates.ts'
import { type Found, fieldConditions, listedConditions, type Path, whenProblems } from './lint-when.ts'
import { isMeasure, measureOf } from './measures.ts'
import type { CompiledRule, Position } from './ruleset.ts'
import { windowOf } from './windows.ts'

export interface RuleProblem extends Position {
  /** What is wrong and what to do. */
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
  return [...durationProblems(rule), ...sessionProblems(rule), ...whenProblems(rule), ...gateProblems(rule)]
}

/** A visit is counted by `max`, and only what somebody does is part of one. */
function sessionProblems({ when, unless: { reentry } }: Rule): Found[] {
  if (reentry?.per !== 'session') return []
  const path = ['unless', 'reentry', 'per']
  if (reentry.max === undefined) return [{ path, message: '"per: session" needs "max" beside it, e.g. max: 1' }]
  return 'schedule' in when && when.schedule !== undefined
    ? [{ path, message: 'a schedule comes at its own time and in no session: use "min_interval"' }]
    : []
}

function durationProblems(rule: Rule): Found[] {
  const written: [string | undefined, Path][] = [
    [rule.then.expires, ['then', 'expires']],
    [rule.unless.reentry?.min_interval, ['unless', 'reentry', 'min_interval']],
  ]
  return written.flatMap(([text, path]) => {
    const message = text === undefined ? undefined : durationProblem(text)
    return message ? [{ path, message }] : []
  })
}

// ---------------------------------------------------------------- rules against the configuration

export interface RuleSurroundings {
  /** Purpose ids of the configuration. */
  readonly purposes: Iterable<string>
  /** Destination instance → its actions, with the channel each has. */
  readonly destinations: Readonly<Record<string, Readonly<Record<string, { readonly channel?: string | undefined }>>>>
  /** Offers of the configuration; none when absent. */
  readonly offers?: Readonly<Record<string, OfferConfig>>
  /** Whether a purpose is a contract; left out: not asked. */
  readonly transactional?: (purpose: string) => boolean
  /** Text traits that rules may read (`openTraits`). Numbers and booleans are always open. */
  readonly openTraits: Iterable<string>
  /** Whether a purpose collects a trait at all; left out: not asked. */
  readonly collectsTrait?: (purpose: string, trait: string) => boolean
  /** Audiences, scores and computed traits by id, with the purpose each is kept for; a rule may name no others. */
  readonly audiences?: Readonly<Record<string, { readonly purpose: string }>>
  readonly scores?: Readonly<Record<string, { readonly purpose: string }>>
  readonly computed?: Readonly<Record<string, { readonly purpose: string }>>
  /** How long what was kept for a purpose is kept, in milliseconds; left out: not asked. */
  readonly keptMs?: (purpose: string) => number | undefined
}

/** @throws ConfigError listing every problem of every rule with file, line, column. */
export function lintRules(rules: readonly CompiledRule[], surroundings: RuleSurroundings): void {
  const purposes = [...surroundings.purposes]
  const openTraits = new Set(surroundings.openTraits)
  const problems: RuleProblem[] = []
  const places = new Map<string, Position>()
  const windows = new Map<string, CompiledRule>()
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
      ...gateSurroundingProblems(rule, { ...surroundings, purposes }),
      ...sealedTraitProblems(rule, openTraits),
      ...counterProblems(rule),
      ...(surroundings.collectsTrait ? foreignTraitProblems(rule, surroundings.collectsTrait) : []),
      ...knownProblems(rule, surroundings),
      ...(surroundings.keptMs ? windowProblems(rule, surroundings.keptMs) : []),
      ...groupProblems(rule, windows),
    ]
    problems.push(
      ...found.map(({ path, message }) => ({ ...compiled.positionOf(path), message: `rule ${rule.id}: ${message}` })),
    )
    if (!first) places.set(rule.id, compiled.positionOf(['id']))
    if (rule.group && !windows.has(rule.group.id)) windows.set(rule.group.id, compiled)
  }
  refuse(problems)
}

const list = (names: readonly string[]) => (names.length === 0 ? '(none)' : names.join(', '))

/** Free text about a person is sealed, and a rule that reads it would never match: say so instead of staying silent. */
function sealedTraitProblems(rule: Rule, openTraits: ReadonlySet<string>): Found[] {
  return fieldConditions(rule).flatMap(({ condition, path }) => {
    if (!condition.field.startsWith('traits.')) return []
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
  return fieldConditions(rule).flatMap(({ condition, path }) => {
    if (!condition.field.startsWith('traits.')) return []
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
  return fieldConditions(rule).flatMap(({ condition, path }) => {
    if (!condition.field.startsWith('counters.')) return []
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

/** One window for a group: with two, whether a person hears twice would depend on which rule came first. */
function groupProblems({ group }: Rule, first: ReadonlyMap<string, CompiledRule>): Found[] {
  if (!group) return []
  const other = first.get(group.id)
  if (!other?.rule.group || !windowsDiffer(group, other.rule.group)) return []
  const { file, line } = other.positionOf(['group', 'window'])
  return [
    {
      path: ['group', 'window'],
      message: `group "${group.id}" has the window ${other.rule.group.window} in rule ${other.rule.id} (${file}:${line}) and ${group.window} here: a group has one window, write the same in both`,
    },
  ]
}

const KINDS = {
  audiences: 'audience',
  scores: 'score',
  computed: 'computed trait',
} as const

/** Audiences, scores and computed traits that nobody defined, or that belong to another purpose: the rule would never see them. */
function knownProblems(rule: Rule, surroundings: RuleSurroundings): Found[] {
  const { when, unless } = rule
  const named: { kind: keyof typeof KINDS; id: string; path: Path }[] = []
  if ('audience' in when)
    named.push(
      'enters' in when.audience
        ? { kind: 'audiences', id: when.audience.enters, path: ['when', 'audience', 'enters'] }
        : { kind: 'audiences', id: when.audience.leaves, path: ['when', 'audience', 'leaves'] },
    )
  if ('crosses' in when) named.push({ kind: 'scores', id: when.crosses.score, path: ['when', 'crosses', 'score'] })
  for (const { condition, path } of listedConditions(rule)) {
    if ('audience' in condition) named.push({ kind: 'audiences', id: condition.audience, path: [...path, 'audience'] })
    if (!('field' in condition)) continue
    const [root, ...rest] = condition.field.split('.')
    if (root === 'scores' || root === 'computed')
      named.push({ kind: root, id: rest.join('.'), path: [...path, 'field'] })
  }
  return named.flatMap(({ kind, id, path }) => {
    const known = surroundings[kind] ?? {}
    const one = Object.hasOwn(known, id) ? known[id] : undefined
    if (!one)
      return [
        {
          path,
          message: `${KINDS[kind]} "${id}" is not in the configuration: use ${list(Object.keys(known))}, or add it under ${kind}`,
        },
      ]
    return one.purpose === unless.purpose
      ? []
      : [
          {
            path,
            message: `${KINDS[kind]} "${id}" is kept for "${one.purpose}", and this rule acts for "${unless.purpose}", so it would never see it: use one of the same purpose`,
          },
        ]
  })
}

/** Nothing is known of what is already erased. */
function windowProblems(rule: Rule, keptMs: (purpose: string) => number | undefined): Found[] {
  const kept = keptMs(rule.unless.purpose)
  if (kept === undefined) return []
  return listedConditions(rule).flatMap(({ condition, path }) => {
    if (!isMeasure(condition)) return []
    const { name, measured } = measureOf(condition)
    if (measured.window === undefined || windowOf(measured).keepMs <= kept) return []
    return [
      {
        path: [...path, name, 'window'],
        message: `"${measured.window}" is longer than what is kept for "${rule.unless.purpose}" (${Math.floor(kept / 86_400_000)} days): shorten the window`,
      },
    ]
  })
}
