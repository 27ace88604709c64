/** Rows of a file about the past: they change the person, and nobody hears of them. */
import { afterEach, expect, test } from 'vitest'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, Rig } from '../testing/pipeline-rig.ts'

const RULE = `id: obrigado
version: 1
title: {pt: Obrigado, en: Thanks}
when: {event: Order Completed}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`

let rig: Rig
afterEach(() => rig?.close())

test('an order of last year counts, and starts neither a rule nor a conversion; one of now does both', async () => {
  rig = await Rig.open({ rules: [RULE], destinations: { mail: {}, ads: {} } })
  const times = { receivedAt: rig.at() }
  const who = { userId: 'ana', traits: { email: 'ana@example.com' } }
  const consent = [signal('email_marketing', 'grant', rig.at())]
  await rig.take(identify({ ...who, messageId: 'i', consent, occurredAt: rig.at(), ...times }))
  const before = (await rig.deliveries()).length
  const order = (id: string, occurredAt: string, past: boolean) =>
    track({
      name: 'Order Completed',
      userId: 'ana',
      messageId: id,
      properties: { order_id: id, total: 10 },
      occurredAt,
      ...times,
      source: { id: 'erp', connector: 'file', ...(past && { past: true as const }) },
    })
  await rig.take(order('o-1', rig.at(-400 * DAY), true))
  expect((await rig.deliveries()).length).toBe(before)
  expect((await rig.person('userId', 'ana'))!.profile.counters['orders']).toEqual({ orders: 1, revenue: 1000 })
  await rig.take(order('o-2', rig.at(), false))
  const destinations = (await rig.deliveries()).slice(before).map(({ destination }) => destination)
  expect(destinations.toSorted()).toEqual(['ads', 'mail'])
})
