/**
 * Mail by any SMTP server, written by the hub from Liquid templates. Both signed links are in every mail: as
 * headers of RFC 8058, and below the text where the template does not show them.
 */
import { type Static, Type } from 'typebox'
import {
  defineDestination,
  emailField,
  type Http,
  type ItemContext,
  judge,
  mailRequest,
  mailServerHeaders,
  mailServerUrl,
  messageFields,
  type Outcome,
  personal,
  propertiesField,
  RejectedError,
} from '../../core/kit/index.ts'
import { readBounce, verifyBounce } from './bounce.ts'
import { type MailTemplate, templateFlaws, withoutLinks, writeMail } from './templates.ts'

const Template = Type.Object(
  {
    subject: Type.String({ minLength: 1, maxLength: 500 }),
    text: Type.String({ minLength: 1 }),
    html: Type.Optional(Type.String({ minLength: 1, description: 'Values are escaped.' })),
  },
  { additionalProperties: false },
)

const Settings = Type.Object(
  {
    host: Type.String({ pattern: '^[A-Za-z0-9.-]+$', description: 'Name of the SMTP server.' }),
    port: Type.Integer({ minimum: 1, maximum: 65_535, default: 587, description: '465 is encrypted from the start.' }),
    tls: Type.Union([Type.Literal('required'), Type.Literal('optional')], {
      default: 'required',
      description: 'optional: mail may leave without encryption when the server offers none.',
    }),
    user: Type.Optional(Type.String({ minLength: 1 })),
    password: Type.Optional(Type.String({ secret: true, minLength: 1 })),
    from: Type.String({ minLength: 3, pattern: '@', description: 'Sender, such as Loja Exemplo <ola@loja.example>.' }),
    replyTo: Type.Optional(Type.String({ format: 'email' })),
    feedbackToken: Type.Optional(
      Type.String({ secret: true, minLength: 16, description: 'Bearer token of whatever posts bounces to the hub.' }),
    ),
    templates: Type.Record(Type.String({ pattern: '^[a-z0-9_-]{1,64}$' }), Template, {
      additionalProperties: false,
      default: {},
      description: 'Liquid templates by name. They see name, traits, properties, cart, rule and links.',
    }),
  },
  { additionalProperties: false },
)
type Settings = Static<typeof Settings>

const Payload = Type.Object({
  email: emailField,
  template: Type.Optional(Type.String({ description: 'Name of a template of the settings, set by the rule.' })),
  subject: Type.Optional(Type.String({ minLength: 1, description: 'Liquid, set by the rule instead of a template.' })),
  text: Type.Optional(Type.String({ minLength: 1, description: 'Liquid, set by the rule instead of a template.' })),
  html: Type.Optional(Type.String({ minLength: 1, description: 'Liquid, set by the rule.' })),
  name: personal('traits.firstName', 'traits.first_name', 'traits.name'),
  traits: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { pii: true, from: 'traits' })),
  properties: propertiesField,
  cart: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { from: 'cart', description: 'Money in minor units.' }),
  ),
  event: Type.String({ from: 'name' }),
  rule: Type.Optional(Type.String({ from: 'rule.id' })),
  ...messageFields,
})

const common = {
  channel: 'email',
  kind: 'message',
  identifier: ['email'],
  renders: 'hub',
  // SMTP has no key: a server that took the mail and lost the answer would send it twice.
  idempotency: 'none',
  payload: Payload,
  perform: send,
} as const

