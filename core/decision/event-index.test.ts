import {
  type Arbitrary,
  array,
  assert,
  constant,
  constantFrom,
  integer,
  oneof,
  property,
  record,
  tuple,
} from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Conditions, Rule } from '../../schemas/rule.ts'
import { cases } from '../testing/effort.ts'
import { demandOf, EventIndex } from './event-index.ts'
import { buildRuleSet, compileRule, type DecisionResult, nameMatches, type RuleSet } from './index.ts'
import type { Measure } from './measures.ts'
import { measuresFor, neededMeasures } from './needs.ts'
import { event, Person, rulesFrom } from './person.fixture.ts'
import { askingAll, type CompiledRule } from './ruleset.ts'

const shoes = { field: 'event.category', op: 'eq', value: 'shoes' } as const
const bags = { field: 'event.category', op: 'eq', value: 'bags' } as const
const dear = { field: 'event.price', op: 'gte', value: 100 } as const

describe('what conditions demand of an event', () => {
  test.each<[string, Conditions | undefined, unknown]>([
    ['nothing', undefined, undefined],
    ['one value', { all: [dear, shoes] }, { path: 'category', values: ['shoes'] }],
    ['one of several', { all: [{ field: 'event.a.b', op: 'in', value: [1, 2] }] }, { path: 'a.b', values: [1, 2] }],
    ['either of the same property', { any: [shoes, bags] }, { path: 'category', values: ['shoes', 'bags'] }],
    ['either of two properties', { any: [shoes, dear] }, undefined],
    ['in a group', { all: [{ all: [{ any: [bags] }] }] }, { path: 'category', values: ['bags'] }],
    ['the opposite', { none: [shoes] }, undefined],
    ['the opposite in a group', { all: [{ none: [shoes] }] }, undefined],
    ['of the person', { all: [{ field: 'traits.city', op: 'eq', value: 'Recife' }] }, undefined],
    [
      'the fewest values',
      { all: [{ field: 'event.size', op: 'in', value: [38, 39] }, shoes] },
      { path: 'category', values: ['shoes'] },
    ],
  ])('%s', (_, conditions, demand) => {
    expect(demandOf(conditions)).toEqual(demand)
  })
})

test('the index gives what the value of a property allows, once each and in order', () => {
  const index = new EventIndex<string>()
  index.add([{ event: 'Viewed', where: { all: [shoes] } }], 'shoes')
  index.add(['Viewed'], 'any')
  index.add([{ event: 'View*', where: { any: [shoes, bags] } }], 'glob')
  index.add(
    [
      { event: 'Viewed', where: { all: [shoes] } },
      { event: 'Viewed', where: { all: [dear] } },
    ],
    'either',
  )
  index.add([{ event: 'Viewed', where: { all: [{ field: 'event.size', op: 'in', value: [38, 'M'] }] } }], 'size')
  expect(index.find('Viewed', { category: 'shoes' })).toEqual(['shoes', 'any', 'glob', 'either'])
  expect(index.find('Viewed', { category: 'bags' })).toEqual(['any', 'glob', 'either'])
  expect(index.find('Viewed', { category: ['shoes'] })).toEqual(['any', 'either'])
  // Sources write numbers as text; a word of a rule that looks like a number stays a word.
  expect(index.find('Viewed', { size: ' 38 ' })).toEqual(['any', 'either', 'size'])
  expect(index.find('Viewed', { size: 'M' })).toEqual(['any', 'either', 'size'])
  expect(index.find('Viewing', { category: 'bags' })).toEqual(['glob'])
  expect(index.find('Viewed')).toEqual(['shoes', 'any', 'glob', 'either', 'size'])
  expect(index.find('Added', { category: 'shoes' })).toEqual([])
})

/** Every rule is gone through for every event, in the order of priority. */
function goingThrough(published: readonly CompiledRule[], retired: readonly CompiledRule[]): RuleSet {
  const indexed = buildRuleSet(published, retired)
  const all = [...published, ...retired].sort(
    (a, b) =>
      (b.rule.priority ?? 0) - (a.rule.priority ?? 0) ||
      (a.rule.id < b.rule.id ? -1 : a.rule.id > b.rule.id ? 1 : b.rule.version - a.rule.version),
  )
  const among = (rules: readonly CompiledRule[], names: (rule: CompiledRule) => readonly string[]) => (name: string) =>
    rules.filter((compiled) => names(compiled).some((glob) => nameMatches(glob, name)))
  const current = all.filter((compiled) => published.includes(compiled))
  return {
    ...indexed,
    triggeredBy: among(current, ({ rule: { when }, crossing }) =>
      'event' in when ? [when.event] : crossing ? [crossing.measured.event] : [],
    ),
    startedBy: among(all, ({ absence }) => (absence ? [absence.start] : [])),
    steppedBy: among(all, ({ sequence }) => sequence?.steps.map((step) => step.event) ?? []),
    closedBy: among(
      current.filter(({ absence, sequence }) => absence?.notesClosings || sequence?.correlate),
      ({ rule, absence }) => [...(absence?.unless ?? []).map((one) => one.event), ...(rule.exit_on ?? [])],
    ),
    goalOf: among(all, ({ rule }) => rule.exit_on ?? []),
  }
}

