/** A decision that was stored reads as it was made: the same clauses, words and values, taken from the version that decided. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Condition, Conditions, Rule } from '../../schemas/rule.ts'
import { cases } from '../testing/effort.ts'
import { MEASURE_RULES } from '../testing/life-measures.ts'
import { LIFE_RULES, TRIGGER_RULES } from '../testing/random-history.ts'
import { compileRule, type Explanation } from './index.ts'
import { type PackedDecision, pack, unpack } from './packed.ts'
import { at, event, MINUTE, Person, rulesFrom } from './person.fixture.ts'
import { buildRuleSet } from './ruleset.ts'

/** Through the text of the row; the version is compiled anew from its stored text, as whoever reads it does. */
function readBack(explanation: Explanation, person: Person): Explanation {
  const compiled = person.rules.versionOf(explanation.rule, explanation.version)!
  const text = JSON.stringify(pack(explanation, compiled))
  const version = compileRule(JSON.parse(JSON.stringify(compiled.rule)) as Rule)
  return unpack(JSON.parse(text) as PackedDecision, explanation, version)
}

/** What the conditions of a rule say is nowhere in the row. */
function expectNoWords(explanation: Explanation, person: Person): void {
  const text = JSON.stringify(pack(explanation, person.rules.versionOf(explanation.rule, explanation.version)))
  for (const { id, pt } of explanation.clauses)
    if (/^(who|when\.where|when\.sequence)\b/.test(id)) expect(text).not.toContain(JSON.stringify(pt))
}

const number = fc.integer({ min: 0, max: 6 })
const leaf = fc.oneof(
  fc.record({
    field: fc.constantFrom('event.total', 'traits.age', 'cart.total', 'counters.p.orders', 'scores.s'),
    op: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte'),
    value: number,
  }),
  fc.record({
    field: fc.constantFrom('traits.plan', 'event.coupon'),
    op: fc.constantFrom('eq', 'ne', 'contains'),
    value: fc.constantFrom('gold', 'free', 'Aço "fino"'),
  }),
  fc.record({
    field: fc.constantFrom('traits.plan', 'event.coupon', 'cart.url'),
    op: fc.constantFrom('exists', 'absent'),
  }),
  fc.record({ field: fc.constant('event.coupon'), op: fc.constant('in'), value: fc.constant(['gold', 'silver']) }),
  fc.record({ audience: fc.constantFrom('vip', 'novos'), in: fc.boolean() }),
  fc.record({
    count: fc.record({ event: fc.constantFrom('Product Viewed', 'Order *'), window: fc.constantFrom('P1D', 'PT2H') }),
    op: fc.constantFrom('eq', 'gte', 'lt'),
    value: number,
  }),
) as fc.Arbitrary<Condition>
const group = fc.array(leaf, { maxLength: 2 })
const conditions = fc.oneof(
  fc.record({ all: group, any: group, none: group }),
  fc.record({ all: fc.array(fc.record({ any: group, none: group }), { maxLength: 2 }), none: group }),
) as fc.Arbitrary<Conditions>

const happened = fc.record({
  name: fc.constantFrom('Product Viewed', 'Product Added', 'Order Completed', 'Product Removed'),
  minutes: fc.integer({ min: 0, max: 45 }),
  late: fc.constantFrom(0, 0, 0, 50),
  total: fc.option(number),
  coupon: fc.option(fc.constantFrom('gold', 'other')),
  product: fc.integer({ min: 1, max: 2 }),
  cart: fc.option(fc.constantFrom(0, 4, 900)),
})
type Happened = typeof happened extends fc.Arbitrary<infer T> ? T : never

function lives(person: Person, life: readonly Happened[]): void {
  let now = 0
  for (const { name, minutes, late, total, coupon, product, cart } of life) {
    now += minutes
    if (cart !== null) person.putInCart(cart, cart === 0 ? 0 : 1)
    person.wake(now)
    const properties = {
      product_id: `p${product}`,
      ...(total !== null && { total: total * 10 }),
      ...(coupon !== null && { coupon }),
    }
    person.take(event(name, now - late, properties), now)
  }
}

