/** What conditions see of past events: measures, windows, groups, and what the profile keeps for them. */
import { array, assert, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MeasureCondition } from '../../schemas/rule.ts'
import { mergeProfiles } from '../identity/merge-profiles.ts'
import { cases } from '../testing/effort.ts'
import { compileConditions, type RuleView } from './compile.ts'
import { ruleProblems } from './lint-when.fixture.ts'
import { compileMeasure, MEASURED_KEPT, withEvent } from './measures.ts'
import { at, event, Person, rulesFrom } from './person.fixture.ts'

const rule = (who: string) =>
  `{id: r, version: 1, when: {event: Ask}, who: ${who}, unless: {purpose: email_marketing}, then: {all: [{destination: email, action: send}]}}`
const DAY = 24 * 60

function asked(who: string, ...orders: [minutes: number, properties: Record<string, unknown>][]) {
  const person = new Person(rulesFrom(rule(who)))
  for (const [minutes, properties] of orders) person.take(event('Order Completed', minutes, properties))
  person.take(event('Ask', 10 * DAY))
  return { person, explanation: person.explanations.at(-1)! }
}

describe('measures', () => {
  const ORDERS: [number, Record<string, unknown>][] = [
    [DAY, { total: 10.1, category: 'shoes', paid: true }],
    [5 * DAY, { total: '20.2', category: 'hats' }],
    [9 * DAY, { total: 30, category: 'shoes' }],
  ]
  test.each([
    ['{count: {event: Order Completed, window: P7D}, op: eq, value: 2}', 2],
    ['{sum: {event: Order Completed, property: total, window: P30D}, op: gte, value: 60.3}', 60.3],
    ['{avg: {event: Order Completed, property: total, window: P7D}, op: gt, value: 25}', 25.1],
    ['{min: {event: Order Completed, property: total, window: P30D}, op: lt, value: 11}', 10.1],
    ['{max: {event: "Order *", property: total, window: P30D}, op: eq, value: 30}', 30],
    ['{first: {event: Order Completed, property: category, window: P7D}, op: eq, value: hats}', 'hats'],
    ['{last: {event: Order Completed, property: category, window: P30D}, op: in, value: [shoes, bags]}', 'shoes'],
    ['{distinct: {event: Order Completed, property: category, window: P30D}, op: eq, value: 2}', 2],
    [
      '{count: {event: Order Completed, window: P30D, where: {all: [{field: event.category, op: eq, value: shoes}]}}, op: eq, value: 2}',
      2,
    ],
    ['{count: {event: Order Completed, from: "2026-03-11", to: "2026-03-16"}, op: eq, value: 2}', 2],
    ['{avg: {event: Never, property: total, window: P7D}, op: absent}', null],
    ['{last: {event: Order Completed, property: note, window: P7D}, op: absent}', null],
  ])('%s', (condition, value) => {
    const { explanation } = asked(`{all: [${condition}]}`, ...ORDERS)
    expect(explanation).toMatchObject({ result: 'ENQUEUED', clauses: [{ ok: true, value }] })
  })

  test('the profile keeps neither text that is no word of the rule nor anybody’s number', () => {
    const { person, explanation } = asked(
      '{none: [{last: {event: Order Completed, property: note, window: P7D}, op: eq, value: ok}, {max: {event: Order Completed, property: total, window: P7D}, op: gt, value: 5000000000}]}',
      [9 * DAY, { note: 'Rua das Flores 12, ana@example.com', total: 11987654321 }],
    )
    expect(JSON.stringify(person.profile)).not.toMatch(/Flores|ana@|11987654321/)
    expect(JSON.stringify(explanation)).not.toMatch(/Flores|ana@|11987654321/)
    expect(explanation.clauses[0]).toMatchObject({ value: '(text)' })
  })

  test('tells what it found in both languages', () => {
    const { explanation } = asked(
      '{all: [{sum: {event: Order Completed, property: total, window: P30D, where: {all: [{field: event.category, op: eq, value: shoes}]}}, op: gte, value: 500}]}',
      ...ORDERS,
    )
    expect(explanation.clauses).toEqual([
      {
        id: 'who.all.0',
        ok: false,
        value: 40.1,
        clause:
          'sum of "total" of "Order Completed" (where "category" of the event is "shoes") within 30 days is at least 500',
        pt: 'soma de "total" em "Order Completed" (em que "category" do evento é "shoes") no período de 30 dias é pelo menos 500',
      },
    ])
  })

  test('two people who are one have what both had', () => {
    const who = '{all: [{sum: {event: Order Completed, property: total, window: P30D}, op: gte, value: 100}]}'
    const a = new Person(rulesFrom(rule(who)))
    const b = new Person(rulesFrom(rule(who)))
    a.take(event('Order Completed', 0, { total: 60 }))
    b.take(event('Order Completed', 1, { total: 40 }))
    a.profile = mergeProfiles(a.profile, b.profile)
    a.take(event('Ask', 2))
    expect(a.results).toEqual(['ENQUEUED'])
  })

  test('bounded: the newest 500 of a measure, one per value, one for the last', () => {
    const kept = (text: MeasureCondition) => {
      const { measure } = compileMeasure(text, (where) => compileConditions(where, 'w'))
      let entries: ReturnType<typeof withEvent> = []
      for (let n = 0; n < 1200; n++)
        entries = withEvent(entries, measure!, { occurredAt: at(n), properties: { v: n % 7 } })
      return entries.length
    }
    const of = { event: 'E', property: 'v', window: 'P30D' }
    expect(kept({ sum: of, op: 'gt', value: 1 })).toBe(MEASURED_KEPT)
    expect(kept({ distinct: of, op: 'gt', value: 1 })).toBe(7)
    expect(kept({ last: of, op: 'eq', value: 1 })).toBe(1)
    expect(kept({ sum: { ...of, window: 'PT10M' }, op: 'gt', value: 1 })).toBeLessThan(12)
  })
})

