/**
 * Pipedrive v2: persons, deals, activities, marketing status. It has no upsert: the person is looked up by e-mail
 * first, and e-mails and phones are only written for somebody new.
 */
import { Type } from 'typebox'
import {
  defineDestination,
  emailField,
  type Http,
  type HttpResponse,
  known,
  mappedTraits,
  type Outcome,
  personal,
  traitsField,
} from '../../core/kit/index.ts'

const id = (description: string) => Type.Optional(Type.Integer({ minimum: 1, description }))
const name = personal('traits.name', 'traits.firstName')

export default defineDestination({
  id: 'pipedrive',
  name: 'Pipedrive',
  docs: 'https://developers.pipedrive.com/docs/api/v1',
  support: 'community',
  apiVersion: { version: 'v2', docs: 'https://developers.pipedrive.com/changelog' },
  baseUrl: ({ company }) => `https://${company}.pipedrive.com/api/v2`,
  settings: Type.Object(
    {
      company: Type.String({ pattern: '^[a-z0-9-]+$', description: 'The first part of the address of the account.' }),
      apiToken: Type.String({ secret: true, minLength: 8, description: 'Personal preferences > API.' }),
      ownerId: id('User who gets new persons, deals and activities.'),
      stageId: id('Stage in which new deals begin.'),
      customFields: Type.Record(Type.String({ pattern: '^[0-9a-f]{40}$' }), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Key of a custom field to the trait it is filled from.',
      }),
    },
    { additionalProperties: false },
  ),
  authenticate: ({ apiToken }) => ({ 'x-api-token': apiToken }),
  verdict,
  // https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: a budget of tokens a day, and a burst per 2 s.
  limits: { perSecond: 8, concurrency: 4 },

  actions: {
    upsertPerson: {
      title: { pt: 'Criar ou atualizar pessoa', en: 'Create or update person' },
      description: {
        pt: 'Mantém a pessoa em dia com o perfil. E-mails e telefones da equipe ficam.',
        en: 'Keeps the person in step with the profile. E-mails and phones of the team stay.',
      },
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      // A repeat finds the person that the first attempt made.
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email: emailField,
        name,
        phone: personal('identifiers.phone', 'traits.phone'),
        traits: traitsField,
      }),
      async perform({ http, payload, settings }) {
        const found = await personId(http, payload.email)
        const own = mappedTraits(settings.customFields, payload.traits)
        const custom_fields = Object.keys(own).length > 0 ? own : undefined
        if (found !== undefined)
          return payload.name === undefined && custom_fields === undefined
            ? { status: 'delivered', answer: 'nothing to change' }
            : http.request('PATCH', `/persons/${found}`, { json: known({ name: payload.name, custom_fields }) })
        return http.request('POST', '/persons', {
          json: known({
            name: payload.name ?? payload.email,
            owner_id: settings.ownerId,
            emails: [{ value: payload.email, primary: true, label: 'work' }],
            phones:
              payload.phone === undefined ? undefined : [{ value: payload.phone, primary: true, label: 'mobile' }],
            custom_fields,
          }),
        })
      },
    },

    createDeal: {
      title: { pt: 'Criar negócio', en: 'Create deal' },
      description: { pt: 'Abre um negócio com a pessoa.', en: 'Opens a deal with the person.' },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Type.Object({
        email: emailField,
        title: Type.String({ minLength: 1, from: 'name', description: 'Set by the rule.' }),
        value: Type.Optional(Type.Number({ from: ['properties.total', 'properties.value'] })),
        currency: Type.String({ pattern: '^[A-Z]{3}$', from: 'properties.currency', default: 'BRL' }),
        stageId: id('Stage, instead of that of the settings.'),
      }),
      async perform({ http, payload, settings }) {
        const person = await personId(http, payload.email)
        return person === undefined
          ? NOT_YET
          : http.request('POST', '/deals', {
              json: known({
                title: payload.title,
                person_id: person,
                value: payload.value,
                currency: payload.value === undefined ? undefined : payload.currency,
                stage_id: payload.stageId ?? settings.stageId,
                owner_id: settings.ownerId,
              }),
            })
      },
    },

    updateDeal: {
      title: { pt: 'Atualizar negócio', en: 'Update deal' },
      description: {
        pt: 'Muda a etapa de um negócio, ou o marca como ganho ou perdido.',
        en: 'Moves a deal to another stage, or marks it won or lost.',
      },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email', 'userId', 'phone'],
      idempotency: 'natural',
      payload: Type.Object({
        dealId: Type.Integer({ minimum: 1, from: ['properties.deal_id', 'traits.pipedrive_deal_id'] }),
        status: Type.Optional(Type.Union([Type.Literal('open'), Type.Literal('won'), Type.Literal('lost')])),
        lostReason: Type.Optional(Type.String({ minLength: 1 })),
        stageId: id('Stage to move it to.'),
      }),
      perform: ({ http, payload }) =>
        http.request('PATCH', `/deals/${payload.dealId}`, {
          json: known({ status: payload.status, lost_reason: payload.lostReason, stage_id: payload.stageId }),
        }),
    },

    createActivity: {
      title: { pt: 'Criar atividade', en: 'Create activity' },
      description: {
        pt: 'Cria uma atividade para a equipe com a pessoa.',
        en: 'Creates an activity for the team with the person.',
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
        type: Type.String({ pattern: '^[a-z_]+$', default: 'call' }),
        date: Type.String({ from: 'occurredAt' }),
        note: Type.Optional(Type.String({ minLength: 1 })),
      }),
      async perform({ http, payload, settings }) {
        const person = await personId(http, payload.email)
        return person === undefined
          ? NOT_YET
          : http.request('POST', '/activities', {
              json: known({
                subject: payload.subject,
                type: payload.type,
                due_date: payload.date.slice(0, 10),
                note: payload.note,
                owner_id: settings.ownerId,
                participants: [{ person_id: person, primary: true }],
              }),
            })
      },
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação ao Pipedrive: a pessoa não recebe mais campanhas.',
        en: 'Takes a withdrawal to Pipedrive: the person gets no more campaigns.',
      },
      withdraws: ['email_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      async perform({ http, payload }) {
        const person = await personId(http, payload.email)
        return person === undefined
          ? { status: 'delivered', answer: 'not a person' }
          : http.request('PATCH', `/persons/${person}`, { json: { marketing_status: 'unsubscribed' } })
      },
    },
  },

  async check({ http }) {
    await http.lookup('/pipelines?limit=1')
    return { ok: true, detail: 'Pipedrive knows the token.' }
  },

  deleteSubject: {
    async implemented({ http, subject: { identifiers } }) {
      if (!identifiers.email) return NOBODY
      const person = await personId(http, identifiers.email)
      return person === undefined
        ? { status: 'delivered', answer: 'not a person' }
        : http.request('DELETE', `/persons/${person}`)
    },
  },
  exportSubject: {
    async implemented({ http, subject: { identifiers } }) {
      if (!identifiers.email) return NOBODY
      const person = await personId(http, identifiers.email)
      return person === undefined ? { status: 'delivered', answer: 'not a person' } : http.lookup(`/persons/${person}`)
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o nome e os campos. E-mails e telefones se corrigem na pessoa, no Pipedrive, para não apagar os da equipe.',
      en: 'Correct the profile in the system of origin: the next identify carries name and fields. E-mails and phones are corrected on the person in Pipedrive, so that those of the team are not erased.',
    },
  },
  feedback: {
    none: {
      pt: 'O Pipedrive não envia mensagens pelo hub; mudanças de negócio podem chegar por uma fonte de webhooks.',
      en: 'Pipedrive sends no messages for the hub; changes of deals may arrive through a webhook source.',
    },
  },
})

const NOBODY: Outcome = { status: 'rejected', reason: 'no e-mail to look for' }
/** upsertPerson may still be on its way, in a lane of its own. */
const NOT_YET: Outcome = { status: 'retry', reason: 'not a person yet', retryAfterMs: 60_000 }

async function personId(http: Http, email: string): Promise<number | undefined> {
  const query = new URLSearchParams({ term: email, fields: 'email', exact_match: 'true', limit: '1' })
  const { json } = await http.lookup(`/persons/search?${query}`)
  const found = (json as { data?: { items?: { item?: { id?: unknown } }[] } } | undefined)?.data?.items?.[0]?.item?.id
  return typeof found === 'number' ? found : undefined
}

/** https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: seconds until the burst window ends. */
function verdict({ status, headers }: HttpResponse): Outcome | undefined {
  const seconds = Number(headers['x-ratelimit-reset'])
  return status === 429 && headers['retry-after'] === undefined && seconds > 0
    ? { status: 'retry', reason: 'HTTP 429 rate limit of Pipedrive', retryAfterMs: seconds * 1000 }
    : undefined
}
