/**
 * Any HTTP API without code: address, headers and a JSON template from a form, signed so that the
 * receiver can tell the hub from anybody else. An SMS gateway is one of these.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Liquid } from 'liquidjs'
import { type Static, Type } from 'typebox'
import {
  defineDestination,
  type FeedbackItem,
  type Http,
  InputError,
  type ItemContext,
  judge,
  type Outcome,
  type RawRequest,
  RejectedError,
} from '../../core/kit/index.ts'
import type { ExitCode } from '../../schemas/exits.ts'

const Settings = Type.Object(
  {
    url: Type.String({ format: 'uri', pattern: '^https?://', description: 'Where every request goes.' }),
    method: Type.Union([Type.Literal('POST'), Type.Literal('PUT'), Type.Literal('PATCH')], { default: 'POST' }),
    secret: Type.Optional(
      Type.String({ secret: true, minLength: 16, description: 'Signs every request: x-anuente-signature.' }),
    ),
    headers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), Type.String({ secret: true }), {
      additionalProperties: false,
      default: {},
      description: 'Added to every request, such as Authorization. Values are kept as secrets.',
    }),
    body: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Liquid template that makes JSON; every {{ value }} is written as JSON. The whole payload when absent.',
      }),
    ),
    okWhen: Type.Optional(
      Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), {
        minItems: 1,
        description: 'Statuses that mean taken, instead of 200 to 299.',
      }),
    ),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const personal = (...from: string[]) => Type.Optional(Type.String({ pii: true, from }))
const bag = (from: string) => Type.Record(Type.String(), Type.Unknown(), { pii: true, default: {}, from })

const who = {
  person: Type.String({ from: 'person.id', description: "The hub's own id of the person." }),
  userId: personal('identifiers.userId'),
  anonymousId: personal('identifiers.anonymousId'),
  email: personal('identifiers.email'),
  phone: personal('identifiers.phone'),
}

/** What every message carries, whatever its channel. */
const message = {
  id: Type.String({ from: 'delivery.id', description: 'Id of the delivery: the same on every attempt.' }),
  event: Type.String({ from: 'name' }),
  rule: Type.Optional(Type.String({ from: 'rule.id' })),
  person: who.person,
  name: personal('traits.name', 'traits.firstName'),
  text: Type.Optional(Type.String({ description: 'Set by the rule.' })),
  cart: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { from: 'cart', description: 'Money in minor units.' }),
  ),
  properties: bag('properties'),
  links: Type.Object({
    stop: Type.String({
      format: 'uri',
      from: 'links.stop',
      description: 'Signed link that stops these messages: show it to the person.',
    }),
    why: Type.String({ format: 'uri', from: 'links.why', description: 'Signed link that explains this message.' }),
  }),
}

