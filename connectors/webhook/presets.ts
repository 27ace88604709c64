/**
 * Orders of Shopify, WooCommerce, Nuvemshop and VTEX as the hub's order events. Built from the platforms'
 * documentation, not from recorded deliveries of a real shop.
 */
import { createHash } from 'node:crypto'
import {
  type EventMapping,
  isLoose,
  type KeptItem,
  type Loose,
  orderId,
  type Place,
  type RawRequest,
  readPath,
} from '../../core/kit/index.ts'

export const PRESET_NAMES = ['vtex', 'nuvemshop', 'shopify', 'woocommerce'] as const
export type PresetName = (typeof PRESET_NAMES)[number]

/** What an order has come to. */
type State = 'created' | 'paid' | 'updated' | 'cancelled' | 'refunded'

interface Preset {
  readonly docs: string
  /** As the platform documents it; absent where it signs nothing. */
  readonly signature?: { readonly header: string; readonly encoding: 'hex' | 'base64' }
  /** Header that says what happened. */
  readonly topicHeader?: string
  /** What the platform sends unsigned to try an address: it says nothing and becomes nothing. */
  readonly unsigned?: (request: RawRequest) => boolean
  /** Path of the order's id, which the shop's tag reports too. */
  readonly orderId: string
  /** Undefined: no order that counts. Text: why it cannot be read. */
  readonly state: (order: Loose, topic: string | undefined) => State | undefined | { readonly refused: string }
  /** When it came to that. */
  readonly at: (state: State) => Place
  /** What the paths cannot reach is laid beside the order. */
  readonly prepare?: (order: Loose) => Loose
  readonly mapping: Pick<EventMapping, 'identifiers' | 'traits'> & {
    readonly properties: Readonly<Record<string, Place>>
  }
}

const number = (...from: string[]): Place => ({ from, as: 'number' })
const cents = (...from: string[]): Place => ({ from, as: 'cents' })
const date = (...from: string[]): Place => ({ from, as: 'date' })
/** Times without a zone that the platform documents as UTC. */
const utcDate = (...from: string[]): Place => ({ from, as: 'date', timezone: 'UTC' })
const id = (...from: string[]): Place => ({ from, as: 'orderId' })

const SHOPIFY: Preset = {
  docs: 'https://shopify.dev/docs/api/admin-rest/latest/resources/order',
  // https://shopify.dev/docs/apps/build/webhooks/subscribe/https: base64 of the HMAC-SHA256 of the raw body.
  signature: { header: 'x-shopify-hmac-sha256', encoding: 'base64' },
  topicHeader: 'x-shopify-topic',
  orderId: 'id',
  state(order, topic) {
    if (topic?.startsWith('refunds/'))
      return { refused: 'A refund names no customer: subscribe to orders/updated, which tells of refunds too.' }
    if (topic !== undefined && !topic.startsWith('orders/'))
      return { refused: 'This preset reads the topics orders/*.' }
    if (order['test'] === true) return undefined
    if (filled(order['cancelled_at']) || topic === 'orders/cancelled') return 'cancelled'
    if (order['financial_status'] === 'refunded') return 'refunded'
    if (topic === 'orders/create' && order['financial_status'] !== 'paid') return 'created'
    if (topic === 'orders/create' || topic === 'orders/paid') return 'paid'
    if (topic !== undefined) return 'updated'
    return order['financial_status'] === 'paid' ? 'paid' : 'created'
  },
  at: (state) =>
    state === 'created'
      ? date('created_at')
      : state === 'cancelled'
        ? date('cancelled_at', 'updated_at')
        : date('updated_at', 'created_at'),
  mapping: {
    identifiers: {
      email: ['email', 'contact_email', 'customer.email'],
      phone: ['phone', 'customer.phone', 'billing_address.phone'],
    },
    traits: {
      email: ['email', 'contact_email', 'customer.email'],
      phone: ['phone', 'customer.phone', 'billing_address.phone'],
      firstName: ['customer.first_name', 'billing_address.first_name'],
      lastName: ['customer.last_name', 'billing_address.last_name'],
      name: { join: ['customer.first_name', 'customer.last_name'] },
    },
    properties: {
      order_number: id('name', 'order_number'),
      total: number('total_price'),
      revenue: number('subtotal_price'),
      tax: number('total_tax'),
      shipping: number('total_shipping_price_set.shop_money.amount'),
      discount: number('total_discounts'),
      coupon: 'discount_codes.0.code',
      currency: 'currency',
      status: 'financial_status',
      products: {
        from: 'line_items',
        each: {
          product_id: { from: 'product_id', as: 'text' },
          sku: 'sku',
          name: ['title', 'name'],
          variant: 'variant_title',
          brand: 'vendor',
          price: number('price'),
          quantity: number('quantity'),
        },
      },
    },
  },
}

const WOO_STATES: Readonly<Record<string, State>> = {
  pending: 'created',
  'on-hold': 'created',
  processing: 'paid',
  completed: 'paid',
  cancelled: 'cancelled',
  refunded: 'refunded',
}