describe('calendar windows', () => {
  const view = (now: string, zones: NonNullable<RuleView['zones']>, ...times: string[]): RuleView => ({
    now: Date.parse(now),
    profile: new Person(rulesFrom(rule('{}'))).profile,
    purpose: 'email_marketing',
    counted: { E: times },
    zones,
    known: true,
  })
  const today = compileConditions(
    { all: [{ count: { event: 'E', window: 'P1D', calendar: 'person' }, op: 'gte', value: 1 }] },
    'who',
  )
  const SP = { organization: 'America/Sao_Paulo' }

  test('both sides of the person’s midnight', () => {
    const acre = { ...SP, person: 'America/Rio_Branco' }
    const time = '2026-03-10T03:30:00.000Z'
    // 00:30 in São Paulo: today. 22:30 of the day before in Rio Branco.
    expect(today.test(view('2026-03-10T12:00:00Z', SP, time))).toBe(true)
    expect(today.test(view('2026-03-10T12:00:00Z', acre, time))).toBe(false)
    expect(today.changesAt(view('2026-03-10T12:00:00Z', SP, time))).toBe(Date.parse('2026-03-11T03:00:00Z'))
  })

  test('São Paulo’s old summer time: the midnight that did not exist, and the hour that came twice', () => {
    // 4 November 2018 began at 01:00 -02.
    expect(today.test(view('2018-11-04T12:00:00Z', SP, '2018-11-04T03:00:00.000Z'))).toBe(true)
    expect(today.test(view('2018-11-04T12:00:00Z', SP, '2018-11-04T02:59:59.999Z'))).toBe(false)
    // 17 February 2018 had 25 hours: 23:30 came twice, and the day ended at 03:00 UTC.
    for (const [time, now] of [
      ['2018-02-18T01:30:00.000Z', '2018-02-18T02:30:00Z'],
      ['2018-02-17T02:00:00.000Z', '2018-02-18T02:59:00Z'],
    ] as const)
      expect(today.test(view(now, SP, time))).toBe(true)
    expect(today.test(view('2018-02-18T03:00:00Z', SP, '2018-02-18T02:59:00.000Z'))).toBe(false)
  })

  test('months and weeks include the current one', () => {
    const month = compileConditions(
      { all: [{ count: { event: 'E', window: 'P1M', calendar: 'organization' }, op: 'gte', value: 1 }] },
      'who',
    )
    expect(month.test(view('2026-03-31T12:00:00Z', SP, '2026-03-01T03:00:00.000Z'))).toBe(true)
    expect(month.test(view('2026-03-31T12:00:00Z', SP, '2026-03-01T02:59:59.000Z'))).toBe(false)
    expect(month.explain(view('2026-03-31T12:00:00Z', SP))[0]!.pt).toBe('quantidade de "E" neste mês é pelo menos 1')
  })
})

