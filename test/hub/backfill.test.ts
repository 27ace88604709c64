/** A file through the real hub: by the command line and by upload, each row counted once. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { typed } from '../../cli/typed.fixture.ts'
import type { Hub } from '../../core/hub.ts'
import { historyOf, makePlace, type Place, startInProcess, startVendor, type Vendor } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub

beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor, {
    change: (config) => {
      Object.assign(config['sources'] as object, {
        erp: {
          connector: 'file',
          notice: { id: 'cadastro', version: 1 },
          settings: {
            token: 'segredo-do-arquivo',
            mapping: {
              event: { const: 'Order Completed' },
              timestamp: 'Data',
              identifiers: { email: 'E-mail' },
              traits: { name: 'Nome' },
              properties: { order_id: 'Pedido', total: { from: 'Total', as: 'number' } },
            },
          },
        },
      })
    },
  })
  hub = await startInProcess(place)
}, 60_000)
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const file =
  'Pedido;Data;E-mail;Nome;Total\n1;24/11/2025;ana@example.com;Ana;1.219,90\n2;24/11/2025;bia@example.com;Bia;10,00\n3;nunca;x@example.com;X;1,00\n'

const backfill = (name: string, ...args: string[]) =>
  typed(['backfill', join(place.dir, name), '--source', 'erp', '--json', ...args], {
    config: place.configFile,
    env: process.env,
  })

const orders = async () =>
  (await historyOf(place))
    .filter(({ name }) => name === 'Order Completed')
    .map(({ sealed, source, occurredAt }) => [
      sealed.properties['order_id'],
      sealed.properties['total'],
      source,
      occurredAt,
    ])

test('rows become orders of their own time, once, and what is wrong waits', async () => {
  writeFileSync(join(place.dir, 'pedidos.csv'), file)
  expect(JSON.parse((await backfill('pedidos.csv')).out)).toMatchObject({
    rows: 3,
    recorded: 4,
    quarantined: 1,
    codes: { BAD_TIMESTAMP: 1 },
  })
  await hub.drained()
  const expected = [
    ['1', 1219.9, 'erp', '2025-11-24T03:00:00.000Z'],
    ['2', 10, 'erp', '2025-11-24T03:00:00.000Z'],
  ]
  expect(await orders()).toEqual(expected)
  const aside = await hub.state.db
    .selectFrom('quarantine')
    .select(['code', 'path'])
    .where('source_id', '=', 'erp')
    .execute()
  expect(aside).toEqual([{ code: 'BAD_TIMESTAMP', path: '/2/Data' }])

  // The same bytes uploaded are the same import.
  const sent = await fetch(`${hub.url}/in/erp`, {
    method: 'POST',
    headers: { 'x-anuente-token': 'segredo-do-arquivo', 'content-type': 'text/csv' },
    body: file,
  })
  expect([sent.status, await sent.json()]).toEqual([200, { ok: true, recorded: 4, quarantined: 1 }])
  await hub.drained()
  expect(await orders()).toEqual(expected)
})

test('only the token may upload, and only a source for files takes rows', async () => {
  const sent = await fetch(`${hub.url}/in/erp`, { method: 'POST', body: file })
  expect(sent.status).toBe(401)
  expect(await backfill('pedidos.csv', '--again', '--source', 'site')).toMatchObject({ code: 1 })
})

test('rows of a program are the same ingest', async () => {
  const rows = [{ Pedido: '9', Data: '2025-11-24', 'E-mail': 'caio@example.com', Total: '5,00' }, { Pedido: '10' }]
  const args = { source: 'erp', import: 'export-2026', firstRow: 1, rows }
  const answer = { recorded: 1, quarantined: 1, codes: { NO_IDENTIFIER: 1 } }
  const before = (await orders()).length
  expect(await hub.run({ name: 'importRows', args: { ...args, dryRun: true }, actor: 't' })).toEqual({
    ok: true,
    value: answer,
  })
  await hub.drained()
  expect((await orders()).length).toBe(before)
  for (let sent = 0; sent < 2; sent++) {
    expect(await hub.run({ name: 'importRows', args, actor: 't' })).toEqual({ ok: true, value: answer })
    await hub.drained()
    expect((await orders()).slice(before)).toEqual([['9', 5, 'erp', '2025-11-24T03:00:00.000Z']])
  }
  for (const [wrong, code] of [
    [{ source: 'site' }, 'INVALID'],
    [{ source: 'nobody' }, 'NOT_FOUND'],
    [{ firstRow: 0 }, 'INVALID'],
    [{ import: '../x' }, 'INVALID'],
  ] as const)
    expect(await hub.run({ name: 'importRows', args: { ...args, ...wrong }, actor: 't' })).toMatchObject({
      ok: false,
      code,
    })
})
