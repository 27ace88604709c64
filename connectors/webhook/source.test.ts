import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SourceEvent } from '../../core/kit/index.ts'
import {
  type ExampleRequest,
  eventsOf,
  rawRequest,
  rejectedOf,
  sourceContract,
} from '../../core/testing/source-contract.ts'
import webhook from './source.ts'

const token = 'segredo-do-erp'
const erp = {
  token,
  header: 'x-anuente-token',
  items: 'dados.eventos',
  decimal: ',' as const,
  mapping: {
    event: 'tipo',
    names: { pedido_faturado: 'Order Completed' },
    id: 'id',
    timestamp: 'quando',
    identifiers: { email: ['cliente.email', 'email'], cpf: 'cliente.cpf' },
    traits: {
      name: { join: ['cliente.nome', 'cliente.sobrenome'] },
      vip: { from: 'cliente.vip', as: 'boolean' as const },
    },
    properties: {
      order_id: { from: 'pedido', as: 'orderId' as const },
      total: { from: 'total', as: 'number' as const },
      channel: { const: 'erp' },
      products: { from: 'linhas', each: { product_id: 'codigo', price: { from: 'preco', as: 'number' as const } } },
    },
    context: { campaign: 'campanha' },
    consent: {
      email_marketing: { from: 'cliente.aceita', granted: ['S'], denied: ['N'], method: 'checkbox' as const },
    },
  },
}
const invoice = {
  id: 77,
  tipo: 'pedido_faturado',
  quando: '24/11/2026 08:30',
  pedido: '#1001',
  total: '1.219,90',
  cliente: { email: 'ana@example.com', nome: 'Ana', sobrenome: 'Lima', vip: 'sim', aceita: 's' },
  linhas: [{ codigo: 'tenis', preco: 'R$ 1.219,90' }, {}],
}
const hook = (body: object | string | Buffer, more: Partial<ExampleRequest> = {}): ExampleRequest => ({
  method: 'POST',
  path: '/in/erp',
  headers: { 'x-anuente-token': token },
  body,
  ...more,
})
const who: SourceEvent['identifiers'] = [{ type: 'email', value: 'ana@example.com' }]
const at = '2026-11-24T11:30:00.000Z'

describe('mapped by paths', () => {
  sourceContract(webhook, {
    settings: erp,
    examples: [
      {
        title: 'a list of events, in Brazilian notation',
        request: hook({ dados: { eventos: [invoice, { ...invoice, total: 'muito' }, 5] } }),
        events: [
          {
            type: 'identify',
            messageId: '77-person',
            timestamp: at,
            identifiers: who,
            traits: { name: 'Ana Lima', vip: true },
            consent: [
              {
                vendor: 'mapped',
                answers: { email_marketing: { answer: 'granted' } },
                method: 'checkbox',
                actor: 'subject',
                raw: { 'cliente.aceita': 's' },
              },
            ],
          },
          {
            type: 'track',
            name: 'Order Completed',
            originalName: 'pedido_faturado',
            messageId: '77',
            timestamp: at,
            identifiers: who,
            properties: {
              order_id: '1001',
              total: 1219.9,
              channel: 'erp',
              products: [{ product_id: 'tenis', price: 1219.9 }],
            },
          },
        ],
        rejected: [
          { code: 'INVALID', path: '/dados/eventos/1/total' },
          { code: 'INVALID', path: '/dados/eventos/2' },
        ],
        answer: { status: 200, body: { ok: true, recorded: 2, quarantined: 2 } },
      },
    ],
    refused: [
      { title: 'without a token', request: hook({}, { headers: {} }), exit: 'BAD_SIGNATURE' },
      { title: 'with another token', request: hook({}, { headers: {}, query: { token: 'x' } }), exit: 'BAD_SIGNATURE' },
      {
        title: 'by anybody where the settings name no credential',
        request: hook({}),
        exit: 'BAD_SIGNATURE',
        settings: { header: 'x-anuente-token', preset: 'vtex' },
      },
    ],
    unreadable: [
      { title: 'what is no JSON', request: hook('{'), code: 'MALFORMED_JSON' },
      { title: 'a body without the list', request: hook({ dados: 1 }), code: 'INVALID' },
    ],
  })

  it('takes a form, and a token in the URL', () => {
    const settings = {
      token,
      header: 'x-anuente-token',
      mapping: { identifiers: { phone: 'contato[fone]' }, traits: { city: 'cidade' } },
    }
    const request = rawRequest({
      method: 'POST',
      path: '/in/form',
      query: { token },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'contato%5Bfone%5D=11+98765-4321&cidade=S%C3%A3o+Paulo',
    })
    expect(webhook.verify(request, settings)).toBe(true)
    expect(eventsOf(webhook.normalize(request, settings))).toEqual([
      { type: 'identify', identifiers: [{ type: 'phone', value: '11 98765-4321' }], traits: { city: 'São Paulo' } },
    ])
  })

  it('reads what was set aside again, each part alone', () => {
    const items = webhook.normalize(rawRequest(hook({ dados: { eventos: [invoice] } })), erp)
    const again = items.map(({ raw }) =>
      eventsOf(webhook.normalize(rawRequest(hook(raw as object, { headers: {} })), erp)),
    )
    expect(again).toEqual(eventsOf(items).map((event) => [event]))
  })

  it('knows a prefix, a header and an algorithm of a signature', () => {
    const signature = {
      header: 'X-Hub-Signature',
      secret: 'segredo-de-assinatura',
      algorithm: 'sha1',
      prefix: 'sha1=',
    } as const
    const body = '{"a":1}'
    const hex = createHmac('sha1', signature.secret).update(body).digest('hex')
    const verdict = (headers: Record<string, string>) =>
      webhook.verify(rawRequest(hook(body, { headers })), { header: 'x-anuente-token', signature })
    expect(verdict({ 'x-hub-signature': `sha1=${hex.toUpperCase()}` })).toBe(true)
    expect(verdict({ 'x-hub-signature': hex })).toBe('BAD_SIGNATURE')
    expect(verdict({})).toBe('BAD_SIGNATURE')
  })
})

