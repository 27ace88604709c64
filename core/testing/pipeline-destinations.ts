/** Small vendors that exist only in tests: one action of every lane kind and every idempotency. */
import { Type } from 'typebox'
import { type ActionDefinition, type AnyDestination, defineDestination } from '../kit/define.ts'
import { readRetryAfter } from '../kit/http.ts'

const words = (text: string) => ({ pt: text, en: text })
const NOBODY = { impossible: words('It is a test.') }

const Message = Type.Object({
  to: Type.String({ from: 'identifiers.email', pii: true }),
  text: Type.Optional(Type.String()),
  product: Type.Optional(Type.String({ from: 'properties.product_id' })),
  name: Type.Optional(Type.String({ from: 'traits.name', pii: true })),
  total: Type.Optional(Type.Number({ from: 'cart.total' })),
  stop: Type.Optional(Type.String({ from: 'links.stop' })),
})
const Contact = Type.Object({
  email: Type.String({ from: ['identifiers.email', 'traits.email'], pii: true }),
  name: Type.Optional(Type.String({ from: 'traits.name', pii: true })),
  plan: Type.Optional(Type.String({ from: 'traits.plan' })),
})
const Sale = Type.Object({
  id: Type.String({ from: 'messageId' }),
  order: Type.Optional(Type.String({ from: 'properties.order_id' })),
})

const COMMON = {
  docs: 'https://vendor.example/docs',
  support: 'community',
  baseUrl: 'https://vendor.example',
  settings: Type.Object({}),
  check: async () => ({ ok: true, detail: 'ok' }),
  deleteSubject: NOBODY,
  exportSubject: NOBODY,
  correctSubject: NOBODY,
  feedback: { none: words('It is a test.') },
} as const

type Idempotency = ActionDefinition<unknown, typeof Message>['idempotency']

const message = (id: string, idempotency: Idempotency) => ({
  title: words(id),
  description: words(id),
  purpose: 'email_marketing',
  channel: 'email',
  kind: 'message' as const,
  identifier: ['email' as const],
  renders: 'vendor' as const,
  idempotency,
  payload: Message,
})

/** Sends messages, one request each. The daily quota of `daily` is one message per contact. */
export const mail = defineDestination({
  ...COMMON,
  id: 'mail',
  name: 'Mail',
  limits: { perSecond: 1000, concurrency: 4, perContact: [{ seconds: 86_400, max: 1, actions: ['daily'] }] },
  actions: {
    send: {
      ...message('send', 'none'),
      perform: ({ http, payload, delivery }) =>
        http.request('POST', '/send', { json: { ...payload, delivery: delivery.id } }),
    },
    keyed: {
      ...message('keyed', { key: 24 }),
      perform: ({ http, payload, delivery }) =>
        http.request('POST', '/send', { json: payload, headers: { 'idempotency-key': delivery.key } }),
    },
    /** Looks the contact up before it writes. */
    checked: {
      ...message('checked', 'none'),
      async perform({ http, payload }) {
        await http.lookup('/contact')
        return http.request('POST', '/send', { json: payload })
      },
    },
    daily: {
      ...message('daily', 'none'),
      perform: ({ http, payload }) => http.request('POST', '/daily', { json: payload }),
    },
  },
})

/** Keeps contacts (state), told of every identify and, by rules, one request each. */
export const crm = defineDestination({
  ...COMMON,
  id: 'crm',
  name: 'CRM',
  limits: { perSecond: 1000, concurrency: 4 },
  actions: {
    upsert: {
      title: words('upsert'),
      description: words('upsert'),
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Contact,
      echo: ({ email }) => `contact:${email}`,
      perform: ({ http, payload }) => http.request('PUT', '/contacts', { json: payload }),
    },
    unsubscribe: {
      title: words('unsubscribe'),
      description: words('unsubscribe'),
      purpose: 'customer_care',
      withdraws: ['email_marketing'],
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: Type.String({ from: 'identifiers.email', pii: true }) }),
      perform: ({ http, payload, signals }) =>
        http.request('POST', '/unsubscribe', { json: { ...payload, rd: signals.rd } }),
    },
  },
})

