/** Sources that the hub asks: a folder and an HTTP API, through the real hub. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { typed } from '../../cli/typed.fixture.ts'
import type { Hub } from '../../core/hub.ts'
import type { PollRun } from '../../core/polling/runner.ts'
import { historyOf, makePlace, type Place, startInProcess, startVendor, type Vendor } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub

beforeEach(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor, {
    change: (config) => {
      config['network'] = { allow: [new URL(vendor.url).host] }
      const mapping = {
        event: { const: 'Order Completed' },
        identifiers: { email: 'email' },
        properties: { order_id: 'id', total: { from: 'total', as: 'number' } },
        id: 'id',
      }
      Object.assign(config['sources'] as object, {
        erp: {
          connector: 'file',
          notice: { id: 'cadastro', version: 1 },
          settings: { mapping, folder: { path: './entrada', everySeconds: 86_400, after: 'keep' } },
        },
        loja: {
          connector: 'webhook',
          notice: { id: 'cadastro', version: 1 },
          settings: {
            mapping,
            items: 'data.orders',
            poll: {
              url: `${vendor.url}/orders`,
              everySeconds: 86_400,
              headers: { authorization: 'Bearer segredo-da-loja' },
              since: { query: 'updated_since', path: 'updated_at', initial: '2026-01-01' },
              next: { path: 'paging.next' },
            },
          },
        },
      })
    },
  })
}, 60_000)
afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const anuente = (...args: string[]) =>
  typed(['poll', ...args, '--json'], { config: place.configFile, env: process.env })
const orders = async () =>
  (await historyOf(place))
    .filter(({ name }) => name === 'Order Completed')
    .map(({ sealed }) => [sealed.properties['order_id'], sealed.properties['total']])

const order = (id: string, updatedAt: string) => ({ id, email: `${id}@example.com`, total: 10, updated_at: updatedAt })

test('a file put into the folder becomes orders, once, and is put away', async () => {
  const folder = join(place.dir, 'entrada')
  mkdirSync(folder)
  const put = (name: string) => {
    writeFileSync(
      join(folder, name),
      Buffer.from('id;email;total\n1;ana@example.com;1.219,90\n2;bia@example.com;10,00\n'),
    )
    const at = Date.now() / 1000 - 60
    utimesSync(join(folder, name), at, at)
  }
  put('pedidos.csv')
  hub = await startInProcess(place)
  // By itself: nobody has to ask.
  await expect.poll(() => readdirSync(folder), { timeout: 20_000 }).toEqual(['done'])
  put('pedidos de novo.csv')
  expect((await anuente('erp')).code).toBe(0)
  await hub.drained()
  expect(await orders()).toEqual([
    ['1', 1219.9],
    ['2', 10],
  ])
  const { items } = JSON.parse((await anuente()).out) as { items: { source: string; recorded: number }[] }
  expect(items.find(({ source }) => source === 'erp')).toMatchObject({ recorded: 2, error: null })
}, 60_000)

test('an API is asked page by page, from the newest seen; what comes twice counts once; a refusal is told', async () => {
  hub = await startInProcess(place)
  const ask = async () => JSON.parse((await anuente('loja')).out) as PollRun
  await expect.poll(() => vendor.requests.length, { timeout: 20_000 }).toBeGreaterThan(0)
  vendor.answer = (request, response) => {
    const second = new URL(request.url!, vendor.url).searchParams.get('page') === '2'
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        data: { orders: second ? [order('c', '2026-02-03')] : [order('a', '2026-02-01'), order('b', '2026-02-02')] },
        paging: second ? {} : { next: '/orders?page=2' },
      }),
    )
  }
  const before = vendor.requests.length
  await expect.poll(ask, { timeout: 10_000 }).toMatchObject({ pages: 2, recorded: 3 })
  expect(vendor.requests[before]!.path).toBe('/orders?updated_since=2026-01-01')
  expect(vendor.requests[before]!.headers.authorization).toBe('Bearer segredo-da-loja')

  await ask()
  expect(vendor.requests[before + 2]!.path).toBe('/orders?updated_since=2026-02-03')
  await hub.drained()
  expect((await orders()).map(([id]) => id)).toEqual(['a', 'b', 'c'])

  vendor.answer = (_request, response) => response.writeHead(401).end('segredo-da-loja')
  expect(await ask()).toMatchObject({ error: 'UNAUTHORIZED' })
  const listed = await anuente()
  expect(listed.code).toBe(1)
  expect(listed.out).toContain('UNAUTHORIZED')
  expect(listed.out).not.toContain('segredo')
  // Where it stood is kept.
  vendor.answer = (_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":{"orders":[]}}')
  await ask()
  expect(vendor.requests.at(-1)!.path).toBe('/orders?updated_since=2026-02-03')
}, 60_000)
