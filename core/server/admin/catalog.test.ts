/** The catalogue, made from the definitions of real connectors; a test of settings that are kept nowhere. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Catalog, CatalogChecked } from '../../../schemas/catalog.ts'
import { adminCalls } from '../../testing/admin-calls.ts'
import { type AdminHub, startAdminHub } from '../../testing/admin-hub.ts'

let hub: AdminHub
beforeAll(async () => {
  hub = await startAdminHub()
})
afterAll(() => hub?.close())

const call = adminCalls(() => hub)

test('lists every connector with its form, what it does and who uses it; no setting of anybody', async () => {
  const { status, body }: { status: number; body: Catalog } = await call('GET', '/api/catalog', 'integrator')
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
  const wrong: { body: CatalogChecked } = await call('POST', '/api/catalog/check', 'integrator', {
    connector: 'mailer',
    settings: { apiKey: 'a-very-secret-key', list: 7 },
  })
  expect(wrong.body).toMatchObject({ ok: false, detail: expect.stringContaining('list') })
  expect(JSON.stringify(wrong.body)).not.toContain('a-very-secret-key')
  expect((await call('POST', '/api/catalog/check', 'integrator', { connector: 'nobody', settings: {} })).status).toBe(
    404,
  )
})
