/** Klaviyo in miniature. */
import { createHash } from 'node:crypto'
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface KlaviyoState {
  /** e-mail, phone or external id -> profile */
  readonly profiles: Map<string, Record<string, unknown>>
  readonly list: Set<string>
  readonly unsubscribed: Set<string>
  /** By unique_id. */
  readonly events: Map<string, Record<string, unknown>>
}

const KEY = 'pk_sandbox0123456789'
const LIST = 'Y6nRLr'

// https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
const failure = (status: number, code: string, detail: string): SandboxAnswer => ({
  status,
  headers: { 'content-type': 'application/vnd.api+json' },
  body: { errors: [{ id: '1', status, code, title: detail, detail, source: { pointer: '/data' } }] },
})
const attributesOf = (body: unknown) => fieldsOf(fieldsOf(fieldsOf(body)['data'])['attributes'])

export default defineSandbox<KlaviyoState>({
  connector: 'klaviyo',
  state: () => ({ profiles: new Map(), list: new Set(), unsubscribed: new Set(), events: new Map() }),
  settings: () => ({ apiKey: KEY }),
  refused: () => ({ apiKey: 'pk_revoked0' }),
  handle: routed<KlaviyoState>({
    refuse: ({ headers }) => {
      if (headers['authorization'] !== `Klaviyo-API-Key ${KEY}`)
        return failure(401, 'not_authenticated', 'Missing or invalid authorization')
      // https://developers.klaviyo.com/en/docs/api_versioning_and_deprecation_policy: the header is compulsory.
      return /^\d{4}-\d{2}-\d{2}$/.test(headers['revision'] ?? '')
        ? undefined
        : failure(400, 'invalid', 'revision is missing')
    },
    missing: failure(404, 'not_found', 'not found'),
    routes: [
      {
        method: 'GET',
        path: /^\/api\/accounts$/,
        answer: () => ({ status: 200, body: { data: [{ type: 'account' }] } }),
      },
      {
        // https://developers.klaviyo.com/en/reference/get_profiles
        method: 'GET',
        path: /^\/api\/profiles$/,
        answer: ({ query }, state) => {
          const [, email = ''] = /^equals\(email,"(.*)"\)$/.exec(query['filter'] ?? '') ?? []
          const { id, ...attributes } = state.profiles.get(email) ?? {}
          return { status: 200, body: { data: id === undefined ? [] : [{ type: 'profile', id, attributes }] } }
        },
      },
      {
        // https://developers.klaviyo.com/en/reference/create_or_update_profile
        method: 'POST',
        path: /^\/api\/profile-import$/,
        answer: ({ body }, state) => {
          const given = attributesOf(body)
          const key = String(given['email'] ?? given['phone_number'] ?? given['external_id'] ?? '')
          if (key === '') return failure(400, 'invalid', 'One of email, phone_number or external_id must be provided')
          const before = state.profiles.get(key)
          const id = createHash('sha256').update(key).digest('hex').slice(0, 12)
          state.profiles.set(key, { ...before, ...given, id })
          return { status: before ? 200 : 201, body: { data: { type: 'profile', id, attributes: given } } }
        },
      },
      {
        // https://developers.klaviyo.com/en/reference/create_event
        method: 'POST',
        path: /^\/api\/events$/,
        answer: ({ body }, state) => {
          const event = attributesOf(body)
          const { name } = attributesOf(event['metric'])
          if (typeof name !== 'string' || name === '') return failure(400, 'invalid', 'A metric name is required')
          if (Object.keys(attributesOf(event['profile'])).length === 0)
            return failure(400, 'invalid', 'A profile identifier is required')
          if (typeof event['properties'] !== 'object') return failure(400, 'invalid', 'properties is required')
          state.events.set(String(event['unique_id']), event)
          return { status: 202 }
        },
      },
      ...(['POST', 'DELETE'] as const).map((method) => ({
        method,
        path: /^\/api\/lists\/(\w+)\/relationships\/profiles$/,
        answer: ({ body }: { body: unknown }, state: KlaviyoState, list = ''): SandboxAnswer => {
          if (list !== LIST) return failure(404, 'not_found', 'A list with id does not exist.')
          for (const { id } of listOf(fieldsOf(body)['data']))
            if (method === 'POST') state.list.add(String(id))
            else state.list.delete(String(id))
          return { status: 204 }
        },
      })),
      {
        // https://developers.klaviyo.com/en/reference/bulk_unsubscribe_profiles
        method: 'POST',
        path: /^\/api\/profile-subscription-bulk-delete-jobs$/,
        answer: ({ body }, state) => {
          for (const { attributes } of listOf(fieldsOf(attributesOf(body)['profiles'])['data']))
            state.unsubscribed.add(String(fieldsOf(attributes)['email']))
          return { status: 202 }
        },
      },
      {
        // https://developers.klaviyo.com/en/reference/request_profile_deletion
        method: 'POST',
        path: /^\/api\/data-privacy-deletion-jobs$/,
        answer: ({ body }, state) => {
          state.profiles.delete(String(attributesOf(attributesOf(body)['profile'])['email']))
          return { status: 202 }
        },
      },
    ],
  }),
})
