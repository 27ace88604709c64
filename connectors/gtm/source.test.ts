import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SourceEvent } from '../../core/kit/index.ts'
import {
  type ExampleRequest,
  eventsOf,
  rawRequest,
  rejectedOf,
  sourceContract,
} from '../../core/testing/source-contract.ts'
import { consentOfHit, readGcd, readGcs } from './consent-mode.ts'
import { readItem } from './items.ts'
import { ga4NameOf, mappingOf, NAMES } from './names.ts'
import gtm from './source.ts'

const settings = {
  measurementId: 'G-ABC123',
  firebaseAppId: '1:22:android:33',
  apiSecret: 'segredo-do-ga4',
  token: 'token-da-camada',
}

const hit = (query: string, body = ''): ExampleRequest => ({
  method: body === '' ? 'GET' : 'POST',
  path: '/g/collect',
  query: Object.fromEntries(new URLSearchParams(query)),
  body,
})
const protocol = (body: object, query: Record<string, string> = { measurement_id: 'G-ABC123' }): ExampleRequest => ({
  method: 'POST',
  path: '/mp/collect',
  query: { ...query, api_secret: 'segredo-do-ga4' },
  body,
})
const layer = (body: object): ExampleRequest => ({
  method: 'POST',
  path: '/in/gtm',
  headers: { 'X-Anuente-Token': 'token-da-camada' },
  body,
})
const debug = (
  body: object | string,
  query: Record<string, string> = { measurement_id: 'G-ABC123' },
): ExampleRequest => ({
  method: 'POST',
  path: '/debug/mp/collect',
  query,
  body,
})
const id = (...parts: unknown[]) =>
  `ga4-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)}`
const read = (request: ExampleRequest) => gtm.normalize(rawRequest(request), settings)
const one = (request: ExampleRequest): SourceEvent => {
  const events = eventsOf(read(request))
  expect(events).toHaveLength(1)
  return events[0]!
}

const client = { type: 'ga_client_id', value: '11.22' } as const
const tshirt = { product_id: 'SKU1', name: 'Camiseta', price: 10.5, quantity: 2 }
const answered = (answer: 'granted' | 'denied') => ({ answer })

