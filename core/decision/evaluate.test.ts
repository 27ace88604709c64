import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cases } from '../testing/effort.ts'
import {
  buildRuleSet,
  compileRule,
  decide,
  dueTimers,
  goalReached,
  lintRules,
  loadRules,
  mergeTimers,
} from './index.ts'
import { at, CART_RECOVERY, event, MINUTE, Person, rulesFrom, T0 } from './person.fixture.ts'

const added = (minutes: number, properties = {}) => event('Product Added', minutes, properties)
const ordered = (minutes: number, properties = {}) => event('Order Completed', minutes, properties)
const cartPerson = (text = CART_RECOVERY, options = {}) => {
  const person = new Person(rulesFrom(text), options)
  person.putInCart(5000)
  return person
}
/** Takes events in order and wakes after each minute, as a prompt worker would. */
const wakeEach = (person: Person, from: number, to: number) => {
  for (let minute = from; minute <= to; minute++) person.wake(minute)
}

describe('absence', () => {
  test('fires once, at start + within + grace, and never at double the delay', () => {
    const person = cartPerson()
    const start = added(0)
    expect(person.take(start).wakeAt).toBe(at(35))
    wakeEach(person, 1, 34)
    expect(person.results).toEqual(['ARMED'])
    wakeEach(person, 35, 200)
    expect(person.results).toEqual(['ARMED', 'ENQUEUED'])
    expect(person.deliveries).toMatchObject([
      {
        destination: 'email',
        action: 'sendCart',
        channel: 'email',
        kind: 'message',
        purpose: 'email_marketing',
        rule: 'carrinho-abandonado',
        version: 3,
        arm: 'treated',
        eventId: start.id,
        correlation: 'cart',
        with: { template: 'carrinho' },
        expiresAt: at(35 + 24 * 60),
        entryId: '01JENTRY000000000000000000',
        since: at(0),
      },
    ])
    expect(person.explanations[1]).toMatchObject({
      at: at(35),
      eventId: start.id,
      startedAt: at(0),
      latestOnly: false,
      arm: 'treated',
    })
    expect(person.profile.timers).toEqual([])
  })

  test('a repeat resets the clock and the message is about the newest event', () => {
    const person = cartPerson()
    person.take(added(0))
    const second = added(20)
    expect(person.take(second).wakeAt).toBe(at(55))
    wakeEach(person, 21, 54)
    expect(person.deliveries).toEqual([])
    person.wake(55)
    expect(person.deliveries.map((draft) => draft.eventId)).toEqual([second.id])
    expect(person.results).toEqual(['ARMED', 'RESET', 'ENQUEUED'])
  })

  test('a wake-up stored before the reset finds nothing due and learns the later time', () => {
    const person = cartPerson()
    person.take(added(0))
    const [stale] = dueTimers(person.profile, at(35))
    person.take(added(20))
    const result = person.fire(stale!, 35)
    expect(result).toMatchObject({ deliveries: [], explanations: [], wakeAt: at(55) })
    expect(person.fire(stale!, 60)).toMatchObject({ deliveries: [], wakeAt: at(55) })
  })

  test('a wake-up before the end of the grace does nothing', () => {
    const person = cartPerson()
    person.take(added(0))
    const [early] = dueTimers(person.profile, at(35))
    expect(person.fire(early!, 31)).toMatchObject({ deliveries: [], wakeAt: at(35) })
  })

  test('a purchase cancels, and says which event did', () => {
    const person = cartPerson()
    person.take(added(0))
    expect(person.take(ordered(10)).wakeAt).toBeUndefined()
    wakeEach(person, 11, 100)
    expect(person.deliveries).toEqual([])
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])
    expect(person.explanations[1]!.clauses[0]!.clause).toBe('no "Order Completed" during the wait')
  })

  test('an emptied cart cancels, but a cart that was never known is not an emptied one', () => {
    const person = cartPerson()
    person.take(added(0))
    person.putInCart(0, 0)
    person.take(event('Product Removed', 5))
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])

    const unknown = new Person(rulesFrom(CART_RECOVERY))
    unknown.take(added(0))
    unknown.take(event('Product Viewed', 5))
    unknown.wake(35)
    expect(unknown.results).toEqual(['ARMED', 'ENQUEUED'])
  })

  test('a cart emptied without an event is noticed when the clock runs out', () => {
    const person = cartPerson()
    person.take(added(0))
    person.putInCart(0, 0)
    person.wake(35)
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])
  })

  test('the act that empties the cart does not start the next wait', () => {
    const person = cartPerson(CART_RECOVERY.replace('start: {event: Product Added}', 'start: {event: "Product *"}'))
    person.take(added(0))
    person.putInCart(0, 0)
    person.take(event('Product Removed', 5))
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])
    expect(person.profile.timers).toEqual([])
  })

  test('a late purchase inside the grace still cancels', () => {
    const person = cartPerson()
    person.take(added(0))
    person.wake(32)
    person.take(ordered(29), 34)
    person.wake(35)
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])
  })

  test('a purchase from before the start cancels nothing', () => {
    const person = cartPerson()
    person.take(added(10))
    person.take(ordered(5), 12)
    person.wake(45)
    expect(person.results).toEqual(['ARMED', 'ENQUEUED'])
  })

  test('a start that arrives after its purchase starts nothing', () => {
    const person = cartPerson()
    person.take(ordered(10))
    person.take(added(5), 11)
    expect(person.results).toEqual(['CANCELLED'])
    expect(person.profile.timers).toEqual([])
  })

  test('a late repeat does not turn the clock back', () => {
    const person = cartPerson()
    const newest = added(10)
    person.take(newest)
    person.take(added(3), 12)
    expect(person.profile.timers).toMatchObject([{ startEventId: newest.id, startedAt: at(10) }])
  })

  test('a start from the future counts from now', () => {
    const person = cartPerson()
    person.take(added(600), 0)
    expect(person.profile.timers).toMatchObject([{ startedAt: at(0), dueAt: at(30), graceUntil: at(35) }])
  })

  test('a start from days ago is not worth acting on', () => {
    const person = cartPerson()
    person.take(added(-3 * 24 * 60), 0)
    expect(person.results).toEqual(['EXPIRED'])
    expect(person.profile.timers).toEqual([])
  })

  test('a clock that could not be attended for longer than the message is worth does not send it', () => {
    const onTime = cartPerson()
    onTime.take(added(0))
    onTime.wake(35 + 24 * 60)
    const late = cartPerson()
    late.take(added(0))
    late.wake(36 + 24 * 60)
    expect([onTime.results.at(-1), late.results.at(-1)]).toEqual(['ENQUEUED', 'EXPIRED'])
  })

  test('who is asked when the clock runs out, of the start event', () => {
    const text = `${CART_RECOVERY}who: {all: [{field: cart.total, op: gte, value: 5000}, {field: event.list, op: eq, value: wish}]}\n`
    const rules = rulesFrom(text)
    expect(rules.current[0]!.readsStartEvent).toBe(true)
    const person = cartPerson(text)
    person.putInCart(100)
    person.take(added(0, { list: 'wish' }))
    person.putInCart(6000)
    person.wake(35)
    expect(person.results).toEqual(['ARMED', 'ENQUEUED'])

    const poor = cartPerson(text)
    poor.take(added(0, { list: 'wish' }))
    poor.putInCart(4999)
    poor.wake(35)
    expect(poor.explanations[1]).toMatchObject({ result: 'NOT_MATCHED', failed: ['who.all.0'], latestOnly: false })
  })

  test('an event that is both start and end ends', () => {
    const person = cartPerson(CART_RECOVERY.replace('start: {event: Product Added}', 'start: {event: "*"}'))
    person.take(added(0))
    person.take(ordered(5))
    expect(person.profile.timers).toEqual([])
  })
})

