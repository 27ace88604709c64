/**
 * Google Analytics 4 by the Measurement Protocol. GA4 answers 204 to everything, so what it would drop in silence
 * is found here first. The consent field says what the ledger says.
 */
import { type Static, Type } from 'typebox'
import {
  commerceFields,
  countryCode,
  defineDestination,
  googleEmail,
  hashedOnce,
  known,
  linesOf,
  mappedTraits,
  namesOf,
  type Outcome,
  type OutgoingSignals,
  personal,
  personFields,
  traitsField,
} from '../../core/kit/index.ts'
import { GA4_NAMES, ga4Name } from './event-names.ts'

const Settings = Type.Object(
  {
    measurementId: Type.String({ pattern: '^G-[A-Z0-9]+$', description: 'Measurement ID of the web stream.' }),
    apiSecret: Type.String({
      secret: true,
      minLength: 8,
      description: 'Admin > Data streams > Measurement Protocol API secrets.',
    }),
    region: Type.Union([Type.Literal('global'), Type.Literal('eu')], {
      default: 'global',
      description: 'eu: collected by servers in the EU (region1.google-analytics.com).',
    }),
    userProperties: Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,23}$' }), Type.String(), {
      additionalProperties: false,
      maxProperties: 25,
      default: {},
      description: 'User property to the trait it is filled from. Never map contact data here: Google forbids it.',
    }),
    userData: Type.Boolean({
      default: false,
      description: 'Send e-mail, phone and address as SHA-256, where the person granted ad_user_data.',
    }),
    defaultCurrency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL' }),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const Payload = Type.Object({
  type: Type.String({ from: 'type' }),
  event: Type.String({ minLength: 1, from: 'name', description: 'Names of the Segment spec become those of GA4.' }),
  occurredAt: Type.String({ format: 'date-time', from: 'occurredAt' }),
  clientId: Type.String({
    minLength: 1,
    pii: true,
    from: ['identifiers.ga_client_id', 'identifiers.anonymousId', 'identifiers.userId'],
    description: "The browser's _ga client id; another id of the device makes a device of its own in GA4.",
  }),
  userId: personal('identifiers.userId'),
  sessionId: Type.Optional(
    Type.String({
      from: ['context.ga_session_id', 'context.session_id', 'context.sessionId', 'properties.session_id'],
    }),
  ),
  engagementMs: Type.Optional(Type.Number({ from: ['properties.engagement_time_msec'] })),
  url: Type.Optional(Type.String({ from: ['context.page.url', 'properties.url'] })),
  title: Type.Optional(Type.String({ from: ['context.page.title', 'properties.title'] })),
  referrer: Type.Optional(Type.String({ from: ['context.page.referrer', 'properties.referrer'] })),
  method: Type.Optional(Type.String({ from: ['properties.method', 'properties.share_via'] })),
  paymentType: Type.Optional(Type.String({ from: 'properties.payment_method' })),
  shippingTier: Type.Optional(Type.String({ from: 'properties.shipping_method' })),
  affiliation: Type.Optional(Type.String({ from: 'properties.affiliation' })),
  promotionId: Type.Optional(Type.String({ from: 'properties.promotion_id' })),
  parameters: Type.Optional(
    Type.Record(
      Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,39}$' }),
      Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
      { additionalProperties: false, description: 'Parameters set by the rule.' },
    ),
  ),
  email: personal('identifiers.email', 'traits.email'),
  phone: personal('identifiers.phone', 'traits.phone'),
  ...personFields,
  ...commerceFields,
  traits: traitsField,
})
type Payload = Static<typeof Payload>

/** https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference#payload: back-dating up to 72 h. */
const OLDEST_MS = 72 * 3_600_000

