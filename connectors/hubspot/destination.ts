/**
 * HubSpot CRM: contacts, static lists, custom events, tasks, opt-outs. Batches answer 207 with errors per item;
 * properties without a value stay out, and nothing subscribes anybody.
 */
import { Type } from 'typebox'
import {
  bisect,
  defineDestination,
  emailField,
  FeedbackToken,
  type Http,
  type HttpResponse,
  type ItemContext,
  inGroups,
  known,
  mappedTraits,
  namesOf,
  type Outcome,
  oauthChoice,
  oauthClient,
  oauthFields,
  personal,
  personFields,
  propertiesField,
  traitsField,
  verifyFeedbackToken,
} from '../../core/kit/index.ts'
import { readEvents } from './feedback.ts'

const audience = Type.String({ pattern: '^\\d+$', description: 'ILS list id of a manual list.' })
const Member = Type.Object({ email: emailField, audience })
const DAY = 86_400
/** What the actions below need; an app that lacks one of them is refused on the page of HubSpot. */
const SCOPES = [
  'oauth',
  'crm.objects.contacts.read',
  'crm.objects.contacts.write',
  'crm.lists.read',
  'crm.lists.write',
  'communication_preferences.read_write',
  'behavioral_events.event_definitions.read_write',
]

export default defineDestination({
  id: 'hubspot',
  name: 'HubSpot',
  docs: 'https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/guide',
  support: 'community',
  apiVersion: { version: 'v3', docs: 'https://developers.hubspot.com/changelog' },
  baseUrl: 'https://api.hubapi.com',
  settings: Type.Object(
    {
      ...oauthFields,
      properties: Type.Record(Type.String({ pattern: '^[a-z0-9_]+$' }), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Contact property to the trait it is filled from.',
      }),
      subscriptionId: Type.Optional(
        Type.Integer({ minimum: 1, description: 'Subscription type that opt-outs are for.' }),
      ),
      ownerId: Type.Optional(Type.String({ pattern: '^\\d+$', description: 'Owner of tasks.' })),
      feedbackToken: FeedbackToken,
    },
    { additionalProperties: false, ...oauthChoice() },
  ),
  authenticate: ({ accessToken }) => ({ authorization: `Bearer ${accessToken}` }),
  // A refresh token lasts until the app is uninstalled.
  oauth: {
    docs: 'https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/oauth/working-with-oauth',
    client: (settings) => oauthClient(settings),
    authorizeUrl: 'https://app.hubspot.com/oauth/authorize',
    tokenUrl: 'https://api.hubapi.com/oauth/v1/token',
    tokenBody: 'form',
    scopes: SCOPES,
    pkce: false,
    lifetimes: { access: 1800, rotates: false },
  },
  verdict,
  // https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines: of the smallest plan.
  limits: { perSecond: 9, concurrency: 4, windows: [{ seconds: DAY, max: 250_000 }] },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: {
        pt: 'Mantém o contato em dia com o perfil, pelo e-mail.',
        en: 'Keeps the contact in step with the profile, by e-mail.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email: emailField,
        phone: personal('identifiers.phone', 'traits.phone'),
        ...personFields,
        company: personal('traits.company.name', 'traits.companyName'),
        jobTitle: personal('traits.title', 'traits.jobTitle'),
        traits: traitsField,
      }),
      batch: { max: 100 },
      performBatch: ({ http, settings, items }) =>
        bisect(items, async (some) => {
          const { json } = await http.request('POST', '/crm/v3/objects/contacts/batch/upsert', {
            json: {
              inputs: some.map(({ payload, delivery }) => {
                const { firstName, lastName } = namesOf(payload)
                return {
                  idProperty: 'email',
                  id: payload.email,
                  objectWriteTraceId: delivery.id,
                  properties: known({
                    email: payload.email,
                    firstname: firstName,
                    lastname: lastName,
                    phone: payload.phone,
                    company: payload.company,
                    jobtitle: payload.jobTitle,
                    city: payload.city,
                    state: payload.state,
                    zip: payload.zip,
                    country: payload.country,
                    ...mappedTraits(settings.properties, payload.traits),
                  }),
                }
              }),
            },
          })
          return each(some, json)
        }),
    },

    addToAudience: {
      title: { pt: 'Pôr na lista', en: 'Add to list' },
      description: { pt: 'Põe o contato numa lista manual.', en: 'Puts the contact on a manual list.' },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Member,
      batch: { max: 100 },
      performBatch: ({ http, items }) => changeList(http, items, 'add'),
    },

    removeFromAudience: {
      title: { pt: 'Tirar da lista', en: 'Remove from list' },
      description: { pt: 'Tira o contato de uma lista manual.', en: 'Takes the contact off a manual list.' },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Member,
      batch: { max: 100 },
      performBatch: ({ http, items }) => changeList(http, items, 'remove'),
    },

    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: {
        pt: 'Registra um evento personalizado no contato; fluxos podem começar por ele (plano Enterprise).',
        en: 'Records a custom event on the contact; workflows may start from it (Enterprise plan).',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      // By uuid; how long it is remembered is not documented, so a day.
      idempotency: { key: 24 },
      payload: Type.Object({
        email: emailField,
        eventName: Type.String({
          pattern: '^pe\\d+_[a-z0-9_]+$',
          description: 'Internal name of the event, set by the rule.',
        }),
        occurredAt: Type.String({ from: 'occurredAt' }),
        properties: propertiesField,
      }),
      perform: ({ http, payload, delivery }) =>
        http.request('POST', '/events/v3/send', {
          json: {
            eventName: payload.eventName,
            email: payload.email,
            occurredAt: payload.occurredAt,
            uuid: delivery.key,
            // Scalars alone: a custom event has no lists.
            properties: Object.fromEntries(
              Object.entries(payload.properties ?? {}).filter(([, value]) => typeof value !== 'object'),
            ),
          },
        }),
    },

    createTask: {
      title: { pt: 'Criar tarefa', en: 'Create task' },
      description: {
        pt: 'Cria uma tarefa para a equipe no contato.',
        en: 'Creates a task for the team on the contact.',
      },
      purpose: 'customer_care',
      channel: 'task',
      kind: 'event',
      identifier: ['email'],
      renders: 'hub',
      idempotency: 'none',
      payload: Type.Object({
        email: emailField,
        subject: Type.String({ minLength: 1, from: 'name', description: 'Set by the rule.' }),
        note: Type.Optional(Type.String({ minLength: 1 })),
        dueAt: Type.String({ from: 'occurredAt' }),
      }),
      async perform({ http, payload, settings }) {
        const id = (await contactIds(http, [payload.email])).get(payload.email)
        return http.request('POST', '/crm/v3/objects/tasks', {
          json: {
            properties: known({
              hs_timestamp: payload.dueAt,
              hs_task_subject: payload.subject,
              hs_task_body: payload.note,
              hs_task_status: 'NOT_STARTED',
              hubspot_owner_id: settings.ownerId,
            }),
            // 204: task to contact. https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide
            ...(id !== undefined && {
              associations: [
                { to: { id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 204 }] },
              ],
            }),
          },
        })
      },
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação à HubSpot, para o tipo de assinatura das configurações.',
        en: 'Takes a withdrawal to HubSpot, for the subscription type of the settings.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      perform: async ({ http, payload, settings }) =>
        settings.subscriptionId === undefined
          ? { status: 'rejected', reason: 'the settings name no subscriptionId' }
          : http.request('POST', '/communication-preferences/v3/unsubscribe', {
              json: { emailAddress: payload.email, subscriptionId: settings.subscriptionId },
            }),
    },
  },

  async check({ http, settings }) {
    await http.lookup('/account-info/v3/details')
    return {
      ok: true,
      detail: 'HubSpot knows the token.',
      ...(settings.subscriptionId === undefined && {
        warnings: ['No subscriptionId: a withdrawal of e-mail cannot be taken to HubSpot.'],
      }),
    }
  },

  deleteSubject: {
    // https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/basic: answers 204 also for somebody unknown.
    async implemented({ http, subject: { identifiers } }) {
      return identifiers.email
        ? http.request('POST', '/crm/v3/objects/contacts/gdpr-delete', {
            json: { idProperty: 'email', objectId: identifiers.email },
          })
        : { status: 'rejected', reason: 'no e-mail to look for' }
    },
  },
  exportSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      return identifiers.email
        ? read(
            http,
            [identifiers.email],
            [
              ...['email', 'firstname', 'lastname', 'phone', 'company', 'jobtitle', 'city', 'state', 'zip', 'country'],
              ...Object.keys(settings.properties),
            ],
          )
        : { status: 'rejected', reason: 'no e-mail to look for' }
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo. Um e-mail trocado se corrige no contato da HubSpot.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value. A changed e-mail is corrected on the contact in HubSpot.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Num fluxo de trabalho com gatilho “Cancelou todos os e-mails”, use a ação Enviar um webhook para /in/<id do destino> com as propriedades email e hs_email_optout e o cabeçalho x-anuente-token igual a feedbackToken.',
      en: 'In a workflow that starts when a contact opts out of all e-mail, use Send a webhook to /in/<destination id> with the properties email and hs_email_optout and the header x-anuente-token equal to feedbackToken.',
    },
    receive: { verify: verifyFeedbackToken, read: readEvents },
  },
})

