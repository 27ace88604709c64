/** The officer's side over HTTP: who may, what is answered, and that it is what the schema says. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeys } from '../../keys.ts'
import { recordsCommands } from '../../reports/commands.ts'
import { sealJson } from '../../seal.ts'
import { adminCalls } from '../../testing/admin-calls.ts'
import { type AdminHub, adminHubConfig, fillAdminHub, startAdminHub } from '../../testing/admin-hub.ts'

const keys = createKeys(Buffer.alloc(32, 1))
const now = Date.now()
let hub: AdminHub

beforeAll(async () => {
  hub = await startAdminHub({ commands: recordsCommands(adminHubConfig, keys, (id) => id) })
  await fillAdminHub(hub, now)
  const { key, wrapped } = keys.create()
  const { db } = hub.state
  // The made-up day seals nothing for real; here somebody looks.
  await db.updateTable('nodes').set({ data_key: wrapped, proof_key: keys.create().wrapped }).execute()
  await db
    .updateTable('history')
    .set({
      sealed: sealJson(key, {
        messageId: 'm1',
        properties: { total: 129.9 },
        context: {},
        traits: {},
        identifiers: [{ type: 'email', value: 'ana@example.com' }],
        device: 'n1',
      }),
    })
    .execute()
  await db
    .insertInto('persons')
    .values({ id: 'p_ana', seq: 12, profile: '{}', merged_into: null, updated_at: now })
    .execute()
})
afterAll(() => hub.close())

const call = adminCalls(() => hub)

describe('roles', () => {
  test('an auditor reads everything by pseudonym, and neither reveals nor changes', async () => {
    for (const path of [
      '/api/retention',
      '/api/retention/runs',
      '/api/retention/holds',
      '/api/ropa',
      '/api/drift',
      '/api/incidents',
      '/api/access-log',
      '/api/ripd',
    ]) {
      const { status, body } = await call('GET', path, 'auditor')
      expect([path, status]).toEqual([path, 200])
      expect(JSON.stringify(body)).not.toContain('ana@example.com')
    }
    for (const [path, body] of [
      ['/api/reveal', { what: 'person', id: 'p_ana', reason: 'because I would like to' }],
      ['/api/retention/plan', {}],
      ['/api/keys/shred', { subject: 'p_ana', reason: 'erasure' }],
    ] as const)
      expect((await call('POST', path, 'auditor', body)).status).toBe(403)
  })

  test('marketing, integrators and viewers see none of it', async () => {
    for (const role of ['marketing', 'integrator', 'viewer'] as const)
      for (const path of ['/api/retention', '/api/ropa', '/api/incidents', '/api/access-log'])
        expect((await call('GET', path, role)).status).toBe(403)
  })
})

describe('answers', () => {
  test('each is what its schema says', async () => {
    const { body: document } = await call('GET', '/api/openapi.json', 'admin')
    const ajv = new Ajv2020({ strict: false })
    ;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
    const holds = async (method: string, path: string, route: string, body?: unknown) => {
      const answer = await call(method, path, 'compliance', body)
      expect([path, answer.status]).toEqual([path, 200])
      const schema = document.paths[route][method.toLowerCase()].responses['200'].content['application/json'].schema
      const valid = ajv.compile({ ...schema, components: document.components })
      expect([path, valid(answer.body), valid.errors]).toEqual([path, true, null])
      return answer.body
    }
    const plan = await holds('POST', '/api/retention/plan', '/api/retention/plan', {})
    await holds('POST', '/api/retention/approve', '/api/retention/approve', { hash: plan.hash })
    await holds('POST', '/api/retention/run', '/api/retention/run', {})
    const hold = await holds('POST', '/api/retention/holds', '/api/retention/holds', {
      subject: 'p_ana',
      ref: 'Processo 1',
      reason: 'ordered by the court',
    })
    await holds('GET', '/api/retention', '/api/retention')
    await holds('GET', '/api/retention/runs', '/api/retention/runs')
    await holds('GET', '/api/retention/holds', '/api/retention/holds')
    await holds('POST', `/api/retention/holds/${hold.id}/release`, '/api/retention/holds/{id}/release', {
      reason: 'the proceeding ended',
    })
    await hub.run('recordRopa')
    await holds('GET', '/api/ropa', '/api/ropa')
    await holds('GET', '/api/ropa/snapshots', '/api/ropa/snapshots')
    await holds('GET', `/api/ropa/diff?from=${new Date().toISOString()}`, '/api/ropa/diff')
    await holds('GET', '/api/ropa/export?format=csv&language=en', '/api/ropa/export')
    await holds('GET', '/api/drift', '/api/drift')
    await holds('GET', '/api/ripd?purpose=orders', '/api/ripd')
    const incident = await holds('POST', '/api/incidents', '/api/incidents', {
      title: 'Planilha exposta',
      description: 'Uma planilha ficou pública.',
      knownAt: new Date(now).toISOString(),
      affected: { sources: ['site'] },
    })
    expect(incident).toMatchObject({ affectedPeople: 1 })
    await holds('PATCH', `/api/incidents/${incident.id}`, '/api/incidents/{id}', { done: { what: 'subjects' } })
    await holds('GET', '/api/incidents', '/api/incidents')
    await holds('POST', '/api/incidents/affected', '/api/incidents/affected', { sources: ['site'] })
    await holds('GET', `/api/incidents/${incident.id}/letters`, '/api/incidents/{id}/letters')
    const turned = await holds('GET', '/api/explain/counterfactual?id=evt-cart', '/api/explain/counterfactual')
    expect(Array.isArray(turned.items)).toBe(true)
    await holds('POST', '/api/reveal', '/api/reveal', {
      what: 'event',
      id: 'evt-cart',
      reason: 'asked what was kept of her',
    })
    await holds('GET', '/api/access-log?act=reveal', '/api/access-log')
  })

  test('looks are listed with actor, target and reason, and filtered', async () => {
    const refused = await call('POST', '/api/reveal', 'compliance', { what: 'event', id: 'evt-cart' })
    expect(refused).toMatchObject({ status: 409, body: { error: { code: 'REASON_REQUIRED' } } })
    await call('POST', '/api/reveal', 'compliance', { what: 'event', id: 'evt-cart', request: 'req-9' })
    const { body } = await call('GET', '/api/access-log?act=reveal&target=evt-cart&limit=1', 'auditor')
    expect(body.items).toMatchObject([{ act: 'reveal.event', actorName: 'compliance', reason: null, request: 'req-9' }])
    const next = await call('GET', `/api/access-log?act=reveal&target=evt-cart&limit=1&after=${body.next}`, 'auditor')
    expect(next.body.items).toMatchObject([{ reason: 'asked what was kept of her', request: null }])
  })

  test('what is not there is 404, what does not fit 400, in words', async () => {
    expect((await call('GET', '/api/ropa?at=2001-01-01T00:00:00Z', 'compliance')).body.error).toMatchObject({
      code: 'NOT_FOUND',
    })
    expect((await call('GET', '/api/incidents/nothing/letters', 'compliance')).status).toBe(404)
    expect((await call('GET', '/api/explain/counterfactual?id=nothing', 'compliance')).status).toBe(404)
    expect((await call('POST', '/api/retention/approve', 'compliance', { hash: 'x' })).status).toBe(400)
    expect((await call('POST', '/api/retention/approve', 'compliance', { hash: '0'.repeat(64) })).status).toBe(404)
    expect(
      (await call('POST', '/api/keys/shred', 'compliance', { subject: 'p_ana', reason: 'she asked' })).status,
    ).toBe(400)
  })
})
