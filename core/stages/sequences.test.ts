/** Sequences and measures where the database matters: they survive a restart, follow a merge, and end with a goal. */
import { afterEach, expect, test } from 'vitest'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, Rig } from '../testing/pipeline-rig.ts'

const SEQUENCE = `id: duas
version: 1
when: {sequence: {steps: [{event: Product Viewed}, {event: Product Added}], within: PT1H}}
who: {all: [{sum: {event: Order Completed, property: total, window: P30D}, op: gte, value: 100}]}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`

let rig: Rig
afterEach(() => rig?.close())

const event = (name: string, who: { userId?: string; anonymousId?: string }, id: string, properties = {}) =>
  track({ name, ...who, messageId: id, properties, occurredAt: rig.at(), receivedAt: rig.at() })

test('the steps of a visitor and the orders of a customer count as one when they turn out to be the same', async () => {
  rig = await Rig.open({ rules: [SEQUENCE], destinations: { mail: {} } })
  const granted = () => [signal('email_marketing', 'grant', rig.at())]
  const traits = { email: 'ana@example.com' }
  const times = () => ({ occurredAt: rig.at(), receivedAt: rig.at() })
  await rig.take(identify({ userId: 'ana', traits, messageId: 'i1', consent: granted(), ...times() }))
  await rig.take(event('Order Completed', { userId: 'ana' }, 'o1', { order_id: 'o1', total: 120 }))
  await rig.take(identify({ anonymousId: 'anon', messageId: 'i2', consent: granted(), ...times() }))
  rig.advance(MINUTE)
  await rig.take(event('Product Viewed', { anonymousId: 'anon' }, 'v1', { product_id: 'p' }))
  expect((await rig.person('anonymousId', 'anon'))!.profile.sequences).toMatchObject([{ rule: 'duas', version: 1 }])
  rig.advance(MINUTE)
  await rig.take(identify({ userId: 'ana', anonymousId: 'anon', traits, messageId: 'i3', ...times() }))
  const before = (await rig.deliveries()).length
  await rig.take(event('Product Added', { userId: 'ana' }, 'a1', { product_id: 'p', price: 10, quantity: 1 }))
  const after = (await rig.deliveries()).slice(before)
  expect(after).toMatchObject([{ rule: 'duas', event_id: expect.any(String) }])
  expect((await rig.person('userId', 'ana'))!.profile.sequences ?? []).toEqual([])
  // The same event told again by an SDK's retry adds nothing.
  await rig.take(event('Product Added', { userId: 'ana' }, 'a1', { product_id: 'p', price: 10, quantity: 1 }))
  expect((await rig.deliveries()).length).toBe(before + 1)
})
