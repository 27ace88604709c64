/**
 * OneSignal: users, tags as audiences, push, opt-outs. Users are known by external_id, the hub's user id. A user is
 * written without subscriptions, so nobody is re-subscribed.
 */
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import {
  defineDestination,
  FeedbackToken,
  type Http,
  type HttpResponse,
  mappedTraits,
  messageFields,
  type Outcome,
  propertiesField,
  traitsField,
  verifyFeedbackToken,
} from '../../core/kit/index.ts'
import { readEvents } from './feedback.ts'

const externalId = Type.String({
  minLength: 1,
  maxLength: 128,
  pii: true,
  from: 'identifiers.userId',
  description: 'external_id of the user.',
})
const audience = Type.String({
  pattern: '^[A-Za-z0-9_]{1,100}$',
  description: 'Key of the tag that stands for the audience.',
})

export default defineDestination({
  id: 'onesignal',
  name: 'OneSignal',
  docs: 'https://documentation.onesignal.com/reference/rest-api-overview',
  support: 'community',
  baseUrl: 'https://api.onesignal.com',
  settings: Type.Object(
    {
      appId: Type.String({ pattern: '^[0-9a-f-]{36}$', description: 'App id (Settings > Keys & IDs).' }),
      apiKey: Type.String({ secret: true, minLength: 8, description: 'App API key, os_v2_app_….' }),
      tags: Type.Record(Type.String({ pattern: '^[A-Za-z0-9_]+$' }), Type.String(), {
        additionalProperties: false,
        default: {},
        description: 'Tag to the trait it is filled from.',
      }),
      feedbackToken: FeedbackToken,
    },
    { additionalProperties: false },
  ),
  authenticate: ({ apiKey }) => ({ authorization: `Key ${apiKey}` }),
  verdict,
  // https://documentation.onesignal.com/reference/rate-limits: 150 notifications a second on the free plan.
  limits: { perSecond: 50, concurrency: 8 },

  actions: {
    upsertUser: {
      title: { pt: 'Criar ou atualizar usuário', en: 'Create or update user' },
      description: {
        pt: 'Mantém as tags do usuário em dia com o perfil. Não cria assinaturas.',
        en: 'Keeps the tags of the user in step with the profile. Creates no subscriptions.',
      },
      purpose: 'push_marketing',
      kind: 'state',
      identifier: ['userId'],
      idempotency: 'natural',
      trigger: { type: 'identify' },
      payload: Type.Object({ externalId, traits: traitsField }),
      perform: ({ http, payload, settings }) =>
        writeTags(
          http,
          settings.appId,
          payload.externalId,
          Object.fromEntries(
            Object.entries(mappedTraits(settings.tags, payload.traits)).map(([tag, value]) => [tag, String(value)]),
          ),
        ),
    },

    addToAudience: {
      title: { pt: 'Pôr a tag da audiência', en: 'Add audience tag' },
      description: { pt: 'Põe uma tag no usuário; as outras ficam.', en: 'Puts a tag on the user; the others stay.' },
      purpose: 'push_marketing',
      kind: 'event',
      identifier: ['userId'],
      idempotency: 'natural',
      payload: Type.Object({ externalId, audience }),
      perform: ({ http, payload, settings }) =>
        writeTags(http, settings.appId, payload.externalId, { [payload.audience]: '1' }),
    },

    removeFromAudience: {
      title: { pt: 'Tirar a tag da audiência', en: 'Remove audience tag' },
      description: {
        pt: 'Tira uma tag do usuário; as outras ficam.',
        en: 'Takes a tag off the user; the others stay.',
      },
      purpose: 'customer_care',
      kind: 'event',
      identifier: ['userId'],
      idempotency: 'natural',
      payload: Type.Object({ externalId, audience }),
      // An empty text deletes a tag.
      perform: ({ http, payload, settings }) =>
        writeTags(http, settings.appId, payload.externalId, { [payload.audience]: '' }),
    },

    sendPush: {
      title: { pt: 'Enviar push', en: 'Send push' },
      description: {
        pt: 'Envia uma notificação com o texto da regra ou com um modelo do OneSignal.',
        en: 'Sends a notification with the text of the rule or by a template of OneSignal.',
      },
      purpose: 'push_marketing',
      channel: 'push',
      kind: 'message',
      identifier: ['userId'],
      renders: 'vendor',
      // https://documentation.onesignal.com/docs/idempotent-notification-requests
      idempotency: { key: 24 },
      payload: Type.Object({
        externalId,
        title: Type.Optional(Type.String({ minLength: 1, description: 'Set by the rule.' })),
        text: Type.Optional(Type.String({ minLength: 1, description: 'Set by the rule instead of a template.' })),
        templateId: Type.Optional(Type.String({ pattern: '^[0-9a-f-]{36}$' })),
        url: Type.Optional(Type.String({ format: 'uri', from: ['cart.url', 'properties.url'] })),
        properties: propertiesField,
        ...messageFields,
      }),
      async perform({ http, payload, settings, delivery }) {
        if (payload.text === undefined && payload.templateId === undefined)
          return { status: 'rejected', reason: 'the rule sets neither text nor templateId' }
        return http.request('POST', '/notifications', {
          json: {
            app_id: settings.appId,
            target_channel: 'push',
            include_aliases: { external_id: [payload.externalId] },
            idempotency_key: uuidOf(delivery.key),
            ...(payload.templateId !== undefined && { template_id: payload.templateId }),
            // English is the fall-back language, and compulsory.
            ...(payload.text !== undefined && { contents: { en: payload.text, pt: payload.text } }),
            ...(payload.title !== undefined && { headings: { en: payload.title, pt: payload.title } }),
            ...(payload.url !== undefined && { url: payload.url }),
            ...(payload.templateId !== undefined &&
              payload.properties !== undefined && { custom_data: payload.properties }),
            // For the app to show: where the person stops, and why it came.
            data: { stop_url: payload.stop, why_url: payload.why, anuente_delivery_id: payload.deliveryId },
          },
        })
      },
    },

    unsubscribe: {
      title: { pt: 'Desativar push', en: 'Switch push off' },
      description: {
        pt: 'Leva uma revogação ao OneSignal: desativa as assinaturas de push ativas da pessoa.',
        en: 'Takes a withdrawal to OneSignal: switches off the push subscriptions of the person that are on.',
      },
      withdraws: ['push_marketing'],
      purpose: 'customer_care',
      kind: 'state',
      identifier: ['userId'],
      idempotency: 'natural',
      payload: Type.Object({ externalId }),
      async perform({ http, payload, settings }) {
        const { json } = await http.lookup(userPath(settings.appId, payload.externalId))
        const { subscriptions = [] } = (json ?? {}) as {
          subscriptions?: { id?: string; type?: string; enabled?: boolean }[]
        }
        const on = subscriptions.filter(
          ({ id, type, enabled }) => id !== undefined && enabled !== false && !/^(Email|SMS)$/.test(type ?? ''),
        )
        // One device after the other; a repeat goes on where this one stopped.
        for (const { id } of on)
          await http.request('PATCH', `/apps/${settings.appId}/subscriptions/${encodeURIComponent(id!)}`, {
            json: { subscription: { enabled: false } },
          })
        return { status: 'delivered', answer: `${on.length} subscriptions off` }
      },
    },
  },

  async check({ http, settings }) {
    await http.lookup(`/notifications?app_id=${settings.appId}&limit=1`)
    return { ok: true, detail: 'OneSignal knows the key and the app.' }
  },

  deleteSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      if (!identifiers.userId) return NOBODY
      const path = userPath(settings.appId, identifiers.userId)
      if ((await http.lookup(path)).status === 404) return { status: 'delivered', answer: 'not a user' }
      return http.request('DELETE', path)
    },
  },
  exportSubject: {
    async implemented({ http, settings, subject: { identifiers } }) {
      return identifiers.userId ? http.lookup(userPath(settings.appId, identifiers.userId)) : NOBODY
    },
  },
  correctSubject: {
    manual: {
      pt: 'Corrija o perfil no sistema de origem: o próximo identify leva as tags novas.',
      en: 'Correct the profile in the system of origin: the next identify carries the new tags.',
    },
  },
  feedback: {
    webhook: {
      pt: 'Em Data > Event Streams, aponte para /in/<id do destino> com o cabeçalho x-anuente-token igual a feedbackToken e o corpo sugerido.',
      en: 'Under Data > Event Streams, point to /in/<destination id> with the header x-anuente-token equal to feedbackToken and the proposed body.',
    },
    receive: { verify: verifyFeedbackToken, read: readEvents },
  },
})

const NOBODY: Outcome = { status: 'rejected', reason: 'no user id to look for' }

const userPath = (appId: string, externalId: string): string =>
  `/apps/${appId}/users/by/external_id/${encodeURIComponent(externalId)}`

/** https://documentation.onesignal.com/reference/create-user: an existing user is updated; tags that are not named stay. */
const writeTags = (
  http: Http,
  appId: string,
  externalId: string,
  tags: Record<string, string>,
): Promise<HttpResponse> =>
  http.request('POST', `/apps/${appId}/users`, {
    json: { identity: { external_id: externalId }, ...(Object.keys(tags).length > 0 && { properties: { tags } }) },
  })

/** The key as a UUID (version 8, RFC 9562): OneSignal takes no other form. */
function uuidOf(key: string): string {
  const hex = createHash('sha256').update(key).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** 200 without a notification id means that nobody was reached: https://documentation.onesignal.com/reference/create-message */
function verdict({ status, json }: HttpResponse): Outcome | undefined {
  const { id, errors } = (json ?? {}) as { id?: unknown; errors?: unknown }
  return status === 200 && errors !== undefined && (id === '' || id === undefined)
    ? { status: 'rejected', reason: 'OneSignal reached nobody: no subscription is on' }
    : undefined
}
