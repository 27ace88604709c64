import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Me, PERMISSIONS, ROLES, type Role } from '../../../schemas/admin.ts'
import type { ExplainedJourney } from '../../explain.ts'
import { type AdminHub, fillAdminHub, liveLines, startAdminHub } from '../../testing/admin-hub.ts'
import { CommandError } from '../context.ts'

const PASSWORD = 'correto cavalo bateria'
let hub: AdminHub
let ajv: Ajv2020
const now = Date.now()
const dropped: ExplainedJourney = {
  id: 'm/ 1',
  found: 'event',
  journey: [
    { stage: 'verify' },
    { stage: 'normalize' },
    { stage: 'record' },
    { stage: 'collect', exit: 'CONSENT_DENIED' },
  ],
  decisions: [],
  withheld: [],
  consent: [],
  deliveries: [],
  sentence: { pt: 'A pessoa recusou.', en: 'The person refused.' },
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  // biome-ignore lint/suspicious/noExplicitAny: JSON as it came; each test says what it expects of it.
  readonly body: any
}
interface Login {
  readonly cookie: string
  readonly csrf: string
}

async function call(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  more: { body?: unknown; as?: Login | string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const as: Record<string, string> =
    typeof more.as === 'string'
      ? { authorization: `Bearer ${more.as}` }
      : more.as
        ? { cookie: more.as.cookie, 'x-csrf-token': more.as.csrf }
        : {}
  const response = await hub.app.inject({
    method,
    url,
    headers: { ...as, ...more.headers },
    ...(more.body === undefined ? {} : { payload: more.body as object }),
  })
  return {
    status: response.statusCode,
    headers: response.headers,
    body: response.body === '' ? undefined : JSON.parse(response.body),
  }
}

function loginOf(answer: Answer): Login {
  const [cookie] = [answer.headers['set-cookie']].flat() as string[]
  return { cookie: cookie!.split(';')[0]!, csrf: (answer.body as Me).csrf! }
}

async function signUp(role: Role): Promise<Login> {
  const made = await hub.run('createInvitation', { role })
  const { token } = (made as { value: { token: string } }).value
  const answer = await call('POST', '/api/setup', {
    body: { token, email: `${role}-${token.slice(0, 6)}@loja.example`, name: role, password: PASSWORD },
  })
  expect(answer.status).toBe(201)
  return loginOf(answer)
}

const tokenFor = async (role: Role) =>
  ((await hub.run('createToken', { name: role, role })) as { value: { value: string } }).value.value

beforeAll(async () => {
  hub = await startAdminHub({
    journeys: { [dropped.id]: dropped },
    commands: {
      redriveQuarantine: async ({ id }) => {
        if (id === 'q-2') throw new CommandError('CONFLICT', 'Already re-driven.')
        return { id, events: 1 }
      },
      dismissQuarantine: async ({ id }) => ({ id }),
      redriveDeliveries: async ({ dryRun }) => ({ matched: 2, dryRun }),
    },
  })
  await fillAdminHub(hub, now)
  hub.emit(...liveLines(now, 20))
  ajv = new Ajv2020({ strict: false })
  ;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
})
afterAll(() => hub.close())

describe('accounts', () => {
  test('the first link works once, and its user is administrator', async () => {
    const made = await hub.run('createFirstInvitation')
    const { token } = (made as { value: { token: string } }).value
    const body = { token, email: 'Ana@Loja.example', name: 'Ana Souza', password: PASSWORD }
    const first = await call('POST', '/api/setup', { body })
    expect(first.status).toBe(201)
    expect(first.body).toMatchObject({
      role: 'admin',
      user: { email: 'ana@loja.example' },
      simulated: true,
      organization: { name: 'Loja Exemplo' },
    })
    expect(String(first.headers['set-cookie'])).toMatch(/HttpOnly.*SameSite=Strict/)
    const again = await call('POST', '/api/setup', { body: { ...body, email: 'other@loja.example' } })
    expect(again).toMatchObject({ status: 410, body: { error: { code: 'INVITATION_INVALID' } } })
    expect(await hub.run('createFirstInvitation')).toEqual({ ok: true, value: null })
  })

  test('of session, token, invitation and password only hashes are stored', async () => {
    const value = await tokenFor('viewer')
    const login = loginOf(await call('POST', '/api/login', { body: { email: 'ana@loja.example', password: PASSWORD } }))
    const stored = JSON.stringify([
      await hub.state.db.selectFrom('users').selectAll().execute(),
      await hub.state.db.selectFrom('sessions').select(['hash', 'user_id']).execute(),
      await hub.state.db.selectFrom('api_tokens').selectAll().execute(),
      await hub.state.db.selectFrom('access_log').selectAll().execute(),
      hub.ran,
    ])
    expect(stored).toContain('$argon2id$')
    expect(stored).not.toContain(PASSWORD)
    expect(stored).not.toContain(value)
    expect(stored).not.toContain(login.cookie.split('=')[1])
  })

  test('unknown user, wrong password and disabled user get one answer', async () => {
    const user = (await hub.run('createUser', {
      email: 'gone@loja.example',
      name: 'Gone',
      role: 'viewer',
      passwordHash: '$argon2id$none',
    })) as { value: { id: string } }
    await hub.run('disableUser', { id: user.value.id })
    const answers = await Promise.all(
      ['ana@loja.example', 'nobody@loja.example', 'gone@loja.example'].map((email) =>
        call('POST', '/api/login', { body: { email, password: 'not the password' } }),
      ),
    )
    expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 401, body: { error: { code: 'WRONG_CREDENTIALS' } } })
  })

  test('the sixth wrong password of one account waits, another account does not', async () => {
    const wrong = () =>
      call('POST', '/api/login', { body: { email: 'guessed@loja.example', password: 'not the password' } })
    for (let n = 0; n < 5; n++) expect((await wrong()).status).toBe(401)
    const sixth = await wrong()
    expect(sixth).toMatchObject({ status: 429, body: { error: { code: 'TOO_MANY_TRIES' } } })
    expect(Number(sixth.headers['retry-after'])).toBeGreaterThan(0)
    expect((await call('POST', '/api/login', { body: { email: 'ana@loja.example', password: PASSWORD } })).status).toBe(
      200,
    )
  })

  test('a write with the cookie alone is refused; reading is not; logging out ends the session', async () => {
    const login = await signUp('admin')
    const forged = await call('POST', '/api/tokens', {
      headers: { cookie: login.cookie },
      body: { name: 'x', role: 'viewer' },
    })
    expect(forged).toMatchObject({ status: 403, body: { error: { code: 'CSRF_MISMATCH' } } })
    expect((await call('GET', '/api/me', { headers: { cookie: login.cookie } })).body.csrf).toBe(login.csrf)
    expect((await call('POST', '/api/logout', { as: login })).status).toBe(200)
    expect((await call('GET', '/api/me', { as: login })).status).toBe(401)
  })

  test('a session ends twelve hours after its last use and goes on while used', async () => {
    const login = await signUp('viewer')
    await hub.state.db
      .updateTable('sessions')
      .set({ expires_at: Date.now() + 3_600_000 })
      .execute()
    const used = await call('GET', '/api/me', { as: login })
    expect(used.status).toBe(200)
    expect(String(used.headers['set-cookie'])).toContain('Max-Age=43200')
    await hub.state.db
      .updateTable('sessions')
      .set({ expires_at: Date.now() - 1 })
      .execute()
    expect((await call('GET', '/api/me', { as: login })).status).toBe(401)
  })

  test('disabling a user ends the sessions; the last administrator stays', async () => {
    const admin = await signUp('admin')
    const other = await signUp('marketing')
    const me = (await call('GET', '/api/me', { as: other })).body as Me
    expect(
      (await call('PATCH', `/api/users/${me.user.id}`, { as: admin, body: { disabled: true } })).body.disabledAt,
    ).toBeTypeOf('number')
    expect((await call('GET', '/api/me', { as: other })).status).toBe(401)
    const admins = await hub.state.db.selectFrom('users').select('id').where('role', '=', 'admin').execute()
    const [last, ...rest] = admins.map(({ id }) => id)
    for (const id of rest) await hub.run('setRole', { id, role: 'viewer' })
    expect(await hub.run('setRole', { id: last!, role: 'viewer' })).toMatchObject({ ok: false, code: 'LAST_ADMIN' })
    expect(await hub.run('disableUser', { id: last! })).toMatchObject({ ok: false, code: 'LAST_ADMIN' })
  })

  test('a changed password ends the other sessions and keeps this one', async () => {
    const one = await signUp('integrator')
    const me = (await call('GET', '/api/me', { as: one })).body as Me
    const two = loginOf(await call('POST', '/api/login', { body: { email: me.user.email, password: PASSWORD } }))
    expect(
      await call('POST', '/api/me/password', {
        as: one,
        body: { current: 'not the password', next: 'outra senha bem longa' },
      }),
    ).toMatchObject({
      status: 403,
      body: { error: { path: '/current' } },
    })
    expect(
      (await call('POST', '/api/me/password', { as: one, body: { current: PASSWORD, next: 'outra senha bem longa' } }))
        .status,
    ).toBe(200)
    expect((await call('GET', '/api/me', { as: one })).status).toBe(200)
    expect((await call('GET', '/api/me', { as: two })).status).toBe(401)
  })

  test('an API token needs no CSRF, is shown once, and stops at once when revoked', async () => {
    const admin = await signUp('admin')
    const made = await call('POST', '/api/tokens', {
      as: admin,
      body: { name: 'Painel', role: 'admin', expiresInDays: 30 },
    })
    expect(made.status).toBe(201)
    expect(made.body.value).toMatch(/^anu_/)
    const list = await call('GET', '/api/tokens', { as: made.body.value })
    expect(JSON.stringify(list.body)).not.toContain(made.body.value)
    expect(
      (await call('POST', '/api/invitations', { as: made.body.value, body: { role: 'viewer' } })).body.url,
    ).toMatch(/^http:\/\/hub\.loja\.example\/setup#/)
    expect((await call('DELETE', `/api/tokens/${made.body.token.id}`, { as: made.body.value })).status).toBe(200)
    expect((await call('GET', '/api/me', { as: made.body.value })).status).toBe(401)
  })
})

