import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { OpenProfile } from '../../schemas/profile.ts'
import { mergeContact, rememberContact } from './contact-facts.ts'

type Told = Pick<OpenProfile, 'zone' | 'engaged' | 'suppressed'>

const at = (minute: number) => new Date(Date.UTC(2026, 2, 10, 12, minute)).toISOString()
const track = (name: string, minute: number, properties: Record<string, unknown> = {}) => ({
  type: 'track' as const,
  name,
  occurredAt: at(minute),
  traits: {},
  context: {},
  properties,
})
const after = (...events: (ReturnType<typeof track> & { phone?: string })[]): Told => {
  const told: Told = {}
  for (const { phone, ...event } of events) rememberContact(told, event, phone, ['email_marketing'])
  return told
}

it('a bounce stands until something arrives on the channel later', () => {
  const bounce = track('Message Bounced', 5, { channel: 'email' })
  expect(after(bounce).suppressed).toEqual({ bounced: { email: at(5) } })
  expect(after(bounce, track('Message Delivered', 6, { channel: 'sms' })).suppressed).toEqual({
    bounced: { email: at(5) },
  })
  expect(after(bounce, track('Message Delivered', 6, { channel: 'email' })).suppressed).toEqual({ bounced: {} })
  // What had arrived before it came back shows nothing.
  expect(after(bounce, track('Email Opened', 4)).suppressed).toEqual({ bounced: { email: at(5) } })
})

it('a ticket is open until it is closed, and a complaint stays', () => {
  const opened = track('Ticket Opened', 1, { ticket_id: 't1' })
  expect(after(opened, track('Ticket Closed', 9, { ticket_id: 't2' })).suppressed).toEqual({ tickets: { t1: at(1) } })
  expect(after(opened, track('Ticket Closed', 9, { ticket_id: 't1' })).suppressed).toEqual({ tickets: {} })
  expect(after(track('Message Marked as Spam', 2, { channel: 'email' })).suppressed).toEqual({ complained: at(2) })
})

it('the zone comes from the phone until the browser says it; engagement is per channel', () => {
  const bought = { ...track('Order Completed', 1), phone: '+5592987654321' }
  expect(after(bought).zone).toMatchObject({ name: 'America/Manaus', from: 'phone', purposes: ['email_marketing'] })
  const browsed = { ...track('Product Viewed', 0), context: { timezone: 'America/Recife' } }
  expect(after(browsed, bought).zone).toMatchObject({ name: 'America/Recife', from: 'timezone' })
  expect(after(track('Message Link Clicked', 3, { channel: 'whatsapp' })).engaged).toEqual([
    { channel: 'whatsapp', kind: 'click', at: at(3), purposes: ['email_marketing'] },
  ])
})

it('of two people who are one nothing is lost, whoever comes first', () => {
  const event = fc
    .tuple(
      fc.constantFrom('Message Bounced', 'Message Opened', 'Message Marked as Spam', 'Ticket Opened'),
      fc.integer({ min: 0, max: 50 }),
      fc.constantFrom('email', 'sms'),
      fc.constantFrom(undefined, '+5511987654321', '+5592987654321'),
    )
    .map(([name, minute, channel, phone]) => ({
      ...track(name, minute, { channel, ticket_id: `t${minute % 3}` }),
      ...(phone !== undefined && { phone }),
    }))
  const told = fc.array(event, { maxLength: 6 }).map((events) => after(...events))
  fc.assert(
    fc.property(told, told, told, (a, b, c) => {
      expect(mergeContact(a, b)).toEqual(mergeContact(b, a))
      expect(mergeContact(mergeContact(a, b), c)).toEqual(mergeContact(a, mergeContact(b, c)))
      const { suppressed } = mergeContact(a, b)
      for (const channel of Object.keys(a.suppressed?.bounced ?? {}))
        expect(suppressed!.bounced).toHaveProperty(channel)
    }),
    { numRuns: 100 },
  )
})