export default defineDestination({
  id: 'smtp',
  name: 'E-mail (SMTP)',
  docs: 'https://datatracker.ietf.org/doc/html/rfc5321',
  support: 'community',
  baseUrl: (settings) => mailServerUrl(serverOf(settings)),
  settings: Settings,
  authenticate: (settings) => mailServerHeaders(serverOf(settings)),
  limits: { perSecond: 5, concurrency: 2 },

  actions: {
    sendEmail: {
      ...common,
      title: { pt: 'Enviar e-mail de marketing', en: 'Send marketing e-mail' },
      description: {
        pt: 'Escreve o e-mail a partir do modelo e o entrega ao servidor SMTP, com descadastro em um clique.',
        en: 'Writes the mail from its template and hands it to the SMTP server, with one-click unsubscribe.',
      },
      purpose: 'email_marketing',
    },
    sendServiceEmail: {
      ...common,
      title: { pt: 'Enviar e-mail do pedido', en: 'Send order e-mail' },
      description: {
        pt: 'E-mail sobre um pedido, sob a finalidade de pedidos.',
        en: 'Mail about an order, under the purpose of orders.',
      },
      purpose: 'orders',
    },
  },

  async check({ http, settings }) {
    const flaws = templateFlaws(settings.templates)
    if (flaws.length > 0) return { ok: false, detail: `Not valid Liquid: ${flaws.join(', ')}.` }
    await http.lookup('/')
    const bare = withoutLinks(settings.templates)
    const warnings = [
      ...bare.map((name) => `Template ${name} does not show links.stop and links.why; both are added below it.`),
      ...(settings.tls === 'optional' ? ['tls is optional: mail may leave without encryption.'] : []),
    ]
    return {
      ok: true,
      detail: 'The mail server takes the credentials; nothing was sent.',
      ...(warnings.length > 0 && { warnings }),
    }
  },

  deleteSubject: {
    manual: {
      pt: 'Um servidor SMTP não guarda contatos. Apague o endereço das listas e registros do seu provedor de e-mail e das cópias de "enviados", se houver.',
      en: 'An SMTP server keeps no contacts. Delete the address from the lists and logs of your mail provider, and from copies of sent mail if there are any.',
    },
  },
  exportSubject: {
    manual: {
      pt: 'Um servidor SMTP não guarda contatos. Os e-mails que o hub enviou estão em entregas.',
      en: 'An SMTP server keeps no contacts. The mails the hub sent are under deliveries.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Não há cadastro no servidor: corrija o perfil no sistema de origem e o próximo e-mail vai ao endereço novo.',
      en: 'The server keeps no record: correct the profile in the system of origin and the next mail goes to the new address.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Encaminhe cada mensagem que chega à caixa do remetente, como veio, a /in/<id do destino> com Authorization: Bearer igual a feedbackToken. Descadastros chegam pelos links assinados e pelo cabeçalho List-Unsubscribe.',
      en: "Post each message that arrives in the sender's mailbox, as it came, to /in/<destination id> with Authorization: Bearer equal to feedbackToken. Opt-outs arrive through the signed links and the List-Unsubscribe header.",
    },
    receive: { verify: verifyBounce, read: readBounce },
  },
})

function serverOf({ host, port, tls, user, password }: Settings) {
  return { host, port, tls, ...(user !== undefined && { user }), ...(password !== undefined && { password }) }
}

interface Sending extends ItemContext<Static<typeof Payload>> {
  readonly http: Http
  readonly settings: Settings
}

async function send({ http, settings, payload }: Sending): Promise<Outcome> {
  const template = templateOf(settings, payload)
  const { stop, why, deliveryId, email, subject: _, text: __, html: ___, ...values } = payload
  const mail = writeMail(template, { traits: {}, properties: {}, ...values, email, links: { stop, why } })
  const host = settings.from.replace(/^.*@|>.*$/g, '')
  const response = await http.send(
    mailRequest(serverOf(settings), {
      from: settings.from,
      ...(settings.replyTo !== undefined && { replyTo: settings.replyTo }),
      to: email,
      ...withLinks(mail, stop, why),
      headers: {
        // RFC 2369 §3.2 and RFC 8058 §3.1: a mail program posts, so that no link scanner unsubscribes anybody.
        'List-Unsubscribe': `<${stop}>`,
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        'X-Anuente-Delivery': deliveryId,
      },
      messageId: `<${deliveryId}@${host}>`,
    }),
  )
  return judge(response)
}

function templateOf({ templates }: Settings, payload: Static<typeof Payload>): MailTemplate {
  const named =
    payload.template !== undefined && Object.hasOwn(templates, payload.template)
      ? templates[payload.template]
      : undefined
  if (payload.template !== undefined && !named) throw new RejectedError('the settings have no template of this name')
  const subject = payload.subject ?? named?.subject
  const text = payload.text ?? named?.text
  const html = payload.html ?? (payload.text === undefined ? named?.html : undefined)
  if (subject === undefined || text === undefined)
    throw new RejectedError('the rule names no template and sets no subject and text')
  return { subject, text, ...(html !== undefined && { html }) }
}

/** Both links where the template shows neither: LGPD art. 9 and art. 18 do not depend on who wrote the template. */
function withLinks({ subject, text, html }: ReturnType<typeof writeMail>, stop: string, why: string) {
  const shows = (part: string) => part.includes(stop) && part.includes(why)
  return {
    subject,
    text: shows(text) ? text : `${text}\n\n--\nParar de receber: ${stop}\nPor que recebi isto? ${why}\n`,
    ...(html !== undefined && {
      html: shows(html)
        ? html
        : `${html}<p style="font-size:12px"><a href="${stop}">Parar de receber</a> · <a href="${why}">Por que recebi isto?</a></p>`,
    }),
  }
}