describe('roles', () => {
  test('every route of the document refuses strangers, and roles without its permission', async () => {
    const { body: document } = await call('GET', '/api/openapi.json')
    const tokens = new Map<Role, string>()
    for (const role of ROLES) tokens.set(role, await tokenFor(role))
    const { ROLE_PERMISSIONS } = await import('../accounts/roles.ts')
    let refused = 0
    for (const [path, operations] of Object.entries(
      document.paths as Record<string, Record<string, { 'x-permission': string }>>,
    )) {
      for (const [method, operation] of Object.entries(operations)) {
        const permission = operation['x-permission']
        if (permission === 'public') continue
        const verb = method.toUpperCase() as 'GET'
        const url = path.replaceAll(/\{\w+\}/g, 'nobody')
        expect((await call(verb, url)).status, `${verb} ${url}`).toBe(401)
        for (const role of ROLES) {
          if (permission === 'session' || ROLE_PERMISSIONS[role].includes(permission as (typeof PERMISSIONS)[number]))
            continue
          expect((await call(verb, url, { as: tokens.get(role)! })).body.error, `${role} ${verb} ${url}`).toMatchObject(
            { code: 'FORBIDDEN' },
          )
          refused++
        }
      }
    }
    expect(refused).toBeGreaterThan(20)
  })

  test('every permission is some route’s, and every route’s is in the table', async () => {
    const { body: document } = await call('GET', '/api/openapi.json')
    const used = new Set(
      Object.values(document.paths as object).flatMap((operations) =>
        Object.values(operations as object).map((operation) => operation['x-permission']),
      ),
    )
    expect([...used].filter((name) => name !== 'public' && name !== 'session').sort()).toEqual([...PERMISSIONS].sort())
  })
})

