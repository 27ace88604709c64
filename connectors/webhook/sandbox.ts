/** A receiver that does what docs/destinations/webhook asks of one: verifies, and counts a delivery once. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { defineSandbox, type SandboxRequest } from '../../core/testing/sandbox.ts'

export interface WebhookState {
  /** Bodies by idempotency key. */
  received: Map<string, unknown>
  repeats: number
}

const SECRET = 'webhook-sandbox-secret-0123456789'

export default defineSandbox<WebhookState>({
  connector: 'webhook',
  state: () => ({ received: new Map(), repeats: 0 }),
  settings: () => ({ url: 'https://api.loja.example/anuente', secret: SECRET }),
  refused: () => ({ url: 'https://api.loja.example/anuente', secret: 'another-secret-than-the-receiver-has' }),

  handle(request, state) {
    if (request.path !== '/anuente') return { status: 404, body: { error: 'not found' } }
    if (!signed(request)) return { status: 401, body: { error: 'signature does not match' } }
    if (request.body === undefined) return { status: 400, body: { error: 'the body is not JSON' } }
    // https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    const key = request.headers['idempotency-key']
    if (!key) return { status: 400, body: { error: 'Idempotency-Key is missing' } }
    if (state.received.has(key)) state.repeats++
    else state.received.set(key, request.body)
    return { status: 202, body: { accepted: true } }
  },
})

/** `t=<seconds>,v1=<hex>` over `<seconds>.<body>`, not older than five minutes. */
function signed({ headers, text, now }: SandboxRequest): boolean {
  const [, seconds = '', given = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['x-anuente-signature'] ?? '') ?? []
  if (given === '' || Math.abs(now.getTime() / 1000 - Number(seconds)) > 300) return false
  const expected = createHmac('sha256', SECRET).update(`${seconds}.${text}`, 'utf8').digest()
  return timingSafeEqual(expected, Buffer.from(given, 'hex'))
}
