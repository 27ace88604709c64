/**
 * RD Station Marketing, API of https://developers.rdstation.com. Nothing here takes away what the
 * team keeps there: tags are only added, `available_for_mailing` is never written, fields without
 * a value stay out of the request.
 */
import { Type } from 'typebox'
import {
  defineDestination,
  type HttpResponse,
  mappedTraits,
  type Outcome,
  oauthChoice,
  oauthClient,
  oauthFields,
} from '../../core/kit/index.ts'
import { conversionEcho } from './echo.ts'
import {
  Call,
  Chat,
  Commerce,
  callPayload,
  chatPayload,
  commerceEvent,
  ECOMMERCE,
  legalBases,
  Media,
  mediaPayload,
  sendEvent,
} from './events.ts'
import { subscriptions } from './subscriptions.ts'

const DAY = 86_400

const email = Type.String({
  format: 'email',
  pii: true,
  from: ['identifiers.email', 'traits.email'],
  description: 'E-mail of the contact.',
})

/** The contact: its uuid when RD Station told it to us, else its e-mail. */
const contact = {
  uuid: Type.Optional(
    Type.String({
      pii: true,
      from: 'identifiers.rdstation_uuid',
      description: "RD Station's own id of the contact; used instead of the e-mail when known.",
    }),
  ),
  email: Type.Optional(email),
}
const someContact = {
  anyOf: (['uuid', 'email'] as const).map((name) => ({ type: 'object', required: [name], properties: { [name]: {} } })),
}

const contactPath = ({ uuid, email }: { uuid?: string; email?: string }): string =>
  uuid
    ? `/platform/contacts/uuid:${encodeURIComponent(uuid)}`
    : `/platform/contacts/email:${encodeURIComponent(email ?? '')}`

/** Custom fields that carry what the hub knows of a message; they must exist in the account first. */
const HUB_FIELDS = { deliveryId: 'cf_anuente_delivery_id', stop: 'cf_anuente_stop', why: 'cf_anuente_why' } as const

