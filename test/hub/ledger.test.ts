/**
 * A day of a real hub, and what its ledger shows of it afterwards: consent, a message, a dead letter that is
 * re-driven, a withdrawal, a blocked message. Then an audit pack, checked in Node and in a browser without network.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { createKeys, type Keys, loadMasterKey } from '../../core/keys.ts'
import { exportLedger } from '../../core/ledger/export.ts'
import { proveEntry } from '../../core/ledger/prove.ts'
import { findEntry } from '../../core/ledger/rows.ts'
import { ledgerStatus } from '../../core/ledger/status.ts'
import { verifyLedger } from '../../core/ledger/verify.ts'
import type { LedgerStatus } from '../../schemas/ledger.ts'
import { basic, makePlace, type Place, post, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let vendor: Vendor
let place: Place
let hub: Hub
let keys: Keys
let dir: string
beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
  keys = createKeys(loadMasterKey(join(place.dir, 'data', 'master.key')))
  dir = mkdtempSync(join(tmpdir(), 'anuente-day-'))
})
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
  rmSync(dir, { recursive: true, force: true })
})

const consent = (marketing: boolean) => ({
  context: { consent: { categoryPreferences: { Marketing: marketing, Analytics: marketing } } },
})
let sent = 0
async function send(body: object): Promise<void> {
  sent += 1
  const batch = [{ userId: 'ana', messageId: `m${sent}`, ...body }]
  expect(await post(`${hub.url}/v1/batch`, { batch }, basic(WRITE_KEYS.site))).toBe(200)
  await hub.drained()
}
const added = () => send({ type: 'track', event: 'Product Added', properties: { product_id: 'p', price: 10 } })
const deliveries = () => hub.state.db.selectFrom('deliveries').selectAll().orderBy('ord').execute()
const verify = async () => (await verifyLedger(hub.state.db, { keys, anchorFolder: undefined }))!
const status = async () =>
  (await ledgerStatus(hub.state.db, { anchorFolder: undefined, privacy: 'open' })) as LedgerStatus
async function checkpoint(): Promise<void> {
  expect(await hub.run({ name: 'ledgerCheckpoint', args: {}, actor: 'cli' })).toMatchObject({ ok: true })
}

test('after a day with everything in it the ledger verifies, and every delivery names its entry', async () => {
  await send({ type: 'identify', traits: { email: 'ana@example.com' }, ...consent(true) })
  await added()
  vendor.answer = (_request, response) => response.writeHead(422).end('{}')
  await added()
  expect((await deliveries()).map(({ status: of }) => of)).toEqual(['delivered', 'dead'])
  await checkpoint()
  vendor.answer = (_request, response) => response.writeHead(200).end('{}')
  expect(
    await hub.run({ name: 'redriveDeliveries', args: { filter: { code: 'REJECTED' } }, actor: 'cli' }),
  ).toMatchObject({
    ok: true,
  })
  await vi.waitFor(async () => expect((await deliveries())[1]).toMatchObject({ status: 'delivered' }), 20_000)
  await send({ type: 'identify', ...consent(false) })
  await added()
  await checkpoint()

  const report = await verify()
  expect(report.findings).toEqual([])
  expect(report).toMatchObject({ pending: 0, checkpoints: 2, stateRoots: 2 })
  expect(report.deliveries).toBeGreaterThanOrEqual(3)
  for (const { entry_id, status: of } of await deliveries()) {
    if (of === 'delivered') expect(await findEntry(hub.state.db, entry_id!)).toMatchObject({ seq: expect.any(Number) })
  }
})

test('the pack of that day and a receipt check in Node and in a browser that has no hub', async () => {
  const { key } = await status()
  await exportLedger({ db: hub.state.db, keys, now: Date.now() }, dir, { payloads: true })
  const grant = await hub.state.db
    .selectFrom('ledger_entries')
    .select('id')
    .where('type', '=', 'consent.grant')
    .orderBy('seq')
    .executeTakeFirstOrThrow()
  writeFileSync(join(dir, 'recibo.tlog-proof'), (await proveEntry(hub.state.db, grant.id, keys))!.receipt!)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(dir, 'verify.mjs'), dir, '--key', key.verifier],
    { env: {} },
  )
  expect(stdout).toContain('OK: o livro confere')

  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  })
  try {
    const page = await (await browser.newContext({ offline: true })).newPage()
    await page.goto(pathToFileURL(join(dir, 'verify.html')).href)
    const result = page.getByRole('status')
    await page.locator('#receipt').setInputFiles(join(dir, 'recibo.tlog-proof'))
    await result.getByText('informe a chave do livro').waitFor()
    await page.locator('#key').fill(key.verifier)
    await page.locator('#receipt').setInputFiles([])
    await page.locator('#receipt').setInputFiles(join(dir, 'recibo.tlog-proof'))
    await result.getByText('OK: o recibo confere').waitFor()
    await page.locator('#pack').setInputFiles(dir)
    await result.getByText('OK: o livro confere').waitFor()
    expect(await result.getAttribute('class')).toBe('ok')
  } finally {
    await browser.close()
  }
})

test('a delivery deleted straight in the database is found and named', async () => {
  const [first] = await deliveries()
  await hub.state.db.deleteFrom('deliveries').where('id', '=', first!.id).execute()
  expect((await verify()).findings).toMatchObject([{ code: 'DELIVERY_DELETED', what: first!.id }])
})
