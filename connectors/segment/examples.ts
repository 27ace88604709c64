/** Requests as Segment's SDKs and webhook send them, and the events they become. */
import { createHmac } from 'node:crypto'
import type { ExampleRequest, SourceExample } from '../../core/testing/source-contract.ts'

export const WRITE_KEY = 'wk_site'
export const SHARED_SECRET = 'shared-secret-of-the-webhook'

const basic = { authorization: `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}` }
const success = { status: 200, body: { success: true } }

export function signed(path: string, body: object, secret = SHARED_SECRET): ExampleRequest {
  const text = JSON.stringify(body)
  return {
    method: 'POST',
    path,
    headers: { 'x-signature': createHmac('sha1', secret).update(text).digest('hex') },
    body: text,
  }
}

const user = { type: 'userId', value: 'u-1' } as const
const device = { type: 'anonymousId', value: 'a-1' } as const

/** One call per path of the HTTP tracking API. */
const CALLS = [
  { long: 'track', short: 't', body: { event: 'Clicked' }, event: { type: 'track', name: 'Clicked' } },
  {
    long: 'identify',
    short: 'i',
    body: { traits: { plan: 'ouro' } },
    event: { type: 'identify', traits: { plan: 'ouro' } },
  },
  { long: 'page', short: 'p', body: { name: 'Home' }, event: { type: 'page', name: 'Home' } },
  {
    long: 'screen',
    short: 's',
    body: { properties: { name: 'Home' } },
    event: { type: 'screen', name: 'Home', properties: { name: 'Home' } },
  },
  { long: 'group', short: 'g', body: { groupId: 7 }, event: { type: 'group', properties: { groupId: '7' } } },
  { long: 'alias', short: 'a', body: { previousId: 'a-1' }, event: { type: 'alias', previousId: 'a-1' } },
] as const

const calls: SourceExample[] = CALLS.flatMap(({ long, short, body, event }) => [
  {
    title: `${long} by the HTTP API, without type`,
    request: {
      method: 'POST',
      path: `/v1/${long}`,
      headers: basic,
      body: { userId: 'u-1', messageId: 'm-1', ...body },
    },
    events: [{ ...event, messageId: 'm-1', identifiers: [user] }],
    answer: success,
  },
  {
    title: `${long} by its browser path, as text`,
    request: {
      method: 'POST',
      path: `/v1/${short}`,
      headers: { ...basic, 'content-type': 'text/plain' },
      body: {
        type: long,
        userId: long === 'alias' ? 'u-1' : null,
        anonymousId: 'a-1',
        messageId: 'ajs-next-1-x',
        timestamp: '2026-11-24T11:59:50.000Z',
        sentAt: '2026-11-24T11:59:51.000Z',
        writeKey: WRITE_KEY,
        integrations: { 'Segment.io': true },
        _metadata: { bundled: ['Segment.io'], unbundled: [], bundledIds: [] },
        ...body,
      },
      ip: '177.10.20.30',
    },
    retry: {
      headers: { ...basic, 'content-type': 'text/plain', 'x-retry-count': '1' },
      body: {
        type: long,
        userId: long === 'alias' ? 'u-1' : null,
        anonymousId: 'a-1',
        messageId: 'ajs-next-1-x',
        timestamp: '2026-11-24T11:59:50.000Z',
        sentAt: '2026-11-24T12:04:51.000Z',
        writeKey: WRITE_KEY,
        integrations: { 'Segment.io': true },
        _metadata: { bundled: ['Segment.io'], unbundled: [], bundledIds: [], retryCount: 2 },
        ...body,
      },
    },
    events: [
      {
        ...event,
        messageId: 'ajs-next-1-x',
        timestamp: '2026-11-24T11:59:50.000Z',
        sentAt: '2026-11-24T11:59:51.000Z',
        identifiers: long === 'alias' ? [user, device] : [device],
        context: { ip: '177.10.20.30' },
      },
    ],
    answer: success,
  },
])

const track = (rest: object) => ({ type: 'track', event: 'Clicked', userId: 'u-1', ...rest })
const tracked = (rest: object) => ({ type: 'track' as const, name: 'Clicked', identifiers: [user], ...rest })

