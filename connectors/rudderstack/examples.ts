/** Requests as RudderStack's SDKs and webhook destination send them, and the events they become. */
import type { SourceExample } from '../../core/testing/source-contract.ts'

export const WRITE_KEY = 'wk_app'
export const WEBHOOK_TOKEN = 'token-of-the-webhook-1'

const basic = { authorization: `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}` }
const ok = { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'OK' }
const user = { type: 'userId', value: 'u-1' } as const
const device = { type: 'anonymousId', value: 'a-1' } as const

/** One call per path; RudderStack has no one-letter paths of its own, but a page moved from Segment may use them. */
const CALLS = [
  { paths: ['track', 't'], body: { event: 'Clicked' }, event: { type: 'track', name: 'Clicked' } },
  {
    paths: ['identify', 'i'],
    body: { context: { traits: { plan: 'ouro' } } },
    event: { type: 'identify', traits: { plan: 'ouro' } },
  },
  { paths: ['page', 'p'], body: { name: 'Home' }, event: { type: 'page', name: 'Home' } },
  { paths: ['screen', 's'], body: { name: 'Home' }, event: { type: 'screen', name: 'Home' } },
  { paths: ['group', 'g'], body: { groupId: 'g-1' }, event: { type: 'group', properties: { groupId: 'g-1' } } },
  { paths: ['alias', 'a'], body: { previousId: 'a-1' }, event: { type: 'alias', previousId: 'a-1' } },
] as const

const track = (rest: object) => ({ type: 'track', event: 'Clicked', userId: 'u-1', ...rest })
const tracked = (rest: object) => ({ type: 'track' as const, name: 'Clicked', identifiers: [user], ...rest })
const consent = (
  raw: object,
  answers: Record<string, 'granted' | 'denied'>,
  actor: 'subject' | 'browser_signal' = 'browser_signal',
) => [
  {
    vendor: 'rudder' as const,
    answers: Object.fromEntries(Object.entries(answers).map(([id, answer]) => [id, { answer }])),
    method: 'cmp_string' as const,
    actor,
    raw,
  },
]

