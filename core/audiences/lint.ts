/** What the schema cannot say about audiences, computed traits and scores: names that exist, circles, actions that fit. */
import type { AudienceConfig, AudienceDestination, ComputedConfig, ScoreConfig } from '../../schemas/audience.ts'
import { MEASURING } from '../../schemas/audience.ts'
import type { Conditions } from '../../schemas/conditions.ts'
import type { Config } from '../../schemas/config.ts'
import type { Path } from '../config/words.ts'
import { durationProblem } from '../decision/duration.ts'
import { counterPurpose, FIELDS, isField } from '../decision/fields.ts'
import { isMeasure, leavesOf, measureOf } from '../decision/measures.ts'
import { DEFAULT_ADD, DEFAULT_REMOVE } from './set.ts'
import { emptyReads, type Reads, readConditions, readField } from './touch.ts'
import { named } from './traits.ts'

export interface MeasureProblem {
  readonly path: Path
  /** What is wrong and what to do. */
  readonly message: string
}

/** What the linter asks of an action of a destination. */
export interface ActionShape {
  readonly kind: 'state' | 'message' | 'event'
  readonly payload: { readonly properties: Readonly<Record<string, unknown>>; readonly required?: readonly string[] }
}

export interface LintSurroundings {
  /** Undefined: there is no such destination. */
  actionsOf(destination: string): Readonly<Record<string, ActionShape>> | undefined
  /** Settings of a destination, as checked against its schema. */
  settingsOf(destination: string): Readonly<Record<string, unknown>>
  /** Configured purposes of a destination. */
  purposesOf(destination: string): readonly string[]
}

type Config3 = Pick<Config, 'audiences' | 'computed' | 'scores' | 'purposes'>

/** Every mistake, with its place in anuente.yaml. */
export function measureProblems(config: Config3, surroundings: LintSurroundings): MeasureProblem[] {
  const problems: MeasureProblem[] = []
  const names = {
    audience: new Map(Object.entries(config.audiences ?? {}).map(([id, one]) => [id, one.purpose])),
    computed: new Map(Object.entries(config.computed ?? {}).map(([id, one]) => [id, one.purpose])),
    score: new Map(Object.entries(config.scores ?? {}).map(([id, one]) => [id, one.purpose])),
  }
  const report = (path: Path, message: string) => problems.push({ path, message })
  const purpose = (id: string, path: Path) => {
    if (!Object.hasOwn(config.purposes, id))
      report(path, `purpose "${id}" is not in the configuration: use ${list(Object.keys(config.purposes))}.`)
  }
  const checks: Checks = {
    report,
    /** A definition of another purpose would make one purpose's data serve another (LGPD art. 6 I). */
    reads(reads, mine, path, allowed) {
      for (const kind of ['audience', 'computed', 'score'] as const) {
        const wanted = kind === 'audience' ? reads.audiences : kind === 'computed' ? reads.computed : reads.scores
        for (const id of wanted) {
          const theirs = names[kind].get(id)
          if (!allowed.includes(kind)) report(path, `${KINDS[kind]} cannot be read here.`)
          else if (theirs === undefined)
            report(path, `there is no ${KINDS[kind]} "${id}": use ${list([...names[kind].keys()])}.`)
          else if (theirs !== mine)
            report(
              path,
              `${KINDS[kind]} "${id}" is kept for "${theirs}" and this is for "${mine}": read one of the same purpose.`,
            )
        }
      }
    },
    conditions(conditions, mine, path, allowed) {
      for (const { condition, path: at } of leavesOf(conditions, path)) {
        const reads = emptyReads()
        if ('field' in condition) {
          const { field, op, value } = condition
          if (!isField(field)) report([...at, 'field'], `"${field}" is no field that can be read: use ${FIELDS}.`)
          else if (field.startsWith('event.'))
            report(
              [...at, 'field'],
              'there is no event to read: membership holds between events too. Count events, with `where` for their properties.',
            )
          else if (field.startsWith('counters.') && counterPurpose(field) !== mine)
            report([...at, 'field'], `it was fed by another purpose: read counters.${mine}.… instead.`)
          else if ((op === 'exists' || op === 'absent') !== (value === undefined))
            report([...at, 'value'], value === undefined ? `${op} needs a value.` : `${op} takes no value.`)
          else if ((op === 'in') !== Array.isArray(value) && value !== undefined)
            report(
              [...at, 'value'],
              op === 'in' ? 'in needs a list, write [a, b].' : 'takes one value; for several use in.',
            )
          readField(field, reads)
        } else if ('audience' in condition) reads.audiences.add(condition.audience)
        else if (isMeasure(condition)) {
          const { name, measured } = measureOf(condition)
          const wrong =
            measured.window === undefined || measured.calendar ? undefined : durationProblem(measured.window)
          if (wrong) report([...at, name, 'window'], `${wrong}.`)
        }
        checks.reads(reads, mine, at, allowed)
      }
    },
  }
  for (const [id, one] of Object.entries(config.computed ?? {})) {
    purpose(one.purpose, ['computed', id, 'purpose'])
    computedProblems(id, one, checks)
  }
  for (const [id, one] of Object.entries(config.scores ?? {})) {
    purpose(one.purpose, ['scores', id, 'purpose'])
    scoreProblems(id, one, checks)
  }
  for (const [id, one] of Object.entries(config.audiences ?? {})) {
    purpose(one.purpose, ['audiences', id, 'purpose'])
    audienceProblems(id, one, checks, surroundings)
  }
  for (const root of ['computed', 'scores'] as const)
    for (const [id, one] of Object.entries(config[root] ?? {})) traitProblemsOf([root, id], one, checks, surroundings)
  for (const circle of circlesIn(config)) report(circle.path, circle.message)
  return problems
}

