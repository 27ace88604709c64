/**
 * Klaviyo, JSON:API with a dated revision. A profile import subscribes nobody: subscriptions are a job of their own,
 * which only `unsubscribe` uses.
 */
import { type Static, Type } from 'typebox'
import {
  commerceFields,
  defineDestination,
  emailField,
  FeedbackToken,
  type Http,
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
  someOf,
  traitsField,
  verifyFeedbackToken,
} from '../../core/kit/index.ts'
import { readEvents } from './feedback.ts'

const REVISION = '2026-07-15'
const audience = Type.String({ pattern: '^[A-Za-z0-9]{4,12}$', description: 'Id of the Klaviyo list.' })

const EVENTS: Readonly<Record<string, string>> = {
  'Product Viewed': 'Viewed Product',
  'Product Added': 'Added to Cart',
  'Checkout Started': 'Started Checkout',
  'Order Completed': 'Placed Order',
  'Order Fulfilled': 'Fulfilled Order',
  'Order Cancelled': 'Cancelled Order',
  'Order Refunded': 'Refunded Order',
  'Products Searched': 'Submitted Search',
}

const Event = Type.Object(
  {
    email: personal('identifiers.email', 'traits.email'),
    phone: personal('identifiers.phone'),
    externalId: personal('identifiers.userId'),
    event: Type.String({ minLength: 1, maxLength: 127, from: 'name' }),
    eventId: Type.String({ minLength: 1, from: 'messageId', description: 'Klaviyo counts an event once by it.' }),
    occurredAt: Type.String({ from: 'occurredAt' }),
    ...commerceFields,
    properties: propertiesField,
  },
  someOf('email', 'phone', 'externalId'),
)

