/** TikTok Business API in miniature: everything is 200, the code says what it means. */
import { defineSandbox, fieldsOf, listOf, routed, type SandboxAnswer } from '../../core/testing/sandbox.ts'

export interface TikTokState {
  /** Counted once per event and event_id. */
  readonly events: Map<string, Record<string, unknown>>
  readonly audiences: Map<string, Set<string>>
}

const TOKEN = 'tiktok-sandbox-token-0123456789'
const AUDIENCE = '7300000000000000001'
const SHA256 = /^[0-9a-f]{64}$/

// https://business-api.tiktok.com/portal/docs?id=1737172488964097
const said = (code: number, message: string): SandboxAnswer => ({
  status: 200,
  body: { code, message, request_id: '2026112412000001', data: {} },
})

export default defineSandbox<TikTokState>({
  connector: 'tiktok',
  state: () => ({ events: new Map(), audiences: new Map([[AUDIENCE, new Set()]]) }),
  settings: () => ({
    accessToken: TOKEN,
    pixelCode: 'C4A1B2C3D4E5F6G7H8I9',
    advertiserId: '6900000001',
    audiences: [AUDIENCE],
  }),
  refused: () => ({
    accessToken: 'tiktok-revoked-token',
    pixelCode: 'C4A1B2C3D4E5F6G7H8I9',
    advertiserId: '6900000001',
    audiences: [AUDIENCE],
  }),
  handle: routed<TikTokState>({
    refuse: ({ headers }) =>
      headers['access-token'] === TOKEN ? undefined : said(40105, 'Access token is incorrect or has been revoked.'),
    missing: { status: 404, body: 'not found' },
    routes: [
      {
        method: 'POST',
        path: /^\/open_api\/v1\.3\/event\/track\/$/,
        answer: ({ body }, state) => {
          const request = fieldsOf(body)
          const data = listOf(request['data'])
          if (request['event_source_id'] !== 'C4A1B2C3D4E5F6G7H8I9')
            return said(40001, 'No permission to the event source')
          if (data.length === 0 || data.length > 1000) return said(40002, 'data: 1 to 1000 events')
          for (const event of data) {
            const user = fieldsOf(event['user'])
            // One wrong event refuses the whole request.
            if (!Number.isInteger(event['event_time'])) return said(40002, 'event_time must be a Unix timestamp')
            if (
              [user['email'], user['phone'], user['external_id']].some(
                (value) => value !== undefined && !SHA256.test(String(value)),
              )
            )
              return said(40002, 'user data must be hashed with SHA-256')
            if (event['event'] === 'Purchase' && typeof fieldsOf(event['properties'])['value'] !== 'number')
              return said(40002, 'Purchase needs a value')
          }
          for (const event of data) state.events.set(`${event['event']}:${event['event_id']}`, event)
          return said(0, 'OK')
        },
      },
      {
        // https://business-api.tiktok.com/portal/docs?id=1739940507792385
        method: 'POST',
        path: /^\/open_api\/v1\.3\/segment\/mapping\/$/,
        answer: ({ body }, state) => {
          const request = fieldsOf(body)
          const rows = request['batch_data']
          if (!Array.isArray(rows) || rows.length === 0) return said(40002, 'batch_data is empty')
          for (const cell of rows.flat().map(fieldsOf))
            for (const id of (cell['audience_ids'] as string[] | undefined) ?? []) {
              const members = state.audiences.get(id)
              if (!members || !SHA256.test(String(cell['id']))) return said(40002, 'audience or id is invalid')
              if (request['action'] === 'add') members.add(String(cell['id']))
              else members.delete(String(cell['id']))
            }
          return said(0, 'OK')
        },
      },
    ],
  }),
})
