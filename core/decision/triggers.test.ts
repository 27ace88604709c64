/** The triggers beyond one event and one wait, on a virtual clock. */
import { array, assert, boolean, constantFrom, integer, property, record, uniqueArray } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cases } from '../testing/effort.ts'
import { at, event, Person, rulesFrom } from './person.fixture.ts'
import { buildRuleSet } from './ruleset.ts'
import { mergeSequences } from './sequences.ts'

const rule = (when: string, more = '', version = 1) =>
  `{id: r, version: ${version}, when: ${when}, unless: {purpose: email_marketing}, then: {all: [{destination: email, action: send}]}${more}}`
const personWith = (...texts: string[]) => new Person(rulesFrom(...texts))

describe('sequences', () => {
  const SEARCH =
    'steps: [{event: Products Searched}, {event: Product Viewed, where: {all: [{field: event.price, op: gte, value: 100}]}}, {event: Product Added}], within: PT30M'
  const dear = (minutes: number) => event('Product Viewed', minutes, { price: 250 })

  test('fires on the event that completes the steps in order, once, with the steps told', () => {
    const person = personWith(rule(`{sequence: {${SEARCH}}}`))
    person.take(event('Products Searched', 0))
    person.take(event('Product Viewed', 1, { price: 20 }))
    person.take(dear(2))
    expect(person.deliveries).toEqual([])
    const added = event('Product Added', 3)
    person.take(added)
    expect(person.deliveries).toMatchObject([{ eventId: added.id, since: at(3) }])
    expect(person.explanations.at(-1)).toMatchObject({
      result: 'ENQUEUED',
      startedAt: at(0),
      clauses: [{ id: 'when.sequence', value: 3, clause: expect.stringContaining('then "Product Added"') }],
    })
    person.take(event('Product Added', 4))
    expect(person.deliveries.length).toBe(1)
  })

  test('the wrong order and too long a time do not fire; any order does', () => {
    const steps = 'steps: [{event: A}, {event: B}], within: PT10M'
    const strict = personWith(rule(`{sequence: {${steps}}}`))
    strict.take(event('B', 0))
    strict.take(event('A', 1))
    expect(strict.deliveries).toEqual([])
    strict.take(event('B', 11))
    expect(strict.deliveries).toEqual([])
    strict.take(event('A', 12))
    strict.take(event('B', 21))
    expect(strict.deliveries.length).toBe(1)
    const loose = personWith(rule(`{sequence: {${steps}, order: any}}`))
    loose.take(event('B', 0))
    loose.take(event('A', 1))
    expect(loose.deliveries.length).toBe(1)
  })

  test('an event that arrives late is taken where it belongs', () => {
    const person = personWith(rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M}}'))
    person.take(event('B', 5))
    person.take(event('A', 3), 6)
    expect(person.deliveries.length).toBe(1)
  })

  test('instances are told apart by their property; without it an event is of none', () => {
    const person = personWith(rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M, correlate: order_id}}'))
    person.take(event('A', 0, { order_id: '1' }))
    person.take(event('B', 1, { order_id: '2' }))
    person.take(event('B', 2))
    expect(person.deliveries).toEqual([])
    person.take(event('B', 3, { order_id: '1' }))
    expect(person.deliveries).toMatchObject([{ correlation: '1' }])
  })

  test('a goal forgets the steps before it, also one that is told of late', () => {
    const text = rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M}}', ', exit_on: [Order Completed]')
    const person = personWith(text)
    person.take(event('A', 0))
    person.take(event('Order Completed', 1))
    expect(person.results).toEqual(['GOAL_REACHED'])
    person.take(event('A', 0), 2)
    person.take(event('B', 3))
    expect(person.deliveries).toEqual([])
    person.take(event('A', 4))
    person.take(event('B', 5))
    expect(person.deliveries.length).toBe(1)
  })

  test('steps that began stay on their version; the next ones are on the new one', () => {
    const first = rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M}}')
    const second = rule('{sequence: {steps: [{event: A}, {event: C}], within: PT10M}}', '', 2)
    const person = personWith(first)
    person.take(event('A', 0))
    const [old] = rulesFrom(first).current
    person.rules = buildRuleSet(rulesFrom(second).current, [old!])
    person.take(event('C', 1))
    expect(person.deliveries).toEqual([])
    person.take(event('B', 2))
    expect(person.deliveries).toMatchObject([{ version: 1 }])
    person.take(event('A', 3))
    person.take(event('C', 4))
    expect(person.deliveries.map(({ version }) => version)).toEqual([1, 2])
  })

  test('follows a merge: steps of two people make one sequence', () => {
    const one = personWith(rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M}}'))
    one.take(event('A', 0))
    const other = personWith(rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M}}'))
    other.profile = { ...other.profile, sequences: mergeSequences(one.profile.sequences, other.profile.sequences) }
    other.take(event('B', 1))
    expect(other.deliveries.length).toBe(1)
  })

  test('what a naive reading of the definition says', () => {
    const names = ['A', 'B', 'C', 'X'] as const
    assert(
      property(
        uniqueArray(
          record({
            minute: integer({ min: 0, max: 40 }),
            name: constantFrom(...names),
            late: integer({ min: 0, max: 15 }),
          }),
          {
            maxLength: 14,
            selector: ({ minute, name }) => `${minute}${name}`,
          },
        ),
        boolean(),
        (drawn, strict) => {
          const order = strict ? 'strict' : 'any'
          const steps = '[{event: A}, {event: "*"}, {event: C}]'
          const person = personWith(rule(`{sequence: {steps: ${steps}, within: PT10M, order: ${order}}}`))
          const arriving = [...drawn].sort((a, b) => a.minute + a.late - b.minute - b.late || a.minute - b.minute)
          let seen: { minute: number; name: string; order: number }[] = []
          const expected: number[] = []
          for (const [index, { minute, name, late }] of arriving.entries()) {
            person.take(event(name, minute, {}, `e${index}`), minute + late)
            seen.push({ minute, name, order: index })
            const newest = Math.max(...seen.map((one) => one.minute))
            const inside = seen
              .filter((one) => one.minute > newest - 10)
              .sort((a, b) => a.minute - b.minute || a.order - b.order)
            if (
              !naive(
                inside.map((one) => one.name),
                ['A', '*', 'C'],
                strict,
              )
            )
              continue
            expected.push(index)
            seen = []
          }
          expect(person.deliveries.map(({ eventId }) => eventId)).toEqual(expected.map((index) => `e${index}`))
        },
      ),
      { numRuns: cases(70) },
    )
  })
})

