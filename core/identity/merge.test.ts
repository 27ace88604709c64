/** Who is who: joined by what they share, never beyond the limits, the same whatever came first. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { signal } from '../testing/consent-signals.ts'
import { cases } from '../testing/effort.ts'
import { alias, identify, track } from '../testing/events.ts'
import { HOUR, MINUTE, Rig, SECOND } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { mergeProfiles } from './merge-profiles.ts'

type Ids = Partial<Record<IdentifierType, string>>
let made = 0
function seen(rig: Rig, ids: Ids, given: Partial<Parameters<typeof track>[0]> = {}): CanonicalEvent {
  const order: IdentifierType[] = [
    'userId',
    'cpf',
    'email',
    'phone',
    'rdstation_uuid',
    'anonymousId',
    'ga_client_id',
    'device_id',
  ]
  return track({
    name: 'Product Viewed',
    identifiers: order.flatMap((type) => (ids[type] === undefined ? [] : [{ type, value: ids[type] }])),
    properties: { product_id: 'p1' },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `m-${++made}`,
    ...given,
  })
}
const agrees = (rig: Rig, ids: Ids, ...purposes: string[]) =>
  seen(rig, ids, {
    consent: (purposes.length > 0 ? purposes : ['email_marketing']).map((purpose) =>
      signal(purpose, 'grant', rig.at()),
    ),
  })

/** Two people who agreed, apart from each other; `a` came first and so has the smaller id. */
async function twoPeople(rig: Rig): Promise<{ a: string; b: string }> {
  await rig.take(agrees(rig, { userId: 'ana' }))
  rig.advance(SECOND)
  await rig.take(agrees(rig, { email: 'ana@loja.example' }))
  rig.advance(SECOND)
  return { a: (await rig.person('userId', 'ana'))!.id, b: (await rig.person('email', 'ana@loja.example'))!.id }
}

const CART = `
id: carrinho
version: 1
when:
  absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT30M}
unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}
then: {all: [{destination: mail, action: send}]}
`

