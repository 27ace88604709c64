import { describe, expect, test } from 'vitest'
import { ConfigError } from '../kit/errors.ts'
import { lintRules, loadRules } from './index.ts'
import { CART_RECOVERY } from './person.fixture.ts'

const load = (text: string) => loadRules([{ file: 'rules/a.yaml', text }])
const refusal = (run: () => unknown): ConfigError => {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
const lines = (run: () => unknown) => refusal(run).message.split('\n')

const rule = (id: string, more = '') => `id: ${id}
version: 1
when: {event: Order Completed}
${more}unless: {purpose: orders}
then: {all: [{destination: crm, action: tag}]}
`

describe('loading', () => {
  test('reads several documents of several files, JSON too, and skips empty ones', () => {
    const json = JSON.stringify({
      id: 'j',
      version: 2,
      when: { event: 'X' },
      unless: { purpose: 'orders' },
      then: { all: [{ destination: 'd', action: 'a' }] },
    })
    const { rules } = loadRules([
      { file: 'a.yaml', text: `${rule('a')}---\n${rule('b')}---\n` },
      { file: 'b.json', text: json },
      { file: 'c.yaml', text: CART_RECOVERY },
    ])
    expect(rules.map((compiled) => compiled.rule.id)).toEqual(['a', 'b', 'j', 'carrinho-abandonado'])
  })

  test('the hash names the text: another order of keys is the same rule, another number is not', () => {
    const hash = (text: string) => load(text).rules[0]!.hash
    const swapped = rule('a').split('\n').slice(0, 2).reverse().concat(rule('a').split('\n').slice(2)).join('\n')
    expect(hash(swapped)).toBe(hash(rule('a')))
    expect(hash(rule('a').replace('version: 1', 'version: 2'))).not.toBe(hash(rule('a')))
  })

  test.each([
    [
      'an unknown key',
      rule('a', 'whom: {}\n'),
      'rules/a.yaml:4:1: unknown key "whom" in the rule: did you mean who? allowed are id, version',
    ],
    [
      'a missing key',
      'id: a\nversion: 1\nwhen: {event: X}\nthen: {all: [{destination: d, action: a}]}\n',
      'rules/a.yaml:1:1: the rule needs "unless": add it',
    ],
    [
      'a misspelt trigger',
      rule('a').replace('event:', 'evnt:'),
      'rules/a.yaml:3:8: unknown key "evnt": did you mean event? "when" must be a mapping with "event" or a mapping with "absence"',
    ],
    [
      'a trigger that is none',
      rule('a').replace('event:', 'happens:'),
      'rules/a.yaml:3:1: "when" must be a mapping with "event" or a mapping with "absence"',
    ],
    [
      'a misspelt word',
      rule('a').replace('orders}', 'orders, quiet_hour: {holidays: BR}}'),
      'rules/a.yaml:4:27: unknown key "quiet_hour" in "unless": did you mean quiet_hours? allowed are purpose, caps',
    ],
    [
      'a misspelt word deep inside',
      rule('a').replace(
        '{event: Order Completed}',
        '{absence: {start: {event: X}, unless: {any: [{evnt: Y}]}, within: PT1H}}',
      ),
      'rules/a.yaml:3:53: unknown key "evnt": did you mean event?',
    ],
    [
      'a misspelt choice',
      rule('a').replace('orders}', 'orders, caps: [{per: persn, max: 1, window: P1D}]}'),
      'rules/a.yaml:4:35: "unless.caps.0.per" must be one of person, person+channel, person+rule: did you mean person?',
    ],
    [
      'an unknown operator',
      rule('a', 'who: {all: [{field: cart.total, op: over, value: 1}]}\n'),
      'rules/a.yaml:4:33: "who.all.0.op" must be one of eq, ne,',
    ],
    [
      'a field nobody knows',
      rule('a', 'who:\n  all:\n    - {field: carts.total, op: gt, value: 1}\n'),
      'rules/a.yaml:6:8: rule a: "carts.total" is no field a rule can read: use cart.total',
    ],
    [
      'money in quotes',
      rule('a', 'who: {any: [{field: cart.total, op: gt, value: "50"}]}\n'),
      'rules/a.yaml:4:41: rule a: cart.total gt: cart.total is a number in minor units',
    ],
    [
      'a list for one value',
      rule('a', 'who: {any: [{field: event.x, op: eq, value: [1]}]}\n'),
      'rules/a.yaml:4:38: rule a: event.x eq: takes one value; for several use "op: in"',
    ],
    [
      'a missing value',
      rule('a', 'who: {none: [{field: event.x, op: eq}]}\n'),
      'rules/a.yaml:4:31: rule a: event.x eq: needs a value',
    ],
    [
      'months in a window',
      rule('a', 'who: {all: [{count: {event: X, window: P1M}, op: gt, value: 0}]}\n'),
      'rules/a.yaml:4:32: rule a: "P1M" counts years or months',
    ],
    [
      'words for a duration',
      rule('a').replace('orders}', 'orders, caps: [{per: person, max: 1, window: one day}]}'),
      'rules/a.yaml:4:56: "unless.caps.0.window" is no duration: write one such as PT30M or P1D (In which time: PT24H, P7D',
    ],
    ['no actions', rule('a').replace(/\[.*\]/, '[]'), 'rules/a.yaml:5:8: "then.all" is empty'],
    ['broken YAML', 'id: [\n', 'rules/a.yaml:2:1: not valid YAML'],
    ['a document that is no mapping', '- a\n- b\n', 'rules/a.yaml:1:1: the rule must be a mapping'],
  ])('tells %s with its place and what to do', (_, text, expected) => {
    expect(
      lines(() => load(text)).some((line) => line.startsWith(expected)),
      refusal(() => load(text)).message,
    ).toBe(true)
  })

  test('lists all problems of all files at once, and names the first in path', () => {
    const error = refusal(() =>
      loadRules([
        { file: 'a.yaml', text: rule('a', 'x: 1\n') },
        { file: 'b.yaml', text: rule('b', 'y: 1\n') },
      ]),
    )
    expect(error.message.split('\n')).toHaveLength(2)
    expect(error.path).toBe('a.yaml:4:1')
  })

  test('refuses the same id twice and says where the first is', () => {
    const [line] = lines(() =>
      loadRules([
        { file: 'a.yaml', text: rule('a') },
        { file: 'b.yaml', text: `---\n${rule('a')}` },
      ]),
    )
    expect(line).toBe(
      'b.yaml:2:1: rule a is already written at a.yaml:1: give this one another id, or keep only the newest version',
    )
  })

  test('an alias bomb is refused, not expanded', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]\n`
    expect(lines(() => load(bomb))[0]).toMatch(/^rules\/a.yaml:1:1: .*write the values out/)
  })
})

describe('lint against the configuration', () => {
  const around = {
    purposes: ['orders'],
    destinations: { crm: { tag: {}, mail: { channel: 'email' } } },
    openTraits: ['plan'],
    collectsTrait: (purpose: string, trait: string) => purpose === 'orders' && trait !== 'score',
  }
  const lint = (text: string) => () => lintRules(load(text).rules, around)

  test('accepts what fits', () => {
    const text = rule(
      'a',
      'who: {all: [{field: traits.plan, op: eq, value: gold}, {field: traits.age, op: gt, value: 18}, {field: traits.bio, op: exists}, {field: counters.orders.orders, op: gt, value: 0}]}\n',
    )
    expect(lint(text)).not.toThrow()
  })

  test.each([
    [
      'purpose',
      rule('a').replace('purpose: orders', 'purpose: order'),
      'rules/a.yaml:4:10: rule a: purpose "order" is not in the configuration: use orders',
    ],
    [
      'destination',
      rule('a').replace('destination: crm', 'destination: crn'),
      'rules/a.yaml:5:15: rule a: destination "crn" is not in the configuration: use crm',
    ],
    [
      'action',
      rule('a').replace('action: tag', 'action: toString'),
      'rules/a.yaml:5:33: rule a: destination "crm" has no action "toString": use tag, mail',
    ],
    [
      'sealed trait',
      rule('a', 'who: {all: [{field: traits.name, op: contains, value: Ana}]}\n'),
      'rules/a.yaml:4:14: rule a: trait "name" is text and sealed',
    ],
    [
      'sealed trait in a list',
      rule('a', 'who: {all: [{field: traits.city, op: in, value: [x, y]}]}\n'),
      'rules/a.yaml:4:14: rule a: trait "city" is text and sealed',
    ],
    [
      'trait that its purpose does not collect',
      rule('a', 'who: {all: [{field: traits.score, op: gt, value: 1}]}\n'),
      'rules/a.yaml:4:14: rule a: "orders" does not collect the trait "score"',
    ],
    [
      'counter of another purpose',
      rule('a', 'who: {all: [{field: counters.analytics.orders, op: gt, value: 1}]}\n'),
      'rules/a.yaml:4:14: rule a: counters.analytics.orders was fed by events kept for "analytics", and this rule acts for "orders"',
    ],
    [
      'cap without a channel',
      rule('a').replace('orders}', 'orders, caps: [{per: person, max: 1, window: P1D}]}'),
      'rules/a.yaml:4:35: rule a: "per: person" counts messages on a channel and no action of this rule has one',
    ],
    [
      'window of a group',
      `${rule('a', 'group: {id: promo, window: P1D}\n')}---\n${rule('b', 'group: {id: promo, window: PT24H}\n')}---\n${rule('c', 'group: {id: promo, window: P2D}\n')}`,
      'rules/a.yaml:18:20: rule c: group "promo" has the window P1D in rule a (rules/a.yaml:4) and P2D here',
    ],
    [
      'correlation by contact data',
      CART_RECOVERY.replace('grace:', 'correlate: email\n    grace:').replace('email_marketing', 'orders'),
      'rules/a.yaml:10:5: rule carrinho-abandonado: "email" looks like contact data',
    ],
  ])('refuses an unknown or unfit %s', (_, text, expected) => {
    expect(
      lines(lint(text)).some((line) => line.startsWith(expected)),
      refusal(lint(text)).message,
    ).toBe(true)
  })
})
