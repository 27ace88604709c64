import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import type { Static } from 'typebox'
import { afterEach, describe, expect, it } from 'vitest'
import { eventsOf, rawRequest, sourceContract } from '../../core/testing/source-contract.ts'
import { type SourceServer, serveSource } from '../../core/testing/source-server.ts'
import { examples, WEBHOOK_TOKEN, WRITE_KEY } from './examples.ts'
import rudderstack from './source.ts'

const settings: Static<typeof rudderstack.settings> = { writeKey: WRITE_KEY, webhookToken: WEBHOOK_TOKEN }
const track = { type: 'track', event: 'Clicked', userId: 'u-1', messageId: 'm-1' }
const basic = { authorization: `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}` }
const boot = {
  status: 200,
  body: {
    source: {
      id: 'app',
      name: 'app',
      writeKey: WRITE_KEY,
      enabled: true,
      workspaceId: 'anuente',
      config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } },
      connections: [],
      destinations: [],
      dataplanes: {},
      sourceDefinition: { id: 'javascript', name: 'Javascript', category: null },
    },
    updatedAt: '2026-01-01T00:00:00Z',
    consentManagementMetadata: { providers: [] },
  },
}

sourceContract(rudderstack, {
  settings,
  sourceId: 'app',
  publicSettings: ['writeKey'],
  examples,
  refused: [
    { title: 'no key', request: { method: 'POST', path: '/v1/batch', body: { batch: [track] } }, exit: 'UNKNOWN_KEY' },
    {
      title: 'another key',
      request: { method: 'POST', path: '/v1/batch', query: { writeKey: 'wk_other' }, body: { batch: [track] } },
      exit: 'UNKNOWN_KEY',
    },
    {
      title: 'the webhook token instead of the key',
      request: { method: 'POST', path: '/v1/track', query: { token: WEBHOOK_TOKEN }, body: track },
      exit: 'UNKNOWN_KEY',
    },
    {
      title: 'a source without key',
      request: { method: 'POST', path: '/v1/track', headers: basic, body: track },
      exit: 'UNKNOWN_KEY',
      settings: { webhookToken: WEBHOOK_TOKEN },
    },
    {
      title: 'a webhook without token',
      request: { method: 'POST', path: '/in/app', body: track },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a webhook with the write key instead of the token',
      request: { method: 'POST', path: '/in/app', headers: basic, body: track },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a webhook with another token',
      request: { method: 'POST', path: '/in/app', query: { token: `${WEBHOOK_TOKEN}x` }, body: track },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a webhook with an empty token for a source without one',
      request: { method: 'POST', path: '/in/app', query: { token: '' }, body: track },
      exit: 'BAD_SIGNATURE',
      settings: { writeKey: WRITE_KEY },
    },
    {
      title: 'a webhook whose token is in another header',
      request: { method: 'POST', path: '/in/app', headers: { 'x-anuente-token': WEBHOOK_TOKEN }, body: track },
      exit: 'BAD_SIGNATURE',
      settings: { ...settings, webhookHeader: 'X-Own' },
    },
  ],
  unreadable: [
    {
      title: 'a JSON that is not one is malformed',
      request: { method: 'POST', path: '/v1/batch', body: 'batch=1' },
      code: 'MALFORMED_JSON',
    },
    {
      title: 'a batch without list is invalid',
      request: { method: 'POST', path: '/v1/batch', body: {} },
      code: 'INVALID',
    },
  ],
  replies: [
    {
      title: 'boot of the browser SDK v3',
      request: {
        method: 'GET',
        path: '/sourceConfig/',
        headers: basic,
        query: { p: 'npm', v: '3.34.1', build: 'modern', writeKey: WRITE_KEY },
      },
      answer: boot,
    },
    {
      title: 'boot of older SDKs',
      request: { method: 'GET', path: '/sourceConfig', query: { writeKey: WRITE_KEY } },
      answer: boot,
    },
  ],
})

it('takes the webhook token from the header named in the settings', async () => {
  const request = rawRequest({ method: 'POST', path: '/in/app', headers: { 'X-Own': WEBHOOK_TOKEN }, body: track })
  expect(await rudderstack.verify(request, { ...settings, webhookHeader: 'X-Own' })).toBe(true)
})

