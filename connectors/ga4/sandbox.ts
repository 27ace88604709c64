/** GA4 Measurement Protocol in miniature: takes everything with 204, keeps only what is right. */
import { defineSandbox, fieldsOf, listOf, type SandboxRequest } from '../../core/testing/sandbox.ts'

export interface Ga4State {
  readonly events: { readonly clientId: string; readonly name: string; readonly params: Record<string, unknown> }[]
}

const SECRET = 'ga4-sandbox-api-secret'
const ID = 'G-SANDBOX1'

export default defineSandbox<Ga4State>({
  connector: 'ga4',
  state: () => ({ events: [] }),
  settings: () => ({ measurementId: ID, apiSecret: SECRET }),
  refused: () => ({ measurementId: ID, apiSecret: 'ga4-deleted-secret' }),

  handle(request, state) {
    if (request.method !== 'POST' || !/^\/(debug\/)?mp\/collect$/.test(request.path)) return { status: 404 }
    const flaws = flawsOf(request)
    // https://developers.google.com/analytics/devguides/collection/protocol/ga4/validating-events: the debug server
    // does not check the secret and records nothing.
    if (request.path.startsWith('/debug')) return { status: 200, body: { validationMessages: flaws } }
    // https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference: always 2xx, valid or not.
    if (flaws.length === 0 && request.query['api_secret'] === SECRET && request.query['measurement_id'] === ID) {
      const body = fieldsOf(request.body)
      for (const event of listOf(body['events']))
        state.events.push({
          clientId: String(body['client_id']),
          name: String(event['name']),
          params: fieldsOf(event['params']),
        })
    }
    return { status: 204 }
  },
})

const flaw = (validationCode: string, fieldPath: string, description: string) => ({
  validationCode,
  fieldPath,
  description,
})

// https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events#limitations
function flawsOf({ body: received, text, now }: SandboxRequest) {
  const body = fieldsOf(received)
  const events = listOf(body['events'])
  const found = [
    ...(typeof body['client_id'] === 'string' && body['client_id'] !== ''
      ? []
      : [flaw('VALUE_REQUIRED', 'client_id', 'Measurement requires a client_id.')]),
    ...(Buffer.byteLength(text) > 130_000 ? [flaw('VALUE_OUT_OF_BOUNDS', '', 'The body is larger than 130 kB.')] : []),
    ...(events.length === 0 || events.length > 25
      ? [flaw('EXCEEDED_MAX_ENTITIES', 'events', 'A request holds 1 to 25 events.')]
      : []),
  ]
  const micros = body['timestamp_micros']
  if (micros !== undefined && (typeof micros !== 'number' || now.getTime() - micros / 1000 > 72 * 3_600_000))
    found.push(flaw('VALUE_OUT_OF_BOUNDS', 'timestamp_micros', 'Events can be backdated up to 72 hours.'))
  for (const consent of Object.values(fieldsOf(body['consent'])))
    if (consent !== 'GRANTED' && consent !== 'DENIED')
      found.push(flaw('VALUE_INVALID', 'consent', 'GRANTED or DENIED.'))
  for (const data of Object.values(fieldsOf(body['user_data'])).flat())
    if (typeof data === 'string' && !/^[0-9a-f]{64}$/.test(data))
      found.push(flaw('VALUE_INVALID', 'user_data', 'Must be SHA-256 in hexadecimal.'))
  for (const event of events) {
    if (!/^[A-Za-z]\w{0,39}$/.test(String(event['name'])))
      found.push(flaw('NAME_INVALID', 'events', 'Letters, digits and underscores, up to 40.'))
    const params = Object.entries(fieldsOf(event['params']))
    if (params.length > 25) found.push(flaw('EXCEEDED_MAX_ENTITIES', 'events.params', 'Up to 25 parameters.'))
    for (const [name, value] of params) {
      if (name.length > 40) found.push(flaw('NAME_INVALID', `events.params.${name}`, 'Up to 40 characters.'))
      const longest =
        name === 'page_location' ? 1000 : name === 'page_referrer' ? 420 : name === 'page_title' ? 300 : 100
      if (typeof value === 'string' && value.length > longest)
        found.push(flaw('VALUE_OUT_OF_BOUNDS', `events.params.${name}`, `Up to ${longest} characters.`))
    }
  }
  return found
}
