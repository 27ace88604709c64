/**
 * WhatsApp Business Platform, Cloud API: approved templates to people who agreed, text inside an open
 * conversation. An answer 200 means that Meta took the message, not that it arrived.
 */
import { type Static, Type } from 'typebox'
import {
  defineDestination,
  type Http,
  type HttpResponse,
  messageFields,
  type Outcome,
  personal,
  phoneField,
  propertiesField,
} from '../../core/kit/index.ts'
import { answerChallenge, readNotice, verifyNotice } from './feedback.ts'

const API_VERSION = 'v25.0'

const path = (description: string) =>
  Type.String({ pattern: '^(name|event|rule|cart|properties|links)(\\.[A-Za-z0-9_]+)*$', description })

const Template = Type.Object(
  {
    language: Type.String({ pattern: '^[a-z]{2,3}(_[A-Z]{2})?$', default: 'pt_BR' }),
    header: Type.Optional(path('Fills the one text parameter of the header.')),
    body: Type.Array(path('Fills {{1}}, {{2}}, … of the body, in order.'), { default: [] }),
    buttons: Type.Record(Type.String({ pattern: '^\\d$' }), path('Fills the end of this URL button.'), {
      additionalProperties: false,
      default: {},
      description: 'Position of a URL button to what its variable end is filled with; of a signed link, its last part.',
    }),
  },
  { additionalProperties: false },
)

const Settings = Type.Object(
  {
    phoneNumberId: Type.String({ pattern: '^\\d+$', description: 'Id of the sending number, not the number itself.' }),
    accessToken: Type.String({
      secret: true,
      minLength: 8,
      description: 'System user token with whatsapp_business_messaging.',
    }),
    businessAccountId: Type.Optional(
      Type.String({
        pattern: '^\\d+$',
        description: 'WhatsApp Business Account; lets the test look at the templates.',
      }),
    ),
    appSecret: Type.Optional(
      Type.String({ secret: true, minLength: 16, description: 'App secret; signs what Meta tells the hub.' }),
    ),
    verifyToken: Type.Optional(
      Type.String({
        secret: true,
        minLength: 16,
        description: 'Any word; Meta says it when it asks whether the webhook address is yours.',
      }),
    ),
    apiVersion: Type.String({ pattern: '^v\\d+\\.\\d+$', default: API_VERSION }),
    templates: Type.Record(Type.String({ pattern: '^[a-z0-9_]{1,512}$' }), Template, {
      additionalProperties: false,
      default: {},
      description: 'Approved templates by name, and what fills their parameters.',
    }),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const Message = {
  phone: phoneField,
  name: personal('traits.firstName', 'traits.first_name', 'traits.name'),
  event: Type.String({ from: 'name' }),
  rule: Type.Optional(Type.String({ from: 'rule.id' })),
  cart: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { from: 'cart' })),
  properties: propertiesField,
  ...messageFields,
}
const TemplateMessage = Type.Object({
  ...Message,
  template: Type.String({ minLength: 1, description: 'Name of a template of the settings, set by the rule.' }),
})