describe('groups in groups', () => {
  test('hold as logic says, and tell only what was missing', () => {
    const cond = (value: number) => ({ field: 'event.n', op: 'eq' as const, value })
    const compiled = compileConditions(
      { all: [{ any: [cond(1), { all: [cond(2), cond(3)] }] }], none: [{ all: [cond(1), cond(9)] }] },
      'who',
    )
    const view = (n: number): RuleView => ({
      now: 0,
      profile: new Person(rulesFrom(rule('{}'))).profile,
      purpose: '',
      counted: {},
      known: false,
      event: { properties: { n } },
    })
    expect([1, 2, 3].map((n) => compiled.test(view(n)))).toEqual([true, false, false])
    for (const n of [1, 2, 3]) expect(compiled.holds(compiled.explain(view(n)))).toBe(compiled.test(view(n)))
    expect(compiled.explain(view(1)).map(({ id }) => id)).toEqual([
      'who.all.0.any.0',
      'who.all.0.any.1.all.0',
      'who.all.0.any.1.all.1',
      'who.none.0.all.0',
      'who.none.0.all.1',
    ])
    expect(compiled.broken(compiled.explain(view(1)))).toEqual([])
    expect(compiled.broken(compiled.explain(view(2))).map(({ id }) => id)).toEqual([
      'who.all.0.any.0',
      'who.all.0.any.1.all.1',
    ])
  })
})

test('changesAt: nothing changes by time alone before it', () => {
  const conditions = {
    any: [
      { count: { event: 'E', window: 'PT10M' }, op: 'gte' as const, value: 2 },
      { count: { event: 'E', window: 'PT3M' }, op: 'eq' as const, value: 0 },
    ],
  }
  const compiled = compileConditions(conditions, 'who')
  const { profile } = new Person(rulesFrom(rule('{}')))
  assert(
    property(array(integer({ min: 0, max: 30 }), { maxLength: 6 }), integer({ min: 30, max: 40 }), (minutes, now) => {
      const view = (minute: number): RuleView => ({
        now: Date.parse(at(minute)),
        profile,
        purpose: '',
        counted: { E: minutes.map(at) },
        known: false,
      })
      const change = compiled.changesAt(view(now))
      const first = Array.from({ length: 30 }, (_, n) => now + n).find(
        (minute) => compiled.test(view(minute)) !== compiled.test(view(now)),
      )
      if (first !== undefined) expect(change).toBeLessThanOrEqual(Date.parse(at(first)))
    }),
    { numRuns: cases(100) },
  )
})

test('measures kept one by one are those counted from all events at once', () => {
  const measures = ['sum', 'distinct', 'first', 'last', 'max'] as const
  assert(
    property(
      array(record({ minute: integer({ min: 0, max: 60 }), v: integer({ min: 1, max: 4 }) }), { maxLength: 20 }),
      constantFrom(...measures),
      (drawn, name) => {
        const text = { [name]: { event: 'E', property: 'v', window: 'PT20M' }, op: 'eq', value: 1 }
        const compiled = compileMeasure(text as unknown as MeasureCondition, (where) => compileConditions(where, 'w'))
        let entries: ReturnType<typeof withEvent> = []
        for (const { minute, v } of drawn)
          entries = withEvent(entries, compiled.measure!, { occurredAt: at(minute), properties: { v } })
        const newest = Math.max(0, ...drawn.map(({ minute }) => minute))
        const inside = drawn
          .map((one, order) => ({ ...one, order }))
          .filter(({ minute }) => minute > newest - 20)
          .sort((a, b) => a.minute - b.minute || a.order - b.order)
          .map(({ v }) => v)
        const expected = {
          sum: inside.reduce((a, b) => a + b, 0),
          distinct: new Set(inside).size,
          first: inside[0],
          last: inside.at(-1),
          max: inside.length === 0 ? undefined : Math.max(...inside),
        }[name]
        const view = {
          now: Date.parse(at(newest)),
          profile: new Person(rulesFrom(rule('{}'))).profile,
          purpose: '',
          counted: {},
          measured: { [compiled.measure!.key]: entries },
          known: false,
        }
        expect(compiled.value(view)).toBe(expected)
      },
    ),
    { numRuns: cases(100) },
  )
})

