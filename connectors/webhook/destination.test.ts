import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  destinationContract,
  GIVEN,
  identify,
  itemsOf,
  plainHttp,
  type RunningSandboxes,
  runAction,
  sandboxTransport,
  serveSandboxes,
  settingsOf,
  track,
} from '../../core/testing/index.ts'
import webhook from './destination.ts'
import sandbox from './sandbox.ts'

const secret = 'webhook-sandbox-secret-0123456789'
const settings = { url: 'https://api.loja.example/anuente', secret }
const maria = { email: 'maria.souza@example.com', phone: '+5511987654321', name: 'Maria Souza' }
const sms =
  '{"to": {{ phone }}, "body": "x", "vars": [{{ name }}, {{ properties.total }}, {{ missing }}], "stop": {{ links.stop }} }'

destinationContract(webhook, {
  settings,
  sandbox,
  examples: [
    {
      title: 'an event goes as it is, signed, with a key that stays the same',
      action: 'sendEvent',
      given: track({
        name: 'Product Added',
        messageId: 'msg-1',
        userId: 'u-42',
        traits: { email: maria.email },
        properties: { product_id: 'tenis' },
      }),
      sends: {
        method: 'POST',
        path: 'https://api.loja.example/anuente',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': 'key-1',
          'x-anuente-signature': expect.stringMatching(/^t=1795521600,v1=[0-9a-f]{64}$/),
        },
        body: {
          type: 'track',
          event: 'Product Added',
          messageId: 'msg-1',
          occurredAt: '2026-11-24T11:59:30.000Z',
          person: GIVEN.person,
          userId: 'u-42',
          email: 'maria.souza@example.com',
          traits: { email: 'maria.souza@example.com' },
          properties: { product_id: 'tenis' },
        },
      },
    },
    {
      title: 'a message carries the cart and both signed links',
      action: 'sendMessage',
      given: identify({ traits: maria }),
      rule: { id: 'carrinho', version: 3 },
      with: { text: 'Seu carrinho espera' },
      cart: {
        lines: [{ productId: 'tenis', price: 9990, quantity: 1 }],
        total: 9990,
        currency: 'BRL',
        updatedAt: '2026-11-24T11:00:00.000Z',
      },
      sends: {
        method: 'POST',
        path: 'https://api.loja.example/anuente',
        body: {
          id: 'delivery-1',
          event: 'identify',
          rule: 'carrinho',
          person: GIVEN.person,
          email: 'maria.souza@example.com',
          name: 'Maria Souza',
          text: 'Seu carrinho espera',
          cart: {
            lines: [{ productId: 'tenis', price: 9990, quantity: 1 }],
            total: 9990,
            currency: 'BRL',
            updatedAt: '2026-11-24T11:00:00.000Z',
          },
          properties: {},
          links: GIVEN.links,
        },
      },
    },
    {
      title: 'an SMS gateway by template, header and list of good statuses',
      action: 'sendSms',
      given: track({
        name: 'Cart Abandoned',
        traits: { ...maria, name: 'João "Jão" D\'Ávila' },
        properties: { total: 99.9 },
      }),
      settings: { method: 'PUT', headers: { Authorization: 'Bearer gateway-key-1' }, body: sms, okWhen: [202] },
      answers: { status: 202, body: { sid: '1' } },
      sends: {
        method: 'PUT',
        path: 'https://api.loja.example/anuente',
        headers: { authorization: 'Bearer gateway-key-1' },
        body: { to: '+5511987654321', body: 'x', vars: ['João "Jão" D\'Ávila', 99.9, null], stop: GIVEN.links.stop },
      },
    },
    {
      title: 'a WhatsApp message needs the phone',
      action: 'sendWhatsapp',
      given: track({ name: 'Cart Abandoned', traits: { phone: '11 98765-4321' } }),
      sends: {
        method: 'POST',
        path: 'https://api.loja.example/anuente',
        body: {
          id: 'delivery-1',
          event: 'Cart Abandoned',
          person: GIVEN.person,
          phone: '+5511987654321',
          properties: {},
          links: GIVEN.links,
        },
      },
    },
  ],
})

describe('webhook: templates', () => {
  let running: RunningSandboxes
  let transport: ReturnType<typeof sandboxTransport>
  beforeEach(async () => {
    running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    transport = sandboxTransport(running, 'webhook')
  })
  afterEach(async () => {
    await transport.close()
    await running.close()
  })
  const send = (name: string, more: object) =>
    runAction(
      webhook,
      'sendSms',
      itemsOf(webhook, { action: 'sendSms', given: track({ name: 'Cart Abandoned', traits: { ...maria, name } }) }),
      {
        settings: { ...settings, ...more },
        transport,
      },
    )

  it('no name breaks out of its place in the JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (name) => {
        const { requests, results } = await send(name, { body: '{"name": {{ name }}, "admin": false}' })
        expect(results[0]!.status).toBe('delivered')
        expect(JSON.parse(requests[0]!.body!)).toEqual({ name, admin: false })
      }),
      { numRuns: 30 },
    )
  })

  it.each([
    ['{"name": "{{ name }}"}', 'the body template does not make JSON'],
    ['{"name": {% include "/etc/hostname" %} }', 'the body template does not render'],
    ['{% for i in (1..99999999) %}{{ i }}{% endfor %}', 'the body template does not render'],
  ])('%s is refused before anything is sent, quoting nobody', async (body, reason) => {
    const { results, requests } = await send('Maria', { body })
    expect(results).toEqual([{ status: 'rejected', reason }])
    expect(requests).toEqual([])
  })

  it('check names a template that is not Liquid', async () => {
    const checked = settingsOf(webhook, { ...settings, body: '{% if %' })
    const answer = await webhook.check({
      http: plainHttp(webhook, checked, transport),
      settings: checked as never,
      now: new Date(),
    })
    expect(answer).toMatchObject({ ok: false, detail: 'The body template is not valid Liquid.' })
  })

  it('a 200 outside okWhen is not taken for success', async () => {
    const { results } = await send('Maria', { okWhen: [200] })
    expect(results).toEqual([{ status: 'rejected', reason: 'HTTP 202 is not among okWhen' }])
  })

  it('the signature is HMAC-SHA256 of time and body', async () => {
    const { requests } = await send('Maria', {})
    const [, seconds, hex] = /^t=(\d+),v1=(.*)$/.exec(requests[0]!.headers['x-anuente-signature']!)!
    expect(hex).toBe(createHmac('sha256', secret).update(`${seconds}.${requests[0]!.body}`).digest('hex'))
    expect(Number(seconds)).toBe(Date.parse(GIVEN.now) / 1000)
  })

  it('a repeated delivery is counted once by its key', async () => {
    await send('Maria', {})
    await send('Maria', {})
    expect(running.state(sandbox)).toMatchObject({ repeats: 1 })
    expect(running.state(sandbox).received.size).toBe(1)
  })
})
