import { expect, it } from 'vitest'
import type { FeedbackDefinition } from '../../core/kit/index.ts'
import klaviyo from './destination.ts'

const { verify, read } = (klaviyo.feedback as FeedbackDefinition<object>).receive!
const settings = { feedbackToken: 'a-token-of-the-webhooks' }
const request = (body: unknown, token = settings.feedbackToken) => ({
  method: 'POST',
  path: '/in/klaviyo',
  query: {},
  headers: { 'x-anuente-token': token },
  body: Buffer.from(JSON.stringify(body)),
  receivedAt: '2026-11-24T12:00:00.000Z',
})

it('is believed with the token alone', () => {
  expect(verify(request({}), settings)).toBe(true)
  expect(verify(request({}, 'another'), settings)).toBe('BAD_SIGNATURE')
  expect(verify(request({}, ''), {})).toBe('BAD_SIGNATURE')
})

it('says of whom and by which channel; a word it does not know is refused with those it does', () => {
  expect(read(request({ event: 'unsubscribed', email: 'ana@example.com', phone: '' }), settings)).toEqual([
    { kind: 'unsubscribed', channel: 'email', identifiers: [{ type: 'email', value: 'ana@example.com' }] },
  ])
  expect(read(request({ event: 'unsubscribed', phone: '+5511987654321', channel: 'sms' }), settings)).toEqual([
    { kind: 'unsubscribed', channel: 'sms', identifiers: [{ type: 'phone', value: '+5511987654321' }] },
  ])
  expect(read(request({ event: 'bounced', email: '' }), settings)).toEqual([])
  expect(() => read(request({ event: 'gone', email: 'ana@example.com' }), settings)).toThrow(/one of: delivered/)
})
