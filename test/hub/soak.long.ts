/** Ten minutes of traffic: memory and the log's file stay flat, and nothing is lost or counted twice. */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import {
  basic,
  type HubProcess,
  makePlace,
  openPlace,
  type Place,
  post,
  spawnHub,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

const MINUTES = Number(process.env['ANUENTE_SOAK_MINUTES'] ?? 10)
const PEOPLE = 500

let vendor: Vendor
let place: Place
let hub: HubProcess | undefined

afterEach(async () => {
  await hub?.kill('SIGKILL')
  await vendor?.close()
  place?.remove()
})

/** Resident memory of a process, in bytes. */
function resident(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

function batch(n: number) {
  return {
    batch: Array.from({ length: 50 }, (_, index) => ({
      type: 'track',
      event: 'Product Added',
      userId: `person-${(n * 50 + index) % PEOPLE}`,
      messageId: `soak-${n}-${index}`,
      timestamp: new Date().toISOString(),
      properties: { product_id: `p${index}`, price: 10, quantity: 1 },
      context: { consent: { categoryPreferences: { Marketing: true, Analytics: true } } },
    })),
  }
}

test('steady traffic', async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await spawnHub(place)
  const memory: number[] = []
  const log: number[] = []
  const ends = Date.now() + MINUTES * 60_000
  let sent = 0
  for (let n = 0; Date.now() < ends; n++) {
    const status = await post(`${hub.url}/v1/batch`, batch(n), basic(WRITE_KEYS.site))
    // Overloaded is an answer: the same batch goes again later, as an SDK does.
    if (status === 200) sent += 50
    else n--
    await new Promise((resolve) => setTimeout(resolve, status === 200 ? 250 : 2000))
    if (n % 20 === 0) {
      memory.push(resident(hub.child.pid!))
      log.push(statSync(join(place.dir, 'data', 'log.db')).size)
    }
  }
  const { state } = await openPlace(place)
  const kept = async () =>
    Number(
      (
        await state.db
          .selectFrom('history')
          .select((eb) => eb.fn.countAll().as('n'))
          .executeTakeFirstOrThrow()
      ).n,
    )
  for (let tries = 0; tries < 120 && (await kept()) < sent; tries++)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(await kept()).toBe(sent)
  await state.close()

  // The first third warms up: caches fill, the engine compiles.
  const third = Math.floor(memory.length / 3)
  const [second, last] = [median(memory.slice(third, 2 * third)), median(memory.slice(2 * third))]
  console.log(
    `${sent} events; resident memory, medians of the thirds: ${[median(memory.slice(0, third)), second, last].map((bytes) => `${Math.round(bytes / 1e6)} MB`).join(', ')}`,
  )
  expect(last / second).toBeLessThan(1.25)
  expect(Math.max(...log.slice(2 * third))).toBeLessThanOrEqual(2 * Math.max(...log.slice(0, 2 * third)))
})
