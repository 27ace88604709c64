import { expect, it } from 'vitest'
import type { FeedbackDefinition } from '../../core/kit/index.ts'
import activecampaign from './destination.ts'

const { verify, read } = (activecampaign.feedback as FeedbackDefinition<object>).receive!
const settings = { feedbackToken: 'a-token-of-the-webhooks' }
const request = (form: Record<string, string>, query: Record<string, string> = { token: settings.feedbackToken }) => ({
  method: 'POST',
  path: '/in/ac',
  query,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: Buffer.from(new URLSearchParams(form).toString()),
  receivedAt: '2026-11-24T12:00:00.000Z',
})

it('is believed with the token of its address alone', () => {
  expect(verify(request({}), settings)).toBe(true)
  expect(verify(request({}, { token: 'another' }), settings)).toBe('BAD_SIGNATURE')
  expect(verify(request({}, { token: '' }), {})).toBe('BAD_SIGNATURE')
})

it('an unsubscribe names the person and when; what says nothing of a message is no news', () => {
  const form = { type: 'unsubscribe', date_time: '2026-11-24T09:00:00-03:00', 'contact[email]': 'ana+1@example.com' }
  expect(read(request(form), settings)).toEqual([
    {
      kind: 'unsubscribed',
      channel: 'email',
      identifiers: [{ type: 'email', value: 'ana+1@example.com' }],
      at: '2026-11-24T12:00:00.000Z',
    },
  ])
  expect(read(request({ ...form, type: 'subscribe' }), settings)).toEqual([])
  expect(() => read(request({ hello: 'world' }), settings)).toThrow(/no "type"/)
})