const KINDS = { audience: 'audience', computed: 'computed trait', score: 'score' } as const
const list = (names: readonly string[]) => (names.length === 0 ? '(none)' : names.join(', '))

interface Checks {
  report(path: Path, message: string): void
  reads(reads: Reads, purpose: string, path: Path, allowed: readonly ('audience' | 'computed' | 'score')[]): void
  conditions(
    conditions: Conditions | undefined,
    purpose: string,
    path: Path,
    allowed: readonly ('audience' | 'computed' | 'score')[],
  ): void
}

// ---------------------------------------------------------------- computed traits and scores

function computedProblems(id: string, config: ComputedConfig, checks: Checks): void {
  const at = ['computed', id]
  const said = ([...MEASURING, 'days_since', 'ratio', 'bucket'] as const).filter((name) => config[name] !== undefined)
  if (said.length > 1) checks.report(at, `computes two things: keep one of ${said.join(', ')}.`)
  const fn = [...MEASURING, 'days_since' as const].find((name) => config[name] !== undefined)
  if (fn) {
    const measured: { readonly window?: string; readonly where?: Conditions } = config[fn]!
    const wrong = measured.window === undefined ? undefined : durationProblem(measured.window)
    if (wrong) checks.report([...at, fn, 'window'], `${wrong}.`)
    for (const { condition, path } of leavesOf(measured.where, [...at, fn, 'where']))
      if (!('field' in condition) || !condition.field.startsWith('event.'))
        checks.report(path, 'where looks at the event alone: use event.<property>.')
    return
  }
  const { ratio, bucket } = config
  if (!ratio && !bucket) {
    checks.report(
      at,
      `says nothing to compute: use one of ${[...MEASURING, 'days_since', 'ratio', 'bucket'].join(', ')}.`,
    )
    return
  }
  const reads = emptyReads()
  for (const other of ratio ? [ratio.of, ratio.to] : [bucket!.of]) reads.computed.add(other)
  checks.reads(reads, config.purpose, [...at, ratio ? 'ratio' : 'bucket'], ['computed'])
  const limits = bucket?.limits ?? []
  if (limits.some((limit, index) => index > 0 && limit <= limits[index - 1]!))
    checks.report([...at, 'bucket', 'limits'], 'must rise from one to the next.')
}

function scoreProblems(id: string, { scorecard, logistic, purpose }: ScoreConfig, checks: Checks): void {
  const at = ['scores', id]
  if ((scorecard === undefined) === (logistic === undefined))
    checks.report(at, 'needs exactly one of scorecard and logistic.')
  for (const [index, line] of (scorecard?.points ?? []).entries())
    checks.conditions(line.if, purpose, [...at, 'scorecard', 'points', index, 'if'], ['computed'])
  for (const [index, { field }] of (logistic?.features ?? []).entries()) {
    const path = [...at, 'logistic', 'features', index, 'field']
    if (!isField(field) || field.startsWith('event.') || field.startsWith('scores.'))
      checks.report(path, `"${field}" is no field a model can read: use computed.<id>, traits.<trait>, cart.total.`)
    const reads = emptyReads()
    readField(field, reads)
    checks.reads(reads, purpose, path, ['computed'])
  }
}

