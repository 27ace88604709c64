/**
 * Mailchimp Marketing API 3.0. Nobody is ever re-subscribed: `status` is written by `unsubscribe`
 * alone, an upsert only says what a new member begins with. Tags are added, merge fields without
 * a value stay out.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import {
  defineDestination,
  type FeedbackItem,
  type HttpResponse,
  type Outcome,
  type RawRequest,
  RejectedError,
} from '../../core/kit/index.ts'

const email = Type.String({
  format: 'email',
  pii: true,
  from: ['identifiers.email', 'traits.email'],
  description: 'E-mail of the member.',
})

interface Account {
  readonly listId: string
}

/** Mailchimp's id of a member is the MD5 of the lower-cased address: no e-mail stands in a URL. */
const memberPath = ({ listId }: Account, address: string): string =>
  `/lists/${encodeURIComponent(listId)}/members/${createHash('md5').update(address.trim().toLowerCase()).digest('hex')}`

/** How long an event waits for its member, and how long between two tries. Our own choice. */
const MEMBER_MS = 60 * 60_000
const MEMBER_WAIT_MS = 60_000

export default defineDestination({
  id: 'mailchimp',
  name: 'Mailchimp',
  docs: 'https://mailchimp.com/developer/marketing/api/list-members/',
  support: 'community',
  apiVersion: { version: '3.0', docs: 'https://mailchimp.com/developer/release-notes/' },
  // The part after the last hyphen of a key names the data centre of the account.
  baseUrl: ({ apiKey }) => `https://${apiKey.slice(apiKey.lastIndexOf('-') + 1)}.api.mailchimp.com/3.0`,

  settings: Type.Object(
    {
      apiKey: Type.String({
        secret: true,
        pattern: '^[^-\\s]+-[a-z]{2}\\d{1,3}$',
        description: 'API key with its data centre, such as …-us21.',
      }),
      listId: Type.String({ minLength: 1, description: 'Audience id (Audience > Settings).' }),
      feedbackSecret: Type.Optional(
        Type.String({
          secret: true,
          minLength: 16,
          pattern: '^[A-Za-z0-9_-]+$',
          description:
            'Part of the address that Mailchimp calls for unsubscribes and cleans; without it nothing is taken.',
        }),
      ),
      statusIfNew: Type.Union([Type.Literal('subscribed'), Type.Literal('pending')], {
        default: 'subscribed',
        description:
          'What a member who is not there yet begins with; pending sends the double opt-in e-mail. Members who are there keep their status.',
      }),
      mergeFields: Type.Record(Type.String({ pattern: '^[A-Z0-9_]{1,10}$' }), Type.String(), {
        additionalProperties: false,
        default: { FNAME: 'firstName', LNAME: 'lastName', PHONE: 'phone' },
        description: 'Merge field to the trait it is filled from.',
      }),
    },
    { additionalProperties: false },
  ),

  authenticate: ({ apiKey }) => ({ authorization: `Basic ${Buffer.from(`anuente:${apiKey}`).toString('base64')}` }),
  verdict,

  // https://mailchimp.com/developer/marketing/docs/fundamentals/#api-limits: ten connections at a time, no rate in requests.
  limits: { perSecond: 10, concurrency: 10 },

  actions: {
    upsertMember: {
      title: { pt: 'Criar ou atualizar inscrito', en: 'Create or update member' },
      description: {
        pt: 'Mantém o inscrito em dia com o perfil. Quem se descadastrou continua descadastrado.',
        en: 'Keeps the member in step with the profile. Who unsubscribed stays unsubscribed.',
      },
      purpose: 'email_marketing',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({
        email,
        traits: Type.Optional(
          Type.Record(Type.String(), Type.Unknown(), {
            pii: true,
            from: 'traits',
            description: 'Read by the merge fields of the settings; only those leave.',
          }),
        ),
      }),
      // Without skip_merge_validation a field the list requires and the purpose does not collect refuses the whole member.
      perform: ({ http, payload: { email, traits }, settings }) =>
        http.request('PUT', `${memberPath(settings, email)}?skip_merge_validation=true`, {
          json: {
            email_address: email,
            status_if_new: settings.statusIfNew,
            ...mergeFields(settings.mergeFields, traits),
          },
        }),
    },

    addTags: {
      title: { pt: 'Adicionar tags', en: 'Add tags' },
      description: {
        pt: 'Acrescenta tags ao inscrito; as outras continuam.',
        en: 'Adds tags to the member; the others stay.',
      },
      purpose: 'email_marketing',
      kind: 'event',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({
        email,
        tags: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, from: 'traits.tags' }),
      }),
      // Tags that the list does not name keep their state.
      perform: ({ http, payload: { email, tags }, settings }) =>
        http.request('POST', `${memberPath(settings, email)}/tags`, {
          json: { tags: tags.map((name) => ({ name, status: 'active' })) },
        }),
    },

    sendEvent: {
      title: { pt: 'Enviar evento', en: 'Send event' },
      description: {
        pt: 'Registra um evento no inscrito e inicia as jornadas que o escutam.',
        en: 'Records an event on the member and starts the journeys that listen to it.',
      },
      purpose: 'email_marketing',
      channel: 'email',
      kind: 'message',
      identifier: ['email'],
      renders: 'vendor',
      // The events endpoint takes no key: an event sent twice starts the journey twice.
      idempotency: 'none',
      payload: Type.Object({
        email,
        event: Type.String({
          minLength: 1,
          from: 'name',
          description: 'Becomes snake case of 2 to 30 characters, as Mailchimp wants it.',
        }),
        occurredAt: Type.String({ from: 'occurredAt' }),
        properties: Type.Optional(
          Type.Record(Type.String(), Type.Unknown(), { description: 'Set by the rule; values become text.' }),
        ),
        stop: Type.String({ format: 'uri', from: 'links.stop', description: 'Signed link that stops these messages.' }),
        why: Type.String({ format: 'uri', from: 'links.why', description: 'Signed link that explains this message.' }),
        deliveryId: Type.String({ from: 'delivery.id' }),
      }),
      async perform({ http, payload, settings, now, occurredAt }) {
        try {
          return await http.request('POST', `${memberPath(settings, payload.email)}/events`, {
            json: {
              name: eventName(payload.event),
              occurred_at: payload.occurredAt.replace(/\.\d+/, ''),
              properties: {
                ...asText(payload.properties ?? {}),
                anuente_delivery_id: payload.deliveryId,
                stop_url: payload.stop,
                why_url: payload.why,
              },
            },
          })
        } catch (error) {
          // The event may have overtaken the upsert that makes its member.
          const early = now.getTime() - Date.parse(occurredAt) < MEMBER_MS
          if (!early || !(error instanceof RejectedError) || !error.message.startsWith('HTTP 404')) throw error
          return { status: 'retry', reason: 'the member is not there yet (HTTP 404)', retryAfterMs: MEMBER_WAIT_MS }
        }
      },
    },

    unsubscribe: {
      title: { pt: 'Descadastrar', en: 'Unsubscribe' },
      description: {
        pt: 'Leva uma revogação ao Mailchimp. Quem não está na lista já está atendido.',
        en: 'Takes a withdrawal to Mailchimp. Who is not on the list needs nothing.',
      },
      withdraws: ['email_marketing'],
      // For a rule that unsubscribes. What a withdrawal itself enqueues needs no purpose of its own.
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['email'],
      idempotency: 'natural',
      payload: Type.Object({ email }),
      async perform({ http, payload: { email }, settings }) {
        const member = memberPath(settings, email)
        if ((await http.lookup(`${member}?fields=status`)).status === 404)
          return { status: 'delivered', answer: 'not a member' }
        return http.request('PATCH', member, { json: { status: 'unsubscribed' } })
      },
    },
  },

  async check({ http, settings }) {
    const { status, json } = await http.lookup(`/lists/${encodeURIComponent(settings.listId)}/merge-fields?count=1000`)
    if (status === 404) return { ok: false, detail: 'Mailchimp answers, but there is no audience with this id.' }
    const fields = (json as { merge_fields?: { tag?: string }[] } | undefined)?.merge_fields ?? []
    const known = new Set(fields.map(({ tag }) => tag))
    const missing = Object.keys(settings.mergeFields).filter((tag) => !known.has(tag))
    return {
      ok: true,
      detail: `Mailchimp answers; the audience has ${fields.length} merge fields.`,
      ...(missing.length > 0 && {
        warnings: missing.map(
          (tag) => `Merge field ${tag} does not exist in this audience; its values would be ignored.`,
        ),
      }),
    }
  },

  deleteSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      if (!identifiers.email) return { status: 'rejected', reason: 'no e-mail to look for' }
      const member = memberPath(settings, identifiers.email)
      if ((await http.lookup(`${member}?fields=status`)).status === 404)
        return { status: 'delivered', answer: 'not a member' }
      return http.request('POST', `${member}/actions/delete-permanent`)
    },
  },
  exportSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      return identifiers.email
        ? http.lookup(memberPath(settings, identifiers.email))
        : { status: 'rejected', reason: 'no e-mail to look for' }
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva o valor novo pela ação upsertMember. Um campo apagado deve ser limpo à mão no inscrito.',
      en: 'Correct the profile in the system of origin: the next identify carries the new value through upsertMember. A field that becomes empty must be cleared by hand on the member.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Em Audience > Settings > Webhooks, aponte descadastros e limpezas para /in/<id do destino>?secret=<feedbackSecret>.',
      en: 'Under Audience > Settings > Webhooks, point unsubscribes and cleans to /in/<destination id>?secret=<feedbackSecret>.',
    },
    // https://mailchimp.com/developer/marketing/guides/sync-audience-data-webhooks/: not signed, so the address holds a secret.
    receive: {
      verify: ({ query }, { feedbackSecret }) => {
        const [given, expected] = [Buffer.from(query['secret'] ?? ''), Buffer.from(feedbackSecret ?? '')]
        return expected.length > 0 && given.length === expected.length && timingSafeEqual(given, expected)
          ? true
          : 'BAD_SIGNATURE'
      },
      read: readFeedback,
    },
  },
})

