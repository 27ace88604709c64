import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import brevo from './destination.ts'
import sandbox from './sandbox.ts'

const settings = sandbox.settings('')
const email = 'maria.souza@example.com'
const path = '/contacts/maria.souza%40example.com'

destinationContract(brevo, {
  settings,
  sandbox,
  personalDataInPath: 'Brevo addresses a contact by e-mail in the path.',
  hashed: { upsertContact: ['name'] },
  examples: [
    {
      title: 'an identify becomes a contact; its subscription stays as it is',
      action: 'upsertContact',
      given: identify({ userId: 'u-42', traits: { email, name: 'Maria Souza', phone: '11 98765-4321', plan: 'ouro' } }),
      settings: { attributes: { PLANO: 'plan' }, lists: [3] },
      sends: {
        method: 'POST',
        path: '/contacts',
        headers: { 'api-key': 'xkeysib-sandbox0123456789' },
        body: {
          email,
          ext_id: 'u-42',
          attributes: { FIRSTNAME: 'Maria', LASTNAME: 'Souza', SMS: '+5511987654321', PLANO: 'ouro' },
          listIds: [3],
          updateEnabled: true,
        },
      },
      answers: { status: 204 },
    },
    {
      title: 'who enters an audience goes on the list',
      action: 'addToAudience',
      given: identify({ traits: { email } }),
      with: { audience: 9 },
      sends: { method: 'POST', path: '/contacts', body: { email, listIds: [9], updateEnabled: true } },
    },
    {
      title: 'who leaves it is taken off that list alone',
      action: 'removeFromAudience',
      given: identify({ traits: { email } }),
      with: { audience: 9 },
      sends: { method: 'PUT', path, body: { unlinkListIds: [9] } },
      answers: { status: 204 },
    },
    {
      title: 'an order is an event with its items',
      action: 'sendEvent',
      given: track({
        name: 'Order Completed',
        traits: { email },
        properties: {
          order_id: 'A-1',
          total: 99.9,
          currency: 'BRL',
          products: [{ sku: 'meia', price: '9.90', name: 'Meia' }],
        },
      }),
      sends: {
        method: 'POST',
        path: '/events',
        body: {
          event_name: 'order_completed',
          event_date: '2026-11-24T11:59:30.000Z',
          identifiers: { email_id: email },
          event_properties: {
            order_id: 'A-1',
            total: 99.9,
            currency: 'BRL',
            value: 99.9,
            items: [{ id: 'meia', name: 'Meia', price: 9.9, quantity: 1 }],
          },
        },
      },
      answers: { status: 204 },
    },
    {
      title: 'a template gets properties, links and one-click unsubscribe',
      action: 'sendEmail',
      given: track({ name: 'Cart Abandoned', traits: { email, firstName: 'Maria' }, properties: { total: 99.9 } }),
      settings: { sender: { email: 'ola@loja.example' } },
      sends: {
        method: 'POST',
        path: '/smtp/email',
        body: {
          to: [{ email, name: 'Maria' }],
          sender: { email: 'ola@loja.example' },
          templateId: 7,
          params: {
            total: 99.9,
            name: 'Maria',
            event: 'Cart Abandoned',
            stop_url: GIVEN.links.stop,
            why_url: GIVEN.links.why,
          },
          headers: {
            'List-Unsubscribe': `<${GIVEN.links.stop}>`,
            'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
            'X-Mailin-custom': 'delivery-1',
            'Idempotency-Key': 'key-1',
          },
        },
      },
      answers: { status: 201, body: { messageId: '<1@x>' } },
    },
    {
      title: 'a withdrawal blocks campaigns',
      action: 'unsubscribe',
      given: identify({ traits: { email } }),
      sends: { method: 'POST', path: '/contacts', body: { email, emailBlacklisted: true, updateEnabled: true } },
    },
  ],
})

describe('brevo: what the team and the person decided stays', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'brevo')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })

  it('an upsert leaves an opt-out, lists and other attributes as they are', async () => {
    running
      .state(sandbox)
      .contacts.set(email, { email, emailBlacklisted: true, listIds: [1], attributes: { PLANO: 'ouro' } })
    const items = itemsOf(brevo, {
      action: 'upsertContact',
      given: identify({ traits: { email, firstName: 'Maria' } }),
    })
    await runAction(brevo, 'upsertContact', items, { settings: { ...settings, lists: [3] }, transport })
    expect(running.state(sandbox).contacts.get(email)).toMatchObject({
      emailBlacklisted: true,
      listIds: [1, 3],
      attributes: { PLANO: 'ouro', FIRSTNAME: 'Maria' },
    })
  })

  it.each([
    [
      429,
      { 'x-sib-ratelimit-reset': '12' },
      { status: 'retry', reason: 'HTTP 429 rate limit of Brevo', retryAfterMs: 12_000 },
    ],
    [402, {}, { status: 'authentication', reason: 'HTTP 402 no credits left' }],
    [400, {}, { status: 'rejected', reason: 'HTTP 400 invalid_parameter' }],
  ])('a %i', (status, headers, outcome) => {
    const json = { code: 'invalid_parameter', message: email }
    expect(brevo.verdict!({ status, headers, text: '', json })).toEqual(outcome)
  })
})

describe('brevo: what its webhooks tell', () => {
  const feedback = 'receive' in brevo.feedback ? brevo.feedback.receive! : expect.unreachable('it listens')
  const own = { ...settings, feedbackToken: 'brevo-webhook-token-1' } as never
  const request = (body: unknown, token = 'brevo-webhook-token-1') => ({
    method: 'POST',
    path: '/in/brevo',
    query: {},
    headers: { authorization: `Bearer ${token}` },
    body: Buffer.from(JSON.stringify(body)),
    receivedAt: GIVEN.now,
  })

  it('is believed with the token alone', () => {
    expect(feedback.verify(request({}), own)).toBe(true)
    expect(feedback.verify(request({}, 'brevo-webhook-token-2'), own)).toBe('BAD_SIGNATURE')
    expect(feedback.verify(request({}, ''), settings as never)).toBe('BAD_SIGNATURE')
  })

  it('names the delivery and the person', () => {
    const events = [
      { event: 'hard_bounce', email, ts_event: 1795521600, 'X-Mailin-custom': 'delivery-1' },
      { event: 'unsubscribe', email },
      { event: 'request', email },
    ]
    const identifiers = [{ type: 'email', value: email }]
    expect(feedback.read(request(events), own)).toEqual([
      { kind: 'bounced', channel: 'email', deliveryId: 'delivery-1', identifiers, at: '2026-11-24T12:00:00.000Z' },
      { kind: 'unsubscribed', channel: 'email', identifiers },
    ])
    expect(feedback.read(request(events[1]), own)).toHaveLength(1)
  })
})