// ---------------------------------------------------------------- audiences

function audienceProblems(id: string, config: AudienceConfig, checks: Checks, surroundings: LintSurroundings): void {
  const at = ['audiences', id]
  const { who, held_out: heldOut, purpose, stay, destinations = [] } = config
  if (who === undefined && heldOut === undefined)
    checks.report(at, 'says nobody: write who: with conditions, or held_out: for an exclusion list.')
  if (who && leavesOf(who).length === 0) checks.report([...at, 'who'], 'has no condition, so it would be everybody.')
  checks.conditions(who, purpose, [...at, 'who'], ['audience', 'computed', 'score'])
  const wrong = stay === undefined ? undefined : durationProblem(stay)
  if (wrong) checks.report([...at, 'stay'], `${wrong}.`)
  for (const [index, one] of (heldOut ?? []).entries()) {
    if (!('audience' in one)) continue
    const reads = emptyReads()
    reads.audiences.add(one.audience)
    checks.reads(reads, purpose, [...at, 'held_out', index, 'audience'], ['audience'])
  }
  const seen = new Set<string>()
  for (const [index, given] of destinations.entries()) {
    const named = typeof given === 'string' ? { destination: given } : given
    const path = [...at, 'destinations', index]
    if (seen.has(named.destination))
      checks.report(path, `destination "${named.destination}" is named twice: a second list is a second audience.`)
    seen.add(named.destination)
    destinationProblems(named, purpose, path, checks, surroundings)
  }
}

function destinationProblems(
  named: AudienceDestination,
  purpose: string,
  path: Path,
  checks: Checks,
  { actionsOf, settingsOf, purposesOf }: LintSurroundings,
): void {
  const actions = actionsOf(named.destination)
  if (!actions) {
    checks.report(path, `destination "${named.destination}" is not in the configuration.`)
    return
  }
  if (!purposesOf(named.destination).includes(purpose))
    checks.report(
      path,
      `destination "${named.destination}" does not declare the purpose "${purpose}", so nobody would ever be sent: add it to its purposes.`,
    )
  // A withdrawal and a deletion request take people out of the lists of the settings.
  const { audiences: lists } = settingsOf(named.destination)
  const given = named.with?.['audience']
  if (Array.isArray(lists) && typeof given === 'string' && !lists.includes(given))
    checks.report(
      [...path, 'with', 'audience'],
      `is not in settings.audiences of "${named.destination}", so a deletion request would not reach it: add it there.`,
    )
  for (const [word, defaults] of [
    ['add', DEFAULT_ADD],
    ['remove', DEFAULT_REMOVE],
  ] as const) {
    const name = named[word] ?? defaults.find((one) => Object.hasOwn(actions, one))
    const action = name === undefined ? undefined : actions[name]
    if (!action) {
      checks.report(
        named[word] === undefined ? path : [...path, word],
        name === undefined
          ? `destination "${named.destination}" has no action to ${word} members; name one of ${list(Object.keys(actions))} with ${word}:.`
          : `destination "${named.destination}" has no action "${name}": use ${list(Object.keys(actions))}.`,
      )
      continue
    }
    if (action.kind === 'message')
      checks.report(
        named[word] === undefined ? path : [...path, word],
        `${name} sends a message to a person, and an audience only keeps a list: use a rule with when: {audience: …}.`,
      )
    // The hub fills these itself; whatever else a payload needs and no mapping gives has to be said here.
    const required = action.payload.required ?? []
    for (const field of required) {
      const schema = action.payload.properties[field] as { readonly from?: unknown } | undefined
      const filled = field === 'member' || field === 'occurredAt' || schema?.from !== undefined
      const listId = field === 'audience' && !Object.hasOwn(schema ?? {}, 'pattern')
      const own = field === 'audience' && name === 'sendAudience'
      if (filled || listId || own || Object.hasOwn(named.with ?? {}, field)) continue
      checks.report(path, `${name} needs "${field}": write with: {${field}: …}.`)
    }
  }
}

