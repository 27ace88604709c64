/** anuente replay: the people history makes, and what it leaves alone. */
import { expect, test } from 'vitest'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { HOUR, Rig } from '../testing/pipeline-rig.ts'
import { LIFE_RULES } from '../testing/random-history.ts'
import { rebuild } from './rebuild.ts'

async function shop(): Promise<Rig> {
  const rig = await Rig.open({ rules: LIFE_RULES })
  const given = (messageId: string) => ({ userId: 'ana', messageId, occurredAt: rig.at(), receivedAt: rig.at() })
  await rig.take(
    identify({
      ...given('r1'),
      traits: { email: 'ana@loja.example', plan: 'pro' },
      consent: [signal('email_marketing', 'grant', rig.at()), signal('analytics', 'grant', rig.at())],
    }),
  )
  await rig.take(
    track({ ...given('r2'), name: 'Order Completed', properties: { order_id: 'o1', total: 90, currency: 'BRL' } }),
  )
  rig.advance(HOUR)
  await rig.take(
    track({ ...given('r3'), name: 'Product Added', properties: { product_id: 'p1', price: 10, quantity: 2 } }),
  )
  return rig
}
const options = (rig: Rig) => ({ state: rig.state, keys: rig.keys, settings: rig.processPorts.settings, now: rig.now })
const damage = async (rig: Rig, change: (profile: Record<string, unknown>) => void) => {
  const { id, profile } = await rig.state.db
    .selectFrom('persons')
    .select(['id', 'profile'])
    .where('seq', '>', 0)
    .executeTakeFirstOrThrow()
  const body = JSON.parse(profile) as Record<string, unknown>
  change(body)
  await rig.state.db
    .updateTable('persons')
    .set({ profile: JSON.stringify(body) })
    .where('id', '=', id)
    .execute()
}

test('people are what their history makes them; damage is told, and mended when asked; nothing is enqueued', async () => {
  const rig = await shop()
  try {
    expect(await rebuild(options(rig))).toMatchObject({ people: 1, events: 3, same: 1, changed: 0, incomplete: 0 })
    const before = (await rig.person('userId', 'ana'))!.profile
    const deliveries = await rig.rows('deliveries')
    await damage(rig, (profile) => {
      profile['counters'] = {}
      delete profile['cart']
      profile['timers'] = []
    })
    await rig.state.db.deleteFrom('wakeups').execute()
    expect(await rebuild(options(rig))).toMatchObject({
      changed: 1,
      written: false,
      different: { counters: 1, cart: 1, timers: 1 },
    })
    expect((await rig.person('userId', 'ana'))!.profile.cart).toBeUndefined()
    expect(await rebuild({ ...options(rig), write: true })).toMatchObject({ changed: 1, taken: 0, written: true })
    expect((await rig.person('userId', 'ana'))!.profile).toEqual(before)
    expect(await rig.rows('wakeups')).toBe(1)
    expect(await rig.rows('deliveries')).toBe(deliveries)
  } finally {
    await rig.close()
  }
})

test('who misses part of their history stays as they are; a correction outlives a replay', async () => {
  const rig = await shop()
  try {
    await damage(rig, (profile) => {
      profile['traits'] = { plan: { value: 'basic', at: rig.at(), purposes: ['email_marketing'] } }
    })
    await rebuild({ ...options(rig), write: true })
    expect((await rig.person('userId', 'ana'))!.profile.traits['plan']!.value).toBe('basic')
    await rig.state.db.deleteFrom('history').where('name', '=', 'Order Completed').execute()
    expect(await rebuild({ ...options(rig), write: true })).toMatchObject({ incomplete: 1, changed: 0 })
    expect(Object.values((await rig.person('userId', 'ana'))!.profile.counters)[0]).toMatchObject({ orders: 1 })
  } finally {
    await rig.close()
  }
})
