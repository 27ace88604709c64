/**
 * Salesforce: contacts or leads by an external id, campaign members, tasks, opt-outs. Collections answer record by
 * record; the external id travels in the body, so no person stands in a URL of a write.
 */
import { Type } from 'typebox'
import {
  defineDestination,
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
  traitsField,
} from '../../core/kit/index.ts'

const API_VERSION = 'v66.0'
const externalId = Type.String({
  minLength: 1,
  maxLength: 255,
  pii: true,
  from: ['identifiers.userId', 'identifiers.email'],
  description: 'Value of the external id field: the user id, else the e-mail.',
})
const audience = Type.String({ pattern: '^701[A-Za-z0-9]{12,15}$', description: 'Id of the campaign.' })
const Member = Type.Object({ externalId, audience })

const Settings = Type.Object(
  {
    instance: Type.String({
      pattern: '^[a-z0-9-]+(\\.[a-z0-9-]+)*\\.my\\.salesforce\\.com$',
      description: 'My Domain, such as loja.my.salesforce.com.',
    }),
    ...oauthFields,
    apiVersion: Type.String({ pattern: '^v\\d+\\.0$', default: API_VERSION }),
    object: Type.Union([Type.Literal('Contact'), Type.Literal('Lead')], { default: 'Contact' }),
    externalIdField: Type.String({
      pattern: '^[A-Za-z][A-Za-z0-9_]*__c$',
      default: 'AnuenteId__c',
      description: 'Custom field marked External ID and Unique.',
    }),
    company: Type.String({
      minLength: 1,
      default: '-',
      description: 'Company of leads that have none; Salesforce requires it.',
    }),
    fields: Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]*$' }), Type.String(), {
      additionalProperties: false,
      default: {},
      description: 'Field to the trait it is filled from.',
    }),
    ownerId: Type.Optional(Type.String({ pattern: '^005[A-Za-z0-9]{12,15}$', description: 'Owner of tasks.' })),
  },
  { additionalProperties: false, ...oauthChoice() },
)

interface Target {
  readonly object: string
  readonly externalIdField: string
}

