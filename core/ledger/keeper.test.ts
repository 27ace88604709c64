/** The ledger between the batches of the process role. */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createKeeper } from './keeper.ts'
import { openTestLedger, type TestLedger } from './ledger.fixture.ts'
import { ledgerStatus } from './status.ts'

let ledger: TestLedger
afterEach(() => ledger.close())
const status = async () => (await ledgerStatus(ledger.state.db, { anchorFolder: ledger.anchors, privacy: 'open' }))!

test('numbers at once when idle, signs every five minutes, copies out every hour and only what is new', async () => {
  ledger = await openTestLedger()
  const keeper = createKeeper(ledger.ports, (error) => {
    throw error
  })
  await ledger.answer('ana', 'granted')
  expect(await keeper.round(ledger.now, true)).toBe(true)
  expect(await keeper.round(ledger.now, true)).toBe(false)
  expect(await status()).toMatchObject({ size: 1, checkpoint: { size: 1 }, unanchoredSince: null })
  expect(readdirSync(ledger.anchors).length).toBe(1)

  await ledger.answer('ana', 'revoked')
  await keeper.round(ledger.now, true)
  await keeper.round(ledger.now, true)
  expect(await status()).toMatchObject({ size: 2, checkpoint: { size: 1 } })
  ledger.now += 5 * 60_000
  await keeper.round(ledger.now, true)
  expect(await status()).toMatchObject({ checkpoint: { size: 2 }, unanchoredSince: expect.any(Number) })
  expect(readdirSync(ledger.anchors).length).toBe(1)
  ledger.now += 3_600_000
  await keeper.round(ledger.now, true)
  expect(readdirSync(ledger.anchors).length).toBe(2)
  expect((await status()).unanchoredSince).toBeNull()
})

test('under load it waits a little, so that entries are numbered in batches', async () => {
  ledger = await openTestLedger()
  const keeper = createKeeper(ledger.ports, () => {})
  const now = ledger.now
  await ledger.answer('ana', 'granted')
  expect(await keeper.round(now, false)).toBe(true)
  await ledger.answer('ana', 'revoked')
  expect(await keeper.round(now + 100, false)).toBe(false)
  expect(await keeper.round(now + 200, false)).toBe(true)
})

test('copies are written once: the same again changes nothing', async () => {
  ledger = await openTestLedger()
  const faults: unknown[] = []
  const keeper = () => createKeeper(ledger.ports, (error) => faults.push(error))
  const first = keeper()
  await ledger.answer('ana', 'granted')
  await first.round(ledger.now, true)
  await first.round(ledger.now, true)
  const [name] = readdirSync(ledger.anchors)
  const file = join(ledger.anchors, name!)
  expect(readFileSync(file, 'utf8')).toBe((await status()).checkpoint!.note)
  expect(statSync(file).mode & 0o222).toBe(0)
  ledger.now += 3_600_000
  await keeper().round(ledger.now, true)
  expect(faults).toEqual([])
  expect(readdirSync(ledger.anchors)).toEqual([name])
})

test('a folder that cannot be used is told to whoever looks: numbering goes on, signing waits', async () => {
  ledger = await openTestLedger()
  writeFileSync(ledger.anchors, 'a file where the folder should be')
  const faults: unknown[] = []
  const keeper = createKeeper(ledger.ports, (error) => faults.push(error))
  await ledger.answer('ana', 'granted')
  await keeper.round(ledger.now, true)
  await keeper.round(ledger.now, true)
  expect(faults.length).toBe(1)
  await ledger.answer('ana', 'revoked')
  expect(await keeper.round(ledger.now, true)).toBe(true)
  expect(await status()).toMatchObject({
    size: 2,
    checkpoint: null,
    problems: [{ what: 'anchoring', code: 'ENOTDIR' }],
  })
  rmSync(ledger.anchors)
  ledger.now += 60_000
  await keeper.round(ledger.now, true)
  expect(await status()).toMatchObject({ checkpoint: { size: 2 }, problems: [] })
})

test('a fork is told to whoever looks; entries go on being numbered, and nothing is signed', async () => {
  ledger = await openTestLedger()
  const { db } = ledger.state
  const faults: unknown[] = []
  const keeper = createKeeper({ ...ledger.ports, anchorFolder: undefined }, (error) => faults.push(error))
  await ledger.answer('ana', 'granted')
  await keeper.round(ledger.now, true)
  await keeper.round(ledger.now, true)
  await db
    .updateTable('ledger_tiles')
    .set({ hashes: Buffer.alloc(32, 7) })
    .execute()
  await ledger.answer('ana', 'revoked')
  ledger.now += 10 * 60_000
  expect(await keeper.round(ledger.now, true)).toBe(true)
  await keeper.round(ledger.now, true)
  expect(await status()).toMatchObject({
    size: 2,
    checkpoint: { size: 1 },
    problems: [{ what: 'signing', code: 'LEDGER_FORKED' }],
  })
})
