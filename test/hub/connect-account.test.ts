/** An account connected through the admin API of a running hub: what was to be sent waits for it, and leaves once it is there. */
import { createHmac } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../cli/program.ts'
import { registry, sandboxes } from '../../connectors/index.ts'
import { type Hub, startHub } from '../../core/hub.ts'
import type { OAuthAccount } from '../../core/testing/oauth-account.ts'
import { type RunningSandboxes, type Sandbox, serveSandboxes } from '../../core/testing/sandbox.ts'
import { makePlace, type Place, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

const rdstation = sandboxes['rdstation'] as Sandbox<{
  readonly oauth: OAuthAccount
  readonly events: readonly { readonly type: string }[]
  readonly webhooks: Record<string, unknown>[]
}>
const SECRET = 'rd-sandbox-client-secret'
const VERIFY = 'a-verify-token-of-ours'
const RULE = `id: aviso
version: 1
title: {pt: Aviso de teste, en: Test notice}
when: {event: Product Added}
unless: {purpose: email_marketing}
then: {all: [{destination: rdstation, action: sendConversion, with: {conversion: aviso}}]}
`

let vendor: Vendor
let running: RunningSandboxes
let place: Place
let hub: Hub
let cookie = ''
let csrf = ''

beforeEach(async () => {
  vendor = await startVendor()
  running = await serveSandboxes([rdstation as Sandbox])
  place = await makePlace(vendor, {
    rules: { 'aviso.yaml': RULE },
    change(config) {
      const destinations = config['destinations'] as Record<string, Record<string, unknown>>
      destinations['rdstation'] = {
        ...destinations['rdstation'],
        settings: { clientId: 'rd-sandbox-client', clientSecret: SECRET },
        sandbox: running.baseUrl('rdstation'),
      }
      destinations['zap'] = {
        connector: 'whatsapp',
        role: 'operator',
        country: 'BR',
        purposes: ['customer_care'],
        settings: {
          phoneNumberId: '1',
          accessToken: 'a-system-user-token',
          appSecret: 'a-secret-of-sixteen',
          verifyToken: VERIFY,
        },
      }
    },
  })
  hub = await startHub({ configFile: place.configFile, registry, log: 'silent' })
  const token = (await hub.invitation())!.split('#')[1]
  const setup = await fetch(`${hub.url}/api/setup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, name: 'Ana', email: 'ana@loja.example', password: 'correto cavalo bateria' }),
  })
  cookie = setup.headers.get('set-cookie')!.split(';')[0]!
  csrf = ((await setup.json()) as { csrf: string }).csrf
})
afterEach(async () => {
  await hub.close()
  await running.close()
  await vendor.close()
  place.remove()
})

async function api<T>(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T; text: string }> {
  const response = await fetch(`${hub.url}${path}`, {
    method,
    headers: { cookie, 'x-csrf-token': csrf, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: JSON.parse(text) as T, text }
}
const track = (body: object) =>
  fetch(`${hub.url}/v1/batch`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`${WRITE_KEYS.site}:`).toString('base64')}`,
    },
    body: JSON.stringify({ batch: [body] }),
  })
const deliveries = () =>
  hub.state.db
    .selectFrom('deliveries')
    .select(['status', 'attempt', 'reason'])
    .where('destination', '=', 'rdstation')
    .execute()

describe('a destination whose account is not connected', () => {
  test('keeps what it is to send, tells everybody, and sends it once somebody agreed', async () => {
    const at = new Date().toISOString()
    const consent = { consent: { categoryPreferences: { Marketing: true } } }
    await track({
      type: 'identify',
      userId: 'maria',
      messageId: 'i-1',
      timestamp: at,
      traits: { email: 'maria@example.com' },
      context: consent,
    })
    await track({
      type: 'track',
      event: 'Product Added',
      userId: 'maria',
      messageId: 't-1',
      timestamp: at,
      properties: { product_id: 'p' },
      context: consent,
    })
    await hub.drained()
    expect(await deliveries()).toEqual([{ status: 'queued', attempt: 0, reason: null }])
    expect((await api('GET', '/api/status')).body).toMatchObject({
      connections: { needed: ['rdstation'], expiring: [] },
    })
    expect(await (await fetch(`${hub.url}/metrics`)).text()).toContain(
      'anuente_connection_up{destination="rdstation"} 0',
    )
    expect((await api('GET', '/api/connections')).body).toMatchObject({
      redirectUrl: `http://127.0.0.1:${place.port}/oauth/callback`,
      items: [{ destination: 'rdstation', state: 'never', waiting: 1 }],
    })

    const begun = await api<{ url: string }>('POST', '/api/connections/rdstation/begin')
    expect(begun.text).not.toContain(SECRET)
    const back = new URL((await fetch(begun.body.url, { redirect: 'manual' })).headers.get('location')!)
    expect(`${back.origin}${back.pathname}`).toBe(`http://127.0.0.1:${place.port}/oauth/callback`)
    const { code, state } = Object.fromEntries(back.searchParams)
    expect(await api('POST', '/api/connections/finish', { code, state })).toMatchObject({
      status: 200,
      body: { destination: 'rdstation' },
    })
    // What another look at the row a moment ago said is believed for ten seconds at most.
    await expect
      .poll(deliveries, { timeout: 15_000 })
      .toEqual([{ status: 'delivered', attempt: 1, reason: 'DELIVERED' }])
    expect(running.state(rdstation).events).toHaveLength(1)

    const shown = await api('GET', '/api/connections')
    expect(shown.body).toMatchObject({ items: [{ state: 'connected', connectedBy: 'Ana', waiting: 0 }] })
    expect(shown.text).not.toMatch(/access-|refresh-/)
    expect(await api('DELETE', '/api/connections/rdstation')).toMatchObject({ status: 200 })
  })
})

/** What the command prints, as soon as it contains this. */
async function typed(args: string[], answer: (text: string) => Promise<string | undefined>) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  let text = ''
  let answered = false
  stdout.on('data', async (chunk: Buffer) => {
    text += chunk
    if (answered || !/\nhttp\S+\n/.test(text)) return
    answered = true
    const line = await answer(text)
    if (line !== undefined) stdin.write(`${line}\n`)
  })
  const code = await run(['node', 'anuente', ...args, '--config', place.configFile], { stdin, stdout, stderr, env: {} })
  return { code, text }
}
const pageIn = (text: string) => /\n(http\S+)\n/.exec(text)![1]!

