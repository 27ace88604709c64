/** A RudderStack data plane in miniature. */
import { basicKey, isLoose, type Loose } from '../../core/kit/index.ts'
import { defineSandbox, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface RudderState {
  /** Taken, each messageId once. */
  events: Loose[]
  /** When each came, by messageId. */
  seen: Record<string, number>
  /** Events per hour, as RateLimit.eventLimit of the server's config.yaml. */
  limit: number
  recent: number[]
}

const WRITE_KEY = 'rudder-sandbox-write-key'
const HOUR = 3_600_000

export default defineSandbox<RudderState>({
  connector: 'rudderstack',
  state: () => ({ events: [], seen: {}, limit: 1_000_000, recent: [] }),
  settings: () => ({ writeKey: WRITE_KEY, dataPlaneUrl: 'https://loja.dataplane.rudderstack.com' }),
  refused: () => ({ writeKey: 'rudder-unknown-write-key', dataPlaneUrl: 'https://loja.dataplane.rudderstack.com' }),

  handle(request, state) {
    // https://github.com/rudderlabs/rudder-server, app/health.go
    if (request.method === 'GET' && request.path === '/health')
      return {
        status: 200,
        body: {
          appType: 'EMBEDDED',
          server: 'UP',
          db: 'UP',
          acceptingEvents: 'TRUE',
          routingEvents: 'TRUE',
          mode: 'NORMAL',
        },
      }
    if (request.method !== 'POST' || request.path !== '/v1/batch') return said(404, '404 page not found')
    // https://www.rudderstack.com/docs/api/http-api/#error-codes, and gateway/response of rudder-server.
    const key = basicKey(request.headers['authorization'])
    if (key === undefined) return said(401, 'Failed to read writeKey from header')
    if (key !== WRITE_KEY) return said(401, 'Invalid Write Key')
    // …/http-api/: 4 MB a request, 32 KB an event, decompressed.
    if (Buffer.byteLength(request.text) > 4 * 1024 * 1024) return said(413, 'Request size exceeds max limit')
    if (!isLoose(request.body)) return said(400, 'Invalid JSON')
    const { batch } = request.body
    if (!Array.isArray(batch) || batch.length === 0) return said(400, 'Empty batch payload')
    for (const event of batch) {
      const wrong = faultOf(event)
      if (wrong !== undefined) return said(400, wrong)
    }
    const now = request.now.getTime()
    state.recent = state.recent.filter((time) => time > now - HOUR)
    if (state.recent.length + batch.length > state.limit) return said(429, 'Max Events Limit reached')
    for (const event of batch as readonly Loose[]) {
      state.recent.push(now)
      // Dedup of the server, where it is enabled; its window is 24 hours here, as DESTINATION.md asks for.
      const id = String(event['messageId'])
      if ((state.seen[id] ?? -Infinity) > now - 24 * HOUR) continue
      state.seen[id] = now
      state.events.push(event)
    }
    return said(200, 'OK')
  },
})

/** https://www.rudderstack.com/docs/event-spec/standard-events/common-fields/ and the pages of each call. */
function faultOf(event: unknown): string | undefined {
  if (!isLoose(event)) return 'Invalid JSON'
  if (Buffer.byteLength(JSON.stringify(event)) > 32 * 1024) return 'Request size exceeds max limit'
  const { type } = event
  if (typeof type !== 'string' || !['identify', 'track', 'page', 'screen', 'group', 'alias'].includes(type))
    return 'Invalid event type'
  if (!event['userId'] && !event['anonymousId']) return 'Request neither has anonymousId nor userId'
  if (type === 'track' && !event['event']) return 'event is required'
  if (type === 'group' && !event['groupId']) return 'groupId is required'
  if (type === 'alias' && !event['previousId']) return 'previousId is required'
  if (typeof event['originalTimestamp'] !== 'string') return 'originalTimestamp is required'
  return undefined
}

const said = (status: number, body: string): SandboxAnswer => ({ status, body })
