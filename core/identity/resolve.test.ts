/** Who an event joins: the rules by example, and what holds of thousands of histories. */
import { describe, expect, test } from 'vitest'
import type { IdentifierType } from '../../schemas/event.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { cases, patience } from '../testing/effort.ts'
import { costOf, PROPERTIES } from '../testing/identity-properties.ts'
import { components, wayBetween } from './components.ts'
import { createEdgeMemory } from './edge-memory.ts'
import { identitySettings, overLimit } from './limits.ts'
import { type Candidate, resolve } from './resolve.ts'

const DAY = 86_400_000
const settings = identitySettings()
let made = 0
const person = (...types: readonly (readonly [IdentifierType, number?, string[]?])[]) => ({
  nodes: types.map(([type, foundedAt = 0, apart]) => ({ id: `n${++made}`, type, foundedAt, apart })),
})
const outcome = (candidates: Candidate[], now = 0, limits = settings) => {
  const { refused } = resolve(candidates, limits, now)
  return candidates.map((_, place) => refused.get(place) ?? 'joins')
}

describe('who joins', () => {
  test('nobody creates, one attaches, many merge', () => {
    const [ana, device] = [person(['userId']), person(['anonymousId'])]
    expect(resolve([{ type: 'userId' }], settings, 0).people).toEqual([])
    expect(resolve([{ type: 'userId', person: ana }, { type: 'email' }], settings, 0).people).toEqual([ana])
    const both = [
      { type: 'userId' as const, person: ana },
      { type: 'anonymousId' as const, person: device },
    ]
    expect(resolve(both, settings, 0).people).toEqual([ana, device])
  })

  test('a device with a second user id stays with the first one; the event is the second one’s', () => {
    const ana = person(['userId'], ['anonymousId'])
    const bia = person(['userId'])
    const event: Candidate[] = [
      { type: 'userId', person: bia },
      { type: 'anonymousId', person: ana },
    ]
    expect(outcome(event)).toEqual(['joins', 'limit:userId'])
    expect(resolve(event, settings, 0).people).toEqual([bia])
  })

  test('over a limit the lowest identifier of the event is left out first, and the rest tried again', () => {
    const ana = person(['userId'], ['email'])
    const bia = person(['userId'])
    expect(
      outcome([
        { type: 'userId', person: bia },
        { type: 'email', person: ana },
        { type: 'phone' },
        { type: 'anonymousId' },
      ]),
    ).toEqual(['joins', 'limit:userId', 'limit:userId', 'limit:userId'])
    // The device alone was too much: the new address still joins.
    expect(outcome([{ type: 'userId', person: bia }, { type: 'phone' }, { type: 'anonymousId', person: ana }])).toEqual(
      ['joins', 'joins', 'limit:userId'],
    )
  })

  test('what belongs to somebody who stays is not left out', () => {
    const ana = person(['userId'], ['anonymousId'])
    const bia = person(['userId'], ['email'])
    expect(
      outcome([
        { type: 'userId', person: ana },
        { type: 'email', person: bia },
        { type: 'anonymousId', person: ana },
      ]),
    ).toEqual(['joins', 'limit:userId', 'joins'])
  })

  test('five anonymous ids in a week, and one more when the week is over', () => {
    const ana = person(['userId'], ...Array.from({ length: 5 }, (_, n) => ['anonymousId', n * DAY] as const))
    const visit: Candidate[] = [{ type: 'userId', person: ana }, { type: 'anonymousId' }]
    expect(outcome(visit, 5 * DAY)).toEqual(['joins', 'limit:anonymousId'])
    expect(outcome(visit, 7 * DAY)).toEqual(['joins', 'joins'])
  })

  test('the bound on all identifiers, and the limits a configuration sets', () => {
    const few = identitySettings({
      maxIdentifiers: 3,
      limits: { email: { ever: 2 }, phone: { within: { max: 1, window: 'P30D' } } },
    })
    const ana = person(['userId'], ['email'], ['email'])
    expect(outcome([{ type: 'userId', person: ana }, { type: 'device_id' }], 0, few)).toEqual(['joins', 'limit:size'])
    expect(outcome([{ type: 'userId', person: ana }, { type: 'email' }], 0, few)).toEqual(['joins', 'limit:email'])
    const phone = person(['phone', 5 * DAY])
    expect(outcome([{ type: 'phone', person: phone }, { type: 'phone' }], 34 * DAY, few)).toEqual([
      'joins',
      'limit:phone',
    ])
    expect(outcome([{ type: 'phone', person: phone }, { type: 'phone' }], 36 * DAY, few)).toEqual(['joins', 'joins'])
    expect(overLimit(ana.nodes, few, 0)).toBeUndefined()
    expect(identitySettings({ priority: ['cpf', 'email'] }).rank).toMatchObject({
      cpf: 0,
      email: 1,
      userId: 2,
      phone: 3,
    })
  })

  test('who was set apart is not joined, nor by a third one', () => {
    const [a, b] = [person(['email']), person(['userId'])]
    const apart = { nodes: [{ ...a.nodes[0]!, apart: [b.nodes[0]!.id] }] }
    const device = person(['anonymousId'])
    expect(
      outcome([
        { type: 'userId', person: b },
        { type: 'email', person: apart },
        { type: 'anonymousId', person: device },
      ]),
    ).toEqual(['joins', 'apart', 'apart'])
  })

  test('a blocked value joins nobody; without anything else the event is its own', () => {
    const shop = person(['phone'])
    expect(outcome([{ type: 'email' }, { type: 'phone', person: shop, blocked: true }])).toEqual(['joins', 'blocked'])
    expect(outcome([{ type: 'phone', blocked: true }])).toEqual(['joins'])
    expect(
      outcome([
        { type: 'phone', person: shop, blocked: true },
        { type: 'email', blocked: true },
      ]),
    ).toEqual(['joins', 'blocked'])
  })

  test('values of the configuration, whatever their type and case; endings of addresses', () => {
    const { isBlocked } = identitySettings({
      blocked: { values: ['+5511333344444', 'Balcao'], endings: ['@agencia.example'] },
    })
    expect(isBlocked({ type: 'phone', value: '+5511333344444' })).toBe(true)
    expect(isBlocked({ type: 'userId', value: 'BALCAO' })).toBe(true)
    expect(isBlocked({ type: 'email', value: 'x@agencia.example' })).toBe(true)
    expect(isBlocked({ type: 'email', value: 'x@loja.example' })).toBe(false)
  })
})

