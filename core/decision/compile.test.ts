import { describe, expect, test } from 'vitest'
import type { Conditions } from '../../schemas/rule.ts'
import { compileConditions } from './compile.ts'
import { durationWords, parseDuration } from './duration.ts'
import { EventIndex } from './event-index.ts'
import { loadRules, nameMatches, triggerName } from './index.ts'
import { countWindow, neededCounts, neededWindows, recentWindow } from './needs.ts'
import { at, CART_RECOVERY, Person, rulesFrom, T0 } from './person.fixture.ts'

const person = new Person(rulesFrom(CART_RECOVERY))
person.putInCart(5000, 2)
const profile = {
  ...person.profile,
  traits: {
    plan: { value: 'gold', at: at(0), purposes: ['orders'] },
    age: { value: 30, at: at(0), purposes: ['orders'] },
  },
  counters: { orders: { orders: 2, revenue: 9900 } },
  recent: { 'Order Completed': [at(-60 * 24), at(-60)], 'Order Refunded': [at(-5)], 'Product Viewed': [at(0)] },
}
const event = {
  properties: {
    plan: 'gold',
    price: '49.90',
    tags: ['a', 'b'],
    note: 'call me at home',
    cpf: 52998224725,
    products: [{ sku: 's1' }],
    nothing: null,
  },
}
const view = { now: T0, profile, purpose: 'orders', counted: profile.recent, event, known: true }
const holds = (conditions: Conditions) => compileConditions(conditions, 'who').test(view)
const one = (field: string, op: string, value?: unknown) =>
  holds({ all: [{ field, op, ...(value !== undefined && { value }) }] } as Conditions)
const count = (name: string, window: string, op: 'eq' | 'gte' | 'ne', value: number) =>
  holds({ all: [{ count: { event: name, window }, op, value }] })

describe('fields', () => {
  test.each<[string, string, unknown, boolean]>([
    ['cart.total', 'gte', 5000, true],
    ['cart.total', 'gt', 5000, false],
    ['cart.total', 'lte', 5000, true],
    ['cart.total', 'lt', 5000, false],
    ['cart.items', 'eq', 2, true],
    ['cart.url', 'absent', undefined, true],
    ['traits.plan', 'in', ['silver', 'gold'], true],
    ['traits.age', 'ne', 30, false],
    ['traits.constructor', 'exists', undefined, false],
    ['counters.orders.orders', 'eq', 2, true],
    ['counters.orders.nobody_fed_this', 'eq', 0, true],
    ['person.known', 'eq', true, true],
    ['event.price', 'gt', 49, true],
    ['event.tags', 'contains', 'b', true],
    ['event.tags', 'contains', 'c', false],
    ['event.note', 'contains', 'home', true],
    ['event.products.0.sku', 'eq', 's1', true],
    ['event.nothing', 'exists', undefined, false],
    ['event.__proto__.x', 'exists', undefined, false],
  ])('%s %s %j is %s', (field, op, value, expected) => {
    expect(one(field, op, value)).toBe(expected)
  })

  test('a missing field satisfies only absent and ne', () => {
    const ops = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'contains', 'exists', 'absent']
    expect(
      ops.filter((op) =>
        one('event.missing', op, op === 'in' ? ['x'] : op === 'exists' || op === 'absent' ? undefined : 'x'),
      ),
    ).toEqual(['ne', 'absent'])
  })
})

describe('counts', () => {
  test.each<[string, string, 'eq' | 'gte' | 'ne', number, boolean]>([
    ['Order Completed', 'P2D', 'eq', 2, true],
    // Exactly one day ago is outside of a window of one day.
    ['Order Completed', 'P1D', 'eq', 1, true],
    ['Order Completed', 'PT59M', 'eq', 0, true],
    ['Order *', 'P2D', 'eq', 3, true],
    ['*', 'P7D', 'gte', 4, true],
    ['toString', 'P7D', 'eq', 0, true],
  ])('%s within %s %s %d is %s', (name, window, op, value, expected) => {
    expect(count(name, window, op, value)).toBe(expected)
  })
})

describe('all, any, none', () => {
  const yes = { field: 'cart.total', op: 'gt', value: 1 } as const
  const no = { field: 'cart.total', op: 'gt', value: 1e6 } as const
  test.each<[Conditions, boolean]>([
    [{}, true],
    [{ all: [yes, no] }, false],
    [{ any: [yes, no] }, true],
    [{ any: [no, no] }, false],
    [{ none: [no] }, true],
    [{ none: [no, yes] }, false],
    [{ all: [yes], any: [no], none: [no] }, false],
  ])('%j is %s, and the trace agrees', (conditions, expected) => {
    const compiled = compileConditions(conditions, 'who')
    expect(compiled.test(view)).toBe(expected)
    expect(compiled.holds(compiled.explain(view))).toBe(expected)
  })
})

