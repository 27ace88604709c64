/** A schedule over thousands of people, its hub killed in the middle of it again and again: everybody once. */
import { writeFileSync } from 'node:fs'
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

/** Ten pages. */
const PEOPLE = 5000
const KILLS = 4
const MINUTE = 60_000

let vendor: Vendor
let place: Place
let hub: HubProcess | undefined

afterEach(async () => {
  await hub?.kill('SIGKILL')
  await vendor?.close()
  place?.remove()
})

/** Once a day, at the next full minute that leaves time to start. */
function nextSlot(): { readonly text: string; readonly at: number } {
  const at = Math.ceil((Date.now() + MINUTE) / MINUTE) * MINUTE
  const time = new Date(at)
  return {
    at,
    text: `id: diaria
version: 1
when: {schedule: {cron: "${time.getUTCMinutes()} ${time.getUTCHours()} * * *", timezone: UTC}}
unless: {purpose: email_marketing}
then: {all: [{destination: hook, action: sendMessage, with: {text: Bom dia}}]}
`,
  }
}

test('SIGKILL between and within the pages of a schedule: each person is decided on once', async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await spawnHub(place)
  const context = { consent: { categoryPreferences: { Marketing: true } } }
  for (let from = 0; from < PEOPLE; from += 100) {
    const batch = Array.from({ length: 100 }, (_, n) => ({
      type: 'identify',
      userId: `u${from + n}`,
      messageId: `i${from + n}`,
      traits: { email: `u${from + n}@loja.example` },
      context,
    }))
    expect(await post(`${hub.url}/v1/batch`, { batch }, basic(WRITE_KEYS.site))).toBe(200)
  }
  const { state } = await openPlace(place)
  const count = async (table: 'persons' | 'deliveries') =>
    Number(
      (
        await state.db
          .selectFrom(table)
          .select(({ fn }) => fn.countAll().as('n'))
          .executeTakeFirstOrThrow()
      ).n,
    )
  await expect.poll(() => count('persons'), { timeout: 5 * MINUTE, interval: 200 }).toBe(PEOPLE)
  await hub.kill('SIGTERM')

  const slot = nextSlot()
  writeFileSync(join(place.dir, 'rules', 'diaria.yaml'), slot.text)
  hub = await spawnHub(place)
  const row = () => state.db.selectFrom('rule_slots').selectAll().executeTakeFirst()
  let kills = 0
  for (; kills < KILLS; kills++) {
    const before = Number((await row())?.people ?? 0)
    // As soon as it has got further: sometimes between two pages, sometimes within the next one. After the last page
    // there is no further, only the end.
    const moved = async () => {
      const now = await row()
      return now !== undefined && (Number(now.people) > before || now.state === 'done')
    }
    await expect.poll(moved, { timeout: 5 * MINUTE, interval: 1 }).toBe(true)
    if ((await row())?.state === 'done') break
    await hub.kill('SIGKILL')
    hub = await spawnHub(place)
  }
  expect(kills).toBeGreaterThan(1)
  await expect.poll(async () => (await row())?.state, { timeout: 5 * MINUTE, interval: 200 }).toBe('done')
  expect(await row()).toMatchObject({ slot: slot.at, people: PEOPLE, decided: PEOPLE, reason: null })

  const rows = await state.db.selectFrom('deliveries').select('person_id').execute()
  expect(rows).toHaveLength(PEOPLE)
  expect(new Set(rows.map(({ person_id }) => person_id)).size).toBe(PEOPLE)
  await state.close()
})