export default defineDestination({
  id: 'ga4',
  name: 'Google Analytics 4',
  docs: 'https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference',
  support: 'community',
  baseUrl: ({ region }) =>
    region === 'eu' ? 'https://region1.google-analytics.com' : 'https://www.google-analytics.com',
  settings: Settings,
  // No quota is published; this is ours.
  limits: { perSecond: 50, concurrency: 8 },

  actions: {
    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: {
        pt: 'Envia o evento ao GA4 com os nomes e itens de comércio dele, e o consentimento que o registro diz.',
        en: 'Sends the event to GA4 in its own names and items, with the consent the ledger states.',
      },
      purpose: 'analytics',
      kind: 'event',
      identifier: ['ga_client_id', 'anonymousId', 'userId'],
      // Reports count a purchase once by transaction_id; nothing else is recognised.
      idempotency: 'none',
      trigger: { type: ['track', 'page', 'screen'], name: Object.keys(GA4_NAMES) },
      payload: Payload,
      async perform({ http, payload, settings, signals, now }): Promise<Outcome> {
        if (now.getTime() - Date.parse(payload.occurredAt) > OLDEST_MS - 60_000)
          return { status: 'rejected', reason: 'older than the 72 hours GA4 takes' }
        const name = ga4Name(payload.type, payload.event)
        if (name === undefined) return { status: 'rejected', reason: 'GA4 has no event of this name' }
        const params = parametersOf(payload, settings)
        if (Object.keys(params).length > 25)
          return { status: 'rejected', reason: 'more than the 25 parameters GA4 takes' }
        const { status } = await http.request('POST', `/mp/collect?${address(settings)}`, {
          json: {
            client_id: payload.clientId,
            ...(payload.userId !== undefined && { user_id: payload.userId }),
            timestamp_micros: Date.parse(payload.occurredAt) * 1000,
            ...consentOf(signals),
            ...userPropertiesOf(payload, settings),
            ...userDataOf(payload, settings, signals),
            events: [{ name, params }],
          },
        })
        return { status: 'delivered', answer: String(status) }
      },
    },
  },

  // https://developers.google.com/analytics/devguides/collection/protocol/ga4/validating-events: records nothing.
  async check({ http, settings }) {
    const { json } = await http.request('POST', `/debug/mp/collect?${address(settings)}`, {
      json: { client_id: 'anuente.check', events: [{ name: 'anuente_check', params: {} }] },
    })
    const messages = (json as { validationMessages?: { validationCode?: unknown }[] } | undefined)?.validationMessages
    const codes = (messages ?? []).map(({ validationCode }) => String(validationCode).replace(/[^A-Z_]/g, ''))
    if (codes.length > 0) return { ok: false, detail: `GA4 would refuse the events: ${codes.join(', ')}.` }
    return {
      ok: true,
      detail: 'GA4 finds the form of the events valid; nothing was recorded.',
      warnings: ['GA4 never says whether the API secret is right: look for the first event under Realtime.'],
    }
  },

  deleteSubject: {
    manual: {
      pt: 'Peça a exclusão pela User Deletion API ou em Explorar > User explorer > Excluir usuário, com o client id ou o user id da pessoa. O GA4 apaga em até 63 dias.',
      en: 'Ask for deletion through the User Deletion API, or under Explore > User explorer > Delete user, with the client id or user id of the person. GA4 deletes within 63 days.',
    },
  },
  exportSubject: {
    manual: {
      pt: 'Em Explorar > User explorer, busque o client id ou user id e baixe os eventos da pessoa.',
      en: 'Under Explore > User explorer, search for the client id or user id and download the events of the person.',
    },
  },
  correctSubject: {
    impossible: {
      pt: 'Um evento enviado ao GA4 não pode ser alterado; o próximo leva as propriedades corrigidas.',
      en: 'An event sent to GA4 cannot be changed; the next one carries the corrected properties.',
    },
  },
  feedback: {
    none: {
      pt: 'O GA4 responde 204 a tudo e não informa o que foi feito de um evento.',
      en: 'GA4 answers 204 to everything and does not tell what became of an event.',
    },
  },
})

const address = ({ measurementId, apiSecret }: Settings): string =>
  new URLSearchParams({ measurement_id: measurementId, api_secret: apiSecret }).toString()

const consentOf = ({ google }: OutgoingSignals) => (Object.keys(google).length > 0 ? { consent: google } : {})

