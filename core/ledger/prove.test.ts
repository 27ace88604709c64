/** What is proved of one entry, and what of it can be read where privacy is strict. */
import { afterEach, expect, test } from 'vitest'
import { checkReceipt } from '../../consent/ledger/receipt.ts'
import { checkState } from '../../consent/ledger/state-tree.ts'
import { signCheckpoint } from './checkpoint.ts'
import { knownKeys } from './keyring.ts'
import { openTestLedger, type TestLedger } from './ledger.fixture.ts'
import { consentFacts, proveEntry, proveSubjects } from './prove.ts'
import { findEntry, readHead } from './rows.ts'
import { sequence } from './sequence.ts'
import { shredNode } from './shred.ts'
import { ledgerStatus } from './status.ts'
import { verifyLedger } from './verify.ts'

let ledger: TestLedger
afterEach(() => ledger.close())
const keysOf = async () =>
  (await knownKeys(ledger.state.db, (await readHead(ledger.state.db))!.origin)).map(({ key }) => key)

test('an entry is pending until a checkpoint covers it, then its receipt checks', async () => {
  ledger = await openTestLedger()
  const { db } = ledger.state
  const granted = await ledger.answer('ana', 'granted')
  expect(await proveEntry(db, granted)).toMatchObject({ state: 'pending', receipt: null, lastWord: true })
  await ledger.sequence()
  expect(await proveEntry(db, granted)).toMatchObject({ state: 'pending', entry: { seq: 0 } })
  await signCheckpoint(ledger.ports, ledger.now)
  const revoked = await ledger.answer('ana', 'revoked')
  const proof = (await proveEntry(db, granted))!
  expect(proof).toMatchObject({ state: 'proven', lastWord: false, payload: { state: 'kept' } })
  expect(checkReceipt(proof.receipt!, await keysOf())).toMatchObject({ payload: 'absent', entry: { id: granted } })
  expect(await proveEntry(db, revoked)).toMatchObject({ state: 'pending', lastWord: true })
  expect(await proveEntry(db, 'nothing')).toBeUndefined()
})

test('last words and absence are proved under the newest root, also when people answered since', async () => {
  ledger = await openTestLedger()
  const { db } = ledger.state
  expect(await proveSubjects(db, ['s_ana'])).toBeUndefined()
  for (const person of ['ana', 'bia', 'caio', 'duda']) await ledger.answer(person, 'granted')
  await ledger.sequence()
  await sequence(ledger.state, { now: ledger.now, stateRoot: true })
  await ledger.answer('ana', 'revoked')
  await ledger.answer('nina', 'granted')
  await ledger.sequence()
  for (const { subject, says, head, steps, rootEntry } of (await proveSubjects(db, ['s_ana', 's_nina', 's_nobody']))!) {
    expect(says).toBe(subject === 's_ana' ? 'last' : 'absent')
    const sides = steps.map(({ bit, hash }) => ({ bit, hash: Buffer.from(hash, 'base64') }))
    expect(checkState(subject, head, sides, Buffer.from(rootEntry.root, 'hex'))).toBe(says)
    if (subject === 's_ana') expect(head?.state).toEqual({ email_marketing: ['granted', 0] })
  }
})

test('strict privacy: the tree tells nobody what about; whoever holds the key can read it, and later nobody', async () => {
  ledger = await openTestLedger({ privacy: 'strict' })
  const { db } = ledger.state
  const id = await ledger.answer('ana', 'granted')
  await ledger.sequence()
  const entry = (await findEntry(db, id))!
  for (const word of ['email_marketing', 'granted', 'consent.grant', 'cookies']) expect(entry.bytes).not.toContain(word)
  expect(await consentFacts(db, entry, ledger.keys)).toMatchObject({
    type: 'consent.grant',
    purpose: 'email_marketing',
    status: 'granted',
    basis: 'consent',
  })
  expect((await verifyLedger(db, { keys: ledger.keys, anchorFolder: undefined }))!.findings).toEqual([])
  await shredNode(db, 'ana', 'proof', { at: ledger.now, reason: 'proof_expired' })
  expect(await consentFacts(db, entry, ledger.keys)).toMatchObject({ type: 'consent' })
})

test('the status says since when nothing outside covers the newest entries', async () => {
  ledger = await openTestLedger()
  const { db } = ledger.state
  const settings = { anchorFolder: ledger.anchors, privacy: 'open' as const }
  expect(await ledgerStatus(db, settings)).toMatchObject({
    size: 0,
    pending: 0,
    unanchoredSince: null,
    checkpoint: null,
  })
  const since = ledger.now
  await ledger.answer('ana', 'granted')
  expect(await ledgerStatus(db, settings)).toMatchObject({ size: 0, pending: 1, unanchoredSince: since })
  await ledger.sequence()
  await ledger.answer('bia', 'granted')
  expect(await ledgerStatus(db, settings)).toMatchObject({ size: 1, pending: 1, unanchoredSince: since })
})