sourceContract(gtm, {
  settings,
  examples: [
    {
      title: 'a page view by GET',
      request: hit(
        'v=2&tid=G-ABC123&_p=1764340309313&_s=1&cid=11.22&sid=9&sct=2&ul=pt-br&sr=1920x1080&en=page_view&dt=Loja&dl=https%3A%2F%2Floja.example%2Ft%3Fq%3D1%26utm_source%3Dnews&gcs=G111&gcd=13t3u3v3l5l1&npa=1&ep.tipo=home&epn.nota=5',
      ),
      events: [
        {
          type: 'page',
          originalName: 'page_view',
          messageId: id('hit', 'G-ABC123', '11.22', '1764340309313', '1', 'page_view', 0),
          identifiers: [client],
          properties: {
            url: 'https://loja.example/t?q=1&utm_source=news',
            path: '/t',
            search: '?q=1&utm_source=news',
            title: 'Loja',
            tipo: 'home',
            nota: 5,
          },
          context: {
            page: {
              url: 'https://loja.example/t?q=1&utm_source=news',
              path: '/t',
              search: '?q=1&utm_source=news',
              title: 'Loja',
            },
            campaign: { source: 'news' },
            screen: { width: 1920, height: 1080 },
            locale: 'pt-br',
            google: {
              measurementId: 'G-ABC123',
              sessionId: '9',
              sessionNumber: '2',
              gcs: 'G111',
              gcd: '13t3u3v3l5l1',
              npa: '1',
            },
          },
          consent: [
            {
              vendor: 'google',
              answers: {
                ad_storage: { answer: 'granted', flags: ['preticked'] },
                analytics_storage: answered('denied'),
                ad_user_data: answered('granted'),
              },
              method: 'cmp_string',
              actor: 'subject',
              raw: { gcd: '13t3u3v3l5l1', gcs: 'G111' },
            },
          ],
        },
      ],
      answer: { status: 204 },
    },
    {
      title: 'body lines are the events and override what the query shares',
      request: hit(
        'v=2&tid=G-ABC123&cid=11.22&en=ignored&cu=BRL',
        'en=add_to_cart&epn.value=21&pr1=idSKU1~nmCamiseta~pr10.50~qt2\r\nen=purchase&ep.transaction_id=P1&epn.value=30&epn.tax=2&epn.shipping=7&uid=u1\r\nep.x=1&en=',
      ),
      events: [
        {
          type: 'track',
          name: 'Product Added',
          originalName: 'add_to_cart',
          identifiers: [client],
          properties: { value: 21, currency: 'BRL', ...tshirt },
          context: { google: { measurementId: 'G-ABC123' } },
        },
        {
          type: 'track',
          name: 'Order Completed',
          originalName: 'purchase',
          messageId: id('purchase', 'P1'),
          identifiers: [{ type: 'userId', value: 'u1' }, client],
          properties: { order_id: 'P1', value: 30, tax: 2, shipping: 7, currency: 'BRL', total: 30, revenue: 21 },
          context: { google: { measurementId: 'G-ABC123' } },
        },
      ],
      rejected: [{ code: 'INVALID', path: '/en' }],
    },
    {
      title: 'a Measurement Protocol request of a web stream',
      request: protocol({
        client_id: '11.22',
        user_id: 'u1',
        timestamp_micros: '1764340309313000',
        user_properties: { plano: { value: 'pro' } },
        consent: { ad_user_data: 'GRANTED', ad_personalization: 'DENIED' },
        user_data: { sha256_email_address: ['ab12'] },
        events: [
          {
            name: 'view_item',
            params: {
              currency: 'BRL',
              value: 21,
              items: [{ item_id: 'SKU1', item_name: 'Camiseta', price: 10.5, quantity: 2 }],
              anuente_delivery_id: 'd1',
            },
          },
          { params: {} },
          { name: 'x', timestamp_micros: 'ontem' },
        ],
      }),
      events: [
        {
          type: 'track',
          name: 'Product Viewed',
          originalName: 'view_item',
          messageId: id('protocol', '11.22', '1764340309313000', 'view_item', 0, {
            currency: 'BRL',
            value: 21,
            items: [{ item_id: 'SKU1', item_name: 'Camiseta', price: 10.5, quantity: 2 }],
            anuente_delivery_id: 'd1',
          }),
          timestamp: '2025-11-28T14:31:49.313Z',
          identifiers: [{ type: 'userId', value: 'u1' }, client],
          traits: { plano: 'pro' },
          properties: { currency: 'BRL', value: 21, ...tshirt },
          context: { userData: { sha256_email_address: ['ab12'] } },
          consent: [
            {
              vendor: 'google',
              answers: { ad_user_data: answered('granted'), ad_personalization: answered('denied') },
              method: 'cmp_string',
              actor: 'subject',
              raw: { ad_user_data: 'GRANTED', ad_personalization: 'DENIED' },
            },
          ],
          deliveryId: 'd1',
        },
      ],
      rejected: [
        { code: 'INVALID', path: '/events/1/name' },
        { code: 'BAD_TIMESTAMP', path: '/events/2/timestamp_micros' },
      ],
      answer: { status: 204 },
    },
    {
      title: 'a Measurement Protocol request of an app stream',
      request: protocol(
        { app_instance_id: 'a'.repeat(32), events: [{ name: 'screen_view', params: { firebase_screen: 'Carrinho' } }] },
        { firebase_app_id: '1:22:android:33' },
      ),
      events: [
        {
          type: 'screen',
          name: 'Carrinho',
          originalName: 'screen_view',
          identifiers: [{ type: 'device_id', value: 'a'.repeat(32) }],
          properties: { name: 'Carrinho' },
          context: {},
        },
      ],
    },
    {
      title: 'a dataLayer with identity, consent commands, gtag and ecommerce pushes',
      request: layer([
        {
          '0': 'consent',
          '1': 'default',
          '2': { ad_storage: 'granted', analytics_storage: 'denied', wait_for_update: 500 },
        },
        { client_id: '11.22', user_id: 'u1', user_data: { email_address: 'Ana@Example.com' } },
        { '0': 'consent', '1': 'update', '2': { analytics_storage: 'granted' } },
        { ecommerce: null },
        {
          event: 'view_cart',
          ecommerce: {
            currency: 'BRL',
            value: 21,
            items: [{ item_id: 'SKU1', item_name: 'Camiseta', price: '10.50', quantity: 2 }],
          },
        },
        { '0': 'event', '1': 'search', '2': { search_term: 'tênis', send_to: 'G-ABC123' } },
        { '0': 'config', '1': 'G-ABC123' },
        7,
      ]),
      events: [
        {
          type: 'track',
          name: 'Consent Updated',
          originalName: 'consent default',
          identifiers: [{ type: 'userId', value: 'u1' }, client, { type: 'email', value: 'Ana@Example.com' }],
          context: {},
          properties: { command: 'default' },
          consent: [
            {
              vendor: 'google',
              answers: { ad_storage: { answer: 'granted', flags: ['preticked'] } },
              method: 'cmp_string',
              actor: 'system',
              raw: {
                command: 'consent default',
                settings: { ad_storage: 'granted', analytics_storage: 'denied', wait_for_update: 500 },
              },
            },
          ],
        },
        {
          type: 'track',
          name: 'Consent Updated',
          originalName: 'consent update',
          identifiers: [{ type: 'userId', value: 'u1' }, client, { type: 'email', value: 'Ana@Example.com' }],
          context: {},
          properties: { command: 'update' },
          consent: [
            {
              vendor: 'google',
              answers: {
                ad_storage: { answer: 'granted', flags: ['preticked'] },
                analytics_storage: answered('granted'),
              },
              method: 'cmp_string',
              actor: 'subject',
              raw: { command: 'consent update', settings: { analytics_storage: 'granted' } },
            },
          ],
        },
        {
          type: 'track',
          name: 'Cart Viewed',
          originalName: 'view_cart',
          identifiers: [{ type: 'userId', value: 'u1' }, client, { type: 'email', value: 'Ana@Example.com' }],
          traits: { email: 'Ana@Example.com' },
          properties: { currency: 'BRL', value: 21, products: [tshirt] },
          context: {},
        },
        {
          type: 'track',
          name: 'Products Searched',
          originalName: 'search',
          identifiers: [{ type: 'userId', value: 'u1' }, client, { type: 'email', value: 'Ana@Example.com' }],
          traits: { email: 'Ana@Example.com' },
          properties: { query: 'tênis' },
          context: {},
        },
      ],
      rejected: [{ code: 'INVALID', path: '/7' }],
      answer: { status: 200, body: { ok: true, recorded: 4, quarantined: 1 } },
    },
    {
      title: 'the common event of a server container',
      request: layer({
        event_name: 'purchase',
        client_id: '11.22',
        'x-ga-measurement_id': 'G-ABC123',
        'x-ga-page_id': '77',
        'x-ga-request_count': 3,
        'x-ga-gcd': '13r3r3r3r5',
        'x-ga-mp2-seg': '1',
        page_location: 'https://loja.example/obrigado',
        screen_resolution: '800x600',
        language: 'pt-br',
        ip_override: '203.0.113.7',
        user_agent: 'Mozilla/5.0',
        transaction_id: 'P2',
        value: '25.5',
        currency: 'BRL',
        items: [{ item_id: 'SKU1', item_name: 'Camiseta', price: 10.5, quantity: 2 }],
      }),
      events: [
        {
          type: 'track',
          name: 'Order Completed',
          originalName: 'purchase',
          messageId: id('hit', 'G-ABC123', '11.22', '77', '3', 'purchase', 0),
          identifiers: [client],
          properties: {
            page_location: 'https://loja.example/obrigado',
            order_id: 'P2',
            value: 25.5,
            currency: 'BRL',
            products: [tshirt],
            total: 25.5,
          },
          context: {
            page: { url: 'https://loja.example/obrigado', path: '/obrigado' },
            screen: { width: 800, height: 600 },
            locale: 'pt-br',
            userAgent: 'Mozilla/5.0',
            ip: '203.0.113.7',
            google: { measurementId: 'G-ABC123', gcd: '13r3r3r3r5' },
            value_mismatch: true,
          },
          consent: [
            {
              vendor: 'google',
              answers: {
                ad_storage: answered('granted'),
                analytics_storage: answered('granted'),
                ad_user_data: answered('granted'),
                ad_personalization: answered('granted'),
              },
              method: 'cmp_string',
              actor: 'subject',
              raw: { gcd: '13r3r3r3r5' },
            },
          ],
        },
      ],
    },
    {
      title: 'an order in the words of Universal Analytics',
      request: layer({
        event: 'transacao',
        client_id: '11.22',
        ecommerce: {
          currencyCode: 'BRL',
          purchase: {
            actionField: { id: 'P3', revenue: '21.00', shipping: '0' },
            products: [{ id: 'SKU1', name: 'Camiseta', price: '10.50', quantity: 2 }],
          },
        },
      }),
      events: [
        {
          type: 'track',
          name: 'Order Completed',
          originalName: 'transacao',
          messageId: id('purchase', 'P3'),
          identifiers: [client],
          properties: {
            order_id: 'P3',
            value: 21,
            shipping: 0,
            currency: 'BRL',
            products: [tshirt],
            total: 21,
            revenue: 21,
          },
          context: {},
        },
      ],
    },
  ],
  refused: [
    { title: 'a hit of another stream', request: hit('v=2&tid=G-OUTRA&cid=1.2&en=page_view'), exit: 'UNKNOWN_KEY' },
    { title: 'a hit of no stream', request: hit('v=2&cid=1.2&en=page_view'), exit: 'UNKNOWN_KEY' },
    {
      title: 'a wrong api_secret, which Google would answer with 204',
      request: { ...protocol({ events: [] }), query: { measurement_id: 'G-ABC123', api_secret: 'outro' } },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'no api_secret',
      request: { ...protocol({ events: [] }), query: { measurement_id: 'G-ABC123' } },
      exit: 'BAD_SIGNATURE',
    },
    {
      title: 'the Measurement Protocol when no secret is configured',
      request: protocol({ events: [] }),
      exit: 'BAD_SIGNATURE',
      settings: { measurementId: 'G-ABC123' },
    },
    { title: 'dataLayer without token', request: { ...layer({}), headers: {} }, exit: 'BAD_SIGNATURE' },
    {
      title: 'dataLayer with a wrong token',
      request: { ...layer({}), headers: {}, query: { token: 'token-da-camadA' } },
      exit: 'BAD_SIGNATURE',
    },
  ],
  unreadable: [
    { title: 'half a JSON at /in', request: { ...layer({}), body: '{"event":' }, code: 'MALFORMED_JSON' },
    { title: 'a list at /mp/collect', request: protocol([]), code: 'INVALID' },
    { title: 'no events at /mp/collect', request: protocol({ client_id: '1.2' }), code: 'INVALID' },
  ],
  replies: [
    {
      title: 'nothing wrong',
      request: debug({
        client_id: '1.2',
        events: [{ name: 'purchase', params: { transaction_id: 'P', value: 1, currency: 'BRL', items: [] } }],
      }),
      answer: { status: 200, body: { validationMessages: [] } },
    },
    {
      title: 'every kind of mistake, with its path',
      request: debug({
        consent: { ad_user_data: true, analytics: 'GRANTED' },
        timestamp_micros: 1_700_000_000_000_000,
        user_properties: { user_id: { value: 'x' }, plano: {}, cidade: { value: 'x'.repeat(37) } },
        events: [
          { name: 'first_visit' },
          { name: '1a' },
          { name: 'com espaço' },
          { name: 'x'.repeat(41) },
          {},
          {
            name: 'purchase',
            params: {
              value: '10',
              firebase_x: 1,
              texto: 'x'.repeat(101),
              lista: [],
              items: [{}],
            },
          },
          { name: 'cheio', params: Object.fromEntries(Array.from({ length: 26 }, (_, index) => [`p${index}`, 1])) },
        ],
      }),
      answer: {
        status: 200,
        body: {
          validationMessages: [
            ['VALUE_REQUIRED', 'client_id'],
            ['VALUE_OUT_OF_BOUNDS', 'timestamp_micros'],
            ['VALUE_INVALID', 'consent.ad_user_data'],
            ['NAME_INVALID', 'consent.analytics'],
            ['NAME_RESERVED', 'user_properties.user_id'],
            ['VALUE_REQUIRED', 'user_properties.plano.value'],
            ['VALUE_OUT_OF_BOUNDS', 'user_properties.cidade.value'],
            ['NAME_RESERVED', 'events[0].name'],
            ['NAME_INVALID', 'events[1].name'],
            ['NAME_INVALID', 'events[2].name'],
            ['NAME_INVALID', 'events[3].name'],
            ['VALUE_REQUIRED', 'events[4].name'],
            ['NAME_RESERVED', 'events[5].params.firebase_x'],
            ['VALUE_OUT_OF_BOUNDS', 'events[5].params.texto'],
            ['VALUE_INVALID', 'events[5].params.lista'],
            ['VALUE_REQUIRED', 'events[5].params.items[0]'],
            ['VALUE_INVALID', 'events[5].params.value'],
            ['VALUE_REQUIRED', 'events[5].params.currency'],
            ['VALUE_REQUIRED', 'events[5].params.transaction_id'],
            ['EXCEEDED_MAX_ENTITIES', 'events[6].params'],
          ].map(([validationCode, fieldPath]) => ({ validationCode, fieldPath, description: expect.any(String) })),
        },
      },
    },
    {
      title: 'an app without instance id, 26 events',
      request: debug(
        { app_instance_id: 'curto', events: Array.from({ length: 26 }, () => ({ name: 'a' })) },
        { firebase_app_id: '1:22:android:33' },
      ),
      answer: {
        status: 200,
        body: {
          validationMessages: [
            { validationCode: 'VALUE_INVALID', fieldPath: 'app_instance_id', description: expect.any(String) },
            { validationCode: 'EXCEEDED_MAX_ENTITIES', fieldPath: 'events', description: expect.any(String) },
          ],
        },
      },
    },
    {
      title: 'no JSON',
      request: debug('não é json'),
      answer: {
        status: 200,
        body: {
          validationMessages: [{ validationCode: 'VALUE_INVALID', fieldPath: '', description: expect.any(String) }],
        },
      },
    },
  ],
})