/** 207: each error names the inputs it is about by their trace id. */
function each(items: readonly ItemContext<unknown>[], json: unknown): readonly Outcome[] {
  const { errors } = (json ?? {}) as { errors?: { category?: unknown; context?: Record<string, unknown> }[] }
  const failed = new Map<string, string>()
  for (const { category, context } of errors ?? [])
    for (const id of [context?.['objectWriteTraceId']].flat())
      failed.set(String(id), `HubSpot ${CATEGORIES.has(String(category)) ? String(category) : 'error'}`)
  const unnamed = (errors?.length ?? 0) > 0 && !items.some(({ delivery }) => failed.has(delivery.id))
  return items.map(({ delivery }) => {
    if (unnamed) return { status: 'retry', reason: 'HubSpot does not say which item failed' }
    const reason = failed.get(delivery.id)
    return reason === undefined ? { status: 'delivered', answer: 'upserted' } : { status: 'rejected', reason }
  })
}

const read = (http: Http, emails: readonly string[], properties: readonly string[]): Promise<HttpResponse> =>
  http.lookup('/crm/v3/objects/contacts/batch/read', {
    json: { idProperty: 'email', properties, inputs: emails.map((id) => ({ id })) },
  })

async function contactIds(http: Http, emails: readonly string[]): Promise<Map<string, string>> {
  const { json } = await read(http, [...new Set(emails)], ['email'])
  const { results = [] } = (json ?? {}) as { results?: { id?: unknown; properties?: { email?: unknown } }[] }
  return new Map(results.map(({ id, properties }) => [String(properties?.email).toLowerCase(), String(id)]))
}

