/** What is told to flip a decision flips it: in the conditions, and through the whole of `decide`. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Condition, MeasureCondition, Rule } from '../../schemas/rule.ts'
import { compileConditions, type RuleView } from '../decision/compile.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { buildRuleSet, compileRule, type DecisionContext, decide, type Explanation } from '../decision/index.ts'
import { compileMeasure } from '../decision/measures.ts'
import { signal } from '../testing/consent-signals.ts'
import { cases } from '../testing/effort.ts'
import { identify, track } from '../testing/events.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { counterfactual, trialOf, viewOf } from './counterfactual.ts'
import { counterfactualsOf } from './decisions.ts'

const NOW = '2026-11-24T12:00:00.000Z'
const rule = (who: Rule['who'], where?: Rule['who']): Rule => ({
  id: 'r',
  version: 1,
  when: { event: 'Order Completed', ...(where && { where }) },
  ...(who && { who }),
  unless: { purpose: 'email_marketing' },
  then: { all: [{ destination: 'crm', action: 'send' }] },
})

const context = (known: boolean): DecisionContext =>
  ({
    now: NOW,
    personKey: 'p1',
    holdout: { globalHoldout: 0, globalSeed: 's' },
    consent: () => ({ granted: true, entryId: 'e1' }),
    reachable: () => known,
    capUses: () => [],
    actionOf: () => ({ kind: 'message', identifier: [] }),
  }) as unknown as DecisionContext

/** What the hub would have stored of it. */
function decided(given: Rule, profile: OpenProfile, properties: Record<string, unknown>, known = true): Explanation {
  const compiled = compileRule(given)
  const event = track({ name: 'Order Completed', userId: 'ana', properties, occurredAt: NOW })
  const result = decide({ kind: 'event', event, seq: 1 }, profile, buildRuleSet([compiled]), context(known))
  return result.explanations[0]!
}

const profileWith = (given: Partial<OpenProfile>): OpenProfile => ({ ...emptyProfile(NOW), ...given })

