/** What holds of who is who, whatever came in whatever order. Run by `npm test` on thousands of histories, and by the long run on as many as it is told. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Status } from '../../schemas/consent.ts'
import type { IdentifierType } from '../../schemas/event.ts'
import { components } from '../identity/components.ts'
import { DEFAULTS, type Seen, UNLIMITED, World } from './identity-world.ts'

const DAY = 86_400_000
/** Few values, so that histories meet; of each type as many as its limit and some more. */
const identifier = fc.oneof(
  ...(
    [
      ['userId', 3],
      ['cpf', 2],
      ['email', 7],
      ['phone', 7],
      ['anonymousId', 8],
      ['ga_client_id', 7],
      ['device_id', 2],
      ['rdstation_uuid', 6],
    ] as const
  ).map(([type, values]) => fc.nat(values - 1).map((n): [IdentifierType, string] => [type, `v${n}`])),
)
const seen = fc.record({
  identifiers: fc.array(identifier, { minLength: 1, maxLength: 4 }),
  at: fc.nat(400).map((days) => days * DAY),
})
const history = fc.array(seen, { minLength: 1, maxLength: 24 })
const inTime = (events: readonly Seen[]) => [...events].sort((a, b) => a.at - b.at)

const shuffled = (events: readonly Seen[], seed: number): Seen[] => {
  const list = [...events]
  let state = seed + 1
  for (let place = list.length - 1; place > 0; place--) {
    state = (state * 48271) % 2147483647
    const other = state % (place + 1)
    ;[list[place], list[other]] = [list[other]!, list[place]!]
  }
  return list
}

const taken = (world: World, events: readonly Seen[]): World => {
  for (const event of events) world.take(event)
  return world
}

const run = <T extends unknown[]>(runs: number, property: fc.IPropertyWithHooks<T>) =>
  fc.assert(property, { numRuns: runs })