const secret = 'segredo-da-plataforma'
const preset = (name: 'shopify' | 'woocommerce' | 'nuvemshop' | 'vtex', more: object = {}) => ({
  header: 'x-anuente-token',
  preset: name,
  ...(name === 'vtex' ? { token } : { secret }),
  ...more,
})
const messageId = (name: string, order: string, state: string, item: object) =>
  `${name}-${createHash('sha256')
    .update(JSON.stringify([name, order, state, item]))
    .digest('hex')
    .slice(0, 40)}`
const signedBy = (header: string, encoding: 'hex' | 'base64', body: object, headers: Record<string, string> = {}) =>
  hook(body, {
    headers: { ...headers, [header]: createHmac('sha256', secret).update(JSON.stringify(body)).digest(encoding) },
  })

const phone = { type: 'phone' as const, value: '+5511987654321' }
const ana = { email: 'ana@example.com', phone: phone.value, firstName: 'Ana', lastName: 'Lima', name: 'Ana Lima' }
const both = (
  id: string,
  name: string,
  timestamp: string,
  identifiers: SourceEvent['identifiers'],
  traits: object,
  properties: object,
): SourceEvent[] => [
  { type: 'identify', messageId: `${id}-person`, timestamp, identifiers, traits: { ...traits } },
  { type: 'track', name, messageId: id, timestamp, identifiers, properties: { ...properties } },
]

