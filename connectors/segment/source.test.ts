import { generateKeyPairSync } from 'node:crypto'
import { Analytics } from '@segment/analytics-node'
import { SignJWT } from 'jose'
import type { Static } from 'typebox'
import { afterEach, describe, expect, it } from 'vitest'
import type { HttpAnswer, RawRequest, SourceItem } from '../../core/kit/index.ts'
import {
  EXAMPLE_TIME,
  type ExampleRequest,
  eventsOf,
  rawRequest,
  rejectedOf,
  sourceContract,
} from '../../core/testing/source-contract.ts'
import { type SourceServer, serveSource } from '../../core/testing/source-server.ts'
import { examples, SHARED_SECRET, signed, WRITE_KEY } from './examples.ts'
import segment from './source.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const settings: Static<typeof segment.settings> = {
  writeKey: WRITE_KEY,
  sharedSecret: SHARED_SECRET,
  oauth: { clientId: 'client-1', publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() },
}
const track = { type: 'track', event: 'Clicked', userId: 'u-1', messageId: 'm-1' }

/** An assertion as the SDK signs it. */
const assertion = (claims: Record<string, unknown> = {}, key = privateKey) => {
  const now = Date.parse(EXAMPLE_TIME) / 1000
  return new SignJWT({
    iss: 'client-1',
    sub: 'client-1',
    aud: 'https://hub.example',
    iat: now - 5,
    exp: now + 55,
    jti: crypto.randomUUID(),
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', kid: 'k', typ: 'JWT' })
    .sign(key)
}
const tokenRequest = (token: string): ExampleRequest => ({
  method: 'POST',
  path: '/token',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: `grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=${token}&scope=tracking_api:write`,
})
const batchWith = (authorization: string, receivedAt = EXAMPLE_TIME): RawRequest =>
  rawRequest({ method: 'POST', path: '/v1/batch', headers: { authorization }, body: { batch: [track] }, receivedAt })

const freshAssertion = await assertion()

sourceContract(segment, {
  settings,
  publicSettings: ['writeKey'],
  examples,
  refused: [
    { title: 'no key', request: { method: 'POST', path: '/v1/track', body: track }, exit: 'UNKNOWN_KEY' },
    {
      title: 'another key in the body',
      request: { method: 'POST', path: '/v1/track', body: { ...track, writeKey: 'wk_other' } },
      exit: 'UNKNOWN_KEY',
    },
    {
      title: 'the client id as a write key',
      request: { method: 'POST', path: '/v1/track', body: { ...track, writeKey: 'oauth:client-1' } },
      exit: 'UNKNOWN_KEY',
    },
    {
      title: 'a bearer that is no token',
      request: {
        method: 'POST',
        path: '/v1/batch',
        headers: { authorization: 'Bearer x.y.z' },
        body: { writeKey: WRITE_KEY, batch: [track] },
      },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a bearer when OAuth is not set up',
      request: {
        method: 'POST',
        path: '/v1/batch',
        headers: { authorization: `Bearer ${freshAssertion}` },
        body: { batch: [track] },
      },
      exit: 'BAD_SIGNATURE',
      settings: { writeKey: WRITE_KEY },
    },
    {
      title: 'a webhook without signature',
      request: { method: 'POST', path: '/in/segment', body: track },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a webhook with the write key instead of a signature',
      request: { method: 'POST', path: '/in/segment', body: { ...track, writeKey: WRITE_KEY } },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a webhook signed with another secret',
      request: signed('/in/segment', track, 'another secret'),
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'a webhook signed for a source without secret',
      request: signed('/in/segment', track, ''),
      exit: 'BAD_SIGNATURE',
      settings: { writeKey: WRITE_KEY },
    },
    {
      title: 'settings of another key',
      request: { method: 'GET', path: '/v1/projects/wk_other/settings' },
      exit: 'UNKNOWN_KEY',
    },
    {
      title: 'a token for another client',
      request: tokenRequest(await assertion({ iss: 'client-2', sub: 'client-2' })),
      exit: 'UNKNOWN_KEY',
    },
  ],
  unreadable: [
    {
      title: 'half of a JSON is malformed',
      request: { method: 'POST', path: '/v1/batch', body: '{"batch":[' },
      code: 'MALFORMED_JSON',
    },
    {
      title: 'a batch without list is invalid',
      request: { method: 'POST', path: '/v1/batch', body: { batch: {} } },
      code: 'INVALID',
    },
    {
      title: 'a list at a single call is invalid',
      request: { method: 'POST', path: '/v1/track', body: [track] },
      code: 'INVALID',
    },
  ],
  replies: [
    {
      title: 'settings that boot the browser library',
      request: { method: 'GET', path: `/v1/projects/${WRITE_KEY}/settings` },
      answer: {
        status: 200,
        body: JSON.parse(
          `{"integrations":{"Segment.io":{"apiKey":"${WRITE_KEY}","unbundledIntegrations":[],"addBundledMetadata":true,"maybeBundledConfigIds":{},"versionSettings":{"version":"4.4.7","componentTypes":["browser"]}}},"plan":{"track":{"__default":{"enabled":true,"integrations":{}}},"identify":{"__default":{"enabled":true}},"group":{"__default":{"enabled":true}}},"edgeFunction":{},"analyticsNextEnabled":true,"middlewareSettings":{},"enabledMiddleware":{},"metrics":{"sampleRate":0},"legacyVideoPluginsEnabled":false,"remotePlugins":[]}`,
        ),
      },
    },
    {
      title: 'a token for a signed assertion',
      request: tokenRequest(freshAssertion),
      answer: {
        status: 200,
        headers: { 'cache-control': 'no-store' },
        body: { access_token: expect.any(String), token_type: 'Bearer', expires_in: 3595 },
      },
    },
  ],
})

describe('OAuth', () => {
  const grant = async (token: string): Promise<HttpAnswer> =>
    (await segment.reply?.(rawRequest(tokenRequest(token)), settings, 'site'))!
  const tokenOf = ({ body }: HttpAnswer) => (body as { access_token: string }).access_token

  it('lets a batch in with the token, without write key, and finds the source by it', async () => {
    const request = batchWith(`Bearer ${tokenOf(await grant(await assertion()))}`)
    expect(segment.credentials(request)).toEqual(['oauth:client-1'])
    expect(segment.keys(settings)).toContain('oauth:client-1')
    expect(await segment.verify(request, settings)).toBe(true)
  })

  it('grants an assertion once', async () => {
    const token = await assertion()
    expect((await grant(token)).status).toBe(200)
    expect(await grant(token)).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  })

  it('ends a token after an hour', async () => {
    const token = tokenOf(await grant(await assertion()))
    expect(await segment.verify(batchWith(`Bearer ${token}`, '2026-11-24T12:59:00.000Z'), settings)).toBe(true)
    expect(await segment.verify(batchWith(`Bearer ${token}`, '2026-11-24T13:00:00.000Z'), settings)).toBe(
      'BAD_SIGNATURE',
    )
  })

  it('refuses a token of another source', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString()
    const token = tokenOf(await grant(await assertion()))
    const elsewhere = [
      { oauth: { clientId: 'client-1', publicKey: other } },
      { oauth: { clientId: 'client-2', publicKey: settings.oauth!.publicKey } },
      { oauth: { ...settings.oauth!, audience: 'https://other.example' } },
    ]
    for (const its of elsewhere) expect(await segment.verify(batchWith(`Bearer ${token}`), its)).toBe('BAD_SIGNATURE')
  })

  it.each([
    ['expired', async () => assertion({ iat: 1_000_000_000, exp: 1_000_000_060 })],
    ['from the future', async () => assertion({ iat: 4_000_000_000, exp: 4_000_000_060 })],
    ['without jti', async () => assertion({ jti: '' })],
    ['of another subject', async () => assertion({ sub: 'client-2' })],
    [
      'signed with another key',
      async () => assertion({}, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    ],
    [
      // The public key is public: a MAC made with it must not pass for a signature.
      'authenticated with the public key as HMAC secret',
      async () =>
        new SignJWT({
          iss: 'client-1',
          sub: 'client-1',
          jti: 'x',
          iat: Date.parse(EXAMPLE_TIME) / 1000,
          exp: Date.parse(EXAMPLE_TIME) / 1000 + 60,
        })
          .setProtectedHeader({ alg: 'HS256' })
          .sign(Buffer.from(settings.oauth!.publicKey)),
    ],
    ['that is not a JWT', async () => 'hello'],
  ])('gives no token for an assertion %s', async (_title, make) => {
    const token = await make()
    expect((await grant(token)).status).toBe(401)
    expect(await segment.verify(batchWith(`Bearer ${token}`), settings)).toBe('BAD_SIGNATURE')
  })

  it('says what is wrong with another grant', async () => {
    const answer = await segment.reply?.(
      rawRequest({ method: 'POST', path: '/token', body: 'grant_type=password' }),
      settings,
      'site',
    )
    expect(answer).toMatchObject({ status: 400, body: { error: 'unsupported_grant_type' } })
  })
})

describe('what a batch shares', () => {
  const read = (body: object) => segment.normalize(rawRequest({ method: 'POST', path: '/v1/batch', body }), settings)

  it('refuses every event, and loses none, when it is larger than an event may be', () => {
    const items = read({ batch: [track, track], context: { page: 'x'.repeat(33_000) } })
    expect(rejectedOf(items)).toEqual([
      { code: 'EVENT_TOO_LARGE', path: '/context' },
      { code: 'EVENT_TOO_LARGE', path: '/context' },
    ])
    expect(items.map((item: SourceItem) => item.raw)).toEqual([track, track])
  })

  it('is invalid for every event when it is no object', () => {
    expect(rejectedOf(read({ batch: [track], integrations: 'all' }))).toEqual([
      { code: 'INVALID', path: '/integrations' },
    ])
  })

  it('keeps a hostile key as an ordinary key of the raw event, where the hub finds it', () => {
    const body =
      '{"context":{"__proto__":{"polluted":true}},"batch":[{"type":"track","event":"X","userId":"u","__proto__":{"polluted":true}}]}'
    const [item] = segment.normalize(rawRequest({ method: 'POST', path: '/v1/batch', body }), settings)
    const raw = item!.raw as { context: object; polluted?: boolean }
    expect(Object.hasOwn(raw, '__proto__')).toBe(true)
    expect(Object.hasOwn(raw.context, '__proto__')).toBe(true)
    expect(raw.polluted).toBeUndefined()
  })
})

describe('the real server SDK', () => {
  const servers: SourceServer[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })
  const listen = async (own: Static<typeof segment.settings>, overloaded = 0) => {
    const server = await serveSource(segment, own, { overloaded })
    servers.push(server)
    return server
  }

  it('gets every call through as it was given', async () => {
    const hub = await listen(settings)
    const analytics = new Analytics({ writeKey: WRITE_KEY, host: hub.url, flushInterval: 50 })
    const timestamp = '2026-11-24T09:00:00-03:00'
    const properties = {
      product_id: '507f',
      name: 'Tênis Corrida São João',
      price: 219.9,
      quantity: 2,
      cart_id: 'cart-1',
    }
    analytics.identify({
      userId: 'u-123',
      anonymousId: 'a-1',
      traits: { email: 'Ana@Example.com', plan: 'ouro' },
      messageId: 'own-1',
      timestamp,
    })
    analytics.track({
      userId: 'u-123',
      event: 'Product Added',
      properties,
      context: {
        ip: '177.10.20.30',
        userAgent: 'Mozilla/5.0',
        consent: { categoryPreferences: { Advertising: true, Analytics: false } },
      },
    })
    analytics.page({ anonymousId: 'a-1', category: 'Loja', name: 'Home', properties: { url: 'https://loja.example/' } })
    analytics.screen({ anonymousId: 'a-1', name: 'Carrinho' })
    analytics.group({
      userId: 'u-123',
      groupId: 'g-1',
      traits: { name: 'Loja Exemplo', email: 'contato@loja.example' },
    })
    analytics.alias({ previousId: 'a-1', userId: 'u-123' })
    analytics.track({
      userId: 'u-123',
      event: 'completed order',
      properties: { order_id: 'o-1', anuente_delivery_id: 'd-1' },
    })
    await analytics.closeAndFlush()

    const library = { name: '@segment/analytics-node', version: '3.1.0' }
    const clock = {
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      sentAt: expect.stringMatching(/^\d{4}-.*Z$/),
      messageId: expect.stringMatching(/^node-next-/),
    }
    const user = { type: 'userId', value: 'u-123' }
    const device = { type: 'anonymousId', value: 'a-1' }
    expect(hub.events).toEqual([
      {
        ...clock,
        type: 'identify',
        messageId: 'own-1',
        timestamp: '2026-11-24T09:00:00-03:00',
        identifiers: [user, { type: 'email', value: 'Ana@Example.com' }, device],
        traits: { email: 'Ana@Example.com', plan: 'ouro' },
        context: { library },
      },
      {
        ...clock,
        type: 'track',
        name: 'Product Added',
        identifiers: [user],
        properties,
        context: { library, ip: '177.10.20.30', userAgent: 'Mozilla/5.0' },
        consent: [
          {
            vendor: 'segment',
            answers: { Advertising: { answer: 'granted' }, Analytics: { answer: 'denied' } },
            method: 'cmp_string',
            actor: 'browser_signal',
            raw: { categoryPreferences: { Advertising: true, Analytics: false } },
          },
        ],
      },
      {
        ...clock,
        type: 'page',
        name: 'Home',
        identifiers: [device],
        properties: { category: 'Loja', url: 'https://loja.example/' },
        context: { library },
      },
      { ...clock, type: 'screen', name: 'Carrinho', identifiers: [device], context: { library } },
      {
        ...clock,
        type: 'group',
        identifiers: [user],
        properties: { groupId: 'g-1', name: 'Loja Exemplo', email: 'contato@loja.example' },
        context: { library },
      },
      { ...clock, type: 'alias', identifiers: [user], previousId: 'a-1', context: { library } },
      {
        ...clock,
        type: 'track',
        name: 'Order Completed',
        originalName: 'completed order',
        identifiers: [user],
        properties: { order_id: 'o-1', anuente_delivery_id: 'd-1' },
        context: { library },
        deliveryId: 'd-1',
      },
    ])
  })

  it('repeats the same message ids when the hub is behind', async () => {
    const hub = await listen(settings, 1)
    const analytics = new Analytics({ writeKey: WRITE_KEY, host: hub.url, flushInterval: 20 })
    analytics.track({ userId: 'u-1', event: 'Order Completed' })
    await analytics.closeAndFlush()
    expect(hub.requests.map(({ headers }) => headers['x-retry-count'])).toEqual([undefined, '1'])
    const ids = hub.requests.map((request) =>
      eventsOf(segment.normalize(request, settings)).map((event) => event.messageId),
    )
    expect(ids[1]).toEqual(ids[0])
  })

  it('authenticates by OAuth', async () => {
    const hub = await listen({ oauth: settings.oauth! })
    const analytics = new Analytics({
      writeKey: 'not a key of the hub',
      host: hub.url,
      flushInterval: 20,
      oauthSettings: {
        clientId: 'client-1',
        clientKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        keyId: 'k',
        authServer: hub.url,
      },
    })
    analytics.track({ userId: 'u-1', event: 'Order Completed' })
    await analytics.closeAndFlush()
    expect(hub.requests.map(({ path }) => path)).toEqual(['/token', '/v1/batch'])
    expect(hub.requests[1]?.headers['authorization']).toMatch(/^Bearer /)
    expect(hub.events.map(({ name }) => name)).toEqual(['Order Completed'])
  })
})
