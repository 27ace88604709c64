// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how anuente.yaml writes references.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Type } from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LoadedConfig, loadConfig } from '../config.ts'
import { defineDestination, type Registry } from '../kit/define.ts'
import { preview } from './preview.ts'

const none = { manual: { pt: 'à mão', en: 'by hand' } }
const words = { pt: 'x', en: 'x' }
const mailer = defineDestination({
  id: 'mailer',
  name: 'Mailer',
  docs: 'https://example.com',
  support: 'community',
  baseUrl: 'https://api.vendor.example/v3',
  settings: Type.Object({ token: Type.String({ secret: true }), list: Type.String({ default: 'main' }) }),
  authenticate: ({ token }) => ({ authorization: `Bearer ${token}`, 'x-key': token }),
  limits: { perSecond: 1, concurrency: 1 },
  actions: {
    upsert: {
      title: words,
      description: words,
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email: Type.String({ pii: true, from: 'identifiers.email' }),
        name: Type.Optional(Type.String({ from: 'traits.name' })),
        plan: Type.Optional(Type.String({ from: 'traits.plan' })),
      }),
      perform: async ({ http, payload, settings, now }) => {
        await http.lookup('/lists', { query: { id: settings.list } })
        return http.request('POST', '/people', { json: { ...payload, at: now.toISOString() } })
      },
    },
    measure: {
      title: words,
      description: words,
      purpose: 'analytics',
      kind: 'event',
      identifier: [],
      idempotency: 'none',
      payload: Type.Object({ name: Type.String({ from: 'name' }) }),
      perform: ({ http, payload }) => http.request('POST', '/measures', { json: payload }),
    },
    order: {
      title: words,
      description: words,
      purpose: 'orders',
      kind: 'event',
      identifier: [],
      idempotency: 'none',
      trigger: { type: 'track', name: 'Order Completed' },
      payload: Type.Object({ total: Type.Number({ from: 'properties.total' }) }),
      batch: { max: 10 },
      performBatch: async ({ http, items }) => {
        await http.request('POST', '/orders', { form: { total: String(items[0]?.payload.total) } })
        return items.map(() => ({ status: 'delivered' as const }))
      },
    },
  },
  check: async () => ({ ok: true, detail: '' }),
  deleteSubject: none,
  exportSubject: none,
  correctSubject: none,
  feedback: { none: words },
})
const registry: Registry = { sources: new Map(), destinations: new Map([['mailer', mailer]]) }
const ask = (value: Record<string, unknown>, loaded?: LoadedConfig) =>
  preview({ destination: 'mailer', settings: { token: 'tok-1' }, consent: 'granted', ...value }, { registry, loaded })
const ana = { type: 'identify', userId: 'u1', traits: { email: ' Ana@Example.com ', name: 'Ana', plan: 'gold' } }
const order = { type: 'track', event: 'Order Completed', userId: 'u1', properties: { total: 49.9 } }

describe('a connector by itself', () => {
  test('shows the look-up and the write, with defaults, clock and credentials', async () => {
    const headers = { accept: 'application/json', authorization: 'Bearer tok-1', 'x-key': 'tok-1' }
    expect(await ask({ event: ana, now: '2026-11-24T12:00:00Z' })).toEqual({
      requests: [
        { method: 'GET', url: 'https://api.vendor.example/v3/lists?id=main', headers },
        {
          method: 'POST',
          url: 'https://api.vendor.example/v3/people',
          headers: { ...headers, 'content-type': 'application/json' },
          body: { email: 'ana@example.com', name: 'Ana', plan: 'gold', at: '2026-11-24T12:00:00.000Z' },
        },
      ],
    })
  })

  test('a batch action and a form', async () => {
    expect(await ask({ event: order })).toMatchObject({
      requests: [{ url: 'https://api.vendor.example/v3/orders', body: 'total=49.9' }],
    })
  })

  test('every purpose may activate: a configuration decides whether it really does', async () => {
    const about = { action: 'measure', event: order }
    expect(await ask(about)).toMatchObject({ requests: [{ body: { name: 'Order Completed' } }] })
    expect(await ask({ ...about, consent: { analytics: 'revoked' } })).toMatchObject({
      halt: { code: 'BLOCKED_BY_CONSENT', purpose: 'analytics', status: 'revoked' },
    })
  })

  test('a consent that is no word of the ledger is told with those that are', async () => {
    for (const consent of ['yes', { email_marketing: 'withdrawn' }])
      expect(await ask({ event: ana, consent })).toMatchObject({
        error: {
          code: 'INVALID',
          message: expect.stringContaining('unknown, granted, denied'),
          path: expect.stringMatching(/^\/consent/),
        },
      })
  })

  test('takes a canonical event, and the profile for what the event lacks', async () => {
    const event = {
      schemaVersion: 1,
      id: '01J',
      messageId: 'm1',
      type: 'track',
      name: 'Product Viewed',
      occurredAt: '2026-11-24T10:00:00.000Z',
      receivedAt: '2026-11-24T10:00:00.000Z',
      source: { id: 's', connector: 'segment', payloadHash: 'x' },
      subject: { identifiers: [{ type: 'userId', value: 'u1' }] },
      traits: {},
      properties: {},
      context: {},
      consent: [],
    }
    const profile = { traits: { email: 'ana@example.com', name: 'Ana' } }
    const result = await ask({ action: 'upsert', event, profile })
    expect(result).toMatchObject({ requests: [{}, { body: { email: 'ana@example.com', name: 'Ana' } }] })
    expect(await ask({ action: 'upsert', event: { ...event, id: 7 } })).toMatchObject({
      error: { code: 'INVALID', path: '/event/id' },
    })
  })

  test('the event may name nobody when the profile does', async () => {
    const result = await ask({
      action: 'upsert',
      event: { type: 'track', event: 'X' },
      profile: { identifiers: { email: 'ana@example.com' } },
    })
    expect(result).toMatchObject({ requests: [{}, { body: { email: 'ana@example.com' } }] })
  })
})