describe('Consent Mode', () => {
  it('reads every letter by its bits, also those outside the nine common ones', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const words = [undefined, undefined, 'denied', 'granted']
    for (const [index, letter] of [...letters].entries()) {
      const state = readGcd(`13${letter}3l3l3l5`)?.signals.ad_storage
      expect([letter, state?.default, state?.update]).toEqual([letter, words[(index >> 2) & 3], words[index & 3]])
    }
  })

  it('says nothing for a signal nobody set, though gtag behaves as if it were granted', () => {
    expect(consentOfHit({ gcd: '13l3l3l3l1l1' })).toEqual([])
    expect(consentOfHit({ gcs: 'G1--' })).toEqual([])
    expect(consentOfHit({})).toEqual([])
  })

  it('believes gcd before gcs, and gcs when gcd cannot be read', () => {
    expect(consentOfHit({ gcd: '13q3q3q3q5', gcs: 'G111' })[0]?.answers['ad_storage']).toEqual({ answer: 'denied' })
    expect(consentOfHit({ gcd: '13r3r5', gcs: 'G100' })[0]?.answers).toEqual({
      ad_storage: { answer: 'denied' },
      analytics_storage: { answer: 'denied' },
    })
  })

  it('takes Global Privacy Control from the flags of gcd and from the header', () => {
    const refusal = { vendor: 'gpc', answers: { gpc: { answer: 'denied' } }, method: 'gpc', actor: 'browser_signal' }
    expect(consentOfHit({ gcd: '13l3l3l3ld' })).toMatchObject([refusal])
    expect(consentOfHit({ gcd: '13l3l3l3l9l1' })).toMatchObject([refusal])
    expect(consentOfHit({ gcd: '13l3l3l3l5l1' })).toEqual([])
    const request = { ...hit('v=2&tid=G-ABC123&cid=1.2&en=scroll'), headers: { 'Sec-GPC': '1' } }
    expect(one(request).consent).toMatchObject([refusal])
  })

  it('never grants what is not one of the four signals of gcd', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (text) => {
        for (const evidence of consentOfHit({ gcd: text, gcs: text }))
          for (const name of Object.keys(evidence.answers))
            expect(['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization', 'gpc']).toContain(name)
      }),
    )
  })
})