describe('correlation', () => {
  const text = CART_RECOVERY.replace('grace:', 'correlate: cart_id\n    grace:')
  const open = (person: Person) => person.profile.timers.map((timer) => timer.correlation)

  test('each cart has its own clock, and an order ends only its own', () => {
    const person = cartPerson(text)
    person.take(added(0, { cart_id: 'c1' }))
    person.take(added(5, { cart_id: 'c2' }))
    person.take(ordered(10, { cart_id: 'c2' }))
    expect(open(person)).toEqual(['c1'])
    wakeEach(person, 11, 60)
    expect(person.deliveries.map((draft) => draft.correlation)).toEqual(['c1'])
  })

  test('an order that names no cart ends all: better no message than a wrong one', () => {
    const person = cartPerson(text)
    person.take(added(0, { cart_id: 'c1' }))
    person.take(added(5, { cart_id: 'c2' }))
    person.take(ordered(10))
    expect(open(person)).toEqual([])
  })

  test('the same cart from a source with ids and one without is one instance', () => {
    const person = cartPerson(text)
    person.take(added(0))
    person.take(added(1, { cart_id: 'c1' }))
    person.take(added(2))
    expect(open(person)).toEqual(['c1'])
    wakeEach(person, 3, 100)
    expect(person.deliveries).toHaveLength(1)
  })

  test('a start that arrives after its own order starts nothing; after the order of another cart it does', () => {
    const person = cartPerson(text)
    person.take(ordered(10, { cart_id: 'c1' }))
    person.take(added(5, { cart_id: 'c1' }), 11)
    person.take(added(5, { cart_id: 'c2' }), 11)
    expect(person.results).toEqual(['CANCELLED', 'ARMED'])
    expect(open(person)).toEqual(['c2'])
  })

  test('a cart id that is used again after its order starts again', () => {
    const person = cartPerson(text)
    person.take(ordered(5, { cart_id: 'c1' }))
    person.take(added(10, { cart_id: 'c1' }))
    expect(person.results).toEqual(['ARMED'])
  })

  test('memory of endings is bounded by the rule', () => {
    const person = cartPerson(text)
    for (let day = 0; day < 30; day++) person.take(ordered(day * 24 * 60, { cart_id: `c${day}` }))
    expect(person.profile.closings!['carrinho-abandonado']!.length).toBeLessThanOrEqual(2)
  })
})