/** Takes events: `sale` one by one, `view` in batches. */
export const ads = defineDestination({
  ...COMMON,
  id: 'ads',
  name: 'Ads',
  limits: { perSecond: 1000, concurrency: 4 },
  actions: {
    sale: {
      title: words('sale'),
      description: words('sale'),
      purpose: 'orders',
      kind: 'event',
      identifier: [],
      idempotency: 'none',
      trigger: { type: 'track', name: 'Order *' },
      payload: Sale,
      perform: ({ http, payload }) => http.request('POST', '/sales', { json: payload }),
    },
    view: {
      title: words('view'),
      description: words('view'),
      purpose: 'email_marketing',
      kind: 'event',
      identifier: [],
      idempotency: 'none',
      trigger: { type: 'track', name: 'Product Viewed' },
      payload: Sale,
      batch: { max: 10 },
      async performBatch({ http, items }) {
        const response = await http.send({
          method: 'POST',
          url: 'https://vendor.example/views',
          headers: {},
          body: JSON.stringify(items.map(({ payload }) => payload)),
        })
        const answers = (response.json as { status?: number }[] | undefined) ?? []
        return items.map((_, index) => {
          const status = answers[index]?.status ?? response.status
          if (status < 300) return { status: 'delivered' as const }
          const retryAfterMs = readRetryAfter(response.headers['retry-after'])
          return status >= 500 || status === 429
            ? {
                status: 'retry' as const,
                reason: `item ${status}`,
                ...(retryAfterMs !== undefined && { retryAfterMs }),
              }
            : { status: 'rejected' as const, reason: `item ${status}` }
        })
      },
    },
  },
})

/** A gateway with a quota per minute, look-ups included, that says inside its 200 whether it took the text. */
export const sms = defineDestination({
  ...COMMON,
  id: 'sms',
  name: 'SMS',
  limits: { perSecond: 1000, concurrency: 4, windows: [{ seconds: 60, max: 10 }] },
  verdict: ({ status, json }) =>
    status === 200 && (json as { accepted?: boolean } | undefined)?.accepted === false
      ? { status: 'rejected', reason: 'not accepted' }
      : undefined,
  actions: {
    text: {
      ...message('text', 'none'),
      channel: 'sms',
      perform: ({ http, payload }) => http.request('POST', '/text', { json: payload }),
    },
    checked: {
      ...message('checked', 'none'),
      channel: 'sms',
      async perform({ http, payload }) {
        await http.lookup('/contact')
        return http.request('POST', '/text', { json: payload })
      },
    },
  },
})

const Member = Type.Object({
  email: Type.String({ from: 'identifiers.email', pii: true }),
  audience: Type.String({ description: 'Id of the list.' }),
})

const member = (id: string, purpose: string) => ({
  title: words(id),
  description: words(id),
  purpose,
  kind: 'event' as const,
  identifier: ['email' as const],
  idempotency: 'natural' as const,
  payload: Member,
})

const Traits = Type.Object({
  email: Type.String({ from: 'identifiers.email', pii: true }),
  traits: Type.Record(Type.String(), Type.Unknown(), { minProperties: 1 }),
})

/** Keeps lists of people: what audiences are told to. */
export const lists = defineDestination({
  ...COMMON,
  id: 'lists',
  name: 'Lists',
  limits: { perSecond: 1000, concurrency: 4 },
  actions: {
    addToAudience: {
      ...member('addToAudience', 'email_marketing'),
      perform: ({ http, payload }) => http.request('PUT', '/members', { json: payload }),
    },
    sendTraits: {
      ...member('sendTraits', 'email_marketing'),
      kind: 'state' as const,
      payload: Traits,
      perform: ({ http, payload }) => http.request('PATCH', '/members', { json: payload }),
    },
    removeFromAudience: {
      ...member('removeFromAudience', 'customer_care'),
      perform: ({ http, payload }) => http.request('DELETE', '/members', { json: payload }),
    },
  },
})

export const TEST_DESTINATIONS: ReadonlyMap<string, AnyDestination> = new Map<string, AnyDestination>([
  ['mail', mail],
  ['crm', crm],
  ['ads', ads],
  ['sms', sms],
  ['lists', lists],
])
