/**
 * A vendor in miniature: answers as its documentation says (credentials, limits, validation,
 * error bodies, per-item results), keeps its state in memory, sends nothing anywhere. Contract
 * tests talk to it over sockets; the demo mounts all of them on one port.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import type { OAuthAccount } from './oauth-account.ts'

export { createOAuthAccount, type OAuthAccount } from './oauth-account.ts'

export interface SandboxRequest {
  readonly method: string
  /** Below the sandbox's own mount point, without the query. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** Names lower-cased. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** Parsed JSON or form; undefined when there is none or it is broken. */
  readonly body: unknown
  readonly now: Date
}

export interface SandboxAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string goes as it is, anything else as JSON. */
  readonly body?: unknown
}

export interface Sandbox<State = unknown> {
  /** Id of the connector; also the first segment of its mounted path. */
  readonly connector: string
  /** A fresh account at the vendor. */
  state(): State
  /**
   * Valid settings with simulated credentials. The vendor's own addresses are replaced on the way
   * (`destinations.<id>.sandbox`); `baseUrl`, where the sandbox is mounted, is for a connector that must name it.
   */
  settings(baseUrl: string): Record<string, unknown>
  /** The same with credentials that the vendor refuses. */
  refused(baseUrl: string): Record<string, unknown>
  handle(request: SandboxRequest, state: State): SandboxAnswer
  /** Of a vendor whose accounts are connected by OAuth: settings that name the client, and the account behind them. */
  readonly oauth?: {
    settings(baseUrl: string): Record<string, unknown>
    account(state: State): OAuthAccount
  }
}

export function defineSandbox<State>(sandbox: Sandbox<State>): Sandbox<State> {
  return sandbox
}

export interface SandboxRoute<State> {
  readonly method: string
  /** Against the whole path; its groups, decoded, are handed to `answer`. */
  readonly path: RegExp
  readonly answer: (request: SandboxRequest, state: State, ...groups: string[]) => SandboxAnswer
}

/** The handling of a vendor that is a table of routes behind one credential. */
export function routed<State>(table: {
  /** Pages of the vendor that stand before any credential; undefined when this is none. */
  readonly open?: (request: SandboxRequest, state: State) => SandboxAnswer | undefined
  /** The vendor's refusal, or undefined when the credentials are right. */
  readonly refuse: (request: SandboxRequest, state: State) => SandboxAnswer | undefined
  readonly routes: readonly SandboxRoute<State>[]
  readonly missing: SandboxAnswer
}): Sandbox<State>['handle'] {
  return (request, state) => {
    const answered = table.open?.(request, state) ?? table.refuse(request, state)
    if (answered) return answered
    for (const { method, path, answer } of table.routes) {
      const found = method === request.method ? path.exec(request.path) : null
      if (found) return answer(request, state, ...found.slice(1).map((group) => decodeURIComponent(group ?? '')))
    }
    return table.missing
  }
}

/** What was received, as an object; empty when it is none. */
export const fieldsOf = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/** The objects of a list; empty when it is none. */
export const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(fieldsOf) : [])

export interface RunningSandboxes {
  readonly origin: string
  /** Where a connector's settings must point. */
  baseUrl(connector: string): string
  state<State>(sandbox: Sandbox<State>): State
  close(): Promise<void>
}

export interface SandboxServing {
  /** 0: any free port. */
  readonly port?: number
  /** The vendors' clock; the machine's when absent. */
  readonly now?: () => Date
  /** Asked before the vendor: an answer of its own, a cut connection, silence, or nothing (the vendor answers). */
  readonly intercept?: (
    connector: string,
    request: SandboxRequest,
  ) => SandboxAnswer | 'cut' | 'silence' | undefined | Promise<SandboxAnswer | 'cut' | 'silence' | undefined>
  /** Told after each answer. */
  readonly observe?: (connector: string, request: SandboxRequest, answer: SandboxAnswer) => void
}

/** Mounts each sandbox at `http://127.0.0.1:<port>/<connector>/`. */
export async function serveSandboxes(
  sandboxes: readonly Sandbox[],
  serving: SandboxServing = {},
): Promise<RunningSandboxes> {
  const states = new Map<string, unknown>(sandboxes.map((sandbox) => [sandbox.connector, sandbox.state()]))
  const server = createServer(async (incoming, outgoing) => {
    const { connector, request } = await read(incoming, serving.now?.() ?? new Date())
    const sandbox = sandboxes.find((candidate) => candidate.connector === connector)
    const intercepted = await serving.intercept?.(connector, request)
    if (intercepted === 'silence') return
    if (intercepted === 'cut') {
      incoming.socket.destroy()
      return
    }
    const answer =
      intercepted ??
      (sandbox ? sandbox.handle(request, states.get(connector)) : { status: 404, body: { error: 'no such sandbox' } })
    serving.observe?.(connector, request, answer)
    const text =
      typeof answer.body === 'string' ? answer.body : answer.body === undefined ? '' : JSON.stringify(answer.body)
    outgoing.writeHead(answer.status, {
      ...(text !== '' && { 'content-type': typeof answer.body === 'string' ? 'text/plain' : 'application/json' }),
      ...answer.headers,
    })
    outgoing.end(text)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(serving.port ?? 0, '127.0.0.1', resolve)
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    baseUrl: (connector) => `${origin}/${connector}`,
    state: <State>(sandbox: Sandbox<State>) => states.get(sandbox.connector) as State,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function read(incoming: IncomingMessage, now: Date): Promise<{ connector: string; request: SandboxRequest }> {
  const url = new URL(incoming.url ?? '/', 'http://sandbox')
  const [, connector = '', rest = ''] = /^\/([^/]*)(\/.*)?$/.exec(url.pathname) ?? []
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]))
  const bytes = Buffer.concat(chunks)
  const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString('utf8')
  return {
    connector,
    request: {
      method: incoming.method ?? 'GET',
      path: rest || '/',
      query: Object.fromEntries(url.searchParams),
      headers,
      text,
      body: parse(text, headers['content-type'] ?? ''),
      now,
    },
  }
}

function parse(text: string, type: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return type.includes('x-www-form-urlencoded') ? Object.fromEntries(new URLSearchParams(text)) : undefined
  }
}
