/** What is told to flip a decision flips it: in the conditions, and through the whole of `decide`. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Condition, Rule } from '../../schemas/rule.ts'
import { compileConditions } from '../decision/compile.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { buildRuleSet, compileRule, type DecisionContext, decide, type Explanation } from '../decision/index.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { counterfactual, matches, viewOf } from './counterfactual.ts'
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
    expect(told.sentence.pt).toContain('event.total ser 100 em vez de 80')
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
        expect(matches(given, told.before!, now)).toBe(was)
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
