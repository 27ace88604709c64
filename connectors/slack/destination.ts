/** Slack messages for the team: an incoming webhook, or a bot that names its channel. */
import { Type } from 'typebox'
import { defineDestination, type HttpResponse, type Outcome, RejectedError } from '../../core/kit/index.ts'

const oneOf = (['url', 'token'] as const).map((name) => ({
  type: 'object',
  required: [name],
  properties: { [name]: {} },
}))

export default defineDestination({
  id: 'slack',
  name: 'Slack',
  docs: 'https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks',
  support: 'community',
  baseUrl: ({ url }) => url ?? 'https://slack.com/api',

  settings: Type.Object(
    {
      // The address is the credential: whoever has it can post.
      url: Type.Optional(
        Type.String({
          secret: true,
          format: 'uri',
          pattern: '^https://',
          description: 'Incoming webhook, https://hooks.slack.com/services/….',
        }),
      ),
      token: Type.Optional(
        Type.String({ secret: true, pattern: '^xox', description: 'Bot token with chat:write, instead of a webhook.' }),
      ),
      channel: Type.Optional(
        Type.String({ minLength: 1, description: 'Channel id for the bot, such as C0123456789.' }),
      ),
    },
    { additionalProperties: false, anyOf: oneOf },
  ),

  authenticate: ({ url, token }): Record<string, string> =>
    url === undefined && token !== undefined ? { authorization: `Bearer ${token}` } : {},
  verdict,

  // https://docs.slack.dev/apis/web-api/rate-limits: one message per second and channel.
  limits: { perSecond: 1, concurrency: 1 },

  actions: {
    postMessage: {
      title: { pt: 'Avisar a equipe', en: 'Tell the team' },
      description: {
        pt: 'Publica um aviso ou tarefa no canal. Leva só o texto da regra, sem dados pessoais por padrão.',
        en: 'Posts an alert or a task to the channel. Carries the text of the rule only, no personal data by default.',
      },
      purpose: 'customer_care',
      channel: 'task',
      // Read by the team and not by the person: no message of a lane, and twice does no harm.
      kind: 'event',
      identifier: ['userId', 'email', 'phone', 'anonymousId', 'ga_client_id', 'rdstation_uuid', 'device_id'],
      renders: 'hub',
      idempotency: 'none',
      payload: Type.Object({
        text: Type.String({
          minLength: 1,
          maxLength: 3000,
          from: 'name',
          description: 'Set by the rule; the name of the event otherwise.',
        }),
        link: Type.Optional(
          Type.String({
            format: 'uri',
            description: 'Address shown below the text, such as the person in the cockpit.',
          }),
        ),
      }),
      perform({ http, payload, settings }) {
        const text =
          payload.link === undefined
            ? escaped(payload.text)
            : `${escaped(payload.text)}\n<${payload.link.replace(/[<>|]/g, '')}>`
        return settings.url !== undefined
          ? http.request('POST', '', { json: { text } })
          : http.request('POST', '/chat.postMessage', { json: { channel: settings.channel ?? '', text } })
      },
    },
  },

  async check({ http, settings }) {
    if (settings.url === undefined) {
      await http.lookup('/auth.test')
      return settings.channel === undefined
        ? { ok: false, detail: 'Slack knows the bot, but no channel is configured.' }
        : { ok: true, detail: 'Slack knows the bot.' }
    }
    try {
      // A message without text is refused as no_text and posts nothing, but only where the webhook exists.
      await http.request('POST', '', { json: {} })
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error
      if (error.message === 'Slack no_text' || error.message === 'Slack invalid_payload')
        return { ok: true, detail: 'The webhook exists; nothing was posted.' }
    }
    return { ok: false, detail: 'Slack does not know this webhook.' }
  },

  deleteSubject: {
    manual: {
      pt: 'Avisos no Slack não são ligados a uma pessoa. Se o texto de uma regra levou dados pessoais, procure e apague a mensagem no canal.',
      en: 'Slack alerts are not tied to a person. If the text of a rule carried personal data, search for the message in the channel and delete it.',
    },
  },
  exportSubject: {
    manual: {
      pt: 'Avisos no Slack não são ligados a uma pessoa; o que o hub publicou está em entregas.',
      en: 'Slack alerts are not tied to a person; what the hub posted is under deliveries.',
    },
  },
  correctSubject: {
    manual: {
      pt: 'Edite a mensagem no canal, se o texto de uma regra levou um dado errado.',
      en: 'Edit the message in the channel, if the text of a rule carried something wrong.',
    },
  },
  feedback: {
    none: {
      pt: 'O Slack não informa se uma mensagem do canal foi lida.',
      en: 'Slack does not tell whether a message of a channel was read.',
    },
  },
})

/** https://docs.slack.dev/messaging/formatting-message-text#escaping: or an event name could call the whole channel. */
const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')

/** What Slack says, as text from a webhook and as `error` from the Web API. */
const RETRIED = new Set([
  'ratelimited',
  'rate_limited',
  'message_limit_exceeded',
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'rollup_error',
])
const OPERATOR = new Set([
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'token_expired',
  'missing_scope',
  'no_permission',
  'invalid_token',
  'org_login_required',
  'ekm_access_denied',
  'access_denied',
  'team_access_not_granted',
])
const FINAL = new Set([
  'no_service',
  'no_service_id',
  'no_team',
  'team_disabled',
  'no_text',
  'invalid_payload',
  'invalid_blocks',
  'user_not_found',
  'channel_not_found',
  'channel_is_archived',
  'is_archived',
  'not_in_channel',
  'action_prohibited',
  'posting_to_general_channel_denied',
  'restricted_action',
  'msg_too_long',
  'too_many_attachments',
])

function verdict({ status, headers, text, json }: HttpResponse): Outcome | undefined {
  const answer = json as { ok?: unknown; error?: unknown } | undefined
  const said = typeof answer?.error === 'string' ? answer.error : text.trim()
  const reason = `Slack ${said}`
  if (OPERATOR.has(said)) return { status: 'authentication', reason }
  if (FINAL.has(said)) return { status: 'rejected', reason }
  if (RETRIED.has(said)) {
    const seconds = Number(headers['retry-after'])
    return { status: 'retry', reason, ...(seconds >= 0 && { retryAfterMs: seconds * 1000 }) }
  }
  if (status !== 200) return undefined
  // A webhook answers "ok"; the Web API answers 200 to everything and says in `ok` what it means.
  return text.trim() === 'ok' || answer?.ok === true
    ? { status: 'delivered', answer: 'ok' }
    : { status: 'rejected', reason: 'Slack answered 200 without ok' }
}