describe('versions', () => {
  const next = CART_RECOVERY.replace('version: 3', 'version: 4').replace('PT30M', 'PT60M')
  const compiled = (text: string) => loadRules([{ file: 'a', text }]).rules

  test('a running clock keeps its version, the next one has the new', () => {
    const person = cartPerson()
    person.take(added(0))
    person.rules = buildRuleSet(compiled(next), compiled(CART_RECOVERY))
    person.take(added(10))
    expect(person.profile.timers).toMatchObject([{ version: 3, dueAt: at(40) }])
    person.wake(45)
    person.take(added(50))
    expect(person.profile.timers).toMatchObject([{ version: 4, dueAt: at(110) }])
    expect(person.deliveries.map((draft) => draft.version)).toEqual([3])
  })

  test('a retired version starts nothing of its own', () => {
    const person = cartPerson()
    person.rules = buildRuleSet([], [...compiled(CART_RECOVERY), ...compiled(WELCOME)])
    person.take(added(0))
    person.take(ordered(1, { total: 10 }))
    expect(person.explanations).toEqual([])
  })

  test('a clock of a version that is not loaded is dropped and reported', () => {
    const person = cartPerson()
    person.take(added(0))
    person.rules = buildRuleSet(compiled(next))
    const result = person.take(event('Cart Viewed', 1))
    expect(result.dropped).toEqual([
      { rule: 'carrinho-abandonado', version: 3, correlation: 'cart', reason: 'VERSION_NOT_LOADED' },
    ])
    expect(result.timers).toEqual([])
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])
  })
})

const WELCOME = `id: pos-venda
version: 1
when: {event: Order Completed, where: {all: [{field: event.total, op: gte, value: 10}]}}
who: {all: [{field: traits.age, op: gte, value: 18}]}
unless: {purpose: email_marketing}
then: {all: [{destination: email, action: send}, {destination: slack, action: post}]}
`
const adult = (text: string, options = {}) => {
  const person = new Person(rulesFrom(text), options)
  person.profile.traits = { age: { value: 30, at: at(0), purposes: [] } }
  return person
}