const WOOCOMMERCE: Preset = {
  docs: 'https://woocommerce.github.io/woocommerce-rest-api-docs/#orders',
  // https://woocommerce.com/document/webhooks/: base64 of the HMAC-SHA256 of the raw body.
  signature: { header: 'x-wc-webhook-signature', encoding: 'base64' },
  topicHeader: 'x-wc-webhook-topic',
  // WC_Webhook::deliver_ping sends this form without a signature when the webhook is saved.
  unsigned: ({ body }) => body.length < 64 && /^webhook_id=\d+$/.test(body.toString('latin1')),
  orderId: 'id',
  state(order, topic) {
    if (topic !== undefined && !topic.startsWith('order.')) return { refused: 'This preset reads the topics order.*.' }
    // order.deleted carries the id alone.
    if (topic === 'order.deleted') return undefined
    const status = order['status']
    // A draft is a cart that nobody has ordered yet.
    if (status === 'checkout-draft' || status === 'auto-draft') return undefined
    return typeof status === 'string' && Object.hasOwn(WOO_STATES, status) ? WOO_STATES[status] : 'updated'
  },
  at: (state) =>
    state === 'created'
      ? utcDate('date_created_gmt')
      : state === 'paid'
        ? utcDate('date_paid_gmt', 'date_modified_gmt', 'date_created_gmt')
        : utcDate('date_modified_gmt', 'date_created_gmt'),
  mapping: {
    identifiers: { email: 'billing.email', phone: 'billing.phone', cpf: 'billing.cpf' },
    traits: {
      email: 'billing.email',
      phone: 'billing.phone',
      firstName: 'billing.first_name',
      lastName: 'billing.last_name',
      name: { join: ['billing.first_name', 'billing.last_name'] },
    },
    properties: {
      order_number: id('number'),
      total: number('total'),
      tax: number('total_tax'),
      shipping: number('shipping_total'),
      discount: number('discount_total'),
      coupon: 'coupon_lines.0.code',
      currency: 'currency',
      status: 'status',
      products: {
        from: 'line_items',
        each: {
          product_id: { from: 'product_id', as: 'text' },
          sku: 'sku',
          name: 'name',
          price: number('price'),
          quantity: number('quantity'),
        },
      },
    },
  },
}

const NUVEMSHOP: Preset = {
  docs: 'https://tiendanube.github.io/api-documentation/resources/order',
  // https://tiendanube.github.io/api-documentation/resources/webhook: hex of the HMAC-SHA256 of the raw body.
  signature: { header: 'x-linkedstore-hmac-sha256', encoding: 'hex' },
  orderId: 'id',
  state(order) {
    if (typeof order['event'] === 'string' && filled(order['store_id']) && !Object.hasOwn(order, 'products'))
      return {
        refused: "Nuvemshop's webhook carries the order's id alone: fetch the order and send it here (see SOURCE.md).",
      }
    if (order['status'] === 'cancelled') return 'cancelled'
    switch (order['payment_status']) {
      case 'paid':
        return 'paid'
      case 'refunded':
        return 'refunded'
      // A checkout that was left is no order.
      case 'abandoned':
        return undefined
      case 'voided':
        return 'cancelled'
      default:
        return 'created'
    }
  },
  at: (state) =>
    state === 'created'
      ? date('created_at')
      : state === 'paid'
        ? date('paid_at', 'updated_at', 'created_at')
        : state === 'cancelled'
          ? date('cancelled_at', 'updated_at', 'created_at')
          : date('updated_at', 'created_at'),
  mapping: {
    identifiers: {
      email: ['contact_email', 'customer.email'],
      phone: ['contact_phone', 'customer.phone'],
      cpf: ['contact_identification', 'customer.identification'],
    },
    traits: {
      email: ['contact_email', 'customer.email'],
      phone: ['contact_phone', 'customer.phone'],
      name: ['contact_name', 'customer.name'],
    },
    properties: {
      order_number: id('number'),
      total: number('total'),
      revenue: number('subtotal'),
      shipping: number('shipping_cost_customer'),
      discount: number('discount'),
      coupon: 'coupon.0.code',
      currency: 'currency',
      status: 'payment_status',
      products: {
        from: 'products',
        each: {
          product_id: { from: 'product_id', as: 'text' },
          sku: 'sku',
          name: 'name',
          price: number('price'),
          quantity: number('quantity'),
        },
      },
    },
  },
}

const VTEX_STATES: Readonly<Record<string, State>> = {
  'order-created': 'created',
  'order-completed': 'created',
  'on-order-completed': 'created',
  'payment-pending': 'created',
  'waiting-for-order-authorization': 'created',
  'approve-payment': 'created',
  'payment-approved': 'paid',
  'window-to-cancel': 'paid',
  'ready-for-handling': 'paid',
  'start-handling': 'paid',
  handling: 'paid',
  canceled: 'cancelled',
}

