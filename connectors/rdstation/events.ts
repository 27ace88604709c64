/**
 * Events of RD Station Marketing besides conversions: chat, call, media, e-commerce.
 * https://developers.rdstation.com/reference/eventos-api
 *
 * The fields of ECOMMERCE_* are not in the public reference; they are those its integrations send. They exist only in
 * accounts with "RD Station Marketing para Ecommerce". The older ORDER_PLACED and CART_ABANDONED ended on 2025-12-31.
 */
import { type Static, Type } from 'typebox'
import {
  commerceFields,
  emailField,
  type Http,
  type HttpResponse,
  known,
  linesOf,
  type Outcome,
  type OutgoingSignals,
  personal,
} from '../../core/kit/index.ts'

const contact = {
  email: emailField,
  name: personal('traits.name', 'traits.firstName'),
  phone: personal('identifiers.phone', 'traits.phone'),
}

/** legal_bases says what the ledger says; an empty list would erase what RD Station has, so it stays out. */
export const legalBases = ({ rd }: OutgoingSignals) => (rd.length > 0 ? { legal_bases: rd } : {})

export const sendEvent = (
  http: Http,
  type: string,
  payload: Readonly<Record<string, unknown>>,
): Promise<HttpResponse | Outcome> =>
  http.request('POST', `/platform/events?event_type=${type.toLowerCase()}`, {
    json: { event_type: type, event_family: 'CDP', payload },
  })

// ---------------------------------------------------------------- e-commerce

export const ECOMMERCE: Readonly<Record<string, string>> = {
  'Checkout Started': 'ECOMMERCE_CHECKOUT_STARTED',
  'Cart Abandoned': 'ECOMMERCE_CART_ABANDONED',
  'Order Completed': 'ECOMMERCE_ORDER_PLACED',
  'Order Paid': 'ECOMMERCE_ORDER_PAID',
  'Order Fulfilled': 'ECOMMERCE_ORDER_FULFILLED',
  'Order Delivered': 'ECOMMERCE_SHIPMENT_DELIVERED',
  'Order Cancelled': 'ECOMMERCE_ORDER_CANCELLED',
  'Order Refunded': 'ECOMMERCE_ORDER_REFUNDED',
}

export const Commerce = Type.Object({
  ...contact,
  ...commerceFields,
  event: Type.String({ from: 'name', description: 'Event of the Segment spec, or the name of an ECOMMERCE_ event.' }),
  identifier: Type.String({
    minLength: 1,
    from: ['properties.order_id', 'properties.checkout_id', 'properties.cart_id', 'cart.id', 'messageId'],
    description: 'Order, checkout or cart.',
  }),
  url: Type.Optional(
    Type.String({ from: ['properties.checkout_url', 'properties.order_url', 'properties.url', 'cart.url'] }),
  ),
  payment: Type.Optional(Type.String({ from: 'properties.payment_method' })),
  reason: Type.Optional(Type.String({ from: ['properties.cancel_reason', 'properties.reason'] })),
  trackingCompany: Type.Optional(Type.String({ from: 'properties.tracking_company' })),
  trackingCode: Type.Optional(Type.String({ from: 'properties.tracking_code' })),
  trackingUrl: Type.Optional(Type.String({ from: 'properties.tracking_url' })),
  city: personal('properties.shipping_city', 'traits.address.city'),
  state: personal('properties.shipping_state', 'traits.address.state'),
  country: personal('properties.shipping_country', 'traits.address.country'),
})

