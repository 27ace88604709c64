/** The catalogue, made from the definitions of real connectors; a test of settings that are kept nowhere. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Catalog, CatalogChecked } from '../../../schemas/catalog.ts'
import { type AdminHub, startAdminHub } from '../../testing/admin-hub.ts'

let hub: AdminHub
let token: string
beforeAll(async () => {
  hub = await startAdminHub()
  const made = await hub.run('createToken', { name: 't', role: 'integrator' })
  token = (made as { value: { value: string } }).value.value
})
afterAll(() => hub?.close())

async function call<T>(method: string, path: string, body?: unknown) {
  const response = await fetch(hub.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as T }
}

test('lists every connector with its form, what it does and who uses it; no setting of anybody', async () => {
  const { status, body } = await call<Catalog>('GET', '/api/catalog')
  expect(status).toBe(200)
  const mailer = body.items.find(({ id }) => id === 'mailer')!
  expect(mailer).toMatchObject({
    direction: 'destination',
    used: expect.arrayContaining(['crm']),
    feedback: null,
    deletesSubject: 'manual',
    settings: { properties: { apiKey: { secret: true } } },
  })
  expect(mailer.actions.map(({ id, channel }) => [id, channel])).toContainEqual(['sendConversion', 'email'])
  expect(body.items.find(({ id }) => id === 'shop')).toMatchObject({ direction: 'source', webhook: true })
  expect(JSON.stringify(body)).not.toContain('key-0123456789')
})

test('wrong settings are told with their place and without their value; an unknown connector is not found', async () => {
  const wrong = await call<CatalogChecked>('POST', '/api/catalog/check', {
    connector: 'mailer',
    settings: { apiKey: 'a-very-secret-key', list: 7 },
  })
  expect(wrong.body).toMatchObject({ ok: false, detail: expect.stringContaining('list') })
  expect(JSON.stringify(wrong.body)).not.toContain('a-very-secret-key')
  expect((await call('POST', '/api/catalog/check', { connector: 'nobody', settings: {} })).status).toBe(404)
})