describe('values that identify nobody', () => {
  test('the lists of Segment Unify and PostHog, quoted and in any case', () => {
    for (const value of [
      ...[
        'anonymous',
        'guest',
        'distinctid',
        'distinct_id',
        'id',
        'not_authenticated',
        'email',
        'undefined',
        'true',
        'false',
      ],
      ...[
        '[object Object]',
        'NaN',
        'None',
        'none',
        'null',
        '0',
        '00000000000',
        '000-000',
        '-1',
        '',
        '  ',
        '"null"',
        "'guest'",
      ],
      ...['ANONYMOUS', 'Guest', '00000000-0000-0000-0000-000000000000', '99999999999'],
    ])
      expect([value, normalizeIdentifier('userId', value)]).toEqual([value, undefined])
    expect(normalizeIdentifier('userId', 'guest-42')).toBe('guest-42')
    expect(normalizeIdentifier('userId', 10)).toBe('10')
  })

  test('what is typed to get past a form', () => {
    for (const value of ['111.111.111-11', '12345678900', '00000000000', '1234'])
      expect([value, normalizeIdentifier('cpf', value)]).toEqual([value, undefined])
    expect(normalizeIdentifier('cpf', '529.982.247-25')).toBe('52998224725')
    for (const value of ['11 99999-9999', '00 00000-0000', '+55 21 2222-2222', '999999999999'])
      expect([value, normalizeIdentifier('phone', value)]).toEqual([value, undefined])
    expect(normalizeIdentifier('phone', '11 98765-4321')).toBe('+5511987654321')
    for (const value of [
      'naotem@loja.example',
      'sem-email@x.example',
      'no-reply@loja.example',
      'nao-responda@x.example',
    ])
      expect([value, normalizeIdentifier('email', value)]).toEqual([value, undefined])
    expect(normalizeIdentifier('email', 'Renato@Loja.example')).toBe('renato@loja.example')
  })
})

describe('the graph', () => {
  test('components, smallest first; the way between two', () => {
    const edges = [
      { a: 'a', b: 'c' },
      { a: 'c', b: 'd' },
      { a: 'b', b: 'e' },
      { a: 'a', b: 'z' },
    ]
    expect(components(['e', 'd', 'c', 'b', 'a'], edges)).toEqual([
      ['a', 'c', 'd'],
      ['b', 'e'],
    ])
    expect(wayBetween('a', 'd', edges)).toEqual(edges.slice(0, 2))
    expect(wayBetween('a', 'b', edges)).toEqual([])
  })

  test('the memory of edges forgets the oldest half', () => {
    const memory = createEdgeMemory(2)
    for (const key of ['a', 'b', 'c']) memory.add(key)
    expect(['a', 'b', 'c'].map((key) => memory.has(key))).toEqual([true, true, true])
    for (const key of ['d', 'e']) memory.add(key)
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => memory.has(key))).toEqual([false, false, true, true, true])
  })
})

describe('whatever comes', () => {
  for (const [title, holds] of Object.entries(PROPERTIES))
    test(title, { timeout: patience(60_000) }, () => holds(cases(220)))

  test('cost grows with the number of events', () => {
    const [few, many] = [costOf(2_000), costOf(20_000)]
    expect(few).toBeGreaterThan(2_000)
    expect(many / few).toBeLessThan(11)
  })
})
