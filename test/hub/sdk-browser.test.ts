/** The vendors' browser libraries in a real Chromium, from a page of another origin, pointed at the hub by their own options. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { historyOf, makePlace, type Place, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

const folderOf = (name: string) => {
  const entry = createRequire(import.meta.url).resolve(name)
  return entry.slice(0, entry.lastIndexOf(`${name}/`) + name.length)
}
const LIBRARIES: Record<string, string> = {
  '/segment.js': join(folderOf('@segment/analytics-next'), 'dist/umd/index.js'),
  '/rudder.js': join(
    dirname(folderOf('@rudderstack/analytics-js')),
    'analytics-js/dist/npm/modern/bundled/umd/index.js',
  ),
}

let vendor: Vendor
let place: Place
let hub: Hub
let shop: Server
let browser: Browser

beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
  shop = createServer((request, response) => {
    const library = LIBRARIES[request.url ?? '']
    if (library) return response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(library))
    const script = request.url?.startsWith('/com-rudder') ? '/rudder.js' : '/segment.js'
    return response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end(`<!doctype html><title>Loja São João</title><script src="${script}"></script>`)
  })
  shop.listen(0, '127.0.0.1')
  await once(shop, 'listening')
  browser = await chromium.launch({
    executablePath: process.env['ANUENTE_CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
})
afterAll(async () => {
  await browser?.close()
  shop?.close()
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

async function open(path: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(shop.address() as AddressInfo).port}${path}`)
  return page
}

/** What history holds of a source once it holds as much as expected. */
async function kept(source: string, count: number) {
  for (let tries = 0; tries < 150; tries++) {
    const found = (await historyOf(place)).filter((event) => event.source === source)
    if (found.length >= count) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return (await historyOf(place)).filter((event) => event.source === source)
}

test('analytics-next: boots from the hub, asks before it sends, and its calls arrive whole, single and in batches', async () => {
  for (const strategy of ['single', 'batching']) {
    const page = await open('/com-segment?utm_source=newsletter')
    await page.evaluate(
      async ({ host, writeKey, strategy }) => {
        const { AnalyticsBrowser } = (
          globalThis as never as { AnalyticsNext: { AnalyticsBrowser: { load: (...args: unknown[]) => never } } }
        ).AnalyticsNext
        const analytics = AnalyticsBrowser.load(
          { writeKey, cdnURL: `http://${host}` },
          {
            integrations: {
              'Segment.io': {
                apiHost: `${host}/v1`,
                protocol: 'http',
                ...(strategy === 'batching' && { deliveryStrategy: { strategy, config: { size: 3, timeout: 300 } } }),
              },
            },
          },
        ) as never as {
          identify: (...args: unknown[]) => Promise<unknown>
          track: (...args: unknown[]) => Promise<unknown>
          page: (...args: unknown[]) => Promise<unknown>
        }
        const context = { consent: { categoryPreferences: { Analytics: true, Marketing: true } } }
        await analytics.page('Loja', 'Início', {}, { context })
        await analytics.identify(`web-${strategy}`, { email: `${strategy}@example.com` }, { context })
        await analytics.track(
          'Product Added',
          { product_id: `p-${strategy}`, name: 'Tênis São João', price: 219.9, quantity: 1 },
          { context },
        )
      },
      { host: `127.0.0.1:${hub.port}`, writeKey: WRITE_KEYS.site, strategy },
    )
    const expected = strategy === 'single' ? 3 : 6
    const mine = (await kept('site', expected)).slice(-3)
    await page.close()
    expect(mine.map(({ type }) => type).sort()).toEqual(['identify', 'page', 'track'])
    const added = mine.find(({ name }) => name === 'Product Added')!
    expect(added.sealed.properties).toMatchObject({
      product_id: `p-${strategy}`,
      name: 'Tênis São João',
      price: 219.9,
      quantity: 1,
    })
    expect(added.sealed.messageId).toMatch(/^ajs-next-/)
    expect(added.sealed.context).toMatchObject({ campaign: { source: 'newsletter' } })
  }
}, 60_000)

test('analytics-js: boots from /sourceConfig, and its calls arrive whole; the beacon queue too', async () => {
  for (const useBeacon of [false, true]) {
    const page = await open('/com-rudder')
    await page.evaluate(
      async ({ url, writeKey, useBeacon }) => {
        const { RudderAnalytics } = (globalThis as never as { rudderanalytics: { RudderAnalytics: new () => never } })
          .rudderanalytics
        const analytics = new RudderAnalytics() as never as Record<
          'load' | 'identify' | 'track' | 'ready',
          (...args: unknown[]) => void
        >
        analytics.load(writeKey, url, {
          configUrl: url,
          logLevel: 'ERROR',
          useBeacon,
          beaconQueueOptions: { flushQueueInterval: 500 },
          destSDKBaseURL: url,
          pluginsSDKBaseURL: url,
          consentManagement: {
            enabled: true,
            provider: 'custom',
            allowedConsentIds: ['analytics', 'marketing'],
            deniedConsentIds: [],
          },
        })
        await new Promise<void>((ready) => analytics.ready(() => ready()))
        analytics.identify(`rud-${useBeacon}`, { email: `rud.${useBeacon}@example.com` })
        analytics.track('Product Added', { product_id: `r-${useBeacon}`, price: 10, quantity: 2 })
      },
      { url: hub.url, writeKey: WRITE_KEYS.app, useBeacon },
    )
    const mine = (await kept('app', useBeacon ? 4 : 2)).slice(-2)
    await page.close()
    expect(mine.map(({ type }) => type).sort()).toEqual(['identify', 'track'])
    expect(mine.find(({ type }) => type === 'track')!.sealed.properties).toMatchObject({
      product_id: `r-${useBeacon}`,
      price: 10,
      quantity: 2,
    })
  }
}, 60_000)
