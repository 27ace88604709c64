/**
 * The tester behind `anuente dev`: one page and its JSON calls, on this machine alone. Every call carries the token of
 * the page and the address it was opened at, so that no other page of the browser can use it.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { LoadedConfig } from '../../core/config.ts'
import { type PreviewCase, trials } from '../../core/delivery/preview.ts'
import type { AnyDestination, Registry } from '../../core/kit/define.ts'
import type { Transport } from '../../core/kit/http.ts'
import { createTransport } from '../../core/kit/transport.ts'
import {
  type DestinationExample,
  itemsOf,
  readBody,
  runAction,
  sandboxTransport,
  savedExamples,
} from '../../core/testing/example-run.ts'
import type { AnySandbox } from '../registry.ts'
import { startSandbox } from './sandbox.ts'
import { STANDARD_EVENTS } from './standard-events.ts'

const MOST_BYTES = 1_000_000
const TIMEOUT_MS = 15_000

export interface DevOptions {
  readonly definition: AnyDestination
  readonly registry: Registry
  readonly loaded: LoadedConfig | undefined
  readonly sandbox: AnySandbox | undefined
  /** Folder of the connector, where examples.json goes. */
  readonly folder: string
  /** 0: any free port. */
  readonly port: number
  /** Deliveries that failed, with everything personal replaced. Absent: no configuration, or nothing was run. */
  readonly failures?: FailedDeliveries | undefined
}

export interface FailedDeliveries {
  list(): Promise<readonly { id: string; action: string; reason: string; at: number }[]>
  /** @returns undefined when it is gone, or its event is no longer kept. */
  asCase(id: string): Promise<Pick<PreviewCase, 'action' | 'event' | 'profile' | 'with'> | undefined>
}

export interface DevServer {
  readonly url: string
  readonly token: string
  close(): Promise<void>
}

type Carrier = 'none' | 'sandbox' | 'vendor'
interface TryCall {
  readonly case: Omit<PreviewCase, 'destination'>
  readonly carrier: Carrier
}

/** A refusal with what to do. */
class Refused extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export async function startDev(options: DevOptions): Promise<DevServer> {
  const token = randomBytes(24).toString('base64url')
  const running = options.sandbox ? await startSandbox(options.sandbox) : undefined
  const examplesFile = join(options.folder, 'examples.json')
  let address = ''

  const transportOf = (carrier: Carrier): { carry?: Transport; close(): Promise<void> } => {
    if (carrier === 'none') return { close: async () => {} }
    if (carrier === 'sandbox') {
      if (!running) throw new Refused(409, `${options.definition.id} has no sandbox; write one in sandbox.ts.`)
      const carry = sandboxTransport(running.serving, options.definition.id, TIMEOUT_MS)
      return { carry, close: carry.close }
    }
    const carry = createTransport({ allowPrivate: options.loaded?.config.network?.allow ?? [], timeoutMs: TIMEOUT_MS })
    return { carry, close: carry.close }
  }

  const tryCase = async ({ case: given, carrier }: TryCall) => {
    const { carry, close } = transportOf(carrier)
    try {
      return await trials({ ...given, destination: options.definition.id }, { registry: options.registry }, carry)
    } finally {
      await close()
    }
  }

  /** Runs it as the contract suite does, so that what is saved is what the suite will see. */
  const save = async (given: Omit<DestinationExample, 'sends' | 'lookups'>): Promise<DestinationExample> => {
    if (!given.title?.trim()) throw new Refused(400, 'Give the example a title: it names the test.')
    if (!options.definition.actions[given.action]) throw new Refused(400, `no action is called ${given.action}`)
    const saved = savedExamples(examplesFile)
    if (saved.some(({ title, action }) => title === given.title && action === given.action))
      throw new Refused(409, 'An example of this action has this title already.')
    const settings = { ...running?.settings, ...given.settings }
    const answers: { status: number; body?: string | object }[] = []
    const { carry, close } = transportOf(running ? 'sandbox' : 'none')
    try {
      const { requests, results } = await runAction(
        options.definition,
        given.action,
        itemsOf(options.definition, given),
        {
          settings,
          transport: async (request) => {
            const answer = carry
              ? await carry(request)
              : { status: 200, headers: { 'content-type': 'application/json' }, text: '{}', json: {} }
            answers.push({ status: answer.status, body: (answer.json as object | undefined) ?? answer.text })
            return answer
          },
        },
      )
      const write = requests.at(-1)
      if (!write) throw new Refused(409, `nothing was sent: ${JSON.stringify(results[0] ?? {})}`)
      const base = baseOf(options.definition, settings)
      const below = (url: string) => (url.startsWith(base) ? url.slice(base.length) : url)
      const type = Object.entries(write.headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1]
      const body = write.body === undefined ? undefined : readBody(write.body, type)
      const example: DestinationExample = {
        ...given,
        ...(requests.length > 1 && {
          lookups: requests.slice(0, -1).map((request, index) => ({
            ...(request.method === 'POST' && { method: 'POST' as const }),
            path: below(request.url),
            answers: answers[index]!,
          })),
        }),
        sends: { method: write.method, path: below(write.url), ...(body !== undefined && { body }) },
        ...(answers.at(-1)!.status !== 200 && { answers: answers.at(-1)!, outcomes: results }),
      }
      writeFileSync(examplesFile, `${JSON.stringify([...saved, example], null, 2)}\n`)
      return example
    } finally {
      await close()
    }
  }