export const examples: SourceExample[] = [
  ...CALLS.flatMap(({ paths, body, event }) =>
    paths.map(
      (path): SourceExample => ({
        title: `a single call at /v1/${path}`,
        request: {
          method: 'POST',
          path: `/v1/${path}`,
          headers: basic,
          body: { userId: 'u-1', messageId: 'm-1', ...body },
        },
        events: [{ ...event, messageId: 'm-1', identifiers: [user] }],
        answer: ok,
      }),
    ),
  ),
  ...['batch', 'b', 'import'].map(
    (path): SourceExample => ({
      title: `a batch at /v1/${path}, each event with its own sentAt`,
      request: {
        method: 'POST',
        path: `/v1/${path}`,
        headers: { ...basic, 'content-type': 'application/x-www-form-urlencoded' },
        body: {
          timestamp: '2026-11-24T11:59:59.000Z',
          sentAt: '2026-11-24T11:59:59.000Z',
          batch: [
            track({ originalTimestamp: '2026-11-24T11:59:50.000Z', sentAt: '2026-11-24T11:59:55.000Z' }),
            track({ originalTimestamp: '2026-11-24T11:59:51.000Z', timestamp: '2026-11-01T00:00:00-03:00' }),
          ],
        },
      },
      events: [
        tracked({ timestamp: '2026-11-24T11:59:50.000Z', sentAt: '2026-11-24T11:59:55.000Z' }),
        tracked({ timestamp: '2026-11-01T00:00:00-03:00', sentAt: '2026-11-24T11:59:59.000Z' }),
      ],
      answer: ok,
    }),
  ),
  {
    title: 'a call of the browser SDK while nobody is known',
    request: {
      method: 'POST',
      path: '/v1/track',
      headers: {
        ...basic,
        'content-type': 'application/json;charset=UTF-8',
        AnonymousId: Buffer.from('a-1').toString('base64'),
        SentAt: '2026-11-24T11:59:59.000Z',
        'Sec-GPC': '1',
      },
      body: {
        type: 'track',
        event: 'Consent Management Interaction',
        userId: '',
        channel: 'web',
        messageId: 'm-1',
        originalTimestamp: '2026-11-24T11:59:58.000Z',
        integrations: { All: true },
        context: {
          traits: {},
          sessionId: 1795489765115,
          sessionStart: true,
          consentManagement: {
            provider: 'oneTrust',
            allowedConsentIds: ['C0001', 'C0002'],
            deniedConsentIds: ['C0002', 'C0004'],
          },
        },
      },
      ip: '177.10.20.30',
    },
    events: [
      {
        type: 'track',
        name: 'Consent Management Interaction',
        messageId: 'm-1',
        timestamp: '2026-11-24T11:59:58.000Z',
        sentAt: '2026-11-24T11:59:59.000Z',
        identifiers: [device],
        context: { channel: 'web', ip: '177.10.20.30', sessionId: 1795489765115, sessionStart: true },
        consent: [
          ...consent(
            { provider: 'oneTrust', allowedConsentIds: ['C0001', 'C0002'], deniedConsentIds: ['C0002', 'C0004'] },
            { C0001: 'granted', C0002: 'denied', C0004: 'denied' },
            'subject',
          ),
          {
            vendor: 'gpc',
            answers: { gpc: { answer: 'denied' } },
            method: 'gpc',
            actor: 'browser_signal',
            raw: { 'sec-gpc': '1' },
          },
        ],
      },
    ],
    answer: ok,
  },
  {
    title: 'consent of old SDKs, with the allowed ids as an object',
    request: {
      method: 'POST',
      path: '/v1/batch',
      headers: basic,
      body: {
        batch: [
          track({
            context: {
              consentManagement: {
                allowedConsentIds: { C0001: true, C0002: false, '0': 'C0003' },
                deniedConsentIds: ['C0003'],
              },
            },
          }),
          track({ context: { consentManagement: { allowedConsentIds: {}, deniedConsentIds: [] } } }),
          track({ context: { consentManagement: { allowedConsentIds: 'C0001', deniedConsentIds: [7, null, ''] } } }),
        ],
      },
    },
    events: [
      tracked({
        consent: consent(
          { allowedConsentIds: { C0001: true, C0002: false, '0': 'C0003' }, deniedConsentIds: ['C0003'] },
          { C0001: 'granted', C0002: 'denied', C0003: 'denied' },
        ),
      }),
      tracked({}),
      tracked({}),
    ],
  },
  {
    title: 'a beacon, with the key in the query',
    request: {
      method: 'POST',
      path: '/beacon/v1/batch',
      query: { writeKey: WRITE_KEY },
      headers: { 'content-type': 'text/plain' },
      body: {
        batch: [{ type: 'page', name: '', anonymousId: 'a-1', userId: '', properties: { name: 'Home' } }],
        sentAt: '2026-11-24T11:59:59.000Z',
      },
      ip: '177.10.20.30',
    },
    events: [
      {
        type: 'page',
        name: 'Home',
        sentAt: '2026-11-24T11:59:59.000Z',
        identifiers: [device],
        properties: { name: 'Home' },
        context: { ip: '177.10.20.30' },
      },
    ],
    answer: ok,
  },
  {
    title: 'a bad event among good ones',
    request: {
      method: 'POST',
      path: '/v1/batch',
      headers: basic,
      body: { batch: [track({}), track({ type: 'merge' }), track({ event: null }), track({})] },
    },
    events: [tracked({}), tracked({})],
    rejected: [
      { code: 'UNKNOWN_CALL', path: '/batch/1/type' },
      { code: 'INVALID', path: '/batch/2/event' },
    ],
    answer: ok,
  },
  {
    title: 'a webhook with the secret in its header',
    request: {
      method: 'POST',
      path: '/in/rudderstack',
      headers: { 'user-agent': 'RudderLabs', 'X-Anuente-Token': WEBHOOK_TOKEN },
      body: {
        ...track({ messageId: 'm-1', channel: 'web', rudderId: 'r-1', request_ip: '177.10.20.30' }),
        // Corrected by RudderStack already.
        timestamp: '2026-11-24T11:00:00.000Z',
        originalTimestamp: '2026-11-24T10:00:00.000Z',
        sentAt: '2026-11-24T10:00:01.000Z',
        receivedAt: '2026-11-24T11:00:01.000Z',
        context: { ip: '177.10.20.30', traits: { email: 'ana@example.com' } },
      },
    },
    events: [
      tracked({
        messageId: 'm-1',
        timestamp: '2026-11-24T11:00:00.000Z',
        identifiers: [user, { type: 'email', value: 'ana@example.com' }],
        traits: { email: 'ana@example.com' },
        context: { channel: 'web', ip: '177.10.20.30' },
      }),
    ],
    answer: ok,
  },
  {
    title: 'a webhook batch with the secret in its address',
    request: {
      method: 'POST',
      path: '/in/rudderstack',
      query: { token: WEBHOOK_TOKEN },
      body: [track({ messageId: 'm-1' }), 1],
    },
    events: [tracked({ messageId: 'm-1' })],
    rejected: [{ code: 'INVALID', path: '/1' }],
    answer: ok,
  },
]
