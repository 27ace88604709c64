import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RejectedError, RetryableError } from './errors.ts'
import type { HttpRequest } from './http.ts'
import { type ClosableTransport, createTransport, isPrivate, type TransportOptions } from './transport.ts'

interface Received {
  method: string
  url: string
  raw: string[]
  body: Buffer
}
let server: Server
let origin: string
let port: number
let received: Received[]
let answer: (request: IncomingMessage, response: ServerResponse) => void
let transports: ClosableTransport[]

beforeEach(async () => {
  received = []
  transports = []
  answer = (_, response) => response.setHeader('x-seen', 'yes').end('{"ok":true}')
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    received.push({
      method: request.method ?? '',
      url: request.url ?? '',
      raw: request.rawHeaders,
      body: Buffer.concat(chunks),
    })
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
  origin = `http://127.0.0.1:${port}`
})
afterEach(async () => {
  await Promise.all(transports.map((transport) => transport.close()))
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const open = (options: Partial<TransportOptions> = {}) => {
  const transport = createTransport({ allowPrivate: ['127.0.0.1', 'localhost'], timeoutMs: 5000, ...options })
  transports.push(transport)
  return transport
}
const post = (path = '/', body = '{}'): HttpRequest => ({
  method: 'POST',
  url: origin + path,
  headers: { 'content-type': 'application/json' },
  body,
})
const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.unreachable('the request was answered'),
    (error: unknown) => error,
  )

test('carries exactly the bytes and headers it is given', async () => {
  const body = '{"nome":"João \u{1F6D2}",  "total":1.10,\n"x":"\\u0000"}'
  const response = await open()({
    method: 'PATCH',
    url: `${origin}/a%20b?x=1&y=%C3%A3&y=2`,
    headers: { 'Content-Type': 'application/json; charset=utf-8', Authorization: 'Bearer t' },
    body,
  })
  expect(response).toMatchObject({ status: 200, headers: { 'x-seen': 'yes' }, text: '{"ok":true}', json: { ok: true } })
  const [request] = received
  expect(request).toMatchObject({ method: 'PATCH', url: '/a%20b?x=1&y=%C3%A3&y=2' })
  expect(request?.body.toString('utf8')).toBe(body)
  const names = (request?.raw ?? []).filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  expect(names.sort()).toEqual(['authorization', 'connection', 'content-length', 'content-type', 'host', 'user-agent'])
  expect(request?.raw).toContain('application/json; charset=utf-8')
})

test('a form and an empty body stay what they are', async () => {
  const transport = open()
  await transport({
    method: 'POST',
    url: `${origin}/`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'a=1&b=%40',
  })
  await transport({ method: 'POST', url: `${origin}/`, headers: {} })
  await transport({
    method: 'GET',
    url: `${origin}/`,
    headers: { accept: 'application/json', 'accept-encoding': 'gzip' },
  })
  expect(received.map(({ body }) => body.toString())).toEqual(['a=1&b=%40', '', ''])
  expect(received[1]?.raw.join().toLowerCase()).not.toContain('content-type')
  expect(received[2]?.raw.join().toLowerCase()).not.toContain('gzip')
})

test('every status is an answer, and a redirect is not followed', async () => {
  answer = (request, response) =>
    response.writeHead(Number(request.url?.slice(1)), { location: `${origin}/200`, 'retry-after': '7' }).end('<html>')
  const transport = open()
  for (const status of [200, 302, 307, 404, 429, 503]) {
    expect(await transport(post(`/${status}`))).toMatchObject({
      status,
      text: '<html>',
      headers: { 'retry-after': '7' },
    })
  }
  expect(received).toHaveLength(6)
})

test('keeps connections open', async () => {
  const sockets = new Set<unknown>()
  answer = (request, response) => {
    sockets.add(request.socket)
    response.end()
  }
  const transport = open()
  for (let index = 0; index < 20; index++) await transport(post())
  // The pool may open a second one before the first is back.
  expect(sockets.size).toBeLessThanOrEqual(2)
})

describe('without an answer', () => {
  test('silence after the request: uncertain', async () => {
    answer = () => {}
    expect(await failure(open({ timeoutMs: 150 })(post()))).toMatchObject({
      name: 'RetryableError',
      uncertain: true,
      message: 'no answer (ETIMEDOUT)',
    })
  })

  test('an answer that never ends: uncertain', async () => {
    answer = (_, response) => {
      response.write('{')
    }
    expect(await failure(open({ timeoutMs: 150 })(post()))).toMatchObject({ name: 'RetryableError', uncertain: true })
  })

  test('a reset after the request: uncertain', async () => {
    answer = (request) => request.socket.resetAndDestroy()
    const error = await failure(open()(post()))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({ uncertain: true })
  })

  test('nobody listens: certain that nothing was sent', async () => {
    const free = createTcpServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => free.once('listening', resolve))
    const closed = (free.address() as AddressInfo).port
    await new Promise((resolve) => free.close(resolve))
    const error = await failure(open()({ ...post(), url: `http://127.0.0.1:${closed}/secret-path` }))
    expect(error).toMatchObject({ name: 'RetryableError', uncertain: false, message: 'no answer (ECONNREFUSED)' })
  })

  test('a name that does not exist: certain that nothing was sent', async () => {
    expect(await failure(open()({ ...post(), url: 'http://nothing.invalid/' }))).toMatchObject({
      name: 'RetryableError',
      uncertain: false,
    })
  })

  test('more than 1 MB: given up, uncertain', async () => {
    answer = (_, response) => response.end('x'.repeat(1024 * 1024 + 1))
    expect(await failure(open()(post()))).toMatchObject({
      name: 'RetryableError',
      uncertain: true,
      message: 'no answer (answer larger than 1 MB)',
    })
  })

  test('exactly 1 MB is still read', async () => {
    answer = (_, response) => response.end('x'.repeat(1024 * 1024))
    expect((await open()(post())).text).toHaveLength(1024 * 1024)
  })
})