export default defineDestination({
  id: 'salesforce',
  name: 'Salesforce',
  docs: 'https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest.htm',
  support: 'community',
  // Three releases a year; a version lives at least three years.
  apiVersion: {
    version: API_VERSION,
    docs: 'https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/api_rest_eol.htm',
    setting: 'apiVersion',
  },
  baseUrl: ({ instance, apiVersion }) => `https://${instance}/services/data/${apiVersion}`,
  settings: Settings,
  authenticate: ({ accessToken }) => ({ authorization: `Bearer ${accessToken}` }),
  // Answers do not say how long a token lasts: as long as the session policy of the org, two hours by default. A
  // refresh token lasts until revoked; it rotates only where the connected app says so, and then a new one is kept.
  oauth: {
    docs: 'https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_web_server_flow.htm',
    client: (settings) => oauthClient(settings),
    authorizeUrl: ({ instance }) => `https://${instance}/services/oauth2/authorize`,
    tokenUrl: ({ instance }) => `https://${instance}/services/oauth2/token`,
    tokenBody: 'form',
    scopes: ['api', 'refresh_token'],
    pkce: true,
    lifetimes: { access: 7200, rotates: false },
  },
  verdict,
  // https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta: 100,000 a day and more by licences.
  limits: { perSecond: 10, concurrency: 4, windows: [{ seconds: 86_400, max: 90_000 }] },

  actions: {
    upsertPerson: {
      title: { pt: 'Criar ou atualizar pessoa', en: 'Create or update person' },
      description: {
        pt: 'Mantém o contato (ou lead) em dia com o perfil. Não mexe em HasOptedOutOfEmail.',
        en: 'Keeps the contact (or lead) in step with the profile. Does not touch HasOptedOutOfEmail.',
      },
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['userId', 'email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        externalId,
        email: personal('identifiers.email', 'traits.email'),
        phone: personal('identifiers.phone', 'traits.phone'),
        ...personFields,
        company: personal('traits.company.name', 'traits.companyName'),
        title: personal('traits.title', 'traits.jobTitle'),
        traits: traitsField,
      }),
      // https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_upsert.htm
      batch: { max: 200 },
      async performBatch({ http, settings, items }) {
        const { object, externalIdField } = settings
        const prefix = object === 'Contact' ? 'Mailing' : ''
        return each(
          items,
          await http.request('PATCH', `/composite/sobjects/${object}/${externalIdField}`, {
            json: {
              allOrNone: false,
              records: items.map(({ payload }) => {
                const { firstName, lastName } = namesOf(payload)
                return {
                  attributes: { type: object },
                  ...known({
                    [externalIdField]: payload.externalId,
                    FirstName: firstName,
                    // Salesforce requires a last name.
                    LastName: lastName ?? firstName ?? '-',
                    Email: payload.email,
                    MobilePhone: payload.phone,
                    Title: payload.title,
                    Company: object === 'Lead' ? (payload.company ?? settings.company) : undefined,
                    [`${prefix}City`]: payload.city,
                    [`${prefix}State`]: payload.state,
                    [`${prefix}PostalCode`]: payload.zip,
                    [`${prefix}Country`]: payload.country,
                    ...mappedTraits(settings.fields, payload.traits),
                  }),
                }
              }),
            },
          }),
        )
      },
    },

    addToAudience: {
      title: { pt: 'Pôr na campanha', en: 'Add to campaign' },
      description: { pt: 'Faz da pessoa um membro da campanha.', en: 'Makes the person a member of the campaign.' },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['userId', 'email'],
      // A member a second time is DUPLICATE_VALUE, which is what was wanted.
      idempotency: 'natural',
      payload: Member,
      batch: { max: 200 },
      performBatch: ({ http, settings, items }) =>
        inGroups(
          items,
          ({ payload }) => payload.audience,
          async (group, campaign) =>
            each(
              group,
              await http.request('POST', '/composite/sobjects', {
                json: {
                  allOrNone: false,
                  records: group.map(({ payload }) => ({
                    attributes: { type: 'CampaignMember' },
                    CampaignId: campaign,
                    [settings.object]: { [settings.externalIdField]: payload.externalId },
                  })),
                },
              }),
            ),
        ),
    },

    removeFromAudience: {
      title: { pt: 'Tirar da campanha', en: 'Remove from campaign' },
      description: { pt: 'Tira a pessoa da campanha.', en: 'Takes the person out of the campaign.' },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['userId', 'email'],
      idempotency: 'natural',
      payload: Member,
      async perform({ http, payload, settings }) {
        const { object, externalIdField } = settings
        const member = await idOf(
          http,
          `SELECT Id FROM CampaignMember WHERE CampaignId = ${quoted(payload.audience)} AND ${object}.${externalIdField} = ${quoted(payload.externalId)}`,
        )
        return member === undefined
          ? { status: 'delivered', answer: 'not a member' }
          : http.request('DELETE', `/sobjects/CampaignMember/${member}`)
      },
    },

    createTask: {
      title: { pt: 'Criar tarefa', en: 'Create task' },
      description: {
        pt: 'Cria uma tarefa para a equipe com a pessoa.',
        en: 'Creates a task for the team with the person.',
      },
      purpose: 'customer_care',
      channel: 'task',
      kind: 'event',
      identifier: ['userId', 'email'],
      renders: 'hub',
      idempotency: 'none',
      payload: Type.Object({
        externalId,
        subject: Type.String({ minLength: 1, maxLength: 255, from: 'name', description: 'Set by the rule.' }),
        date: Type.String({ from: 'occurredAt' }),
        note: Type.Optional(Type.String({ minLength: 1 })),
      }),
      perform: ({ http, payload, settings }) =>
        http.request('POST', '/sobjects/Task', {
          json: known({
            Subject: payload.subject,
            ActivityDate: payload.date.slice(0, 10),
            Description: payload.note,
            OwnerId: settings.ownerId,
            Who: {
              attributes: { type: settings.object },
              [settings.externalIdField]: payload.externalId,
            },
          }),
        }),
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação ao Salesforce: marca HasOptedOutOfEmail de quem está lá.',
        en: 'Takes a withdrawal to Salesforce: sets HasOptedOutOfEmail of whoever is there.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['userId', 'email'],
      idempotency: 'natural',
      payload: Type.Object({ externalId }),
      async perform({ http, payload, settings }) {
        const person = await personOf(http, settings, payload.externalId)
        return person === undefined
          ? { status: 'delivered', answer: 'not there' }
          : http.request('PATCH', `/sobjects/${settings.object}/${person}`, { json: { HasOptedOutOfEmail: true } })
      },
    },
  },

  async check({ http, settings }) {
    const { json } = await http.lookup(`/sobjects/${settings.object}/describe`)
    const { fields = [] } = (json ?? {}) as { fields?: { name?: string; externalId?: boolean }[] }
    const key = fields.find(({ name }) => name === settings.externalIdField)
    if (!key?.externalId)
      return { ok: false, detail: `${settings.object}.${settings.externalIdField} is not there, or no external id.` }
    const there = new Set(fields.map(({ name }) => name))
    const missing = Object.keys(settings.fields).filter((name) => !there.has(name))
    return {
      ok: true,
      detail: 'Salesforce knows the token and the external id.',
      ...(missing.length > 0 && {
        warnings: missing.map((name) => `Field ${name} does not exist; records with it are refused.`),
      }),
    }
  },

  deleteSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      const value = identifiers.userId ?? identifiers.email
      if (!value) return NOBODY
      const person = await personOf(http, settings, value)
      return person === undefined
        ? { status: 'delivered', answer: 'not there' }
        : http.request('DELETE', `/sobjects/${settings.object}/${person}`)
    },
  },
  exportSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      const value = identifiers.userId ?? identifiers.email
      if (!value) return NOBODY
      const person = await personOf(http, settings, value)
      return person === undefined
        ? { status: 'delivered', answer: 'not there' }
        : http.lookup(`/sobjects/${settings.object}/${person}`)
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo. Campos que ficaram vazios se limpam no registro do Salesforce.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value. Fields that became empty are cleared on the record in Salesforce.',
    },
  },
  feedback: {
    none: {
      pt: 'O Salesforce não envia mensagens pelo hub; um descadastro feito lá pode chegar por uma fonte de webhooks.',
      en: 'Salesforce sends no messages for the hub; an opt-out made there may arrive through a webhook source.',
    },
  },
})

