/**
 * The only way a request leaves for a vendor. Every write takes the destination's slot and the
 * last look (fences, status, goal) before its bytes; a look-up takes the slot alone.
 */
import { gunzipSync, gzipSync } from 'node:zlib'
import axios, { type AxiosInstance, type AxiosResponse, type InternalAxiosRequestConfig, isAxiosError } from 'axios'
import type { Outcome } from './define.ts'
import { AuthenticationError, RejectedError, RetryableError } from './errors.ts'

export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Always readable text. With `content-encoding: gzip` among the headers it is compressed on the way. */
  readonly body?: string
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** Parsed when the body is JSON. */
  readonly json: unknown
}

export interface RequestOptions {
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

export interface Http {
  /**
   * A write: slot, last look, bytes, verdict.
   * @throws RetryableError, AuthenticationError, RejectedError by the verdict; HandOverRefused when the last look says no.
   */
  request(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: RequestOptions): Promise<HttpResponse>
  /** A look-up before the write: GET, or POST where the vendor's search takes JSON. Same errors; 404 is an answer here. */
  lookup(path: string, options?: RequestOptions): Promise<HttpResponse>
  /** A write made by a vendor's own SDK: slot, last look, bytes; every status is an answer. */
  send(request: HttpRequest): Promise<HttpResponse>
}

/** The last look said no: the attempt is cancelled, nothing left. */
export class HandOverRefused extends Error {
  override readonly name = 'HandOverRefused'
}

export interface HttpOptions {
  readonly baseUrl: string
  readonly headers: Readonly<Record<string, string>> | ChangingHeaders
  readonly verdict?: ((response: HttpResponse) => Outcome | undefined) | undefined
  /** Resolves when the destination's quota allows one more request. */
  readonly slot: <T>(job: () => Promise<T>) => Promise<T>
  /** Throws HandOverRefused when any item of this request may not leave. Runs inside the slot, just before the bytes. */
  readonly lastLook: (request: HttpRequest) => Promise<void>
  readonly transport: Transport
}

/** Headers with a credential that is replaced in time. What they throw is thrown by the request; nothing left then. */
export interface ChangingHeaders {
  next(): Promise<Readonly<Record<string, string>>>
  /** Others, after the vendor answered 401 to these. */
  afterRefusal(refused: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>
  /** The vendor answered 401 to those as well. */
  refusedAgain(refused: Readonly<Record<string, string>>): Promise<void>
}

/** Carries bytes. Throws RetryableError when no answer came. */
export type Transport = (request: HttpRequest) => Promise<HttpResponse>

export function createHttp(options: HttpOptions): Http {
  const build = (method: string, path: string, extra: RequestOptions = {}) => {
    const url = new URL(/^https?:/.test(path) ? path : options.baseUrl.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(extra.query ?? {})) url.searchParams.set(name, value)
    const body =
      extra.json !== undefined
        ? JSON.stringify(extra.json)
        : extra.form
          ? new URLSearchParams(extra.form).toString()
          : undefined
    const type =
      extra.json !== undefined ? 'application/json' : extra.form ? 'application/x-www-form-urlencoded' : undefined
    return (headers: Readonly<Record<string, string>>): HttpRequest => ({
      method,
      url: url.href,
      headers: {
        accept: 'application/json',
        ...(type && { 'content-type': type }),
        ...headers,
        ...extra.headers,
      },
      ...(body !== undefined && { body }),
    })
  }
  /** Asked for a credential before the last look, so that nothing slow stands between that and the bytes. */
  const exchange = async (
    request: (headers: Readonly<Record<string, string>>) => HttpRequest,
    look: (request: HttpRequest) => Promise<void>,
  ): Promise<HttpResponse> => {
    const { headers } = options
    const carry = async (given: Readonly<Record<string, string>>) => {
      const built = request(given)
      await look(built)
      return options.transport(built)
    }
    if (!isChanging(headers)) return carry(headers)
    const first = await headers.next()
    const response = await carry(first)
    if (response.status !== 401) return response
    const others = await headers.afterRefusal(first)
    const second = await carry(others)
    if (second.status === 401) await headers.refusedAgain(others)
    return second
  }
  const write = (request: (headers: Readonly<Record<string, string>>) => HttpRequest) =>
    options.slot(() => exchange(request, options.lastLook))
  return {
    async request(method, path, extra) {
      const response = await write(build(method, path, extra))
      raise(options.verdict?.(response) ?? judge(response))
      return response
    },
    async lookup(path, extra) {
      const method = extra?.json === undefined ? 'GET' : 'POST'
      const response = await options.slot(() => exchange(build(method, path, extra), async () => {}))
      if (response.status !== 404) raise(options.verdict?.(response) ?? judge(response))
      return response
    },
    send: (request) =>
      options.slot(async () => {
        await options.lastLook(request)
        return options.transport(request)
      }),
  }
}

const isChanging = (headers: HttpOptions['headers']): headers is ChangingHeaders =>
  typeof headers['next'] === 'function'

/** The verdict by status alone. Reasons carry the status, never the vendor's text: it may hold personal data. */
export function judge(response: HttpResponse): Outcome {
  const { status } = response
  if (status >= 200 && status < 300) return { status: 'delivered', answer: String(status) }
  const retryAfterMs = readRetryAfter(response.headers['retry-after'])
  if (status === 429 || status === 408 || status === 425 || status >= 500)
    return { status: 'retry', reason: `HTTP ${status}`, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  if (status === 401 || status === 403) return { status: 'authentication', reason: `HTTP ${status}` }
  return { status: 'rejected', reason: `HTTP ${status}` }
}

function raise(outcome: Outcome): void {
  if (outcome.status === 'retry') throw new RetryableError(outcome.reason, { retryAfterMs: outcome.retryAfterMs })
  if (outcome.status === 'authentication') throw new AuthenticationError(outcome.reason)
  if (outcome.status === 'rejected') throw new RejectedError(outcome.reason)
}

/** RFC 9110 §10.2.3: seconds or a date. Milliseconds from now; undefined when absent or unreadable. */
export function readRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (!value) return undefined
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Milliseconds until an absolute time in a header, in epoch seconds; undefined when absent or unreadable. */
export function readResetTime(value: string | undefined, now = Date.now()): number | undefined {
  const seconds = Number(value)
  return value !== undefined && value !== '' && Number.isFinite(seconds) ? Math.max(0, seconds * 1000 - now) : undefined
}

/** Errors after which the vendor cannot have read the request. */
const NOTHING_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_BLOCKED_HOST',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The bytes of a body as they travel. */
export const wireBody = ({ headers, body }: HttpRequest): string | Buffer | undefined =>
  body !== undefined && headers['content-encoding'] === 'gzip' ? gzipSync(body) : body

/** Axios as the transport: no redirects (a redirected POST loses its body), text in, text out. */
export function axiosTransport(client: AxiosInstance = axios.create(), timeoutMs = 15_000): Transport {
  return async (request) => {
    try {
      const response: AxiosResponse<string> = await client.request({
        method: request.method,
        url: request.url,
        headers: { ...request.headers },
        ...(request.body !== undefined && { data: wireBody(request) }),
        timeout: timeoutMs,
        maxRedirects: 0,
        responseType: 'text',
        transformRequest: [(data: unknown) => data],
        transformResponse: [(data: unknown) => data],
        validateStatus: () => true,
      })
      return readResponse(response.status, response.headers as Record<string, unknown>, response.data)
    } catch (error) {
      const code = isAxiosError(error)
        ? (error.code ?? (error.cause as { code?: string } | undefined)?.code ?? 'ERR_NETWORK')
        : 'ERR_NETWORK'
      // The message of an axios error may hold the URL; only the code leaves here.
      throw new RetryableError(`no answer (${code})`, { uncertain: !NOTHING_SENT.has(code) })
    }
  }
}

/** An axios for a vendor's SDK, whose requests `carry` sends. What `carry` throws comes out of it unchanged. */
export function axiosOver(carry: Transport): AxiosInstance {
  return axios.create({
    // An SDK that compresses its JSON names no type, and axios would call it a form.
    headers: { 'content-type': 'application/json' },
    async adapter(config) {
      const response = await carry(requestOf(config))
      return { status: response.status, statusText: '', headers: response.headers, data: response.text, config }
    },
  })
}

/** What axios' own adapters would send: credentials by Basic authentication; the body as text, for the last look. */
function requestOf({ url = '', method = 'get', headers, auth, data }: InternalAxiosRequestConfig): HttpRequest {
  const given = Object.entries(headers.toJSON()).map(([name, value]) => [name.toLowerCase(), String(value)])
  const credentials = auth && Buffer.from(`${auth.username}:${auth.password ?? ''}`).toString('base64')
  const body = Buffer.isBuffer(data) ? gunzipSync(data).toString('utf8') : (data as string | undefined)
  return {
    url,
    method: method.toUpperCase(),
    headers: { ...Object.fromEntries(given), ...(credentials && { authorization: `Basic ${credentials}` }) },
    ...(body !== undefined && { body }),
  }
}

export function readResponse(
  status: number,
  headers: Readonly<Record<string, unknown>>,
  text: string | undefined,
): HttpResponse {
  const body = text ?? ''
  let json: unknown
  try {
    json = body === '' ? undefined : JSON.parse(body)
  } catch {
    json = undefined // An HTML error page: judged by its status.
  }
  return {
    status,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)])),
    text: body,
    json,
  }
}
