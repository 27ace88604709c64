import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Type } from 'typebox'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from './config.ts'
import { sendTestEvents, TEST_EVENT } from './doctor/test-events.ts'
import { examine, examineNode, type Finding } from './doctor.ts'
import { defineDestination, defineSource, type Registry } from './kit/define.ts'

const source = (id: string) =>
  defineSource({
    id,
    name: id,
    docs: '',
    support: 'community',
    settings: Type.Object({
      writeKey: Type.Optional(Type.String()),
      measurementId: Type.Optional(Type.String()),
      token: Type.Optional(Type.String({ secret: true })),
    }),
    routes: [],
    maxBytes: 1000,
    volatileFields: [],
    credentials: () => [],
    keys: () => [],
    verify: () => true,
    normalize: () => [],
    accept: () => ({ status: 200 }),
  })
const words = { pt: 'x', en: 'x' }
const none = { manual: words }
const vendor = defineDestination({
  id: 'vendor',
  name: 'Vendor',
  docs: '',
  support: 'community',
  baseUrl: 'https://api.vendor.example',
  settings: Type.Object({ token: Type.String() }),
  authenticate: ({ token }) => ({ authorization: token }),
  limits: { perSecond: 1, concurrency: 1 },
  actions: {
    send: {
      title: words,
      description: words,
      purpose: 'email_marketing',
      kind: 'message',
      identifier: [],
      idempotency: 'none',
      trigger: { type: 'track' },
      payload: Type.Object({}),
      perform: async () => ({ status: 'delivered' as const }),
    },
  },
  check: async ({ http }) => {
    const { json } = await http.lookup('/account')
    return { ok: true, detail: `account ${(json as { name: string }).name}`, warnings: ['the field cf_x is missing'] }
  },
  deleteSubject: none,
  exportSubject: none,
  correctSubject: none,
  feedback: { none: words },
})
const registry: Registry = {
  sources: new Map(['segment', 'rudderstack', 'gtm', 'rdstation', 'file'].map((id) => [id, source(id)])),
  destinations: new Map([['vendor', vendor]]),
}

let dir: string
let server: Server
let port: number
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-doctor-'))
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    answer(request, (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('utf8'), response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true })
})