export default defineDestination({
  id: 'whatsapp',
  name: 'WhatsApp Cloud API',
  docs: 'https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-messages',
  support: 'community',
  apiVersion: {
    version: API_VERSION,
    docs: 'https://developers.facebook.com/docs/graph-api/changelog/versions',
    setting: 'apiVersion',
  },
  baseUrl: ({ apiVersion }) => `https://graph.facebook.com/${apiVersion}`,
  settings: Settings,
  authenticate: ({ accessToken }) => ({ authorization: `Bearer ${accessToken}` }),
  verdict,
  limits: {
    // https://developers.facebook.com/docs/whatsapp/cloud-api/overview#throughput: 80 messages a second per number.
    perSecond: 80,
    concurrency: 8,
    // Pair limit: one message in six seconds to the same person.
    perContact: [{ seconds: 60, max: 10, actions: ['sendTemplate', 'sendServiceTemplate', 'sendText'] }],
  },

  actions: {
    sendTemplate: {
      title: { pt: 'Enviar modelo de marketing', en: 'Send marketing template' },
      description: {
        pt: 'Envia um modelo aprovado a quem aceitou ofertas pelo WhatsApp.',
        en: 'Sends an approved template to somebody who agreed to offers by WhatsApp.',
      },
      purpose: 'whatsapp_marketing',
      channel: 'whatsapp',
      kind: 'message',
      identifier: ['phone'],
      renders: 'vendor',
      // There is no key: what was sent twice arrives twice.
      idempotency: 'none',
      payload: TemplateMessage,
      perform: sendTemplate,
    },
    sendServiceTemplate: {
      title: { pt: 'Enviar modelo de serviço', en: 'Send service template' },
      description: {
        pt: 'Envia um modelo de utilidade sobre um pedido, sob a finalidade de pedidos.',
        en: 'Sends a utility template about an order, under the purpose of orders.',
      },
      purpose: 'orders',
      channel: 'whatsapp',
      kind: 'message',
      identifier: ['phone'],
      renders: 'vendor',
      idempotency: 'none',
      payload: TemplateMessage,
      perform: sendTemplate,
    },
    sendText: {
      title: { pt: 'Responder com texto', en: 'Answer with text' },
      description: {
        pt: 'Texto livre, que a Meta só aceita até 24 horas depois da última mensagem da pessoa.',
        en: 'Free text, which Meta takes only within 24 hours of the last message of the person.',
      },
      purpose: 'customer_care',
      channel: 'whatsapp',
      kind: 'message',
      identifier: ['phone'],
      renders: 'hub',
      idempotency: 'none',
      payload: Type.Object({ ...Message, text: Type.String({ minLength: 1, maxLength: 3500 }) }),
      perform: ({ http, payload, settings }) =>
        http.request('POST', `/${settings.phoneNumberId}/messages`, {
          json: {
            ...addressed(payload),
            type: 'text',
            text: { preview_url: false, body: `${payload.text}\n\nParar: ${payload.stop}\nPor quê: ${payload.why}` },
          },
        }),
    },
  },

  async check({ http, settings }) {
    const number = await http.lookup(`/${settings.phoneNumberId}?fields=quality_rating,code_verification_status`)
    if (number.status === 404) return { ok: false, detail: 'Meta answers, but there is no such sending number.' }
    const { quality_rating: quality } = (number.json ?? {}) as { quality_rating?: unknown }
    const warnings = [
      ...(quality === 'RED' ? ['The quality rating of the number is RED: Meta will lower its limits.'] : []),
      ...(settings.businessAccountId === undefined ? [] : await templateWarnings(http.lookup, settings)),
    ]
    return {
      ok: true,
      detail: 'Meta answers and the token reaches the sending number.',
      ...(warnings.length > 0 && { warnings }),
    }
  },

  deleteSubject: {
    impossible: {
      pt: 'A Cloud API não guarda contatos e não oferece exclusão: a Meta retém mensagens por até 30 dias para entrega e as apaga sozinha.',
      en: 'The Cloud API keeps no contacts and has no deletion: Meta holds messages for up to 30 days for delivery and deletes them by itself.',
    },
  },
  exportSubject: {
    impossible: {
      pt: 'A Cloud API não devolve o histórico de uma pessoa. O que o hub enviou está em entregas.',
      en: 'The Cloud API does not give back the history of a person. What the hub sent is under deliveries.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Não há cadastro na Cloud API: corrija o telefone no sistema de origem e a próxima mensagem vai ao número novo.',
      en: 'The Cloud API keeps no record: correct the phone in the system of origin and the next message goes to the new number.',
    },
  },
  feedback: {
    webhook: {
      pt: 'No app da Meta, em WhatsApp > Configuração > Webhook, aponte o campo messages para /in/<id do destino> e copie o App Secret para appSecret; o token de verificação é o verifyToken das configurações.',
      en: 'In the Meta app, under WhatsApp > Configuration > Webhook, point the field messages to /in/<destination id> and copy the app secret to appSecret; the verify token is verifyToken of the settings.',
    },
    receive: { verify: verifyNotice, challenge: answerChallenge, read: readNotice },
  },
})