export default defineDestination({
  id: 'klaviyo',
  name: 'Klaviyo',
  docs: 'https://developers.klaviyo.com/en/reference/api_overview',
  support: 'community',
  // A revision lives two years: https://developers.klaviyo.com/en/docs/api_versioning_and_deprecation_policy
  apiVersion: {
    version: REVISION,
    docs: 'https://developers.klaviyo.com/en/docs/changelog_',
    setting: 'revision',
    ends: (version) => `${Number(version.slice(0, 4)) + 2}${version.slice(4, 10)}`,
  },
  baseUrl: 'https://a.klaviyo.com/api',
  settings: Type.Object(
    {
      apiKey: Type.String({ secret: true, minLength: 8, description: 'Private API key, pk_….' }),
      revision: Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}$',
        default: REVISION,
        description: 'Revision of the API; raise it before its end of life.',
      }),
      properties: Type.Record(Type.String({ minLength: 1 }), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Profile property to the trait it is filled from.',
      }),
      defaultCurrency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL' }),
      feedbackToken: FeedbackToken,
    },
    { additionalProperties: false },
  ),
  authenticate: ({ apiKey, revision }) => ({
    authorization: `Klaviyo-API-Key ${apiKey}`,
    revision,
    accept: 'application/vnd.api+json',
  }),
  verdict,
  // https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling: profiles 75/s and 750 a minute.
  limits: { perSecond: 10, concurrency: 8, windows: [{ seconds: 60, max: 700 }] },

  actions: {
    upsertProfile: {
      title: { pt: 'Criar ou atualizar perfil', en: 'Create or update profile' },
      description: {
        pt: 'Mantém o perfil em dia. Não inscreve ninguém em nada.',
        en: 'Keeps the profile in step. Subscribes nobody to anything.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email', 'phone', 'userId'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object(
        {
          email: personal('identifiers.email', 'traits.email'),
          phone: personal('identifiers.phone'),
          externalId: personal('identifiers.userId'),
          ...personFields,
          title: personal('traits.title', 'traits.jobTitle'),
          organization: personal('traits.company.name', 'traits.companyName'),
          traits: traitsField,
        },
        someOf('email', 'phone', 'externalId'),
      ),
      perform({ http, payload, settings }) {
        const { firstName, lastName } = namesOf(payload)
        const location = known({
          city: payload.city,
          region: payload.state,
          zip: payload.zip,
          country: payload.country,
        })
        const properties = mappedTraits(settings.properties, payload.traits)
        return post(http, '/profile-import', {
          type: 'profile',
          attributes: known({
            ...who(payload),
            first_name: firstName,
            last_name: lastName,
            title: payload.title,
            organization: payload.organization,
            location: Object.keys(location).length > 0 ? location : undefined,
            properties: Object.keys(properties).length > 0 ? properties : undefined,
          }),
        })
      },
    },

    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: {
        pt: 'Registra o evento no perfil, com o nome e os itens que os fluxos da Klaviyo usam.',
        en: "Records the event on the profile, with the name and items Klaviyo's flows use.",
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email', 'phone', 'userId'],
      // By unique_id, of which the reference does not say how long it is remembered.
      idempotency: { key: 24 },
      trigger: { type: 'track', name: Object.keys(EVENTS) },
      payload: Event,
      perform: ({ http, payload, settings }) => post(http, '/events', eventOf(payload, settings.defaultCurrency)),
    },

    sendTrigger: {
      title: { pt: 'Iniciar fluxo', en: 'Start flow' },
      description: {
        pt: 'Registra um evento que inicia um fluxo de e-mail, com os links assinados.',
        en: 'Records an event that starts a flow of e-mail, with the signed links.',
      },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      idempotency: { key: 24 },
      payload: Type.Object({
        email: emailField,
        event: Type.String({
          minLength: 1,
          maxLength: 127,
          from: 'name',
          description: 'The metric the flow listens to.',
        }),
        occurredAt: Type.String({ from: 'occurredAt' }),
        properties: propertiesField,
        cart: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { from: 'cart' })),
        ...messageFields,
      }),
      perform: ({ http, payload, delivery }) =>
        post(http, '/events', {
          type: 'event',
          attributes: {
            metric: { data: { type: 'metric', attributes: { name: payload.event } } },
            profile: { data: { type: 'profile', attributes: { email: payload.email } } },
            properties: known({
              ...payload.properties,
              cart: payload.cart,
              stop_url: payload.stop,
              why_url: payload.why,
              anuente_delivery_id: payload.deliveryId,
            }),
            time: payload.occurredAt,
            unique_id: delivery.key,
          },
        }),
    },

    addToAudience: {
      title: { pt: 'Pôr na lista', en: 'Add to list' },
      description: {
        pt: 'Põe o perfil numa lista, sem inscrevê-lo.',
        en: 'Puts the profile on a list, without subscribing it.',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience }),
      perform: (context) => changeList(context, 'POST'),
    },

    removeFromAudience: {
      title: { pt: 'Tirar da lista', en: 'Remove from list' },
      description: { pt: 'Tira o perfil de uma lista.', en: 'Takes the profile off a list.' },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience }),
      perform: (context) => changeList(context, 'DELETE'),
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação à Klaviyo: o perfil não recebe mais marketing por e-mail.',
        en: 'Takes a withdrawal to Klaviyo: the profile gets no more marketing by e-mail.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      // https://developers.klaviyo.com/en/reference/bulk_unsubscribe_profiles
      perform: ({ http, payload }) =>
        post(http, '/profile-subscription-bulk-delete-jobs', {
          type: 'profile-subscription-bulk-delete-job',
          attributes: {
            profiles: {
              data: [
                {
                  type: 'profile',
                  attributes: {
                    email: payload.email,
                    subscriptions: { email: { marketing: { consent: 'UNSUBSCRIBED' } } },
                  },
                },
              ],
            },
          },
        }),
    },
  },

  async check({ http }) {
    await http.lookup('/accounts')
    return { ok: true, detail: 'Klaviyo knows the key.' }
  },

  deleteSubject: {
    // https://developers.klaviyo.com/en/reference/request_profile_deletion: asynchronous, and repeatable.
    async implemented({ http, subject: { identifiers } }) {
      return identifiers.email
        ? post(http, '/data-privacy-deletion-jobs', {
            type: 'data-privacy-deletion-job',
            attributes: { profile: { data: { type: 'profile', attributes: { email: identifiers.email } } } },
          })
        : { status: 'rejected', reason: 'no e-mail to look for' }
    },
  },
  exportSubject: {
    async implemented({ http, subject: { identifiers } }) {
      return identifiers.email
        ? search(http, identifiers.email)
        : { status: 'rejected', reason: 'no e-mail to look for' }
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo. Um e-mail trocado se corrige no perfil da Klaviyo.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value. A changed e-mail is corrected on the profile in Klaviyo.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Em cada fluxo de descadastro, spam e devolução, use a ação Webhook para /in/<id do destino> com o cabeçalho x-anuente-token igual a feedbackToken e o corpo {"event": "unsubscribed", "email": "{{ person.email }}"}.',
      en: 'In each flow of unsubscribes, spam and bounces, use the Webhook action to /in/<destination id> with the header x-anuente-token equal to feedbackToken and the body {"event": "unsubscribed", "email": "{{ person.email }}"}.',
    },
    receive: { verify: verifyFeedbackToken, read: readEvents },
  },
})