describe('a counterfactual', () => {
  test('says the smallest change of one number', () => {
    const given = rule({ all: [{ field: 'event.total', op: 'gte', value: 100 }] })
    const told = counterfactual(decided(given, emptyProfile(NOW), { total: 80 }), given)
    expect(told).toMatchObject({
      result: 'NOT_MATCHED',
      flipsTo: 'matched',
      changes: [{ clause: 'who.all.0', field: 'event.total', found: 80, needed: 100 }],
    })
    expect(told.sentence.pt).toContain('"total" do evento ser 100 em vez de 80')
    expect(decided(given, emptyProfile(NOW), { total: 100 }).result).toBe('ENQUEUED')
  })

  test('changes as few things as it can', () => {
    const given = rule({
      any: [
        { field: 'event.total', op: 'gte', value: 1000 },
        { field: 'event.coupon', op: 'eq', value: 'VIP' },
        { count: { event: 'Order Completed', window: 'P30D' }, op: 'gte', value: 3 },
      ],
    })
    const told = counterfactual(decided(given, emptyProfile(NOW), { total: 900 }), given)
    expect(told.changes).toHaveLength(1)
    expect(told.changes[0]).toMatchObject({ field: 'event.total', needed: 1000 })
  })

  test('two conditions on one field are met together', () => {
    const given = rule({
      all: [
        { field: 'event.total', op: 'gt', value: 100 },
        { field: 'event.total', op: 'lt', value: 200 },
      ],
    })
    expect(counterfactual(decided(given, emptyProfile(NOW), { total: 500 }), given).changes).toMatchObject([
      { needed: 199 },
    ])
    expect(counterfactual(decided(given, emptyProfile(NOW), { total: 5 }), given).changes).toMatchObject([
      { needed: 101 },
    ])
  })

  test('of a decision that acted: what would have kept it from acting', () => {
    const given = rule({
      all: [{ field: 'person.known', op: 'eq', value: true }],
      none: [{ field: 'traits.plan', op: 'eq', value: 'free' }],
    })
    const explanation = decided(
      given,
      profileWith({ traits: { plan: { value: 'gold', at: NOW, purposes: ['email_marketing'] } } }),
      {},
    )
    const told = counterfactual(explanation, given)
    expect(told).toMatchObject({ result: 'ENQUEUED', flipsTo: 'not_matched' })
    expect(told.changes).toHaveLength(1)
  })

  test('a window cannot hold fewer than a shorter one inside it', () => {
    const counts = (op: 'gte' | 'lt', value: number, window: string): Condition => ({
      count: { event: 'Order Completed', window },
      op,
      value,
    })
    const given = rule({ all: [counts('gte', 2, 'P7D'), counts('lt', 2, 'P30D')] })
    const told = counterfactual(decided(given, emptyProfile(NOW), {}), given)
    expect(told).toMatchObject({ flipsTo: null, changes: [] })
    expect(told.why!.pt).toContain('Nenhuma mudança')
  })

  test('a gate that stopped it: the permission that was missing', () => {
    const given = rule({ all: [{ field: 'event.total', op: 'gte', value: 1 }] })
    const compiled = compileRule(given)
    const event = track({ name: 'Order Completed', userId: 'ana', properties: { total: 5 }, occurredAt: NOW })
    const denied = { ...context(true), consent: () => ({ granted: false }) } as unknown as DecisionContext
    const [explanation] = decide(
      { kind: 'event', event, seq: 1 },
      emptyProfile(NOW),
      buildRuleSet([compiled]),
      denied,
    ).explanations
    expect(counterfactual(explanation!, given)).toMatchObject({
      result: 'NO_CONSENT',
      flipsTo: 'matched',
      changes: [{ clause: 'unless.purpose', field: 'email_marketing', needed: 'granted' }],
    })
  })

  test('a commercial secret is counted and not shown', () => {
    const given = rule({ all: [{ field: 'traits.score', op: 'gte', value: 70 }] })
    const told = counterfactual(
      decided(given, profileWith({ traits: { score: { value: 10, at: NOW, purposes: ['email_marketing'] } } }), {}),
      given,
      {
        secret: ['traits.score'],
      },
    )
    expect(told).toMatchObject({ changes: [], hidden: 1, flipsTo: 'matched' })
    expect(JSON.stringify(told.sentence)).not.toContain('70')
    expect(told.sentence.pt).toContain('segredo comercial')
  })

  test('a rule without conditions says so', () => {
    const given = rule(undefined)
    expect(counterfactual(decided(given, emptyProfile(NOW), {}), given)).toMatchObject({ flipsTo: null, changes: [] })
  })

  test('whatever the rule and the person: what is told turns the decision of the real code', () => {
    const number = fc.integer({ min: 0, max: 6 })
    const condition: fc.Arbitrary<Condition> = fc.oneof(
      fc.record({
        field: fc.constantFrom('event.total', 'traits.age', 'cart.total', 'counters.email_marketing.orders'),
        op: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte'),
        value: number,
      }),
      fc.record({
        field: fc.constantFrom('traits.plan', 'event.coupon'),
        op: fc.constantFrom('eq', 'ne', 'contains'),
        value: fc.constantFrom('gold', 'free'),
      }),
      fc.record({
        field: fc.constantFrom('traits.plan', 'event.coupon', 'cart.url'),
        op: fc.constantFrom('exists', 'absent'),
      }),
      fc.record({
        field: fc.constant('traits.plan'),
        op: fc.constant('in' as const),
        value: fc.constant(['gold', 'silver']),
      }),
      fc.record({ field: fc.constant('person.known'), op: fc.constant('eq' as const), value: fc.boolean() }),
      fc.record({
        count: fc.record({
          event: fc.constantFrom('Product Viewed', 'Ticket Opened'),
          window: fc.constantFrom('P1D', 'P7D'),
        }),
        op: fc.constantFrom('eq', 'gte', 'lt'),
        value: number,
      }),
    ) as fc.Arbitrary<Condition>
    const group = fc.array(condition, { maxLength: 2 })
    const situation = fc.record({
      total: fc.option(number),
      coupon: fc.option(fc.constantFrom('gold', 'free', 'other')),
      plan: fc.option(fc.constantFrom('gold', 'free', 'silver')),
      age: fc.option(number),
      cart: fc.option(number),
      orders: number,
      views: number,
      tickets: number,
      known: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.record({ all: group, any: group, none: group }), situation, (who, s) => {
        const given = rule(who)
        const recent = (count: number) => Array.from({ length: count }, () => '2026-11-24T06:00:00.000Z')
        const profile = profileWith({
          traits: {
            ...(s.plan !== null && { plan: { value: s.plan, at: NOW, purposes: ['email_marketing'] } }),
            ...(s.age !== null && { age: { value: s.age, at: NOW, purposes: ['email_marketing'] } }),
          },
          ...(s.cart !== null && { cart: { lines: [], total: s.cart, currency: 'BRL', updatedAt: NOW } }),
          counters: { email_marketing: { orders: s.orders } },
          counted: { email_marketing: { 'Product Viewed': recent(s.views), 'Ticket Opened': recent(s.tickets) } },
        })
        const properties = {
          ...(s.total !== null && { total: s.total }),
          ...(s.coupon !== null && { coupon: s.coupon }),
        }
        const explanation = decided(given, profile, properties, s.known)
        const told = counterfactual(explanation, given)
        if (told.flipsTo === null || !told.after) return
        const now = Date.parse(NOW)
        const was = explanation.result !== 'NOT_MATCHED'
        expect(trialOf(given)(told.before!, now)).toBe(was)
        const view = viewOf(told.after, now, 'email_marketing')!
        expect(compileConditions(given.who, 'who').test(view)).toBe(!was)
        // And through the whole of decide, with the profile and event made from it.
        const wanted = { ...view.profile, counted: { email_marketing: view.counted } }
        const after = decided(given, wanted, { ...view.event!.properties }, view.known)
        expect(after.result === 'NOT_MATCHED').toBe(was)
      }),
      { numRuns: 300 },
    )
  })
})