export const PROPERTIES: Readonly<Record<string, (runs: number) => void>> = {
  'without limits the order of events does not matter': (runs) =>
    run(
      runs,
      fc.property(history, fc.nat(1_000_000), (events, seed) => {
        const there = taken(new World(UNLIMITED), events).partition()
        expect(taken(new World(UNLIMITED), shuffled(events, seed)).partition()).toBe(there)
      }),
    ),

  'taking a history again changes nobody': (runs) =>
    run(
      runs,
      fc.property(history, (events) => {
        const world = taken(new World(UNLIMITED), events)
        const [there, edges] = [world.partition(), world.edges.length]
        expect(taken(world, events).partition()).toBe(there)
        expect(world.edges).toHaveLength(edges)
        expect(world.merges).toHaveLength(world.nodes.size - world.people.size)
      }),
    ),

  'the same event again changes nobody, limits or not': (runs) =>
    run(
      runs,
      fc.property(history, (events) => {
        const world = new World(DEFAULTS)
        for (const event of inTime(events)) {
          world.take(event)
          const [there, nodes] = [world.partition(), world.nodes.size]
          world.take(event)
          expect(world.partition()).toBe(there)
          expect(world.nodes.size).toBe(nodes)
        }
      }),
    ),

  'a merge that is taken back leaves both as they were': (runs) =>
    run(
      runs,
      fc.property(history, history, seen, (left, right, bridge) => {
        // Two groups of strangers, and one event that names one of each.
        const side = (events: readonly Seen[], mark: string): Seen[] =>
          events.map(({ identifiers, at }) => ({
            at,
            identifiers: identifiers.map(([type, value]) => [type, `${mark}${value}`] as const),
          }))
        const world = taken(new World(UNLIMITED), [...side(left, 'l'), ...side(right, 'r')])
        const a = [...world.nodes.values()].find(({ name }) => name.includes(':l'))!
        const b = [...world.nodes.values()].find(({ name }) => name.includes(':r'))!
        const before = world.partition()
        const split = (name: string) => {
          const at = name.indexOf(':')
          return [name.slice(0, at) as IdentifierType, name.slice(at + 1)] as const
        }
        world.take({ at: bridge.at, identifiers: [split(a.name), split(b.name)] })
        expect(a.person).toBe(b.person)
        const edge = world.edges.at(-1)!
        const sides = world.unmerge(a.person, [edge])
        expect(world.partition()).toBe(before)
        expect(sides).toHaveLength(2)
        // The same evidence does not bring it back.
        world.take({ at: bridge.at, identifiers: [split(a.name), split(b.name)] })
        expect(world.partition()).toBe(before)
        expect(world.refusals.at(-1)!.reason).toBe('apart')
      }),
    ),

  'who was taken apart is never one again, whatever comes': (runs) =>
    run(
      runs,
      fc.property(history, history, (before, after) => {
        const world = taken(new World(UNLIMITED), before)
        const [edge] = world.edges
        if (!edge) return
        const person = [...world.people].find(({ nodes }) => nodes.some(({ id }) => id === edge.a))!
        world.unmerge(person, [edge])
        const ends = [...world.nodes.values()].filter(({ id }) => id === edge.a || id === edge.b)
        if (ends[0]!.person === ends[1]!.person) return
        taken(world, after)
        expect(ends[0]!.person).not.toBe(ends[1]!.person)
      }),
    ),

  'nobody has more identifiers than the limits': (runs) =>
    run(
      runs,
      fc.property(history, (events) => {
        const world = new World(DEFAULTS)
        for (const event of inTime(events)) {
          const { person } = world.take(event)
          for (const [type, { ever, within }] of Object.entries(DEFAULTS.perType)) {
            const mine = person.nodes.filter((node) => node.type === type)
            if (ever !== undefined) expect(mine.length).toBeLessThanOrEqual(ever)
            if (within)
              expect(mine.filter(({ foundedAt }) => foundedAt > event.at - within.window).length).toBeLessThanOrEqual(
                within.max,
              )
          }
        }
      }),
    ),

  'no person grows beyond the bound, and no value swallows everybody': (runs) =>
    run(
      runs,
      fc.property(history, fc.integer({ min: 2, max: 6 }), (events, maxIdentifiers) => {
        const world = new World({ ...UNLIMITED, maxIdentifiers })
        for (const event of events) {
          // Every event also carries the phone number of the shop.
          const { person } = world.take({ ...event, identifiers: [...event.identifiers, ['phone', 'shop']] })
          expect(person.nodes.length).toBeLessThanOrEqual(maxIdentifiers)
        }
      }),
    ),

  'a blocked value joins nobody': (runs) =>
    run(
      runs,
      fc.property(history, (events) => {
        const world = taken(new World(DEFAULTS, ['v0']), inTime(events))
        for (const { name, person } of world.nodes.values())
          if (name.endsWith(':v0')) expect(person.nodes).toHaveLength(1)
        // Who is who is what it would be without that value.
        const rest = inTime(events).map(({ identifiers, at }) => ({
          at,
          identifiers: identifiers.filter(([, value]) => value !== 'v0'),
        }))
        const without = taken(
          new World(DEFAULTS),
          rest.filter(({ identifiers }) => identifiers.length > 0),
        )
        const named = world
          .partition()
          .split(' | ')
          .filter((one) => !one.endsWith(':v0') && one !== '')
        expect(named.join(' | ')).toBe(without.partition())
      }),
    ),

  'consent never widens by a merge': (runs) =>
    run(
      runs,
      fc.property(history, fc.array(fc.tuple(fc.nat(20), answer), { maxLength: 12 }), (events, answers) => {
        const world = new World(DEFAULTS)
        inTime(events).forEach((event, place) => {
          const node = world.take(event)
          for (const [when, status] of answers) if (when === place) node.person.status = status
        })
        for (const { sides, merged } of world.merges) {
          const said = sides.filter((side) => side !== undefined)
          if (merged?.status !== 'granted' && merged?.status !== 'stale') continue
          expect(said.some(({ status }) => status === 'granted' || status === 'stale')).toBe(true)
          expect(said.some(({ status }) => status === 'denied' || status === 'revoked' || status === 'conflict')).toBe(
            false,
          )
        }
      }),
    ),

  'the components of the edges are the people': (runs) =>
    run(
      runs,
      fc.property(history, (events) => {
        const world = taken(new World(DEFAULTS), inTime(events))
        const byEdges = components(
          [...world.nodes.values()].map(({ id }) => id),
          world.edges,
        )
        const people = [...world.people].map(({ nodes }) => nodes.map(({ id }) => id).sort())
        expect(byEdges).toEqual(people.sort((a, b) => (a[0]! < b[0]! ? -1 : 1)))
        // The canonical id is the smallest.
        for (const { id, nodes } of world.people) expect(id).toBe(nodes.map((node) => node.id).sort()[0])
      }),
    ),
}

const answer = fc
  .record({
    status: fc.constantFrom<Status>('granted', 'denied', 'revoked', 'expired', 'stale', 'conflict', 'invalid'),
    verified: fc.boolean(),
    minute: fc.nat(1000),
  })
  .map(({ status, verified, minute }): PurposeStatus => {
    const at = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()
    return {
      status,
      basis: 'consent',
      entryId: `e${minute}${status}`,
      actor: 'subject',
      evidenceClass: 'valid',
      occurredAt: at,
      receivedAt: at,
      originKind: 'segment',
      originRef: 'site',
      seen: 1,
      lastSeenAt: at,
      lastSeenOrigin: 'segment/site',
      ...(verified && { verified: true as const }),
    }
  })

/** Nodes looked at for so many events of as many people, each with a few identifiers of their own. */
export function costOf(events: number): number {
  const world = new World(DEFAULTS)
  for (let n = 0; n < events; n++) {
    const person = Math.floor(n / 6)
    const mine = ([type, value]: [IdentifierType, number]) => [type, `${person}-${value}`] as const
    const identifiers = [mine(['anonymousId', n % 3]), ...(n % 2 ? [mine(['userId', 0])] : []), mine(['email', n % 5])]
    // And a value that everybody shares.
    world.take({ at: n * 1000, identifiers: [...identifiers, ['phone', 'shop']] })
  }
  return world.visited
}
