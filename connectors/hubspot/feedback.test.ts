import { expect, it } from 'vitest'
import type { FeedbackDefinition } from '../../core/kit/index.ts'
import hubspot from './destination.ts'

const { verify, read } = (hubspot.feedback as FeedbackDefinition<object>).receive!
const settings = { feedbackToken: 'a-token-of-the-webhooks' }
const request = (body: unknown, token = settings.feedbackToken) => ({
  method: 'POST',
  path: '/in/hubspot',
  query: {},
  headers: { 'x-anuente-token': token },
  body: Buffer.from(JSON.stringify(body)),
  receivedAt: '2026-11-24T12:00:00.000Z',
})
const gone = { kind: 'unsubscribed', channel: 'email', identifiers: [{ type: 'email', value: 'ana@example.com' }] }

it('is believed with the token alone', () => {
  expect(verify(request({}), settings)).toBe(true)
  expect(verify(request({}, 'another'), settings)).toBe('BAD_SIGNATURE')
  expect(verify(request({}, ''), {})).toBe('BAD_SIGNATURE')
})

it('an opt-out is one in either form, and nothing else is', () => {
  expect(read(request({ email: 'ana@example.com', hs_email_optout: 'true' }), settings)).toEqual([gone])
  const whole = { properties: { email: { value: 'ana@example.com' }, hs_email_optout: { value: 'true' } } }
  expect(read(request([whole]), settings)).toEqual([gone])
  expect(read(request({ email: 'ana@example.com', hs_email_optout: 'false' }), settings)).toEqual([])
  expect(read(request({ hs_email_optout: true }), settings)).toEqual([])
  expect(() => read(request([7]), settings)).toThrow(/a contact/)
})