function traitProblemsOf(
  at: Path,
  { destinations = [], purpose }: Pick<ComputedConfig, 'destinations' | 'purpose'>,
  checks: Checks,
  { actionsOf, purposesOf }: LintSurroundings,
): void {
  for (const [index, given] of destinations.entries()) {
    const { destination, action } = named(given, '')
    const path = [...at, 'destinations', index]
    const actions = actionsOf(destination)
    if (!actions) checks.report(path, `destination "${destination}" is not in the configuration.`)
    else if (!Object.hasOwn(actions[action]?.payload.properties ?? {}, 'traits'))
      checks.report(
        path,
        `destination "${destination}" has no action "${action}" that takes traits: use ${list(
          Object.keys(actions).filter((name) => Object.hasOwn(actions[name]!.payload.properties, 'traits')),
        )}.`,
      )
    else if (actions[action]!.kind !== 'state')
      checks.report(path, `${action} does not write what somebody is: use an action that does, such as sendTraits.`)
    else if (!purposesOf(destination).includes(purpose))
      checks.report(
        path,
        `destination "${destination}" does not declare the purpose "${purpose}", so nobody would ever be sent: add it to its purposes.`,
      )
  }
}

// ---------------------------------------------------------------- circles

function circlesIn({ audiences = {}, computed = {} }: Config3): MeasureProblem[] {
  const found: MeasureProblem[] = []
  const look = (root: 'audiences' | 'computed', reads: ReadonlyMap<string, ReadonlySet<string>>) => {
    const done = new Set<string>()
    const walk = (id: string, above: readonly string[]): void => {
      const start = above.indexOf(id)
      if (start >= 0) {
        found.push({ path: [root, id], message: `reads itself: ${[...above.slice(start), id].join(' → ')}.` })
        return
      }
      if (done.has(id)) return
      for (const next of reads.get(id) ?? []) walk(next, [...above, id])
      done.add(id)
    }
    for (const id of reads.keys()) walk(id, [])
  }
  look(
    'audiences',
    new Map(
      Object.entries(audiences).map(([id, one]) => {
        const reads = emptyReads()
        readConditions(one.who, reads)
        for (const held of one.held_out ?? []) if ('audience' in held) reads.audiences.add(held.audience)
        return [id, reads.audiences]
      }),
    ),
  )
  look(
    'computed',
    new Map(
      Object.entries(computed).map(([id, { ratio, bucket }]) => [
        id,
        new Set(ratio ? [ratio.of, ratio.to] : bucket ? [bucket.of] : []),
      ]),
    ),
  )
  return found
}

// ---------------------------------------------------------------- traits

/** Traits that nobody could ever see: sealed text, and those the purpose does not collect. */
export function traitProblems(
  { audiences = {}, scores = {} }: Pick<Config, 'audiences' | 'scores'>,
  openTraits: ReadonlySet<string>,
  collects: (purpose: string, trait: string) => boolean,
): MeasureProblem[] {
  const places = [
    ...Object.entries(audiences).map(([id, { who, purpose }]) => ({ who, purpose, path: ['audiences', id, 'who'] })),
    ...Object.entries(scores).flatMap(([id, { scorecard, purpose }]) =>
      (scorecard?.points ?? []).map((line, index) => ({
        who: line.if,
        purpose,
        path: ['scores', id, 'scorecard', 'points', index, 'if'],
      })),
    ),
  ]
  return places.flatMap(({ who, purpose, path }) =>
    leavesOf(who, path).flatMap(({ condition, path: at }) => {
      if (!('field' in condition) || !condition.field.startsWith('traits.')) return []
      const trait = condition.field.slice('traits.'.length)
      if (!collects(purpose, trait))
        return [
          {
            path: [...at, 'field'],
            message: `"${purpose}" does not collect the trait "${trait}": add it under purposes.${purpose}.collects, e.g. {identify: [${trait}]}.`,
          },
        ]
      const asText = condition.op === 'contains' || [condition.value].flat().some((value) => typeof value === 'string')
      return asText && !openTraits.has(trait)
        ? [
            {
              path: [...at, 'field'],
              message: `trait "${trait}" is text and sealed, so nothing can read it: add it to openTraits if it is not personal on its own.`,
            },
          ]
        : []
    }),
  )
}
