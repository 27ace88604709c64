import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HandOverRefused, type HttpResponse, RetryableError, readResponse } from '../../core/kit/index.ts'
import {
  alias,
  destinationContract,
  eventsOf,
  GIVEN,
  group,
  identify,
  itemsOf,
  page,
  plainHttp,
  type RunningSandboxes,
  rawRequest,
  runAction,
  sandboxTransport,
  screen,
  serveSandboxes,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import { leftoversOf } from '../../core/testing/quiet.ts'
import rudderstack from './destination.ts'
import sandbox from './sandbox.ts'
import source from './source.ts'

const settings = { writeKey: 'rudder-sandbox-write-key', dataPlaneUrl: 'https://loja.dataplane.rudderstack.com' }
const timestamp = '2026-11-24T11:59:30.000Z'
const library = { name: 'analytics-node', version: expect.any(String) }
const sentBy = { library, anuente_delivery_id: 'delivery-1' }
const signals = { rudder: { allowedConsentIds: ['analytics'], deniedConsentIds: ['ads'] } }
const consentManagement = {
  provider: 'custom',
  allowedConsentIds: ['analytics'],
  deniedConsentIds: ['ads'],
  resolutionStrategy: 'and',
}
const shoe = { product_id: '507f', name: 'Tênis Corrida São João', price: 219.9, currency: 'BRL' }

/** One batch with one event. */
const sends = (event: object) => ({
  method: 'POST',
  path: '/v1/batch',
  headers: {
    authorization: `Basic ${Buffer.from('rudder-sandbox-write-key:').toString('base64')}`,
    'content-type': 'application/json',
    'content-encoding': 'gzip',
  },
  body: {
    batch: [
      {
        channel: 'server',
        timestamp,
        originalTimestamp: timestamp,
        sentAt: expect.any(String),
        _metadata: { nodeVersion: process.versions.node },
        ...event,
      },
    ],
    timestamp: expect.any(String),
    sentAt: expect.any(String),
  },
})

destinationContract(rudderstack, {
  settings,
  sandbox,
  // The batch has a `timestamp` of its own; that of an event is in its originalTimestamp too.
  volatile: ['sentAt', 'timestamp'],
  examples: [
    {
      title: 'a track goes on with its messageId, its time and the consent of the ledger',
      action: 'forwardEvent',
      given: track({
        name: 'Product Added',
        userId: 'u-123',
        anonymousId: 'browser-77',
        messageId: 'node-next-1',
        properties: shoe,
        context: {
          ip: '177.10.20.30',
          library: { name: 'analytics.js', version: '1' },
          consent: { categoryPreferences: { Advertising: true } },
        },
      }),
      signals,
      sends: sends({
        type: 'track',
        event: 'Product Added',
        userId: 'u-123',
        anonymousId: 'browser-77',
        messageId: 'node-next-1',
        properties: shoe,
        context: { ip: '177.10.20.30', consentManagement, ...sentBy },
      }),
      answers: { status: 200, body: 'OK' },
    },
    {
      title: 'traits an event carries beside its properties are in the context again',
      action: 'forwardEvent',
      given: track({ name: 'Signed Up', anonymousId: 'browser-77', messageId: 'm-2', traits: { plan: 'ouro' } }),
      sends: sends({
        type: 'track',
        event: 'Signed Up',
        anonymousId: 'browser-77',
        messageId: 'm-2',
        properties: {},
        context: { ...sentBy, traits: { plan: 'ouro' } },
      }),
    },
    {
      title: 'an anonymous event stays anonymous although the person is known',
      action: 'forwardEvent',
      given: track({ name: 'Product Viewed', anonymousId: 'browser-77', messageId: 'm-3', properties: shoe }),
      profile: { identifiers: { userId: 'u-123', anonymousId: 'browser-1' } },
      sends: sends({
        type: 'track',
        event: 'Product Viewed',
        anonymousId: 'browser-77',
        messageId: 'm-3',
        properties: shoe,
        context: sentBy,
      }),
    },
    {
      title: 'an event that only carries an e-mail goes under the user id of its profile',
      action: 'forwardEvent',
      given: track({ name: 'Lead Converted', messageId: 'm-4', traits: { email: 'maria.souza@example.com' } }),
      profile: { identifiers: { userId: 'u-123', anonymousId: 'browser-1' } },
      sends: sends({
        type: 'track',
        event: 'Lead Converted',
        userId: 'u-123',
        messageId: 'm-4',
        properties: {},
        context: { ...sentBy, traits: { email: 'maria.souza@example.com' } },
      }),
    },
    {
      title: 'an identify carries the traits it came with, not those of the profile',
      action: 'forwardEvent',
      given: identify({ userId: 'u-123', messageId: 'm-5', traits: { name: 'Maria Souza' } }),
      profile: { traits: { plan: 'ouro' } },
      sends: sends({
        type: 'identify',
        userId: 'u-123',
        messageId: 'm-5',
        traits: { name: 'Maria Souza' },
        context: { ...sentBy, traits: { name: 'Maria Souza' } },
      }),
    },
    {
      title: 'a group gets its traits back from the properties',
      action: 'forwardEvent',
      given: group({
        userId: 'u-123',
        messageId: 'm-6',
        properties: { groupId: 'loja-9', industry: 'Calçados' },
        traits: { name: 'Maria Souza' },
      }),
      sends: sends({
        type: 'group',
        userId: 'u-123',
        groupId: 'loja-9',
        messageId: 'm-6',
        traits: { industry: 'Calçados' },
        context: { ...sentBy, traits: { name: 'Maria Souza' } },
      }),
    },
    {
      title: 'a page has its name and category beside the properties',
      action: 'forwardEvent',
      given: page({
        name: 'Tênis',
        anonymousId: 'browser-77',
        messageId: 'm-7',
        properties: { category: 'Loja', url: 'https://loja.example/tenis' },
      }),
      sends: sends({
        type: 'page',
        anonymousId: 'browser-77',
        messageId: 'm-7',
        name: 'Tênis',
        category: 'Loja',
        properties: { category: 'Loja', url: 'https://loja.example/tenis' },
        context: sentBy,
      }),
    },
    {
      title: 'a screen likewise; one without a name has none',
      action: 'forwardEvent',
      given: screen({ name: 'screen', anonymousId: 'device-77', messageId: 'm-8' }),
      sends: sends({ type: 'screen', anonymousId: 'device-77', messageId: 'm-8', properties: {}, context: sentBy }),
    },
    {
      title: 'an alias says which id it replaces',
      action: 'forwardEvent',
      given: alias({ userId: 'u-123', previousId: 'browser-77', messageId: 'm-9' }),
      sends: sends({ type: 'alias', userId: 'u-123', previousId: 'browser-77', messageId: 'm-9', context: sentBy }),
    },
    {
      title: 'wishes of the sender about other destinations are kept',
      action: 'forwardEvent',
      given: track({
        name: 'Product Viewed',
        anonymousId: 'browser-77',
        messageId: 'm-10',
        context: { integrations: { All: false, Amplitude: { session_id: 17 } } },
      }),
      sends: sends({
        type: 'track',
        event: 'Product Viewed',
        anonymousId: 'browser-77',
        messageId: 'm-10',
        integrations: { All: false, Amplitude: { session_id: 17 } },
        properties: {},
        context: sentBy,
      }),
    },
    {
      title: 'entering an audience, in the words of Engage',
      action: 'sendAudience',
      given: track({ name: 'Order Completed', userId: 'u-123' }),
      with: { audience: 'vip_sp', member: true },
      signals,
      sends: sends({
        type: 'track',
        event: 'Audience Entered',
        userId: 'u-123',
        messageId: 'key-1',
        properties: {
          vip_sp: true,
          audience_key: 'vip_sp',
          computation_class: 'audience',
          computation_id: 'anuente_vip_sp',
          computation_key: 'vip_sp',
        },
        context: {
          ...sentBy,
          consentManagement,
          personas: {
            computation_class: 'audience',
            computation_id: 'anuente_vip_sp',
            computation_key: 'vip_sp',
          },
        },
      }),
    },
    {
      title: 'leaving an audience',
      action: 'sendAudience',
      given: track({ name: 'Order Completed', userId: 'u-123' }),
      with: { audience: 'vip_sp', member: false },
      sends: sends({
        type: 'track',
        event: 'Audience Exited',
        userId: 'u-123',
        messageId: 'key-1',
        properties: expect.objectContaining({ vip_sp: false, audience_key: 'vip_sp' }),
        context: expect.objectContaining(sentBy),
      }),
    },
    {
      title: 'computed traits become an identify with nothing else in it',
      action: 'sendTraits',
      given: track({ name: 'Order Completed', userId: 'u-123', traits: { email: 'maria.souza@example.com' } }),
      with: { traits: { churn_risk: 'alto', orders_90d: 0 } },
      sends: sends({
        type: 'identify',
        userId: 'u-123',
        messageId: 'key-1',
        traits: { churn_risk: 'alto', orders_90d: 0 },
        context: { ...sentBy, traits: { churn_risk: 'alto', orders_90d: 0 } },
      }),
    },
    {
      title: 'a decision names its rule, its arm and its reason',
      action: 'sendOutcome',
      given: track({ name: 'Cart Abandoned', userId: 'u-123' }),
      rule: { id: 'carrinho', version: 3 },
      with: { outcome: 'decision', arm: 'holdout', reason: 'HOLDOUT' },
      sends: sends({
        type: 'track',
        event: 'Anuente Decision Made',
        userId: 'u-123',
        messageId: 'key-1',
        properties: { rule_id: 'carrinho', rule_version: 3, arm: 'holdout', reason: 'HOLDOUT' },
        context: sentBy,
      }),
    },
  ],
})

describe('rudderstack: what the SDK must not do', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'rudderstack')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const forward = (...given: ReturnType<typeof track>[]) => itemsOf(rudderstack, { action: 'forwardEvent', given })
  const event = (position: number, more: object = {}) =>
    track({ name: 'Product Viewed', userId: `u-${position}`, messageId: `m-${position}`, ...more })

  it('50 events leave as one request, in order', async () => {
    const items = forward(...Array.from({ length: 50 }, (_, index) => event(index)))
    const { results, requests } = await runAction(rudderstack, 'forwardEvent', items, { settings, transport })
    expect(requests).toHaveLength(1)
    expect(results).toEqual(items.map(() => ({ status: 'delivered', answer: '200' })))
    expect(running.state(sandbox).events.map(({ messageId }) => messageId)).toEqual(items.map((_, n) => `m-${n}`))
  })

  it('a large batch still is one request', async () => {
    const text = 'çi%'.repeat(1500)
    const items = forward(...Array.from({ length: 30 }, (_, index) => event(index, { properties: { text } })))
    const { results, requests } = await runAction(rudderstack, 'forwardEvent', items, { settings, transport })
    expect(requests).toHaveLength(1)
    expect(results.every(({ status }) => status === 'delivered')).toBe(true)
  })

  it('one event that is too large or has nobody does not keep the others', async () => {
    const [large, , nobody, kept] = forward(
      event(1, { properties: { text: 'x'.repeat(33_000) } }),
      event(2),
      track({ name: 'Product Viewed', traits: { email: 'ana@example.com' } }),
      event(4),
    )
    const { results } = await runAction(rudderstack, 'forwardEvent', [large!, nobody!, kept!], { settings, transport })
    expect(results).toEqual([
      { status: 'rejected', reason: 'the event is larger than 32 KB' },
      { status: 'rejected', reason: 'neither a userId nor an anonymousId' },
      { status: 'delivered', answer: '200' },
    ])
    expect(running.state(sandbox).events.map(({ messageId }) => messageId)).toEqual(['m-4'])
  })

  it('sent twice, an event is there once', async () => {
    for (const _ of ['once', 'again'])
      await runAction(rudderstack, 'forwardEvent', forward(event(1)), { settings, transport })
    expect(running.state(sandbox).events).toHaveLength(1)
  })

  it('a used-up limit is retried by the hub, not by the SDK', async () => {
    running.state(sandbox).limit = 1
    const items = forward(event(1), event(2))
    const { results, requests } = await runAction(rudderstack, 'forwardEvent', items, { settings, transport })
    expect(results).toEqual(items.map(() => ({ status: 'retry', reason: 'HTTP 429' })))
    expect(requests).toHaveLength(1)
  })

  it('the first attempt and the last say the same time for an event', async () => {
    const times = []
    for (const now of [GIVEN.now, '2026-11-25T08:00:00.000Z']) {
      const { requests } = await runAction(rudderstack, 'forwardEvent', forward(event(1)), { settings, transport, now })
      const { batch } = JSON.parse(requests[0]!.body!) as { batch: { timestamp: string; originalTimestamp: string }[] }
      times.push([batch[0]!.timestamp, batch[0]!.originalTimestamp])
    }
    expect(times).toEqual([
      [timestamp, timestamp],
      [timestamp, timestamp],
    ])
  })

  it('the traits of an identify, which travel twice, count twice', async () => {
    const given = identify({ userId: 'u-1', messageId: 'm-1', traits: { text: 'x'.repeat(20_000) } })
    const { results } = await runAction(rudderstack, 'forwardEvent', forward(given), { settings, transport })
    expect(results).toEqual([{ status: 'rejected', reason: 'the event is larger than 32 KB' }])
  })

  it('consent is said in the words of the provider that the destinations there know', async () => {
    const items = itemsOf(rudderstack, { action: 'forwardEvent', given: event(1), signals })
    await runAction(rudderstack, 'forwardEvent', items, {
      settings: { ...settings, consentProvider: 'oneTrust' },
      transport,
    })
    expect(running.state(sandbox).events[0]!['context']).toMatchObject({
      consentManagement: { ...consentManagement, provider: 'oneTrust' },
    })
  })

  it.each([
    ['something else that answers', { status: 200, body: '<html></html>' }, 'answers, but not as a RudderStack'],
    ['nothing at that path', { status: 404, body: 'no' }, 'answers, but not as a RudderStack'],
    [
      'a data plane in maintenance',
      { status: 200, body: { server: 'UP', acceptingEvents: 'FALSE' } },
      'takes no events',
    ],
  ])('check finds %s', async (_, { status, body }, said) => {
    const checked = settingsOf(rudderstack, settings) as Parameters<typeof rudderstack.check>[0]['settings']
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const http = plainHttp(rudderstack, checked, async () => readResponse(status, {}, text))
    const answer = await rudderstack.check({ http, settings: checked, now: new Date(GIVEN.now) })
    expect(answer).toEqual({ ok: false, detail: expect.stringContaining(said) })
  })

  const answer = (status: number): HttpResponse => ({ status, headers: {}, text: '', json: undefined })
  it.each([
    ['a success', async () => answer(200), 'delivered'],
    ['a redirect', async () => answer(302), 'rejected'],
    ['a refusal', async () => answer(400), 'rejected'],
    ['a limit', async () => ({ ...answer(429), headers: { 'retry-after': '120' } }), 'retry'],
    ['a failure', async () => answer(503), 'retry'],
    ['silence', () => Promise.reject(new RetryableError('no answer', { uncertain: true })), 'retry'],
    ['a fault of the transport', () => Promise.reject(new TypeError('x')), 'rejected'],
  ])('after %s nothing is left running and nothing is sent again', async (_, carry, status) => {
    let sent = 0
    const counted = () => {
      sent += 1
      return carry()
    }
    const items = forward(event(1), event(2), event(3))
    let results: readonly { status: string }[] = []
    const left = await leftoversOf(async () => {
      results = (await runAction(rudderstack, 'forwardEvent', items, { settings, transport: counted })).results
    })
    expect(results.map((result) => result.status)).toEqual([status, status, status])
    expect(left).toEqual({ timers: 0, rejections: [] })
    expect(sent).toBe(1)
  })

  it('a refused hand-over leaves nothing running either', async () => {
    const lastLook = async () => {
      throw new HandOverRefused('withdrawn')
    }
    let results: unknown
    const left = await leftoversOf(async () => {
      results = (await runAction(rudderstack, 'forwardEvent', forward(event(1)), { settings, transport, lastLook }))
        .results
    })
    expect(results).toEqual([{ status: 'refused' }])
    expect(left).toEqual({ timers: 0, rejections: [] })
  })
})