const VTEX: Preset = {
  docs: 'https://developers.vtex.com/docs/api-reference/orders-api#get-/api/oms/pvt/orders/-orderId-',
  // The tag of a VTEX shop reports the group as transaction_id; an order alone has the same id with a suffix.
  orderId: 'orderGroup',
  state(order) {
    // Sent when a hook is configured. https://developers.vtex.com/docs/guides/orders-feed
    if (order['hookConfig'] === 'ping') return undefined
    if (typeof order['OrderId'] === 'string' && !Object.hasOwn(order, 'items'))
      return { refused: "VTEX's hook carries the order's id alone: fetch the order and send it here (see SOURCE.md)." }
    const status = order['status']
    return typeof status === 'string' && Object.hasOwn(VTEX_STATES, status) ? VTEX_STATES[status] : 'updated'
  },
  at: (state) =>
    state === 'created'
      ? date('creationDate')
      : state === 'paid'
        ? date('authorizedDate', 'lastChange', 'creationDate')
        : date('lastChange', 'creationDate'),
  prepare(order) {
    const totals = Array.isArray(order['totals']) ? order['totals'].filter(isLoose) : []
    const email = readPath(order, 'clientProfileData.email')
    return {
      ...order,
      anuente_totals: Object.fromEntries(totals.map((total) => [String(total['id']), total['value']])),
      // An alias of VTEX for this one order, when the e-mail is masked: it names nobody a second time.
      ...(typeof email === 'string' && !/@ct\.vtex\.com\.br$/i.test(email) && { anuente_email: email }),
      ...(readPath(order, 'clientProfileData.documentType') === 'cpf' && {
        anuente_cpf: readPath(order, 'clientProfileData.document'),
      }),
    }
  },
  mapping: {
    identifiers: { email: 'anuente_email', phone: 'clientProfileData.phone', cpf: 'anuente_cpf' },
    traits: {
      email: 'anuente_email',
      phone: 'clientProfileData.phone',
      firstName: 'clientProfileData.firstName',
      lastName: 'clientProfileData.lastName',
      name: { join: ['clientProfileData.firstName', 'clientProfileData.lastName'] },
    },
    properties: {
      order_number: id('orderId'),
      total: cents('value'),
      revenue: cents('anuente_totals.Items'),
      shipping: cents('anuente_totals.Shipping'),
      tax: cents('anuente_totals.Tax'),
      discount: cents('anuente_totals.Discounts'),
      coupon: 'marketingData.coupon',
      currency: 'storePreferencesData.currencyCode',
      status: 'status',
      products: {
        from: 'items',
        each: {
          product_id: { from: 'productId', as: 'text' },
          sku: ['refId', 'id'],
          name: 'name',
          brand: 'additionalInfo.brandName',
          price: cents('sellingPrice', 'price'),
          quantity: number('quantity'),
        },
      },
    },
  },
}

export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  vtex: VTEX,
  nuvemshop: NUVEMSHOP,
  shopify: SHOPIFY,
  woocommerce: WOOCOMMERCE,
}

interface PresetSettings {
  readonly counts?: 'created' | 'paid'
  readonly orderId?: string
  readonly consent?: EventMapping['consent']
}

/** `nothing`: a message that tells of no order. */
export function presetMapping(
  name: PresetName,
  { item, topic }: KeptItem,
  { counts = 'created', orderId: idPath, consent }: PresetSettings,
): { readonly item: Loose; readonly mapping: EventMapping } | { readonly refused: string } | 'nothing' {
  const preset = PRESETS[name]
  if (!isLoose(item)) return { refused: 'An order must be an object.' }
  const state = preset.state(item, topic)
  if (state === undefined) return 'nothing'
  if (typeof state === 'object') return state
  const prepared = preset.prepare?.(item) ?? item
  const order = orderId(readPath(item, idPath ?? preset.orderId))
  if (order === undefined) return { refused: 'The order has no id: correct `orderId`.' }
  const { identifiers, traits, properties } = preset.mapping
  const digest = digestOf([name, order, state, item])
  if (digest === undefined) return { refused: 'The order is nested too deep.' }
  return {
    item: prepared,
    mapping: {
      type: 'track',
      event: { const: eventName(state, counts) },
      id: { const: `${name}-${digest}` },
      timestamp: preset.at(state),
      identifiers,
      ...(traits && { traits }),
      properties: { order_id: { const: order }, ...properties },
      ...(consent && { consent }),
    },
  }
}

/** Sent again unchanged it is the same message; changed since, another one about the same order. */
function digestOf(parts: readonly unknown[]): string | undefined {
  try {
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)
  } catch {
    return undefined // Deeper than the stack.
  }
}

/**
 * `created`: an order counts when it is made, as tags count it; that it was paid is the same order told once more.
 * `paid`: boletos and Pix that nobody pays never count.
 */
function eventName(state: State, counts: 'created' | 'paid'): string {
  switch (state) {
    case 'created':
      return counts === 'created' ? 'Order Completed' : 'Order Created'
    case 'paid':
      return 'Order Completed'
    case 'updated':
      return 'Order Updated'
    case 'cancelled':
      return 'Order Cancelled'
    case 'refunded':
      return 'Order Refunded'
  }
}

const filled = (value: unknown): boolean => value !== undefined && value !== null && value !== ''