describe('event triggers', () => {
  test('act at once, one delivery per action', () => {
    const person = adult(WELCOME)
    const order = ordered(0, { total: 10 })
    person.take(order)
    expect(
      person.deliveries.map(({ destination, kind, channel, eventId }) => ({ destination, kind, channel, eventId })),
    ).toEqual([
      { destination: 'email', kind: 'message', channel: 'email', eventId: order.id },
      { destination: 'slack', kind: 'event', channel: undefined, eventId: order.id },
    ])
    expect(person.explanations[0]!.deliveryIds).toEqual(person.deliveries.map((draft) => draft.id))
    expect(new Set(person.deliveries.map((draft) => draft.id)).size).toBe(2)
  })

  test('a fired trigger that did not match keeps only the newest, with the clauses to count', () => {
    const person = adult(WELCOME)
    person.take(ordered(0, { total: 9 }))
    expect(person.explanations).toMatchObject([
      { result: 'NOT_MATCHED', latestOnly: true, failed: ['when.where.all.0'] },
    ])
    const minor = new Person(rulesFrom(WELCOME))
    minor.take(ordered(0, { total: 10 }))
    expect(minor.explanations).toMatchObject([{ result: 'NOT_MATCHED', latestOnly: true, failed: ['who.all.0'] }])
  })

  test('a page named like the event triggers nothing', () => {
    const person = adult(WELCOME)
    person.take({ ...ordered(0, { total: 10 }), type: 'page' })
    expect(person.explanations).toEqual([])
  })
})