export default defineDestination({
  id: 'webhook',
  name: 'Webhook',
  docs: 'https://anuente.dev/docs/destinations/webhook',
  support: 'community',
  baseUrl: ({ url }) => url,
  settings: Settings,
  limits: { perSecond: 20, concurrency: 8 },

  actions: {
    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: { pt: 'Encaminha o evento a um endereço HTTP.', en: 'Forwards the event to an HTTP address.' },
      purpose: 'analytics',
      kind: 'event',
      identifier: ['userId', 'email', 'phone', 'anonymousId', 'ga_client_id', 'device_id'],
      idempotency: { key: 24 },
      trigger: { type: ['track', 'identify', 'page', 'screen', 'group', 'alias'] },
      payload: Type.Object({
        type: Type.String({ from: 'type' }),
        event: Type.String({ from: 'name' }),
        messageId: Type.String({ from: 'messageId' }),
        occurredAt: Type.String({ from: 'occurredAt' }),
        ...who,
        traits: bag('traits'),
        properties: bag('properties'),
      }),
      perform: send,
    },

    sendMessage: {
      title: { pt: 'Enviar e-mail', en: 'Send e-mail' },
      description: { pt: 'Pede a um serviço HTTP que envie um e-mail.', en: 'Asks an HTTP service to send an e-mail.' },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      idempotency: { key: 24 },
      payload: Type.Object({
        ...message,
        email: Type.String({ format: 'email', pii: true, from: 'identifiers.email' }),
      }),
      perform: send,
    },

    sendSms: {
      title: { pt: 'Enviar SMS', en: 'Send SMS' },
      description: { pt: 'Pede a um gateway HTTP que envie um SMS.', en: 'Asks an HTTP gateway to send an SMS.' },
      purpose: 'sms_marketing',
      channel: 'sms',
      kind: 'message',
      identifier: ['phone'],
      renders: 'vendor',
      idempotency: { key: 24 },
      payload: Type.Object({
        ...message,
        phone: Type.String({ pii: true, from: 'identifiers.phone', description: 'E.164.' }),
      }),
      perform: send,
    },

    sendWhatsapp: {
      title: { pt: 'Enviar WhatsApp', en: 'Send WhatsApp' },
      description: {
        pt: 'Pede a um serviço HTTP que envie uma mensagem de WhatsApp.',
        en: 'Asks an HTTP service to send a WhatsApp message.',
      },
      purpose: 'whatsapp_marketing',
      channel: 'whatsapp',
      kind: 'message',
      identifier: ['phone'],
      renders: 'vendor',
      idempotency: { key: 24 },
      payload: Type.Object({
        ...message,
        phone: Type.String({ pii: true, from: 'identifiers.phone', description: 'E.164.' }),
      }),
      perform: send,
    },
  },

  async check({ settings }) {
    const flaw = settings.body === undefined ? undefined : templateFlaw(settings.body)
    return {
      ok: flaw === undefined,
      detail: flaw ?? 'The settings are complete.',
      warnings: ['A webhook has no call that only reads, so the credentials are proved by the first delivery.'],
    }
  },

  deleteSubject: {
    manual: {
      pt: 'O hub não conhece a API de exclusão deste endereço. Peça a exclusão a quem o opera, com o id da pessoa ou o identificador enviado, e registre a resposta no pedido.',
      en: 'The hub does not know how this address deletes. Ask who operates it, with the person id or the identifier that was sent, and record the answer on the request.',
    },
  },
  exportSubject: {
    manual: {
      pt: 'Peça a cópia dos dados a quem opera este endereço. O que o hub enviou está em entregas.',
      en: 'Ask who operates this address for a copy of the data. What the hub sent is under deliveries.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem; o próximo evento leva o valor novo. O que já foi recebido deve ser corrigido por quem opera este endereço.',
      en: 'Correct the profile in the system of origin; the next event carries the new value. What was received must be corrected by who operates this address.',
    },
  },
  feedback: {
    webhook: {
      pt: 'O serviço informa em /in/<id do destino> o que foi feito da mensagem, com o id da entrega, assinado com o mesmo segredo. Um descadastro ou uma resposta SAIR é uma revogação.',
      en: 'The service tells at /in/<destination id> what became of a message, with the delivery id, signed with the same secret. An unsubscribe or a reply SAIR is a withdrawal.',
    },
    receive: { verify: verifyFeedback, read: readFeedback },
  },
})

// ---------------------------------------------------------------- feedback

/** A signature is taken within five minutes of its time. */
const SIGNATURE_MS = 5 * 60_000

function verifyFeedback({ headers, body, receivedAt }: RawRequest, { secret }: Settings): true | ExitCode {
  const given = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(headers['x-anuente-signature'] ?? '')
  if (secret === undefined || !given) return 'BAD_SIGNATURE'
  const seconds = Number(given[1])
  if (Math.abs(Date.parse(receivedAt) - seconds * 1000) > SIGNATURE_MS) return 'BAD_SIGNATURE'
  const expected = Buffer.from(signature(secret, seconds, body.toString('utf8')), 'hex')
  return timingSafeEqual(expected, Buffer.from(given[2]!, 'hex')) ? true : 'BAD_SIGNATURE'
}

