/** Firebase Cloud Messaging in miniature: one project. */
import { defineSandbox, fieldsOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface FcmState {
  readonly messages: Record<string, unknown>[]
  /** Tokens of apps that were removed. */
  readonly dead: Set<string>
}

const TOKEN = 'ya29.sandbox-fcm-token'

// https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
const failure = (code: number, status: string, errorCode: string): SandboxAnswer => ({
  status: code,
  body: {
    error: {
      code,
      status,
      message: 'The request failed.',
      details: [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }],
    },
  },
})

export default defineSandbox<FcmState>({
  connector: 'fcm',
  state: () => ({ messages: [], dead: new Set() }),
  settings: () => ({ projectId: 'loja-exemplo', accessToken: TOKEN }),
  refused: () => ({ projectId: 'loja-exemplo', accessToken: 'ya29.expired' }),
  handle: routed<FcmState>({
    refuse: ({ headers }) =>
      headers['authorization'] === `Bearer ${TOKEN}`
        ? undefined
        : failure(401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR'),
    missing: failure(404, 'NOT_FOUND', 'UNSPECIFIED_ERROR'),
    routes: [
      {
        method: 'POST',
        path: /^\/v1\/projects\/loja-exemplo\/messages:send$/,
        answer: ({ body, text }, state) => {
          const { message: given, validate_only: only } = fieldsOf(body)
          const message = fieldsOf(given)
          if (message['token'] === undefined && message['topic'] === undefined)
            return failure(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT')
          if (Object.values(fieldsOf(message['data'])).some((value) => typeof value !== 'string'))
            return failure(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT')
          if (Buffer.byteLength(text) > 5000) return failure(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT')
          if (state.dead.has(String(message['token']))) return failure(404, 'NOT_FOUND', 'UNREGISTERED')
          if (only !== true) state.messages.push(message)
          return { status: 200, body: { name: 'projects/loja-exemplo/messages/1' } }
        },
      },
    ],
  }),
})
