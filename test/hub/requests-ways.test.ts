/** Requests over the admin API and OpenDSR, codes by SMS, systems that are asked by themselves; and all of it on PostgreSQL. */
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { run as cli } from '../../cli/program.ts'
import type { Hub } from '../../core/hub.ts'
import { startPostgres, type TestPostgres } from '../../core/testing/postgres.ts'
import type { RequestDetail, RequestOpened, RequestPage, RequestPlan } from '../../schemas/requests.ts'
import { basic, makePlace, type Place, post, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

async function start(change: (config: Record<string, unknown>) => void = () => {}, postgres?: string): Promise<void> {
  vendor = await startVendor()
  place = await makePlace(vendor, { change, ...(postgres && { postgres }) })
  hub = await startInProcess(place)
  await post(
    `${hub.url}/v1/identify`,
    {
      userId: 'ana',
      messageId: 'a1',
      traits: { email: 'ana@example.com', phone: '+5511987654321', name: 'Ana Segredíssima' },
      context: { consent: { categoryPreferences: { Marketing: true } } },
    },
    basic(WRITE_KEYS.site),
  )
  await post(
    `${hub.url}/v1/track`,
    { userId: 'ana', event: 'Product Added', messageId: 'a2', properties: { product_id: 'p', price: 1 } },
    basic(WRITE_KEYS.site),
  )
  await hub.drained()
}

/** An API token of a role. */
async function tokenOf(role: string): Promise<string> {
  const result = await hub.run({ name: 'createToken', args: { name: role, role }, actor: 'cli' })
  if (!result.ok) throw new Error(result.message)
  return (result.value as { value: string }).value
}

async function api<T>(
  token: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T }> {
  const response = await fetch(new URL(path, hub.url), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as T }
}

const letter = {
  right: 'erasure',
  channel: 'letter',
  receivedAt: '2026-11-20',
  identifiers: [{ type: 'email', value: 'ana@example.com' }],
  name: 'Ana da Silva',
  assurance: 'document',
  reference: 'L-9',
}

describe('admin API', () => {
  test('an officer enters, plans, approves and finishes; an auditor sees pseudonyms; others see nothing', async () => {
    await start()
    const [officer, auditor, marketing] = await Promise.all(['compliance', 'auditor', 'marketing'].map(tokenOf))
    const opened = await api<RequestOpened>(officer!, 'POST', '/api/requests', letter)
    expect(opened.status).toBe(200)
    expect((await api<RequestOpened>(officer!, 'POST', '/api/requests', letter)).body).toEqual({
      id: opened.body.id,
      repeated: true,
      duplicateOf: null,
    })
    expect((await api(auditor!, 'POST', '/api/requests', letter)).status).toBe(403)
    expect((await api(marketing!, 'GET', '/api/requests')).status).toBe(403)
    expect((await api(officer!, 'POST', '/api/requests', { ...letter, colour: 'red' })).status).toBe(400)

    const seen = await api<RequestDetail>(auditor!, 'GET', `/api/requests/${opened.body.id}`)
    expect(seen.body.person).toBe(null)
    expect(JSON.stringify(seen.body)).not.toMatch(/ana@example|Ana da Silva/)
    expect(seen.body.request.subject).toMatch(/^s_/)
    const full = await api<RequestDetail>(officer!, 'GET', `/api/requests/${opened.body.id}`)
    expect(full.body.person?.name).toBe('Ana da Silva')
    const looks = await hub.state.db.selectFrom('access_log').selectAll().where('act', '=', 'request.read').execute()
    expect(looks.length).toBe(1)
    expect(looks[0]).toMatchObject({ request: opened.body.id })

    const plan = await api<RequestPlan>(officer!, 'POST', `/api/requests/${opened.body.id}/plan`, {})
    expect(plan.status).toBe(200)
    expect((await api(officer!, 'POST', `/api/requests/${opened.body.id}/run`, {})).status).toBe(409)
    const ran = await api<RequestDetail>(officer!, 'POST', `/api/requests/${opened.body.id}/run`, {
      planHash: plan.body.hash,
    })
    expect(ran.body.request.state).toBe('partially_done')
    const done = await api<RequestDetail>(officer!, 'POST', `/api/requests/${opened.body.id}/tasks`, {
      recipient: 'hook',
      operation: 'delete',
      status: 'done',
      note: 'apagado pelo fornecedor',
      evidence: { name: 'recibo.txt', mediaType: 'text/plain', base64: Buffer.alloc(200_000, 'a').toString('base64') },
    })
    expect(done.body.request).toMatchObject({ state: 'answered', outcome: 'partly_kept' })
    expect(done.body.recipients[0]).toMatchObject({ evidence: 'recibo.txt', status: 'done' })
    const list = await api<RequestPage>(auditor!, 'GET', '/api/requests?state=closed')
    expect(list.body.items.map(({ id }) => id)).toEqual([opened.body.id])
    expect(list.body.counts).toMatchObject({ open: 0, overdue: 0, byState: { answered: 1 } })

    // The ledger knows of it, and holds after keys were destroyed and rows changed.
    const types = await hub.state.db.selectFrom('ledger_entries').select('type').distinct().execute()
    await hub.close()
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
    stdin.end()
    stdout.resume()
    let errors = ''
    stderr.on('data', (part) => {
      errors += String(part)
    })
    const code = await cli(['node', 'anuente', 'ledger', 'verify', '--config', place.configFile], {
      stdin,
      stdout,
      stderr,
      env: {},
    })
    expect([code, errors]).toEqual([0, errors])
    expect(types.map(({ type }) => type)).toEqual(expect.arrayContaining(['request.opened', 'key.destroyed']))
  }, 60_000)

  test('OpenDSR in: taken once by its id, followed by its id, refused with the field at fault', async () => {
    await start()
    const token = await tokenOf('compliance')
    const request = {
      regulation: 'gdpr',
      subject_request_id: 'dsr-1',
      subject_request_type: 'access',
      submitted_time: '2026-11-20T12:00:00Z',
      subject_identities: [{ identity_type: 'email', identity_value: 'ana@example.com', identity_format: 'raw' }],
      api_version: '2.0',
      extensions: { anuente: { right: 'sharing' } },
    }
    const first = await api<Record<string, string>>(token, 'POST', '/api/opendsr/requests', request)
    expect(first.status).toBe(201)
    expect(first.body).toMatchObject({
      controller_id: 'Loja Exemplo',
      subject_request_id: 'dsr-1',
      received_time: '2026-11-20T12:00:00.000Z',
    })
    expect(JSON.parse(Buffer.from(first.body['encoded_request']!, 'base64').toString('utf8'))).toEqual(request)
    await api(token, 'POST', '/api/opendsr/requests', request)
    expect((await hub.state.db.selectFrom('requests').select('id').execute()).length).toBe(1)
    const status = await api<Record<string, string>>(token, 'GET', '/api/opendsr/requests/dsr-1')
    expect(status.body).toMatchObject({ request_status: 'completed' })
    const wrong = await api<{ error: { path: string } }>(token, 'POST', '/api/opendsr/requests', {
      ...request,
      subject_identities: [],
    })
    expect([wrong.status, wrong.body.error.path]).toEqual([400, '/subject_identities'])
  }, 60_000)
})

test('a system that speaks OpenDSR is asked by itself, with the law beside the word of the specification', async () => {
  await start((config) => {
    config['network'] = { allow: [new URL(vendor.url).host] }
    config['systems'] = [{ name: 'SAC', opendsr: { url: `${vendor.url}/opendsr/requests`, token: 'secret-token' } }]
    delete (config['destinations'] as Record<string, unknown>)['hook']
    config['rules'] = []
  })
  const result = await hub.run({ name: 'openRequest', args: letter, actor: 'x' })
  const { id } = (result as { value: { id: string } }).value
  const plan = await hub.run({ name: 'planRequest', args: { id }, actor: 'x' })
  await hub.run({
    name: 'executeRequest',
    args: { id, planHash: (plan as { value: RequestPlan }).value.hash },
    actor: 'x',
  })
  await hub.drained()
  const asked = vendor.requests.find(({ path }) => path === '/opendsr/requests')!
  expect(asked.headers.authorization).toBe('Bearer secret-token')
  expect(JSON.parse(asked.body)).toMatchObject({
    subject_request_id: id,
    subject_request_type: 'erasure',
    extensions: { anuente: { regulation: 'lgpd', right: 'erasure' } },
    subject_identities: expect.arrayContaining([
      { identity_type: 'email', identity_value: 'ana@example.com', identity_format: 'raw' },
    ]) as object[],
  })
  const [row] = await hub.state.db.selectFrom('requests').select(['state']).execute()
  expect(row!.state).toBe('answered')
}, 60_000)

test('a code by SMS goes through the configured action, to the normal form of the number', async () => {
  await start((config) => {
    config['requests'] = {
      codes: [{ channel: 'sms', destination: 'hook', action: 'sendSms', with: { text: 'Código {code}' } }],
    }
  })
  const home = await fetch(`${hub.url}/privacidade`)
  const page = await home.text()
  expect(page).not.toContain('SMS ou')
  expect(page).toContain('Código por WhatsApp não está disponível')
  const csrf = /name="csrf" value="([^"]+)"/.exec(page)![1]!
  const cookie = home.headers.getSetCookie()[0]!.split(';')[0]!
  const before = vendor.requests.length
  const asked = await fetch(`${hub.url}/privacidade/codigo`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
    body: new URLSearchParams({ csrf, channel: 'sms', contact: '(11) 98765-4321' }).toString(),
  })
  const code = await asked.text()
  expect(asked.status).toBe(200)
  await expect.poll(() => vendor.requests.length, { timeout: 5000 }).toBe(before + 1)
  const sent = vendor.requests.at(-1)!.body
  expect(sent).toContain('+5511987654321')
  const digits = /Código (\d{6})/.exec(sent)![1]!
  const entered = await fetch(`${hub.url}/privacidade/entrar`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', cookie },
    body: new URLSearchParams({
      csrf: /name="csrf" value="([^"]+)"/.exec(code)![1]!,
      ref: /name="ref" value="([^"]+)"/.exec(code)![1]!,
      code: digits,
    }).toString(),
  })
  expect(entered.status).toBe(303)
}, 60_000)

