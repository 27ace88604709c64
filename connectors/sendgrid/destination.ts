/**
 * Twilio SendGrid v3: contacts, lists, mail and opt-outs. An upsert of a contact subscribes nobody to mail they left:
 * suppressions stand beside the contacts and are only ever added to.
 */
import { type Static, Type } from 'typebox'
import {
  bisect,
  defineDestination,
  emailField,
  type Http,
  type HttpResponse,
  inGroups,
  known,
  mappedTraits,
  messageFields,
  namesOf,
  type Outcome,
  personal,
  personFields,
  propertiesField,
  readResetTime,
  traitsField,
} from '../../core/kit/index.ts'
import { readEvents, verifyEvents } from './feedback.ts'

const audience = Type.String({ pattern: '^[0-9a-f-]{36}$', description: 'Id of the SendGrid list.' })

const Contact = Type.Object({
  email: emailField,
  phone: personal('identifiers.phone'),
  ...personFields,
  traits: traitsField,
})

const Message = Type.Object({
  email: emailField,
  name: personal('traits.name', 'traits.firstName'),
  templateId: Type.Optional(
    Type.String({ pattern: '^d-[0-9a-f]{32}$', description: 'Dynamic template; that of the settings when absent.' }),
  ),
  subject: Type.Optional(Type.String({ minLength: 1, description: 'Set by the rule instead of a template.' })),
  text: Type.Optional(Type.String({ minLength: 1, description: 'Set by the rule instead of a template.' })),
  html: Type.Optional(Type.String({ minLength: 1 })),
  event: Type.String({ from: 'name' }),
  properties: propertiesField,
  cart: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { from: 'cart' })),
  ...messageFields,
})

const Settings = Type.Object(
  {
    apiKey: Type.String({ secret: true, pattern: '^SG\\.', description: 'API key with mail.send and marketing.' }),
    region: Type.Union([Type.Literal('global'), Type.Literal('eu')], { default: 'global' }),
    from: Type.Object(
      { email: Type.String({ format: 'email' }), name: Type.Optional(Type.String()) },
      {
        additionalProperties: false,
        description: 'A verified sender.',
      },
    ),
    templateId: Type.Optional(Type.String({ pattern: '^d-[0-9a-f]{32}$', description: 'Dynamic template of mails.' })),
    unsubscribeGroup: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Opt-outs go to this group; to the global list when absent.' }),
    ),
    lists: Type.Array(Type.String(), { default: [], description: 'Lists every contact is added to.' }),
    customFields: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_]+$' }), Type.String(), {
      additionalProperties: false,
      default: {},
      description: 'Id of a custom field to the trait it is filled from.',
    }),
    eventVerification: Type.Optional(
      Type.String({ minLength: 64, description: 'Verification key of the signed Event Webhook, base64.' }),
    ),
    sandboxMode: Type.Boolean({ default: false, description: 'SendGrid checks mails and sends none.' }),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const NOBODY: Outcome = { status: 'rejected', reason: 'no e-mail to look for' }

