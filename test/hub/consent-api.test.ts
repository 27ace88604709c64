/** The consent API over HTTP: a server with a token, a browser with the write key, and what each may say and ask. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { hashSecret } from '../../core/server/accounts/secrets.ts'
import { makePlace, type Place, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub
const TOKEN = 'anu_token_of_the_crm'

beforeEach(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
  await hub.state.db
    .insertInto('api_tokens')
    .values({
      id: 'crm',
      hash: hashSecret(TOKEN),
      name: 'CRM',
      role: 'compliance',
      created_by: 'test',
      created_at: Date.now(),
      expires_at: null,
      last_used_at: Date.now(),
    })
    .execute()
})
afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

interface Answered {
  readonly status: number
  readonly body: {
    readonly id?: string
    readonly error?: { code: string; message: string; path?: string }
    readonly results?: { purpose: string; counts: boolean; flags: string[] }[]
    readonly withdrawals?: string
    readonly purposes?: { purpose: string; status: string; pending: boolean; entryId: string | null }[]
  }
  readonly headers: Headers
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const response = await fetch(`${hub.url}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Answered['body'], headers: response.headers }
}
const server = { authorization: `Bearer ${TOKEN}` }
const ana = { userId: 'ana', email: 'Ana@Example.com' }
const notice = { id: 'cadastro', version: 1 }
const grant = (purpose: string) => ({
  subject: ana,
  consents: [{ purpose, action: 'grant' }],
  method: 'checkbox',
  notice,
  evidence: { form: '/cadastro' },
})
const statusOf = async (purpose: string) =>
  (await call('GET', '/consent?userId=ana', undefined, server)).body.purposes?.find((one) => one.purpose === purpose)

describe('with a server token', () => {
  test('a grant counts, a withdrawal is effective from its answer, and both name their entry', async () => {
    const given = await call('POST', '/consent', grant('email_marketing'), server)
    expect(given.status).toBe(200)
    expect(given.body.results).toEqual([{ purpose: 'email_marketing', action: 'grant', counts: true, flags: [] }])
    expect(given.body.withdrawals).toBe('none')
    await hub.drained()
    expect(await statusOf('email_marketing')).toMatchObject({ status: 'granted', entryId: expect.any(String) })

    const taken = await call(
      'POST',
      '/consent',
      { subject: { email: 'ana@example.com' }, consents: [{ purpose: '*', action: 'revoke' }] },
      server,
    )
    expect(taken.body.withdrawals).toBe('effective')
    // Before it is processed as after: nothing says that it may still be used.
    const now = await call('POST', '/consent/status', { subject: { email: 'ana@example.com' } }, server)
    const mail = now.body.purposes?.find(({ purpose }) => purpose === 'email_marketing')
    expect(mail?.pending || mail?.status === 'revoked').toBe(true)
    await hub.drained()
    expect(await statusOf('email_marketing')).toMatchObject({ status: 'revoked', pending: false })
  })

  test('evidence without a notice, or ticked beforehand, is recorded and never counts', async () => {
    const { notice: _, ...without } = grant('email_marketing')
    const bare = await call('POST', '/consent', without, server)
    expect(bare.body.results).toMatchObject([{ counts: false, flags: ['no_notice'] }])
    const ticked = await call('POST', '/consent', { ...grant('sms_marketing'), flags: ['preticked'] }, server)
    expect(ticked.body.results).toMatchObject([{ counts: false, flags: ['preticked'] }])
    await hub.drained()
    expect((await statusOf('email_marketing'))?.status).toBe('invalid')
    expect((await statusOf('sms_marketing'))?.status).toBe('invalid')
  })

  test.each([
    [{ consents: [{ purpose: 'marketing', action: 'grant' }] }, '/consents/0/purpose'],
    [{ consents: [{ purpose: '*', action: 'grant' }] }, '/consents/0/purpose'],
    [{ consents: [{ purpose: 'orders', action: 'grant' }] }, '/consents/0/action'],
    [{ method: undefined }, '/method'],
    [{ subject: { email: 'not an address' } }, '/subject/email'],
    [{ subject: {} }, '/subject'],
    [{ occurredAt: '2999-01-01T00:00:00Z' }, '/occurredAt'],
    [{ evidence: { page: 'x'.repeat(20_000) } }, '/evidence'],
    [{ consent: true }, '/consent'],
  ])('what cannot be is refused with the place of the mistake (%#)', async (change, path) => {
    const answer = await call('POST', '/consent', { ...grant('email_marketing'), ...change }, server)
    expect([answer.status, answer.body.error?.code, answer.body.error?.path]).toEqual([400, 'INVALID', path])
    expect(JSON.stringify(answer.body)).not.toContain('Ana@')
  })

  test('the same id again is one answer', async () => {
    const body = { ...grant('email_marketing'), id: 'form-17' }
    await call('POST', '/consent', body, server)
    await call('POST', '/consent', body, server)
    await hub.drained()
    const entries = await hub.state.db
      .selectFrom('consent_status')
      .select('body')
      .where('purpose', '=', 'email_marketing')
      .execute()
    expect(entries.map(({ body }) => (JSON.parse(body) as { seen: number }).seen)).toEqual([1])
  })

  test('contact data in an address is refused', async () => {
    const answer = await call('GET', '/consent?email=ana@example.com', undefined, server)
    expect([answer.status, answer.body.error?.path]).toEqual([400, '/email'])
  })

  test('without a token, with a wrong one, or with a role that may not, nothing is taken or told', async () => {
    for (const headers of [{}, { authorization: 'Bearer anu_wrong' }])
      expect((await call('POST', '/consent', grant('email_marketing'), headers)).status).toBe(401)
    await hub.state.db.updateTable('api_tokens').set({ role: 'marketing' }).execute()
    expect((await call('POST', '/consent', grant('email_marketing'), server)).status).toBe(403)
    expect((await call('GET', '/consent?userId=ana', undefined, server)).status).toBe(403)
  })
})

describe('from a browser', () => {
  const visit = (over: object = {}) => ({
    writeKey: WRITE_KEYS.site,
    subject: { anonymousId: 'device-1' },
    consents: [
      { purpose: 'analytics', action: 'grant' },
      { purpose: 'ads_measurement', action: 'grant' },
    ],
    method: 'button',
    ...over,
  })
  const ask = async () => (await call('GET', `/consent?writeKey=${WRITE_KEYS.site}&anonymousId=device-1`)).body.purposes

  test('rests on the notice of its source, and is told the answers of its own device only', async () => {
    const answer = await call('POST', '/consent', visit(), { origin: 'https://loja.example' })
    expect(answer.body.results?.every(({ counts }) => counts)).toBe(true)
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://loja.example')
    await hub.drained()
    const told = await ask()
    expect(told?.find(({ purpose }) => purpose === 'analytics')?.status).toBe('granted')
    expect(told?.map(({ purpose }) => purpose)).not.toContain('email_marketing')
    const other = await call('GET', `/consent?writeKey=${WRITE_KEYS.site}&userId=ana`)
    expect([other.status, other.body.error?.path]).toEqual([400, '/userId'])
  })

  test('a browser with Global Privacy Control agrees to no ads', async () => {
    await call('POST', '/consent', visit(), { 'sec-gpc': '1' })
    await hub.drained()
    const told = await ask()
    expect(told?.find(({ purpose }) => purpose === 'analytics')?.status).toBe('granted')
    expect(told?.find(({ purpose }) => purpose === 'ads_measurement')?.status).toBe('denied')
  })

  test('cannot speak as a guardian, and cannot undo what the person refused when known', async () => {
    const guardian = await call('POST', '/consent', visit({ actor: 'guardian' }))
    expect([guardian.status, guardian.body.error?.path]).toEqual([400, '/actor'])
    await call('POST', '/consent', grant('email_marketing'), server)
    await call(
      'POST',
      '/consent',
      { subject: ana, consents: [{ purpose: 'email_marketing', action: 'revoke' }] },
      server,
    )
    await hub.drained()
    await call(
      'POST',
      '/consent',
      visit({ subject: ana, consents: [{ purpose: 'email_marketing', action: 'grant' }], notice }),
    )
    await hub.drained()
    expect((await statusOf('email_marketing'))?.status).toBe('revoked')
    await call('POST', '/consent', grant('email_marketing'), server)
    await hub.drained()
    expect((await statusOf('email_marketing'))?.status).toBe('granted')
  })
})
