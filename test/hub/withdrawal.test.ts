/** A withdrawal answered 200 stops every delivery to that person not yet handed over, whatever waits before it. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import {
  basic,
  identifiersOf,
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

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const consent = (answer: boolean) => ({ context: { consent: { categoryPreferences: { Marketing: answer } } } })
const site = basic(WRITE_KEYS.site)

async function start(): Promise<void> {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
}

test('with 50,000 events waiting in the log, nothing more leaves for the person from the 200 on', async () => {
  await start()
  const maria = { userId: 'maria', traits: { email: 'maria@example.com' } }
  await post(`${hub.url}/v1/identify`, { ...maria, messageId: 'maria-1', ...consent(true) }, site)
  await hub.drained()
  // The vendor is away: Maria's messages wait to be sent.
  vendor.answer = (_request, response) => response.writeHead(503).end()
  for (let n = 0; n < 5; n++)
    await post(
      `${hub.url}/v1/track`,
      { userId: 'maria', event: 'Product Added', messageId: `m-${n}`, properties: { product_id: `p${n}`, price: 1 } },
      site,
    )
  await hub.drained()
  // None is on its way and none is due soon, so that each is surely not handed over when she withdraws.
  await hub.state.db
    .updateTable('deliveries')
    .set({ due_at: Date.now() + 3_600_000 })
    .where('settled_at', 'is', null)
    .execute()
  await hub.drained()
  const before = await waiting('maria')
  expect(before.length).toBe(5)
  expect(before.filter(({ status }) => status === 'leased' || status === 'attempted')).toEqual([])

  const batches = Array.from({ length: 50 }, (_, batch) => ({
    batch: Array.from({ length: 1000 }, (_, n) => ({
      type: 'track',
      event: 'Page Read',
      userId: `u${batch}-${n}`,
      messageId: `b-${batch}-${n}`,
      properties: {},
    })),
  }))
  const statuses = await Promise.all(batches.map((body) => post(`${hub.url}/v1/batch`, body, site)))
  expect(new Set(statuses)).toEqual(new Set([200]))
  const status = await post(
    `${hub.url}/v1/track`,
    { userId: 'maria', event: 'Segment Consent Preference Updated', messageId: 'maria-no', ...consent(false) },
    site,
  )
  expect(status).toBe(200)
  const answeredAt = vendor.requests.length
  // The vendor is back while the backlog is still being worked off.
  vendor.answer = (_request, response) => response.writeHead(200).end('{}')
  // Back-off and breaker are about the vendor, not about consent: made due again and again until all is settled.
  for (let tries = 0; tries < 120 && (await waiting('maria')).length > 0; tries++) {
    await hub.state.db
      .updateTable('deliveries')
      .set({ due_at: 0 })
      .where('settled_at', 'is', null)
      .where('status', 'in', ['queued', 'retry'])
      .execute()
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  await hub.drained()

  expect(vendor.requests.slice(answeredAt).filter(({ body }) => body.includes('maria@example.com'))).toEqual([])
  const rows = await deliveriesOf('maria')
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['blocked']))
  expect(rows.every(({ reason }) => reason === 'BLOCKED_BY_FENCE' || reason === 'BLOCKED_BY_CONSENT')).toBe(true)
}, 300_000)

describe('links in messages', () => {
  test('GET shows and changes nothing; the one-click POST stops, and the next message is blocked', async () => {
    await start()
    await post(
      `${hub.url}/v1/identify`,
      { userId: 'ana', messageId: 'a1', traits: { email: 'ana@example.com', name: 'Ana' }, ...consent(true) },
      site,
    )
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana', event: 'Product Added', messageId: 'a2', properties: { product_id: 'p1', price: 1 } },
      site,
    )
    await hub.drained()
    expect(vendor.requests.length).toBe(1)
    const { links } = JSON.parse(vendor.requests[0]!.body) as { links: { stop: string; why: string } }
    for (const link of [links.stop, links.why]) expect(decodeURIComponent(link)).not.toMatch(/ana|example\.com/i)

    const why = await (await fetch(links.why)).text()
    expect(why).toContain('Por que recebi isto?')
    expect(why).toContain('Aviso de teste')
    expect(why).toContain('cookies')
    expect(why).not.toContain('ana@example.com')

    const shown = await fetch(links.stop)
    expect(shown.status).toBe(200)
    expect(await shown.text()).toContain('Parar estas mensagens')
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana', event: 'Product Added', messageId: 'a3', properties: { product_id: 'p2', price: 1 } },
      site,
    )
    await hub.drained()
    expect(vendor.requests.length).toBe(2)

    const stopped = await fetch(links.stop, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'List-Unsubscribe=One-Click',
    })
    expect(stopped.status).toBe(200)
    await post(
      `${hub.url}/v1/track`,
      { userId: 'ana', event: 'Product Added', messageId: 'a4', properties: { product_id: 'p3', price: 1 } },
      site,
    )
    await hub.drained()
    expect(vendor.requests.length).toBe(2)
    const status = await hub.state.db
      .selectFrom('consent_status')
      .select('status')
      .where('purpose', '=', 'email_marketing')
      .execute()
    expect(status.map(({ status }) => status)).toContain('revoked')
  })

  test('a changed or foreign link is told so, and nothing happens', async () => {
    await start()
    const response = await fetch(`${hub.url}/privacidade/parar?t=1.WyJzdG9wIl0.AAAA`, { method: 'POST' })
    expect(response.status).toBe(404)
    expect(await response.text()).toContain('Link não reconhecido')
  })
})

async function deliveriesOf(userId: string) {
  const rows = await hub.state.db.selectFrom('deliveries').selectAll().execute()
  const mine: typeof rows = []
  for (const row of rows) if ((await identifiersOf(place, row.person_id)).includes(`userId:${userId}`)) mine.push(row)
  return mine
}
const waiting = async (userId: string) => (await deliveriesOf(userId)).filter(({ settled_at }) => settled_at === null)
