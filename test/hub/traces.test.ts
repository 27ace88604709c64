/** A search of the data directory finds nothing of a person who refused, after their time. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { openLogReader } from '../../core/log/sqlite/log.ts'
import { expireSealed } from '../../core/stages/hold.ts'
import {
  basic,
  makePlace,
  openPlace,
  type Place,
  post,
  startInProcess,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub | undefined

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const site = basic(WRITE_KEYS.site)
const refused = {
  context: {
    consent: { categoryPreferences: { Marketing: false, Analytics: false, Functional: false, Advertising: false } },
  },
}

function filesWith(dir: string, needle: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(dir, { recursive: true }) as string[]) {
    const path = join(dir, name)
    if (statSync(path).isFile() && readFileSync(path).includes(needle)) found.push(name)
  }
  return found
}

test('nothing of the refused person lies in the clear, and after its time nothing sealed can be opened', async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
  const needles = ['recusou@example.com', 'Zulmira Recusante', 'produto-secreto-77']
  await post(
    `${hub.url}/v1/identify`,
    { userId: 'zulmira', messageId: 'z1', traits: { email: needles[0], name: needles[1] }, ...refused },
    site,
  )
  await post(
    `${hub.url}/v1/track`,
    { userId: 'zulmira', messageId: 'z2', event: 'Product Viewed', properties: { product_id: needles[2] }, ...refused },
    site,
  )
  await post(
    `${hub.url}/v1/track`,
    { anonymousId: 'anon-77', messageId: 'z3', event: 'Product Viewed', properties: { product_id: needles[2] } },
    site,
  )
  await hub.drained()
  const data = join(place.dir, 'data')
  for (const needle of needles) expect(filesWith(data, needle)).toEqual([])

  expect(await hub.state.db.selectFrom('history').selectAll().execute()).toEqual([])
  expect(
    (await hub.state.db.selectFrom('identifiers').select('sealed').execute()).filter(({ sealed }) => sealed !== null),
  ).toEqual([])
  // Purposes nobody asked about (SMS, WhatsApp) have no answer yet: sealed under the hour's key, for a day at most.
  expect((await hub.state.db.selectFrom('held').selectAll().execute()).length).toBe(3)

  // A day and an hour later what was held is gone with its key.
  await expireSealed(hub.state, Date.now() + 26 * 3_600_000)
  expect(await hub.state.db.selectFrom('held').selectAll().execute()).toEqual([])
  expect(await hub.state.db.selectFrom('seal_keys').selectAll().execute()).toEqual([])

  await hub.close()
  hub = undefined
  // The log was processed: no record is left to read, whatever key one has.
  const { state, keys } = await openPlace(place)
  const log = openLogReader(join(data, 'log.db'), keys)
  expect(log.read(0, 100)).toEqual([])
  log.close()
  await state.close()
  for (const needle of needles) expect(filesWith(data, needle)).toEqual([])
})