const NOBODY: Outcome = { status: 'rejected', reason: 'no user id and no e-mail to look for' }

/** https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm */
const quoted = (value: string): string =>
  `'${value
    .replace(/[\\'"]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')}'`

async function idOf(http: Http, soql: string): Promise<string | undefined> {
  const { json } = await http.lookup(`/query?${new URLSearchParams({ q: `${soql} LIMIT 1` })}`)
  const id = (json as { records?: { Id?: unknown }[] } | undefined)?.records?.[0]?.Id
  return typeof id === 'string' && /^[A-Za-z0-9]{15,18}$/.test(id) ? id : undefined
}

const personOf = (http: Http, { object, externalIdField }: Target, value: string): Promise<string | undefined> =>
  idOf(http, `SELECT Id FROM ${object} WHERE ${externalIdField} = ${quoted(value)}`)

interface SaveResult {
  readonly success?: boolean
  readonly errors?: readonly { readonly statusCode?: unknown }[]
}

/** Collections answer 200 with a result per record, in order. */
function each(items: readonly ItemContext<unknown>[], { json }: HttpResponse): readonly Outcome[] {
  const results = Array.isArray(json) ? (json as SaveResult[]) : []
  return items.map((_, index): Outcome => {
    const result = results[index]
    // Without a result nobody knows: repeating an upsert does no harm.
    if (result === undefined)
      return results.length === 0
        ? { status: 'delivered', answer: 'taken' }
        : { status: 'retry', reason: 'Salesforce gave no result of this record' }
    if (result.success) return { status: 'delivered', answer: 'saved' }
    const code = wordOf(result.errors?.[0]?.statusCode)
    if (code === 'DUPLICATE_VALUE') return { status: 'delivered', answer: 'was there' }
    return { status: RETRIED.has(code) ? 'retry' : 'rejected', reason: `Salesforce ${code}` }
  })
}

const RETRIED = new Set(['UNABLE_TO_LOCK_ROW', 'SERVER_UNAVAILABLE', 'REQUEST_RUNNING_TOO_LONG'])

/** Codes are words of Salesforce's own; anything else might quote the record. */
const wordOf = (code: unknown): string =>
  typeof code === 'string' && /^[A-Z][A-Z_]{3,60}$/.test(code) && !code.includes('@') ? code : 'error'

const KNOWN = new Set([
  ...['REQUEST_LIMIT_EXCEEDED', 'INVALID_SESSION_ID', 'UNABLE_TO_LOCK_ROW', 'NOT_FOUND', 'INVALID_FIELD'],
  ...['REQUIRED_FIELD_MISSING', 'MALFORMED_QUERY', 'MALFORMED_ID', 'DUPLICATES_DETECTED', 'JSON_PARSER_ERROR'],
])

/** https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm: a list of {errorCode, message}. */
function verdict({ status, json }: HttpResponse): Outcome | undefined {
  if (status < 400 || !Array.isArray(json)) return undefined
  const code = String((json as { errorCode?: unknown }[])[0]?.errorCode)
  if (!KNOWN.has(code)) return undefined
  const reason = `HTTP ${status} ${code}`
  // The limit is one of 24 hours that slide: look again every hour.
  if (code === 'REQUEST_LIMIT_EXCEEDED') return { status: 'retry', reason, retryAfterMs: 3_600_000 }
  if (code === 'UNABLE_TO_LOCK_ROW') return { status: 'retry', reason }
  if (code === 'INVALID_SESSION_ID') return { status: 'authentication', reason }
  return status < 500 && ![401, 403, 408, 425, 429].includes(status) ? { status: 'rejected', reason } : undefined
}
