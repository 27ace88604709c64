/** Mistakes in audiences, each told with its place. */
import { expect, test } from 'vitest'
import { type LintSurroundings, measureProblems } from './lint.ts'

const title = { pt: 'x', en: 'x' }
const actions = {
  addToAudience: {
    kind: 'event',
    payload: { properties: { audience: { pattern: '^\\d+$' } }, required: ['audience'] },
  },
  removeFromAudience: { kind: 'event', payload: { properties: {} } },
  send: { kind: 'message', payload: { properties: {} } },
} as const
const surroundings: LintSurroundings = {
  actionsOf: (id) => (id === 'meta' ? actions : undefined),
  settingsOf: () => ({ audiences: ['1'] }),
  purposesOf: () => ['ads'],
}
const purposes = { ads: {}, orders: {} } as never
const told = (audiences: Record<string, object>, more: object = {}) =>
  measureProblems({ purposes, audiences: audiences as never, ...more }, surroundings).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )
const who = { all: [{ field: 'traits.plan', op: 'eq', value: 'gold' }] }

test('a definition without mistakes has no problems', () => {
  expect(
    told({ a: { title, purpose: 'ads', who, destinations: [{ destination: 'meta', with: { audience: '1' } }] } }),
  ).toEqual([])
})

test.each([
  [
    'circle',
    {
      a: { title, purpose: 'ads', who: { all: [{ audience: 'b', in: true }] } },
      b: { title, purpose: 'ads', who: { all: [{ audience: 'a', in: true }] } },
    },
    'audiences.a: reads itself: a → b → a',
  ],
  [
    'unknown field',
    { a: { title, purpose: 'ads', who: { all: [{ field: 'nome', op: 'exists' }] } } },
    'audiences.a.who.all.0.field: "nome" is no field',
  ],
  [
    'event',
    { a: { title, purpose: 'ads', who: { all: [{ field: 'event.total', op: 'exists' }] } } },
    'audiences.a.who.all.0.field: there is no event',
  ],
  [
    'another purpose',
    { a: { title, purpose: 'ads', who: { all: [{ audience: 'b', in: true }] } }, b: { title, purpose: 'orders', who } },
    'is kept for "orders"',
  ],
  [
    'message',
    { a: { title, purpose: 'ads', who, destinations: [{ destination: 'meta', add: 'send' }] } },
    'audiences.a.destinations.0.add: send sends a message',
  ],
  ['list', { a: { title, purpose: 'ads', who, destinations: ['meta'] } }, 'addToAudience needs "audience"'],
  [
    'list of the settings',
    { a: { title, purpose: 'ads', who, destinations: [{ destination: 'meta', with: { audience: '9' } }] } },
    'a deletion request would not reach it',
  ],
  [
    'destination',
    { a: { title, purpose: 'ads', who, destinations: ['nada'] } },
    'destination "nada" is not in the configuration',
  ],
  ['nobody', { a: { title, purpose: 'ads' } }, 'says nobody'],
])('%s', (_, audiences, message) => {
  expect(told(audiences).join('\n')).toContain(message)
})

test('of values that are told: a destination that is not there, an action that takes none, two things computed', () => {
  const count = { event: 'A' }
  const of = (computed: object) =>
    told({}, { computed: { a: { title, purpose: 'ads', count, ...computed } } }).join('\n')
  expect(of({})).toBe('')
  expect(of({ destinations: ['nada'] })).toContain('computed.a.destinations.0: destination "nada" is not in the config')
  expect(of({ destinations: ['meta'] })).toContain('has no action "sendTraits" that takes traits')
  expect(of({ days_since: count })).toContain('computed.a: computes two things: keep one of count, days_since')
})