const post = (http: Http, path: string, data: object): Promise<HttpResponse> =>
  http.request('POST', path, { json: { data } })

const who = (payload: { readonly email?: string; readonly phone?: string; readonly externalId?: string }) =>
  known({ email: payload.email, phone_number: payload.phone, external_id: payload.externalId })

function eventOf(payload: Static<typeof Event>, defaultCurrency: string) {
  const items = linesOf(payload).map((line) =>
    known({
      ProductID: line.id,
      ProductName: line.name,
      Quantity: line.quantity,
      ItemPrice: line.price,
      Brand: line.brand,
      Categories: line.category?.split('/'),
      ProductURL: line.url,
      ImageURL: line.imageUrl,
    }),
  )
  return {
    type: 'event',
    attributes: known({
      metric: {
        data: {
          type: 'metric',
          attributes: { name: Object.hasOwn(EVENTS, payload.event) ? EVENTS[payload.event] : payload.event },
        },
      },
      profile: { data: { type: 'profile', attributes: who(payload) } },
      properties: known({
        ...payload.properties,
        products: undefined,
        OrderId: payload.orderId,
        Items: items.length > 0 ? items : undefined,
      }),
      value: payload.value,
      value_currency: payload.value === undefined ? undefined : (payload.currency ?? defaultCurrency),
      time: payload.occurredAt,
      unique_id: payload.eventId,
    }),
  }
}

/** https://developers.klaviyo.com/en/reference/get_profiles: the only search there is, by a filter in the query. */
const search = (http: Http, email: string): Promise<HttpResponse> =>
  http.lookup(`/profiles?${new URLSearchParams({ filter: `equals(email,"${email}")` })}`)

/** A list takes profile ids alone. */
async function changeList(
  { http, payload }: { readonly http: Http; readonly payload: { readonly email: string; readonly audience: string } },
  method: 'POST' | 'DELETE',
): Promise<HttpResponse | Outcome> {
  const { json } = await search(http, payload.email)
  const id = (json as { data?: { id?: unknown }[] } | undefined)?.data?.[0]?.id
  if (typeof id !== 'string')
    return method === 'DELETE'
      ? { status: 'delivered', answer: 'not a profile' }
      : // upsertProfile may still be on its way, in a lane of its own.
        { status: 'retry', reason: 'not a profile yet', retryAfterMs: 60_000 }
  return http.request(method, `/lists/${payload.audience}/relationships/profiles`, {
    json: { data: [{ type: 'profile', id }] },
  })
}

/** https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling: {errors:[{code, detail, source}]}. */
function verdict({ status, json }: HttpResponse): Outcome | undefined {
  const { errors } = (json ?? {}) as { errors?: unknown }
  const codes = (Array.isArray(errors) ? errors : [])
    .map((error: { code?: unknown } | null) => error?.code)
    .filter((code): code is string => typeof code === 'string' && KNOWN.has(code))
  return codes.length > 0 && [400, 404, 409, 422].includes(status)
    ? { status: 'rejected', reason: `HTTP ${status} ${[...new Set(codes)].join(' ')}` }
    : undefined
}
const KNOWN = new Set(['invalid', 'not_found', 'duplicate_profile', 'conflict', 'missing', 'invalid_id'])