async function sendTemplate({
  http,
  payload,
  settings,
}: {
  readonly http: Http
  readonly payload: Static<typeof TemplateMessage>
  readonly settings: Settings
}): Promise<HttpResponse | Outcome> {
  const message = templateOf(payload, settings)
  return 'reason' in message
    ? (message as Outcome)
    : http.request('POST', `/${settings.phoneNumberId}/messages`, { json: message })
}

const addressed = ({ phone, deliveryId }: { readonly phone: string; readonly deliveryId: string }) => ({
  messaging_product: 'whatsapp',
  recipient_type: 'individual',
  to: phone,
  // Comes back in the status webhooks.
  biz_opaque_callback_data: deliveryId,
})

/** https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages#template-object */
function templateOf(
  payload: Static<typeof TemplateMessage>,
  { templates }: Settings,
): Record<string, unknown> | Extract<Outcome, { reason: string }> {
  const template = Object.hasOwn(templates, payload.template) ? templates[payload.template] : undefined
  if (!template) return { status: 'rejected', reason: 'the settings have no template of this name' }
  const view = { ...payload, links: { stop: payload.stop, why: payload.why } }
  const missing: string[] = []
  const parameter = (from: string, ending = false) => {
    const value = textAt(view, from)
    // Meta refuses an empty parameter (131008) and one with a line break, a tab or many spaces (132018).
    const text = (ending ? value?.split('/').at(-1) : value)?.replace(/\s+/g, ' ').trim()
    if (!text) missing.push(from)
    return { type: 'text', text: text ?? '' }
  }
  const components = [
    ...(template.header === undefined ? [] : [{ type: 'header', parameters: [parameter(template.header)] }]),
    ...(template.body.length === 0 ? [] : [{ type: 'body', parameters: template.body.map((from) => parameter(from)) }]),
    ...Object.entries(template.buttons).map(([index, from]) => ({
      type: 'button',
      sub_type: 'url',
      index,
      parameters: [parameter(from, from.startsWith('links.'))],
    })),
  ]
  if (missing.length > 0)
    return { status: 'rejected', reason: `nothing to fill these parameters of the template: ${missing.join(', ')}` }
  return {
    ...addressed(payload),
    type: 'template',
    template: {
      name: payload.template,
      language: { code: template.language },
      ...(components.length > 0 && { components }),
    },
  }
}

function textAt(view: unknown, from: string): string | undefined {
  let value: unknown = view
  for (const step of from.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return typeof value === 'string' ? value : typeof value === 'number' ? value.toLocaleString('pt-BR') : undefined
}

async function templateWarnings(
  lookup: (path: string) => Promise<HttpResponse>,
  { businessAccountId, templates }: Settings,
): Promise<string[]> {
  const { json } = await lookup(`/${businessAccountId}/message_templates?fields=name,language,status&limit=500`)
  const { data = [] } = (json ?? {}) as { data?: { name?: string; language?: string; status?: string }[] }
  return Object.entries(templates).flatMap(([name, { language }]) => {
    const found = data.find((template) => template.name === name && template.language === language)
    if (!found) return [`Template ${name} (${language}) does not exist in this account.`]
    return found.status === 'APPROVED' ? [] : [`Template ${name} (${language}) is not approved.`]
  })
}

/** https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes */
const TEMPORARY = new Set([1, 2, 4, 80007, 130429, 131000, 131016, 131056, 131057, 133004])
const OPERATOR = new Set([0, 3, 10, 190, 131005, 131031, 131042, 131045, 133010, 368])
const DAY_MS = 86_400_000

function verdict({ status, json }: HttpResponse): Outcome | undefined {
  const code = (json as { error?: { code?: unknown } } | undefined)?.error?.code
  if (typeof code !== 'number') return undefined
  const reason = `WhatsApp code ${code}`
  if (TEMPORARY.has(code)) return { status: 'retry', reason }
  // Meta's own cap on marketing messages to one person: asking again soon only makes it longer.
  if (code === 131049 || code === 131048) return { status: 'retry', reason, retryAfterMs: DAY_MS }
  if (OPERATOR.has(code) || (code >= 200 && code <= 299)) return { status: 'authentication', reason }
  return status >= 400 && status < 500 && ![401, 403, 408, 425, 429].includes(status)
    ? { status: 'rejected', reason }
    : undefined
}