describe('items', () => {
  it('reads categories as gtag writes them and as other clients do', () => {
    const levels = { item_category: 'Roupas', item_category2: 'Infantil', item_category3: '3 a 5 anos' }
    expect(readItem('caRoupas~c2Infantil~c33 a 5 anos')).toEqual(levels)
    expect(readItem('caRoupas~ca2Infantil~ca33 a 5 anos')).toEqual(levels)
    expect(readItem('ca3D')).toEqual({ item_category: '3D' })
  })

  it('reads custom fields and a doubled ~ as part of the value', () => {
    expect(readItem('idA~~B~k0cor~v0azul~k1sku~v1X-1~vaG~pr19.90')).toEqual({
      item_id: 'A~B',
      cor: 'azul',
      sku: 'X-1',
      item_variant: 'G',
      price: 19.9,
    })
  })

  it('keeps every item of an event that Segment has one product for', () => {
    const event = one(hit('v=2&tid=G-ABC123&cid=1.2&en=add_to_cart&pr2=idB~pr2&pr1=idA~pr1&pr201=idZ'))
    expect(event.properties).toEqual({
      product_id: 'A',
      price: 1,
      quantity: 1,
      products: [
        { product_id: 'A', price: 1, quantity: 1 },
        { product_id: 'B', price: 2, quantity: 1 },
      ],
    })
  })

  it('gives items what the event says of their list and promotion', () => {
    expect(
      one(hit('v=2&tid=G-ABC123&cid=1.2&en=view_item_list&ep.item_list_id=l1&ep.item_list_name=Ofertas&pr1=idA'))
        .properties,
    ).toEqual({
      list_id: 'l1',
      category: 'Ofertas',
      products: [{ product_id: 'A', item_list_id: 'l1', item_list_name: 'Ofertas', quantity: 1 }],
    })
    expect(
      one(hit('v=2&tid=G-ABC123&cid=1.2&en=view_promotion&pr1=idA~pip1~pnBlack~cnBanner~loTopo')).properties,
    ).toMatchObject({
      promotion_id: 'p1',
      name: 'Black',
      creative: 'Banner',
      position: 'Topo',
    })
  })
})

