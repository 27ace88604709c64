/**
 * RD Station CRM, by API v1 (token) or v2 (a connected account). It has no upsert: the contact is looked up by e-mail
 * first. Nothing is deleted and no owner is changed; legal bases say what the ledger says.
 */
import { Type } from 'typebox'
import {
  defineDestination,
  emailField,
  known,
  type Outcome,
  type OutgoingSignals,
  oauthClient,
  personal,
} from '../../core/kit/index.ts'
import { type Contact as CrmContact, ID, id, type Settings, Settings as SettingsSchema } from './api.ts'
import { connected } from './connected-api.ts'
import { byToken } from './token-api.ts'

const apiOf = (settings: Settings) => (settings.token === undefined ? connected : byToken)

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
  baseUrl: ({ token }) => (token === undefined ? 'https://api.rd.services/crm/v2' : 'https://crm.rdstation.com/api/v1'),
  settings: SettingsSchema,
  authenticate: ({ accessToken }): Record<string, string> =>
    accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
  // An access token lasts two hours; each refresh gives a new refresh token and ends the one before.
  oauth: {
    docs: 'https://developers.rdstation.com/reference/crm-v2-autenticacao',
    client: (settings) => oauthClient(settings, ['token']),
    authorizeUrl: 'https://accounts.rdstation.com/oauth/authorize',
    tokenUrl: 'https://api.rd.services/oauth2/token',
    tokenBody: 'form',
    scopes: [],
    pkce: false,
    lifetimes: { access: 7200, rotates: true },
  },
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
        const api = apiOf(settings)
        const found = await api.findContact(http, settings, payload.email)
        const contact = contactOf(payload, signals)
        return found === undefined
          ? api.createContact(http, settings, contact)
          : // The list of e-mails would be replaced, and with it the addresses the team wrote.
            api.updateContact(http, settings, found, known({ ...contact, emails: undefined, phones: undefined }))
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
        const api = apiOf(settings)
        const found = await api.findContact(http, settings, payload.email)
        return found === undefined
          ? { status: 'delivered', answer: 'not a contact' }
          : api.updateContact(http, settings, found, { legal_bases: signals.rd })
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
      perform: ({ http, payload, settings, signals }) =>
        apiOf(settings).createDeal(http, settings, {
          name: payload.deal,
          rating: payload.rating,
          stageId: payload.stageId ?? settings.stageId,
          note: payload.note,
          contact: contactOf(payload, signals),
          email: payload.email,
        }),
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
      perform: ({ http, payload: { dealId, ...change }, settings }) =>
        apiOf(settings).updateDeal(http, settings, dealId, change),
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
      perform: ({ http, payload, settings }) => apiOf(settings).createTask(http, settings, payload),
    },
  },

  async check({ http, settings }) {
    await apiOf(settings).check(http, settings)
    return {
      ok: true,
      detail: settings.token === undefined ? 'The CRM knows the connected account.' : 'The CRM knows the token.',
      ...(settings.stageId === undefined && {
        warnings: ['No stageId: deals begin in the first stage of the default funnel.'],
      }),
    }
  },

  deleteSubject: {
    manual: {
      pt: 'O hub não exclui contatos do CRM. Nele, busque o e-mail em Contatos, abra o contato e escolha Excluir; depois exclua as negociações dele, se o pedido as alcançar.',
      en: 'The hub deletes no contacts of the CRM. There, search for the e-mail under Contacts, open the contact and choose Delete; then delete its deals, if the request covers them.',
    },
  },
  exportSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      return identifiers.email ? apiOf(settings).search(http, settings, identifiers.email) : NOBODY
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

function contactOf(
  payload: {
    readonly email: string
    readonly name?: string
    readonly phone?: string
    readonly title?: string
    readonly birthday?: string
  },
  { rd }: OutgoingSignals,
): CrmContact {
  return known({
    // The CRM requires a name.
    name: payload.name ?? payload.email,
    emails: [{ email: payload.email }],
    phones: payload.phone === undefined ? undefined : [{ phone: payload.phone, type: 'cellphone' }],
    title: payload.title,
    birthday: payload.birthday,
    legal_bases: rd.length > 0 ? rd : undefined,
  })
}
