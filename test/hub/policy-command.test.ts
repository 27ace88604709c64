import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { typed } from '../../cli/typed.fixture.ts'
import type { Hub } from '../../core/hub.ts'
import { basic, makePlace, type Place, post, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub

beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
}, 60_000)
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

async function anuente(args: readonly string[], input?: string) {
  const config = place.configFile
  const ended = await typed([...args, '--json'], { config, env: process.env, ...(input && { input }) })
  const lines = ended.out.split('\n').filter((line) => line !== '')
  return { ...ended, lines: lines.map((line) => JSON.parse(line) as never) }
}

test('compare: what Segment would have sent and we do not, with our reason, and the other way round', async () => {
  const consent = (preferences: object) => ({ consent: { categoryPreferences: preferences } })
  const event = (userId: string, context: object = {}) =>
    JSON.stringify({ type: 'track', event: 'Product Added', userId, messageId: userId, context, properties: {} })
  const { lines } = await anuente(
    ['policy', 'compare', '--source', 'site'],
    [
      event('a'),
      event('b'),
      event('c', consent({ Marketing: true, Analytics: true })),
      event('d', consent({ Marketing: false, Analytics: false })),
      'no event',
    ].join('\n'),
  )
  const hook = lines.filter(({ destination }: { destination?: string }) => destination === 'hook')
  expect(hook).toEqual([
    {
      destination: 'hook',
      rule: 'segment',
      only: 'theirs',
      reason: 'consent_unknown (7 I)',
      events: 2,
      people: 2,
    },
  ])
  expect(lines.at(-1)).toMatchObject({ events: 4, unreadable: 1 })
})

test('compare without a file tells what this hub stopped that they would have let through', async () => {
  const site = basic(WRITE_KEYS.site)
  await post(`${hub.url}/v1/page`, { anonymousId: 'v1', messageId: 'v1', name: 'Home' }, site)
  await hub.drained()
  const { lines } = await anuente(['policy', 'compare'])
  expect(lines).toContainEqual({ source: 'site', purpose: 'analytics', reason: 'absent', events: 1, people: 1 })
})

test('simulate: what another policy would not keep, and would stop of what was delivered', async () => {
  const site = basic(WRITE_KEYS.site)
  const yes = { context: { consent: { categoryPreferences: { Marketing: true } } } }
  await post(
    `${hub.url}/v1/identify`,
    { userId: 'ana', messageId: 'i1', traits: { email: 'ana@example.com' }, ...yes },
    site,
  )
  await post(
    `${hub.url}/v1/track`,
    { userId: 'ana', event: 'Product Added', messageId: 't1', properties: { product_id: 'p', price: 1 } },
    site,
  )
  await hub.drained()
  const config = parse(readFileSync(place.configFile, 'utf8')) as {
    destinations: { hook: { country: string; role?: string } }
    purposes: Record<string, { collects: unknown[] }>
  }
  config.destinations.hook.country = 'US'
  config.purposes['email_marketing']!.collects = [{ identify: ['email'] }]
  const next = join(place.dir, 'next.yaml')
  writeFileSync(next, stringify(config))
  const { lines } = await anuente(['policy', 'simulate', '--with', next])
  expect(lines).toContainEqual({ stage: 'collect', source: 'site', purpose: 'email_marketing', now: 2, then: 1 })
  expect(lines).toContainEqual({
    stage: 'deliver',
    destination: 'hook',
    purpose: 'email_marketing',
    now: 1,
    then: 0,
    unblocked: 0,
    blocked: { 'no_transfer_ground (33)': 1 },
  })
})

test('check: prints the hash that decisions name', async () => {
  const { code, lines } = await anuente(['policy', 'check'])
  expect(code).toBe(0)
  expect(lines.at(-1)).toMatchObject({ policyHash: expect.stringMatching(/^[0-9a-f]{64}$/) })
})