/** Some choice of one event per step, all different, fits (in the order of the steps). */
function naive(names: readonly string[], steps: readonly string[], strict: boolean): boolean {
  const choose = (step: number, taken: readonly number[]): boolean =>
    step === steps.length ||
    names.some(
      (name, index) =>
        !taken.includes(index) &&
        (steps[step] === '*' || steps[step] === name) &&
        (!strict || taken.every((other) => other < index)) &&
        choose(step + 1, [...taken, index]),
    )
  return choose(0, [])
}

describe('a measure that crosses a line', () => {
  test('fires on the third order of a month and not on the fourth; again when time has carried it back', () => {
    const person = personWith(rule('{count: {event: Order Completed, window: P30D}, op: gte, value: 3}'))
    const day = (n: number) => n * 24 * 60
    for (const n of [0, 1, 2, 3]) person.take(event('Order Completed', day(n)))
    expect(person.deliveries.length).toBe(1)
    expect(person.explanations.at(-1)).toMatchObject({ clauses: [{ id: 'when.count', value: 3, ok: true }] })
    for (const n of [60, 61, 62]) person.take(event('Order Completed', day(n)))
    expect(person.deliveries.length).toBe(2)
  })

  test('a sum counts only the events that its conditions fit, numbers written as text included', () => {
    const person = personWith(
      rule(
        '{sum: {event: Order Completed, property: total, where: {none: [{field: event.channel, op: eq, value: loja}]}, window: P7D}, op: gt, value: 300}',
      ),
    )
    person.take(event('Order Completed', 0, { total: 200 }))
    person.take(event('Order Completed', 1, { total: 500, channel: 'loja' }))
    expect(person.deliveries).toEqual([])
    person.take(event('Order Completed', 2, { total: '100.50' }))
    expect(person.explanations.at(-1)).toMatchObject({ result: 'ENQUEUED', clauses: [{ value: 300.5 }] })
  })
})