export const examples: SourceExample[] = [
  ...calls,
  {
    title: 'a batch whose context and integrations lie under those of each event',
    request: {
      method: 'POST',
      path: '/v1/batch',
      body: {
        writeKey: WRITE_KEY,
        sentAt: '2026-11-24T11:59:59Z',
        context: { ip: '1.1.1.1', locale: 'pt-BR' },
        integrations: { All: false },
        batch: [track({ context: { ip: '2.2.2.2' }, integrations: { Mailchimp: true } }), track({})],
      },
    },
    events: [
      tracked({
        sentAt: '2026-11-24T11:59:59Z',
        context: { integrations: { All: false, Mailchimp: true }, ip: '2.2.2.2', locale: 'pt-BR' },
      }),
      tracked({
        sentAt: '2026-11-24T11:59:59Z',
        context: { integrations: { All: false }, ip: '1.1.1.1', locale: 'pt-BR' },
      }),
    ],
    answer: success,
  },
  {
    title: 'a browser batch that says Sec-GPC',
    request: {
      method: 'POST',
      path: '/v1/b',
      headers: { 'content-type': 'text/plain', 'Sec-GPC': '1' },
      body: { writeKey: WRITE_KEY, batch: [track({})] },
      ip: '177.10.20.30',
    },
    events: [
      tracked({
        context: { ip: '177.10.20.30' },
        consent: [
          {
            vendor: 'gpc',
            answers: { gpc: { answer: 'denied' } },
            method: 'gpc',
            actor: 'browser_signal',
            raw: { 'sec-gpc': '1' },
          },
        ],
      }),
    ],
  },
  {
    title: 'an import, with the key in the query and an unreadable sentAt',
    request: {
      method: 'POST',
      path: '/v1/import',
      query: { writeKey: WRITE_KEY },
      body: { sentAt: 'yesterday', batch: [track({ timestamp: '2020-01-01T00:00:00Z' })] },
    },
    events: [tracked({ timestamp: '2020-01-01T00:00:00Z' })],
  },
  {
    title: 'bad events among good ones',
    request: {
      method: 'POST',
      path: '/v1/batch',
      headers: basic,
      body: {
        batch: [
          track({ messageId: 'm-0' }),
          track({ type: 'purchase' }),
          { userId: 'u-1' },
          track({ event: 7 }),
          track({ event: '' }),
          track({ userId: { id: 1 } }),
          track({ properties: 'none' }),
          track({ context: [] }),
          track({ context: { traits: 'x' } }),
          { type: 'group', userId: 'u-1' },
          { type: 'alias', userId: 'u-1' },
          { type: 'page', userId: 'u-1', name: 9 },
          track({ messageId: 'm'.repeat(257) }),
          track({ timestamp: { at: 1 } }),
          null,
          'track',
          track({ messageId: 'm-16' }),
        ],
      },
    },
    events: [tracked({ messageId: 'm-0' }), tracked({ messageId: 'm-16' })],
    rejected: [
      { code: 'UNKNOWN_CALL', path: '/batch/1/type' },
      { code: 'UNKNOWN_CALL', path: '/batch/2/type' },
      { code: 'INVALID', path: '/batch/3/event' },
      { code: 'INVALID', path: '/batch/4/event' },
      { code: 'INVALID', path: '/batch/5/userId' },
      { code: 'INVALID', path: '/batch/6/properties' },
      { code: 'INVALID', path: '/batch/7/context' },
      { code: 'INVALID', path: '/batch/8/context/traits' },
      { code: 'INVALID', path: '/batch/9/groupId' },
      { code: 'INVALID', path: '/batch/10/previousId' },
      { code: 'INVALID', path: '/batch/11/name' },
      { code: 'INVALID', path: '/batch/12/messageId' },
      { code: 'BAD_TIMESTAMP', path: '/batch/13/timestamp' },
      { code: 'INVALID', path: '/batch/14' },
      { code: 'INVALID', path: '/batch/15' },
    ],
    answer: success,
  },
  {
    title: 'names of the first e-commerce spec, in any case',
    request: {
      method: 'POST',
      path: '/v1/batch',
      headers: basic,
      body: {
        batch: [
          'Completed Order',
          'viewed product',
          'ADDED PRODUCT',
          'Viewed Product Category',
          'Removed Product',
          'Viewed Checkout Step',
          'order completed',
          '__proto__',
        ].map((event) => track({ event })),
      },
    },
    events: [
      tracked({ name: 'Order Completed', originalName: 'Completed Order' }),
      tracked({ name: 'Product Viewed', originalName: 'viewed product' }),
      tracked({ name: 'Product Added', originalName: 'ADDED PRODUCT' }),
      tracked({ name: 'Product List Viewed', originalName: 'Viewed Product Category' }),
      tracked({ name: 'Product Removed', originalName: 'Removed Product' }),
      tracked({ name: 'Checkout Step Viewed', originalName: 'Viewed Checkout Step' }),
      tracked({ name: 'Order Completed', originalName: 'order completed' }),
      tracked({ name: '__proto__' }),
    ],
  },
  {
    title: 'every identifier an event can carry',
    request: {
      method: 'POST',
      path: '/v1/track',
      headers: basic,
      body: {
        event: 'Clicked',
        userId: 42,
        anonymousId: 'a-1',
        context: {
          traits: { email: 'ana@example.com', phone: '+5511987654321', cpf: '52998224725', name: 'Ana' },
          device: { id: 'device-1', advertisingId: 'ad-1', adTrackingEnabled: true },
          anuente_delivery_id: 'd-9',
        },
      },
    },
    events: [
      {
        type: 'track',
        name: 'Clicked',
        identifiers: [
          { type: 'userId', value: '42' },
          { type: 'cpf', value: '52998224725' },
          { type: 'email', value: 'ana@example.com' },
          { type: 'phone', value: '+5511987654321' },
          device,
          { type: 'device_id', value: 'device-1' },
          { type: 'device_id', value: 'ad-1' },
        ],
        traits: { email: 'ana@example.com', phone: '+5511987654321', cpf: '52998224725', name: 'Ana' },
        context: {
          device: { id: 'device-1', advertisingId: 'ad-1', adTrackingEnabled: true },
          anuente_delivery_id: 'd-9',
        },
        deliveryId: 'd-9',
      },
    ],
  },
  {
    title: 'a webhook with the answer a person just gave',
    request: signed('/in/segment', {
      anonymousId: 'a-1',
      type: 'track',
      event: 'Segment Consent Preference Updated',
      userId: 'u-1',
      messageId: 'm-1',
      // Corrected by Segment already: sentAt is of the device's clock and must not correct it again.
      timestamp: '2026-11-24T11:00:00.000Z',
      originalTimestamp: '2026-11-24T10:00:00.000Z',
      sentAt: '2026-11-24T10:00:01.000Z',
      receivedAt: '2026-11-24T11:00:01.000Z',
      channel: 'client',
      context: { consent: { categoryPreferences: { Advertising: true, Analytics: false, Functional: 'yes' } } },
    }),
    signed: true,
    events: [
      {
        type: 'track',
        name: 'Segment Consent Preference Updated',
        messageId: 'm-1',
        timestamp: '2026-11-24T11:00:00.000Z',
        identifiers: [user, device],
        context: { channel: 'client' },
        consent: [
          {
            vendor: 'segment',
            answers: { Advertising: { answer: 'granted' }, Analytics: { answer: 'denied' } },
            method: 'cmp_string',
            actor: 'subject',
            raw: { categoryPreferences: { Advertising: true, Analytics: false, Functional: 'yes' } },
          },
        ],
      },
    ],
    answer: success,
  },
  {
    title: 'a webhook batch, a list',
    request: signed('/in/segment', [track({ messageId: 'm-1' }), track({ type: 'video' })]),
    signed: true,
    events: [tracked({ messageId: 'm-1' })],
    rejected: [{ code: 'UNKNOWN_CALL', path: '/1/type' }],
    answer: success,
  },
]
