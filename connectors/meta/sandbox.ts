/** Meta's Conversions API in miniature: one dataset. */
import { defineSandbox, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface MetaState {
  /** Counted once per event_name and event_id. */
  events: Map<string, Record<string, unknown>>
  requests: number
  /** Audience to the hashes of e-mail and phone of its members. */
  audiences: Map<string, Set<string>>
}

const TOKEN = 'EAAsandboxAccessToken0123456789'
const DATASET = '1234567890123456'
const AUDIENCE = '6001234567890'
const SHA256 = /^[0-9a-f]{64}$/

export default defineSandbox<MetaState>({
  connector: 'meta',
  state: () => ({ events: new Map(), requests: 0, audiences: new Map([[AUDIENCE, new Set()]]) }),
  settings: () => ({ datasetId: DATASET, accessToken: TOKEN, audiences: [AUDIENCE] }),
  refused: () => ({ datasetId: DATASET, accessToken: 'EAAexpiredAccessToken' }),

  handle(request, state) {
    const body = record(request.body)
    const token =
      body['access_token'] ?? request.query['access_token'] ?? request.headers['authorization']?.replace(/^Bearer /, '')
    // https://developers.facebook.com/docs/graph-api/guides/error-handling: 190 with a subcode for an expired token.
    if (token !== TOKEN)
      return failure(400, 190, 'Error validating access token: Session has expired', {
        type: 'OAuthException',
        error_subcode: 463,
      })
    const [, audience = ''] = /^\/v\d+\.\d+\/(\d+)\/users$/.exec(request.path) ?? []
    if (audience !== '') return changeMembers(state.audiences.get(audience), request.method, body)
    const [, version, dataset, edge] = /^\/(v\d+\.\d+)\/(\d+)(\/events)?$/.exec(request.path) ?? []
    if (!version) return failure(400, 2500, 'Unknown path components')
    if (dataset !== DATASET)
      return failure(
        400,
        100,
        `Unsupported request. Object with ID '${dataset}' does not exist, cannot be loaded due to missing permissions`,
        { error_subcode: 33 },
      )
    if (!edge) return { status: 200, body: { id: DATASET } }
    state.requests++
    // https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api#batch-requests: up to 1,000 events.
    const data = body['data']
    if (!Array.isArray(data) || data.length === 0) return failure(400, 100, '(#100) param data must be non-empty.')
    if (data.length > 1000) return failure(400, 100, '(#100) param data must be an array of up to 1000 events')
    for (const [index, event] of data.entries()) {
      const wrong = invalid(record(event), request.now)
      // One wrong event refuses the whole request.
      if (wrong)
        return failure(400, 100, 'Invalid parameter', {
          error_subcode: wrong.subcode,
          error_user_msg: `data[${index}]: ${wrong.text}`,
          fbtrace_id: 'A1b2C3',
        })
    }
    for (const event of data.map(record)) {
      const key = `${event['event_name']}:${event['event_id']}`
      // https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
      if (body['test_event_code'] === undefined && !state.events.has(key)) state.events.set(key, event)
    }
    return { status: 200, body: { events_received: data.length, messages: [], fbtrace_id: 'A1b2C3' } }
  },
})

// https://developers.facebook.com/docs/marketing-api/reference/custom-audience/users/
function changeMembers(members: Set<string> | undefined, method: string, body: Record<string, unknown>): SandboxAnswer {
  if (!members) return failure(400, 100, 'Unsupported request. The audience does not exist', { error_subcode: 33 })
  const { schema, data } = record(body['payload'])
  if (!Array.isArray(schema) || !Array.isArray(data) || data.length === 0 || data.length > 10_000)
    return failure(400, 100, 'Invalid parameter', { error_subcode: 1870053 })
  let invalid = 0
  for (const row of data as unknown[][]) {
    const values = row.map(String)
    if (
      values.length !== schema.length ||
      values.every((value) => value === '') ||
      values.some((value) => value !== '' && !SHA256.test(value))
    ) {
      invalid++
      continue
    }
    for (const value of values.slice(0, 2))
      if (value === '') continue
      else if (method === 'POST') members.add(value)
      else members.delete(value)
  }
  return {
    status: 200,
    body: { num_received: data.length, num_invalid_entries: invalid, invalid_entry_samples: {}, session_id: '1' },
  }
}

// https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/server-event and …/customer-information-parameters
function invalid(event: Record<string, unknown>, now: Date): { subcode: number; text: string } | undefined {
  if (typeof event['event_name'] !== 'string' || event['event_name'] === '')
    return { subcode: 2804050, text: 'event_name is required' }
  const time = event['event_time']
  if (typeof time !== 'number' || !Number.isInteger(time))
    return { subcode: 2804004, text: 'event_time must be a Unix timestamp in seconds' }
  if (time < now.getTime() / 1000 - 7 * 86_400)
    return { subcode: 2804003, text: 'The timestamp for this event is too far in the past' }
  if (time > now.getTime() / 1000 + 60)
    return { subcode: 2804004, text: 'The timestamp for this event is in the future' }
  const sources = [
    'website',
    'app',
    'physical_store',
    'system_generated',
    'email',
    'phone_call',
    'chat',
    'business_messaging',
    'other',
  ]
  if (!sources.includes(String(event['action_source']))) return { subcode: 2804009, text: 'action_source is invalid' }
  const user = record(event['user_data'])
  if (event['action_source'] === 'website' && typeof user['client_user_agent'] !== 'string')
    return { subcode: 2804019, text: 'client_user_agent is required for website events' }
  if (Object.keys(user).length === 0)
    return { subcode: 2804050, text: 'This event does not have enough customer information parameters' }
  for (const name of ['em', 'ph', 'fn', 'ln', 'ct', 'st', 'zp', 'country'])
    for (const value of [user[name] ?? []].flat())
      if (!SHA256.test(String(value))) return { subcode: 2804007, text: `${name} must be hashed with SHA-256` }
  const custom = record(event['custom_data'])
  if (
    event['event_name'] === 'Purchase' &&
    (typeof custom['value'] !== 'number' || !/^[A-Z]{3}$/.test(String(custom['currency'])))
  )
    return { subcode: 2804008, text: 'Purchase needs value and currency' }
  return undefined
}

const failure = (status: number, code: number, message: string, more: object = {}): SandboxAnswer => ({
  status,
  body: { error: { message, type: 'GraphMethodException', code, ...more } },
})

const record = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