describe('what does not leave has a code', () => {
  test.each([
    [
      'no consent given',
      { event: ana, consent: undefined },
      { code: 'BLOCKED_BY_CONSENT', purpose: 'email_marketing', status: 'unknown' },
    ],
    [
      'consent refused',
      { event: ana, consent: { email_marketing: 'revoked' } },
      { code: 'BLOCKED_BY_CONSENT', status: 'revoked' },
    ],
    [
      'consent to something else',
      { event: ana, consent: { sms_marketing: 'granted' } },
      { code: 'BLOCKED_BY_CONSENT' },
    ],
    ['nobody to reach', { event: { type: 'identify', userId: 'u1' } }, { code: 'NOT_REACHABLE' }],
    [
      'a payload that does not fit',
      { event: { ...order, properties: {} } },
      { code: 'MAPPING_FAILED', path: '/total' },
    ],
    ['no action that follows', { event: { type: 'page', userId: 'u1' } }, { code: 'NOT_MATCHED' }],
  ])('%s', async (_, value, halt) => expect(await ask(value)).toMatchObject({ halt }))

  test.each([
    ['an unknown destination', { destination: 'nobody', event: ana }, { path: '/destination' }],
    ['an unknown action', { action: 'fly', event: ana }, { code: 'UNKNOWN_ACTION', path: '/action' }],
    ['wrong settings', { settings: { token: 7 }, event: ana }, { code: 'CONFIG' }],
    [
      'an event that cannot be read',
      { event: { type: 'nope', userId: 'u1' } },
      { code: 'UNKNOWN_CALL', path: '/event/type' },
    ],
    ['an unknown status', { event: ana, consent: { email_marketing: 'yes' } }, { code: 'INVALID' }],
    ['a key nobody knows', { event: ana, evnt: 1 }, { code: 'INVALID' }],
  ])('%s is an error', async (_, value, error) => expect(await ask(value)).toMatchObject({ error }))

  test('anything that is no object is an error', async () => {
    for (const input of [null, 7, 'x', []])
      expect(await preview(input, { registry })).toMatchObject({ error: { code: 'INVALID' } })
  })
})

describe('an instance of the configuration', () => {
  let dir: string
  let loaded: LoadedConfig
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'anuente-preview-'))
    writeFileSync(
      join(dir, 'anuente.yaml'),
      `organization: {name: Loja}
sources: {}
purposes:
  news: {basis: consent, scope: person, title: {pt: x, en: x}, collects: [{identify: [email, name]}], stages: [collect, decide, activate]}
  orders: {basis: contract, scope: person, title: {pt: x, en: x}, collects: ["Order *"], stages: [collect, decide, activate]}
destinations:
  mail: {connector: mailer, country: BR, purposes: {email_marketing: news}, settings: {token: "\${TOKEN}"}}
  abroad: {connector: mailer, country: US, purposes: {email_marketing: news}, settings: {token: "\${TOKEN}"}}
  partner: {connector: mailer, country: BR, role: controller, purposes: {email_marketing: news}, settings: {token: "\${TOKEN}"}}
`,
    )
    loaded = loadConfig(join(dir, 'anuente.yaml'), { registry, env: { TOKEN: 'configured-token' } })
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  test('an action sees only the fields its purpose declares, and the credentials stay hidden', async () => {
    const result = await ask(
      { destination: 'mail', settings: undefined, event: ana, consent: { news: 'granted' } },
      loaded,
    )
    expect(result).toMatchObject({ requests: [{}, { body: { email: 'ana@example.com', name: 'Ana' } }] })
    expect(JSON.stringify(result)).not.toMatch(/configured-token|gold/)
  })

  test('the gates of sharing and transfer are asked', async () => {
    const consent = { news: 'granted' }
    const of = (destination: string, more = {}) =>
      ask({ destination, settings: undefined, event: ana, consent: { ...consent, ...more } }, loaded)
    expect(await of('abroad')).toMatchObject({ halt: { code: 'BLOCKED_BY_TRANSFER' } })
    expect(await of('partner')).toMatchObject({ halt: { code: 'BLOCKED_BY_SHARING' } })
    expect(await of('partner', { 'share.partner': 'granted' })).toHaveProperty('requests')
  })

  test('a purpose the destination does not declare', async () => {
    expect(
      await ask({ destination: 'mail', action: 'order', settings: undefined, event: order }, loaded),
    ).toMatchObject({ halt: { code: 'UNDECLARED', purpose: 'orders' } })
  })
})