/** Every kind of condition beside plain fields and counts, with a value that fails and what is told to turn it. */
describe('of every kind of condition', () => {
  const P = 'email_marketing'
  const hour = Date.parse('2026-11-24T06:00:00.000Z')
  type Values = readonly (string | number | true)[]
  const keyOf = (condition: MeasureCondition) =>
    compileMeasure(condition, (where) => compileConditions(where, 'x')).measure!.key
  const having = (condition: MeasureCondition, values: Values): Partial<OpenProfile> => ({
    measured: { [P]: { [keyOf(condition)]: values.map((value, index) => [hour + index, value]) } },
  })
  const measuredIn = ({ measured = {} }: RuleView) =>
    Object.fromEntries(
      Object.entries(measured).map(([key, entries]) => [
        key,
        entries.map(([at, value]): [number, typeof value] => [at, value]),
      ]),
    )
  const of = (measured: object, op: string, value: unknown) =>
    ({ ...measured, op, value }) as unknown as MeasureCondition
  const spent = { event: 'Order Completed', property: 'total', window: 'P30D' }
  const kinds: [string, MeasureCondition, Values, number | string, string][] = [
    [
      'sum',
      of({ sum: spent }, 'gte', 500),
      [100, 150],
      500,
      'soma de "total" em "Order Completed" no período de 30 dias ser 500 em vez de 250',
    ],
    [
      'avg',
      of({ avg: spent }, 'gt', 80),
      [40, 60],
      81,
      'média de "total" em "Order Completed" no período de 30 dias ser 81 em vez de 50',
    ],
    ['min', of({ min: spent }, 'gte', 30), [10, 60], 30, 'ser 30 em vez de 10'],
    ['max', of({ max: spent }, 'lt', 90), [10, 99], 89, 'ser 89 em vez de 99'],
    ['first', of({ first: spent }, 'eq', 5), [7, 5], 5, 'ser 5 em vez de 7'],
    ['last', of({ last: spent }, 'eq', 5), [7], 5, 'ser 5 em vez de 7'],
    [
      'distinct',
      of({ distinct: { ...spent, property: 'product' } }, 'gte', 3),
      ['a'],
      3,
      'quantidade de valores distintos de "product" em "Order Completed" no período de 30 dias ser 3 em vez de 1',
    ],
    [
      'count where',
      of(
        {
          count: {
            event: 'Order Completed',
            window: 'P30D',
            where: { all: [{ field: 'event.total', op: 'gt', value: 50 }] },
          },
        },
        'gte',
        2,
      ),
      [true],
      2,
      'ser 2 em vez de 1',
    ],
  ]
  test.each(kinds)('%s', (_, condition, values, needed, words) => {
    const given = rule({ all: [condition as Condition] })
    const told = counterfactual(decided(given, profileWith(having(condition, values)), {}), given)
    expect(told).toMatchObject({
      result: 'NOT_MATCHED',
      flipsTo: 'matched',
      changes: [{ clause: 'who.all.0', needed }],
    })
    expect(told.sentence.pt).toContain(words)
    const view = viewOf(told.after!, Date.parse(NOW), P)!
    expect(decided(given, { ...view.profile, measured: { [P]: measuredIn(view) } }, {}).result).toBe('ENQUEUED')
  })

  const vip = { vip: { since: NOW, purpose: P } }
  test.each<[string, Condition, Partial<OpenProfile>, string]>([
    ['not in an audience', { audience: 'vip', in: true }, {}, 'estar no público "vip".'],
    ['in an audience', { audience: 'vip', in: false }, { audiences: vip }, 'não estar no público "vip".'],
    [
      'score',
      { field: 'scores.churn', op: 'gte', value: 0.8 },
      { scores: { churn: { value: 0.25, at: NOW, purpose: P } } },
      'pontuação "churn" ser 0,8 em vez de 0,25.',
    ],
    [
      'no score yet',
      { field: 'scores.churn', op: 'lt', value: 0.8 },
      {},
      'pontuação "churn" ser 0,79 em vez de nenhum.',
    ],
    [
      'computed trait',
      { field: 'computed.orders', op: 'gte', value: 3 },
      { computed: { orders: { hash: '', purpose: P, value: 1 } } },
      'característica calculada "orders" ser 3 em vez de 1.',
    ],
    [
      'score of another purpose',
      { field: 'scores.churn', op: 'gte', value: 1 },
      { scores: { churn: { value: 1, at: NOW, purpose: 'analytics' } } },
      'ser 1 em vez de nenhum.',
    ],
  ] as [string, Condition, Partial<OpenProfile>, string][])('%s', (_, condition, profile, words) => {
    const given = rule({ all: [condition] })
    const told = counterfactual(decided(given, profileWith(profile), {}), given)
    expect(told.sentence.pt).toContain(words)
    const view = viewOf(told.after!, Date.parse(NOW), P)!
    expect(decided(given, view.profile, {}).result).toBe('ENQUEUED')
  })

  test('a nested group of which one part is enough, within what must not hold', () => {
    const given = rule({
      none: [
        {
          all: [
            { field: 'event.total', op: 'gte', value: 10 },
            {
              any: [
                { audience: 'vip', in: true },
                { field: 'scores.churn', op: 'gt', value: 0.5 },
              ],
            },
          ],
        } as Condition,
      ],
    })
    const explanation = decided(given, profileWith({ audiences: vip }), { total: 40 })
    const told = counterfactual(explanation, given)
    expect(told).toMatchObject({ result: 'NOT_MATCHED', flipsTo: 'matched' })
    expect(told.changes).toHaveLength(1)
  })

  test('two windows of one measure that no events could give are not claimed', () => {
    const within = (window: string) => of({ sum: { ...spent, window } }, 'gte', 10) as Condition
    const given = rule({ all: [within('P7D'), within('P30D')] })
    const told = counterfactual(decided(given, emptyProfile(NOW), {}), given)
    expect(told).toMatchObject({ flipsTo: null, changes: [], why: { pt: expect.stringContaining('nada é afirmado') } })
  })

  test('whatever of them, nested as it may be: what is told turns the decision of the real code', () => {
    const number = fc.integer({ min: 0, max: 4 })
    const order = fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte')
    const pool = kinds.map(([, condition]) => condition)
    const leaf: fc.Arbitrary<Condition> = fc.oneof(
      fc.tuple(fc.constantFrom(...pool), order, number).map(([one, op, value]) => ({ ...one, op, value }) as Condition),
      fc.record({ audience: fc.constantFrom('vip', 'novos'), in: fc.boolean() }),
      fc.record({ field: fc.constantFrom('scores.churn', 'computed.orders', 'event.total'), op: order, value: number }),
    ) as fc.Arbitrary<Condition>
    const group = (parts: fc.Arbitrary<Condition>) => {
      const some = fc.array(parts, { maxLength: 2 })
      return fc.record({ all: some, any: some, none: some })
    }
    const inner = group(leaf).filter(({ all, any, none }) => all.length + any.length + none.length > 0)
    const who = group(
      fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 1, arbitrary: inner as fc.Arbitrary<Condition> }),
    )
    const values = fc.array(fc.tuple(fc.nat(7 * 86_400_000), number), { maxLength: 4 })
    const situation = fc.record({
      measured: fc.tuple(...pool.map(() => values)),
      vip: fc.boolean(),
      churn: fc.option(number),
      orders: fc.option(number),
      total: fc.option(number),
    })
    let turned = 0
    fc.assert(
      fc.property(who, situation, (conditions, s) => {
        const given = rule(conditions)
        const measured: Record<string, [number, string | number | true][]> = {}
        for (const [index, condition] of pool.entries())
          measured[keyOf(condition)] ??= s.measured[index]!.map(([ago, value]): [number, string | number | true] => [
            Date.parse(NOW) - ago,
            'count' in condition ? true : 'distinct' in condition ? String(value) : value,
          ]).sort(([a], [b]) => a - b)
        const profile = profileWith({
          measured: { [P]: measured },
          ...(s.vip && { audiences: vip }),
          ...(s.churn !== null && { scores: { churn: { value: s.churn, at: NOW, purpose: P } } }),
          ...(s.orders !== null && { computed: { orders: { hash: '', purpose: P, value: s.orders } } }),
        })
        const explanation = decided(given, profile, s.total === null ? {} : { total: s.total })
        const told = counterfactual(explanation, given)
        if (!told.after) return
        turned += 1
        const was = explanation.result !== 'NOT_MATCHED'
        const view = viewOf(told.after, Date.parse(NOW), P)!
        const after = decided(
          given,
          { ...view.profile, measured: { [P]: measuredIn(view) } },
          { ...view.event!.properties },
        )
        expect(after.result === 'NOT_MATCHED').toBe(was)
        for (const { clause, needed } of told.changes) {
          const found = after.clauses.find(({ id }) => id === clause)!
          expect(found.value, clause).toEqual(needed)
        }
      }),
      { numRuns: cases(200) },
    )
    expect(turned).toBeGreaterThan(20)
  })
})

