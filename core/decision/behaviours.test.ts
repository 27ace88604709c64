/** What people know from other tools and rely on here, each under its own clock; faults of those tools are named. */
import { array, assert, integer, property } from 'fast-check'
import { expect, test } from 'vitest'
import { cases } from '../testing/effort.ts'
import { at, event, MINUTE, Person, rulesFrom, T0 } from './person.fixture.ts'

const DAY = 24 * 60
const personWith = (...texts: string[]) => new Person(rulesFrom(...texts))
const rule = (when: string, more = '', unless = '', id = 'r') => `id: ${id}
version: 1
when: ${when}
unless: {purpose: email_marketing${unless}}
then: {all: [{destination: email, action: send}]}
${more}`
const CART =
  '{absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}, {event: Ticket Opened}]}, within: PT30M}}'

test('of several events that may end a wait the first one ends it and is named; the next decides nothing', () => {
  for (const [first, second] of [
    ['Order Completed', 'Ticket Opened'],
    ['Ticket Opened', 'Order Completed'],
  ] as const) {
    const person = personWith(rule(CART))
    person.take(event('Product Added', 0))
    person.take(event(first, 5))
    person.take(event(second, 6))
    expect(person.results).toEqual(['ARMED', 'CANCELLED'])
    expect(person.explanations.at(-1)!.clauses.at(-1)!.clause).toContain(first)
    expect(person.wake(60)).toEqual([])
  }
})

test('of two rules on one wait, the one on what happened and the one on what did not, a person gets exactly one', () => {
  const happened = rule(
    '{sequence: {steps: [{event: Product Added}, {event: Order Completed}], within: PT30M}}',
    '',
    '',
    'yes',
  )
  const not = rule(CART, '', '', 'no')
  for (const [bought, expected] of [
    [29, 'yes'],
    [31, 'no'],
    [undefined, 'no'],
  ] as const) {
    const person = personWith(happened, not)
    person.take(event('Product Added', 0))
    for (const minute of [10, 29, 30, 31, 60, 61]) {
      if (minute === bought) person.take(event('Order Completed', minute))
      person.wake(minute)
    }
    expect(
      person.deliveries.map((draft) => draft.rule),
      String(bought),
    ).toEqual([expected])
  }
})

test('who is capped goes on: the wait is over, the reason is told, the entry is not used up, the next rule is asked', () => {
  const caps = ', caps: [{per: person, max: 1, window: P1D}], reentry: {max: 1}'
  const person = personWith(
    rule('{event: Hello}', '', ', caps: [{per: person, max: 1, window: P1D}]', 'a'),
    rule(CART, '', caps),
  )
  person.take(event('Hello', 0))
  person.take(event('Product Added', 10))
  person.wake(40)
  expect(person.results).toEqual(['ENQUEUED', 'ARMED', 'CAPPED'])
  expect(person.profile.timers).toEqual([])
  expect(person.explanations.at(-1)!.clauses.at(-1)).toMatchObject({ id: 'unless.caps.0', ok: false, value: 1 })
  // Nothing is sent after all when the cap has room again.
  expect(person.wake(DAY + 60)).toEqual([])
  person.take(event('Product Added', DAY + 100))
  person.wake(DAY + 130)
  expect(person.results.slice(3)).toEqual(['ARMED', 'ENQUEUED'])
})

test('a capped sequence and a capped count have fired: neither fires again for the same events', () => {
  const caps = ', caps: [{per: person+rule, max: 1, window: P30D}]'
  const person = personWith(rule('{sequence: {steps: [{event: A}, {event: B}], within: PT1H}}', '', caps, 's'))
  for (const minute of [0, 100]) {
    person.take(event('A', minute))
    person.take(event('B', minute + 1))
  }
  person.take(event('B', 102))
  expect(person.results).toEqual(['ENQUEUED', 'CAPPED'])
  const counted = personWith(rule('{count: {event: C, window: P1D}, op: gte, value: 2}', '', caps, 'c'))
  for (const minute of [0, 1, 2, 3 * DAY, 3 * DAY + 1, 3 * DAY + 2]) counted.take(event('C', minute))
  expect(counted.results).toEqual(['ENQUEUED', 'CAPPED'])
})