export default defineDestination({
  id: 'sendgrid',
  name: 'SendGrid',
  docs: 'https://www.twilio.com/docs/sendgrid/api-reference',
  support: 'community',
  apiVersion: { version: 'v3', docs: 'https://www.twilio.com/docs/sendgrid/release-notes' },
  baseUrl: ({ region }) => (region === 'eu' ? 'https://api.eu.sendgrid.com/v3' : 'https://api.sendgrid.com/v3'),
  settings: Settings,
  authenticate: ({ apiKey }) => ({ authorization: `Bearer ${apiKey}` }),
  verdict,
  // Each endpoint has a limit of its own and tells it in X-RateLimit-*; this pace is ours.
  limits: { perSecond: 20, concurrency: 4 },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: {
        pt: 'Mantém o contato em dia com o perfil. Não desfaz descadastros.',
        en: 'Keeps the contact in step with the profile. Undoes no opt-out.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Contact,
      // https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact: 30,000 contacts or 6 MB.
      batch: { max: 1000, maxBytes: 5_000_000 },
      performBatch: ({ http, settings, items }) =>
        bisect(items, (some) =>
          putContacts(
            http,
            some.map(({ payload }) => contactOf(payload, settings)),
            settings.lists,
          ),
        ),
    },

    addToAudience: {
      title: { pt: 'Pôr na lista', en: 'Add to list' },
      description: { pt: 'Põe o contato numa lista.', en: 'Puts the contact on a list.' },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience }),
      batch: { max: 1000, maxBytes: 5_000_000 },
      performBatch: ({ http, items }) =>
        inGroups(
          items,
          ({ payload }) => payload.audience,
          (group, list) =>
            bisect(group, (some) =>
              putContacts(
                http,
                some.map(({ payload }) => ({ email: payload.email })),
                [list],
              ),
            ),
        ),
    },

    removeFromAudience: {
      title: { pt: 'Tirar da lista', en: 'Remove from list' },
      description: {
        pt: 'Tira o contato de uma lista; o contato fica.',
        en: 'Takes the contact off a list; the contact stays.',
      },
      // Leaving a list must not wait for consent to be on it.
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience }),
      async perform({ http, payload }) {
        const id = await contactId(http, payload.email)
        return id === undefined
          ? { status: 'delivered', answer: 'not a contact' }
          : http.request('DELETE', `/marketing/lists/${payload.audience}/contacts?contact_ids=${id}`)
      },
    },

    sendEmail: {
      title: { pt: 'Enviar e-mail', en: 'Send e-mail' },
      description: {
        pt: 'Envia um e-mail com modelo dinâmico ou com o texto da regra, com descadastro em um clique.',
        en: 'Sends a mail by dynamic template or with the text of the rule, with one-click unsubscribe.',
      },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      // https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send has no idempotency key.
      idempotency: 'none',
      payload: Message,
      async perform({ http, payload, settings }) {
        const mail = mailOf(payload, settings)
        return mail === undefined
          ? { status: 'rejected', reason: 'no template, and the rule sets no subject and text' }
          : http.request('POST', '/mail/send', { json: mail })
      },
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação ao SendGrid: nenhum e-mail do grupo, ou nenhum e-mail, sai mais para o endereço.',
        en: 'Takes a withdrawal to SendGrid: no more mail of the group, or none at all, leaves for the address.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      perform: ({ http, payload, settings }) =>
        http.request(
          'POST',
          settings.unsubscribeGroup === undefined
            ? '/asm/suppressions/global'
            : `/asm/groups/${settings.unsubscribeGroup}/suppressions`,
          { json: { recipient_emails: [payload.email] } },
        ),
    },
  },

  async check({ http }) {
    const { json } = await http.lookup('/scopes')
    const scopes = (json as { scopes?: unknown } | undefined)?.scopes
    const granted = new Set(Array.isArray(scopes) ? scopes.map(String) : [])
    const missing = ['mail.send', 'marketing.read', 'asm.suppressions.global.create'].filter(
      (scope) => !granted.has(scope),
    )
    return {
      ok: true,
      detail: `SendGrid knows the key; it has ${granted.size} permissions.`,
      ...(missing.length > 0 && { warnings: missing.map((scope) => `The key lacks the permission ${scope}.`) }),
    }
  },

  deleteSubject: {
    async implemented({ http, subject: { identifiers } }) {
      if (!identifiers.email) return NOBODY
      const id = await contactId(http, identifiers.email)
      return id === undefined
        ? { status: 'delivered', answer: 'not a contact' }
        : http.request('DELETE', `/marketing/contacts?ids=${id}`)
    },
  },
  exportSubject: {
    async implemented({ http, subject: { identifiers } }) {
      return identifiers.email ? search(http, identifiers.email) : NOBODY
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo. Se o e-mail mudou, apague o contato antigo, pois o SendGrid o identifica pelo e-mail.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value. If the e-mail changed, delete the old contact, because SendGrid knows contacts by e-mail.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Em Settings > Mail Settings > Event Webhook, aponte os eventos para /in/<id do destino>, ative a assinatura e copie a chave pública para eventVerification.',
      en: 'Under Settings > Mail Settings > Event Webhook, point the events to /in/<destination id>, switch on signing and copy the public key to eventVerification.',
    },
    receive: { verify: verifyEvents, read: readEvents },
  },
})

