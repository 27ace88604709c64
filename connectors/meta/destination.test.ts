import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  page,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import meta, { hashed } from './destination.ts'
import { nameOf } from './normalize.ts'
import sandbox from './sandbox.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const audience = '6001234567890'
const token = 'EAAsandboxAccessToken0123456789'
const browser = { ip: '203.0.113.7', userAgent: 'Mozilla/5.0', page: { url: 'https://loja.example/checkout' } }

const order = track({
  name: 'Order Completed',
  messageId: 'msg-order-1',
  userId: 'u-42',
  traits: {
    email: 'Maria.Souza@example.com',
    phone: '(11) 98765-4321',
    firstName: 'Maria Inês',
    lastName: "D'Ávila",
    address: { city: 'São Paulo', state: 'SP', postalCode: '01310-100', country: 'Brasil' },
  },
  properties: {
    order_id: 'A-1001',
    total: 149.9,
    currency: 'BRL',
    products: [
      { product_id: 'tenis-42', price: 99.9, quantity: 1 },
      { sku: 'meia', price: '25.00', quantity: 2 },
    ],
  },
  context: { ...browser, fbp: 'fb.1.1596403881668.1116446470', fbc: 'fb.1.1554763741205.AbCdEf' },
})

destinationContract(meta, {
  settings: { datasetId: '1234567890123456', accessToken: token },
  sandbox,
  hashed: {
    sendEvent: ['email', 'phone', 'firstName', 'lastName', 'city', 'state', 'zip', 'country', 'externalId'],
    addToAudience: ['email', 'phone', 'firstName', 'lastName', 'name', 'city', 'state', 'zip', 'country'],
    removeFromAudience: ['email', 'phone', 'firstName', 'lastName', 'name', 'city', 'state', 'zip', 'country'],
  },
  examples: [
    {
      title: 'an order becomes a Purchase, contact data hashed, browser data not',
      action: 'sendEvent',
      given: order,
      sends: {
        method: 'POST',
        path: '/1234567890123456/events',
        body: {
          access_token: token,
          data: [
            {
              event_name: 'Purchase',
              event_time: Date.parse('2026-11-24T11:59:30Z') / 1000,
              event_id: 'msg-order-1',
              action_source: 'website',
              event_source_url: 'https://loja.example/checkout',
              user_data: {
                em: [sha256('maria.souza@example.com')],
                ph: [sha256('5511987654321')],
                fn: [sha256('maria inês')],
                ln: [sha256('dávila')],
                ct: [sha256('sãopaulo')],
                st: [sha256('sp')],
                zp: [sha256('01310100')],
                country: [sha256('br')],
                external_id: [sha256('u-42')],
                client_ip_address: '203.0.113.7',
                client_user_agent: 'Mozilla/5.0',
                fbc: 'fb.1.1554763741205.AbCdEf',
                fbp: 'fb.1.1596403881668.1116446470',
              },
              custom_data: {
                value: 149.9,
                currency: 'BRL',
                content_type: 'product',
                content_ids: ['tenis-42', 'meia'],
                contents: [
                  { id: 'tenis-42', quantity: 1, item_price: 99.9 },
                  { id: 'meia', quantity: 2, item_price: 25 },
                ],
                num_items: 3,
                order_id: 'A-1001',
              },
            },
          ],
        },
      },
      answers: { status: 200, body: { events_received: 1, messages: [], fbtrace_id: 'A1' } },
    },
    {
      title: 'a batch of a page, a product and a search goes in one request, as a test when asked',
      action: 'sendEvent',
      given: [
        page({ messageId: 'msg-page', anonymousId: 'device-7', context: browser }),
        track({
          name: 'Product Added',
          messageId: 'msg-add',
          anonymousId: 'device-7',
          properties: { product_id: 9, price: '10.50' },
          context: browser,
        }),
        track({ name: 'Ticket Opened', messageId: 'msg-own', userId: 'u-42' }),
      ],
      settings: { testEventCode: 'TEST123' },
      sends: {
        method: 'POST',
        path: '/1234567890123456/events',
        body: {
          access_token: token,
          test_event_code: 'TEST123',
          data: [
            expect.objectContaining({ event_name: 'PageView', event_id: 'msg-page', custom_data: {} }),
            expect.objectContaining({
              event_name: 'AddToCart',
              event_id: 'msg-add',
              custom_data: {
                value: 10.5,
                currency: 'BRL',
                content_type: 'product',
                content_ids: ['9'],
                contents: [{ id: '9', quantity: 1, item_price: 10.5 }],
                num_items: 1,
              },
            }),
            {
              event_name: 'Ticket Opened',
              event_time: expect.any(Number),
              event_id: 'msg-own',
              action_source: 'system_generated',
              user_data: { external_id: [sha256('u-42')] },
              custom_data: {},
            },
          ],
        },
      },
    },
    {
      title: 'an event of eight days ago is refused alone and does not fail its neighbour',
      action: 'sendEvent',
      given: [
        track({ name: 'Signed Up', messageId: 'msg-old', userId: 'u-1', occurredAt: '2026-11-16T12:00:00.000Z' }),
        track({ name: 'Signed Up', messageId: 'msg-new', userId: 'u-2' }),
      ],
      sends: {
        method: 'POST',
        path: '/1234567890123456/events',
        body: {
          access_token: token,
          data: [expect.objectContaining({ event_name: 'CompleteRegistration', event_id: 'msg-new' })],
        },
      },
      outcomes: [
        { status: 'rejected', reason: 'older than the 7 days Meta takes' },
        expect.objectContaining({ status: 'delivered' }),
      ],
    },
    {
      title: 'a subscription carries the margin as its value, and what is expected of the person',
      action: 'sendEvent',
      given: track({ name: 'Subscription Started', userId: 'u-42', traits: { predicted_ltv: 900 } }),
      with: { value: 35.5 },
      sends: {
        method: 'POST',
        path: '/1234567890123456/events',
        body: {
          access_token: token,
          data: [
            expect.objectContaining({
              event_name: 'Subscribe',
              custom_data: { value: 35.5, currency: 'BRL', predicted_ltv: 900 },
            }),
          ],
        },
      },
    },
    {
      title: 'who enters an audience becomes a member, by hashes alone',
      action: 'addToAudience',
      given: identify({
        traits: {
          email: 'Maria.Souza@example.com',
          phone: '(11) 98765-4321',
          name: "Maria D'Ávila",
          country: 'Brasil',
        },
      }),
      with: { audience },
      sends: {
        method: 'POST',
        path: `/${audience}/users`,
        body: {
          access_token: token,
          payload: {
            schema: ['EMAIL', 'PHONE', 'FN', 'LN', 'CT', 'ST', 'ZIP', 'COUNTRY'],
            data: [
              [
                sha256('maria.souza@example.com'),
                sha256('5511987654321'),
                sha256('maria'),
                sha256('dávila'),
                '',
                '',
                '',
                sha256('br'),
              ],
            ],
          },
        },
      },
      answers: { status: 200, body: { num_received: 1, num_invalid_entries: 0 } },
    },
    {
      title: 'who leaves it is taken out',
      action: 'removeFromAudience',
      given: identify({ traits: { email: 'maria.souza@example.com' } }),
      with: { audience },
      sends: {
        method: 'DELETE',
        path: `/${audience}/users`,
        body: {
          access_token: token,
          payload: expect.objectContaining({ data: [[sha256('maria.souza@example.com'), '', '', '', '', '', '', '']] }),
        },
      },
    },
    {
      title: 'a withdrawal, which names no audience, takes the person out of those of the settings',
      action: 'removeFromAudience',
      given: identify({ traits: { email: 'maria.souza@example.com' } }),
      settings: { audiences: [audience] },
      sends: {
        method: 'DELETE',
        path: `/${audience}/users`,
        body: expect.objectContaining({ access_token: token }),
      },
    },
    {
      title: 'a member that Meta finds invalid is not delivered',
      action: 'removeFromAudience',
      given: identify({ traits: { phone: '+5511987654321' } }),
      with: { audience, phone: '🛒' },
      sends: {
        method: 'DELETE',
        path: `/${audience}/users`,
        body: expect.objectContaining({ access_token: token }),
      },
      answers: { status: 200, body: { num_received: 1, num_invalid_entries: 1 } },
      outcomes: [{ status: 'rejected', reason: 'Meta finds the member invalid' }],
    },
  ],
})