describe('answers', () => {
  const READS = [
    '/api/me',
    '/api/status',
    '/api/pipeline',
    '/api/exits',
    '/api/events/evt-cart',
    '/api/events/q-1',
    '/api/quarantine',
    '/api/deliveries',
    '/api/deliveries/d-delivered',
    '/api/deliveries/d-blocked',
    '/api/sources',
    '/api/destinations',
    '/api/purposes',
    '/api/rules',
    '/api/users',
    '/api/tokens',
  ]
  test.each(READS)('%s answers what its schema says, without secrets or sealed content', async (url) => {
    const answer = await call('GET', url, { as: await tokenFor('admin') })
    expect(answer.status).toBe(200)
    const { body: document } = await call('GET', '/api/openapi.json')
    const path = Object.keys(document.paths).find((candidate) =>
      new RegExp(`^${candidate.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(url),
    )
    const validate = ajv.compile(document.paths[path!].get.responses['200'].content['application/json'].schema)
    validate(answer.body)
    expect(validate.errors).toBeNull()
    const text = JSON.stringify(answer.body)
    for (const secret of [
      'wk_site_0123456789',
      'key-0123456789-abcd',
      'never-to-be-seen',
      '"short"',
      'ana@example.com',
      'SEALED-BODY',
    ])
      expect(text).not.toContain(secret)
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('the strip counts each exit in one step, compares periods, and leaves time before the first data empty', async () => {
    const minute = (back: number) => new Date((Math.floor(now / 60_000) - back) * 60_000).toISOString()
    const { body } = await call('GET', `/api/pipeline?from=${minute(22)}&to=${minute(0)}`, {
      as: await tokenFor('viewer'),
    })
    const step = (name: string) => body.steps.find((candidate: { step: string }) => candidate.step === name)
    const rows = await hub.state.db
      .selectFrom('rollups')
      .selectAll()
      .where('minute', '>=', Math.floor(now / 60_000) - 22)
      .where('minute', '<', Math.floor(now / 60_000))
      .execute()
    const sum = (...codes: string[]) =>
      rows.filter(({ code }) => codes.includes(code)).reduce((total, { count }) => total + count, 0)
    expect(step('received').count).toBe(
      rows
        .filter(({ code, origin }) => code === 'RECEIVED' && origin.startsWith('source:'))
        .reduce((total, { count }) => total + count, 0),
    )
    expect(step('consent')).toMatchObject({ count: sum('CONSENT_DENIED'), deliveries: 0 })
    expect(step('blocked')).toMatchObject({ count: sum('BLOCKED_BY_CONSENT'), events: 0 })
    expect(step('created').count).toBe(
      rows
        .filter(({ code, origin }) => code === 'RECEIVED' && origin.startsWith('destination:'))
        .reduce((total, { count }) => total + count, 0),
    )
    expect(step('failed').count).toBe(sum('EXHAUSTED'))
    expect(step('retried').count).toBe(sum('RETRY'))
    expect(step('waiting').count).toBe(sum('HELD'))
    expect(step('no_purpose').count).toBe(sum('NO_PURPOSE'))
    expect(step('received').previous).toBeGreaterThan(0)
    expect(step('received').byOrigin.map(({ origin }: { origin: string }) => origin)).toEqual([
      'source:site',
      'source:app',
    ])

    const long = await call('GET', `/api/pipeline?from=${minute(300)}&to=${minute(0)}`, {
      as: await tokenFor('viewer'),
    })
    expect(long.body.series.steps.received[0]).toBeNull()
    expect(
      long.body.series.steps.received.reduce((total: number, value: number | null) => total + (value ?? 0), 0),
    ).toBe(long.body.steps[0].count)
    expect(long.body.steps[0].previous).toBeNull()
  })

  test('paging walks every delivery once, newest first', async () => {
    const as = await tokenFor('viewer').then(() => tokenFor('marketing'))
    const seen: { id: string; createdAt: number }[] = []
    let after = ''
    do {
      const { body } = await call('GET', `/api/deliveries?limit=20${after && `&after=${after}`}`, { as })
      seen.push(...body.items)
      after = body.next ?? ''
    } while (after)
    expect(new Set(seen.map(({ id }) => id)).size).toBe(65)
    expect(seen.length).toBe(65)
    expect(seen.map(({ createdAt }) => createdAt)).toEqual(
      seen.map(({ createdAt }) => createdAt).toSorted((a, b) => b - a),
    )
    const filtered = await call(
      'GET',
      '/api/deliveries?status=held_out&code=HELD_OUT&destination=crm&rule=cart-recovery',
      { as },
    )
    expect(filtered.body.items.map(({ id }: { id: string }) => id)).toEqual(['d-held-out'])
  })

  test('a delivery tells its clauses with the values found, its consent entry and its attempts', async () => {
    const { body } = await call('GET', '/api/deliveries/d-delivered', { as: await tokenFor('compliance') })
    expect(body.explanation.clauses[1]).toEqual({
      id: 'who.all.0',
      clause: 'cart.total is at least 5000',
      pt: 'cart.total é pelo menos 5000',
      ok: true,
      value: 12_990,
    })
    expect(body.consent).toMatchObject({
      entryId: 'entry-1',
      purpose: 'email_marketing',
      public: { type: 'consent.grant', status: 'granted' },
    })
    expect(body.attempts).toHaveLength(1)
  })

  test('secrets show their last four characters, and settings of a missing connector are all hidden', async () => {
    const { body } = await call('GET', '/api/sources', { as: await tokenFor('integrator') })
    expect(body.items[0].settings).toEqual([
      { name: 'writeKey', value: '••••6789', secret: true, description: 'Key of the SDK.' },
      { name: 'region', value: 'br', secret: false, description: 'Where the shop sells.' },
    ])
    expect(body.items[1].settings[0].value).toBe('••••')
    expect(body.items[2]).toMatchObject({ installed: false, settings: [{ secret: true, value: '••••1234' }] })
  })

  test('rows of a file are handed over by who may, for the source of the address', async () => {
    const login = await signUp('integrator')
    const me = (await call('GET', '/api/me', { as: login })).body as Me
    const body = { import: 'export-2026', firstRow: 1, rows: [{ Pedido: '1' }] }
    await call('POST', '/api/sources/erp/rows', { as: login, body: { ...body } })
    expect(hub.ran.at(-1)).toEqual({ name: 'importRows', actor: me.user.id, args: { ...body, source: 'erp' } })
    expect(await call('POST', '/api/sources/erp/rows', { as: login, body: { ...body, import: 'x' } })).toMatchObject({
      status: 400,
      body: { error: { path: '/import' } },
    })
    expect((await call('POST', '/api/sources/erp/rows', { as: await signUp('marketing'), body })).status).toBe(403)
  })

  test('acts on quarantine and deliveries run as commands of who asks', async () => {
    const login = await signUp('integrator')
    const me = (await call('GET', '/api/me', { as: login })).body as Me
    expect((await call('POST', '/api/quarantine/q-1/redrive', { as: login })).body).toEqual({
      result: { id: 'q-1', events: 1 },
    })
    expect(hub.ran.at(-1)).toEqual({ name: 'redriveQuarantine', actor: me.user.id, args: { id: 'q-1' } })
    expect(await call('POST', '/api/quarantine/q-2/redrive', { as: login })).toMatchObject({
      status: 409,
      body: { error: { code: 'CONFLICT', message: 'Already re-driven.' } },
    })
    expect((await call('POST', '/api/quarantine/q-3/dismiss', { as: login })).status).toBe(200)
    const dry = await call('POST', '/api/deliveries/redrive', {
      as: login,
      body: { filter: { status: 'dead' }, dryRun: true },
    })
    expect(dry.body.result).toEqual({ matched: 2, dryRun: true })
  })
})

describe('bad requests', () => {
  test('a wrong type is an error with its place, never coerced', async () => {
    const as = await tokenFor('admin')
    expect(await call('POST', '/api/tokens', { as, body: { name: 1, role: 'viewer' } })).toMatchObject({
      status: 400,
      body: { error: { code: 'INVALID', path: '/name' } },
    })
    expect(await call('POST', '/api/tokens', { as, body: { name: 'x', role: 'viewer', extra: 1 } })).toMatchObject({
      status: 400,
      body: { error: { path: '/extra' } },
    })
    expect(await call('POST', '/api/deliveries/redrive', { as, body: { filter: {}, dryRun: 'yes' } })).toMatchObject({
      status: 400,
      body: { error: { path: '/dryRun' } },
    })
    expect(await call('GET', '/api/deliveries?limit=0', { as })).toMatchObject({
      status: 400,
      body: { error: { path: '/limit' } },
    })
    expect(await call('GET', '/api/deliveries?after=zzz', { as })).toMatchObject({
      status: 400,
      body: { error: { path: '/after' } },
    })
    expect(await call('GET', '/api/pipeline?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', { as })).toMatchObject({
      status: 400,
    })
  })

  test('malformed JSON, another content type and a large body say so', async () => {
    const send = (payload: string, type: string) =>
      hub.app.inject({ method: 'POST', url: '/api/login', payload, headers: { 'content-type': type } })
    expect((await send('{"email":', 'application/json')).json().error).toMatchObject({ code: 'INVALID' })
    expect((await send('a=b', 'application/x-www-form-urlencoded')).json().error).toMatchObject({
      code: 'UNSUPPORTED_MEDIA_TYPE',
    })
    expect((await send(JSON.stringify({ email: 'a'.repeat(70_000) }), 'application/json')).json().error).toMatchObject({
      code: 'BODY_TOO_LARGE',
    })
    expect((await send('{"email":"a","password":"b","__proto__":{"x":1}}', 'application/json')).statusCode).toBe(400)
  })

  test('an error never repeats what was sent', async () => {
    const answer = await call('POST', '/api/setup', {
      body: { token: 't', email: 'maria@cliente', name: 'Maria', password: 'segredo curto' },
    })
    expect(answer.status).toBe(400)
    expect(JSON.stringify(answer.body)).not.toMatch(/maria|segredo/i)
  })

  test('an unknown route of the API and a missing event are 404 with what to do', async () => {
    expect(await call('GET', '/api/nothing')).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } })
    expect(
      await call('GET', '/api/events/nothing', { as: await tokenFor('viewer').then(() => tokenFor('marketing')) }),
    ).toMatchObject({ status: 404 })
  })
})

describe('explain', () => {
  const url = `/api/explain?id=${encodeURIComponent('m/ 1')}`

  test('tells what the command line tells, as the document says', async () => {
    const answer = await call('GET', url, { as: await tokenFor('marketing') })
    expect(answer).toMatchObject({ status: 200, body: dropped })
    const { body: document } = await call('GET', '/api/openapi.json')
    const operation = document.paths['/api/explain'].get
    expect(operation).toMatchObject({ 'x-permission': 'events.read', parameters: [{ name: 'id', in: 'query' }] })
    const validate = ajv.compile(operation.responses['200'].content['application/json'].schema)
    validate(answer.body)
    expect(validate.errors).toBeNull()
  })

  test('asks who is there, and for an id it knows', async () => {
    expect(await call('GET', url)).toMatchObject({ status: 401 })
    const as = await tokenFor('marketing')
    expect(await call('GET', '/api/explain?id=other', { as })).toMatchObject({
      status: 404,
      body: { error: { code: 'NOT_FOUND', message: expect.stringContaining('72 hours') } },
    })
    for (const wrong of ['/api/explain', '/api/explain?id=', `/api/explain?id=${'x'.repeat(513)}`])
      expect(await call('GET', wrong, { as })).toMatchObject({ status: 400 })
  })
})

describe('headers', () => {
  test('the policy allows only the hub itself, and nothing inline but styles with the nonce', async () => {
    const policy = String((await call('GET', '/api/openapi.json')).headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).toMatch(/style-src 'self' 'nonce-/)
    expect(policy).not.toContain('unsafe')
    expect(policy).not.toContain('upgrade-insecure-requests')
  })

  test('behind https: secure cookie bound to the host, HSTS', async () => {
    const secure = await startAdminHub({ secureCookies: true })
    try {
      const made = (await secure.run('createFirstInvitation')) as { value: { token: string } }
      const answer = await secure.app.inject({
        method: 'POST',
        url: '/api/setup',
        payload: { token: made.value.token, email: 'a@loja.example', name: 'A', password: PASSWORD },
      })
      expect(String(answer.headers['set-cookie'])).toMatch(
        /^__Host-anuente=.*Path=\/.*HttpOnly.*Secure.*SameSite=Strict/,
      )
      expect(answer.headers['strict-transport-security']).toContain('max-age=')
    } finally {
      await secure.close()
    }
  })
})

describe('live', () => {
  test('sends what was recent, then what is new, and ends with the hub', async () => {
    const own = await startAdminHub()
    own.emit(...liveLines(now, 3))
    const token = ((await own.run('createToken', { name: 'live', role: 'marketing' })) as { value: { value: string } })
      .value.value
    const response = await fetch(`${own.url}/live`, { headers: { authorization: `Bearer ${token}` } })
    expect(response.headers.get('content-type')).toContain('text/event-stream')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const readUntil = async (mark: string) => {
      while (!text.includes(mark)) {
        const { value, done } = await reader.read()
        if (done) break
        text += value
      }
    }
    await readUntil('event: recent')
    await readUntil('Product Added')
    own.emit({ ...liveLines(now, 1)[0]!, id: 'fresh' })
    await readUntil('"fresh"')
    expect(text).toContain('event: events')
    await own.close()
    expect((await reader.read()).done).toBe(true)
  })
})