describe('stored and read', () => {
  test('every kind of trigger, gate and end over random lives', () => {
    const rules = rulesFrom(...[...LIFE_RULES, ...TRIGGER_RULES, ...MEASURE_RULES])
    const told = new Set<string>()
    fc.assert(
      fc.property(fc.array(happened, { maxLength: 12 }), fc.boolean(), fc.nat(9), (life, granted, whose) => {
        const person = new Person(rules, {
          key: `01JPERSON000000000000000${whose}`,
          consent: () => (granted ? { granted, entryId: 'E1' } : { granted, reason: 'consent_revoked' }),
          globalHoldout: 0.2,
        })
        lives(person, life)
        for (const explanation of person.explanations) {
          told.add(explanation.result)
          expect(readBack(explanation, person)).toEqual(explanation)
          expectNoWords(explanation, person)
        }
      }),
      { numRuns: cases(150) },
    )
    for (const result of ['ARMED', 'RESET', 'CANCELLED', 'ENQUEUED', 'NOT_MATCHED', 'CAPPED', 'NO_CONSENT'])
      expect([...told]).toContain(result)
  })

  test('whatever the conditions are, nested as they may be', () => {
    const rule = (who: Conditions, where: Conditions): Rule => ({
      id: 'r',
      version: 2,
      when: { event: 'Order Completed', where },
      who,
      unless: { purpose: 'p' },
      then: { all: [{ destination: 'email', action: 'send' }] },
    })
    fc.assert(
      fc.property(conditions, conditions, fc.array(happened, { maxLength: 5 }), (who, where, life) => {
        const person = new Person(buildRuleSet([compileRule(rule(who, where))]))
        lives(person, [...life, ORDERED])
        for (const explanation of person.explanations) {
          expect(readBack(explanation, person)).toEqual(explanation)
          expectNoWords(explanation, person)
        }
      }),
      { numRuns: cases(150) },
    )
  })

  test('words that the version does not say are kept: a shorter wait, a glob, another ending', () => {
    const glob = `
id: r
version: 1
when: {absence: {start: {event: "Product *"}, unless: {any: [{event: Order Completed}, {event: Order Cancelled}]}, within: PT30M}}
unless: {purpose: p}
then: {all: [{destination: email, action: send}]}
`
    const person = new Person(rulesFrom(glob))
    person.take(event('Product Viewed', 0))
    person.take(event('Order Cancelled', 1))
    expect(person.explanations.map((one) => readBack(one, person).clauses[0]!.pt)).toEqual([
      '"Product Viewed" iniciou a contagem',
      'nenhum "Order Cancelled" durante a espera',
    ])
    expect(person.explanations.map((one) => readBack(one, person))).toEqual(person.explanations)
  })

  test('a reset says no more than which rule and when', () => {
    const person = new Person(rulesFrom(LIFE_RULES[0]!))
    person.take(event('Product Added', 0))
    person.take(event('Product Added', 5))
    const reset = person.explanations[1]!
    expect(pack(reset, person.rules.versionOf('carrinho', 1))).toEqual([
      'carrinho',
      1,
      'RESET',
      2,
      'cart',
      ['when.absence.start', 1, null],
      { s: at(5) },
    ])
  })
})

const ORDERED: Happened = {
  name: 'Order Completed',
  minutes: 1,
  late: 0,
  total: 3,
  coupon: null,
  product: 1,
  cart: null,
}

/** A row as version 0.1 wrote it: what is stored outlives the code. */
test('a row of once is read as ever', () => {
  const [compiled] = rulesFrom(`
id: r
version: 7
when: {event: Order Completed, where: {all: [{field: event.total, op: gte, value: 20}]}}
who: {any: [{field: cart.total, op: gte, value: 500}, {field: person.known, op: eq, value: true}]}
unless: {purpose: p, caps: [{per: person, max: 2, window: P7D}]}
then: {all: [{destination: email, action: send}]}
`).current
  const text =
    '["r",7,"CAPPED",9,"c1",["when.where.all.0",1,90,"who.any.0",0,120,"who.any.1",1,true,"unless.caps.0",0,2,"x.y",6,1,"said","dito"],{"s":"2026-03-10T12:00:00.000Z","n":"E1","k":[["email","send","CAPPED"]]}]'
  const about = { eventId: 'e1', at: at(30), latestOnly: false }
  expect(unpack(JSON.parse(text) as PackedDecision, about, compiled)).toEqual({
    rule: 'r',
    version: 7,
    hash: compiled!.hash,
    eventId: 'e1',
    correlation: 'c1',
    seq: 9,
    at: new Date(Date.parse(at(0)) + 30 * MINUTE).toISOString(),
    startedAt: '2026-03-10T12:00:00.000Z',
    result: 'CAPPED',
    clauses: [
      {
        id: 'when.where.all.0',
        clause: '"total" of the event is at least 20',
        pt: '"total" do evento é pelo menos 20',
        ok: true,
        value: 90,
      },
      expect.objectContaining({ id: 'who.any.0', ok: false, value: 120, unit: 'cents' }),
      expect.objectContaining({ id: 'who.any.1', ok: true, value: true }),
      expect.objectContaining({ id: 'unless.caps.0', ok: false, value: 2 }),
      { id: 'x.y', clause: 'said', pt: 'dito', ok: false, value: 1, unit: 'cents' },
    ],
    entryId: 'E1',
    deliveryIds: [],
    skipped: [{ destination: 'email', action: 'send', code: 'CAPPED' }],
    latestOnly: false,
    failed: ['who.any.0', 'unless.caps.0', 'x.y'],
  })
})
