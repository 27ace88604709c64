/** Consent on the way in: keep, hold or drop, with the fields that are needed; what a grant releases and a denial deletes. */
import { describe, expect, test } from 'vitest'
import { unsealJson } from '../seal.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, page, track } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, SECOND } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import type { SealedEvent } from './apply.ts'
import { expireSealed } from './hold.ts'

const times = (rig: Rig) => ({ occurredAt: rig.at(), receivedAt: rig.at() })
const says = (
  rig: Rig,
  purpose: string,
  action: 'grant' | 'deny' | 'revoke',
  given: Parameters<typeof identify>[0] = {},
) => identify({ ...times(rig), consent: [signal(purpose, action, rig.at())], ...given })
const added = (rig: Rig, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({ name: 'Product Added', properties: { product_id: 'p1', price: 10, quantity: 1 }, ...times(rig), ...given })

/** What history says of an event, opened. */
async function opened(
  rig: Rig,
  name: string,
): Promise<{ purposes: string[]; sealed: SealedEvent; occurredAt: string }[]> {
  const rows = (await rig.history()).filter((row) => row.name === name)
  return Promise.all(
    rows.map(async (row) => {
      const node = await rig.state.db
        .selectFrom('nodes')
        .selectAll()
        .where('id', '=', row.node_id)
        .executeTakeFirstOrThrow()
      return {
        purposes: JSON.parse(row.purposes) as string[],
        sealed: unsealJson<SealedEvent>(rig.keys.unwrap(node.data_key), row.sealed),
        occurredAt: new Date(row.occurred_at).toISOString(),
      }
    }),
  )
}

onBothDatabases('consent on the way in', (open: OpenRig) => {
  describe('keep', () => {
    test('only the fields the allowing purposes need are kept, and the purposes with them', async () => {
      const rig = await open()
      await rig.take(
        says(rig, 'analytics', 'grant', {
          anonymousId: 'd1',
          traits: { email: 'ana@loja.example', name: 'Ana', plan: 'gold' },
        }),
      )
      await rig.take(
        added(rig, {
          anonymousId: 'd1',
          properties: { product_id: 'p1', email: 'ana@loja.example', secret_note: 'x' },
          context: { ip: '10.0.0.1', page: { path: '/p', url: 'https://l.example/p?cpf=1' } },
        }),
      )
      const [kept] = await opened(rig, 'Product Added')
      expect(kept!.purposes).toEqual(['analytics'])
      expect(kept!.sealed.properties).toEqual({ product_id: 'p1' })
      expect(kept!.sealed.context).toMatchObject({ page: { path: '/p', url: 'https://l.example/p' } })
      expect(JSON.stringify(kept)).not.toContain('ana@loja.example')
      const [told] = await opened(rig, 'identify')
      expect(told!.sealed.traits).toEqual({})
      // Analytics declares no contact data: the e-mail's value is nowhere, only its HMAC.
      const values = await rig.state.db.selectFrom('identifiers').select(['type', 'sealed']).orderBy('type').execute()
      expect(values.map(({ type, sealed }) => [type, sealed !== null])).toEqual([
        ['anonymousId', true],
        ['email', false],
      ])
    })

    test('traits are stored for the purposes that declare them: open words in the profile, the rest sealed', async () => {
      const rig = await open()
      await rig.take(
        says(rig, 'email_marketing', 'grant', {
          userId: 'ana',
          traits: { email: 'ana@loja.example', name: 'Ana', age: 40, plan: 'gold' },
        }),
      )
      const ana = (await rig.person('userId', 'ana'))!
      expect(ana.profile.traits).toEqual({})
      const sealed = await rig.state.db
        .selectFrom('node_traits')
        .innerJoin('nodes', 'nodes.id', 'node_traits.node_id')
        .select(['node_traits.sealed', 'nodes.data_key'])
        .execute()
      expect(sealed.map(({ sealed: body, data_key: key }) => unsealJson(rig.keys.unwrap(key), body))).toMatchObject([
        { traits: { name: { value: 'Ana', purposes: ['email_marketing'] }, email: { value: 'ana@loja.example' } } },
      ])
      const raw = await rig.state.db.selectFrom('persons').select('profile').execute()
      expect(JSON.stringify(raw)).not.toMatch(/Ana|loja/)
    })

    test('contact data written as a number stays out of the open profile', async () => {
      const rig = await open()
      await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana', traits: { phone: 5_511_987_654_321 } }))
      const raw = await rig.state.db.selectFrom('persons').select('profile').execute()
      expect(JSON.stringify(raw)).not.toContain('987654321')
    })

    test('what one purpose keeps is not also held for another', async () => {
      const rig = await open()
      await rig.take(says(rig, 'analytics', 'grant', { anonymousId: 'd1' }))
      await rig.take(added(rig, { anonymousId: 'd1' }))
      expect(await rig.rows('held')).toBe(0)
      rig.advance(MINUTE)
      await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana', anonymousId: 'd1' }))
      expect((await opened(rig, 'Product Added')).map(({ purposes }) => purposes)).toEqual([['analytics']])
    })
  })

  describe('drop', () => {
    test('of an event nobody may have, a count remains', async () => {
      const rig = await open()
      const everything = [
        'analytics',
        'onsite_personalization',
        'email_marketing',
        'sms_marketing',
        'whatsapp_marketing',
        'push_marketing',
        'ads_measurement',
        'ads_personalization',
      ]
      await rig.take(
        identify({
          userId: 'ana',
          anonymousId: 'd1',
          ...times(rig),
          consent: everything.map((purpose) => signal(purpose, 'deny', rig.at())),
        }),
      )
      await rig.take(added(rig, { userId: 'ana', anonymousId: 'd1' }))
      expect(await rig.rows('history')).toBe(0)
      expect(await rig.rows('held')).toBe(0)
      expect(await rig.counts('source:site')).toEqual({ RECEIVED: 2, CONSENT_DENIED: 2 })
      // A consent signal founds its node and nothing more: no value, no traits.
      expect(
        (await rig.state.db.selectFrom('identifiers').select(['type', 'sealed']).execute()).every(
          ({ sealed }) => sealed === null,
        ),
      ).toBe(true)
      expect(await rig.rows('edges')).toBe(0)
      expect(await rig.rows('ledger_pending')).toBe(8)
    })
  })

  describe('hold', () => {
    test('an event without an answer waits sealed and touches nobody', async () => {
      const rig = await open()
      await rig.take(added(rig, { anonymousId: 'd1', userId: 'ana-da-silva' }))
      for (const table of ['persons', 'nodes', 'history', 'identifiers', 'wakeups', 'deliveries', 'facts'] as const)
        expect(await rig.rows(table), table).toBe(0)
      const [held] = await rig.state.db.selectFrom('held').selectAll().execute()
      expect(Buffer.from(held!.sealed).includes('ana-da-silva')).toBe(false)
      expect(held!.expires_at - rig.now).toBe(24 * HOUR)
      expect(await rig.counts('source:site')).toEqual({ RECEIVED: 1, HELD: 1 })
    })

    test('a grant makes it an input of that very transaction, with its own times, before the grant itself', async () => {
      const rig = await open()
      await rig.take(added(rig, { anonymousId: 'd1', properties: { product_id: 'p1', price: 10, quantity: 2 } }))
      const then = rig.at()
      rig.advance(HOUR)
      await rig.take(says(rig, 'analytics', 'grant', { anonymousId: 'd1' }))
      expect((await opened(rig, 'Product Added')).map(({ occurredAt, purposes }) => [occurredAt, purposes])).toEqual([
        [then, ['analytics']],
      ])
      expect((await rig.history()).map(({ name, person_seq }) => [name, person_seq])).toEqual([
        ['Product Added', 1],
        ['identify', 2],
      ])
      expect((await rig.person('anonymousId', 'd1'))!.profile.cart).toMatchObject({ total: 2000, updatedAt: then })
      expect([await rig.rows('held'), await rig.rows('held_identifiers')]).toEqual([0, 0])
      expect(await rig.counts('source:site')).toMatchObject({ HELD: 1, KEPT: 2 })
    })

    test('held and granted in one batch: kept, and nothing stays behind', async () => {
      const rig = await open()
      await rig.take(added(rig, { anonymousId: 'd1' }), says(rig, 'analytics', 'grant', { anonymousId: 'd1' }))
      expect((await rig.history()).map(({ name }) => name).sort()).toEqual(['Product Added', 'identify'])
      expect([await rig.rows('held'), await rig.rows('held_identifiers')]).toEqual([0, 0])
    })

    test('what was held on a device is released when the person who answers turns out to be behind it', async () => {
      const rig = await open()
      await rig.take(added(rig, { anonymousId: 'd1' }))
      rig.advance(MINUTE)
      await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana', anonymousId: 'd1' }))
      expect((await opened(rig, 'Product Added')).map(({ purposes }) => purposes)).toEqual([['email_marketing']])
      expect(await rig.rows('held')).toBe(0)
      expect((await rig.person('userId', 'ana'))!.profile.cart!.lines).toHaveLength(1)
    })

    test('what was held on a device is released when it is joined to somebody who answered long ago', async () => {
      const rig = await open()
      await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana' }))
      rig.advance(DAY)
      await rig.take(added(rig, { anonymousId: 'd2' }))
      rig.advance(MINUTE)
      await rig.take(identify({ userId: 'ana', anonymousId: 'd2', ...times(rig) }))
      expect((await opened(rig, 'Product Added')).map(({ purposes }) => purposes)).toEqual([['email_marketing']])
      expect(await rig.rows('held')).toBe(0)
    })

    test('a denial deletes it, and a later grant does not bring it back', async () => {
      const rig = await open({ purposes: onlyAnalytics })
      await rig.take(added(rig, { anonymousId: 'd1' }))
      rig.advance(MINUTE)
      await rig.take(says(rig, 'analytics', 'deny', { anonymousId: 'd1' }))
      expect([await rig.rows('held'), await rig.rows('held_identifiers'), await rig.rows('history')]).toEqual([0, 0, 0])
      expect(await rig.counts('source:site')).toMatchObject({ HELD: 1, CONSENT_DENIED: 2 })
      rig.advance(HOUR)
      await rig.take(says(rig, 'analytics', 'grant', { anonymousId: 'd1' }))
      expect(await opened(rig, 'Product Added')).toEqual([])
    })

    test('somebody else’s grant releases nothing', async () => {
      const rig = await open()
      await rig.take(added(rig, { anonymousId: 'd1' }))
      await rig.take(says(rig, 'analytics', 'grant', { anonymousId: 'd2' }))
      expect(await opened(rig, 'Product Added')).toEqual([])
      expect(await rig.rows('held')).toBe(1)
    })

    test('after 24 hours it is gone with its key; a grant then finds nothing', async () => {
      const rig = await open()
      await rig.take(added(rig, { anonymousId: 'd1' }))
      rig.advance(24 * HOUR)
      await rig.take(says(rig, 'analytics', 'grant', { anonymousId: 'd1' }))
      expect(await opened(rig, 'Product Added')).toEqual([])
      rig.advance(HOUR)
      expect(await expireSealed(rig.state, rig.now)).toMatchObject({ held: 1 })
      expect([await rig.rows('held'), await rig.rows('held_identifiers')]).toEqual([0, 0])
      const keys = await rig.state.db
        .selectFrom('seal_keys')
        .select('id')
        .where('id', 'like', `held-${Math.floor((rig.now - 25 * HOUR) / HOUR)}`)
        .execute()
      expect(keys).toEqual([])
    })

    test('a quarantined body and its key go after 30 days, not before', async () => {
      const rig = await open()
      await rig.take({
        kind: 'quarantine',
        id: '01K0000000000000000000000Q',
        sourceId: 'site',
        connector: 'segment',
        code: 'INVALID',
        path: '/event',
        message: 'no name',
        receivedAt: rig.at(),
        raw: '{}',
        fences: [],
      })
      await expireSealed(rig.state, rig.now + 30 * DAY - SECOND)
      expect(await rig.rows('quarantine')).toBe(1)
      await expireSealed(rig.state, rig.now + 31 * DAY)
      expect([
        await rig.rows('quarantine'),
        (await rig.state.db.selectFrom('seal_keys').select('id').where('id', 'like', 'quarantine-%').execute()).length,
      ]).toEqual([0, 0])
    })

    test('a withdrawal that could not be read stays in force after its body is gone, also after a restart', async () => {
      const rig = await open()
      const raised = 'f'.repeat(26)
      const ana = [rig.keys.identifier('email', 'ana@loja.example')]
      const record = {
        kind: 'quarantine',
        id: '01K0000000000000000000000Q',
        sourceId: 'site',
        connector: 'segment',
        code: 'POISON',
        path: '',
        message: '',
        receivedAt: rig.at(),
        raw: '{"email":"ana@loja.example"}',
        fences: [raised],
      } as const
      await rig.writer.append([record], [{ id: raised, purposes: ['*'], identifiers: ana, at: rig.now }])
      await rig.process()
      await expireSealed(rig.state, rig.now + 31 * DAY)
      await expireSealed(rig.state, rig.now + 32 * DAY)
      const [row] = await rig.state.db.selectFrom('quarantine').selectAll().execute()
      expect([row!.status, row!.sealed.length]).toEqual(['expired', 0])
      expect(
        await rig.state.db.selectFrom('seal_keys').select('id').where('id', 'like', 'quarantine-%').execute(),
      ).toEqual([])
      await rig.restart()
      expect(rig.log.fencesFor(ana)).toMatchObject([{ id: raised }])
    })
  })

  describe('status', () => {
    test('of a device and of a person are kept apart', async () => {
      const rig = await open()
      await rig.take(
        identify({
          userId: 'ana',
          anonymousId: 'd1',
          ...times(rig),
          consent: [signal('analytics', 'grant', rig.at()), signal('email_marketing', 'grant', rig.at())],
        }),
      )
      expect([
        await rig.status('anonymousId', 'd1', 'analytics'),
        await rig.status('userId', 'ana', 'analytics'),
      ]).toEqual(['granted', undefined])
      expect([
        await rig.status('userId', 'ana', 'email_marketing'),
        await rig.status('anonymousId', 'd1', 'email_marketing'),
      ]).toEqual(['granted', undefined])
      rig.advance(HOUR)
      // The same person on another device: her e-mail consent holds, the device has not answered.
      await rig.take(added(rig, { userId: 'ana', anonymousId: 'd2' }))
      expect((await opened(rig, 'Product Added')).map(({ purposes }) => purposes)).toEqual([['email_marketing']])
    })

    test('the absence of a signal changes nothing', async () => {
      const rig = await open()
      await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana' }))
      const before = await rig.state.db.selectFrom('consent_status').selectAll().execute()
      for (let n = 0; n < 3; n++) {
        rig.advance(HOUR)
        await rig.take(added(rig, { userId: 'ana' }))
      }
      expect(await rig.state.db.selectFrom('consent_status').selectAll().execute()).toEqual(before)
      expect(await rig.rows('ledger_pending')).toBe(1)
    })

    test('a repeated answer counts up and writes no second entry', async () => {
      const rig = await open()
      for (let n = 0; n < 3; n++) {
        await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana' }))
        rig.advance(HOUR)
      }
      const [row] = await rig.state.db.selectFrom('consent_status').select('body').execute()
      expect(JSON.parse(row!.body)).toMatchObject({ status: 'granted', seen: 3 })
      expect(await rig.rows('ledger_pending')).toBe(1)
    })

    test('a withdrawal reaches everybody the event names, also when the event itself is not kept', async () => {
      const rig = await open()
      // The CRM knows the address; nobody has joined it to the login yet.
      await rig.take(says(rig, 'email_marketing', 'grant', { traits: { email: 'ana@loja.example' } }))
      rig.advance(HOUR)
      await rig.take(says(rig, 'email_marketing', 'revoke', { userId: 'ana', traits: { email: 'ana@loja.example' } }))
      expect((await rig.person('email', 'ana@loja.example'))!.id).not.toBe((await rig.person('userId', 'ana'))!.id)
      expect(await rig.status('email', 'ana@loja.example', 'email_marketing')).toBe('revoked')
    })

    test('a contract opens with the order, before the order is asked about', async () => {
      const rig = await open()
      await rig.take(
        track({ name: 'Order Completed', userId: 'ana', properties: { order_id: 'o1', total: 10 }, ...times(rig) }),
      )
      expect((await opened(rig, 'Order Completed')).map(({ purposes }) => purposes)).toEqual([
        ['orders', 'customer_care'],
      ])
      expect(await rig.status('userId', 'ana', 'orders')).toBe('granted')
      const entries = await rig.state.db
        .selectFrom('ledger_pending')
        .select(['purpose', 'public'])
        .orderBy('purpose')
        .execute()
      expect(entries.map(({ purpose, public: text }) => [purpose, JSON.parse(text).actor_kind])).toEqual([
        ['customer_care', 'system'],
        ['orders', 'system'],
      ])
    })

    test('counters belong to the purposes the event was kept for', async () => {
      const rig = await open()
      await rig.take(says(rig, 'email_marketing', 'grant', { userId: 'ana' }))
      await rig.take(
        track({
          name: 'Order Completed',
          userId: 'ana',
          properties: { order_id: 'o1', total: '219,90' },
          ...times(rig),
        }),
      )
      expect((await rig.person('userId', 'ana'))!.profile.counters).toEqual({
        orders: { orders: 1, revenue: 21990 },
        customer_care: { orders: 1, revenue: 21990 },
        email_marketing: { orders: 1, revenue: 21990 },
      })
    })

    test('a page that no purpose wants leaves a count', async () => {
      const rig = await open({
        purposes: { ...onlyAnalytics, analytics: { ...onlyAnalytics['analytics']!, collects: ['Product *'] } },
      })
      await rig.take(page({ anonymousId: 'd1', ...times(rig) }))
      expect(await rig.counts('source:site')).toEqual({ RECEIVED: 1, NO_PURPOSE: 1 })
      expect(await rig.rows('held')).toBe(0)
    })
  })
})

const off = (id: string) => ({
  [id]: {
    basis: 'contract' as const,
    scope: 'person' as const,
    title: { pt: id, en: id },
    collects: [],
    stages: ['collect' as const],
  },
})
/** The starter set with every purpose but analytics emptied. */
const onlyAnalytics = {
  ...Object.assign(
    {},
    ...[
      'orders',
      'onsite_personalization',
      'email_marketing',
      'sms_marketing',
      'whatsapp_marketing',
      'push_marketing',
      'ads_measurement',
      'ads_personalization',
      'customer_care',
    ].map(off),
  ),
  analytics: {
    basis: 'consent' as const,
    scope: 'device' as const,
    title: { pt: 'a', en: 'a' },
    collects: ['*'],
    stages: ['collect' as const, 'decide' as const],
  },
}