describe('Shopify', () => {
  const order = {
    id: 820982911946154500,
    name: '#1001',
    email: 'ana@example.com',
    created_at: '2026-11-24T08:00:00-03:00',
    updated_at: '2026-11-24T08:10:00-03:00',
    cancelled_at: null,
    financial_status: 'pending',
    currency: 'BRL',
    total_price: '239.80',
    subtotal_price: '219.90',
    total_tax: '0.00',
    total_discounts: '10.00',
    total_shipping_price_set: { shop_money: { amount: '19.90', currency_code: 'BRL' } },
    discount_codes: [{ code: 'BLACK', amount: '10.00' }],
    customer: { id: 1, first_name: 'Ana', last_name: 'Lima', phone: '+5511987654321' },
    line_items: [
      {
        product_id: 9,
        sku: 'T-40',
        title: 'Tênis',
        variant_title: '40',
        vendor: 'Marca',
        price: '229.90',
        quantity: 1,
      },
    ],
  }
  const request = (body: object, topic: string) =>
    signedBy('X-Shopify-Hmac-Sha256', 'base64', body, { 'X-Shopify-Topic': topic })
  const properties = {
    order_id: '820982911946154500',
    order_number: '1001',
    total: 239.8,
    revenue: 219.9,
    tax: 0,
    shipping: 19.9,
    discount: 10,
    coupon: 'BLACK',
    currency: 'BRL',
    status: 'pending',
    products: [
      { product_id: '9', sku: 'T-40', name: 'Tênis', variant: '40', brand: 'Marca', price: 229.9, quantity: 1 },
    ],
  }
  const identifiers: SourceEvent['identifiers'] = [...who, phone]
  const cancelled = { ...order, cancelled_at: '2026-11-24T08:20:00-03:00' }

  sourceContract(webhook, {
    settings: preset('shopify'),
    examples: [
      {
        title: 'an order that was made',
        request: request(order, 'orders/create'),
        signed: true,
        events: both(
          messageId('shopify', properties.order_id, 'created', order),
          'Order Completed',
          '2026-11-24T11:00:00.000Z',
          identifiers,
          ana,
          properties,
        ),
      },
      {
        title: 'an order that was cancelled',
        request: request(cancelled, 'orders/updated'),
        signed: true,
        events: both(
          messageId('shopify', properties.order_id, 'cancelled', cancelled),
          'Order Cancelled',
          '2026-11-24T11:20:00.000Z',
          identifiers,
          ana,
          properties,
        ),
      },
      { title: "a test order is nobody's", request: request({ ...order, test: true }, 'orders/create'), events: [] },
      {
        title: 'a refund names no customer',
        request: request({ id: 1, order_id: 2 }, 'refunds/create'),
        events: [],
        rejected: [{ code: 'INVALID', path: '' }],
      },
    ],
    refused: [
      { title: 'unsigned', request: hook(order, { headers: {} }), exit: 'BAD_SIGNATURE' },
      {
        title: 'signed in hex',
        request: signedBy('X-Shopify-Hmac-Sha256', 'hex', order),
        exit: 'BAD_SIGNATURE',
      },
    ],
  })

  it('can count paid orders only, and the id the tag reports', () => {
    const names = (topic: string, body: object) =>
      eventsOf(
        webhook.normalize(rawRequest(request(body, topic)), {
          ...preset('shopify', { counts: 'paid', orderId: 'name' }),
        }),
      )
        .filter(({ type }) => type === 'track')
        .map(({ name, properties: told }) => [name, told?.['order_id']])
    expect(names('orders/create', order)).toEqual([['Order Created', '1001']])
    expect(names('orders/paid', { ...order, financial_status: 'paid' })).toEqual([['Order Completed', '1001']])
    expect(names('orders/updated', { ...order, financial_status: 'refunded' })).toEqual([['Order Refunded', '1001']])
    expect(names('orders/updated', order)).toEqual([['Order Updated', '1001']])
  })

  it('is read again without its headers, and hears of consent where the settings say so', () => {
    const consent = {
      email_marketing: {
        from: 'customer.email_marketing_consent.state',
        granted: ['subscribed'],
        denied: ['unsubscribed'],
      },
    }
    const settings = preset('shopify', { consent })
    const left = { ...order, customer: { ...order.customer, email_marketing_consent: { state: 'unsubscribed' } } }
    const items = webhook.normalize(rawRequest(request(left, 'orders/updated')), settings)
    expect(
      eventsOf(items)
        .flatMap((event) => event.consent ?? [])
        .map(({ answers }) => answers),
    ).toEqual([{ email_marketing: { answer: 'denied' } }])
    expect(items.flatMap(({ raw }) => eventsOf(webhook.normalize(rawRequest(hook(raw as object)), settings)))).toEqual(
      eventsOf(items),
    )
  })
})