onBothDatabases('people', (open: OpenRig) => {
  describe('joining', () => {
    test('an event that names both makes them one under the smaller id; the other id resolves to it', async () => {
      const rig = await open()
      const { a, b } = await twoPeople(rig)
      expect(a < b).toBe(true)
      await rig.take(seen(rig, { userId: 'ana', email: 'ana@loja.example' }))
      const person = (await rig.person('email', 'ana@loja.example'))!
      expect(person.id).toBe(a)
      expect(person.nodes.map(({ type }) => type).sort()).toEqual(['email', 'userId'])
      const old = await rig.state.db.selectFrom('persons').select(['id', 'merged_into']).where('id', '=', b).execute()
      expect(old).toEqual([{ id: b, merged_into: a }])
      const log = await rig.state.db.selectFrom('merge_log').select(['from_person', 'into_person', 'reason']).execute()
      expect(log).toEqual([{ from_person: b, into_person: a, reason: 'shared identifiers on one event' }])
      const edges = await rig.state.db
        .selectFrom('edges')
        .select(['node_a', 'node_b', 'source_id', 'refused'])
        .execute()
      expect(edges).toEqual([{ node_a: a, node_b: b, source_id: 'site', refused: null }])
    })

    test('ids of two merges ago resolve to the person of today', async () => {
      const rig = await open()
      await rig.take(agrees(rig, { userId: 'ana' }))
      rig.advance(SECOND)
      await rig.take(agrees(rig, { email: 'ana@loja.example' }))
      rig.advance(SECOND)
      await rig.take(agrees(rig, { anonymousId: 'd1' }))
      const [first, second, third] = [
        (await rig.person('userId', 'ana'))!.id,
        (await rig.person('email', 'ana@loja.example'))!.id,
        (await rig.person('anonymousId', 'd1'))!.id,
      ]
      await rig.take(seen(rig, { email: 'ana@loja.example', anonymousId: 'd1' }))
      await rig.take(seen(rig, { userId: 'ana', anonymousId: 'd1' }))
      const rows = await rig.state.db.selectFrom('persons').select(['id', 'merged_into']).orderBy('id').execute()
      expect(rows).toEqual([
        { id: first, merged_into: null },
        { id: second, merged_into: first },
        { id: third, merged_into: first },
      ])
    })

    test('history, ledger and keys stay with their nodes', async () => {
      const rig = await open()
      await twoPeople(rig)
      const before = await Promise.all([
        rig.history(),
        rig.state.db.selectFrom('ledger_pending').selectAll().orderBy('id').execute(),
        rig.state.db.selectFrom('nodes').select(['id', 'subject', 'data_key', 'proof_key']).orderBy('id').execute(),
      ])
      await rig.take(seen(rig, { userId: 'ana', email: 'ana@loja.example' }))
      const [history, ledger, nodes] = await Promise.all([
        rig.history(),
        rig.state.db.selectFrom('ledger_pending').selectAll().orderBy('id').execute(),
        rig.state.db.selectFrom('nodes').select(['id', 'subject', 'data_key', 'proof_key']).orderBy('id').execute(),
      ])
      expect(history.slice(0, 2)).toEqual(before[0])
      expect(ledger).toEqual(before[1])
      expect(nodes).toEqual(before[2])
    })

    test('alias joins the id from before', async () => {
      const rig = await open()
      await rig.take(agrees(rig, { anonymousId: 'd1' }, 'analytics'))
      await rig.take(
        alias({
          userId: 'ana',
          previousId: 'd1',
          occurredAt: rig.at(),
          receivedAt: rig.at(),
          consent: [signal('analytics', 'grant', rig.at())],
        }),
      )
      expect((await rig.person('userId', 'ana'))!.id).toBe((await rig.person('anonymousId', 'd1'))!.id)
    })

    test('an event that is not kept joins nobody', async () => {
      const rig = await open()
      await rig.take(agrees(rig, { userId: 'ana' }))
      await rig.take(
        seen(
          rig,
          { userId: 'ana', email: 'x@loja.example' },
          { name: 'Secret', consent: [signal('email_marketing', 'revoke', rig.at())] },
        ),
      )
      expect(await rig.person('email', 'x@loja.example')).toBeUndefined()
      expect(await rig.rows('edges')).toBe(0)
    })
  })

  describe('limits', () => {
    test('two user ids at one device stay two people, with the refused evidence and its reason', async () => {
      const rig = await open()
      await rig.take(agrees(rig, { userId: 'ana', anonymousId: 'shared' }))
      rig.advance(HOUR)
      await rig.take(agrees(rig, { userId: 'bia', anonymousId: 'shared' }))
      const [ana, bia, device] = [
        (await rig.person('userId', 'ana'))!,
        (await rig.person('userId', 'bia'))!,
        (await rig.person('anonymousId', 'shared'))!,
      ]
      expect(ana.id).not.toBe(bia.id)
      expect(device.id).toBe(ana.id)
      const refused = await rig.state.db
        .selectFrom('edges')
        .select(['refused', 'source_id'])
        .where('refused', 'is not', null)
        .execute()
      expect(refused).toEqual([{ refused: 'limit:userId', source_id: 'site' }])
      // Bia's withdrawal at the shared device is hers alone.
      await rig.take(
        seen(
          rig,
          { userId: 'bia', anonymousId: 'shared' },
          { consent: [signal('email_marketing', 'revoke', rig.at())] },
        ),
      )
      expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('granted')
      expect(await rig.status('userId', 'bia', 'email_marketing')).toBe('revoked')
    })

    test('a sixth e-mail is refused, five are fine', async () => {
      const rig = await open()
      for (let n = 1; n <= 6; n++) {
        await rig.take(agrees(rig, { userId: 'ana', email: `ana${n}@loja.example` }))
        rig.advance(SECOND)
      }
      expect((await rig.person('userId', 'ana'))!.nodes.filter(({ type }) => type === 'email')).toHaveLength(5)
      expect(await rig.person('email', 'ana6@loja.example')).toBeUndefined()
    })

    test('a third event cannot join what a limit keeps apart', async () => {
      const rig = await open()
      await rig.take(agrees(rig, { userId: 'ana', anonymousId: 'd1' }))
      await rig.take(agrees(rig, { userId: 'bia', anonymousId: 'd2' }))
      await rig.take(agrees(rig, { anonymousId: 'd1', ga_client_id: 'g' }, 'analytics'))
      await rig.take(agrees(rig, { anonymousId: 'd2', ga_client_id: 'g' }, 'analytics'))
      expect((await rig.person('userId', 'ana'))!.id).not.toBe((await rig.person('userId', 'bia'))!.id)
    })
  })

  describe('values that join nobody', () => {
    test('of the configuration and of an officer: the event goes to what else it names', async () => {
      const rig = await open({ identity: { blocked: { values: ['balcao'] } } })
      await rig.take(agrees(rig, { userId: 'balcao', email: 'ana@loja.example' }))
      await rig.take(agrees(rig, { userId: 'balcao', email: 'bia@loja.example' }))
      expect((await rig.person('email', 'ana@loja.example'))!.nodes).toHaveLength(1)
      expect(await rig.person('userId', 'balcao')).toBeUndefined()
      const hmac = rig.keys.identifier('phone', '+551133334444')
      const by = { actor: 'u', at: rig.now, reason: 'number of the shop' }
      await rig.state.db
        .insertInto('blocked_values')
        .values({ hmac, type: 'phone', ...by })
        .execute()
      await rig.take(agrees(rig, { email: 'ana@loja.example', phone: '+551133334444' }))
      await rig.take(agrees(rig, { email: 'bia@loja.example', phone: '+551133334444' }))
      expect((await rig.person('email', 'ana@loja.example'))!.nodes).toHaveLength(1)
      expect((await rig.person('email', 'bia@loja.example'))!.nodes).toHaveLength(1)
    })

    test('evidence of a login replaces what was only seen together, and keeps the first event', async () => {
      const rig = await open()
      const first = agrees(rig, { userId: 'ana', email: 'ana@loja.example' })
      await rig.take(first, seen(rig, { userId: 'ana', email: 'ana@loja.example' }))
      await rig.take(
        identify({ userId: 'ana', traits: { email: 'ana@loja.example' }, occurredAt: rig.at(), receivedAt: rig.at() }),
      )
      const edges = await rig.state.db.selectFrom('edges').select(['event_id', 'strength', 'refused']).execute()
      expect(edges).toEqual([{ event_id: first.id, strength: 'stated', refused: null }])
    })
  })

  describe('what follows a merge', () => {
    test('open deliveries, reservations, timers and the wake-up', async () => {
      const rig = await open({
        rules: [
          CART,
          'id: vista\nversion: 1\nwhen: {event: Product Viewed}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send}]}',
        ],
      })
      const { a, b } = await twoPeople(rig)
      // Both have a message waiting; the e-mail's owner also has a clock running.
      await rig.take(identify({ traits: { email: 'ana@loja.example' }, occurredAt: rig.at(), receivedAt: rig.at() }))
      await rig.take(seen(rig, { email: 'ana@loja.example' }))
      await rig.take(seen(rig, { email: 'ana@loja.example' }, { name: 'Product Added' }))
      expect((await rig.deliveries('mail')).every(({ person_id }) => person_id === b)).toBe(true)
      expect(await rig.state.db.selectFrom('wakeups').select('person_id').execute()).toEqual([{ person_id: b }])
      await rig.take(seen(rig, { userId: 'ana', email: 'ana@loja.example' }, { name: 'Cart Viewed' }))
      const deliveries = await rig.deliveries('mail')
      expect(deliveries.length).toBeGreaterThan(0)
      expect(deliveries.every(({ person_id }) => person_id === a)).toBe(true)
      expect(await rig.state.db.selectFrom('wakeups').select('person_id').execute()).toEqual([{ person_id: a }])
      expect(
        (await rig.state.db.selectFrom('caps').select('person_id').execute()).every(({ person_id }) => person_id === a),
      ).toBe(true)
      expect(await rig.rows('caps')).toBeGreaterThan(0)
      rig.advance(31 * MINUTE)
      await rig.fire()
      const results = (await storedDecisions(rig.state)).filter(({ rule }) => rule === 'carrinho')
      // The cap of the one person they are: what the e-mail's owner had reserved counts.
      expect(results.at(-1)!.result).toBe('CAPPED')
    })

    test('deliveries, explanations and reservations of a merge in the same batch belong to who remains', async () => {
      const rig = await open({
        rules: [
          'id: vista\nversion: 1\nwhen: {event: Product Viewed}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send}]}',
        ],
      })
      const { a } = await twoPeople(rig)
      await rig.take(
        identify({ traits: { email: 'ana@loja.example' }, occurredAt: rig.at(), receivedAt: rig.at() }),
        seen(rig, { email: 'ana@loja.example' }),
        seen(rig, { userId: 'ana', email: 'ana@loja.example' }, { name: 'Cart Viewed' }),
      )
      const of = async (table: 'deliveries' | 'caps' | 'explanations') => [
        ...new Set(
          (
            await rig.state.db
              .selectFrom(table)
              .select('person_id')
              // Decided before this batch: named as it was then.
              .$if(table === 'explanations', (query) => query.where('at', '=', rig.now))
              .execute()
          ).map((row) => row.person_id),
        ),
      ]
      expect([await of('deliveries'), await of('caps'), await of('explanations')]).toEqual([[a], [a], [a]])
      await rig.deliver('mail')
      expect((await rig.deliveries('mail')).map(({ status }) => status)).toEqual(['delivered'])
    })

    test('a delivery leased before the merge and looked at after it is still that person’s', async () => {
      const rig = await open({
        rules: [
          'id: vista\nversion: 1\nwhen: {event: Product Viewed}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send}]}',
        ],
      })
      await twoPeople(rig)
      await rig.take(
        identify({ traits: { email: 'ana@loja.example' }, occurredAt: rig.at(), receivedAt: rig.at() }),
        seen(rig, { email: 'ana@loja.example' }),
      )
      const begin = rig.deliverPorts.attempts.begin
      rig.deliverPorts = {
        ...rig.deliverPorts,
        attempts: {
          begin: async (...given) => {
            const begun = await begin(...given)
            await rig.take(seen(rig, { userId: 'ana', email: 'ana@loja.example' }, { name: 'Cart Viewed' }))
            return begun
          },
        },
      }
      await rig.deliver('mail')
      expect((await rig.deliveries('mail')).map(({ status }) => status)).toEqual(['delivered'])
      expect(rig.seen).toHaveLength(1)
    })

    test('differing answers are a conflict, and nothing leaves', async () => {
      const rig = await open({
        rules: [
          'id: vista\nversion: 1\nwhen: {event: Product Viewed}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send}]}',
        ],
      })
      await rig.take(agrees(rig, { email: 'ana@loja.example' }, 'email_marketing', 'sms_marketing'))
      await rig.take(
        identify({ traits: { email: 'ana@loja.example' }, occurredAt: rig.at(), receivedAt: rig.at() }),
        seen(rig, { email: 'ana@loja.example' }),
      )
      rig.advance(HOUR)
      await rig.take(
        seen(
          rig,
          { anonymousId: 'd1' },
          { consent: [signal('email_marketing', 'deny', rig.at()), signal('sms_marketing', 'grant', rig.at())] },
        ),
      )
      rig.advance(HOUR)
      await rig.take(seen(rig, { email: 'ana@loja.example', anonymousId: 'd1' }))
      const person = (await rig.person('email', 'ana@loja.example'))!
      expect(person.nodes).toHaveLength(2)
      await rig.deliver('mail')
      expect((await rig.deliveries('mail')).map(({ status, reason }) => [status, reason])).toContainEqual([
        'blocked',
        'BLOCKED_BY_CONSENT',
      ])
      expect(rig.seen).toEqual([])

      // The ledger says so too: on the smallest node, by the hub itself, once, and the delivery rests on that entry.
      const conflicts = async () => {
        const rows = await rig.state.db.selectFrom('ledger_pending').select(['id', 'node_id', 'public']).execute()
        return rows
          .map(({ id, node_id, public: text }) => ({ id, node_id, ...(JSON.parse(text) as object) }))
          .filter((row) => 'status' in row && row.status === 'conflict')
      }
      const [entry, ...more] = await conflicts()
      expect(more).toEqual([])
      expect(entry).toMatchObject({
        node_id: person.nodes[0]!.id,
        type: 'consent.conflict',
        purpose: 'email_marketing',
        actor_kind: 'system',
        source: 'system/merge',
      })
      expect((await rig.deliveries('mail')).at(-1)?.entry_id).toBe(entry!.id)
      await rig.take(seen(rig, { email: 'ana@loja.example', anonymousId: 'd1' }, { name: 'Cart Viewed' }))
      expect(await conflicts()).toHaveLength(1)

      // A cookie's yes settles nothing; the person's, once they are known, does.
      rig.advance(MINUTE)
      await rig.take(agrees(rig, { anonymousId: 'd1' }))
      expect(await rig.status('email', 'ana@loja.example', 'email_marketing')).toBe('conflict')
      await rig.take(agrees(rig, { userId: 'ana', email: 'ana@loja.example', anonymousId: 'd1' }))
      expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('granted')
    })
  })

  test('the order of events does not matter to who is who', async () => {
    const events: Ids[] = [
      { userId: 'ana', anonymousId: 'd1' },
      { anonymousId: 'd1', email: 'ana@loja.example' },
      { email: 'ana@loja.example', phone: '+5511987654321' },
      { userId: 'bia', anonymousId: 'd9' },
      { phone: '+5511912345678', anonymousId: 'd9' },
    ]
    const known: [IdentifierType, string][] = [
      ['userId', 'ana'],
      ['anonymousId', 'd1'],
      ['email', 'ana@loja.example'],
      ['phone', '+5511987654321'],
      ['userId', 'bia'],
      ['anonymousId', 'd9'],
      ['phone', '+5511912345678'],
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(events, { minLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        async (shuffled, size) => {
          const rig = await Rig.open()
          try {
            await rig.record(...shuffled.map((ids) => agrees(rig, ids)))
            await rig.process(size)
            const people = await Promise.all(known.map(async ([type, value]) => (await rig.person(type, value))!))
            const groups = people.map(({ id }) => people.findIndex((other) => other.id === id))
            expect(groups).toEqual([0, 0, 0, 0, 4, 4, 4])
            // The canonical id is the smallest of the nodes.
            for (const person of people) expect(person.id).toBe(person.nodes.map(({ id }) => id).sort()[0])
          } finally {
            await rig.close()
          }
        },
      ),
      { numRuns: cases(8) },
    )
  })
})

describe('merged profiles', () => {
  const profile = (given: object) => ({ ...emptyProfile('2026-03-10T12:00:00.000Z'), ...given })
  const timer = (version: number, dueAt: string) => ({
    rule: 'r',
    version,
    correlation: 'cart',
    startEventId: `e${version}`,
    startedAt: dueAt,
    dueAt,
    graceUntil: dueAt,
  })

  test('counters add up, traits and cart are the newest, arms of two kinds send nothing', () => {
    const a = profile({
      counters: { orders: { orders: 1, revenue: 100 } },
      traits: { plan: { value: 'old', at: '2026-01-01', purposes: ['x'] } },
      arms: { r: 'treated', s: 'control' },
    })
    const b = profile({
      counters: { orders: { orders: 2, revenue: 50 }, care: { orders: 1 } },
      traits: { plan: { value: 'new', at: '2026-02-01', purposes: ['x'] } },
      arms: { r: 'control', s: 'control' },
    })
    for (const merged of [mergeProfiles(a, b), mergeProfiles(b, a)]) {
      expect(merged.counters).toEqual({ orders: { orders: 3, revenue: 150 }, care: { orders: 1 } })
      expect(merged.traits['plan']!.value).toBe('new')
      expect(merged.arms).toEqual({ r: 'multiple', s: 'control' })
    }
  })

  test('two instances of a rule become the earlier one, whatever version started them', () => {
    const early = timer(2, '2026-03-10T13:00:00.000Z')
    const late = timer(1, '2026-03-10T14:00:00.000Z')
    for (const merged of [
      mergeProfiles(profile({ timers: [early] }), profile({ timers: [late] })),
      mergeProfiles(profile({ timers: [late] }), profile({ timers: [early] })),
    ])
      expect(merged.timers).toEqual([early])
  })

  test('whoever was shown two variants was shown neither, whoever a third one turns out to be', () => {
    const shown = (variant: string) => profile({ arms: { r: 'treated' }, variants: { r: variant } })
    const [v, w] = [shown('v'), shown('w')]
    for (const merged of [
      mergeProfiles(mergeProfiles(v, w), v),
      mergeProfiles(v, mergeProfiles(w, v)),
      mergeProfiles(mergeProfiles(v, v), w),
    ])
      expect([merged.arms, merged.variants]).toEqual([{ r: 'multiple' }, undefined])
  })

  test('whoever tried a rule out is in no arm and no variant of it, whoever else they turn out to be', () => {
    const of = (arm: 'treated' | 'control' | 'test', variant?: string) =>
      profile({ arms: { r: arm }, ...(variant !== undefined && { variants: { r: variant } }) })
    const three = [of('treated', 'v'), of('control'), of('test'), of('treated', 'w')]
    for (const order of [three, three.toReversed(), [three[2]!, three[0]!, three[3]!, three[1]!]]) {
      const merged = order.reduce((a, b) => mergeProfiles(a, b))
      expect([merged.arms, merged.variants]).toEqual([{ r: 'test' }, undefined])
    }
  })

  test('the order of two people does not matter', () => {
    const time = fc.integer({ min: 0, max: 1000 }).map((n) => new Date(Date.UTC(2026, 2, 10) + n * 1000).toISOString())
    const any = fc.record({
      seq: fc.nat(9),
      firstSeenAt: time,
      lastSeenAt: time,
      recent: fc.dictionary(
        fc.constantFrom('x', 'y'),
        fc.array(time, { maxLength: 3 }).map((times) => times.sort()),
      ),
      counters: fc.dictionary(fc.constantFrom('p', 'q'), fc.record({ orders: fc.nat(5), revenue: fc.nat(500) })),
      entries: fc.dictionary(
        fc.constantFrom('r'),
        fc.array(time, { maxLength: 3 }).map((times) => times.sort()),
      ),
      arms: fc.dictionary(fc.constantFrom('r', 's'), fc.constantFrom('treated', 'control', 'holdout', 'test')),
      variants: fc.dictionary(fc.constantFrom('r', 's'), fc.constantFrom('v', 'w')),
    })
    fc.assert(
      fc.property(any, any, (left, right) => {
        const [a, b] = [profile(left), profile(right)] as [
          Parameters<typeof mergeProfiles>[0],
          Parameters<typeof mergeProfiles>[0],
        ]
        expect(mergeProfiles(a, b)).toEqual(mergeProfiles(b, a))
      }),
    )
  })
})
