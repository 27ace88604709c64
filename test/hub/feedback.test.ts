/** What a vendor tells at /in/<destination id>: an unsubscribe and a reply SAIR are withdrawals, effective from the 200. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { signature } from '../../connectors/webhook/destination.ts'
import type { Hub } from '../../core/hub.ts'
import { storedDecisions } from '../../core/testing/stored-decisions.ts'
import {
  basic,
  MESSAGE_RULE,
  makePlace,
  type Place,
  post,
  startInProcess,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub
const SECRET = 'a-secret-of-sixteen'
const site = basic(WRITE_KEYS.site)

beforeEach(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
})
afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

async function tell(body: unknown, secret = SECRET, at = Date.now()): Promise<{ status: number; body: unknown }> {
  const text = JSON.stringify(body)
  const seconds = Math.floor(at / 1000)
  const response = await fetch(`${hub.url}/in/hook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-anuente-signature': `t=${seconds},v1=${signature(secret, seconds, text)}`,
    },
    body: text,
  })
  return { status: response.status, body: await response.json() }
}

/** Ana agreed and got one message. @returns the id of its delivery. */
async function messaged(): Promise<string> {
  const consent = { context: { consent: { categoryPreferences: { Marketing: true } } } }
  await post(
    `${hub.url}/v1/identify`,
    { userId: 'ana', messageId: 'a1', traits: { email: 'ana@example.com', phone: '+5511999998888' }, ...consent },
    site,
  )
  await added(2)
  const row = await hub.state.db
    .selectFrom('deliveries')
    .select('id')
    .where('action', '=', 'sendMessage')
    .executeTakeFirstOrThrow()
  return row.id
}
async function added(n: number): Promise<void> {
  const body = { userId: 'ana', event: 'Product Added', messageId: `a${n}`, properties: { product_id: 'p', price: 1 } }
  await post(`${hub.url}/v1/track`, body, site)
  await hub.drained()
}
const messages = () => vendor.requests.filter(({ body }) => body.includes('"links"')).length
const statuses = async () =>
  new Set(
    (
      await hub.state.db
        .selectFrom('consent_status')
        .select('status')
        .where('purpose', '=', 'email_marketing')
        .execute()
    ).map(({ status }) => status),
  )

test('an unsubscribe that names the delivery stops the purpose of that message', async () => {
  const deliveryId = await messaged()
  expect(messages()).toBe(1)
  expect(await tell({ kind: 'unsubscribed', deliveryId })).toEqual({ status: 200, body: { taken: 1, unknown: 0 } })
  await added(3)
  expect(messages()).toBe(1)
  expect(await statuses()).toContain('revoked')
  const [withdrawal] = await hub.state.db.selectFrom('withdrawals').selectAll().execute()
  expect(withdrawal).toMatchObject({ purpose: 'email_marketing', origin_kind: 'feedback', origin_ref: 'hook' })
})

test('a reply SAIR withdraws; any other reply does not, and what was written is kept nowhere', async () => {
  const deliveryId = await messaged()
  await tell({ kind: 'replied', deliveryId, text: 'Vocês têm azul?' })
  await hub.drained()
  expect(await statuses()).toEqual(new Set(['granted']))
  await tell([{ kind: 'replied', email: 'ana@example.com', channel: 'email', text: 'Sair' }])
  await hub.drained()
  expect(await statuses()).toContain('revoked')
})

test('opens and bounces are no withdrawals, and nobody who is not known is made up', async () => {
  const deliveryId = await messaged()
  const answer = await tell([
    { kind: 'opened', deliveryId },
    { kind: 'unsubscribed', deliveryId: 'of-another-tool' },
  ])
  expect(answer.body).toEqual({ taken: 1, unknown: 1 })
  await hub.drained()
  expect(await statuses()).toEqual(new Set(['granted']))
})

test('without the secret, with an old signature, or with nonsense, nothing is taken', async () => {
  const deliveryId = await messaged()
  const told = { kind: 'unsubscribed', deliveryId }
  expect((await tell(told, 'another-secret-here')).status).toBe(401)
  expect((await tell(told, SECRET, Date.now() - 3_600_000)).status).toBe(401)
  expect((await tell({ kind: 'yawned', deliveryId })).status).toBe(400)
  expect(await post(`${hub.url}/in/nobody`, told)).toBe(404)
  await hub.drained()
  expect(await statuses()).toEqual(new Set(['granted']))
})

test('a bounce keeps a rule that suppresses it away, with the starter purposes', async () => {
  const rule = MESSAGE_RULE.replace('email_marketing}', 'email_marketing, suppress: [bounced, complained]}')
  await hub.close()
  place.remove()
  place = await makePlace(vendor, { rules: { 'aviso.yaml': rule } })
  hub = await startInProcess(place)
  const deliveryId = await messaged()
  expect(messages()).toBe(1)
  await tell({ kind: 'bounced', deliveryId, channel: 'email' })
  await hub.drained()
  await added(3)
  expect(messages()).toBe(1)
  const results = await storedDecisions(hub.state)
  expect(results.map(({ result }) => result)).toContain('SUPPRESSED')
})
