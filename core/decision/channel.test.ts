/** Which channel a person likes: their own word, then clicks, then openings, as far as the rule's purpose knows of them. */
import { expect, test } from 'vitest'
import type { Engagement, OpenProfile } from '../../schemas/profile.ts'
import { channelOrder, preferredChannel } from './channel.ts'

const NOW = Date.parse('2026-03-10T12:00:00.000Z')
const DAY = 86_400_000
const PURPOSE = 'email_marketing'
const act = (channel: string, kind: Engagement['kind'], daysAgo: number, purposes = [PURPOSE]): Engagement => ({
  channel,
  kind,
  at: new Date(NOW - daysAgo * DAY).toISOString(),
  purposes,
})
const said = (value: string, purposes: string[] = []): OpenProfile['traits'] => ({
  preferred_channel: { value, at: new Date(NOW).toISOString(), purposes },
})
const liked = (engaged: Engagement[], traits: OpenProfile['traits'] = {}, channels = ['email', 'whatsapp', 'sms']) =>
  preferredChannel({ engaged, traits }, PURPOSE, channels, NOW)

test('their own word stands before what they did; what it was told for others is not known', () => {
  const clicked = [act('sms', 'click', 1)]
  expect(liked(clicked, said('WhatsApp'))).toEqual({ channel: 'whatsapp', why: 'said' })
  expect(liked(clicked, said('E-mail'))).toEqual({ channel: 'email', why: 'said' })
  expect(liked(clicked, said('whatsapp', ['analytics']))).toEqual({ channel: 'sms', why: 'clicked' })
  expect(liked(clicked, said('pombo'))).toEqual({ channel: 'sms', why: 'clicked' })
})

test('a click stands before a later opening; of several the newest', () => {
  expect(liked([act('whatsapp', 'click', 9), act('email', 'open', 1)])).toEqual({ channel: 'whatsapp', why: 'clicked' })
  expect(liked([act('email', 'open', 1), act('sms', 'open', 2)])).toEqual({ channel: 'email', why: 'opened' })
  expect(liked([act('email', 'click', 3), act('sms', 'click', 2)])).toEqual({ channel: 'sms', why: 'clicked' })
})

test('only of this purpose, of half a year, not of the future, and on a channel that the rule has', () => {
  expect(liked([act('sms', 'click', 1, ['analytics'])])).toBeUndefined()
  expect(liked([act('sms', 'click', 180)])).toBeUndefined()
  expect(liked([act('sms', 'click', 179)])).toEqual({ channel: 'sms', why: 'clicked' })
  expect(liked([act('sms', 'click', -1)])).toBeUndefined()
  expect(liked([act('push', 'click', 1), act('email', 'open', 2)])).toEqual({ channel: 'email', why: 'opened' })
})

test('the preferred one first, then the fallback, each once; without a preference the fallback alone', () => {
  const send = { email: {}, whatsapp: {}, sms: {} } as never
  const then = { send, channel: { order: 'preferred' as const, fallback: ['whatsapp', 'email'] } }
  expect(channelOrder(then, { channel: 'email', why: 'said' })).toEqual(['email', 'whatsapp'])
  expect(channelOrder(then, undefined)).toEqual(['whatsapp', 'email'])
  expect(channelOrder({ send, channel: { order: ['sms'] } }, undefined)).toEqual(['sms', 'email', 'whatsapp'])
})
