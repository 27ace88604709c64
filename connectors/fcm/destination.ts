/** Firebase Cloud Messaging, HTTP v1: one push to one device. Tokens come from the app; FCM has no people and no lists. */
import { type Static, Type } from 'typebox'
import {
  defineDestination,
  googleBearer,
  googleCredentials,
  googleVerdict,
  known,
  messageFields,
  propertiesField,
  someOf,
} from '../../core/kit/index.ts'

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'

const Push = Type.Object({
  token: Type.String({
    minLength: 20,
    pii: true,
    from: ['context.device.token', 'traits.fcm_token', 'traits.push_token', 'traits.pushToken'],
    description: 'Registration token of the device, which the app tells.',
  }),
  title: Type.Optional(Type.String({ minLength: 1, description: 'Set by the rule.' })),
  text: Type.String({ minLength: 1, description: 'Set by the rule.' }),
  image: Type.Optional(Type.String({ format: 'uri' })),
  url: Type.Optional(Type.String({ format: 'uri', from: ['cart.url', 'properties.url'] })),
  properties: propertiesField,
  ...messageFields,
})

export default defineDestination({
  id: 'fcm',
  name: 'Firebase Cloud Messaging',
  docs: 'https://firebase.google.com/docs/cloud-messaging/send/v1-api',
  support: 'community',
  apiVersion: { version: 'v1', docs: 'https://firebase.google.com/support/releases' },
  baseUrl: ({ projectId }) => `https://fcm.googleapis.com/v1/projects/${projectId}`,
  settings: Type.Object(
    {
      ...googleCredentials,
      projectId: Type.String({ pattern: '^[a-z0-9-]+$', description: 'Firebase project.' }),
    },
    { additionalProperties: false, ...someOf('accessToken', 'serviceAccount') },
  ),
  authenticate: (settings) => ({ authorization: googleBearer(settings, SCOPE) }),
  verdict: googleVerdict,
  // https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas: 600,000 a minute per project.
  limits: { perSecond: 500, concurrency: 16, windows: [{ seconds: 60, max: 600_000 }] },

  actions: {
    sendPush: {
      title: { pt: 'Enviar push', en: 'Send push' },
      description: {
        pt: 'Envia uma notificação ao aparelho da pessoa.',
        en: "Sends a notification to the person's device.",
      },
      purpose: 'push_marketing',
      channel: 'push',
      kind: 'message',
      identifier: ['device_id', 'userId', 'anonymousId', 'email', 'phone'],
      renders: 'hub',
      // There is no key: what was sent twice arrives twice, unless the device collapses it by its tag.
      idempotency: 'none',
      payload: Push,
      perform: ({ http, payload }) => http.request('POST', '/messages:send', { json: { message: messageOf(payload) } }),
    },
  },

  // Nothing is delivered: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
  async check({ http }) {
    await http.request('POST', '/messages:send', {
      json: { validate_only: true, message: { topic: 'anuente-check', notification: { title: 'check' } } },
    })
    return { ok: true, detail: 'FCM takes the credentials; nothing was sent.' }
  },

  deleteSubject: {
    manual: {
      pt: 'O FCM só conhece tokens de aparelhos. Apague o token no app (deleteToken) e o ID de instalação pelo console do Firebase; o hub esquece o token com o perfil.',
      en: 'FCM knows tokens of devices only. Delete the token in the app (deleteToken) and the installation id through the Firebase console; the hub forgets the token with the profile.',
    },
  },
  exportSubject: {
    impossible: {
      pt: 'O FCM não guarda dados de pessoas nem o histórico de envios de um token. O que o hub enviou está em entregas.',
      en: 'FCM keeps no data of people and no history of a token. What the hub sent is under deliveries.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Um token novo chega pelo app no próximo evento e substitui o antigo.',
      en: 'A new token arrives from the app with the next event and replaces the old one.',
    },
  },
  feedback: {
    none: {
      pt: 'O FCM não avisa de exibições; um token morto responde UNREGISTERED ao próximo envio.',
      en: 'FCM tells of no displays; a dead token answers UNREGISTERED to the next push.',
    },
  },
})

/** https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages: data is text to text, 4 KB in all. */
function messageOf(payload: Static<typeof Push>) {
  const own = Object.entries(payload.properties ?? {}).filter(
    ([name, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value) && !/^(from|message_type|google|gcm)/.test(name),
  )
  return {
    token: payload.token,
    notification: known({ title: payload.title, body: payload.text, image: payload.image }),
    data: Object.fromEntries([
      ...own.map(([name, value]) => [name, String(value)]),
      ...(payload.url === undefined ? [] : [['url', payload.url]]),
      ['stop_url', payload.stop],
      ['why_url', payload.why],
      ['anuente_delivery_id', payload.deliveryId],
    ]),
    // A second copy replaces the first in the notification shade.
    android: { notification: { tag: payload.deliveryId } },
    ...(payload.url !== undefined && { webpush: { fcm_options: { link: payload.url } } }),
  }
}