export default defineDestination({
  id: 'rdstation',
  name: 'RD Station Marketing',
  docs: 'https://developers.rdstation.com/reference/contatos',
  support: 'community',
  baseUrl: 'https://api.rd.services',

  settings: Type.Object(
    {
      ...oauthFields,
      customFields: Type.Record(Type.String({ pattern: '^cf_[a-z0-9_]+$' }), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Custom field (cf_…) to the trait it is filled from.',
      }),
      hubFields: Type.Boolean({
        default: false,
        description: `Send ${Object.values(HUB_FIELDS).join(', ')} with conversions: delivery id and signed links for e-mails that RD Station writes. Create the fields first.`,
      }),
      currency: Type.String({ pattern: '^[A-Z]{3}$', default: 'BRL', description: 'Where an event names none.' }),
      funnel: Type.String({ default: 'default', description: 'Name of the funnel for opportunities and sales.' }),
    },
    { additionalProperties: false, ...oauthChoice() },
  ),

  authenticate: ({ accessToken }) => ({ authorization: `Bearer ${accessToken}` }),
  // No scopes and no PKCE. A code is good for an hour, an access token for a day; each refresh gives a refresh token to keep.
  oauth: {
    docs: 'https://developers.rdstation.com/reference/autenticacao',
    client: (settings) => oauthClient(settings),
    authorizeUrl: 'https://api.rd.services/auth/dialog',
    tokenUrl: 'https://api.rd.services/auth/token',
    tokenQuery: { code: { token_by: 'code' }, refresh: { token_by: 'refresh_token' } },
    tokenBody: 'json',
    tokenFields: ['client_id', 'client_secret', 'code', 'refresh_token'],
    scopes: [],
    pkce: false,
    lifetimes: { access: DAY, rotates: true },
  },
  verdict,

  // https://developers.rdstation.com/reference/limite-de-requisicoes-da-api
  limits: {
    perSecond: 2,
    concurrency: 4,
    windows: [{ seconds: 60, max: 120 }],
    perContact: [
      { seconds: DAY, max: 24, actions: ['upsertContact', 'updateLegalBases'] },
      { seconds: DAY, max: 24, actions: ['addTags'] },
      { seconds: DAY, max: 24, actions: ['setFunnelStage'] },
      {
        seconds: DAY,
        max: 120,
        actions: [
          'sendConversion',
          'markOpportunity',
          'markLost',
          'markSale',
          'sendEcommerce',
          'sendChat',
          'sendCall',
          'sendMedia',
        ],
      },
    ],
  },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: {
        pt: 'Mantém o contato da RD Station em dia com o perfil. Não altera tags nem reinscreve ninguém.',
        en: 'Keeps the RD Station contact in step with the profile. Touches no tag and re-subscribes nobody.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['rdstation_uuid', 'email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object(
        {
          ...contact,
          name: Type.Optional(Type.String({ pii: true, from: ['traits.name', 'traits.firstName'] })),
          mobile_phone: Type.Optional(Type.String({ pii: true, from: ['identifiers.phone', 'traits.phone'] })),
          job_title: Type.Optional(Type.String({ pii: true, from: ['traits.title', 'traits.jobTitle'] })),
          company_name: Type.Optional(Type.String({ pii: true, from: ['traits.company.name', 'traits.companyName'] })),
          city: Type.Optional(Type.String({ pii: true, from: ['traits.address.city', 'traits.city'] })),
          state: Type.Optional(Type.String({ pii: true, from: ['traits.address.state', 'traits.state'] })),
          country: Type.Optional(Type.String({ pii: true, from: ['traits.address.country', 'traits.country'] })),
          traits: Type.Optional(
            Type.Record(Type.String(), Type.Unknown(), {
              pii: true,
              from: 'traits',
              description: 'Read by the custom fields of the settings; only those leave.',
            }),
          ),
        },
        someContact,
      ),
      // PATCH is the upsert. The identifier of the URL must not be in the body (400 CONFLICTING_FIELD), and
      // tags must not be there either: RD Station replaces the whole list.
      perform: ({ http, payload: { uuid, email, traits, ...fields }, settings, signals }) =>
        http.request('PATCH', contactPath({ ...(uuid && { uuid }), ...(email && { email }) }), {
          json: { ...fields, ...mappedTraits(settings.customFields, traits), ...legalBases(signals) },
        }),
    },

    addTags: {
      title: { pt: 'Adicionar tags', en: 'Add tags' },
      description: {
        pt: 'Acrescenta tags ao contato. As que a equipe pôs continuam lá.',
        en: 'Adds tags to the contact. Those the team wrote stay.',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['rdstation_uuid', 'email'],
      idempotency: 'natural',
      payload: Type.Object(
        { ...contact, tags: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, from: 'traits.tags' }) },
        someContact,
      ),
      perform: ({ http, payload: { tags, ...who } }) =>
        http.request('POST', `${contactPath(who)}/tag`, { json: { tags } }),
    },

    sendConversion: {
      title: { pt: 'Enviar conversão', en: 'Send conversion' },
      description: {
        pt: 'Dispara os fluxos de automação que escutam esta conversão.',
        en: 'Starts the automation flows that listen to this conversion.',
      },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      // RD Station has no idempotency key: a conversion sent twice starts the flow twice.
      idempotency: 'none',
      echo: ({ conversion, email }) => conversionEcho(conversion, email),
      payload: Type.Object({
        email,
        conversion: Type.String({
          minLength: 1,
          from: 'name',
          description: 'Identifier of the conversion that the flow listens to.',
        }),
        name: Type.Optional(Type.String({ pii: true, from: ['traits.name', 'traits.firstName'] })),
        mobile_phone: Type.Optional(Type.String({ pii: true, from: ['identifiers.phone', 'traits.phone'] })),
        fields: Type.Optional(
          Type.Record(
            Type.String({ pattern: '^cf_[a-z0-9_]+$' }),
            Type.Union([Type.String(), Type.Number(), Type.Boolean()]),
            {
              // Nothing but cf_*: a rule must not write tags or available_for_mailing this way.
              additionalProperties: false,
              description: 'Custom fields (cf_…) set by the rule.',
            },
          ),
        ),
        deliveryId: Type.String({ from: 'delivery.id' }),
        stop: Type.String({ format: 'uri', from: 'links.stop', description: 'Signed link that stops these messages.' }),
        why: Type.String({ format: 'uri', from: 'links.why', description: 'Signed link that explains this message.' }),
      }),
      perform: ({ http, payload, settings, signals }) =>
        sendEvent(http, 'CONVERSION', {
          conversion_identifier: payload.conversion,
          email: payload.email,
          ...(payload.name !== undefined && { name: payload.name }),
          ...(payload.mobile_phone !== undefined && { mobile_phone: payload.mobile_phone }),
          ...payload.fields,
          ...(settings.hubFields && {
            [HUB_FIELDS.deliveryId]: payload.deliveryId,
            [HUB_FIELDS.stop]: payload.stop,
            [HUB_FIELDS.why]: payload.why,
          }),
          ...legalBases(signals),
        }),
    },

    updateLegalBases: {
      title: { pt: 'Atualizar bases legais', en: 'Update legal bases' },
      description: {
        pt: 'Leva à RD Station o que o registro de consentimento diz hoje, inclusive uma recusa.',
        en: 'Tells RD Station what the consent ledger says today, a refusal included.',
      },
      withdraws: ['*'],
      // For a rule that keeps them in step. What a withdrawal itself enqueues needs no purpose of its own.
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['rdstation_uuid', 'email'],
      idempotency: 'natural',
      payload: Type.Object(contact, someContact),
      // PATCH by e-mail would make a contact of somebody who is none, and a uuid that the team deleted or merged
      // away says nothing of the address: so it is looked for first.
      async perform({ http, payload: { uuid, email }, signals }) {
        if (signals.rd.length === 0)
          return {
            status: 'rejected',
            reason:
              signals.omitted?.map(({ purpose, basis, reason }) => `${purpose} (${basis}): ${reason}`).join('; ') ||
              'no legal basis that RD Station has a word for',
          }
        for (const path of [...(uuid ? [contactPath({ uuid })] : []), ...(email ? [contactPath({ email })] : [])])
          if ((await http.lookup(path)).status !== 404)
            return http.request('PATCH', path, { json: { legal_bases: signals.rd } })
        return { status: 'delivered', answer: 'not a contact' }
      },
    },

    markOpportunity: {
      title: { pt: 'Marcar oportunidade', en: 'Mark opportunity' },
      description: {
        pt: 'Marca o contato como oportunidade no funil.',
        en: 'Marks the contact as an opportunity in the funnel.',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Type.Object({ email }),
      perform: ({ http, payload, settings }) =>
        sendEvent(http, 'OPPORTUNITY', { email: payload.email, funnel_name: settings.funnel }),
    },

    markLost: {
      title: { pt: 'Marcar oportunidade perdida', en: 'Mark lost opportunity' },
      description: {
        pt: 'Marca a oportunidade do contato como perdida, com o motivo.',
        en: "Marks the contact's opportunity as lost, with the reason.",
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Type.Object({ email, reason: Type.Optional(Type.String({ from: 'properties.reason' })) }),
      perform: ({ http, payload: { email, reason }, settings }) =>
        sendEvent(http, 'OPPORTUNITY_LOST', {
          email,
          funnel_name: settings.funnel,
          ...(reason !== undefined && { reason }),
        }),
    },

    markSale: {
      title: { pt: 'Marcar venda', en: 'Mark sale' },
      description: {
        pt: 'Marca o contato como venda ganha, com o valor do pedido.',
        en: 'Marks the contact as a won sale, with the value of the order.',
      },
      purpose: 'orders',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Type.Object({
        email,
        value: Type.Optional(
          Type.Number({
            from: ['properties.total', 'properties.revenue', 'properties.value'],
            description: 'In reais, with centavos as decimals.',
          }),
        ),
      }),
      perform: ({ http, payload: { email, value }, settings }) =>
        sendEvent(http, 'SALE', { email, funnel_name: settings.funnel, ...(value !== undefined && { value }) }),
    },

    setFunnelStage: {
      title: { pt: 'Mudar estágio no funil', en: 'Set funnel stage' },
      description: {
        pt: 'Muda o estágio do contato no funil padrão, ou o marca como oportunidade. O responsável fica.',
        en: 'Sets the lifecycle stage of the contact in the default funnel, or marks it as opportunity. The owner stays.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['rdstation_uuid', 'email'],
      idempotency: 'natural',
      payload: Type.Object(
        {
          ...contact,
          stage: Type.Union([Type.Literal('Lead'), Type.Literal('Qualified Lead'), Type.Literal('Client')]),
          opportunity: Type.Optional(Type.Boolean()),
        },
        someContact,
      ),
      // https://developers.rdstation.com/reference/put_platform-contacts-identifier-value-funnels-funnel-name
      perform: ({ http, payload: { stage, opportunity, ...who } }) =>
        http.request('PUT', `${contactPath(who)}/funnels/default`, {
          json: { lifecycle_stage: stage, ...(opportunity !== undefined && { opportunity }) },
        }),
    },

    sendEcommerce: {
      title: { pt: 'Enviar evento de e-commerce', en: 'Send e-commerce event' },
      description: {
        pt: 'Leva checkout, carrinho e pedidos ao RD Station Marketing para Ecommerce (planos Pro e Advanced).',
        en: 'Takes checkout, cart and orders to RD Station Marketing for e-commerce (Pro and Advanced plans).',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      // By a rule or under `actions` only: an account without the e-commerce product refuses these events.
      payload: Commerce,
      perform: async ({ http, payload, settings, signals }) => {
        const event = commerceEvent(payload, settings.currency)
        return event === undefined
          ? { status: 'rejected', reason: `RD Station knows these: ${Object.keys(ECOMMERCE).join(', ')}` }
          : sendEvent(http, event.type, { ...event.payload, ...legalBases(signals) })
      },
    },

    sendChat: {
      title: { pt: 'Registrar chat', en: 'Record chat' },
      description: { pt: 'Registra o início ou o fim de um chat.', en: 'Records the beginning or the end of a chat.' },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Chat,
      perform: ({ http, payload }) =>
        sendEvent(http, payload.finished ? 'CHAT_FINISHED' : 'CHAT_STARTED', chatPayload(payload)),
    },

    sendCall: {
      title: { pt: 'Registrar ligação', en: 'Record call' },
      description: { pt: 'Registra uma ligação encerrada.', en: 'Records a call that ended.' },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Call,
      perform: ({ http, payload }) => sendEvent(http, 'CALL_FINISHED', callPayload(payload)),
    },

    sendMedia: {
      title: { pt: 'Registrar mídia', en: 'Record media' },
      description: {
        pt: 'Registra que um vídeo ou áudio começou ou parou.',
        en: 'Records that a video or audio started or stopped.',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Media,
      perform: ({ http, payload }) =>
        sendEvent(http, payload.stopped ? 'MEDIA_PLAYBACK_STOPPED' : 'MEDIA_PLAYBACK_STARTED', mediaPayload(payload)),
    },
  },

  // https://developers.rdstation.com/reference/contatos-fields: a value for a field that does not exist is ignored.
  async check({ http, settings }) {
    const { json } = await http.lookup('/platform/contacts/fields')
    const fields = (json as { fields?: { api_identifier?: string }[] } | undefined)?.fields ?? []
    const known = new Set(fields.map((field) => field.api_identifier))
    const wanted = [...Object.keys(settings.customFields), ...(settings.hubFields ? Object.values(HUB_FIELDS) : [])]
    const missing = wanted.filter((field) => !known.has(field))
    return {
      ok: true,
      detail: `RD Station answers; the account has ${fields.length} contact fields.`,
      ...(missing.length > 0 && {
        warnings: missing.map(
          (field) => `Custom field ${field} does not exist in RD Station; its values would be ignored.`,
        ),
      }),
    }
  },

  deleteSubject: {
    async implemented({ http, subject: { identifiers } }) {
      const path = subjectPath(identifiers)
      if (!path) return { status: 'rejected', reason: 'no e-mail and no RD Station uuid to look for' }
      if ((await http.lookup(path)).status === 404) return { status: 'delivered', answer: 'not there' }
      return http.request('DELETE', path)
    },
  },
  exportSubject: {
    async implemented({ http, subject: { identifiers } }) {
      const path = subjectPath(identifiers)
      return path ? http.lookup(path) : { status: 'rejected', reason: 'no e-mail and no RD Station uuid to look for' }
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo pela ação upsertContact. Um campo apagado deve ser limpo à mão no contato da RD Station.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value through upsertContact. A field that becomes empty must be cleared by hand on the RD Station contact.',
    },
  },
  webhooks: subscriptions,
  feedback: {
    webhook: {
      pt: 'A fonte rdstation recebe conversões e descadastros; o id da entrega volta no campo cf_anuente_delivery_id.',
      en: 'The rdstation source receives conversions and opt-outs; the delivery id comes back in the field cf_anuente_delivery_id.',
    },
  },
})

function subjectPath({
  rdstation_uuid: uuid,
  email,
}: Readonly<Record<string, string | undefined>>): string | undefined {
  return uuid || email ? contactPath({ ...(uuid && { uuid }), ...(email && { email }) }) : undefined
}

/**
 * Errors come in six forms (a bare array, one object, a list, by field, by language, mixed):
 * wherever it stands, `error_type` is the code. Messages may quote the contact and stay here.
 */
function verdict(response: HttpResponse): Outcome | undefined {
  const { status, headers, json } = response
  // A limit may be one of a day: {"error":"'lead_limiter' rate limit…","remaining_time":43067}, in seconds.
  const remaining = (json as { remaining_time?: unknown } | undefined)?.remaining_time
  if (status === 429 && typeof remaining === 'number' && remaining >= 0)
    return { status: 'retry', reason: 'HTTP 429 quota of RD Station', retryAfterMs: remaining * 1000 }
  if (status === 401 && /error="expired_token"/.test(headers['www-authenticate'] ?? ''))
    return { status: 'authentication', reason: 'HTTP 401 the access token expired' }
  const codes = [...new Set(errorTypes(json))].slice(0, 5)
  const final = status >= 400 && status < 500 && ![401, 403, 408, 425, 429].includes(status)
  if (final && codes.length > 0) return { status: 'rejected', reason: `HTTP ${status} ${codes.join(' ')}` }
  return undefined
}

function errorTypes(value: unknown, depth = 0): string[] {
  if (value === null || typeof value !== 'object' || depth > 6) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'error_type' && typeof inner === 'string' && /^[A-Z][A-Z_]{2,60}$/.test(inner)
      ? [inner]
      : errorTypes(inner, depth + 1),
  )
}