describe('names', () => {
  it('lead back to where they came from', () => {
    for (const { ga4, type, name } of NAMES) {
      const back = ga4NameOf(type, name ?? 'any')
      expect([ga4, mappingOf(back)?.name, mappingOf(back)?.type]).toEqual([ga4, name, type])
    }
    expect(ga4NameOf('track', 'Products Searched')).toBe('search')
    expect(ga4NameOf('track', 'Coupon Applied')).toBe('coupon_applied')
  })

  it('leaves names of the site and of GA4 itself alone', () => {
    for (const name of ['user_engagement', 'session_start', 'first_visit', 'scroll', 'frete_calculado']) {
      const event = one(hit(`v=2&tid=G-ABC123&cid=1.2&en=${name}`))
      expect([event.type, event.name, event.originalName]).toEqual(['track', name, undefined])
    }
  })
})

describe('identity', () => {
  it('keeps hashes beside the event and never as identifiers', () => {
    const hash = createHash('sha256').update('ana@example.com').digest()
    const event = one(
      hit(
        `v=2&tid=G-ABC123&cid=11.22&en=login&em=${encodeURIComponent(`tv.1~em.${hash.toString('base64url')}`)}&ep.user_data.sha256_phone_number=ff00`,
      ),
    )
    expect(event.identifiers).toEqual([client])
    expect(event.context?.['userData']).toEqual({
      sha256_email_address: hash.toString('hex'),
      sha256_phone_number: 'ff00',
    })
    expect(event.properties).toEqual({})
  })

  it('reads contact data given in the clear', () => {
    const event = one(
      layer({
        event: 'sign_up',
        user_data: {
          email: 'ana@example.com',
          phone_number: '+5511987654321',
          address: { first_name: 'Ana', city: 'Recife', sha256_last_name: 'aa' },
        },
      }),
    )
    expect(event.identifiers).toEqual([
      { type: 'email', value: 'ana@example.com' },
      { type: 'phone', value: '+5511987654321' },
    ])
    expect(event.traits).toEqual({
      email: 'ana@example.com',
      phone: '+5511987654321',
      firstName: 'Ana',
      address: { city: 'Recife' },
    })
    expect(event.context).toEqual({ userData: { address: { sha256_last_name: 'aa' } } })
  })
})

