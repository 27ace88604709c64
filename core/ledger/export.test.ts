/** An audit pack and receipts, checked by the very code that an auditor gets. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  canonical,
  type OfflineKey,
  readVerifierKey,
  verifyConsistency,
  verifyInclusion,
  verifyPack,
  verifyReceipt,
} from '../../consent/ledger/offline/verify.mjs'
import { deliveryRow } from '../testing/admin-hub.ts'
import { describeShared, readVectors } from '../testing/public-vectors.ts'
import { signCheckpoint } from './checkpoint.ts'
import { type ExportScope, exportLedger, NothingSigned, verifierPage } from './export.ts'
import { knownKeys } from './keyring.ts'
import { openTestLedger, START, type TestLedger } from './ledger.fixture.ts'
import { proveEntry } from './prove.ts'
import { readHead } from './rows.ts'
import { sequence } from './sequence.ts'
import { shredNode } from './shred.ts'

let ledger: TestLedger
let ids: string[]
let key: string
beforeAll(async () => {
  ledger = await openTestLedger()
  ids = []
  for (let n = 0; n < 30; n++) ids.push(await ledger.answer(`p${n % 7}`, n % 5 === 0 ? 'revoked' : 'granted'))
  await ledger.state.db
    .insertInto('deliveries')
    .values(
      Array.from({ length: 6 }, (_, n) =>
        deliveryRow({ id: `d${n}`, created_at: START + n, node_id: `p${n % 3}`, entry_id: ids[n]! }),
      ) as never,
    )
    .execute()
  await ledger.sequence()
  await signCheckpoint(ledger.ports, ledger.now)
  ledger.now += 86_400_000
  ids.push(await ledger.answer('p1', 'revoked'))
  await ledger.sequence()
  await shredNode(ledger.state.db, 'p2', 'both', { at: ledger.now, reason: 'erasure' })
  await sequence(ledger.state, { now: ledger.now, stateRoot: true })
  await signCheckpoint(ledger.ports, ledger.now)
  key = (await knownKeys(ledger.state.db, (await readHead(ledger.state.db))!.origin))[0]!.verifier
})
afterAll(() => ledger.close())

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
async function pack(scope: ExportScope = {}): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'anuente-pack-'))
  folders.push(dir)
  await exportLedger({ db: ledger.state.db, keys: ledger.keys, now: ledger.now }, dir, scope)
  return dir
}
const filesOf = (dir: string) => ({
  read: (name: string) => readFile(join(dir, name), 'utf8').catch(() => undefined),
})
const keys = async (): Promise<OfflineKey[]> => [await readVerifierKey(key)]
const check = async (dir: string) => verifyPack(filesOf(dir), await keys())
const codesOf = async (dir: string) => [...new Set((await check(dir)).findings.map(({ code }) => code))]
function edit(dir: string, name: string, change: (text: string) => string): void {
  writeFileSync(join(dir, name), change(readFileSync(join(dir, name), 'utf8')))
}
const lines = (text: string) => text.split('\n').filter((line) => line !== '')

describe('a pack of everything', () => {
  test('verifies with the key of the minutes, and says what it holds', async () => {
    const report = await check(await pack({ payloads: true }))
    expect(report.findings).toEqual([])
    expect(report).toMatchObject({
      ok: true,
      keysFrom: 'outside',
      checkpoints: 2,
      deliveries: { roots: 1, disclosed: 6 },
      payloads: { destroyed: 4, fit: 27 },
    })
    expect(report.disclosed).toBe(report.size)
  })

  test('without a key it uses its own and says so; with another key it fails', async () => {
    const dir = await pack()
    expect(await verifyPack(filesOf(dir))).toMatchObject({ ok: true, keysFrom: 'pack' })
    const other = await openTestLedger()
    const stranger = (await knownKeys(other.state.db, (await readHead(other.state.db))!.origin))[0]!.verifier
    await other.close()
    await expect(verifyPack(filesOf(dir), [await readVerifierKey(stranger)])).rejects.toMatchObject({
      code: 'CHECKPOINT_SIGNATURE',
    })
  })

  test.each<[string, string, (text: string) => string, string]>([
    ['an edited entry', 'ledger.ndjson', (text) => text.replace('"granted"', '"revoked"'), 'LEDGER_FORKED'],
    ['an entry that is not canonical', 'ledger.ndjson', (text) => text.replace('{"', '{ "'), 'ENTRY_ALTERED'],
    ['a deleted entry', 'ledger.ndjson', (text) => lines(text).toSpliced(4, 1).join('\n'), 'LEDGER_SHORTENED'],
    ['an inserted entry', 'ledger.ndjson', (text) => `${text}${lines(text)[0]}\n`, 'ENTRY_INSERTED'],
    [
      'entries that changed places',
      'ledger.ndjson',
      (text) => {
        const all = lines(text)
        return [all[1], all[0], ...all.slice(2)].join('\n')
      },
      'ENTRY_REORDERED',
    ],
    ['an end cut off', 'ledger.ndjson', (text) => lines(text).slice(0, -3).join('\n'), 'LEDGER_SHORTENED'],
    ['a swapped subject', 'ledger.ndjson', (text) => text.replace('"s_p3"', '"s_p4"'), 'CHAIN_BROKEN'],
    ['the wrong salt', 'payloads.ndjson', (text) => text.replace(/"salt":"..../, '"salt":"AAAA'), 'PAYLOAD_ALTERED'],
    [
      'an edited payload',
      'payloads.ndjson',
      (text) => text.replace('p0@example.com', 'p9@example.com'),
      'PAYLOAD_ALTERED',
    ],
    [
      'a destruction nobody entered',
      'payloads.ndjson',
      (text) => text.replace(/"destroyedBy":"./, '"destroyedBy":"X'),
      'PAYLOAD_MISSING',
    ],
    ['a deleted delivery', 'deliveries.ndjson', (text) => lines(text).slice(0, -1).join('\n'), 'DELIVERIES_ROOT_WRONG'],
    [
      'an altered delivery',
      'deliveries.ndjson',
      (text) => text.replace('"delivered"', '"blocked"'),
      'DELIVERIES_ROOT_WRONG',
    ],
    [
      'a forked history',
      'checkpoints.ndjson',
      (text) => text.replace(/"consistency":\["./, '"consistency":["A'),
      'LEDGER_FORKED',
    ],
  ])('%s is found', async (_, file, change, code) => {
    const dir = await pack({ payloads: true })
    edit(dir, file, change)
    expect(await codesOf(dir)).toContain(code)
  })

  test('the replay of an old checkpoint: the entries after it are not signed', async () => {
    const dir = await pack()
    const { note } = JSON.parse(lines(readFileSync(join(dir, 'checkpoints.ndjson'), 'utf8'))[0]!) as { note: string }
    writeFileSync(join(dir, 'checkpoint.txt'), note)
    expect(await codesOf(dir)).toContain('ENTRY_INSERTED')
  })
})

describe('a pack of two people', () => {
  const subjects = ['s_p1', 's_nobody']

  test('shows theirs and the hub’s own, hides the rest behind hashes, and proves their last word or that there is none', async () => {
    const dir = await pack({ subjects, payloads: true })
    const report = await check(dir)
    expect(report.findings).toEqual([])
    expect(report.subjects).toMatchObject([
      { subject: 's_p1', says: 'last', state: { email_marketing: ['revoked', 31] } },
      { subject: 's_nobody', says: 'absent', state: null },
    ])
    expect(report.deliveries).toMatchObject({ disclosed: 2 })
    const everything = ['ledger.ndjson', 'payloads.ndjson', 'deliveries.ndjson', 'subjects.ndjson']
      .map((name) => readFileSync(join(dir, name), 'utf8'))
      .join('')
    for (const other of ['s_p0"', 's_p3"', 'p3@example.com', '"p0"']) expect(everything).not.toContain(other)
  })

  test('a later revocation that is left out is found by the root of last words', async () => {
    const dir = await pack({ subjects })
    const withheld = (await proveEntry(ledger.state.db, ids.at(-1)!))!
    edit(dir, 'ledger.ndjson', (text) =>
      lines(text)
        .map((line) =>
          line.includes(ids.at(-1)!)
            ? JSON.stringify([0, Buffer.from(withheld.leaf!, 'hex').toString('base64')])
            : line,
        )
        .join('\n'),
    )
    expect(await codesOf(dir)).toEqual(['ENTRY_MISSING'])
    edit(dir, 'subjects.ndjson', (text) => text.replace('"last_seq":31', '"last_seq":29'))
    expect(await codesOf(dir)).toEqual(['STATE_PROOF_WRONG'])
  })
})

test('a pack of a period begins in the middle of chains, and still verifies', async () => {
  const report = await check(await pack({ from: START + 10_000, to: START + 20_000 }))
  expect(report.findings).toEqual([])
  expect(report.disclosed).toBeLessThan(report.size)
})

test('without a signed checkpoint there is nothing to export', async () => {
  const fresh = await openTestLedger()
  await expect(
    exportLedger({ db: fresh.state.db, keys: fresh.keys, now: fresh.now }, join(fresh.folder, 'pack')),
  ).rejects.toThrow(NothingSigned)
  await fresh.close()
})

describe('receipts offline', () => {
  const receiptOf = async (id: string, open = false) =>
    (await proveEntry(ledger.state.db, id, open ? ledger.keys : undefined))!.receipt!

  test('check with and without their payload', async () => {
    expect(await verifyReceipt(await receiptOf(ids[3]!), await keys())).toMatchObject({ holdsPayload: false })
    expect(await verifyReceipt(await receiptOf(ids[3]!, true), await keys())).toMatchObject({
      holdsPayload: true,
      payload: { identifiers: [{ type: 'email', value: 'p3@example.com' }] },
    })
  })

  test('fail by name', async () => {
    const receipt = await receiptOf(ids[3]!, true)
    const extra = /extra (.*)/.exec(receipt)![1]!
    const contents = JSON.parse(Buffer.from(extra, 'base64').toString()) as Record<string, unknown>
    const forged = (more: object) =>
      receipt.replace(extra, Buffer.from(canonical({ ...contents, ...more })).toString('base64'))
    const entry = contents['entry'] as Record<string, unknown>
    for (const [text, code] of [
      [forged({ salt: Buffer.alloc(32).toString('base64') }), 'COMMITMENT'],
      [forged({ payload: { identifiers: [] } }), 'COMMITMENT'],
      [forged({ entry: { ...entry, subject: 's_p4' } }), 'NOT_INCLUDED'],
      [forged({ entry: { ...entry, seq: 4 } }), 'SEQ'],
      [receipt.replace(/index \d+/, 'index 99'), 'SEQ'],
      [receipt.replace(extra, Buffer.from('{"entry":{},"entry":{}}').toString('base64')), 'MALFORMED'],
      [receipt.replace('@v1', '@v0'), 'MALFORMED'],
      [receipt.replace(/\n35\n/, '\n34\n'), 'CHECKPOINT_SIGNATURE'],
    ] as const)
      await expect(verifyReceipt(text, await keys())).rejects.toMatchObject({ code })
  })

  test('from the command line of somebody who has Node alone: 0, 2, 1', async () => {
    const dir = await pack({ subjects: ['s_p1'] })
    const run = async (...args: string[]) =>
      promisify(execFile)(process.execPath, [join(dir, 'verify.mjs'), ...args], { env: {} }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: { code: number; stdout: string; stderr: string }) => ({
          code: error.code,
          stdout: error.stdout + error.stderr,
        }),
      )
    expect(await run(dir, '--key', key)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('OK: o livro confere'),
    })
    writeFileSync(join(dir, 'r.tlog-proof'), await receiptOf(ids[0]!))
    expect(await run(join(dir, 'r.tlog-proof'), '--json')).toMatchObject({ code: 0 })
    edit(dir, 'ledger.ndjson', (text) => text.replace('"revoked"', '"granted"'))
    expect(await run(dir, '--json')).toMatchObject({ code: 2, stdout: expect.stringContaining('LEDGER_FORKED') })
    expect(await run(join(dir, 'nothing'))).toMatchObject({ code: 1 })
  })
})

test('verify.html holds the same code, and nothing from elsewhere', async () => {
  const page = await verifierPage()
  const code = readFileSync(new URL('../../consent/ledger/offline/verify.mjs', import.meta.url), 'utf8')
  expect(page).toContain(code.replace(/^#!.*\n/, ''))
  expect(page).not.toContain('/*VERIFY*/')
  expect(page).not.toMatch(/(?:src|href)=|https?:\/\/(?!www\.w3\.org)/)
})

describeShared('public Merkle vectors, offline code', ['vectors/merkle.json'], () => {
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
  test('every probe is taken or refused as it should', async () => {
    const { inclusion_probes, consistency_probes } = readVectors('merkle.json') as Record<
      string,
      Record<string, never>[]
    >
    for (const { leafIdx, treeSize, leafHash, proof, root, wantErr, file } of inclusion_probes!)
      expect([
        file,
        await verifyInclusion(
          leafIdx!,
          treeSize!,
          bytes(leafHash!),
          ((proof ?? []) as string[]).map(bytes),
          bytes(root!),
        ),
      ]).toEqual([file, !wantErr])
    for (const { size1, size2, root1, root2, proof, wantErr, file } of consistency_probes!)
      expect([
        file,
        await verifyConsistency(size1!, size2!, ((proof ?? []) as string[]).map(bytes), bytes(root1!), bytes(root2!)),
      ]).toEqual([file, !wantErr])
  })
})
