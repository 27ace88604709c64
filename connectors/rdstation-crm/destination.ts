/**
 * RD Station CRM, API v1. It has no upsert: the contact is looked up by e-mail first. Nothing is deleted and no owner
 * is changed; legal bases say what the ledger says.
 */
import { type Static, Type } from 'typebox'
import {
  defineDestination,
  emailField,
  type Http,
  known,
  type Outcome,
  type OutgoingSignals,
  personal,
} from '../../core/kit/index.ts'

const ID = '^[0-9a-f]{24}$'
const id = (description: string) => Type.Optional(Type.String({ pattern: ID, description }))

const Settings = Type.Object(
  {
    token: Type.String({ secret: true, minLength: 8, description: 'Profile > Integrations > Token of the CRM.' }),
    stageId: id('Stage in which new deals begin; the first of the default funnel when absent.'),
    ownerId: id('User who gets new deals and tasks; distributed by the CRM when absent.'),
    sourceId: id('Source of new deals.'),
    campaignId: id('Campaign of new deals.'),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const contactFields = {
  name: personal('traits.name', 'traits.firstName'),
  phone: personal('identifiers.phone', 'traits.phone'),
  title: personal('traits.title', 'traits.jobTitle'),
  birthday: personal('traits.birthday'),
}
const Contact = Type.Object({ email: emailField, ...contactFields })
const NOBODY: Outcome = { status: 'rejected', reason: 'no e-mail to look for' }

export default defineDestination({
  id: 'rdstation-crm',
  name: 'RD Station CRM',
  docs: 'https://developers.rdstation.com/reference/crm-v1-introducao',
  support: 'community',
  apiVersion: { version: 'v1', docs: 'https://developers.rdstation.com/reference/crm-v1-introducao' },
  baseUrl: 'https://crm.rdstation.com/api/v1',
  settings: Settings,
  // https://developers.rdstation.com/reference/crm-v1-limite-de-requisicoes: 120 a minute.
  limits: { perSecond: 2, concurrency: 2, windows: [{ seconds: 60, max: 120 }] },

  actions: {
    upsertContact: {
      title: { pt: 'Criar ou atualizar contato', en: 'Create or update contact' },
      description: {
        pt: 'Mantém o contato do CRM em dia com o perfil, com as bases legais do registro.',
        en: 'Keeps the contact of the CRM in step with the profile, with the legal bases of the ledger.',
      },
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      // A repeat finds the contact that the first attempt made.
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Contact,
      async perform({ http, payload, settings, signals }) {
        const found = await contactId(http, settings, payload.email)
        const contact = { ...contactOf(payload, signals) }
        return found === undefined
          ? http.request('POST', `/contacts?${tokenOf(settings)}`, { json: { contact } })
          : // The list of e-mails would be replaced, and with it the addresses the team wrote.
            http.request('PUT', `/contacts/${found}?${tokenOf(settings)}`, {
              json: { contact: known({ ...contact, emails: undefined, phones: undefined }) },
            })
      },
    },

    updateLegalBases: {
      title: { pt: 'Atualizar bases legais', en: 'Update legal bases' },
      description: {
        pt: 'Leva ao contato do CRM o que o registro de consentimento diz hoje, inclusive uma recusa.',
        en: 'Tells the contact of the CRM what the consent ledger says today, a refusal included.',
      },
      withdraws: ['*'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email: emailField }),
      async perform({ http, payload, settings, signals }) {
        if (signals.rd.length === 0)
          return { status: 'rejected', reason: 'no legal basis that RD Station has a word for' }
        const found = await contactId(http, settings, payload.email)
        return found === undefined
          ? { status: 'delivered', answer: 'not a contact' }
          : http.request('PUT', `/contacts/${found}?${tokenOf(settings)}`, {
              json: { contact: { legal_bases: signals.rd } },
            })
      },
    },

    createDeal: {
      title: { pt: 'Criar negociação', en: 'Create deal' },
      description: {
        pt: 'Abre uma negociação com o contato, no funil e com o responsável das configurações.',
        en: 'Opens a deal with the contact, in the stage and with the owner of the settings.',
      },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'none',
      payload: Type.Object({
        email: emailField,
        ...contactFields,
        deal: Type.String({ minLength: 1, from: 'name', description: 'Name of the deal; set by the rule.' }),
        rating: Type.Optional(Type.Integer({ minimum: 1, maximum: 5 })),
        stageId: id('Stage, instead of that of the settings.'),
        note: Type.Optional(Type.String({ minLength: 1 })),
      }),
      perform: ({ http, payload, settings, signals }) => {
        const stage = payload.stageId ?? settings.stageId
        return http.request('POST', `/deals?${tokenOf(settings)}`, {
          json: {
            deal: known({
              name: payload.deal,
              rating: payload.rating,
              deal_stage_id: stage,
              user_id: settings.ownerId,
              notes: payload.note,
            }),
            contacts: [contactOf(payload, signals)],
            ...(settings.sourceId !== undefined && { deal_source: { _id: settings.sourceId } }),
            ...(settings.campaignId !== undefined && { campaign: { _id: settings.campaignId } }),
          },
        })
      },
    },

    updateDeal: {
      title: { pt: 'Atualizar negociação', en: 'Update deal' },
      description: {
        pt: 'Muda a etapa de uma negociação, ou a marca como ganha ou perdida.',
        en: 'Moves a deal to another stage, or marks it won or lost.',
      },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['email', 'userId', 'phone'],
      idempotency: 'natural',
      payload: Type.Object({
        dealId: Type.String({ pattern: ID, from: ['properties.deal_id', 'traits.rdstation_crm_deal_id'] }),
        win: Type.Optional(Type.Boolean({ description: 'true: won, false: lost.' })),
        lostReasonId: id('Why it was lost.'),
        stageId: id('Stage to move it to.'),
      }),
      perform: ({ http, payload, settings }) =>
        http.request('PUT', `/deals/${payload.dealId}?${tokenOf(settings)}`, {
          json: known({
            win: payload.win,
            deal_lost_reason_id: payload.lostReasonId,
            deal_stage_id: payload.stageId,
          }),
        }),
    },

    createTask: {
      title: { pt: 'Criar tarefa', en: 'Create task' },
      description: {
        pt: 'Cria uma tarefa para a equipe numa negociação.',
        en: 'Creates a task for the team on a deal.',
      },
      purpose: 'customer_care',
      channel: 'task',
      // Read by the team, not by the person.
      kind: 'event',
      identifier: ['email', 'userId', 'phone'],
      renders: 'hub',
      idempotency: 'none',
      payload: Type.Object({
        dealId: Type.String({ pattern: ID, from: ['properties.deal_id', 'traits.rdstation_crm_deal_id'] }),
        subject: Type.String({ minLength: 1, maxLength: 255, from: 'name', description: 'Set by the rule.' }),
        kind: Type.Union(
          (['call', 'email', 'meeting', 'task', 'lunch', 'visit', 'whatsapp'] as const).map((kind) =>
            Type.Literal(kind),
          ),
          { default: 'task' },
        ),
        date: Type.String({
          from: 'occurredAt',
          description: 'Day and hour it is due; when it was decided when absent.',
        }),
        note: Type.Optional(Type.String({ minLength: 1 })),
      }),
      perform: ({ http, payload, settings }) =>
        http.request('POST', `/tasks?${tokenOf(settings)}`, {
          json: {
            task: known({
              deal_id: payload.dealId,
              subject: payload.subject,
              type: payload.kind,
              date: payload.date.slice(0, 10),
              hour: payload.date.slice(11, 16) || undefined,
              notes: payload.note,
              user_ids: settings.ownerId === undefined ? undefined : [settings.ownerId],
            }),
          },
        }),
    },
  },

  // https://developers.rdstation.com/reference/crm-v1-check-token
  async check({ http, settings }) {
    await http.lookup(`/token/check?${tokenOf(settings)}`)
    return {
      ok: true,
      detail: 'The CRM knows the token.',
      ...(settings.stageId === undefined && {
        warnings: ['No stageId: deals begin in the first stage of the default funnel.'],
      }),
    }
  },

  deleteSubject: {
    manual: {
      pt: 'A API v1 não exclui contatos. No CRM, busque o e-mail em Contatos, abra o contato e escolha Excluir; depois exclua as negociações dele, se o pedido as alcançar.',
      en: 'API v1 does not delete contacts. In the CRM, search for the e-mail under Contacts, open the contact and choose Delete; then delete its deals, if the request covers them.',
    },
  },
  exportSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      return identifiers.email ? search(http, settings, identifiers.email) : NOBODY
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva nome e cargo. E-mails e telefones da lista do contato são corrigidos à mão no CRM, para não apagar os da equipe.',
      en: 'Correct the profile in the system of origin: the next identify carries name and title. E-mails and phones on the contact are corrected by hand in the CRM, so that those of the team are not erased.',
    },
  },
  feedback: {
    none: {
      pt: 'O CRM não envia mensagens; mudanças de negociação chegam pela fonte rdstation-crm.',
      en: 'The CRM sends no messages; changes of deals arrive through the source rdstation-crm.',
    },
  },
})