describe('what was taken', () => {
  it('can be read again from its raw form alone, wherever it came from', () => {
    const requests = [
      hit('v=2&tid=G-ABC123&cid=11.22&uid=u&en=purchase&ep.transaction_id=P1&pr1=idA~pr1'),
      protocol({ client_id: '11.22', user_properties: { a: { value: 1 } }, events: [{ name: 'login', params: {} }] }),
      layer([
        { client_id: '11.22', user_id: 'u' },
        { event: 'x', ecommerce: { items: [{ item_id: 'A' }] } },
      ]),
      layer([{ client_id: '11.22' }, { '0': 'event', '1': 'login', '2': { method: 'senha' } }]),
      layer([{ client_id: '11.22' }, { '0': 'consent', '1': 'update', '2': { ad_storage: 'denied' } }]),
    ]
    for (const request of requests) {
      const [item] = read(request)
      expect(item && 'event' in item).toBe(true)
      expect(eventsOf(read({ ...layer({}), body: item!.raw as object }))).toEqual(eventsOf([item!]))
    }
  })

  it('is refused line by line when it belongs to another stream', () => {
    const items = read(hit('v=2&tid=G-ABC123&cid=1.2', 'en=a\nen=b&tid=G-OUTRA'))
    expect(eventsOf(items).map((event) => event.name)).toEqual(['a'])
    expect(rejectedOf(items)).toEqual([{ code: 'INVALID', path: '/tid' }])
  })

  it('quarantines what is beyond the 25th event', () => {
    const items = read(protocol({ client_id: '1.2', events: Array.from({ length: 27 }, () => ({ name: 'a' })) }))
    expect(eventsOf(items)).toHaveLength(25)
    expect(rejectedOf(items).map(({ path }) => path)).toEqual(['/events/25', '/events/26'])
  })

  it('says when a body names no event at all', () => {
    expect(rejectedOf(read(layer({ pagina: 'home' })))).toEqual([{ code: 'INVALID', path: '/event' }])
    expect(read(layer([{ ecommerce: null }]))).toEqual([])
  })
})

