/** OneSignal in miniature. */
import { defineSandbox, fieldsOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface OneSignalState {
  readonly users: Map<string, { tags: Record<string, string>; on: boolean }>
  /** By idempotency_key. */
  readonly notifications: Map<string, Record<string, unknown>>
}

const KEY = 'os_v2_app_sandbox0123456789'
const APP = '6f1c2d3e-4a5b-4c6d-8e7f-0a1b2c3d4e5f'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const failure = (status: number, text: string): SandboxAnswer => ({ status, body: { errors: [{ title: text }] } })
const shown = (id: string, { tags, on }: { tags: Record<string, string>; on: boolean }) => ({
  identity: { external_id: id },
  properties: { tags },
  subscriptions: [
    { id: `sub-${Buffer.from(id).toString('hex')}`, type: 'ChromePush', enabled: on },
    { id: 'sub-email', type: 'Email', enabled: true },
  ],
})

export default defineSandbox<OneSignalState>({
  connector: 'onesignal',
  state: () => ({ users: new Map(), notifications: new Map() }),
  settings: () => ({ appId: APP, apiKey: KEY }),
  refused: () => ({ appId: APP, apiKey: 'os_v2_app_revoked' }),
  handle: routed<OneSignalState>({
    // https://documentation.onesignal.com/docs/keys-and-ids
    refuse: ({ headers }) =>
      headers['authorization'] === `Key ${KEY}` ? undefined : failure(401, 'Access denied. Please include a valid key'),
    missing: failure(404, 'not found'),
    routes: [
      { method: 'GET', path: /^\/notifications$/, answer: () => ({ status: 200, body: { notifications: [] } }) },
      {
        // https://documentation.onesignal.com/reference/create-user
        method: 'POST',
        path: /^\/apps\/[\w-]+\/users$/,
        answer: ({ body }, state) => {
          const { identity, properties } = fieldsOf(body)
          const id = fieldsOf(identity)['external_id']
          if (typeof id !== 'string' || id === '') return failure(400, 'identity is required')
          const user = state.users.get(id) ?? { tags: {}, on: true }
          const tags = fieldsOf(fieldsOf(properties)['tags'])
          for (const [tag, value] of Object.entries(tags)) {
            if (typeof value !== 'string') return failure(400, 'tags must be text')
            if (value === '') delete user.tags[tag]
            else user.tags[tag] = value
          }
          state.users.set(id, user)
          return { status: 202, body: shown(id, user) }
        },
      },
      {
        method: 'GET',
        path: /^\/apps\/[\w-]+\/users\/by\/external_id\/([^/]+)$/,
        answer: (_, state, id) => {
          const user = state.users.get(id!)
          return user ? { status: 200, body: shown(id!, user) } : failure(404, 'user not found')
        },
      },
      {
        method: 'DELETE',
        path: /^\/apps\/[\w-]+\/users\/by\/external_id\/([^/]+)$/,
        answer: (_, state, id) =>
          state.users.delete(id!) ? { status: 202, body: {} } : failure(404, 'user not found'),
      },
      {
        // https://documentation.onesignal.com/reference/update-subscription
        method: 'PATCH',
        path: /^\/apps\/[\w-]+\/subscriptions\/sub-([0-9a-f]+)$/,
        answer: ({ body }, state, hex) => {
          const user = state.users.get(Buffer.from(hex!, 'hex').toString())
          if (!user) return failure(404, 'subscription not found')
          user.on = fieldsOf(fieldsOf(body)['subscription'])['enabled'] === true
          return { status: 202, body: {} }
        },
      },
      {
        // https://documentation.onesignal.com/reference/create-message
        method: 'POST',
        path: /^\/notifications$/,
        answer: ({ body }, state) => {
          const message = fieldsOf(body)
          if (message['app_id'] !== APP) return failure(400, 'app_id not found')
          if (!UUID.test(String(message['idempotency_key']))) return failure(400, 'idempotency_key must be a UUID')
          if (message['template_id'] === undefined && fieldsOf(message['contents'])['en'] === undefined)
            return failure(400, 'Message Notifications must have English language content')
          const [id = ''] = (fieldsOf(message['include_aliases'])['external_id'] as string[] | undefined) ?? []
          if (state.users.get(id)?.on === false)
            return { status: 200, body: { id: '', errors: ['All included players are not subscribed'] } }
          state.notifications.set(String(message['idempotency_key']), message)
          return { status: 200, body: { id: 'n-1', external_id: null } }
        },
      },
    ],
  }),
})