  const about = () => ({
    id: options.definition.id,
    name: options.definition.name,
    docs: options.definition.docs,
    settings: options.definition.settings,
    sandbox: running ? running.settings : null,
    actions: Object.entries(options.definition.actions).map(([name, action]) => ({
      name,
      title: action.title.en,
      purpose: action.purpose,
      kind: action.kind,
      identifier: action.identifier,
      idempotency: action.idempotency,
      payload: action.payload,
    })),
    events: STANDARD_EVENTS,
    examples: savedExamples(examplesFile),
    examplesFile: existsSync(examplesFile) ? examplesFile : null,
    failures: options.failures !== undefined,
  })

  const calls: Readonly<Record<string, (body: unknown) => Promise<unknown>>> = {
    'GET /api/connector': async () => about(),
    'POST /api/try': (body) => tryCase(body as TryCall),
    'POST /api/examples': (body) => save(body as Omit<DestinationExample, 'sends' | 'lookups'>),
    'GET /api/failures': async () => ({ items: (await options.failures?.list()) ?? [] }),
    'POST /api/failures': async (body) => {
      const found = await options.failures?.asCase(String((body as { id?: unknown }).id ?? ''))
      if (!found) throw new Refused(404, 'This delivery, or the event behind it, is no longer kept.')
      return found
    },
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      const refused = error instanceof Refused
      // What a connector throws here is for the person who is writing it; the page is theirs.
      send(response, refused ? error.status : 500, { error: { message: (error as Error).message } })
    })
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.headers.host !== address) throw new Refused(403, 'open the address that anuente dev printed')
    const url = new URL(request.url ?? '/', `http://${address}`)
    const file = request.method === 'GET' ? FILES[url.pathname] : undefined
    if (file) {
      response.writeHead(200, {
        'content-type': file.type,
        'cache-control': 'no-store',
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      response.end(readFileSync(new URL(file.path, import.meta.url)))
      return
    }
    const call = calls[`${request.method} ${url.pathname}`]
    if (!call) throw new Refused(404, 'there is nothing here')
    if (!same(String(request.headers['x-anuente-dev'] ?? ''), token))
      throw new Refused(403, 'open the address that anuente dev printed')
    send(response, 200, await call(request.method === 'POST' ? await readJson(request) : undefined))
  }
  await new Promise<void>((done, failed) => {
    server.once('error', failed)
    server.listen(options.port, '127.0.0.1', done)
  })
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${address}/#${token}`,
    token,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((done) => server.close(() => done()))
      await running?.close()
    },
  }
}

const FILES: Readonly<Record<string, { readonly path: string; readonly type: string }>> = {
  '/': { path: './page.html', type: 'text/html; charset=utf-8' },
  '/page.js': { path: './page.js', type: 'text/javascript; charset=utf-8' },
  '/page.css': { path: './page.css', type: 'text/css; charset=utf-8' },
}

function baseOf({ baseUrl }: AnyDestination, settings: unknown): string {
  return (typeof baseUrl === 'string' ? baseUrl : baseUrl(settings)).replace(/\/$/, '')
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > MOST_BYTES) throw new Refused(413, 'larger than 1 MB')
    parts.push(part)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown
  } catch {
    throw new Refused(400, 'this is no JSON')
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