describe('trace', () => {
  const explain = (conditions: Conditions) => compileConditions(conditions, 'who').explain(view)

  test('a trait collected for another purpose is missing', () => {
    const conditions: Conditions = { all: [{ field: 'traits.plan', op: 'eq', value: 'gold' }] }
    const compiled = compileConditions(conditions, 'who')
    expect(compiled.explain({ ...view, purpose: 'email_marketing' })[0]).toMatchObject({ ok: false, value: null })
    expect(compiled.test(view)).toBe(true)
  })

  test('says in both languages what was asked and what was found', () => {
    expect(
      explain({
        all: [
          { field: 'cart.total', op: 'gte', value: 4990 },
          { count: { event: 'Order Completed', window: 'P1DT1H' }, op: 'eq', value: 0 },
        ],
      }),
    ).toEqual([
      {
        id: 'who.all.0',
        clause: 'cart total is at least 49.90',
        pt: 'total do carrinho é pelo menos 49,90',
        ok: true,
        value: 5000,
        unit: 'cents',
      },
      {
        id: 'who.all.1',
        clause: 'no "Order Completed" within 1 day and 1 hour',
        pt: 'nenhum "Order Completed" no período de 1 dia e 1 hora',
        ok: false,
        value: 2,
      },
    ])
    expect(explain({ none: [{ field: 'traits.plan', op: 'in', value: ['a', 'b'] }] })[0]).toMatchObject({
      clause: 'not: trait "plan" is one of "a", "b"',
      ok: true,
      value: 'gold',
    })
  })

  test('repeats no text and no long number of an event, except words of the rule itself', () => {
    const found = (field: string, op: 'eq' | 'exists', value?: string) =>
      explain({ all: [{ field, op, ...(value && { value }) }] })[0]!.value
    expect(found('event.note', 'exists')).toBe('(text)')
    expect(found('event.cpf', 'exists')).toBe('(number)')
    expect(found('event.tags', 'exists')).toBe('(list of 2)')
    expect(found('event.plan', 'eq', 'gold')).toBe('gold')
    expect(found('event.plan', 'eq', 'silver')).toBe('(text)')
    expect(found('event.missing', 'exists')).toBe(null)
  })

  test('leaves out a word of the rule that is an address or a long number', () => {
    const [clause] = explain({
      any: [{ field: 'event.to', op: 'in', value: ['ana@loja.example', '+55 (11) 98765-4321', 'gold'] }],
    })
    expect(clause!.clause).toBe('"to" of the event is one of (…), (…), "gold"')
  })
})

describe('names', () => {
  test.each([
    ['Product *', 'Product Added', true],
    ['Product *', 'Products Searched', false],
    ['*ed', 'Order Completed', true],
    ['O*C*d', 'Order Completed', true],
    ['*', '', true],
    ['a*b', 'acbd', false],
    ['Order.Completed', 'Order Completed', false],
  ])('%s on %s is %s', (pattern, name, expected) => {
    expect(nameMatches(pattern, name)).toBe(expected)
  })

  test('a page with the title of an event is a page', () => {
    expect(triggerName({ type: 'page', name: 'Order Completed' })).toBe('page')
    expect(triggerName({ type: 'track', name: 'Order Completed' })).toBe('Order Completed')
  })

  test('the index finds exact names and globs once each, in order', () => {
    const index = new EventIndex<string>()
    index.add(['B', 'B*'], 'first')
    index.add(['A'], 'second')
    index.add(['*'], 'third')
    index.add(['B'], 'fourth')
    expect(index.find('B')).toEqual(['first', 'third', 'fourth'])
    expect(index.find('__proto__')).toEqual(['third'])
  })
})

describe('durations', () => {
  test.each([
    ['PT30M', 1_800_000, '30 minutes', '30 minutos'],
    ['P1W', 604_800_000, '7 days', '7 dias'],
    ['P1DT1H1S', 90_001_000, '1 day and 1 hour and 1 second', '1 dia e 1 hora e 1 segundo'],
  ])('%s', (text, ms, en, pt) => {
    expect(parseDuration(text)).toBe(ms)
    expect(durationWords(ms, 'en')).toBe(en)
    expect(durationWords(ms, 'pt')).toBe(pt)
  })
  test.each(['P1M', 'P1Y', 'P', 'PT', '30m'])('%s is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(/write/)
  })
})

test('recent times are needed for what ends a wait and for goals, and per purpose for counts; the longest window wins', () => {
  const counting = `id: c
version: 1
when: {event: X, where: {all: [{count: {event: "Product *", window: P3D}, op: gt, value: 1}]}}
who: {none: [{count: {event: Product Bought, window: P30D}, op: gt, value: 1}]}
unless: {purpose: p}
then: {all: [{destination: d, action: a}], expires: P1D}
exit_on: ["Product B*"]
`
  const { rules } = loadRules([{ file: 'a', text: `${CART_RECOVERY}---\n${counting}` }])
  const days = 86_400_000
  expect(Object.fromEntries(neededWindows(rules))).toEqual({
    'Order Completed': days + 35 * 60_000,
    'Product B*': days,
  })
  const window = recentWindow(neededWindows(rules))
  expect([window('Product Bought'), window('Product Viewed'), window('Cart Viewed')]).toEqual([days, 0, 0])
  const count = countWindow(neededCounts(rules))
  expect([count('p', 'Product Bought'), count('p', 'Product Viewed'), count('p', 'X')]).toEqual([
    30 * days,
    3 * days,
    0,
  ])
  expect([count('email_marketing', 'Product Viewed'), count('nobody', 'Product Viewed')]).toEqual([0, 0])
})
