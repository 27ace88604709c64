/** Promises, kept under SIGKILL: an event answered 200 has its effects exactly once, and no delivery is without its event. */
import { afterEach, expect, test } from 'vitest'
import { cases, patience } from '../../core/testing/effort.ts'
import {
  basic,
  type HubProcess,
  historyOf,
  makePlace,
  openPlace,
  type Place,
  post,
  spawnHub,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

let vendor: Vendor
let place: Place
let hub: HubProcess | undefined

afterEach(async () => {
  await hub?.kill('SIGKILL')
  await vendor?.close()
  place?.remove()
})

const granted = { context: { consent: { categoryPreferences: { Marketing: true, Analytics: true } } } }

/** Sends until told to stop, as an SDK does: what was not answered 200 is sent again, unchanged. */
async function send(url: string, worker: number, answered: Set<string>, stop: () => boolean): Promise<void> {
  for (let n = 0; !stop(); n++) {
    const messages = Array.from({ length: 10 }, (_, index) => {
      const id = `w${worker}-${n}-${index}`
      return {
        type: 'track',
        event: 'Product Added',
        userId: `person-${worker}-${n % 7}`,
        messageId: id,
        timestamp: new Date().toISOString(),
        properties: { product_id: id, price: 10, quantity: 1 },
        ...granted,
      }
    })
    const body = JSON.stringify({ batch: messages })
    for (;;) {
      if (stop()) return
      const status = await post(`${url}/v1/batch`, body, basic(WRITE_KEYS.site)).catch(() => 0)
      if (status === 200) {
        for (const { messageId } of messages) answered.add(messageId)
        await new Promise((resolve) => setTimeout(resolve, 20))
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

test(
  'SIGKILL at random points: every event answered 200 is in the history once, every delivery has its event',
  async () => {
    vendor = await startVendor()
    place = await makePlace(vendor)
    const answered = new Set<string>()
    let stopped = false
    hub = await spawnHub(place)
    const { url } = hub
    const senders = [1, 2, 3].map((worker) => send(url, worker, answered, () => stopped))
    // People whose messages are asked for need an address.
    for (let worker = 1; worker <= 3; worker++)
      for (let n = 0; n < 7; n++)
        await post(
          `${url}/v1/identify`,
          {
            userId: `person-${worker}-${n}`,
            messageId: `id-${worker}-${n}`,
            traits: { email: `p${worker}.${n}@example.com` },
            ...granted,
          },
          basic(WRITE_KEYS.site),
        ).catch(() => 0)
    for (let round = 0; round < cases(3); round++) {
      await new Promise((resolve) => setTimeout(resolve, 400 + Math.random() * 900))
      await hub.kill('SIGKILL')
      hub = await spawnHub(place)
    }
    await new Promise((resolve) => setTimeout(resolve, 500))
    stopped = true
    await Promise.all(senders)
    // Everything recorded is worked off before an orderly end: wait until the history stops growing.
    const { state: watched } = await openPlace(place)
    const settled = async () =>
      Number(
        (
          await watched.db
            .selectFrom('history')
            .select((eb) => eb.fn.countAll().as('n'))
            .executeTakeFirstOrThrow()
        ).n,
      )
    for (let before = -1, now = 0; before !== now; before = now, now = await settled())
      await new Promise((resolve) => setTimeout(resolve, 1000))
    await watched.close()
    await hub.kill('SIGTERM')

    const kept = (await historyOf(place)).filter(({ name }) => name === 'Product Added')
    const times = new Map<string, number>()
    for (const { sealed } of kept) times.set(sealed.messageId, (times.get(sealed.messageId) ?? 0) + 1)
    expect(answered.size).toBeGreaterThan(100)
    expect([...answered].filter((id) => times.get(id) !== 1)).toEqual([])

    const { state } = await openPlace(place)
    const deliveries = await state.db.selectFrom('deliveries').select(['id', 'event_id', 'rule']).execute()
    const events = new Set(kept.map(({ id }) => id))
    expect(deliveries.length).toBeGreaterThan(0)
    expect(deliveries.filter(({ event_id }) => !events.has(event_id))).toEqual([])
    // One decision per event: a batch that was processed again after the crash decided the same.
    expect(new Set(deliveries.map(({ event_id }) => event_id)).size).toBe(deliveries.length)
    await state.close()

    // What the vendor got twice, it got under one key: it deduplicates, as the action says.
    const keys = new Map<string, Set<string>>()
    for (const { headers, body } of vendor.requests) {
      const key = String(headers['idempotency-key'])
      keys.set(key, (keys.get(key) ?? new Set()).add(body))
    }
    expect([...keys.keys()]).not.toContain('undefined')
    expect([...keys.values()].filter((bodies) => bodies.size > 1)).toEqual([])
  },
  patience(300_000),
)