describe('anuente connect', () => {
  test('hears the code on this machine', async () => {
    const { code, text } = await typed(['connect', 'rdstation', '--listen', '0'], async (printed) => {
      // The browser follows the vendor back to the port of the command.
      expect((await fetch(pageIn(printed))).status).toBe(200)
      return undefined
    })
    expect({ code, text }).toMatchObject({ code: 0, text: expect.stringContaining('rdstation is connected') })
    expect(text).not.toContain(SECRET)
    expect((await api('GET', '/api/status')).body).toMatchObject({ connections: { needed: [] } })
    expect((await typed(['connect', 'rdstation', '--disconnect'], async () => undefined)).code).toBe(0)
  })

  test('takes the address that the browser ended at, and no other one', async () => {
    const whole = await typed(['connect', 'rdstation'], async (printed) => {
      const page = await fetch(pageIn(printed), { redirect: 'manual' })
      return page.headers.get('location')!
    })
    expect(whole).toMatchObject({ code: 0, text: expect.stringContaining('/oauth/callback') })
    const other = await typed(
      ['connect', 'rdstation'],
      async () => 'http://127.0.0.1/oauth/callback?code=c&state=other',
    )
    expect(other.code).toBe(1)
    expect((await typed(['connect', 'hook'], async () => undefined)).code).toBe(1)
  })
})

test('webhooks at RD Station are made once, call this hub with its token in a header, and those of others stay', async () => {
  await typed(['connect', 'rdstation', '--listen', '0'], async (printed) => {
    await fetch(pageIn(printed))
    return undefined
  })
  const account = running.state(rdstation)
  account.webhooks.push({
    uuid: 'of-others',
    event_type: 'WEBHOOK.CONVERTED',
    url: 'https://elsewhere.example/?token=t',
  })
  const none = async () => undefined
  expect((await typed(['webhooks', 'create', 'rdstation'], none)).text).toMatch(/^2 made/)
  expect((await typed(['webhooks', 'create', 'rdstation'], none)).text).toMatch(/^0 made/)
  expect(account.webhooks.slice(1)).toMatchObject(
    ['WEBHOOK.CONVERTED', 'WEBHOOK.MARKED_OPPORTUNITY'].map((event_type) => ({
      event_type,
      url: `http://127.0.0.1:${place.port}/in/rd`,
      auth_header: 'x-anuente-token',
      auth_key: WRITE_KEYS.rdToken,
    })),
  )
  const listed = await api<{ items: object[] }>('GET', '/api/destinations/rdstation/webhooks')
  expect(listed.body.items).toMatchObject([
    { ours: false, url: 'https://elsewhere.example/' },
    { ours: true },
    { ours: true },
  ])
  expect(listed.text).not.toContain(WRITE_KEYS.rdToken)
  expect(await api('DELETE', '/api/destinations/rdstation/webhooks')).toMatchObject({
    status: 200,
    body: { changed: 2 },
  })
  expect(account.webhooks).toHaveLength(1)
  expect(await api('POST', '/api/destinations/hook/webhooks')).toMatchObject({ status: 400 })
})

test('secrets go in by the API and never come back; a marketing token may not set them', async () => {
  const value = 'a-key-that-nobody-may-see-4321'
  expect(await api('POST', '/api/secrets', { name: 'KEY', value })).toMatchObject({
    status: 200,
    body: { replaced: false },
  })
  const listed = await api('GET', '/api/secrets')
  expect(listed.body).toMatchObject({ items: [{ name: 'KEY', hint: '4321' }] })
  expect(listed.text).not.toContain(value)
  const { body } = await api<{ value: string }>('POST', '/api/tokens', { name: 'programa', role: 'marketing' })
  const refused = await fetch(`${hub.url}/api/secrets`, { headers: { authorization: `Bearer ${body.value}` } })
  expect(refused.status).toBe(403)
  expect(await api('DELETE', '/api/secrets/KEY')).toMatchObject({ status: 200 })
})

test("Meta's question whether the webhook is ours is answered with its challenge, for the right token alone", async () => {
  const ask = (token: string, challenge = '1158201444') =>
    fetch(
      `${hub.url}/in/zap?${new URLSearchParams({ 'hub.mode': 'subscribe', 'hub.verify_token': token, 'hub.challenge': challenge })}`,
    )
  const answer = await ask(VERIFY)
  expect([answer.status, await answer.text()]).toEqual([200, '1158201444'])
  expect((await ask('a-verify-token-of-yours')).status).toBe(401)
  expect((await ask(VERIFY, '<script>')).status).toBe(400)
  // Notices are still taken by their signature.
  const body = JSON.stringify({ entry: [] })
  const signature = `sha256=${createHmac('sha256', 'a-secret-of-sixteen').update(body).digest('hex')}`
  const notice = await fetch(`${hub.url}/in/zap`, {
    method: 'POST',
    headers: { 'x-hub-signature-256': signature },
    body,
  })
  expect(notice.status).toBe(200)
})