/** https://developers.hubspot.com/docs/api-reference/crm-lists-v3/guide: memberships are record ids. */
const changeList = (
  http: Http,
  items: readonly ItemContext<{ readonly email: string; readonly audience: string }>[],
  act: 'add' | 'remove',
): Promise<readonly Outcome[]> =>
  inGroups(
    items,
    ({ payload }) => payload.audience,
    async (group, list) => {
      const ids = await contactIds(
        http,
        group.map(({ payload }) => payload.email),
      )
      if (ids.size > 0)
        await http.request('PUT', `/crm/v3/lists/${list}/memberships/${act}`, { json: [...ids.values()] })
      return group.map(({ payload }): Outcome => {
        if (ids.has(payload.email)) return { status: 'delivered', answer: act }
        return act === 'remove'
          ? { status: 'delivered', answer: 'not a contact' }
          : // upsertContact may still be on its way, in a lane of its own.
            { status: 'retry', reason: 'not a contact yet', retryAfterMs: 60_000 }
      })
    },
  )

const CATEGORIES = new Set([
  'VALIDATION_ERROR',
  'OBJECT_NOT_FOUND',
  'CONFLICT',
  'INVALID_EMAIL',
  'PROPERTY_DOESNT_EXIST',
])

/** https://developers.hubspot.com/docs/api-reference/error-handling */
function verdict({ status, headers, json }: HttpResponse): Outcome | undefined {
  const { policyName, category, message } = (json ?? {}) as Readonly<Record<string, unknown>>
  // The daily limit is over at midnight of the account's time zone: look again every hour.
  if (status === 429 && policyName === 'DAILY' && headers['retry-after'] === undefined)
    return { status: 'retry', reason: 'HTTP 429 daily limit of HubSpot', retryAfterMs: 3_600_000 }
  // A lock of HubSpot's own.
  if (status === 423) return { status: 'retry', reason: 'HTTP 423 locked', retryAfterMs: 2000 }
  if (status === 400 && typeof message === 'string' && /already unsubscribed/i.test(message))
    return { status: 'delivered', answer: 'was unsubscribed' }
  return [400, 404, 409, 422].includes(status) && CATEGORIES.has(String(category))
    ? { status: 'rejected', reason: `HTTP ${status} ${String(category)}` }
    : undefined
}