describe('of a decision that a gate stopped', () => {
  const clauses = [
    { id: 'who.any.0', clause: 'a', pt: 'a', ok: false, value: 1 },
    { id: 'who.any.1', clause: 'b', pt: 'b', ok: true, value: 2 },
  ]
  const stopped = (result: Explanation['result'], id: string, value: unknown) =>
    ({
      ...decided(rule(undefined), emptyProfile(NOW), {}),
      result,
      clauses: [...clauses, { id, clause: 'the gate is open', pt: 'a porta está aberta', ok: false, value }],
    }) as Explanation
  const given = rule({
    any: [
      { field: 'event.total', op: 'gte', value: 1 },
      { field: 'event.coupon', op: 'exists' },
    ],
  })

  test.each([
    ['CAPPED', 'unless.caps.0', 3],
    ['REENTRY', 'unless.reentry.max', 1],
    ['SUPPRESSED', 'unless.suppress.complained', null],
    ['QUIET_HOURS', 'unless.quiet_hours', null],
    ['NO_OFFER', 'then.offer', 'dez'],
    ['EXCLUDED', 'unless.group', null],
    ['BUDGET', 'unless.budget', 10],
    ['NOT_PUBLISHED', 'rollout', 'NOT_PUBLISHED'],
    ['PAUSED', 'rollout', 'PAUSED'],
    ['KILLED', 'rollout', 'KILLED'],
    ['EXPIRED', 'then.expires', 'PT2H'],
    ['NOT_REACHABLE', 'then.contact.email', null],
  ] as const)('%s: the gate, and no condition that did not matter', (result, id, value) => {
    expect(counterfactual(stopped(result, id, value), given)).toMatchObject({
      flipsTo: 'matched',
      changes: [{ clause: id, found: value, text: { pt: 'valer: a porta está aberta' } }],
      sentence: { pt: 'O resultado seria outro (a regra agiria) com: valer: a porta está aberta.' },
    })
  })

  test('a shadow is asked what it would have been; a wait has decided nothing', () => {
    const shadow = { ...stopped('CAPPED', 'unless.caps.0', 3), result: 'SHADOW', would: 'CAPPED' } as Explanation
    expect(counterfactual(shadow, given).changes).toMatchObject([{ clause: 'unless.caps.0' }])
    expect(counterfactual({ ...shadow, result: 'ARMED' }, given)).toMatchObject({ flipsTo: null, changes: [] })
  })

  test('a score that had not come back is the reason, not the conditions that nobody asked', () => {
    const explanation = {
      ...stopped('NOT_MATCHED', 'when.crosses.rearm', 'x'),
      clauses: [{ id: 'when.crosses.rearm', clause: 'c', pt: 'c', ok: false, value: NOW }],
    } as Explanation
    expect(counterfactual(explanation, given).changes).toMatchObject([{ clause: 'when.crosses.rearm' }])
  })
})

onBothDatabases('counterfactuals of what was stored', (open: OpenRig) => {
  test('by event, also for a trigger that did not match', async () => {
    const text = `
id: thanks
version: 1
when: {event: Order Completed}
who: {all: [{field: event.total, op: gte, value: 100}]}
unless: {purpose: email_marketing}
then: {all: [{destination: mailer, action: send}]}
`
    expect(parse(text)).toBeTruthy()
    const rig = await open({ rules: [text] })
    await rig.take(
      identify({
        userId: 'ana',
        traits: { email: 'ana@example.com' },
        occurredAt: rig.at(),
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
      track({
        name: 'Order Completed',
        userId: 'ana',
        properties: { order_id: 'o1', total: 60 },
        occurredAt: rig.at(),
        messageId: 'o1',
      }),
    )
    const event = (await rig.history()).find(({ name }) => name === 'Order Completed')!
    expect(await counterfactualsOf(event.id, rig.state.db)).toMatchObject([
      {
        rule: 'thanks',
        result: 'NOT_MATCHED',
        flipsTo: 'matched',
        changes: [{ field: 'event.total', found: 60, needed: 100 }],
      },
    ])
    expect(await counterfactualsOf('nothing', rig.state.db)).toBeUndefined()
  })
})