describe('WooCommerce', () => {
  const order = {
    id: 727,
    number: '727',
    status: 'processing',
    currency: 'BRL',
    date_created_gmt: '2026-11-24T11:00:00',
    date_modified_gmt: '2026-11-24T11:05:00',
    date_paid_gmt: '2026-11-24T11:04:00',
    total: '229.90',
    total_tax: '0.00',
    shipping_total: '10.00',
    discount_total: '0.00',
    billing: { email: 'ana@example.com', phone: '+5511987654321', first_name: 'Ana', last_name: 'Lima' },
    coupon_lines: [],
    line_items: [{ product_id: 93, sku: '', name: 'Tênis', price: 219.9, quantity: 1 }],
  }
  sourceContract(webhook, {
    settings: preset('woocommerce'),
    examples: [
      {
        title: 'a paid order',
        request: signedBy('X-WC-Webhook-Signature', 'base64', order, { 'X-WC-Webhook-Topic': 'order.updated' }),
        signed: true,
        events: both(
          messageId('woocommerce', '727', 'paid', order),
          'Order Completed',
          '2026-11-24T11:04:00.000Z',
          [...who, phone],
          ana,
          {
            order_id: '727',
            order_number: '727',
            total: 229.9,
            tax: 0,
            shipping: 10,
            discount: 0,
            currency: 'BRL',
            status: 'processing',
            products: [{ product_id: '93', name: 'Tênis', price: 219.9, quantity: 1 }],
          },
        ),
      },
      {
        title: 'the unsigned ping of a saved webhook',
        request: hook('webhook_id=12', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
        events: [],
      },
    ],
    refused: [{ title: 'unsigned', request: hook(order, { headers: {} }), exit: 'BAD_SIGNATURE' }],
  })
})

describe('Nuvemshop', () => {
  const order = {
    id: 871254203,
    number: 306,
    status: 'open',
    payment_status: 'paid',
    contact_email: 'ana@example.com',
    contact_name: 'Ana Lima',
    contact_phone: '+5511987654321',
    contact_identification: '529.982.247-25',
    created_at: '2026-11-24T11:00:00+0000',
    paid_at: '2026-11-24T11:03:00+0000',
    subtotal: '219.90',
    discount: '0.00',
    total: '229.90',
    shipping_cost_customer: '10.00',
    currency: 'BRL',
    coupon: [{ code: 'BLACK' }],
    products: [{ product_id: 5, sku: 'T-40', name: 'Tênis', price: '219.90', quantity: '1' }],
  }
  sourceContract(webhook, {
    settings: preset('nuvemshop'),
    examples: [
      {
        title: 'a paid order',
        request: signedBy('x-linkedstore-hmac-sha256', 'hex', order),
        signed: true,
        events: both(
          messageId('nuvemshop', '871254203', 'paid', order),
          'Order Completed',
          '2026-11-24T11:03:00.000Z',
          [{ type: 'cpf', value: '529.982.247-25' }, ...who, phone],
          { email: ana.email, phone: ana.phone, name: ana.name },
          {
            order_id: '871254203',
            order_number: '306',
            total: 229.9,
            revenue: 219.9,
            shipping: 10,
            discount: 0,
            coupon: 'BLACK',
            currency: 'BRL',
            status: 'paid',
            products: [{ product_id: '5', sku: 'T-40', name: 'Tênis', price: 219.9, quantity: 1 }],
          },
        ),
      },
      {
        title: 'the notice alone is set aside, and says what to do',
        request: signedBy('x-linkedstore-hmac-sha256', 'hex', { store_id: 1, event: 'order/paid', id: 2 }),
        events: [],
        rejected: [{ code: 'INVALID', path: '' }],
      },
    ],
    refused: [{ title: 'unsigned', request: hook(order, { headers: {} }), exit: 'BAD_SIGNATURE' }],
  })
})

describe('VTEX', () => {
  const order = {
    orderId: '1172452900788-01',
    orderGroup: '1172452900788',
    status: 'payment-approved',
    value: 22990,
    creationDate: '2026-11-24T11:00:00.0000000+00:00',
    authorizedDate: '2026-11-24T11:03:00.0000000+00:00',
    totals: [
      { id: 'Items', value: 21990 },
      { id: 'Discounts', value: 0 },
      { id: 'Shipping', value: 1000 },
    ],
    items: [
      {
        id: '880',
        productId: '88',
        refId: 'T-40',
        name: 'Tênis',
        sellingPrice: 21990,
        quantity: 1,
        additionalInfo: { brandName: 'Marca' },
      },
    ],
    clientProfileData: {
      email: 'ana@example.com',
      firstName: 'Ana',
      lastName: 'Lima',
      phone: '+5511987654321',
      documentType: 'cpf',
      document: '52998224725',
    },
    storePreferencesData: { currencyCode: 'BRL' },
    marketingData: null,
  }
  const identifiers: SourceEvent['identifiers'] = [{ type: 'cpf', value: '52998224725' }, ...who, phone]
  sourceContract(webhook, {
    settings: preset('vtex'),
    examples: [
      {
        title: 'an order with amounts in cents',
        request: hook(order),
        events: both(
          messageId('vtex', '1172452900788', 'paid', order),
          'Order Completed',
          '2026-11-24T11:03:00.000Z',
          identifiers,
          ana,
          {
            order_id: '1172452900788',
            order_number: '1172452900788-01',
            total: 229.9,
            revenue: 219.9,
            shipping: 10,
            discount: 0,
            currency: 'BRL',
            status: 'payment-approved',
            products: [{ product_id: '88', sku: 'T-40', name: 'Tênis', brand: 'Marca', price: 219.9, quantity: 1 }],
          },
        ),
      },
      { title: 'the ping of a hook', request: hook({ hookConfig: 'ping' }), events: [] },
      {
        title: 'the hook alone is set aside, and says what to do',
        request: hook({ OrderId: '1-01', State: 'payment-approved' }),
        events: [],
        rejected: [{ code: 'INVALID', path: '' }],
      },
    ],
    refused: [{ title: 'without the token', request: hook(order, { headers: {} }), exit: 'BAD_SIGNATURE' }],
  })

  it('does not take a masked e-mail for a person', () => {
    const masked = { ...order, clientProfileData: { email: '64d0-1b@ct.vtex.com.br', phone: '+5511987654321' } }
    const [first] = eventsOf(webhook.normalize(rawRequest(hook(masked)), preset('vtex')))
    expect(first?.identifiers).toEqual([phone])
    expect(rejectedOf(webhook.normalize(rawRequest(hook({ ...order, value: 10.5 })), preset('vtex')))).toEqual([
      { code: 'INVALID', path: '/value' },
    ])
  })
})
