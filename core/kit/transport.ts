/**
 * The production transport: axios over an undici agent (three times faster than axios' own
 * adapter), keep-alive, no redirects. It refuses hosts nobody declared and private addresses
 * nobody allowed; a name is resolved once and connected to by that address, so that it cannot
 * answer differently between the check and the connection.
 */
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import axios, {
  AxiosHeaders,
  type AxiosRequestConfig,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from 'axios'
import { Agent, type Dispatcher, Pool } from 'undici'
import { RejectedError, RetryableError } from './errors.ts'
import { type HttpRequest, readResponse, type Transport, wireBody } from './http.ts'
import { MAIL_ADDRESS, mailOverHttp } from './mail-request.ts'
import type { createMailCarrier } from './smtp.ts'

export const MAX_ANSWER_BYTES = 1024 * 1024

export interface TransportOptions {
  /** `host` or `host:port` on private networks that may be reached (network.allow). */
  readonly allowPrivate: readonly string[]
  /** Requests for `vendorOrigin` go to `target` instead; nothing else leaves. */
  readonly sandbox?: { readonly vendorOrigin: string; readonly target: string }
  /** From the call to the last byte of the answer. */
  readonly timeoutMs: number
  /** Declared hosts, `*.` standing for any subdomain. Absent: any public host. */
  readonly hosts?: readonly string[]
}

export type ClosableTransport = Transport & { readonly close: () => Promise<void> }

export function createTransport(options: TransportOptions): ClosableTransport {
  const sandboxHost = options.sandbox && withPort(new URL(options.sandbox.target))
  const allowed = new Set(
    [...options.allowPrivate, ...(sandboxHost ? [sandboxHost] : [])].map((host) => host.toLowerCase()),
  )
  const mayBePrivate = (url: URL) => allowed.has(bare(url)) || allowed.has(withPort(url))
  const agent = new Agent({
    factory: (origin, settings) => {
      const url = new URL(origin)
      return new Pool(origin, {
        ...(settings as Pool.Options),
        connect: { timeout: options.timeoutMs, ...(!mayBePrivate(url) && { lookup: publicLookup }) },
      })
    },
  })
  const client = axios.create({
    adapter: (config) => overAgent(agent, config, options.timeoutMs),
    transformRequest: [(data: unknown) => data],
    transformResponse: [(data: unknown) => data],
    validateStatus: () => true,
  })

  let mail: ReturnType<typeof createMailCarrier> | undefined
  const transport: Transport = async (request: HttpRequest) => {
    if (MAIL_ADDRESS.test(request.url)) {
      // Simulated mail is posted to the sandbox, whatever server the settings name.
      if (options.sandbox) return transport(mailOverHttp(request, options.sandbox.target))
      const server = new URL(request.url)
      if (options.hosts && !isDeclared(options.hosts, server))
        throw new RejectedError(`the connector does not declare the host ${server.host}; nothing was sent`)
      const address = mayBePrivate(server) ? undefined : await publicAddress(bare(server))
      // Loaded where mail is sent and nowhere else.
      mail ??= (await import('./smtp.ts')).createMailCarrier(options.timeoutMs)
      return mail.carry(request, address)
    }
    const url = place(request.url, options.sandbox)
    // In a sandbox the target was named by the operator; the vendor's own hosts are out of reach.
    if (!options.sandbox && options.hosts && !isDeclared(options.hosts, url))
      throw new RejectedError(`the connector does not declare the host ${url.host}; nothing was sent`)
    const address = bare(url)
    if (isIP(address) !== 0 && isPrivate(address) && !mayBePrivate(url)) throw new RejectedError(refusal(url.host))
    const response = await client.request<string>({
      method: request.method,
      url: url.href,
      headers: exactHeaders(request.headers),
      ...(request.body !== undefined && { data: wireBody(request) }),
    })
    return readResponse(response.status, response.headers as Record<string, unknown>, response.data)
  }
  const close = () => {
    mail?.close()
    return agent.destroy()
  }
  return Object.assign(transport, { close })
}

/** One exchange over the agent, as an axios adapter. Rejects with the kit's own errors. */
function overAgent(
  agent: Agent,
  config: InternalAxiosRequestConfig,
  timeoutMs: number,
): Promise<AxiosResponse<string>> {
  const url = new URL(config.url ?? '')
  return new Promise((resolve, reject) => {
    // Until a socket took the request, no byte can have reached the vendor.
    let started = false
    let controller: Dispatcher.DispatchController | undefined
    let timedOut = false
    let status = 0
    let headers: Record<string, unknown> = {}
    let size = 0
    const chunks: Buffer[] = []
    const fail = (code: string) => {
      clearTimeout(timer)
      reject(new RetryableError(`no answer (${code})`, { uncertain: started }))
    }
    const timer = setTimeout(() => {
      timedOut = true
      fail('ETIMEDOUT')
      controller?.abort(new Error('timeout'))
    }, timeoutMs)
    agent.dispatch(
      {
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: (config.method ?? 'GET').toUpperCase() as Dispatcher.HttpMethod,
        headers: config.headers.toJSON() as Record<string, string>,
        body: (config.data as string | Buffer | undefined) ?? null,
        headersTimeout: 0,
        bodyTimeout: 0,
      },
      {
        onRequestStart(given) {
          controller = given
          if (timedOut) given.abort(new Error('timeout'))
          else started = true
        },
        onResponseStart(_, statusCode, received) {
          status = statusCode
          headers = received
        },
        onResponseData(given, chunk) {
          size += chunk.length
          if (size <= MAX_ANSWER_BYTES) chunks.push(chunk)
          else {
            fail('answer larger than 1 MB')
            given.abort(new Error('answer too large'))
          }
        },
        onResponseEnd() {
          clearTimeout(timer)
          resolve({
            status,
            statusText: '',
            headers: new AxiosHeaders(headers as Record<string, string>),
            data: Buffer.concat(chunks).toString('utf8'),
            config,
          })
        },
        onResponseError(_, error) {
          const code = (error as NodeJS.ErrnoException).code ?? 'ERR_NETWORK'
          if (code !== PRIVATE_ADDRESS) return fail(code)
          clearTimeout(timer)
          reject(new RejectedError(refusal(url.host)))
        },
      },
    )
  })
}

/** What axios and undici would add by themselves stays away: the vendor gets what the connector wrote. */
function exactHeaders(headers: HttpRequest['headers']): NonNullable<AxiosRequestConfig['headers']> {
  const exact: Record<string, string | false> = { accept: false, 'content-type': false, 'user-agent': 'anuente' }
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase()
    // Answers are read as they come: a compressed one would be noise. Lengths are counted from the bytes.
    if (key !== 'accept-encoding' && key !== 'content-length' && key !== 'host' && key !== 'connection')
      exact[key] = value
  }
  return exact
}

