import { expect, it } from 'vitest'
import type { FeedbackDefinition } from '../../core/kit/index.ts'
import onesignal from './destination.ts'

const { verify, read } = (onesignal.feedback as FeedbackDefinition<object>).receive!
const settings = { feedbackToken: 'a-token-of-the-webhooks' }
const request = (body: unknown, token = settings.feedbackToken) => ({
  method: 'POST',
  path: '/in/onesignal',
  query: {},
  headers: { 'x-anuente-token': token },
  body: Buffer.from(JSON.stringify(body)),
  receivedAt: '2026-11-24T12:00:00.000Z',
})
const event = (kind: string, more: object = {}) => ({
  event: { kind, external_id: 'u1', timestamp: 1795521600, ...more },
})

it('is believed with the token alone', () => {
  expect(verify(request({}), settings)).toBe(true)
  expect(verify(request({}, 'another'), settings)).toBe('BAD_SIGNATURE')
  expect(verify(request({}, ''), {})).toBe('BAD_SIGNATURE')
})

it('each channel speaks for itself, of the user it names', () => {
  const u1 = { identifiers: [{ type: 'userId', value: 'u1' }], at: '2026-11-24T12:00:00.000Z' }
  expect(
    read(
      request([event('message.push.clicked'), event('message.email.unsubscribed'), event('message.in_app.clicked')]),
      settings,
    ),
  ).toEqual([
    { kind: 'clicked', channel: 'push', ...u1 },
    { kind: 'unsubscribed', channel: 'email', ...u1 },
  ])
  expect(read(request(event('message.push.clicked', { external_id: null })), settings)).toEqual([])
  expect(() => read(request({ kind: 'message.push.clicked' }), settings)).toThrow(/no "event"/)
})
