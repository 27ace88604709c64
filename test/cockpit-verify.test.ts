/** The check that runs in the browser agrees with the hub's own, also about what was altered. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical, verifyReceipt } from '../cockpit/src/verify.ts'
import { canonicalText } from '../consent/ledger/canonical.ts'
import type { SequencedEntry } from '../consent/ledger/entry.ts'
import { leafHash, rootOf } from '../consent/ledger/merkle.ts'
import { formatCheckpoint, formatVerifierKey, signerKey, signNote } from '../consent/ledger/note.ts'
import { checkReceipt, formatReceipt } from '../consent/ledger/receipt.ts'

const ORIGIN = 'hub.loja.example/ledger/1'
const signer = signerKey(ORIGIN, createHash('sha256').update('seed').digest())
const entryAt = (seq: number) => ({ v: 1, seq, subject: `s_${seq}`, status: 'granted', text: 'não "dito"' })
const leaves = (size: number) =>
  Array.from({ length: size }, (_, seq) => leafHash(Buffer.from(canonicalText(entryAt(seq)))))

/** RFC 6962 §2.1.1, by the definition. */
function path(index: number, nodes: readonly Buffer[]): Buffer[] {
  if (nodes.length === 1) return []
  const half = 2 ** Math.ceil(Math.log2(nodes.length) - 1)
  return index < half
    ? [...path(index, nodes.slice(0, half)), rootOf(nodes.slice(half))]
    : [...path(index - half, nodes.slice(half)), rootOf(nodes.slice(0, half))]
}

function receiptOf(index: number, size: number): string {
  const nodes = leaves(size)
  return formatReceipt({
    contents: { entry: entryAt(index) as unknown as SequencedEntry },
    index,
    proof: path(index, nodes),
    checkpoint: signNote(formatCheckpoint({ origin: ORIGIN, size, root: rootOf(nodes) }), [signer]),
  })
}

const place = fc.integer({ min: 1, max: 40 }).chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size)))

test('what the hub proves, the browser accepts', async () => {
  await fc.assert(
    fc.asyncProperty(place, async ([index, size]) => {
      const receipt = receiptOf(index, size)
      expect(checkReceipt(receipt, [signer]).entry.seq).toBe(index)
      expect(await verifyReceipt(receipt, formatVerifierKey(signer))).toEqual({ ok: true, failed: null })
    }),
    { numRuns: 60 },
  )
})

test('another entry, hash, root or key is refused, each with the step that fails', async () => {
  const receipt = receiptOf(2, 5)
  const verifier = formatVerifierKey(signer)
  const extra = /extra (.*)/.exec(receipt)![1]!
  const denied = Buffer.from(Buffer.from(extra, 'base64').toString().replace('granted', 'revoked')).toString('base64')
  expect(await verifyReceipt(receipt.replace(extra, denied), verifier)).toEqual({ ok: false, failed: 'inclusion' })
  const lines = receipt.split('\n')
  const swapped = [...lines.slice(0, 3), lines[4], lines[3], ...lines.slice(5)].join('\n')
  expect(await verifyReceipt(swapped, verifier)).toEqual({ ok: false, failed: 'inclusion' })
  expect(await verifyReceipt(receipt.replace(`${ORIGIN}\n5`, `${ORIGIN}\n6`), verifier)).toEqual({
    ok: false,
    failed: 'signature',
  })
  const other = signerKey(ORIGIN, createHash('sha256').update('other').digest())
  expect(await verifyReceipt(receipt, formatVerifierKey(other))).toEqual({ ok: false, failed: 'signature' })
  expect(await verifyReceipt(receipt.replace('index 2', 'index 3'), verifier)).toEqual({ ok: false, failed: 'form' })
  expect(await verifyReceipt('nothing of the kind', verifier)).toEqual({ ok: false, failed: 'form' })
})

test('writes JSON as RFC 8785 does', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(canonical(value)).toBe(canonicalText(value))
    }),
  )
})
