/** How long a complaint, a bounce and a ticket are believed, to the millisecond; and audiences nobody of whom is written to. */
import { expect, test } from 'vitest'
import type { OpenProfile } from '../../schemas/profile.ts'
import { event, Person, rulesFrom } from './person.fixture.ts'
import { suppressedBy } from './suppression.ts'

const NOW = Date.parse('2026-03-10T12:00:00.000Z')
const DAY = 86_400_000
const ago = (ms: number) => new Date(NOW - ms).toISOString()

test.each<[string, number, 'complained' | 'bounced' | 'open_ticket', (at: string) => OpenProfile['suppressed']]>([
  ['a complaint', 365, 'complained', (at) => ({ complained: at })],
  ['a bounce', 90, 'bounced', (at) => ({ bounced: { email: at } })],
  ['a ticket that nobody closed', 60, 'open_ticket', (at) => ({ tickets: { t1: at } })],
])('%s stands for %i days', (_, days, word, suppressed) => {
  const told = (at: string, words = [word], channel = 'email') =>
    suppressedBy(words, { suppressed: suppressed(at)! }, channel, NOW)
  expect(told(ago(days * DAY - 1))).toMatchObject({ id: 'unless.suppress.0', ok: false })
  expect(told(ago(days * DAY))).toBeUndefined()
  // Only of a rule that asks for it.
  expect(told(ago(DAY), [])).toBeUndefined()
})

test('a bounce says something about its own channel alone', () => {
  const { suppressed } = { suppressed: { bounced: { email: ago(DAY) } } }
  expect(suppressedBy(['bounced'], { suppressed }, 'sms', NOW)).toBeUndefined()
  expect(suppressedBy(['bounced'], { suppressed }, undefined, NOW)).toBeUndefined()
})

test('nobody of the audience gets it, whoever is in no audience or another does', () => {
  const rules = rulesFrom(
    'id: r\nversion: 1\nwhen: {event: Viewed}\nunless: {purpose: email_marketing, suppress: [{audience: equipe}]}\nthen: {all: [{destination: email, action: send}]}\n',
  )
  const results = (audiences?: OpenProfile['audiences']) => {
    const person = new Person(rules)
    if (audiences) person.profile = { ...person.profile, audiences }
    person.take(event('Viewed', 0))
    return person.results
  }
  const member = { since: ago(DAY), purpose: 'email_marketing' }
  expect(results({ equipe: member })).toEqual(['SUPPRESSED'])
  expect(results({ outros: member })).toEqual(['ENQUEUED'])
  expect(results()).toEqual(['ENQUEUED'])
})
