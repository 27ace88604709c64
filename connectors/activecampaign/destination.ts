/**
 * ActiveCampaign v3: contacts, tags as audiences, flows that listen to fields, opt-outs. An upsert touches no list and
 * no tag, so nobody is re-subscribed.
 */
import { Type } from 'typebox'
import {
  defineDestination,
  emailField,
  FeedbackToken,
  type Http,
  type HttpResponse,
  known,
  mappedTraits,
  messageFields,
  namesOf,
  type Outcome,
  personal,
  personFields,
  traitsField,
  verifyFeedbackToken,
} from '../../core/kit/index.ts'
import { readEvents } from './feedback.ts'

const field = (description: string) => Type.String({ pattern: '^\\d+$', description })
const audience = Type.String({
  minLength: 1,
  maxLength: 255,
  description: 'Name of the tag that stands for the audience.',
})

export default defineDestination({
  id: 'activecampaign',
  name: 'ActiveCampaign',
  docs: 'https://developers.activecampaign.com/reference/overview',
  support: 'community',
  apiVersion: { version: '3', docs: 'https://developers.activecampaign.com/changelog' },
  baseUrl: ({ url }) => `${url.replace(/\/$/, '')}/api/3`,
  settings: Type.Object(
    {
      url: Type.String({
        pattern: '^https://[a-z0-9-]+\\.(api-us1|activehosted)\\.com/?$',
        description: 'Settings > Developer > URL, such as https://loja.api-us1.com.',
      }),
      apiToken: Type.String({ secret: true, minLength: 8, description: 'Settings > Developer > Key.' }),
      fields: Type.Record(field('Id of the custom field.'), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Id of a custom field to the trait it is filled from.',
      }),
      lists: Type.Array(Type.Integer({ minimum: 1 }), {
        default: [],
        description: 'Lists a withdrawal unsubscribes from.',
      }),
      triggerFields: Type.Optional(
        Type.Object(
          {
            trigger: field('Text field an automation listens to ("field changes").'),
            stop: field('Text field with the link that stops.'),
            why: field('Text field with the link that explains.'),
          },
          { additionalProperties: false, description: 'Ids of the fields that startFlow writes.' },
        ),
      ),
      feedbackToken: FeedbackToken,
    },
    { additionalProperties: false },
  ),
  authenticate: ({ apiToken }) => ({ 'api-token': apiToken }),
  // https://developers.activecampaign.com/reference/rate-limits: five requests a second per account.
  limits: { perSecond: 5, concurrency: 2 },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: {
        pt: 'Mantém o contato em dia com o perfil. Não mexe em listas nem tags.',
        en: 'Keeps the contact in step with the profile. Touches no list and no tag.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email: emailField,
        phone: personal('identifiers.phone', 'traits.phone'),
        firstName: personFields.firstName,
        lastName: personFields.lastName,
        name: personFields.name,
        traits: traitsField,
      }),
      perform({ http, payload, settings }) {
        const { firstName, lastName } = namesOf(payload)
        return sync(
          http,
          { email: payload.email, firstName, lastName, phone: payload.phone },
          mappedTraits(settings.fields, payload.traits),
        )
      },
    },

    addToAudience: {
      title: { pt: 'Pôr a tag da audiência', en: 'Add audience tag' },
      description: {
        pt: 'Acrescenta uma tag ao contato; as outras ficam.',
        en: 'Adds a tag to the contact; the others stay.',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience }),
      // https://developers.activecampaign.com/reference/bulk-import-contacts: 250 contacts, 400 KB.
      batch: { max: 250, maxBytes: 300_000 },
      async performBatch({ http, items }) {
        await http.request('POST', '/import/bulk_import', {
          json: { contacts: items.map(({ payload }) => ({ email: payload.email, tags: [payload.audience] })) },
        })
        return items.map(() => ({ status: 'delivered', answer: 'queued' }))
      },
    },

    removeFromAudience: {
      title: { pt: 'Tirar a tag da audiência', en: 'Remove audience tag' },
      description: {
        pt: 'Tira uma tag do contato; as outras ficam.',
        en: 'Takes a tag off the contact; the others stay.',
      },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField, audience }),
      async perform({ http, payload }) {
        const contact = await contactId(http, payload.email)
        if (contact === undefined) return { status: 'delivered', answer: 'not a contact' }
        const tags = listOf(await http.lookup(`/contacts/${contact}/contactTags`), 'contactTags')
        const named = listOf(
          await http.lookup(`/tags?${new URLSearchParams({ 'filters[search][eq]': payload.audience })}`),
          'tags',
        )
        const tag = named.find((one) => one['tag'] === payload.audience)?.['id']
        const link = tags.find((one) => String(one['tag']) === String(tag))?.['id']
        return tag === undefined || link === undefined
          ? { status: 'delivered', answer: 'has no such tag' }
          : http.request('DELETE', `/contactTags/${encodeURIComponent(String(link))}`)
      },
    },

    startFlow: {
      title: { pt: 'Iniciar automação', en: 'Start automation' },
      description: {
        pt: 'Escreve o gatilho e os links assinados em campos do contato; a automação que escuta o campo começa.',
        en: 'Writes the trigger and the signed links into fields of the contact; the automation that listens to the field starts.',
      },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      // The same value written again is no change, so it starts nothing.
      idempotency: 'natural',
      payload: Type.Object({
        email: emailField,
        event: Type.String({ minLength: 1, from: 'name', description: 'Set by the rule.' }),
        ...messageFields,
      }),
      async perform({ http, payload, settings }) {
        const { triggerFields } = settings
        return triggerFields === undefined
          ? { status: 'rejected', reason: 'the settings name no triggerFields' }
          : sync(
              http,
              { email: payload.email },
              {
                [triggerFields.trigger]: `${payload.event} #${payload.deliveryId}`,
                [triggerFields.stop]: payload.stop,
                [triggerFields.why]: payload.why,
              },
            )
      },
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação às listas das configurações.',
        en: 'Takes a withdrawal to the lists of the settings.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      perform: async ({ http, payload, settings }) =>
        settings.lists.length === 0
          ? { status: 'rejected', reason: 'the settings name no lists' }
          : http.request('POST', '/import/bulk_import', {
              json: {
                contacts: [{ email: payload.email, unsubscribe: settings.lists.map((listid) => ({ listid })) }],
              },
            }),
    },
  },

  async check({ http, settings }) {
    const { json } = await http.lookup('/fields?limit=100')
    const there = new Set(
      ((json as { fields?: { id?: unknown }[] } | undefined)?.fields ?? []).map(({ id }) => String(id)),
    )
    const missing = [...Object.keys(settings.fields), ...Object.values(settings.triggerFields ?? {})].filter(
      (id) => !there.has(id),
    )
    const warnings = [
      ...missing.map((id) => `Custom field ${id} does not exist; its values would be refused.`),
      ...(settings.lists.length === 0 ? ['No lists: a withdrawal cannot be taken to ActiveCampaign.'] : []),
    ]
    return { ok: true, detail: 'ActiveCampaign knows the key.', ...(warnings.length > 0 && { warnings }) }
  },

  deleteSubject: {
    async implemented({ http, subject: { identifiers } }) {
      if (!identifiers.email) return NOBODY
      const id = await contactId(http, identifiers.email)
      return id === undefined
        ? { status: 'delivered', answer: 'not a contact' }
        : http.request('DELETE', `/contacts/${id}`)
    },
  },
  exportSubject: {
    async implemented({ http, subject: { identifiers } }) {
      return identifiers.email ? search(http, identifiers.email) : NOBODY
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo. Um e-mail trocado se corrige no contato do ActiveCampaign.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value. A changed e-mail is corrected on the contact in ActiveCampaign.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Em Configurações > Desenvolvedor > Webhooks, aponte para /in/<id do destino>?token=<feedbackToken> e escolha envio, abertura, clique, devolução e descadastro.',
      en: 'Under Settings > Developer > Manage webhooks, point to /in/<destination id>?token=<feedbackToken> and choose sent, open, click, bounce and unsubscribe.',
    },
    receive: { verify: verifyFeedbackToken, read: readEvents },
  },
})

