/** The vendors' own server SDKs against the hub: what they were given is what profile and history hold. */
import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { Analytics } from '@segment/analytics-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import {
  historyOf,
  identifiersOf,
  makePlace,
  type Place,
  startInProcess,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub

beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
})
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const products = [
  { product_id: 'p-1', name: 'Tênis São João', price: 219.9, quantity: 2 },
  { product_id: 'p-2', name: 'Meia', price: 19.9, quantity: 1 },
]

test('Segment: identify, track and order arrive whole, once, in order, with their own times', async () => {
  const analytics = new Analytics({ writeKey: WRITE_KEYS.site, host: hub.url, maxRetries: 3 })
  const context = { consent: { categoryPreferences: { Marketing: true, Analytics: true } } }
  const at = new Date(Date.now() - 3_600_000)
  analytics.identify({
    userId: 'seg-1',
    traits: { email: 'Maria.Souza@Example.com', name: 'Maria Souza', phone: '(11) 98765-4321' },
    context,
    messageId: 'seg-m1',
  })
  analytics.track({
    userId: 'seg-1',
    event: 'Product Added',
    properties: { ...products[0], currency: 'BRL' },
    context,
    messageId: 'seg-m2',
    timestamp: at,
  })
  analytics.track({
    userId: 'seg-1',
    event: 'Order Completed',
    properties: { order_id: 'o-1', total: 459.7, currency: 'BRL', products },
    context,
    messageId: 'seg-m3',
  })
  await analytics.closeAndFlush()
  await hub.drained()

  const mine = (await historyOf(place)).filter(({ sealed }) => sealed.messageId.startsWith('seg-'))
  expect(mine.map(({ sealed, name, type }) => [sealed.messageId, type, name])).toEqual([
    ['seg-m1', 'identify', 'identify'],
    ['seg-m2', 'track', 'Product Added'],
    ['seg-m3', 'track', 'Order Completed'],
  ])
  expect(mine[2]!.sealed.properties).toMatchObject({ order_id: 'o-1', total: 459.7, currency: 'BRL', products })
  expect(Math.abs(Date.parse(mine[1]!.occurredAt) - at.getTime())).toBeLessThan(60_000)
  expect(mine[0]!.sealed.traits).toMatchObject({ email: 'Maria.Souza@Example.com', name: 'Maria Souza' })
  expect(await identifiersOf(place, mine[0]!.personId)).toEqual([
    'email:maria.souza@example.com',
    'phone:+5511987654321',
    'userId:seg-1',
  ])
  const person = await hub.state.db
    .selectFrom('persons')
    .select('profile')
    .where('id', '=', mine[0]!.personId)
    .executeTakeFirstOrThrow()
  const profile = JSON.parse(person.profile) as { cart?: unknown; counters: Record<string, Record<string, number>> }
  expect(profile.cart).toBeUndefined()
  expect(profile.counters['orders']).toEqual({ orders: 1, revenue: 45970 })
})

test('RudderStack: gzip under a wrong content type, consent lists, numeric user ids; the same order counts once', async () => {
  const analytics = new RudderAnalytics(WRITE_KEYS.app, {
    dataPlaneUrl: hub.url,
    flushAt: 1,
    logLevel: 'error',
    errorHandler: () => {},
  } as never)
  const context = {
    consentManagement: { provider: 'custom', allowedConsentIds: ['marketing', 'analytics'], deniedConsentIds: [] },
  }
  analytics.identify({ userId: 'rud-1', traits: { email: 'joao@example.com' }, context, messageId: 'rud-m1' } as never)
  analytics.track({
    userId: 'rud-1',
    event: 'Order Completed',
    properties: { order_id: 'o-2', total: 100, currency: 'BRL' },
    context,
    messageId: 'rud-m2',
  } as never)
  await new Promise<void>((done) => analytics.flush(() => done()))
  // The SDK reports a flush before its last request is answered.
  for (
    let tries = 0;
    tries < 100 && (await historyOf(place)).filter(({ source }) => source === 'app').length < 2;
    tries++
  )
    await new Promise((resolve) => setTimeout(resolve, 100))
  const mine = (await historyOf(place)).filter(({ source }) => source === 'app')
  expect(mine.map(({ sealed }) => sealed.messageId)).toEqual(['rud-m1', 'rud-m2'])

  // The same purchase, told by the webhook of another source, is evidence and counts nothing.
  const segment = new Analytics({ writeKey: WRITE_KEYS.site, host: hub.url })
  segment.track({
    userId: 'rud-1',
    event: 'Order Completed',
    properties: { order_id: 'o-2', total: 100, currency: 'BRL' },
    context: { consent: { categoryPreferences: { Marketing: true } } },
    messageId: 'rud-copy',
  })
  await segment.closeAndFlush()
  await hub.drained()
  const person = await hub.state.db
    .selectFrom('persons')
    .select('profile')
    .where('id', '=', mine[0]!.personId)
    .executeTakeFirstOrThrow()
  expect(
    (JSON.parse(person.profile) as { counters: Record<string, Record<string, number>> }).counters['orders'],
  ).toEqual({ orders: 1, revenue: 10000 })
})