/** Type and payload, or undefined where RD Station has no such event. */
export function commerceEvent(
  payload: Static<typeof Commerce>,
  currency: string,
): { readonly type: string; readonly payload: Record<string, unknown> } | undefined {
  const type = /^ECOMMERCE_[A-Z_]+$/.test(payload.event)
    ? payload.event
    : Object.hasOwn(ECOMMERCE, payload.event)
      ? ECOMMERCE[payload.event]
      : undefined
  if (type === undefined) return undefined
  const lines = linesOf(payload)
  const ended = /CANCELLED|REFUNDED/.test(type)
  const shipped = /FULFILLED|DELIVERED/.test(type)
  const cart = /CHECKOUT|CART/.test(type)
  return {
    type,
    payload: known({
      email: payload.email,
      identifier: payload.identifier,
      name: payload.name,
      mobile_phone: payload.phone,
      currency: payload.currency ?? currency,
      price: payload.value,
      total_items: lines.length > 0 ? lines.reduce((sum, { quantity }) => sum + quantity, 0) : undefined,
      line_items:
        lines.length > 0
          ? lines.slice(0, 20).map((line) =>
              known({
                product_id: line.id,
                product_title: line.name,
                price: line.price,
                quantity: line.quantity,
                product_url: line.url,
                variant_title: line.variant,
                image_url: line.imageUrl,
                categories: line.category
                  ?.split('/')
                  .map((name) => name.trim())
                  .slice(0, 10),
              }),
            )
          : undefined,
      ...(cart
        ? { checkout_url: payload.url }
        : known({
            order_url: payload.url,
            shipping_price: payload.shipping,
            shipping_city: payload.city,
            shipping_state: payload.state,
            shipping_country: payload.country,
            payment_methods: payload.payment === undefined ? undefined : [payload.payment],
          })),
      ...(ended && { cancel_reason: payload.reason }),
      ...(shipped && {
        order_identifier: payload.identifier,
        tracking_company: payload.trackingCompany,
        tracking_code: payload.trackingCode,
        tracking_url: payload.trackingUrl,
      }),
    }),
  }
}

// ---------------------------------------------------------------- conversations and media

const word = (...from: string[]) => Type.Optional(Type.String({ minLength: 1, ...(from.length > 0 && { from }) }))

export const Chat = Type.Object({
  ...contact,
  finished: Type.Boolean({ default: false, description: 'CHAT_FINISHED instead of CHAT_STARTED.' }),
  subject: Type.String({ minLength: 1, from: ['properties.subject', 'name'] }),
  status: Type.String({
    minLength: 1,
    from: 'properties.status',
    description: 'cf_chat_status; required by RD Station.',
  }),
  type: word('properties.chat_type'),
})
export const chatPayload = (payload: Static<typeof Chat>) =>
  known({
    email: payload.email,
    name: payload.name,
    mobile_phone: payload.phone,
    chat_subject: payload.subject,
    cf_chat_status: payload.status,
    cf_chat_type: payload.type,
  })

export const Call = Type.Object({
  email: contact.email,
  phone: contact.phone,
  from: Type.String({ minLength: 1, pii: true, from: ['properties.from_number', 'properties.from'] }),
  status: Type.String({ minLength: 1, from: 'properties.status' }),
  startedAt: word('properties.started_at'),
  duration: Type.Optional(Type.String({ from: 'properties.duration', description: 'Seconds, as text.' })),
  type: word('properties.call_type'),
  agent: Type.Optional(Type.String({ pii: true, from: 'properties.agent_email' })),
})
export const callPayload = (payload: Static<typeof Call>) =>
  known({
    email: payload.email,
    call_from_number: payload.from,
    call_status: payload.status,
    call_user_email: payload.agent,
    call_started_at: payload.startedAt,
    call_duration: payload.duration,
    call_type: payload.type,
    call_phone_number: payload.phone,
  })

export const Media = Type.Object({
  email: emailField,
  stopped: Type.Boolean({ default: false, description: 'MEDIA_PLAYBACK_STOPPED instead of _STARTED.' }),
  type: Type.String({ minLength: 1, from: ['properties.media_type', 'properties.type'] }),
  media: Type.String({
    minLength: 1,
    from: ['properties.media_identifier', 'properties.title', 'properties.asset_id'],
  }),
  category: word('properties.media_category', 'properties.genre'),
  duration: Type.Optional(Type.String({ from: ['properties.media_duration', 'properties.total_length'] })),
})
export const mediaPayload = (payload: Static<typeof Media>) =>
  known({
    email: payload.email,
    media_type: payload.type,
    media_identifier: payload.media,
    media_category: payload.category,
    media_duration: payload.duration,
  })