describe('rudderstack: what comes back', () => {
  it('is recognised by the delivery id, whatever the event', async () => {
    const text = fc.stringMatching(/^[A-Za-zçã ]{1,20}$/)
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 5 }),
        text,
        async (values, name) => {
          const given = [
            track({ name: `E${name}`, userId: 'u-1', messageId: 'm-1', properties: values }),
            identify({ userId: 'u-1', messageId: 'm-2', traits: { plan: name } }),
            group({ userId: 'u-1', messageId: 'm-3', properties: { ...values, groupId: 'g-1' } }),
          ]
          const items = itemsOf(rudderstack, { action: 'forwardEvent', given, signals })
          const { requests } = await runAction(rudderstack, 'forwardEvent', items, {
            settings,
            transport: async () => ({ status: 200, headers: {}, text: '', json: undefined }),
          })
          const back = eventsOf(
            source.normalize(
              rawRequest({ method: 'POST', path: '/v1/batch', body: JSON.parse(requests[0]!.body!) as object }),
              { writeKey: 'wk' },
            ),
          )
          expect(back.map(({ deliveryId }) => deliveryId)).toEqual(['delivery-1', 'delivery-2', 'delivery-3'])
          expect(back.map(({ messageId }) => messageId)).toEqual(['m-1', 'm-2', 'm-3'])
          expect(back[0]!.properties ?? {}).toEqual(JSON.parse(JSON.stringify(values)))
          expect(back[2]!.properties).toEqual(JSON.parse(JSON.stringify({ ...values, groupId: 'g-1' })))
          expect(back.map(({ consent }) => consent?.[0]?.answers)).toEqual(
            given.map(() => ({ analytics: { answer: 'granted' }, ads: { answer: 'denied' } })),
          )
        },
      ),
      { numRuns: 30 },
    )
  })
})