describe('the real server SDK', () => {
  const servers: SourceServer[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })
  const listen = async (overloaded = 0) => {
    const server = await serveSource(rudderstack, settings, { overloaded })
    servers.push(server)
    return server
  }

  it.each([
    { gzip: true, type: 'application/x-www-form-urlencoded' },
    { gzip: false, type: 'application/json' },
  ])('gets every call through as it was given, gzip $gzip', async ({ gzip, type }) => {
    const hub = await listen()
    const rudder = new RudderAnalytics(WRITE_KEY, {
      dataPlaneUrl: hub.url,
      gzip,
      flushInterval: 50,
      errorHandler: () => {},
    })
    const timestamp = new Date('2026-11-20T12:00:00.000Z')
    const properties = { product_id: '507f', name: 'Tênis Corrida São João', price: 219.9, quantity: 2 }
    rudder.identify({ userId: 'u-123', traits: { email: 'Ana@Example.com', plan: 'ouro' }, timestamp })
    rudder.track({
      userId: '42',
      event: 'Product Added',
      properties,
      context: { ip: '177.10.20.30', userAgent: 'Mozilla/5.0' },
    })
    rudder.page({ anonymousId: 'a-1', name: 'Home', properties: { url: 'https://loja.example/' } })
    rudder.screen({ anonymousId: 'a-1', name: 'Carrinho' })
    rudder.group({ userId: 'u-123', groupId: 'g-1', traits: { name: 'Loja Exemplo' } })
    rudder.alias({ previousId: 'a-1', userId: 'u-123' })
    rudder.track({
      userId: 'u-123',
      event: 'Completed Order',
      properties: { order_id: 'o-1' },
      messageId: 'own-1',
    } as Parameters<typeof rudder.track>[0])
    await expect.poll(() => hub.events.length, { timeout: 15_000 }).toBe(7)
    await rudder.flush()

    expect(new Set(hub.requests.map(({ headers }) => headers['content-type']))).toEqual(new Set([type]))
    expect(new Set(hub.requests.map(({ headers }) => headers['content-encoding']))).toEqual(
      new Set([gzip ? 'gzip' : undefined]),
    )
    const context = expect.objectContaining({
      channel: 'server',
      library: { name: 'analytics-node', version: '3.0.13' },
    })
    const clock = {
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      sentAt: expect.stringMatching(/^\d{4}-.*Z$/),
      messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      context,
    }
    const user = { type: 'userId', value: 'u-123' }
    const device = { type: 'anonymousId', value: 'a-1' }
    expect(hub.events).toEqual([
      {
        ...clock,
        type: 'identify',
        timestamp: '2026-11-20T12:00:00.000Z',
        identifiers: [user, { type: 'email', value: 'Ana@Example.com' }],
        traits: { email: 'Ana@Example.com', plan: 'ouro' },
      },
      { ...clock, type: 'track', name: 'Product Added', identifiers: [{ type: 'userId', value: '42' }], properties },
      { ...clock, type: 'page', name: 'Home', identifiers: [device], properties: { url: 'https://loja.example/' } },
      { ...clock, type: 'screen', name: 'Carrinho', identifiers: [device] },
      {
        ...clock,
        type: 'group',
        identifiers: [user],
        properties: { groupId: 'g-1', name: 'Loja Exemplo' },
      },
      { ...clock, type: 'alias', identifiers: [user], previousId: 'a-1' },
      {
        ...clock,
        type: 'track',
        name: 'Order Completed',
        originalName: 'Completed Order',
        messageId: expect.any(String),
        identifiers: [user],
        properties: { order_id: 'o-1' },
      },
    ])
    expect(hub.events[1]?.context).toMatchObject({ ip: '177.10.20.30', userAgent: 'Mozilla/5.0' })
  })

  it('repeats the same message ids when the hub is behind', async () => {
    const hub = await listen(1)
    const rudder = new RudderAnalytics(WRITE_KEY, { dataPlaneUrl: hub.url, flushInterval: 50, errorHandler: () => {} })
    rudder.track({ userId: 'u-1', event: 'Order Completed' })
    await expect.poll(() => hub.events.length, { timeout: 15_000 }).toBe(1)
    const ids = hub.requests.map((request) =>
      eventsOf(rudderstack.normalize(request, settings)).map((event) => event.messageId),
    )
    expect(ids).toHaveLength(2)
    expect(ids[1]).toEqual(ids[0])
  })
})