test('how often in a time: at least and at most, never, and between two dates', () => {
  const asked = (conditions: string) => {
    const person = personWith(rule('{event: Ask}', `who: {all: [${conditions}]}`))
    for (const minute of [0, DAY, 2 * DAY]) person.take(event('Seen', minute))
    person.take(event('Ask', 2 * DAY + 1))
    return person.deliveries.length === 1
  }
  const count = (time: string, op: string, value: number, name = 'Seen') =>
    `{count: {event: ${name}, ${time}}, op: ${op}, value: ${value}}`
  expect(asked(`${count('window: P7D', 'gte', 2)}, ${count('window: P7D', 'lte', 3)}`)).toBe(true)
  expect(asked(count('window: P7D', 'lte', 2))).toBe(false)
  expect(asked(count('window: P1D', 'eq', 1))).toBe(true)
  expect(asked(count('window: P7D', 'eq', 0, 'Bought'))).toBe(true)
  expect(asked(count('window: P7D', 'eq', 0))).toBe(false)
  // The first was on 10 March, the second on the 11th at the same time.
  expect(asked(count('from: 2026-03-11, to: 2026-03-12', 'eq', 1))).toBe(true)
  expect(asked(count('from: 2026-03-13', 'gte', 1))).toBe(false)
})

test('once in a life: however often and in however many versions', () => {
  const once = rule('{event: Hello}', '', ', reentry: {max: 1}')
  const person = personWith(once)
  person.take(event('Hello', 0))
  person.rules = rulesFrom(once.replace('version: 1', 'version: 2'))
  for (const days of [1, 40, 400]) person.take(event('Hello', days * DAY))
  expect(person.results).toEqual(['ENQUEUED', 'REENTRY', 'REENTRY', 'REENTRY'])
})

test('a wait ends when it says, however late and however often it is looked at (mautic #6999, #2004)', () => {
  const person = personWith(rule(CART))
  person.take(event('Product Added', 0))
  expect(person.profile.timers.map(({ graceUntil }) => graceUntil)).toEqual([at(30)])
  for (const minute of [0, 15, 29.99]) expect(person.wake(minute)).toEqual([])
  person.wake(45)
  for (const minute of [45, 46, 60, 90]) expect(person.wake(minute)).toEqual([])
  expect(person.results).toEqual(['ARMED', 'ENQUEUED'])
})

test('a trigger that comes twice with one id is one decision: the deliveries have the same id (mautic #3669)', () => {
  const taken = () => {
    const person = personWith(rule('{event: Hello}'))
    person.take(event('Hello', 0, {}, 'same'))
    return person.deliveries.map(({ id }) => id)
  }
  expect(taken()).toEqual(taken())
  expect(taken()).toHaveLength(1)
})

/** Minutes of the virtual clock at a moment. */
const minuteOf = (iso: string) => (Date.parse(iso) - T0) / MINUTE

test.each([
  ['began, at a midnight that did not exist', '2018-11-03T23:30:00-03:00', '2018-11-04T01:30:00-02:00'],
  ['ended, in the hour that came twice', '2018-02-17T23:30:00-02:00', '2018-02-17T23:30:00-03:00'],
])("a wait of an hour is an hour long also when São Paulo's summer time %s", (_, start, due) => {
  const person = personWith(rule(CART.replace('PT30M', 'PT1H')))
  person.take(event('Product Added', minuteOf(start)))
  expect(person.wake(minuteOf(due) - 1)).toEqual([])
  person.wake(minuteOf(due))
  person.wake(minuteOf(due) + 60)
  expect(person.results).toEqual(['ARMED', 'ENQUEUED'])
})

test('whatever a clock does, forward or back, a wait that is due is answered once and never before its time', () => {
  assert(
    property(array(integer({ min: -500, max: 500 }), { maxLength: 30 }), (looks) => {
      const person = personWith(rule(CART))
      person.take(event('Product Added', 0))
      for (const minute of looks) person.wake(minute)
      expect(person.deliveries.length).toBe(looks.some((minute) => minute >= 30) ? 1 : 0)
      person.wake(1000)
      person.wake(-1000)
      expect(person.results).toEqual(['ARMED', 'ENQUEUED'])
    }),
    { numRuns: cases(50) },
  )
})

test("a vendor's journey is started by coming into an audience and stopped by leaving it, each once", () => {
  const act = (id: string, change: string, action: string) =>
    rule(`{audience: {${change}: carrinho}}`, '', '', id).replace('action: send', `action: ${action}`)
  const person = personWith(act('start', 'enters', 'addToAudience'), act('stop', 'leaves', 'removeFromAudience'))
  const change = (what: 'entered' | 'left', minutes: number, cause: string) =>
    person.fire(
      {
        kind: 'audience',
        audience: 'carrinho',
        change: what,
        at: at(minutes),
        seq: minutes,
        event: event(cause, minutes),
      },
      minutes,
    )
  change('entered', 1, 'Product Added')
  // The goal: they bought, and so left.
  change('left', 9, 'Order Completed')
  expect(person.deliveries.map(({ action }) => action)).toEqual(['addToAudience', 'removeFromAudience'])
})