describe('meta: normalisation before hashing', () => {
  it.each([
    ["D'Ávila", 'dávila'],
    ['  Maria   Inês ', 'maria inês'],
    ['São João del-Rei', 'são joão delrei'],
    ['João', 'joão'],
    ['🛒', ''],
  ])('a name %s becomes %s', (name, normal) => {
    expect(nameOf(name)).toBe(normal)
  })

  it('is the same for what was normalised before, and never lets the value itself through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(nameOf(nameOf(value))).toBe(nameOf(value))
        for (const out of hashed('fn', value, nameOf)['fn'] ?? []) expect(out).toMatch(/^[0-9a-f]{64}$/)
      }),
    )
  })

  it('does not hash a hash', () => {
    expect(hashed('em', sha256('a@b.co'), (value) => value)).toEqual({ em: [sha256('a@b.co')] })
  })
})

describe('meta: codes', () => {
  const said = (code: number, subcode?: number) => {
    const json = { error: { code, message: 'maria@example.com', ...(subcode && { error_subcode: subcode }) } }
    return meta.verdict!({ status: 400, headers: {}, text: '', json })
  }
  it.each([1, 2, 4, 17, 341, 613, 80000, 80004, 80014])('%d is tried again', (code) => {
    expect(said(code)).toEqual({ status: 'retry', reason: `Meta code ${code}` })
  })
  it.each([[190, 463], [10], [200], [100, 33]])('%d is for the operator', (...code) => {
    expect(said(code[0]!, code[1])).toMatchObject({ status: 'authentication' })
  })
  it('100 is final', () => {
    expect(said(100, 2804003)).toEqual({ status: 'rejected', reason: 'Meta code 100/2804003' })
  })
})