describe('audiences, schedules, requests', () => {
  test('entering and leaving are two triggers', () => {
    const person = personWith(
      rule('{audience: {enters: vip}}'),
      rule('{audience: {leaves: vip}}').replace('id: r', 'id: s'),
    )
    const change = (what: 'entered' | 'left', minutes: number) =>
      person.fire({ kind: 'audience', audience: 'vip', change: what, at: at(minutes), seq: 1 }, minutes)
    change('entered', 0)
    expect(person.deliveries.map((draft) => draft.rule)).toEqual(['r'])
    change('left', 5)
    expect(person.deliveries.map((draft) => draft.rule)).toEqual(['r', 's'])
    expect(person.explanations[0]!.clauses[0]).toMatchObject({ pt: 'entrou no público "vip"' })
  })

  test('a schedule fires the rule it is for, each slot once', () => {
    const person = personWith(rule('{schedule: "P1D@09:00 America/Sao_Paulo"}'))
    const slot = { kind: 'schedule', rule: 'r', slot: at(0), seq: 1 } as const
    const [first] = person.fire(slot, 1).deliveries
    const [again] = person.fire(slot, 2).deliveries
    expect(first!.id).toBe(again!.id)
    expect(person.fire({ ...slot, slot: at(1440) }, 1441).deliveries[0]!.id).not.toBe(first!.id)
  })

  test('a request is answered by the rules that name it', () => {
    const person = personWith(rule('{request: recommendations}'))
    person.fire({ kind: 'request', request: 'other', at: at(0), seq: 1 }, 0)
    expect(person.explanations).toEqual([])
    person.fire({ kind: 'request', request: 'recommendations', at: at(0), seq: 1 }, 0)
    expect(person.results).toEqual(['ENQUEUED'])
  })
})

describe('scores', () => {
  const CHURN = '{crosses: {score: churn, above: 0.7, rearm_below: 0.55}}'
  const scored = (person: Person, ...values: number[]) => {
    let from: number | undefined
    for (const [minute, to] of values.entries()) {
      person.fire({ kind: 'score', score: 'churn', from, to, at: at(minute), seq: minute }, minute)
      from = to
    }
  }

  test('a score that trembles about the line counts once, until it has been back', () => {
    const person = personWith(rule(CHURN))
    scored(person, 0.6, 0.71, 0.69, 0.72, 0.56, 0.8)
    expect(person.results.filter((result) => result === 'ENQUEUED').length).toBe(1)
    expect(person.explanations.at(-1)).toMatchObject({ result: 'NOT_MATCHED', failed: ['when.crosses.rearm'] })
    scored(person, 0.8, 0.55, 0.75)
    expect(person.results.filter((result) => result === 'ENQUEUED').length).toBe(2)
  })

  test('whoever was above before the rule came is not said to have crossed', () => {
    const person = personWith(rule(CHURN))
    person.fire({ kind: 'score', score: 'churn', from: 0.8, to: 0.9, at: at(0), seq: 1 }, 0)
    expect(person.results).toEqual([])
  })

  test('with a schedule it is looked at when that is due', () => {
    const person = personWith(rule(CHURN.replace('}}', '}, schedule: "P1D@09:00"}')))
    person.profile = { ...person.profile, scores: { churn: { value: 0.9, at: at(0), purpose: 'email_marketing' } } }
    scored(person, 0.9)
    expect(person.results).toEqual([])
    for (const day of [0, 1]) person.fire({ kind: 'schedule', rule: 'r', slot: at(day), seq: day }, day)
    expect(person.results).toEqual(['ENQUEUED', 'NOT_MATCHED'])
  })
})

