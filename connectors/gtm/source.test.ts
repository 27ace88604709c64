import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SourceEvent } from '../../core/kit/index.ts'
import {
  type ExampleRequest,
  eventsOf,
  rawRequest,
  rejectedOf,
  sourceContract,
} from '../../core/testing/source-contract.ts'
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

describe('what was taken', () => {
  it('carries the Global Privacy Control header of its request', () => {
    const request = { ...hit('v=2&tid=G-ABC123&cid=1.2&en=scroll'), headers: { 'Sec-GPC': '1' } }
    expect(one(request).consent).toMatchObject([{ vendor: 'gpc', actor: 'browser_signal' }])
  })

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