describe('meta: batches against the sandbox', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'meta')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const events = (count: number, wrong: readonly number[]) =>
    Array.from({ length: count }, (_, index) =>
      track({
        // Without a value Meta refuses a Purchase, and the whole request with it.
        name: wrong.includes(index) ? 'Order Completed' : 'Signed Up',
        messageId: `msg-${index}`,
        userId: `u-${index}`,
      }),
    )
  const send = (given: ReturnType<typeof track>[]) =>
    runAction(meta, 'sendEvent', itemsOf(meta, { action: 'sendEvent', given }), {
      settings: sandbox.settings(''),
      transport,
    })

  it('finds the wrong events by halves and delivers all others exactly once', async () => {
    const { results } = await send(events(50, [7, 33]))
    expect(results.map(({ status }, index) => [index, status]).filter(([, status]) => status !== 'delivered')).toEqual([
      [7, 'rejected'],
      [33, 'rejected'],
    ])
    expect(running.state(sandbox).events.size).toBe(48)
    expect(running.state(sandbox).requests).toBeLessThan(30)
  })

  it('sends 1,001 events in two requests', async () => {
    const { results, requests } = await send(events(1001, []))
    expect(results.every(({ status }) => status === 'delivered')).toBe(true)
    expect(requests).toHaveLength(2)
  })

  it('a repeat is counted once', async () => {
    await send(events(3, []))
    await send(events(3, []))
    expect(running.state(sandbox).events.size).toBe(3)
  })

  it('a dataset that is not there is for the operator and is not bisected', async () => {
    const items = itemsOf(meta, { action: 'sendEvent', given: events(8, []) })
    const { results, requests } = await runAction(meta, 'sendEvent', items, {
      settings: { ...sandbox.settings(''), datasetId: '99' },
      transport,
    })
    expect(results).toEqual(items.map(() => ({ status: 'authentication', reason: 'Meta code 100/33' })))
    expect(requests).toHaveLength(1)
  })

  it('the token is never in a URL', async () => {
    const { requests } = await send(events(2, []))
    for (const { url } of requests) expect(url).not.toContain(token)
  })
})