function contactOf(payload: Static<typeof Contact>, { customFields }: Settings): Record<string, unknown> {
  const { firstName, lastName } = namesOf(payload)
  const own = mappedTraits(customFields, payload.traits)
  return known({
    email: payload.email,
    first_name: firstName,
    last_name: lastName,
    phone_number: payload.phone,
    city: payload.city,
    state_province_region: payload.state,
    postal_code: payload.zip,
    country: payload.country,
    custom_fields: Object.keys(own).length > 0 ? own : undefined,
  })
}

async function putContacts(
  http: Http,
  contacts: readonly Record<string, unknown>[],
  lists: readonly string[],
): Promise<readonly Outcome[]> {
  const { status } = await http.request('PUT', '/marketing/contacts', {
    json: { ...(lists.length > 0 && { list_ids: lists }), contacts },
  })
  // 202: taken, written within minutes. What the job then finds wrong is in GET /marketing/contacts/imports/{job_id}.
  return contacts.map(() => ({ status: 'delivered', answer: String(status) }))
}

function mailOf(payload: Static<typeof Message>, settings: Settings): Record<string, unknown> | undefined {
  const written = payload.subject !== undefined && payload.text !== undefined
  const template = payload.templateId ?? (written ? undefined : settings.templateId)
  if (template === undefined && !written) return undefined
  const data = {
    ...payload.properties,
    ...known({ name: payload.name, event: payload.event, cart: payload.cart }),
    stop_url: payload.stop,
    why_url: payload.why,
  }
  return {
    personalizations: [
      {
        to: [{ email: payload.email, ...(payload.name !== undefined && { name: payload.name }) }],
        ...(template !== undefined && { dynamic_template_data: data }),
        // Come back in every event of the Event Webhook.
        custom_args: { anuente_delivery_id: payload.deliveryId },
        // RFC 8058: the signed link, so that leaving works even if SendGrid's own tracking is off.
        headers: { 'List-Unsubscribe': `<${payload.stop}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' },
      },
    ],
    from: settings.from,
    ...(template !== undefined
      ? { template_id: template }
      : {
          subject: payload.subject,
          content: [
            {
              type: 'text/plain',
              value: `${payload.text}\n\n--\nParar de receber: ${payload.stop}\nPor que recebi isto? ${payload.why}\n`,
            },
            ...(payload.html === undefined
              ? []
              : [
                  {
                    type: 'text/html',
                    value: `${payload.html}<p><a href="${payload.stop}">Parar de receber</a> · <a href="${payload.why}">Por que recebi isto?</a></p>`,
                  },
                ]),
          ],
        }),
    ...(settings.unsubscribeGroup !== undefined && { asm: { group_id: settings.unsubscribeGroup } }),
    ...(settings.sandboxMode && { mail_settings: { sandbox_mode: { enable: true } } }),
  }
}

/** https://www.twilio.com/docs/sendgrid/api-reference/contacts/get-contacts-by-emails: 404 when nobody has it. */
const search = (http: Http, email: string): Promise<HttpResponse> =>
  http.lookup('/marketing/contacts/search/emails', { json: { emails: [email] } })

async function contactId(http: Http, email: string): Promise<string | undefined> {
  const { json } = await search(http, email)
  const result = (json as { result?: Record<string, { contact?: { id?: unknown } }> } | undefined)?.result ?? {}
  const id = Object.values(result)[0]?.contact?.id
  return typeof id === 'string' && /^[\w-]+$/.test(id) ? id : undefined
}

/** https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits */
function verdict({ status, headers }: HttpResponse): Outcome | undefined {
  const retryAfterMs = headers['retry-after'] === undefined ? readResetTime(headers['x-ratelimit-reset']) : undefined
  return status === 429 && retryAfterMs !== undefined
    ? { status: 'retry', reason: 'HTTP 429 rate limit of SendGrid', retryAfterMs }
    : undefined
}