function place(address: string, sandbox: TransportOptions['sandbox']): URL {
  const url = new URL(address)
  if (!/^https?:$/.test(url.protocol))
    throw new RejectedError('only http and https addresses can be reached; nothing was sent')
  if (!sandbox) return url
  const target = new URL(sandbox.target)
  // The origin of an address that is not http is "null": it is nobody's.
  if (URL.canParse(sandbox.vendorOrigin) && url.origin === new URL(sandbox.vendorOrigin).origin)
    return new URL(target.href.replace(/\/$/, '') + url.pathname + url.search)
  // A connector whose base address is a setting may have been pointed at the sandbox itself.
  if (url.origin === target.origin) return url
  throw new RejectedError(`a sandboxed destination may not reach ${url.host}; nothing was sent`)
}

/** Whether a connector that declares these hosts may reach this address; `*.` stands for any subdomain. */
export const isDeclared = (hosts: readonly string[], url: URL): boolean =>
  hosts.some((host) => matches(host.toLowerCase(), url))

const bare = (url: URL) => url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
const withPort = (url: URL) => `${bare(url)}:${url.port || (url.protocol === 'https:' ? '443' : '80')}`
const matches = (declared: string, url: URL) =>
  declared.startsWith('*.')
    ? bare(url).endsWith(declared.slice(1))
    : declared === bare(url) || declared === withPort(url)

// ---------------------------------------------------------------- addresses

const PRIVATE_ADDRESS = 'ERR_PRIVATE_ADDRESS'
const refusal = (host: string) =>
  `${host} is on a private network. If it is meant, list it under network.allow; nothing was sent`

/** Not reachable from the public internet (IANA special-purpose registries), or not for one receiver. */
const PRIVATE = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  PRIVATE.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['::', 96],
  // IPv4-mapped addresses (::ffff:0:0/96) are judged by the IPv4 list. These carry an IPv4 address inside: NAT64, Teredo, 6to4.
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
] as const)
  PRIVATE.addSubnet(network, prefix, 'ipv6')

/** @param address an IP address in any spelling. */
export function isPrivate(address: string): boolean {
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** Resolves for the socket itself: an address this lets through is the one connected to. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const first = addresses?.[0]
    if (error || !first) return callback(error ?? Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '', 4)
    // One private answer among public ones is how rebinding begins: all or nothing.
    if (addresses.some(({ address }) => isPrivate(address)))
      return callback(Object.assign(new Error('private address'), { code: PRIVATE_ADDRESS }), '', 4)
    if (options.all) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

/** The address of a mail server, so that the name is not resolved a second time. @throws RejectedError, RetryableError */
function publicAddress(host: string): Promise<string> {
  if (isIP(host) !== 0)
    return isPrivate(host) ? Promise.reject(new RejectedError(refusal(host))) : Promise.resolve(host)
  return new Promise((resolve, reject) => {
    publicLookup(host, {}, (error, address) => {
      if (error === null) resolve(String(address))
      else if (error.code === PRIVATE_ADDRESS) reject(new RejectedError(refusal(host)))
      else reject(new RetryableError(`no answer (${error.code ?? 'ENOTFOUND'})`))
    })
  })
}