describe('on PostgreSQL', () => {
  let postgres: TestPostgres
  beforeAll(async () => {
    postgres = await startPostgres()
  }, 120_000)
  afterAll(() => postgres?.stop())

  test('erasure, suppression, list and answer are the same', async () => {
    await start(() => {}, await postgres.url())
    const opened = (await hub.run({ name: 'openRequest', args: letter, actor: 'x' })) as { value: RequestOpened }
    expect((await hub.run({ name: 'openRequest', args: letter, actor: 'x' })) as object).toMatchObject({
      value: { repeated: true },
    })
    const { id } = opened.value
    const plan = (await hub.run({ name: 'planRequest', args: { id }, actor: 'x' })) as { value: RequestPlan }
    expect(
      await hub.run({ name: 'executeRequest', args: { id, planHash: plan.value.hash }, actor: 'x' }),
    ).toMatchObject({ ok: true })
    await hub.run({
      name: 'settleRequestRecipient',
      args: { id, recipient: 'hook', operation: 'delete', status: 'done', answer: 'ok' },
      actor: 'x',
    })
    for (const table of ['history', 'identifiers', 'node_traits', 'persons'] as const)
      expect(await hub.state.db.selectFrom(table).selectAll().execute()).toEqual([])
    await post(
      `${hub.url}/v1/identify`,
      {
        userId: 'ana',
        messageId: 'r1',
        traits: { email: 'ana@example.com' },
        context: { consent: { categoryPreferences: { Marketing: true } } },
      },
      basic(WRITE_KEYS.site),
    )
    await hub.drained()
    expect(await hub.state.db.selectFrom('identifiers').selectAll().execute()).toEqual([])
    const token = await tokenOf('auditor')
    const list = await api<RequestPage>(token, 'GET', '/api/requests')
    expect(list.body).toMatchObject({
      items: [{ id, state: 'answered', outcome: 'partly_kept' }],
      counts: { open: 0, byState: { answered: 1 } },
    })
  }, 60_000)
})
