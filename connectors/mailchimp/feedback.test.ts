import { expect, test } from 'vitest'
import type { FeedbackDefinition, RawRequest } from '../../core/kit/index.ts'
import mailchimp from './destination.ts'

const receive = (mailchimp.feedback as FeedbackDefinition<{ feedbackSecret?: string }>).receive!
const settings = { feedbackSecret: 'a-secret-of-sixteen' }
const request = (form: Record<string, string>, over: Partial<RawRequest> = {}): RawRequest => ({
  method: 'POST',
  path: '/in/mailchimp',
  query: { secret: settings.feedbackSecret },
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: Buffer.from(new URLSearchParams(form).toString()),
  receivedAt: '2026-11-24T12:00:00.000Z',
  ...over,
})
/** As in https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/. */
const unsubscribed = {
  type: 'unsubscribe',
  fired_at: '2026-11-24 11:40:57',
  'data[action]': 'unsub',
  'data[reason]': 'manual',
  'data[email]': 'ana@example.com',
  'data[list_id]': 'a6b5da1054',
}

test('an unsubscribe, a complaint and a cleaned address are told of; profile changes are not', () => {
  const read = (form: Record<string, string>) => receive.read(request(form), settings)
  const who = {
    channel: 'email',
    identifiers: [{ type: 'email', value: 'ana@example.com' }],
    at: '2026-11-24T11:40:57Z',
  }
  expect(read(unsubscribed)).toEqual([{ kind: 'unsubscribed', ...who }])
  expect(read({ ...unsubscribed, 'data[reason]': 'abuse' })).toEqual([{ kind: 'complained', ...who }])
  expect(read({ ...unsubscribed, type: 'cleaned', 'data[reason]': 'hard' })).toEqual([{ kind: 'bounced', ...who }])
  expect(read({ ...unsubscribed, type: 'profile' })).toEqual([])
  expect(receive.read(request(unsubscribed, { method: 'GET' }), settings)).toEqual([])
})

test('only with the secret of the address, and never without one configured', () => {
  expect(receive.verify(request(unsubscribed), settings)).toBe(true)
  expect(receive.verify(request(unsubscribed, { query: { secret: 'another' } }), settings)).toBe('BAD_SIGNATURE')
  expect(receive.verify(request(unsubscribed, { query: {} }), settings)).toBe('BAD_SIGNATURE')
  expect(receive.verify(request(unsubscribed, { query: { secret: '' } }), {})).toBe('BAD_SIGNATURE')
})
