/** Finding a person needs an exact identifier and a reason; what is told about them is by pseudonym and as of any time. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PersonFound, PersonTimeline } from '../../../schemas/people.ts'
import { createKeys } from '../../keys.ts'
import { recordsCommands } from '../../reports/commands.ts'
import { adminCalls } from '../../testing/admin-calls.ts'
import { type AdminHub, adminHubConfig, fillAdminHub, startAdminHub } from '../../testing/admin-hub.ts'

const keys = createKeys(Buffer.alloc(32, 1))
const now = Date.now()
const SUBJECT = 's_00000000000000000000000000'
let hub: AdminHub

beforeAll(async () => {
  hub = await startAdminHub({ commands: recordsCommands(adminHubConfig, keys, (id) => id) })
  await fillAdminHub(hub, now)
  const { db } = hub.state
  const { wrapped } = keys.create()
  await db.updateTable('nodes').set({ data_key: wrapped, proof_key: wrapped }).execute()
  await db
    .insertInto('persons')
    .values({ id: 'p_ana', seq: 12, profile: '{}', merged_into: null, updated_at: now })
    .execute()
  await db
    .insertInto('identifiers')
    .values({
      hmac: keys.identifier('email', 'ana@example.com'),
      type: 'email',
      node_id: 'n1',
      sealed: null,
      first_seen_at: now,
    })
    .execute()
})
afterAll(() => hub.close())

const call = adminCalls(() => hub)

const fits = (schema: object, value: unknown) => {
  const validate = new Ajv2020({ strict: false }).compile(schema)
  validate(value)
  expect(validate.errors).toBeNull()
}

describe('finding', () => {
  test('an exact identifier in any spelling finds the person, and the look-up is logged without it', async () => {
    const found = await call('POST', '/api/people/find', 'compliance', {
      type: 'email',
      value: ' Ana@Example.com ',
      reason: 'pedido por carta 17',
    })
    fits(PersonFound, found.body)
    expect(found.body.people).toEqual([{ personId: 'p_ana', subjects: [SUBJECT] }])
    const log = await call('GET', '/api/access-log?act=reveal.find', 'auditor')
    expect(log.body.items[0]).toMatchObject({ target: 'p_ana', reason: 'pedido por carta 17' })
    expect(JSON.stringify(log.body).toLowerCase()).not.toContain('ana@example.com')
  })

  test('nobody known is an answer and is logged too; no reason is a refusal; only who may reveal may ask', async () => {
    const body = { type: 'email', value: 'stranger@example.com' }
    const nobody = await call('POST', '/api/people/find', 'compliance', { ...body, reason: 'pedido por carta 18' })
    expect(nobody).toMatchObject({ status: 200, body: { people: [] } })
    const log = await call('GET', '/api/access-log?act=reveal.find&target=nobody', 'auditor')
    expect(log.body.items).toHaveLength(1)
    expect(await call('POST', '/api/people/find', 'compliance', body)).toMatchObject({
      status: 409,
      body: { error: { code: 'REASON_REQUIRED' } },
    })
    expect((await call('POST', '/api/people/find', 'auditor', { ...body, reason: 'quero olhar isso' })).status).toBe(
      403,
    )
  })
})

describe('timeline', () => {
  test('consents, decisions and deliveries in one list, newest first, by person id and by ledger subject', async () => {
    const { body } = await call('GET', '/api/people/p_ana/timeline', 'auditor')
    fits(PersonTimeline, body)
    expect(new Set(body.items.map(({ kind }: { kind: string }) => kind))).toEqual(
      new Set(['consent', 'decision', 'delivery']),
    )
    const times = body.items.map(({ at }: { at: number }) => at)
    expect(times).toEqual(times.toSorted((a: number, b: number) => b - a))
    expect(body.statuses).toEqual([
      {
        subject: SUBJECT,
        device: false,
        purpose: 'email_marketing',
        status: 'granted',
        at: now - 40 * 86_400_000,
        entryId: 'entry-1',
      },
    ])
    const bySubject = await call('GET', `/api/people/${SUBJECT}/timeline`, 'auditor')
    expect(bySubject.body.items).toHaveLength(body.items.length)
  })

  test('as of then: what came later is not there, and what was open then is open', async () => {
    const asOf = (at: number) =>
      call('GET', `/api/people/p_ana/timeline?asOf=${encodeURIComponent(new Date(at).toISOString())}`, 'compliance')
    const before = await asOf(now - 50 * 86_400_000)
    expect(before.body).toMatchObject({ items: [], statuses: [], firstAt: null })
    const amid = await asOf(now - 89_500)
    const sent = amid.body.items.find(({ id }: { id: string }) => id === 'd-delivered')
    expect(sent).toMatchObject({ status: 'open', reason: null })
    expect(amid.body.items.some(({ id }: { id: string }) => id === 'd-retry')).toBe(false)
  })

  test('nobody of that id is 404, and marketing has no timeline', async () => {
    expect((await call('GET', '/api/people/p_nobody/timeline', 'compliance')).status).toBe(404)
    expect((await call('GET', '/api/people/p_ana/timeline', 'marketing')).status).toBe(403)
  })
})