describe('waits', () => {
  const WAIT =
    '{absence: {start: {event: Product Added, where: {all: [{field: event.price, op: gte, value: 50}]}}, unless: {any: [{event: Message Opened, where: {all: [{field: event.campaign, op: eq, value: c1}]}}]}, within: PT30M}}'

  test('conditions on the start and on what ends it', () => {
    const person = personWith(rule(WAIT))
    person.take(event('Product Added', 0, { price: 10 }))
    expect(person.results).toEqual([])
    person.take(event('Product Added', 1, { price: 60 }))
    person.take(event('Message Opened', 2, { campaign: 'c2' }))
    person.wake(31)
    expect(person.results).toEqual(['ARMED', 'ENQUEUED'])
    person.take(event('Product Added', 40, { price: 60 }))
    person.take(event('Message Opened', 41, { campaign: 'c1' }))
    expect(person.results.slice(2)).toEqual(['ARMED', 'CANCELLED'])
  })

  test('the branch of what did not happen fires at its time and not at double the delay (mautic #12686)', () => {
    const person = personWith(rule(WAIT))
    const result = person.take(event('Product Added', 0, { price: 60 }))
    expect(result.wakeAt).toBe(at(30))
    expect(person.wake(29)).toEqual([])
    person.wake(30)
    expect(person.results.at(-1)).toBe('ENQUEUED')
    expect(person.wake(60)).toEqual([])
  })

  test('what ended it before its start was known: it passes at once, without a wait', () => {
    const person = personWith(rule(WAIT))
    person.take(event('Message Opened', 5, { campaign: 'c1' }))
    person.take(event('Product Added', 0, { price: 60 }), 6)
    expect(person.results).toEqual(['CANCELLED'])
    expect(person.profile.timers).toEqual([])
  })
})

test('the log does not depend on how many inputs are taken together, nor on how often clocks are looked at', () => {
  const texts = [
    rule('{sequence: {steps: [{event: A}, {event: B}], within: PT10M}}').replace('id: r', 'id: s'),
    rule('{count: {event: B, window: PT20M}, op: gte, value: 2}').replace('id: r', 'id: c'),
    rule('{absence: {start: {event: A}, unless: {any: [{event: C}]}, within: PT7M}}').replace('id: r', 'id: w'),
  ]
  assert(
    property(
      array(record({ gap: integer({ min: 1, max: 9 }), name: constantFrom('A', 'B', 'C') }), { maxLength: 25 }),
      array(integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
      (drawn, looks) => {
        const log = (often: boolean) => {
          const person = personWith(...texts)
          let minute = 0
          for (const [index, { gap, name }] of drawn.entries()) {
            const next = minute + gap
            // Everything due before the event, looked for at each minute or only when it comes.
            for (let m = minute; m < next; m++)
              if (often || looks[m % looks.length] === 0 || m === next - 1) person.wake(m)
            minute = next
            person.take(event(name, minute, {}, `e${index}`))
          }
          person.wake(minute + 100)
          return person.explanations
            .map(({ rule: id, eventId, result, correlation }) => [id, eventId, correlation, result].join('|'))
            .sort()
        }
        expect(log(false)).toEqual(log(true))
      },
    ),
    { numRuns: cases(25) },
  )
})

test('a thousand rules of every kind on other things do not answer to this event', () => {
  const kinds = [
    '{event: E0}',
    '{sequence: {steps: [{event: E0}, {event: E1}], within: PT1H}}',
    '{audience: {enters: E0}}',
    '{sum: {event: E0, property: total, window: P1D}, op: gte, value: 5}',
    '{request: E0}',
  ]
  const rules = rulesFrom(
    ...Array.from({ length: 1000 }, (_, index) =>
      rule(kinds[index % kinds.length]!.replaceAll('E0', `E${index}`)).replace('id: r', `id: r${index}`),
    ),
  )
  expect(rules.triggeredBy('E0').map((one) => one.rule.id)).toEqual(['r0'])
  expect(rules.triggeredBy('E3').map((one) => one.rule.id)).toEqual(['r3'])
  expect(rules.steppedBy('E6').map((one) => one.rule.id)).toEqual(['r6'])
  expect(rules.triggeredBy('Product Added')).toEqual([])
  expect(rules.answering({ kind: 'request', request: 'E4', at: at(0), seq: 1 }).map((one) => one.rule.id)).toEqual([
    'r4',
  ])
})
