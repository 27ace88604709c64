import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HandOverRefused, type HttpResponse, RetryableError } from '../../core/kit/index.ts'
import {
  alias,
  destinationContract,
  eventsOf,
  GIVEN,
  group,
  identify,
  itemsOf,
  page,
  type RunningSandboxes,
  rawRequest,
  runAction,
  sandboxTransport,
  screen,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import { leftoversOf } from '../../core/testing/quiet.ts'
import segment from './destination.ts'
import sandbox from './sandbox.ts'
import source from './source.ts'

const settings = { writeKey: 'segment-sandbox-write-key' }
const timestamp = '2026-11-24T11:59:30.000Z'
const library = { name: '@segment/analytics-node', version: expect.any(String) }
const sentBy = { library, anuente_delivery_id: 'delivery-1' }
const _metadata = { nodeVersion: process.version, jsRuntime: 'node' }
const signals = { segment: { Advertising: false, Analytics: true } }
const shoe = { product_id: '507f', name: 'Tênis Corrida São João', price: 219.9, currency: 'BRL' }

/** One batch with one event. */
const sends = (event: object) => ({
  method: 'POST',
  path: '/v1/batch',
  headers: {
    authorization: `Basic ${Buffer.from('segment-sandbox-write-key:').toString('base64')}`,
    'content-type': 'application/json',
  },
  body: {
    batch: [{ timestamp, integrations: {}, _metadata, ...event }],
    writeKey: 'segment-sandbox-write-key',
    sentAt: expect.any(String),
  },
})

destinationContract(segment, {
  settings,
  sandbox,
  volatile: ['sentAt'],
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
          consentManagement: { deniedConsentIds: ['stale'] },
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
        context: { ip: '177.10.20.30', consent: { categoryPreferences: signals.segment }, ...sentBy },
      }),
      answers: { status: 200, body: { success: true } },
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
        context: sentBy,
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
          consent: { categoryPreferences: signals.segment },
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
        context: sentBy,
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

describe('segment: what the SDK must not do', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'segment')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const forward = (...given: ReturnType<typeof track>[]) => itemsOf(segment, { action: 'forwardEvent', given })
  const event = (position: number, more: object = {}) =>
    track({ name: 'Product Viewed', userId: `u-${position}`, messageId: `m-${position}`, ...more })

  it('50 events leave as one request, in order', async () => {
    const items = forward(...Array.from({ length: 50 }, (_, index) => event(index)))
    const { results, requests } = await runAction(segment, 'forwardEvent', items, { settings, transport })
    expect(requests).toHaveLength(1)
    expect(results).toEqual(items.map(() => ({ status: 'delivered', answer: '200' })))
    expect(running.state(sandbox).events.map(({ messageId }) => messageId)).toEqual(items.map((_, n) => `m-${n}`))
  })

  it('a large batch, full of what its SDK counts, still is one request', async () => {
    const text = 'çi%'.repeat(1500)
    const items = forward(...Array.from({ length: 30 }, (_, index) => event(index, { properties: { text } })))
    const { results, requests } = await runAction(segment, 'forwardEvent', items, { settings, transport })
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
    const { results } = await runAction(segment, 'forwardEvent', [large!, nobody!, kept!], { settings, transport })
    expect(results).toEqual([
      { status: 'rejected', reason: 'the event is larger than 32 KB' },
      { status: 'rejected', reason: 'neither a userId nor an anonymousId' },
      { status: 'delivered', answer: '200' },
    ])
    expect(running.state(sandbox).events.map(({ messageId }) => messageId)).toEqual(['m-4'])
  })

  it('an event whose sender wants it kept from Segment is rejected, not said to be delivered', async () => {
    const items = forward(event(1, { context: { integrations: { 'Segment.io': false } } }), event(2))
    const { results } = await runAction(segment, 'forwardEvent', items, { settings, transport })
    expect(results).toEqual([
      { status: 'rejected', reason: 'the sender asked that this event not go to Segment' },
      { status: 'delivered', answer: '200' },
    ])
  })

  it('sent twice, an event is there once', async () => {
    for (const _ of ['once', 'again'])
      await runAction(segment, 'forwardEvent', forward(event(1)), { settings, transport })
    expect(running.state(sandbox).events).toHaveLength(1)
  })

  it('the batch waits as long as Segment says after 429', async () => {
    const now = Date.parse(GIVEN.now)
    running.state(sandbox).recent = Array.from({ length: 1000 }, () => now)
    const { results, requests } = await runAction(segment, 'forwardEvent', forward(event(1)), { settings, transport })
    expect(results).toEqual([{ status: 'retry', reason: 'HTTP 429', retryAfterMs: 1000 }])
    expect(requests).toHaveLength(1)
  })

  const answer = (status: number): HttpResponse => ({ status, headers: {}, text: '', json: undefined })
  it.each([
    ['a success', async () => answer(200), 'delivered'],
    ['a redirect, which the SDK would call a success', async () => answer(302), 'rejected'],
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
      results = (await runAction(segment, 'forwardEvent', items, { settings, transport: counted })).results
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
      results = (await runAction(segment, 'forwardEvent', forward(event(1)), { settings, transport, lastLook })).results
    })
    expect(results).toEqual([{ status: 'refused' }])
    expect(left).toEqual({ timers: 0, rejections: [] })
  })
})

describe('segment: what comes back', () => {
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
          const items = itemsOf(segment, { action: 'forwardEvent', given, signals })
          const { requests } = await runAction(segment, 'forwardEvent', items, {
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
            given.map(() => ({ Advertising: { answer: 'denied' }, Analytics: { answer: 'granted' } })),
          )
        },
      ),
      { numRuns: 30 },
    )
  })
})