function userPropertiesOf({ traits }: Payload, { userProperties }: Settings) {
  const properties = Object.entries(mappedTraits(userProperties, traits)).flatMap(([name, value]) =>
    // https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events#limitations
    ['string', 'number', 'boolean'].includes(typeof value) ? [[name, { value: short(value, 36) }]] : [],
  )
  return properties.length > 0 ? { user_properties: Object.fromEntries(properties) } : {}
}

/** https://developers.google.com/analytics/devguides/collection/ga4/uid-data: what and how to normalise and hash. */
function userDataOf(payload: Payload, { userData }: Settings, { google }: OutgoingSignals) {
  if (!userData || google.ad_user_data !== 'GRANTED') return {}
  const { firstName, lastName } = namesOf(payload)
  const email = hashedOnce(payload.email, googleEmail)
  const phone = hashedOnce(payload.phone, (value) => value.replace(/[^\d+]/g, ''))
  const address = known({
    sha256_first_name: hashedOnce(firstName, nameOf),
    sha256_last_name: hashedOnce(lastName, nameOf),
    city: payload.city === undefined ? undefined : nameOf(payload.city) || undefined,
    region: payload.state === undefined ? undefined : nameOf(payload.state) || undefined,
    postal_code: payload.zip?.replace(/[\s.~-]/g, ''),
    country: payload.country === undefined ? undefined : countryCode(payload.country).toUpperCase() || undefined,
  })
  const data = {
    ...(email !== undefined && { sha256_email_address: [email] }),
    ...(phone !== undefined && { sha256_phone_number: [phone] }),
    // An address is matched by name, postal code and country together.
    ...(['sha256_first_name', 'sha256_last_name', 'postal_code', 'country'].every((part) => part in address) && {
      address: [address],
    }),
  }
  return Object.keys(data).length > 0 ? { user_data: data } : {}
}

/** Lower case without digits and symbols. */
export const nameOf = (value: string): string =>
  value
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\p{P}\p{S}\d]/gu, '')
    .replace(/\s+/g, ' ')
    .trim()

function parametersOf(payload: Payload, { defaultCurrency }: Settings): Record<string, unknown> {
  const items = linesOf(payload).map((line) => {
    const categories = line.category?.split('/').slice(0, 5) ?? []
    return known({
      item_id: short(line.id, 100),
      item_name: short(line.name, 100),
      item_brand: short(line.brand, 100),
      item_variant: short(line.variant, 100),
      ...Object.fromEntries(
        categories.map((name, index) => [`item_category${index === 0 ? '' : index + 1}`, short(name.trim(), 100)]),
      ),
      price: line.price,
      quantity: line.quantity,
      coupon: short(line.coupon, 100),
    })
  })
  const value = payload.value ?? (items.length === 1 ? payload.price : undefined)
  const list = payload.event === 'Product List Viewed'
  return known({
    // Without a session id and an engagement time GA4 shows the event in no session and in no realtime report.
    session_id: payload.sessionId,
    engagement_time_msec: payload.engagementMs ?? 1,
    page_location: short(payload.url, 1000),
    page_title: short(payload.title, 300),
    page_referrer: short(payload.referrer, 420),
    ...(value !== undefined && { value, currency: payload.currency ?? defaultCurrency }),
    transaction_id: short(payload.orderId, 100),
    tax: payload.tax,
    shipping: payload.shipping,
    coupon: short(payload.coupon, 100),
    affiliation: short(payload.affiliation, 100),
    payment_type: short(payload.paymentType, 100),
    shipping_tier: short(payload.shippingTier, 100),
    search_term: short(payload.query, 100),
    method: short(payload.method, 100),
    promotion_id: short(payload.promotionId, 100),
    ...(list && { item_list_id: short(payload.listId, 100), item_list_name: short(payload.listName, 100) }),
    ...(items.length > 0 && { items: items.slice(0, 200) }),
    ...Object.fromEntries(Object.entries(payload.parameters ?? {}).map(([name, own]) => [name, short(own, 100)])),
  })
}

/** Text over the limit loses its end, as it would at GA4, but on a whole character. */
const short = <T>(value: T, length: number): T =>
  (typeof value === 'string' && value.length > length ? [...value].slice(0, length).join('') : value) as T