/** API v1 reads the token from the query alone. */
const tokenOf = ({ token }: Settings): string => new URLSearchParams({ token }).toString()

function contactOf(
  payload: {
    readonly email: string
    readonly name?: string
    readonly phone?: string
    readonly title?: string
    readonly birthday?: string
  },
  { rd }: OutgoingSignals,
) {
  return known({
    // The CRM requires a name.
    name: payload.name ?? payload.email,
    emails: [{ email: payload.email }],
    phones: payload.phone === undefined ? undefined : [{ phone: payload.phone, type: 'cellphone' }],
    title: payload.title,
    birthday: birthdayOf(payload.birthday),
    legal_bases: rd.length > 0 ? rd : undefined,
  })
}

function birthdayOf(value: string | undefined) {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(value ?? '') ?? []
  return year === undefined ? undefined : { day: Number(day), month: Number(month), year: Number(year) }
}

const search = (http: Http, settings: Settings, email: string) =>
  http.lookup(`/contacts?${new URLSearchParams({ token: settings.token, email })}`)

async function contactId(http: Http, settings: Settings, email: string): Promise<string | undefined> {
  const { json } = await search(http, settings, email)
  const contacts = (
    json as { contacts?: { id?: unknown; _id?: unknown; emails?: { email?: unknown }[] }[] } | undefined
  )?.contacts
  // The search also finds parts of an address.
  const found = contacts?.find(({ emails }) => emails?.some((one) => String(one.email).toLowerCase() === email))
  const value = found?.id ?? found?._id
  return typeof value === 'string' && new RegExp(ID).test(value) ? value : undefined
}