const FEEDBACK_KINDS = ['delivered', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed', 'replied'] as const

/** One object or a list: {kind, deliveryId?, email?, phone?, channel?, at?, text?}. */
function readFeedback({ body }: RawRequest): FeedbackItem[] {
  let told: unknown
  try {
    told = JSON.parse(body.toString('utf8'))
  } catch {
    throw new InputError('MALFORMED_JSON', 'the body is not valid JSON', '')
  }
  return (Array.isArray(told) ? told : [told]).map((item: unknown, index) => {
    const given = (item ?? {}) as Record<string, unknown>
    const kind = FEEDBACK_KINDS.find((one) => one === given['kind'])
    if (!kind) throw new InputError('INVALID', `kind must be one of ${FEEDBACK_KINDS.join(', ')}`, `/${index}/kind`)
    const text = (name: string) => (typeof given[name] === 'string' ? (given[name] as string) : undefined)
    const [deliveryId, channel, at, reply] = [text('deliveryId'), text('channel'), text('at'), text('text')]
    return {
      kind,
      ...(deliveryId !== undefined && { deliveryId }),
      ...(channel !== undefined && { channel }),
      ...(at !== undefined && { at }),
      ...(reply !== undefined && { text: reply }),
      identifiers: (['email', 'phone'] as const).flatMap((type) =>
        given[type] === undefined ? [] : [{ type, value: given[type] }],
      ),
    }
  })
}

// ---------------------------------------------------------------- sending

interface Sending extends ItemContext<Readonly<Record<string, unknown>>> {
  readonly http: Http
  readonly settings: Settings
  readonly now: Date
}

/** The same bytes on every attempt; only the signature's time is new, so that an old request can't be replayed. */
async function send({ http, settings, payload, delivery, now }: Sending): Promise<Outcome> {
  const body = render(settings.body, payload)
  const seconds = Math.floor(now.getTime() / 1000)
  const response = await http.send({
    method: settings.method,
    url: settings.url,
    headers: {
      'content-type': 'application/json',
      'idempotency-key': delivery.key,
      ...Object.fromEntries(Object.entries(settings.headers).map(([name, value]) => [name.toLowerCase(), value])),
      ...(settings.secret !== undefined && {
        'x-anuente-signature': `t=${seconds},v1=${signature(settings.secret, seconds, body)}`,
      }),
    },
    body,
  })
  if (settings.okWhen === undefined) return judge(response)
  if (settings.okWhen.includes(response.status)) return { status: 'delivered', answer: String(response.status) }
  const outcome = judge(response)
  // A success that is not in the list: whoever wrote the list knows why it is none.
  return outcome.status === 'delivered'
    ? { status: 'rejected', reason: `HTTP ${response.status} is not among okWhen` }
    : outcome
}

/** HMAC-SHA256, hexadecimal, of `<seconds>.<body>`. */
export const signature = (secret: string, seconds: number, body: string): string =>
  createHmac('sha256', secret).update(`${seconds}.${body}`, 'utf8').digest('hex')

/**
 * Values are written as JSON, so that no name can break out of its place. No files: `templates`
 * in memory make include and render find nothing. The memory limit keeps a wrong loop from stopping delivery.
 */
const liquid = new Liquid({
  outputEscape: (value: unknown) => JSON.stringify(value ?? null),
  templates: {},
  ownPropertyOnly: true,
  parseLimit: 100_000,
  memoryLimit: 5_000_000,
})

function render(template: string | undefined, payload: Readonly<Record<string, unknown>>): string {
  if (template === undefined) return JSON.stringify(payload)
  let text: string
  try {
    text = String(liquid.parseAndRenderSync(template, { ...payload }))
  } catch {
    // The message of a template error quotes the template and may quote a value.
    throw new RejectedError('the body template does not render')
  }
  try {
    JSON.parse(text)
  } catch {
    throw new RejectedError('the body template does not make JSON')
  }
  return text
}

function templateFlaw(template: string): string | undefined {
  try {
    liquid.parse(template)
    return undefined
  } catch {
    return 'The body template is not valid Liquid.'
  }
}