const json = (response: ServerResponse, value: unknown, status = 200, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
const load = (more: string) => {
  const file = join(dir, 'anuente.yaml')
  writeFileSync(
    file,
    `organization: {name: Loja}\nserver: {port: ${port}, publicUrl: "http://localhost:${port}"}\n${more}`,
  )
  return loadConfig(file, { registry, env: {} })
}
const minimal = 'sources: {}\npurposes: {}\n'
const findings = async (more: string, online = false, now?: () => number): Promise<Finding[]> => {
  const all: Finding[] = []
  for await (const finding of examine(load(more), { online, ...(now && { now }) })) all.push(finding)
  return all
}
const of = (all: Finding[], check: string) => all.filter((finding) => finding.check === check)

test('knows which Node is too old', () => {
  expect(['20.19.0', '22.13.1', '22.14.0', '24.1.0'].map((version) => examineNode(version).status)).toEqual([
    'fail',
    'fail',
    'ok',
    'ok',
  ])
})

describe('the address', () => {
  test('a running hub behind its public address', async () => {
    answer = (_, __, response) => json(response, { name: 'anuente', id: 'h1', client: '198.51.100.2' })
    const all = await findings(minimal)
    expect(of(all, 'port')[0]?.text).toBe(`The hub is running on 127.0.0.1:${port}.`)
    expect(of(all, 'public-url')).toEqual([
      { check: 'public-url', status: 'ok', text: `http://localhost:${port} is answered by this hub.` },
    ])
    expect(of(all, 'proxies')[0]?.status).toBe('ok')
    expect(of(all, 'clock')[0]?.status).toBe('ok')
  })

  test('another hub, or something else, answers', async () => {
    answer = (request, _, response) =>
      json(response, { name: 'anuente', id: request.headers.host?.startsWith('localhost') ? 'other' : 'this' })
    expect(of(await findings(minimal), 'public-url')[0]).toMatchObject({
      status: 'fail',
      text: expect.stringContaining('another hub'),
    })
    answer = (_, __, response) => response.writeHead(404).end('<html>')
    const all = await findings(minimal)
    expect(of(all, 'port')[0]).toMatchObject({ status: 'fail', text: expect.stringContaining('Another program') })
    expect(of(all, 'public-url')[0]).toMatchObject({ status: 'fail', text: expect.stringContaining('answers 404') })
  })

  test('a hub that believes any X-Forwarded-For', async () => {
    answer = (request, _, response) =>
      json(response, { name: 'anuente', client: request.headers['x-forwarded-for'] ?? '127.0.0.1' })
    expect(of(await findings(minimal), 'proxies')[0]).toMatchObject({
      status: 'fail',
      todo: expect.stringContaining('trust only the proxy'),
    })
  })

  test('a clock that is off', async () => {
    answer = (_, __, response) => json(response, { name: 'anuente' })
    expect(of(await findings(minimal, false, () => Date.now() + 120_000), 'clock')[0]).toMatchObject({
      status: 'fail',
      text: expect.stringContaining('s off'),
    })
  })

  test('no hub runs: nothing is called broken', async () => {
    answer = (_, __, response) => response.end()
    const loaded = load(minimal)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    const all: Finding[] = []
    for await (const finding of examine(loaded, { online: false })) all.push(finding)
    expect(of(all, 'port')[0]?.text).toContain('is free')
    expect(of(all, 'public-url')[0]).toMatchObject({ status: 'warn', todo: expect.stringContaining('Start the hub') })
    server.listen(0)
  })

  test('plain http to the world is wrong', async () => {
    answer = (_, __, response) => json(response, { name: 'anuente' })
    const loaded = { ...load(minimal), publicUrl: 'http://hub.invalid' }
    const all: Finding[] = []
    for await (const finding of examine(loaded, { online: false })) all.push(finding)
    expect(of(all, 'https')[0]?.status).toBe('fail')
    expect(of(all, 'public-url')[0]).toMatchObject({ status: 'fail', todo: expect.stringContaining('DNS') })
  })
})

describe('what is written', () => {
  beforeEach(() => {
    answer = (_, __, response) => json(response, { name: 'anuente' })
  })

  test('missing notice, missing encarregado, a cookie category on a communication purpose, a broken rule', async () => {
    writeFileSync(
      join(dir, 'r.yaml'),
      'id: x\nversion: 1\nwhen: {event: A}\nunless: {purpose: nothing}\nthen: {all: [{destination: nobody, action: x}]}\n',
    )
    const all = await findings(
      `sources: {site: {connector: segment, settings: {writeKey: k}}}
purposes: {email_marketing: {basis: consent, scope: person, title: {pt: x, en: x}, collects: [], stages: [activate], signals: {segment: [Advertising]}}}
rules: [r.yaml]
`,
    )
    expect(
      of(all, 'config')
        .map(({ text }) => text)
        .join(),
    ).toMatch(/encarregado.*Source site names no privacy notice/s)
    expect(of(all, 'purposes')[0]).toMatchObject({ status: 'fail', text: expect.stringContaining('cookie category') })
    expect(of(all, 'rules').every(({ status, text }) => status === 'fail' && text.includes('r.yaml:'))).toBe(true)
  })

  test('a mail server that does not answer', async () => {
    expect(
      of(await findings(`${minimal}mail: {smtp: "smtp://127.0.0.1:1", from: a@b.example}\n`), 'mail')[0],
    ).toMatchObject({ status: 'fail' })
  })
})

describe('destinations', () => {
  const destination = (more = '') => `sources: {}
purposes: {news: {basis: consent, scope: person, title: {pt: x, en: x}, collects: [], stages: [activate]}}
destinations: {crm: {connector: vendor, sandbox: "http://127.0.0.1:${port}/sandbox", purposes: {email_marketing: news}, settings: {token: t}${more}}}
`
  test('are asked only when wanted, and through their sandbox', async () => {
    const asked: string[] = []
    answer = (request, _, response) => {
      if (request.url?.startsWith('/sandbox')) asked.push(`${request.url} ${request.headers.authorization}`)
      json(response, request.url?.startsWith('/sandbox') ? { name: 'Loja' } : { name: 'anuente' })
    }
    expect(of(await findings(destination()), 'destination').at(-1)?.text).toContain('--online')
    expect(asked).toEqual([])
    const online = of(await findings(destination(', country: BR'), true), 'destination')
    expect(asked).toEqual(['/sandbox/account t'])
    expect(online.map(({ status, text }) => [status, text])).toEqual([
      ['ok', 'crm: account Loja'],
      ['warn', 'crm: the field cf_x is missing'],
    ])
  })

  test('refused credentials and undeclared purposes', async () => {
    answer = (request, _, response) =>
      json(response, { name: 'anuente' }, request.url?.startsWith('/sandbox') ? 401 : 200)
    const all = of(await findings(destination().replace('{email_marketing: news}', '[news]'), true), 'destination')
    expect(all[0]).toMatchObject({ status: 'warn', text: expect.stringContaining('send will never send') })
    expect(all.at(-1)).toMatchObject({ status: 'fail', text: 'crm: HTTP 401' })
  })
})

describe('test events', () => {
  const sources = `sources:
  site: {connector: segment, settings: {writeKey: wk_site}}
  app: {connector: rudderstack, settings: {writeKey: wk_app}}
  tag: {connector: gtm, settings: {measurementId: G-1}}
  rd: {connector: rdstation, settings: {token: secret-token}}
  csv: {connector: file}
purposes: {}
simulated: true
`
  const sent = async () => {
    const all: Finding[] = []
    for await (const finding of sendTestEvents(load(sources))) all.push(finding)
    return all
  }

  test('go through the real SDKs and the wire', async () => {
    const seen: { url: string; authorization: string; body: string; token: unknown }[] = []
    answer = (request, body, response) => {
      const basic = Buffer.from(request.headers.authorization?.slice(6) ?? '', 'base64').toString()
      seen.push({ url: request.url ?? '', authorization: basic, body, token: request.headers['x-anuente-token'] })
      json(response, { success: true })
    }
    expect((await sent()).map(({ status, text }) => [status, text])).toEqual([
      ['ok', 'site: a test event by the Segment SDK was taken.'],
      ['ok', 'app: a test event by the RudderStack SDK was taken.'],
      ['ok', 'tag: a test event by a GA4 hit was taken.'],
      ['ok', 'rd: a test event by an RD Station webhook was taken.'],
      ['ok', 'csv: no test event, because connector file has none.'],
    ])
    expect(seen.map(({ url }) => url.split('?')[0])).toEqual(['/v1/batch', '/v1/batch', '/g/collect', '/in/rd'])
    expect(seen.map(({ authorization }) => authorization).slice(0, 2)).toEqual(['wk_site:', 'wk_app:'])
    for (const { body } of seen.slice(0, 2))
      expect(JSON.parse(body)).toMatchObject({ batch: [{ type: 'track', event: TEST_EVENT }] })
    expect(seen[3]?.token).toBe('secret-token')
  })

  test.each([400, 401])('a refusal with %i is told, without keys, and nothing crashes', async (status) => {
    answer = (_, __, response) => json(response, { error: 'no' }, status)
    const all = (await sent()).slice(0, 4)
    for (const finding of all) {
      expect(finding).toMatchObject({ status: 'fail', text: expect.stringContaining(`HTTP ${status}`) })
      expect(JSON.stringify(finding)).not.toMatch(/wk_|secret-token/)
    }
    if (status === 401) expect(all[0]?.todo).toContain('sources.site')
  })

  test('nobody answers', async () => {
    answer = (request) => request.socket.destroy()
    expect((await sent()).map(({ status }) => status)).toEqual(['fail', 'fail', 'fail', 'fail', 'ok'])
  })
})