describe('hosts', () => {
  test.each([
    'http://127.0.0.1:PORT/',
    'http://localhost:PORT/',
    'http://[::1]:PORT/',
    'http://2130706433:PORT/',
    'http://0x7f.1:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
  ])('%s is refused unless allowed', async (url) => {
    const error = await failure(open({ allowPrivate: [] })({ ...post(), url: url.replace('PORT', String(port)) }))
    expect(error).toBeInstanceOf(RejectedError)
    expect((error as Error).message).toContain('network.allow')
    expect(received).toEqual([])
  })

  test('a private host may be allowed with its port only', async () => {
    expect(await open({ allowPrivate: [`127.0.0.1:${port}`] })(post())).toMatchObject({ status: 200 })
    expect(await failure(open({ allowPrivate: ['127.0.0.1:1'] })(post()))).toBeInstanceOf(RejectedError)
  })

  test('only declared hosts are reached', async () => {
    expect(await open({ hosts: ['127.0.0.1'] })(post())).toMatchObject({ status: 200 })
    expect(await failure(open({ hosts: ['api.vendor.example', '*.vendor.example'] })(post()))).toMatchObject({
      name: 'RejectedError',
    })
    expect(received).toHaveLength(1)
    const wild = open({ hosts: ['*.vendor.invalid'] })
    expect(await failure(wild({ ...post(), url: 'http://a.vendor.invalid/' }))).toBeInstanceOf(RetryableError)
    expect(await failure(wild({ ...post(), url: 'http://evilvendor.invalid/' }))).toBeInstanceOf(RejectedError)
  })

  test('other schemes are refused', async () => {
    expect(await failure(open()({ ...post(), url: 'file:///etc/passwd' }))).toBeInstanceOf(RejectedError)
  })

  test('a sandbox stands for the vendor, and nothing else is reached', async () => {
    const transport = open({
      allowPrivate: [],
      hosts: ['api.vendor.example'],
      sandbox: { vendorOrigin: 'https://api.vendor.example/3.0', target: `${origin}/vendor/` },
    })
    expect(await transport({ ...post(), url: 'https://api.vendor.example/3.0/lists?a=1' })).toMatchObject({
      status: 200,
    })
    expect(received[0]?.url).toBe('/vendor/3.0/lists?a=1')
    expect(await failure(transport({ ...post(), url: 'https://other.example/' }))).toBeInstanceOf(RejectedError)
    expect(received).toHaveLength(1)
  })
})

test('knows private addresses in every spelling', () => {
  for (const address of [
    '10.1.2.3',
    '100.64.0.1',
    '127.9.9.9',
    '169.254.169.254',
    '172.31.0.1',
    '192.168.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
  ])
    expect([address, isPrivate(address)]).toEqual([address, true])
  for (const address of [
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '192.169.0.1',
    '::ffff:8.8.8.8',
    '2606:4700::1111',
    '2804:14c::1',
  ])
    expect([address, isPrivate(address)]).toEqual([address, false])
})
