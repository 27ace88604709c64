/**
 * Brevo v3: contacts, lists, events, transactional mail, opt-outs. An upsert never touches `emailBlacklisted`, so
 * nobody is re-subscribed; lists are added to, never replaced.
 */
import { Type } from 'typebox'
import {
  commerceFields,
  defineDestination,
  emailField,
  FeedbackToken,
  type HttpResponse,
  known,
  linesOf,
  mappedTraits,
  messageFields,
  namesOf,
  type Outcome,
  personal,
  personFields,
  propertiesField,
  traitsField,
  verifyFeedbackToken,
} from '../../core/kit/index.ts'
import { readEvents } from './feedback.ts'

const list = Type.Integer({ minimum: 1, description: 'Number of the Brevo list.' })
const contactPath = (email: string) => `/contacts/${encodeURIComponent(email)}`

/** Names Brevo's own commerce automations listen to: https://developers.brevo.com/docs/track-custom-events-rest */
const EVENTS: Readonly<Record<string, string>> = {
  'Product Added': 'cart_updated',
  'Product Removed': 'cart_updated',
  'Cart Viewed': 'cart_updated',
  'Checkout Started': 'checkout_started',
  'Order Completed': 'order_completed',
  'Product Viewed': 'product_viewed',
}

export default defineDestination({
  id: 'brevo',
  name: 'Brevo',
  docs: 'https://developers.brevo.com/reference/getting-started-1',
  support: 'community',
  apiVersion: { version: 'v3', docs: 'https://developers.brevo.com/changelog' },
  baseUrl: 'https://api.brevo.com/v3',
  settings: Type.Object(
    {
      apiKey: Type.String({ secret: true, minLength: 8, description: 'SMTP & API > API keys, xkeysib-….' }),
      sender: Type.Optional(
        Type.Object(
          { email: Type.String({ format: 'email' }), name: Type.Optional(Type.String()) },
          { additionalProperties: false, description: 'A verified sender of mails.' },
        ),
      ),
      templateId: Type.Optional(Type.Integer({ minimum: 1, description: 'Template when the rule names none.' })),
      lists: Type.Array(list, { default: [], description: 'Lists every contact is added to.' }),
      attributes: Type.Record(Type.String({ pattern: '^[A-Z0-9_]+$' }), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Contact attribute to the trait it is filled from.',
      }),
      feedbackToken: FeedbackToken,
    },
    { additionalProperties: false },
  ),
  authenticate: ({ apiKey }) => ({ 'api-key': apiKey }),
  verdict,
  // https://developers.brevo.com/docs/api-limits: 36,000 contacts and events an hour, 10 a second.
  limits: { perSecond: 10, concurrency: 4, windows: [{ seconds: 3600, max: 36_000 }] },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: {
        pt: 'Mantém o contato em dia com o perfil. Quem se descadastrou continua descadastrado.',
        en: 'Keeps the contact in step with the profile. Who unsubscribed stays unsubscribed.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email: emailField,
        phone: personal('identifiers.phone'),
        userId: personal('identifiers.userId'),
        firstName: personFields.firstName,
        lastName: personFields.lastName,
        name: personFields.name,
        traits: traitsField,
      }),
      perform({ http, payload, settings }) {
        const { firstName, lastName } = namesOf(payload)
        const attributes = known({
          FIRSTNAME: firstName,
          LASTNAME: lastName,
          SMS: payload.phone,
          ...mappedTraits(settings.attributes, payload.traits),
        })
        return http.request('POST', '/contacts', {
          json: {
            email: payload.email,
            ...(payload.userId !== undefined && { ext_id: payload.userId }),
            ...(Object.keys(attributes).length > 0 && { attributes }),
            ...(settings.lists.length > 0 && { listIds: settings.lists }),
            updateEnabled: true,
          },
        })
      },
    },

    addToAudience: {
      title: { pt: 'Pôr na lista', en: 'Add to list' },
      description: { pt: 'Põe o contato numa lista.', en: 'Puts the contact on a list.' },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience: list }),
      perform: ({ http, payload }) =>
        http.request('POST', '/contacts', {
          json: { email: payload.email, listIds: [payload.audience], updateEnabled: true },
        }),
    },

    removeFromAudience: {
      title: { pt: 'Tirar da lista', en: 'Remove from list' },
      description: {
        pt: 'Tira o contato de uma lista; ele fica nas outras.',
        en: 'Takes the contact off a list; it stays on others.',
      },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience: list }),
      perform: ({ http, payload }) =>
        http.request('PUT', contactPath(payload.email), { json: { unlinkListIds: [payload.audience] } }),
    },

    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: {
        pt: 'Registra o evento no contato; automações da Brevo podem começar por ele.',
        en: "Records the event on the contact; Brevo's automations may start from it.",
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      trigger: { type: 'track', name: Object.keys(EVENTS) },
      payload: Type.Object({
        email: emailField,
        event: Type.String({ minLength: 1, from: 'name' }),
        occurredAt: Type.String({ from: 'occurredAt' }),
        ...commerceFields,
        properties: propertiesField,
      }),
      perform: ({ http, payload }) =>
        http.request('POST', '/events', {
          json: {
            event_name: Object.hasOwn(EVENTS, payload.event) ? EVENTS[payload.event] : snake(payload.event),
            event_date: payload.occurredAt,
            identifiers: { email_id: payload.email },
            event_properties: known({
              ...payload.properties,
              products: undefined,
              value: payload.value,
              currency: payload.currency,
              items: linesOf(payload),
            }),
          },
        }),
    },

    sendEmail: {
      title: { pt: 'Enviar e-mail', en: 'Send e-mail' },
      description: {
        pt: 'Envia um modelo da Brevo, com descadastro em um clique.',
        en: 'Sends a template of Brevo, with one-click unsubscribe.',
      },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      // The Idempotency-Key header is not in the public reference: it is sent, and not relied on.
      idempotency: 'none',
      payload: Type.Object({
        email: emailField,
        name: personal('traits.firstName', 'traits.first_name', 'traits.name'),
        templateId: Type.Optional(Type.Integer({ minimum: 1, description: 'Set by the rule.' })),
        event: Type.String({ from: 'name' }),
        properties: propertiesField,
        cart: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { from: 'cart' })),
        ...messageFields,
      }),
      async perform({ http, payload, settings, delivery }) {
        const templateId = payload.templateId ?? settings.templateId
        if (templateId === undefined) return { status: 'rejected', reason: 'no template in the rule or the settings' }
        return http.request('POST', '/smtp/email', {
          json: {
            to: [known({ email: payload.email, name: payload.name })],
            ...(settings.sender && { sender: settings.sender }),
            templateId,
            params: known({
              ...payload.properties,
              name: payload.name,
              event: payload.event,
              cart: payload.cart,
              stop_url: payload.stop,
              why_url: payload.why,
            }),
            headers: {
              'List-Unsubscribe': `<${payload.stop}>`,
              'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
              // Comes back in the webhooks.
              'X-Mailin-custom': payload.deliveryId,
              'Idempotency-Key': delivery.key,
            },
          },
        })
      },
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação à Brevo: o contato não recebe mais campanhas.',
        en: 'Takes a withdrawal to Brevo: the contact gets no more campaigns.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      // An upsert, because an opt-out must stand even for an address that comes later.
      perform: ({ http, payload }) =>
        http.request('POST', '/contacts', {
          json: { email: payload.email, emailBlacklisted: true, updateEnabled: true },
        }),
    },
  },

  async check({ http, settings }) {
    await http.lookup('/account')
    const { json } = await http.lookup('/contacts/attributes')
    const { attributes = [] } = (json ?? {}) as { attributes?: { name?: string }[] }
    const there = new Set(attributes.map(({ name }) => name))
    const missing = Object.keys(settings.attributes).filter((name) => !there.has(name))
    return {
      ok: true,
      detail: 'Brevo knows the key.',
      ...(missing.length > 0 && {
        warnings: missing.map((name) => `Attribute ${name} does not exist in Brevo; its values would be ignored.`),
      }),
    }
  },

  deleteSubject: {
    async implemented({ http, subject: { identifiers } }) {
      if (!identifiers.email) return { status: 'rejected', reason: 'no e-mail to look for' }
      const path = contactPath(identifiers.email)
      if ((await http.lookup(path)).status === 404) return { status: 'delivered', answer: 'not a contact' }
      return http.request('DELETE', path)
    },
  },
  exportSubject: {
    async implemented({ http, subject: { identifiers } }) {
      return identifiers.email
        ? http.lookup(contactPath(identifiers.email))
        : { status: 'rejected', reason: 'no e-mail to look for' }
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo. Um e-mail trocado se corrige no contato da Brevo.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value. A changed e-mail is corrected on the contact in Brevo.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Em Transactional > Settings > Webhook e em Campaigns > Webhooks, aponte para /in/<id do destino> com autenticação Bearer igual a feedbackToken.',
      en: 'Under Transactional > Settings > Webhook and Campaigns > Webhooks, point to /in/<destination id> with Bearer authentication equal to feedbackToken.',
    },
    receive: { verify: verifyFeedbackToken, read: readEvents },
  },
})

const snake = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\d]+/gu, '_')
    .slice(0, 255)

/** https://developers.brevo.com/docs/how-it-works#error-codes */
function verdict({ status, headers, json }: HttpResponse): Outcome | undefined {
  const code = (json as { code?: unknown } | undefined)?.code
  const word = typeof code === 'string' && /^[a-z_]{3,40}$/.test(code) ? ` ${code}` : ''
  if (status === 429) {
    const seconds = Number(headers['x-sib-ratelimit-reset'])
    return headers['retry-after'] === undefined && seconds > 0
      ? { status: 'retry', reason: 'HTTP 429 rate limit of Brevo', retryAfterMs: seconds * 1000 }
      : undefined
  }
  // 402: the credits of the plan are used up.
  if (status === 402) return { status: 'authentication', reason: 'HTTP 402 no credits left' }
  return status === 400 && word !== '' && KNOWN.has(String(code))
    ? { status: 'rejected', reason: `HTTP ${status}${word}` }
    : undefined
}

const KNOWN = new Set([
  'invalid_parameter',
  'missing_parameter',
  'out_of_range',
  'duplicate_parameter',
  'document_not_found',
])