const NOBODY: Outcome = { status: 'rejected', reason: 'no e-mail to look for' }

/** https://developers.activecampaign.com/reference/sync-a-contacts-data: creates or updates by e-mail. */
const sync = (http: Http, contact: Record<string, unknown>, fields: Record<string, unknown>): Promise<HttpResponse> =>
  http.request('POST', '/contact/sync', {
    json: {
      contact: known({
        ...contact,
        fieldValues:
          Object.keys(fields).length > 0
            ? Object.entries(fields).map(([id, value]) => ({ field: id, value: String(value) }))
            : undefined,
      }),
    },
  })

const search = (http: Http, email: string): Promise<HttpResponse> =>
  http.lookup(`/contacts?${new URLSearchParams({ email })}`)

const listOf = ({ json }: HttpResponse, name: string): Record<string, unknown>[] => {
  const list = (json as Record<string, unknown> | undefined)?.[name]
  return Array.isArray(list) ? (list as Record<string, unknown>[]) : []
}

async function contactId(http: Http, email: string): Promise<string | undefined> {
  const found = listOf(await search(http, email), 'contacts').find(
    (one) => String(one['email']).toLowerCase() === email,
  )
  const id = String(found?.['id'] ?? '')
  return /^\d+$/.test(id) ? id : undefined
}
