/** Failed deliveries of a real hub as cases of `anuente dev`: nobody is left in them, and they can be run. */
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openFailures } from '../../cli/dev/failures.ts'
import { registry } from '../../connectors/index.ts'
import { loadConfig } from '../../core/config.ts'
import { trials } from '../../core/delivery/preview.ts'
import type { Hub } from '../../core/hub.ts'
import { basic, makePlace, type Place, post, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub | undefined

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

test('a dead delivery becomes a case without anything of the person, beside the running hub', async () => {
  vendor = await startVendor()
  vendor.answer = (_request, response) => response.writeHead(400).end('{}')
  place = await makePlace(vendor)
  hub = await startInProcess(place)
  const consent = { context: { consent: { categoryPreferences: { Marketing: true } } } }
  const site = basic(WRITE_KEYS.site)
  const person = { email: 'marina.prado@loja.example', name: 'Marina Prado', phone: '+5521998887777' }
  await post(`${hub.url}/v1/identify`, { userId: 'cliente-771', messageId: 'f1', traits: person, ...consent }, site)
  const properties = { product_id: 'p-1', name: 'Tênis', price: 219.9, note: 'para Marina Prado' }
  await post(
    `${hub.url}/v1/track`,
    { userId: 'cliente-771', event: 'Product Added', messageId: 'f2', properties, ...consent },
    site,
  )
  await hub.drained()

  const loaded = loadConfig(join(place.dir, 'anuente.yaml'), { registry })
  const failures = (await openFailures(loaded, 'webhook', process.env))!
  try {
    const [dead, ...more] = await failures.list()
    expect([dead!.action, more]).toEqual(['sendMessage', []])
    const found = (await failures.asCase(dead!.id))!
    const { id: _id, ...event } = found.event as { id: string }
    expect(JSON.stringify({ ...found, event })).not.toMatch(/marina|prado|99888|cliente-771/i)
    expect(found).toMatchObject({
      action: 'sendMessage',
      event: { name: 'Product Added', properties: { price: 219.9 } },
    })
    // As the page runs it.
    const tried = await trials(
      { ...found, destination: 'webhook', settings: { url: 'https://hook.example/in' }, consent: 'granted' },
      { registry },
    )
    expect(tried).toMatchObject({ trials: [{ exchanges: [{ request: { method: 'POST' } }] }] })
    expect(await failures.asCase('nothing-has-this-id')).toBeUndefined()
  } finally {
    await failures.close()
  }
  expect(await openFailures(loaded, 'brevo', process.env)).toBeUndefined()
}, 60_000)
