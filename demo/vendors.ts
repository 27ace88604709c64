/**
 * The vendors of the demo on one port: every connector's sandbox at /<connector>/…, switches that make one of them
 * fail, and an inbox that shows what each received. Nothing here reaches a real vendor.
 */
import { sandboxes } from '../connectors/index.ts'
import { type Sandbox, type SandboxAnswer, type SandboxRequest, serveSandboxes } from '../core/testing/sandbox.ts'
import { type ChaosOrder, createChaos, lie, troubled } from './chaos.ts'
import { createInbox, inboxPage, type Receipt } from './inbox.ts'
import type { Mail } from './mail.ts'

export interface Vendors {
  readonly origin: string
  readonly connectors: readonly string[]
  /** Value of `destinations.<id>.sandbox`. */
  url(connector: string): string
  /** Simulated credentials that the sandbox takes. */
  settings(connector: string): Record<string, unknown>
  /** Newest first; the last 200 of each vendor. */
  receipts(connector?: string): readonly Receipt[]
  count(connector: string): number
  /** A mail of the hub itself, to be seen beside what the vendors received. */
  noteMail(mail: Mail): void
  /** @throws TypeError when the order cannot be read. */
  breakVendor(order: Partial<ChaosOrder> & { connector: string }): void
  close(): Promise<void>
}

export interface VendorOptions {
  /** 0 or absent: any free port. */
  readonly port?: number
  /** Decides which requests an ordered failure happens to. */
  readonly random?: () => number
  /** Told of every request a vendor has taken or refused; before `inbox` forgets it. */
  readonly observe?: (receipt: Receipt) => void
}

/** Name under which the hub's own mails stand in the inbox. */
const MAIL = 'mail'

export async function startVendors(options: VendorOptions = {}): Promise<Vendors> {
  const all = Object.values(sandboxes) as unknown as Sandbox[]
  const connectors = all.map(({ connector }) => connector)
  const byId = new Map(all.map((sandbox) => [sandbox.connector, sandbox]))
  const chaos = createChaos(connectors, options.random)
  const inbox = createInbox()
  const struck = new WeakMap<SandboxRequest, string | number>()
  const note = (connector: string, request: SandboxRequest, answer: SandboxAnswer | undefined) => {
    inbox.note(connector, request, answer, struck.get(request))
    options.observe?.(inbox.receipts(connector)[0]!)
  }

  const server = await serveSandboxes(all, {
    ...(options.port !== undefined && { port: options.port }),
    async intercept(connector, request) {
      if (connector.startsWith('_')) return answerOwn(connector, request)
      const sandbox = byId.get(connector)
      const strike = sandbox && chaos.strike(connector)
      if (!strike) return undefined
      if (strike.latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, strike.latencyMs))
      const { fail } = strike
      if (fail === undefined) return undefined
      struck.set(request, fail)
      if (fail === 'hang' || fail === 'timeout') {
        if (fail === 'timeout') sandbox.handle(request, server.state(sandbox))
        note(connector, request, undefined)
        return 'silence'
      }
      return fail === 'lie' ? lie(connector) : troubled(fail)
    },
    observe(connector, request, answer) {
      if (byId.has(connector)) note(connector, request, answer)
    },
  })

  function answerOwn(connector: string, request: SandboxRequest): SandboxAnswer {
    if (connector === '_inbox' && request.method === 'GET') return showInbox(request)
    if (connector === '_chaos' && request.method === 'GET')
      return { status: 200, body: { simulated: true, standing: chaos.standing() } }
    if (connector !== '_chaos' || request.method !== 'POST')
      return { status: 404, body: { error: 'GET /_inbox, GET /_chaos, POST /_chaos' } }
    // A page of another site may post plain text to this address; JSON it may not, and the port is only on this machine.
    if (request.headers['origin'] !== undefined && request.headers['origin'] !== server.origin)
      return { status: 403, body: { error: 'other origins may not order failures' } }
    const order = chaos.order(request.body)
    return 'error' in order
      ? { status: 400, body: order }
      : { status: 200, body: { simulated: true, standing: chaos.standing() } }
  }

  function showInbox({ query, headers }: SandboxRequest): SandboxAnswer {
    const wanted = query['fornecedor'] ?? query['connector']
    const connector = wanted !== undefined && (byId.has(wanted) || wanted === MAIL) ? wanted : undefined
    if (query['formato'] !== 'html' && !(headers['accept'] ?? '').includes('text/html'))
      return { status: 200, body: { simulated: true, received: inbox.receipts(connector) } }
    return {
      status: 200,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      },
      body: inboxPage({
        inbox,
        // Of the many sandboxes only those that the demo's hub uses.
        connectors: [...connectors, MAIL].filter((id) => inbox.count(id) > 0),
        chaos: chaos.standing(),
        paused: query['pausar'] === '1',
        origin: server.origin,
        ...(connector !== undefined && { connector }),
      }),
    }
  }

  return {
    origin: server.origin,
    connectors,
    url: server.baseUrl,
    settings: (connector) => byId.get(connector)?.settings(server.baseUrl(connector)) ?? {},
    receipts: inbox.receipts,
    count: inbox.count,
    noteMail({ to, subject, text }) {
      const request = { method: 'SMTP', path: to.join(', '), query: {}, headers: {}, text: '', now: new Date() }
      inbox.note(MAIL, { ...request, body: { subject, text } } as SandboxRequest, { status: 250 })
    },
    breakVendor(order) {
      const read = chaos.order(order)
      if ('error' in read) throw new TypeError(read.error)
    },
    close: server.close,
  }
}
