import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { googleEmail } from '../../core/kit/index.ts'
import {
  destinationContract,
  GIVEN,
  itemsOf,
  page,
  runAction,
  sandboxTransport,
  serveSandboxes,
  track,
} from '../../core/testing/index.ts'
import ga4, { nameOf } from './destination.ts'
import { ga4Name } from './event-names.ts'
import sandbox from './sandbox.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const settings = sandbox.settings('')
const path = '/mp/collect?measurement_id=G-SANDBOX1&api_secret=ga4-sandbox-api-secret'
const client = [{ type: 'ga_client_id' as const, value: '1998.1700000000' }]
const order = track({
  name: 'Order Completed',
  userId: 'u-42',
  identifiers: client,
  traits: {
    email: 'Maria.Souza@gmail.com',
    phone: '(11) 98765-4321',
    firstName: 'Maria',
    lastName: "D'Ávila",
    address: { postalCode: '01310-100', country: 'Brasil' },
    plan: 'ouro',
  },
  properties: {
    order_id: 'A-1001',
    total: 149.9,
    shipping: 10,
    currency: 'BRL',
    coupon: 'NATAL',
    products: [{ product_id: 'tenis-42', name: 'Tênis', category: 'Calçados/Tênis', price: 99.9, quantity: 1 }],
  },
  context: { session_id: '77', page: { url: 'https://loja.example/obrigado' } },
})

destinationContract(ga4, {
  settings,
  sandbox,
  secretInQuery: 'The Measurement Protocol reads api_secret from the query alone.',
  blindToCredentials: 'GA4 answers 204 whatever the secret is.',
  hashed: { sendEvent: ['email', 'phone', 'firstName', 'lastName', 'name', 'city'] },
  examples: [
    {
      title: 'an order becomes a purchase with items, session and consent',
      action: 'sendEvent',
      given: order,
      signals: { google: { ad_user_data: 'DENIED' } },
      settings: { userData: true },
      sends: {
        method: 'POST',
        path,
        body: {
          client_id: '1998.1700000000',
          user_id: 'u-42',
          timestamp_micros: Date.parse('2026-11-24T11:59:30Z') * 1000,
          consent: { ad_user_data: 'DENIED' },
          events: [
            {
              name: 'purchase',
              params: {
                session_id: '77',
                engagement_time_msec: 1,
                page_location: 'https://loja.example/obrigado',
                value: 149.9,
                currency: 'BRL',
                transaction_id: 'A-1001',
                shipping: 10,
                coupon: 'NATAL',
                items: [
                  {
                    item_id: 'tenis-42',
                    item_name: 'Tênis',
                    item_category: 'Calçados',
                    item_category2: 'Tênis',
                    price: 99.9,
                    quantity: 1,
                  },
                ],
              },
            },
          ],
        },
      },
      answers: { status: 204 },
    },
    {
      title: 'contact data goes as a hash, and only where ad_user_data is granted',
      action: 'sendEvent',
      given: order,
      signals: { google: { ad_user_data: 'GRANTED', ad_personalization: 'DENIED' } },
      settings: { userData: true, userProperties: { plano: 'plan' }, region: 'eu' },
      sends: {
        method: 'POST',
        path,
        body: expect.objectContaining({
          consent: { ad_user_data: 'GRANTED', ad_personalization: 'DENIED' },
          user_properties: { plano: { value: 'ouro' } },
          user_data: {
            sha256_email_address: [sha256('mariasouza@gmail.com')],
            sha256_phone_number: [sha256('+5511987654321')],
            address: [
              {
                sha256_first_name: sha256('maria'),
                sha256_last_name: sha256('dávila'),
                postal_code: '01310100',
                country: 'BR',
              },
            ],
          },
        }),
      },
      answers: { status: 204 },
    },
    {
      title: 'a page is a page_view of its device',
      action: 'sendEvent',
      given: page({ anonymousId: 'device-7', context: { page: { url: 'https://loja.example/', title: 'Loja' } } }),
      sends: {
        method: 'POST',
        path,
        body: expect.objectContaining({
          client_id: 'device-7',
          events: [
            {
              name: 'page_view',
              params: { engagement_time_msec: 1, page_location: 'https://loja.example/', page_title: 'Loja' },
            },
          ],
        }),
      },
      answers: { status: 204 },
    },
    {
      title: 'an event without properties is one without parameters of its own',
      action: 'sendEvent',
      given: track({ name: 'Signed Up', identifiers: client }),
      sends: {
        method: 'POST',
        path,
        body: expect.objectContaining({ events: [{ name: 'sign_up', params: { engagement_time_msec: 1 } }] }),
      },
      answers: { status: 204 },
    },
  ],
})

describe('ga4: what it would drop in silence', () => {
  const send = async (given: ReturnType<typeof track>, more: object = {}) => {
    const running = await serveSandboxes([sandbox], { now: () => new Date(GIVEN.now) })
    const transport = sandboxTransport(running, 'ga4')
    try {
      const items = itemsOf(ga4, { action: 'sendEvent', given, ...more })
      const { results, requests } = await runAction(ga4, 'sendEvent', items, { settings, transport })
      return { result: results[0], sent: requests.length, kept: running.state(sandbox).events.length }
    } finally {
      await transport.close()
      await running.close()
    }
  }

  it('an event of four days ago', async () => {
    const old = track({ name: 'Signed Up', identifiers: client, occurredAt: '2026-11-20T12:00:00.000Z' })
    expect(await send(old)).toEqual({
      result: { status: 'rejected', reason: 'older than the 72 hours GA4 takes' },
      sent: 0,
      kept: 0,
    })
  })

  it('a reserved name', async () => {
    expect(await send(track({ name: 'Session Start', identifiers: client }))).toMatchObject({
      result: { status: 'rejected', reason: 'GA4 has no event of this name' },
    })
  })

  it('more than 25 parameters', async () => {
    const parameters = Object.fromEntries(Array.from({ length: 26 }, (_, index) => [`p${index}`, index]))
    expect(await send(track({ name: 'Signed Up', identifiers: client }), { with: { parameters } })).toMatchObject({
      result: { status: 'rejected', reason: 'more than the 25 parameters GA4 takes' },
    })
  })

  it('texts that are too long are cut and kept', async () => {
    const given = track({
      name: 'Products Searched',
      identifiers: client,
      properties: { query: 'á'.repeat(500) },
      context: { page: { url: `https://loja.example/?${'x'.repeat(5000)}` } },
    })
    expect(await send(given)).toMatchObject({ result: { status: 'delivered' }, kept: 1 })
  })
})

describe('ga4: names and normalisation', () => {
  it('every name is one GA4 takes, or none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(ga4Name('track', name) ?? 'a').toMatch(/^[a-z]\w{0,39}$/)
      }),
    )
  })

  it.each([
    ['Carrinho Abandonado às Vésperas', 'carrinho_abandonado_as_vesperas'],
    ['Order Completed', 'purchase'],
    ['constructor', 'constructor'],
    ['🛒', undefined],
    ['firebase_x', undefined],
  ])('%s becomes %s', (name, expected) => {
    expect(ga4Name('track', name)).toBe(expected)
  })

  it.each([
    [' Maria.Souza@Gmail.com', 'mariasouza@gmail.com'],
    ['maria.souza@example.com', 'maria.souza@example.com'],
  ])('an e-mail %s is hashed as %s', (value, normal) => {
    expect(googleEmail(value)).toBe(normal)
  })

  it('names lose digits and symbols', () => {
    expect(nameOf(" D'Ávila 2 ")).toBe('dávila')
  })
})