describe('rules that could never fire, and words that are wrong, with their place', () => {
  test.each([
    ['when: {count: {event: E, window: P1D}, op: lt, value: 2}', 'r.yaml:3:40: rule r: count lt: an event only makes'],
    ['when: {count: {event: E, window: P1D}, op: gte, value: 501}', 'r.yaml:3:49: rule r: count: the newest 500'],
    [
      'when: {absence: {start: {event: E}, unless: {any: [{event: "E*"}]}, within: PT5M}}',
      'r.yaml:3:53: rule r: "E" starts the wait and ends it at once',
    ],
    [
      'when: {absence: {start: {event: E}, unless: {any: [{event: F}]}, within: P200D}}',
      'r.yaml:3:66: rule r: "P200D" is longer than a rule can wait',
    ],
    [
      'when: {sequence: {steps: [{event: A}, {event: Order Completed}], within: PT1H}}\nexit_on: [Order Completed]',
      'r.yaml:3:40: rule r: "Order Completed" is also a goal',
    ],
    ['when: {sequence: {steps: [{event: A}], within: PT1H}}', 'r.yaml:3:19: "when.sequence.steps"'],
    ['when: {sequence: {steps: [{event: A}, {evnt: B}], within: PT1H}}', 'r.yaml:3:40: unknown key "evnt"'],
    ['when: {crosses: {score: s, above: 0.7, rearm_below: 0.8}}', 'r.yaml:3:40: rule r: 0.8 is above the line'],
    ['when: {crosses: {score: s}}', 'r.yaml:3:18: rule r: crosses needs either'],
    ['when: {schedule: tomorrow}', 'r.yaml:3:8: rule r: "tomorrow" is no schedule'],
    [
      'when: {audience: {enters: a}}\nwho: {all: [{audience: a, in: false}]}',
      'r.yaml:4:27: rule r: whoever enters "a" is in it',
    ],
    [
      'when: {event: E}\nwho: {all: [{sum: {event: E, property: email, window: P1D}, op: gt, value: 1}]}',
      'r.yaml:4:30: rule r: sum: "email" looks like contact data',
    ],
    [
      'when: {event: E}\nwho: {all: [{any: [{count: {event: E, window: P1M}, op: gt, value: 1}]}]}',
      'r.yaml:4:39: rule r: "P1M" counts years or months',
    ],
    [
      'when: {event: E}\nwho: {all: [{any: [{count: {event: E, windw: P1D}, op: gt, value: 1}]}]}',
      'r.yaml:4:39: unknown key "windw" in "who.all.0.any.0.count"',
    ],
    [
      'when: {event: E}\nwho: {all: [{count: {event: E, window: PT36H, calendar: person}, op: gt, value: 1}]}',
      'r.yaml:4:32: rule r: count: "PT36H" is no whole number of days',
    ],
    [
      'when: {event: E}\nwho: {all: [{audience: a, in: true}]}',
      'r.yaml:4:14: rule r: audience "a" is not in the configuration',
    ],
    ['when: {crosses: {score: other, above: 0.7}}', 'r.yaml:3:18: rule r: score "other" is kept for "orders"'],
    [
      'when: {event: E}\nwho: {all: [{count: {event: E, window: P400D}, op: gt, value: 1}]}',
      'r.yaml:4:32: rule r: "P400D" is longer than what is kept',
    ],
  ])('%s', (text, expected) => {
    expect(
      ruleProblems(
        `id: r\nversion: 1\n${text}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: d, action: a}]}`,
      ),
    ).toContain(expected)
  })
})