const VALUES = ['x', 'y', '1', 1, true]
const atom = oneof(
  record({ field: constant('event.kind'), op: constant('eq' as const), value: constantFrom(...VALUES) }),
  record({
    field: constantFrom('event.kind', 'event.deep.size'),
    op: constant('in' as const),
    value: array(constantFrom(...VALUES), { maxLength: 3 }),
  }),
  record({ field: constant('event.price'), op: constant('gte' as const), value: constantFrom(1, 5) }),
  record({ field: constant('event.kind'), op: constantFrom('ne' as const, 'absent' as const), value: constant('x') }),
)
const parts = {
  all: array(atom, { maxLength: 2 }),
  any: array(atom, { maxLength: 2 }),
  none: array(atom, { maxLength: 1 }),
}
const where: Arbitrary<Conditions> = oneof(
  record(parts, { requiredKeys: [] }),
  record({ all: tuple(record(parts, { requiredKeys: ['all'] })) }),
)
const match = record({ event: constantFrom('A', 'B', 'C', '*'), where }, { requiredKeys: ['event'] })
const triggers: Arbitrary<Rule['when']> = oneof(
  match,
  record({
    absence: record(
      {
        start: match,
        unless: record({ any: array(match, { minLength: 1, maxLength: 2 }) }),
        within: constantFrom('PT3M', 'PT8M'),
        correlate: constant('cart'),
      },
      { requiredKeys: ['start', 'unless', 'within'] },
    ),
  }),
  record({
    sequence: record(
      { steps: array(match, { minLength: 2, maxLength: 3 }), within: constant('PT9M'), correlate: constant('cart') },
      { requiredKeys: ['steps', 'within'] },
    ),
  }),
  record({
    sum: match.map((measured) => ({ ...measured, property: 'price', window: 'PT10M' })),
    op: constant('gte' as const),
    value: constantFrom(4, 9),
  }),
)
const drawnRule: Arbitrary<Omit<Rule, 'id' | 'version'>> = record(
  {
    when: triggers,
    who: record({
      all: array(
        oneof(
          record({
            count: match.map((measured) => ({ ...measured, window: 'PT9M' })),
            op: constantFrom('lt' as const, 'gte' as const),
            value: constantFrom(1, 2),
          }),
          atom,
        ),
        { maxLength: 2 },
      ),
    }),
    unless: record(
      { caps: constant([{ per: 'person' as const, max: 2, window: 'PT9M' }]), purpose: constant('p') },
      { requiredKeys: ['purpose'] },
    ),
    then: constant({ all: [{ destination: 'email', action: 'send' }] }),
    exit_on: array(constantFrom('A', 'B*', 'C'), { maxLength: 1 }),
    priority: integer({ min: 0, max: 2 }),
  },
  { requiredKeys: ['when', 'unless', 'then'] },
)
const happening = record({
  name: constantFrom('A', 'B', 'C'),
  gap: integer({ min: 0, max: 4 }),
  properties: record(
    {
      kind: constantFrom(...VALUES, ' 1 '),
      deep: record({ size: constantFrom(...VALUES) }),
      price: integer({ min: 0, max: 9 }),
      cart: constantFrom('c1', 'c2'),
    },
    { requiredKeys: [] },
  ),
})

test('what the index leaves out would have decided nothing', () => {
  assert(
    property(
      array(drawnRule, { minLength: 1, maxLength: 8 }),
      array(happening, { maxLength: 12 }),
      (drawn, happened) => {
        const compiled = drawn.map((rule, index) =>
          compileRule({ ...rule, id: `r${Math.floor(index / 2)}`, version: 1 + (index % 2) }),
        )
        const published = compiled.filter(({ rule }, index) => rule.version === 2 || index === compiled.length - 1)
        const retired = compiled.filter((one) => !published.includes(one))
        const log = (rules: RuleSet) => {
          const person = new Person(rules)
          // Some began under the version before.
          const before = { ...rules, isCurrent: (one: CompiledRule) => retired.includes(one) || rules.isCurrent(one) }
          let minute = 0
          const results = happened.flatMap(({ name, gap, properties }, index) => {
            minute += gap
            person.rules = index < happened.length / 2 ? before : rules
            return [person.wake(minute), person.take(event(name, minute, properties, `e${index}`))].flat()
          })
          return { results: results.map(decided), profile: person.profile }
        }
        expect(log(buildRuleSet(published, retired))).toEqual(log(goingThrough(published, retired)))
      },
    ),
    { numRuns: cases(250) },
  )
})

/** All but what is told of a trigger whose conditions on the event did not hold. */
function decided({ explanations, ...result }: DecisionResult) {
  const fired = explanations.filter(({ failed }) => !failed.some((id) => id.startsWith('when.where.')))
  return { ...result, explanations: fired }
}

test('what the index leaves out of an event would not have been measured', () => {
  assert(
    property(array(match, { minLength: 1, maxLength: 8 }), happening, (patterns, { name, properties }) => {
      const rules = patterns.map((pattern, index) =>
        compileRule({
          id: `r${index}`,
          version: 1,
          when: { sum: { ...pattern, property: 'price', window: 'P1D' }, op: 'gte', value: 1 },
          unless: { purpose: 'p' },
          then: { all: [] },
        }),
      )
      const measures = measuresFor(neededMeasures(rules))
      const taken = (found: readonly Measure[]) =>
        found.filter((one) => one.take(event(name, 0, properties)) !== undefined).map(({ key }) => key)
      expect(taken(measures('p', name, properties))).toEqual(taken(measures('p', name)))
    }),
    { numRuns: cases(200) },
  )
})

test('asked for all, the rules that wait for another value tell what they found', () => {
  const rules = rulesFrom(`
id: sapatos
version: 1
when: {event: Product Viewed, where: {all: [{field: event.category, op: eq, value: sapatos}]}}
unless: {purpose: p}
then: {all: [{destination: email, action: send}]}
`)
  const viewed = event('Product Viewed', 0, { category: 'bolsas' })
  expect(new Person(rules).take(viewed).explanations).toEqual([])
  expect(new Person(askingAll(rules)).take(viewed).explanations).toMatchObject([
    { result: 'NOT_MATCHED', latestOnly: true, failed: ['when.where.all.0'] },
  ])
})
