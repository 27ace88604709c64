/** A source behind a real socket, as small as it can be, so that the vendor's own SDK can be pointed at it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import type { Static, TObject } from 'typebox'
import type { HttpAnswer, RawRequest, SourceDefinition, SourceEvent } from '../kit/define.ts'
import { eventsOf } from './source-contract.ts'

export interface SourceServer {
  readonly url: string
  /** As they came, refused ones included. */
  readonly requests: readonly RawRequest[]
  readonly events: readonly SourceEvent[]
  close(): void
}

/**
 * @param options.overloaded so many requests are answered 429 first.
 */
export async function serveSource<S extends TObject>(
  source: SourceDefinition<S>,
  settings: Static<S>,
  options: { readonly overloaded?: number } = {},
): Promise<SourceServer> {
  const requests: RawRequest[] = []
  const events: SourceEvent[] = []

  const answer = async (request: RawRequest): Promise<HttpAnswer> => {
    if (requests.length <= (options.overloaded ?? 0)) return { status: 429, headers: { 'retry-after': '0' } }
    if ((await source.verify(request, settings)) !== true) return { status: 401 }
    const route = source.routes.find(({ method, path }) => method === request.method && path === request.path)
    if (route?.reply && source.reply) return source.reply(request, settings, source.id)
    const items = source.normalize(request, settings)
    const found = eventsOf(items)
    events.push(...found)
    return source.accept(request, { recorded: found.length, quarantined: items.length - found.length })
  }

  const server = createServer(async (message: IncomingMessage, response: ServerResponse) => {
    const request = await receive(message)
    requests.push(request)
    const { status, headers, body } = await answer(request)
    response.writeHead(status, { ...headers }).end(typeof body === 'object' ? JSON.stringify(body) : body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    events,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function receive(message: IncomingMessage): Promise<RawRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const url = new URL(message.url ?? '/', 'http://127.0.0.1')
  return {
    method: message.method ?? 'GET',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)])),
    body: message.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body,
    receivedAt: new Date().toISOString(),
    ip: '127.0.0.1',
  }
}