describe('gates', () => {
  test('order: who, then consent, then reachable, then re-entry, then caps', () => {
    const text = WELCOME.replace(
      'email_marketing',
      'email_marketing, reentry: {max: 1}, caps: [{per: person, max: 1, window: P1D}]',
    ).replace(
      '[{destination: email, action: send}, {destination: slack, action: post}]',
      '[{destination: sms, action: sendSms}]',
    )
    const order = () => ordered(0, { total: 10 })
    const outcome = (change: (person: Person) => void, options = {}) => {
      const person = adult(text, { identifiers: ['phone'], ...options })
      change(person)
      person.take(order())
      return person.results[0]
    }
    const used = { key: 'person', at: at(-1), deliveryId: 'x', shadow: false }
    const entered = (person: Person) => {
      person.profile = { ...person.profile, entries: { 'pos-venda': [at(-1)] } }
    }
    const denied = { consent: () => ({ granted: false }) }
    const all = (person: Person) => {
      entered(person)
      person.uses.push(used)
    }
    expect(
      outcome(
        (person) => {
          all(person)
          person.profile.traits = {}
        },
        { ...denied, identifiers: [] },
      ),
    ).toBe('NOT_MATCHED')
    expect(outcome(all, { ...denied, identifiers: [] })).toBe('NO_CONSENT')
    expect(outcome(all, { identifiers: [] })).toBe('NOT_REACHABLE')
    expect(outcome(all)).toBe('REENTRY')
    expect(outcome((person) => person.uses.push(used))).toBe('CAPPED')
    expect(outcome(() => {})).toBe('ENQUEUED')
  })

  test('a refusal of consent keeps its code and its entry, and nothing is sent', () => {
    const person = adult(WELCOME, { consent: () => ({ granted: false, code: 'SUBJECT_SUPPRESSED', entryId: 'E1' }) })
    const result = person.take(ordered(0, { total: 10 }))
    expect(result.deliveries).toEqual([])
    expect(result.capUses).toEqual([])
    expect(result.explanations).toMatchObject([{ result: 'SUBJECT_SUPPRESSED', entryId: 'E1', latestOnly: false }])
  })

  test('an action that cannot reach the person is left out, the others go', () => {
    const person = adult(WELCOME, { identifiers: [] })
    person.take(ordered(0, { total: 10 }))
    expect(person.deliveries.map((draft) => draft.destination)).toEqual(['slack'])
    expect(person.explanations[0]!.skipped).toEqual([{ destination: 'email', action: 'send', code: 'NOT_REACHABLE' }])
  })

  test('re-entry: a minimum interval, exact to the millisecond, and a maximum for ever', () => {
    const text = WELCOME.replace('email_marketing', 'email_marketing, reentry: {max: 2, min_interval: P2D}')
    const person = adult(text)
    const days = (n: number) => n * 24 * 60
    for (const minutes of [0, days(2) - 1 / 60_000, days(2), days(30)]) person.take(ordered(minutes, { total: 10 }))
    expect(person.results).toEqual(['ENQUEUED', 'REENTRY', 'ENQUEUED', 'REENTRY'])
    expect(person.explanations.map((explanation) => explanation.failed)).toEqual([
      [],
      ['unless.reentry.min_interval'],
      [],
      ['unless.reentry.max'],
    ])
  })

  test('caps roll: the place of a message is free again exactly one window after it', () => {
    const person = adult(
      WELCOME.replace('email_marketing', 'email_marketing, caps: [{per: person, max: 2, window: P1D}]').replace(
        ', {destination: slack, action: post}',
        '',
      ),
    )
    const day = 24 * 60
    for (const minutes of [0, 60, day - 1 / 60_000, day, day + 1, day + 60])
      person.take(ordered(minutes, { total: 10 }))
    expect(person.results).toEqual(['ENQUEUED', 'ENQUEUED', 'CAPPED', 'ENQUEUED', 'CAPPED', 'ENQUEUED'])
    expect(person.explanations[2]!.clauses.at(-1)).toMatchObject({
      clause: 'fewer than 2 within 1 day to this person',
      ok: false,
      value: 2,
    })
  })

  test('a cap per person counts what other rules sent, per channel only that channel, per rule only that rule', () => {
    const rule = (id: string, name: string, per: string, destination: string) =>
      `id: ${id}\nversion: 1\nwhen: {event: ${name}}\nunless: {purpose: p, caps: [{per: ${per}, max: 1, window: P1D}]}\nthen: {all: [{destination: ${destination}, action: send}]}\n`
    const person = new Person(
      rulesFrom(
        rule('a', 'A', 'person+rule', 'email'),
        rule('b', 'B', 'person', 'push'),
        rule('c', 'C', 'person+channel', 'push'),
        rule('d', 'D', 'person+rule', 'email'),
        rule('e', 'E', 'person+channel', 'email'),
      ),
    )
    for (const name of ['A', 'B', 'C', 'D', 'E', 'A']) person.take(event(name, 0))
    expect(person.results).toEqual(['ENQUEUED', 'CAPPED', 'ENQUEUED', 'ENQUEUED', 'CAPPED', 'CAPPED'])
  })

  test('two actions of one decision use the cap twice', () => {
    const person = adult(
      WELCOME.replace('email_marketing', 'email_marketing, caps: [{per: person, max: 1, window: P1D}]').replace(
        'slack',
        'push',
      ),
    )
    person.take(ordered(0, { total: 10 }))
    expect(person.deliveries.map((draft) => draft.destination)).toEqual(['email'])
    expect(person.explanations[0]!.skipped).toEqual([{ destination: 'push', action: 'post', code: 'CAPPED' }])
  })

  test('ads, content on the site and tasks for the team do not use up what a person may receive', () => {
    const person = adult(WELCOME.replace('email, action: send', 'ads, action: send'))
    const result = person.take(ordered(0, { total: 10 }))
    expect(result.capUses.map((use) => use.key)).toEqual(['channel:ads'])
  })

  test('an action that does not exist is left out and named', () => {
    const person = adult(WELCOME.replace(/\[\{destination: email.*\]/, '[{destination: nowhere, action: x}]'))
    person.take(ordered(0, { total: 10 }))
    expect(person.results).toEqual(['UNDECLARED'])
  })
})

describe('arms', () => {
  const text = `${WELCOME.replace(
    'email_marketing',
    'email_marketing, reentry: {max: 1}, caps: [{per: person, max: 1, window: P1D}]',
  )}experiment: {holdout: global, control: 0.3}\n`

  test('controls and held-out people pass the same gates, get drafts and use up caps and entries', () => {
    const seen = new Map<string, number>()
    for (let index = 0; index < 400; index++) {
      const person = adult(text, { key: `01JPERSON${index}`, globalHoldout: 0.2 })
      const first = person.take(ordered(0, { total: 10 }))
      const arm = first.explanations[0]!.arm!
      seen.set(arm, (seen.get(arm) ?? 0) + 1)
      expect(first.deliveries.map((draft) => [draft.destination, draft.arm])).toEqual([
        ['email', arm],
        ['slack', arm],
      ])
      expect(first.capUses.filter((use) => use.key === 'person')).toMatchObject([{ shadow: arm !== 'treated' }])
      person.take(ordered(1, { total: 10 }))
      expect(person.results).toEqual(['ENQUEUED', 'REENTRY'])
    }
    expect([...seen.keys()].sort()).toEqual(['control', 'holdout', 'treated'])
  })

  test('a refused person has no arm: assignment comes after the gates', () => {
    const person = adult(text, { globalHoldout: 0.9, consent: () => ({ granted: false }) })
    expect(person.take(ordered(0, { total: 10 })).explanations[0]!.arm).toBeUndefined()
  })

  test('rules without "holdout: global" ignore the global holdout', () => {
    const person = adult(WELCOME, { globalHoldout: 0.9999 })
    expect(person.take(ordered(0, { total: 10 })).explanations[0]!.arm).toBe('treated')
  })

  test('a new version of the rule moves nobody', () => {
    const arms = (version: number) =>
      Array.from({ length: 200 }, (_, index) => {
        const person = adult(text.replace('version: 1', `version: ${version}`), { key: `01JPERSON${index}` })
        return person.take(ordered(0, { total: 10 })).explanations[0]!.arm
      })
    expect(arms(2)).toEqual(arms(1))
  })
})

describe('goals', () => {
  const text = `${CART_RECOVERY.replace('{event: Order Completed}, ', '')}exit_on: [Order Completed]\n`

  test('cancel what waits, and end the wait', () => {
    const person = cartPerson(text)
    person.take(added(0))
    const result = person.take(ordered(10))
    expect(result.cancels).toEqual([{ rule: 'carrinho-abandonado', reason: 'GOAL_REACHED', at: at(10) }])
    expect(person.results).toEqual(['ARMED', 'GOAL_REACHED'])
  })

  test('are checked again at permit, from the start of the wait and not from the decision', () => {
    const person = cartPerson(text)
    person.take(added(0))
    person.wake(35)
    const [draft] = person.deliveries
    const [rule] = person.rules.current
    expect(goalReached(rule!, person.profile, draft!.since)).toBe(false)
    person.take(ordered(28), 40)
    expect(goalReached(rule!, person.profile, draft!.since)).toBe(true)
    expect(goalReached(rule!, person.profile, at(28))).toBe(false)
  })

  test('a goal reached by another device of the same person counts after they are merged', () => {
    const person = cartPerson(text)
    person.take(added(0))
    person.profile = { ...person.profile, recent: { 'Order Completed': [at(20)] } }
    person.wake(35)
    expect(person.results).toEqual(['ARMED', 'GOAL_REACHED'])
  })
})

test('merged persons keep one clock per rule and correlation, the earlier one', () => {
  const a = cartPerson()
  const b = cartPerson()
  a.take(added(10))
  b.take(added(4))
  expect(mergeTimers(a.profile.timers, b.profile.timers)).toEqual(b.profile.timers)
  expect(mergeTimers(b.profile.timers, a.profile.timers)).toEqual(b.profile.timers)
})

test('the same input on the same state gives the same ids; another person, event or version gives others', () => {
  const order = ordered(0, { total: 10 })
  const ids = (key: string, version: number, taken = order) => {
    const person = adult(WELCOME.replace('version: 1', `version: ${version}`), { key })
    return person.take(taken).deliveries.map((draft) => draft.id)
  }
  expect(ids('A', 1)).toEqual(ids('A', 1))
  const all = [ids('A', 1), ids('B', 1), ids('A', 2), ids('A', 1, { ...order, id: 'other' })].flat()
  expect(new Set(all).size).toBe(8)
  expect(all.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true)
})

describe('any sequence of events', () => {
  const step = fc.record({
    name: fc.constantFrom('Product Added', 'Order Completed', 'Product Removed', 'Cart Viewed'),
    gap: fc.integer({ min: 0, max: 25 }),
    late: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 })),
    cart: fc.constantFrom('c1', 'c2', undefined),
    pieces: fc.constantFrom(0, 1, 1, 1),
  })
  const steps = fc.array(step, { maxLength: 25 })
  const rules = rulesFrom(
    `${CART_RECOVERY}exit_on: [Order Completed]\nexperiment: {control: 0.5}\n`,
    CART_RECOVERY.replace('id: carrinho-abandonado', 'id: por-carrinho')
      .replace('grace:', 'correlate: cart_id\n    grace:')
      .replace(
        'email_marketing',
        'email_marketing, caps: [{per: person, max: 2, window: PT2H}], reentry: {min_interval: PT50M}',
      ),
  )

  function play(sequence: { name: string; gap: number; late: number; cart: string | undefined; pieces: number }[]) {
    const person = new Person(rules)
    person.putInCart(5000)
    let now = 0
    for (const [index, { name, gap, late, cart, pieces }] of sequence.entries()) {
      for (let minute = now + 1; minute <= now + gap; minute++) person.wake(minute)
      now += gap
      person.putInCart(5000 * pieces, pieces)
      person.take(event(name, now - late, cart ? { cart_id: cart } : {}, `e${index}`), now)
    }
    for (let minute = now + 1; minute <= now + 60; minute++) person.wake(minute)
    return person
  }

  test('replayed gives the identical log', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const [first, second] = [play(sequence), play(sequence)]
        expect(second.explanations).toEqual(first.explanations)
        expect(second.deliveries).toEqual(first.deliveries)
        expect(second.profile).toEqual(first.profile)
      }),
      { numRuns: cases(60) },
    )
  })

  test('no clock fires twice, none is left behind, none fires early or at another time', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const person = play(sequence)
        const keys = person.deliveries.map((draft) => `${draft.rule} ${draft.eventId}`)
        expect(new Set(keys).size).toBe(keys.length)
        expect(person.profile.timers).toEqual([])
        const ids = person.explanations.flatMap((explanation) => explanation.id ?? [])
        expect(new Set(ids).size).toBe(ids.length)
        for (const { result, startedAt, at: decidedAt, eventId } of person.explanations)
          if (result === 'ENQUEUED') {
            // Late starts may be due already: then the first wake-up after they arrive is the time.
            const arrived = receivedAt(sequence, eventId)
            expect(Date.parse(decidedAt)).toBe(Math.max(Date.parse(startedAt!) + 35 * MINUTE, arrived + MINUTE))
          }
      }),
      { numRuns: cases(60) },
    )
  })

  const receivedAt = (sequence: { gap: number }[], eventId: string) =>
    T0 + sequence.slice(0, Number(eventId.slice(1)) + 1).reduce((sum, { gap }) => sum + gap, 0) * MINUTE

  test('nobody is written to about a cart bought before the clock ran out', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const person = play(sequence)
        for (const draft of person.deliveries) {
          const started = Date.parse(draft.since)
          const decided = Date.parse(
            person.explanations.find((explanation) => explanation.deliveryIds.includes(draft.id))!.at,
          )
          let now = T0
          for (const { name, gap, late, cart } of sequence) {
            now += gap * MINUTE
            const bought = now - late * MINUTE
            const aboutThis = draft.rule === 'carrinho-abandonado' || cart === undefined || cart === draft.correlation
            expect(name === 'Order Completed' && aboutThis && bought > started && now < decided).toBe(false)
          }
        }
      }),
      { numRuns: cases(200) },
    )
  })

  test('events in order: exactly the carts an independent reading calls abandoned get a message', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            name: fc.constantFrom('Product Added', 'Order Completed', 'Cart Viewed'),
            gap: fc.integer({ min: 1, max: 50 }),
          }),
          { maxLength: 25 },
        ),
        (sequence) => {
          const person = play(sequence.map((each) => ({ ...each, late: 0, cart: undefined, pieces: 1 })))
          let now = 0
          const times = sequence.map(({ name, gap }, index) => {
            now += gap
            return { name, id: `e${index}`, at: now }
          })
          const abandoned = times.filter(
            (start) =>
              start.name === 'Product Added' &&
              !times.some((later) => later.name !== 'Cart Viewed' && later.at > start.at && later.at < start.at + 35),
          )
          // At minute 35 itself the clock is asked before the event of that minute is taken.
          const written = person.deliveries
            .filter((draft) => draft.rule === 'carrinho-abandonado')
            .map((draft) => draft.eventId)
          expect(written).toEqual(abandoned.map((start) => start.id))
        },
      ),
      { numRuns: cases(200) },
    )
  })
})

test('a thousand rules on other events do not answer to this one', () => {
  const many = Array.from({ length: 1000 }, (_, index) =>
    compileRule({
      ...loadRules([{ file: 'w', text: WELCOME }]).rules[0]!.rule,
      id: `r${index}`,
      when: { event: `Event ${index}` },
    }),
  )
  const rules = buildRuleSet(many)
  const person = adult(WELCOME)
  const result = decide({ kind: 'event', event: event('Event 7', 0), seq: 1 }, person.profile, rules, person.context(0))
  expect(result.explanations.map((explanation) => explanation.rule)).toEqual(['r7'])
  expect(() => lintRules(many.slice(0, 1), { purposes: [], destinations: {}, openTraits: [] })).toThrow(
    'r0:1:1: rule r0: purpose',
  )
})
