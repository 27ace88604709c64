/** Slack in miniature: one incoming webhook and one bot in one channel. */
import { defineSandbox, type SandboxAnswer, type SandboxRequest } from '../../core/testing/sandbox.ts'

export interface SlackState {
  messages: { channel: string; text: string }[]
  /** When the last message of a channel came, in milliseconds. */
  last: Record<string, number>
  /** Enforce one message per second and channel. */
  paced: boolean
}

const HOOK = '/services/T00000000/B00000000/sandboxsandboxsandbox'
const TOKEN = 'xoxb-sandbox-token'
const CHANNEL = 'C0123456789'

export default defineSandbox<SlackState>({
  connector: 'slack',
  state: () => ({ messages: [], last: {}, paced: false }),
  settings: () => ({ url: `https://hooks.slack.com${HOOK}` }),
  refused: () => ({ url: 'https://hooks.slack.com/services/T00000000/B00000000/revoked' }),
  handle: (request, state) => (request.path.startsWith('/services/') ? hook(request, state) : webApi(request, state)),
})

// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors: plain text.
function hook(request: SandboxRequest, state: SlackState): SandboxAnswer {
  if (request.path !== HOOK) return { status: 404, body: 'no_service' }
  const body = record(request.body)
  if (!body) return { status: 400, body: 'invalid_payload' }
  if (typeof body['text'] !== 'string' || body['text'] === '') return { status: 400, body: 'no_text' }
  return post(state, request, 'webhook', body['text']) ?? { status: 200, body: 'ok' }
}

// https://docs.slack.dev/reference/methods/chat.postMessage: 200 with ok and error.
function webApi(request: SandboxRequest, state: SlackState): SandboxAnswer {
  const said = (error: string): SandboxAnswer => ({ status: 200, body: { ok: false, error } })
  if (request.headers['authorization'] === undefined) return said('not_authed')
  if (request.headers['authorization'] !== `Bearer ${TOKEN}`) return said('invalid_auth')
  if (request.path === '/api/auth.test')
    return { status: 200, body: { ok: true, team: 'Loja Exemplo', user: 'anuente' } }
  if (request.path !== '/api/chat.postMessage') return said('unknown_method')
  const body = record(request.body)
  if (body?.['channel'] !== CHANNEL) return said('channel_not_found')
  if (typeof body['text'] !== 'string' || body['text'] === '') return said('no_text')
  return (
    post(state, request, CHANNEL, body['text']) ?? {
      status: 200,
      body: { ok: true, channel: CHANNEL, ts: '1795521600.000100' },
    }
  )
}

// https://docs.slack.dev/apis/web-api/rate-limits
function post(state: SlackState, { now }: SandboxRequest, channel: string, text: string): SandboxAnswer | undefined {
  const before = state.last[channel]
  if (state.paced && before !== undefined && now.getTime() - before < 1000)
    return {
      status: 429,
      headers: { 'retry-after': '1' },
      body: channel === 'webhook' ? 'rate_limited' : { ok: false, error: 'ratelimited' },
    }
  state.last[channel] = now.getTime()
  state.messages.push({ channel, text })
  return undefined
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