/** Form fields `type`, `fired_at` and `data[email]`; a GET only proves that the address answers. */
function readFeedback({ method, body }: RawRequest): FeedbackItem[] {
  if (method === 'GET') return []
  const form = new URLSearchParams(body.toString('utf8'))
  const kind =
    form.get('type') === 'unsubscribe' ? 'unsubscribed' : form.get('type') === 'cleaned' ? 'bounced' : undefined
  const email = form.get('data[email]')
  // Profile changes and campaigns are none of its business.
  if (!kind || !email) return []
  const fired = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})$/.exec(form.get('fired_at') ?? '')
  return [
    {
      kind: kind === 'unsubscribed' && form.get('data[reason]') === 'abuse' ? 'complained' : kind,
      channel: 'email',
      identifiers: [{ type: 'email', value: email }],
      ...(fired && { at: `${fired[1]}T${fired[2]}Z` }),
    },
  ]
}

function mergeFields(
  wanted: Readonly<Record<string, string>>,
  traits: Readonly<Record<string, unknown>> = {},
): { merge_fields?: Record<string, unknown> } {
  const found = Object.entries(wanted).flatMap(([tag, trait]) => {
    const value = traits[trait]
    return value === undefined || value === null || value === '' ? [] : [[tag, value] as const]
  })
  return found.length > 0 ? { merge_fields: Object.fromEntries(found) } : {}
}

/** https://mailchimp.com/developer/marketing/api/list-member-events/: names have 2 to 30 characters. */
function eventName(name: string): string {
  const snake = name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '')
    .slice(0, 30)
  return snake.length >= 2 ? snake : `event_${snake}`
}

/** Property values are text. */
const asText = (properties: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
    ]),
  )

/** Titles of errors about one member that no retry changes (https://mailchimp.com/developer/marketing/docs/errors/). */
const FINAL = new Set([
  'Member Exists',
  'Member In Compliance State',
  'Forgotten Email Not Subscribed',
  'Invalid Resource',
  'Resource Not Found',
  'Bad Request',
])

function verdict({ status, json }: HttpResponse): Outcome | undefined {
  const title = (json as { title?: unknown } | undefined)?.title
  // At volume the edge in front of the API answers a bare 403 page: it is the pace, not the key.
  if (status === 403 && (json === undefined || json === null || typeof json !== 'object'))
    return { status: 'retry', reason: 'HTTP 403 without a reason, as at too high a pace' }
  if (status >= 400 && status < 500 && typeof title === 'string' && FINAL.has(title))
    return { status: 'rejected', reason: `HTTP ${status} ${title}` }
  return undefined
}
