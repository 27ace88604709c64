/** Segment's tracking API in miniature. */
import { basicKey, isLoose, type Loose } from '../../core/kit/index.ts'
import { defineSandbox, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface SegmentState {
  /** Taken, each messageId once. */
  events: Loose[]
  /** When each came, by messageId. */
  seen: Record<string, number>
  /** Times of the events of the last second. */
  recent: number[]
}

const WRITE_KEY = 'segment-sandbox-write-key'
const DAY = 86_400_000

export default defineSandbox<SegmentState>({
  connector: 'segment',
  state: () => ({ events: [], seen: {}, recent: [] }),
  settings: () => ({ writeKey: WRITE_KEY }),
  refused: () => ({ writeKey: 'segment-unknown-write-key' }),

  handle(request, state) {
    if (request.method !== 'POST' || request.path !== '/v1/batch') return failure(404, 'not found')
    // https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#max-request-size
    if (Buffer.byteLength(request.text) > 500 * 1024) return failure(400, 'request body too large')
    if (!isLoose(request.body)) return failure(400, 'malformed JSON')
    // …/http-api/#authentication: the key by Basic authentication or in the body. Segment may answer 200 to a wrong
    // one and drop the events; the answer here is the strict one of its documentation, so that a mistake shows.
    if ((basicKey(request.headers['authorization']) ?? request.body['writeKey']) !== WRITE_KEY)
      return failure(401, 'invalid write key')
    const { batch } = request.body
    if (!Array.isArray(batch) || batch.length === 0) return failure(400, 'batch is empty')
    for (const event of batch) {
      const wrong = faultOf(event)
      if (wrong !== undefined) return failure(400, wrong)
    }
    // https://segment.com/docs/connections/rate-limits/: 1,000 events a second per workspace.
    const now = request.now.getTime()
    state.recent = state.recent.filter((time) => time > now - 1000)
    if (state.recent.length + batch.length > 1000)
      return { ...failure(429, 'too many requests'), headers: { 'retry-after': '1' } }
    for (const event of batch as readonly Loose[]) {
      state.recent.push(now)
      // …/http-api/: messageId is deduplicated for 24 hours.
      const id = String(event['messageId'])
      if ((state.seen[id] ?? -Infinity) > now - DAY) continue
      state.seen[id] = now
      state.events.push(event)
    }
    return { status: 200, body: { success: true } }
  },
})

/** https://segment.com/docs/connections/spec/common/ and the pages of each call. */
function faultOf(event: unknown): string | undefined {
  if (!isLoose(event)) return 'event is not an object'
  if (Buffer.byteLength(JSON.stringify(event)) > 32 * 1024) return 'event too large'
  const { type } = event
  if (typeof type !== 'string' || !['identify', 'track', 'page', 'screen', 'group', 'alias'].includes(type))
    return 'unknown type'
  if (!event['userId'] && !event['anonymousId']) return 'userId or anonymousId is required'
  if (type === 'track' && !event['event']) return 'event is required'
  if (type === 'group' && !event['groupId']) return 'groupId is required'
  if (type === 'alias' && !event['previousId']) return 'previousId is required'
  if (typeof event['timestamp'] !== 'string' || Number.isNaN(Date.parse(event['timestamp']))) return 'invalid timestamp'
  return undefined
}

const failure = (status: number, message: string): SandboxAnswer => ({ status, body: { success: false, message } })
