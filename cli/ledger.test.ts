/** `anuente ledger` on the files of a hub that is not running. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeys, loadMasterKey } from '../core/keys.ts'
import { openTestLedger, type TestLedger } from '../core/ledger/ledger.fixture.ts'
import { typed } from './typed.fixture.ts'

let dir: string
let ledger: TestLedger
let first: string
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-cli-ledger-'))
  writeFileSync(
    join(dir, 'anuente.yaml'),
    'organization: {name: Loja Exemplo, dpo: {name: Carla, email: dpo@loja.example}}\nstorage: {dir: ./data}\nledger: {anchors: {folder: ./anchors}}\nsources: {}\npurposes: {}\n',
  )
  mkdirSync(join(dir, 'data'))
  const keys = createKeys(loadMasterKey(join(dir, 'data', 'master.key'), {}))
  ledger = await openTestLedger({ file: join(dir, 'data', 'state.db'), keys })
  first = await ledger.answer('ana', 'granted')
  await ledger.answer('bia', 'granted')
})
afterAll(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true })
})

async function call(...args: string[]) {
  const ended = await typed(['ledger', ...args], { config: join(dir, 'anuente.yaml') })
  return { ...ended, json: (args.includes('--json') ? JSON.parse(ended.out) : {}) as Record<string, never> }
}
const inDir = (name: string) => join(dir, name)

test('from a pending entry to a receipt that verifies', async () => {
  expect(await call('prove', first)).toMatchObject({ code: 0, out: expect.stringContaining('pending') })

  const signed = await call('checkpoint', '--json')
  expect(signed).toMatchObject({ code: 0, json: { checkpoint: { size: 3 } } })
  expect(readdirSync(inDir('anchors')).length).toBe(1)

  expect(await call('prove', first, '--out', inDir('recibo.tlog-proof'))).toMatchObject({ code: 0 })
  expect(await call('verify-receipt', inDir('recibo.tlog-proof'), '--json')).toMatchObject({
    code: 0,
    json: { ok: true, payload: 'absent', entry: { id: first } },
  })
  expect(await call('verify', '--json')).toMatchObject({
    code: 0,
    json: { ok: true, size: 3, subjects: 3, anchors: 1, payloads: 3 },
  })
})

test('a payload needs a reason, which is kept', async () => {
  expect(await call('prove', first, '--with-payload')).toMatchObject({
    code: 1,
    err: expect.stringContaining('--reason'),
  })
  const file = inDir('com-conteudo.tlog-proof')
  expect(await call('prove', first, '--with-payload', '--reason', 'pedido 17', '--out', file)).toMatchObject({
    code: 0,
  })
  expect(await call('verify-receipt', file)).toMatchObject({ code: 0, out: expect.stringContaining('fits') })
  const log = await ledger.state.db.selectFrom('access_log').selectAll().where('act', '=', 'ledger.reveal').execute()
  expect(log).toMatchObject([{ target: `${first} pedido 17`, actor: 'cli' }])
})

test('the last word of a subject, and that there is none', async () => {
  expect(await call('prove', 's_ana', '--subject')).toMatchObject({ code: 0, out: expect.stringContaining('granted') })
  expect(await call('prove', 's_nobody', '--subject', '--json')).toMatchObject({ code: 0, json: { says: 'absent' } })
})

test('minutes are a page, and count as a copy outside', async () => {
  expect(await call('minutes', '--out', inDir('ata.html'))).toMatchObject({ code: 0 })
  expect(readFileSync(inDir('ata.html'), 'utf8')).toContain('Ata do livro de consentimento')
  const anchors = await ledger.state.db.selectFrom('ledger_anchors').select('kind').orderBy('kind').execute()
  expect(anchors.map(({ kind }) => kind)).toEqual(['folder', 'minutes'])
})

test('an older checkpoint begins the ledger of now; a foreign one does not', async () => {
  const [copy] = readdirSync(inDir('anchors'))
  await ledger.answer('ana', 'revoked')
  expect(await call('rotate-key', '--reason', 'troca anual', '--json')).toMatchObject({
    code: 0,
    json: { checkpoint: { size: 5 } },
  })
  expect(await call('consistency', join(inDir('anchors'), copy!))).toMatchObject({
    code: 0,
    out: expect.stringContaining('OK'),
  })
  expect(await call('consistency', '2', '4', '--json')).toMatchObject({
    code: 0,
    json: { ok: true, first: 2, second: 4 },
  })
  const note = readFileSync(join(inDir('anchors'), copy!), 'utf8')
  writeFileSync(inDir('falsa.txt'), note.replace('\n3\n', '\n2\n'))
  expect(await call('consistency', inDir('falsa.txt'))).toMatchObject({
    code: 2,
    out: expect.stringContaining('CHECKPOINT_SIGNATURE'),
  })
  expect(await call('verify', '--checkpoint', inDir('falsa.txt'))).toMatchObject({ code: 2 })
})

test('what does not verify ends with 2, and what is not there with 1', async () => {
  const receipt = readFileSync(inDir('recibo.tlog-proof'), 'utf8')
  writeFileSync(inDir('falso.tlog-proof'), receipt.replace(/index 0/, 'index 1'))
  expect(await call('verify-receipt', inDir('falso.tlog-proof'))).toMatchObject({ code: 2 })
  expect(await call('verify-receipt', inDir('nada.tlog-proof'))).toMatchObject({ code: 1 })
  expect(await call('verify-receipt', inDir('recibo.tlog-proof'), '--key', 'x')).toMatchObject({ code: 1 })
  expect(await call('prove', 'nothing')).toMatchObject({ code: 1, err: expect.stringContaining('nothing') })
  expect(await call('consistency', '99')).toMatchObject({ code: 1 })

  await ledger.state.db.updateTable('ledger_entries').set({ purpose: 'ads' }).where('seq', '=', 0).execute()
  expect(await call('verify')).toMatchObject({ code: 2, out: expect.stringContaining('COLUMNS_ALTERED') })
  expect(await call('verify', '--json', '--no-payloads')).toMatchObject({ code: 2, json: { ok: false } })
  expect(existsSync(inDir('data/hub.sock'))).toBe(false)
})