const shared = process.env['ANUENTE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared')

describe.runIf(existsSync(`${shared}/vectors/gcd.json`))('public vectors', () => {
  const load = (name: string) =>
    JSON.parse(readFileSync(`${shared}/vectors/${name}`, 'utf8')) as Record<string, unknown>
  const hits = () =>
    load('ga4_hits.json')['hits'] as { n: number; method: string; path?: string; query: string; body: string | null }[]
  const events = (n: number) => {
    const { method, query, body } = hits().find((entry) => entry.n === n)!
    const parameters = Object.fromEntries(new URLSearchParams(query))
    const request = rawRequest({ method, path: '/g/collect', query: parameters, body: body ?? '' })
    return eventsOf(gtm.normalize(request, { measurementId: parameters['tid']! }))
  }

  it('gcd and gcs', () => {
    const {
      gcd,
      gcs,
      letters,
      signal_order: order,
    } = load('gcd.json') as {
      gcd: { raw: string; effective?: (string | null)[]; valid?: boolean }[]
      gcs: ({ raw: string; valid?: boolean } & Record<string, string | null>)[]
      letters: Record<string, { default: string | null; update: string | null }>
      signal_order: string[]
    }
    for (const { raw, effective, valid } of gcd) {
      const signals = readGcd(raw)?.signals as Record<string, { default?: string; update?: string }> | undefined
      const read = signals && order.map((name) => signals[name]?.update ?? signals[name]?.default ?? null)
      expect([raw, read]).toEqual([raw, valid === false ? undefined : effective])
    }
    for (const [letter, state] of Object.entries(letters)) {
      const read = readGcd(`13${letter}3l3l3l1`)?.signals.ad_storage
      expect([letter, read?.default ?? null, read?.update ?? null]).toEqual([letter, state.default, state.update])
    }
    for (const { raw, valid, ...expected } of gcs) {
      const read = readGcs(raw)
      expect([raw, read !== undefined]).toEqual([raw, valid !== false])
      if (read)
        expect([read.ad_storage ?? null, read.analytics_storage ?? null]).toEqual([
          expected['ad_storage'],
          expected['analytics_storage'],
        ])
    }
  })

  it('every plain hit gives its events', () => {
    const counts = hits()
      .filter((entry) => entry.path === '/g/collect')
      .map(({ n }) => [n, events(n).map((event) => event.originalName ?? event.name)])
    expect(counts).toEqual([
      [1, ['page_view']],
      [4, ['begin_checkout']],
      [7, ['select_item']],
      [10, ['level_start']],
      [13, ['add_to_cart']],
      [16, ['generate_lead']],
      [19, ['add_to_cart']],
      [22, ['page_view']],
      [25, ['refund']],
      [28, ['remove_from_cart']],
      [31, ['page_view']],
      [37, ['view_item_list']],
      [40, ['begin_checkout']],
      [43, ['page_view']],
      [46, ['scroll']],
      [49, ['x']],
      [52, []],
      [55, ['page_view', 'scroll']],
      [58, ['view_search_results']],
    ])
  })

  it('what the projects that published them assert', () => {
    expect(events(22)[0]).toMatchObject({
      identifiers: [{ type: 'ga_client_id', value: '584335997.1746564151' }],
      context: {
        page: { title: 'Sesamy Demo Page', referrer: 'https://bestbytes.cloudflareaccess.com/' },
        google: { sessionId: '1749196701', gcs: 'G111' },
      },
    })
    expect(events(37)[0]?.properties?.['products']).toHaveLength(4)
    expect(events(40)[0]?.properties).toMatchObject({ currency: 'EUR', value: 259.97, coupon: 'WELCOME15' })
    expect(events(40)[0]?.properties?.['products']).toHaveLength(3)
    expect(events(43)[0]?.properties).toMatchObject({ page_type: 'home', engagement_time_msec: 100 })
    expect(events(49)[0]?.consent?.[0]?.answers).toEqual({
      ad_storage: answered('denied'),
      analytics_storage: answered('denied'),
    })
    expect(events(55)[1]?.properties).toEqual({ percent_scrolled: 90 })
    expect(events(31)[0]?.consent).toMatchObject([
      { actor: 'system', answers: { ad_storage: { answer: 'granted', flags: ['preticked'] } } },
    ])
  })
})
