/** Once per session: as the source counts it, else without a pause of thirty minutes. */
import { describe, expect, test } from 'vitest'
import { emptyProfile } from './empty-profile.ts'
import { loadRules } from './index.ts'
import { at, event, Person, rulesFrom } from './person.fixture.ts'
import { mergeSessions, withActivity } from './sessions.ts'

const rule = (when: string, reentry = '{max: 1, per: session}') => `id: r
version: 1
when: ${when}
unless: {purpose: email_marketing, reentry: ${reentry}}
then: {all: [{destination: email, action: send}]}
`
const VIEW = '{event: Product Viewed}'
const inSession = (minutes: number, session: string | number | undefined, context = 'sessionId') => ({
  ...event('Product Viewed', minutes),
  ...(session !== undefined && {
    context: context === 'google' ? { google: { sessionId: session } } : { [context]: session },
  }),
})
/** Minutes at which a message was decided. */
const sentAt = (events: [minutes: number, session?: string | number, context?: string][], when = rule(VIEW)) => {
  const person = new Person(rulesFrom(when))
  return events
    .filter(([minutes, session, context]) => {
      const sent = person.deliveries.length
      person.take(inSession(minutes, session, context))
      return person.deliveries.length > sent
    })
    .map(([minutes]) => minutes)
}

describe('where the source counts none', () => {
  test('thirty minutes without an event end the session, and any event goes on with it', () => {
    expect(sentAt([[0], [1], [29], [59], [89]])).toEqual([0])
    expect(sentAt([[0], [30.1], [31], [61], [91.1]])).toEqual([0, 30.1, 91.1])
    const person = new Person(rulesFrom(rule(VIEW)))
    person.take(event('Product Viewed', 0))
    person.take(event('Page Scrolled', 20))
    person.take(event('Page Scrolled', 45))
    person.take(event('Product Viewed', 70))
    person.take(event('Product Viewed', 101))
    expect(person.results).toEqual(['ENQUEUED', 'REENTRY', 'ENQUEUED'])
    expect(person.explanations[1]!.clauses.at(-1)).toMatchObject({
      pt: 'entrou menos de 1 vezes nesta sessão',
      value: 1,
    })
  })

  test('an event that is told of late belongs to the session it happened in', () => {
    const person = new Person(rulesFrom(rule(VIEW)))
    person.take(event('Product Viewed', 0))
    person.take(event('Product Viewed', 25), 200)
    person.take(event('Product Viewed', 300))
    expect(person.results).toEqual(['ENQUEUED', 'REENTRY', 'ENQUEUED'])
  })
})

describe('where the source counts them', () => {
  test.each(['sessionId', 'session_id', 'ga_session_id', 'google'])('by its %s, however long the pause', (context) => {
    expect(
      sentAt([
        [0, 17, context],
        [100, 17, context],
        [101, 18, context],
        [102, 18, context],
      ]),
    ).toEqual([0, 101])
  })

  test('two devices side by side are two sessions, each with one', () => {
    expect(
      sentAt([
        [0, 'a'],
        [1, 'b'],
        [2, 'a'],
        [3, 'b'],
        [4, 'a'],
      ]),
    ).toEqual([0, 1])
  })

  test('an event without it is of the session that is under way', () => {
    expect(sentAt([[0, 'a'], [5], [10, 'a'], [39, 'a'], [100]])).toEqual([0, 100])
    expect(sentAt([[0], [5, 'a'], [60, 'a'], [61, 'b']])).toEqual([0, 61])
  })

  test('only a digest of it is kept, of nobody who entered no such rule, and not for longer than a day', () => {
    const person = new Person(rulesFrom(rule(VIEW), rule('{event: Other}').replace('id: r', 'id: s')))
    person.take(inSession(0, 'maria@exemplo.com.br'))
    expect(JSON.stringify(person.profile.sessions)).not.toContain('maria')
    expect(Object.keys(person.profile.sessions!)).toEqual(['r'])
    expect(withActivity(person.profile.sessions!, event('X', 24 * 60))).toBeUndefined()
    expect(emptyProfile(at(0)).sessions).toBeUndefined()
  })
})

test('twice per session, and a wait belongs to the session in which it began', () => {
  expect(sentAt([[0], [1], [2], [40], [41], [42]], rule(VIEW, '{max: 2, per: session}'))).toEqual([0, 1, 40, 41])
  const person = new Person(
    rulesFrom(
      rule('{absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT10M}}'),
    ),
  )
  for (const minute of [0, 15, 60]) {
    person.take(event('Product Added', minute))
    person.wake(minute + 10)
  }
  expect(person.results).toEqual(['ARMED', 'ENQUEUED', 'ARMED', 'REENTRY', 'ARMED', 'ENQUEUED'])
})

test('two people who are one have entered what either has', () => {
  const a = { r: { x: [at(5), 1] as [string, number], '': [at(1), 1] as [string, number] } }
  const b = { r: { x: [at(3), 1] as [string, number] }, s: { y: [at(2), 2] as [string, number] } }
  expect(mergeSessions(a, b)).toEqual({ r: { x: [at(5), 2], '': [at(1), 1] }, s: { y: [at(2), 2] } })
  expect(mergeSessions(b, a)).toEqual(mergeSessions(a, b))
  expect(mergeSessions(undefined, undefined)).toBeUndefined()
})

test.each([
  ['without how often', rule(VIEW, '{per: session}'), 'needs "max"'],
  ['of a schedule', rule('{schedule: "P1D@09:00"}'), 'in no session'],
])('%s is refused with its place', (_, text, message) => {
  expect(() => loadRules([{ file: 'r.yaml', text }])).toThrow(message)
})
