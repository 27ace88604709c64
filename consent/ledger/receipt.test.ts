import { expect, test } from 'vitest'
import { canonicalText } from './canonical.ts'
import { pendingEntry, type SequencedEntry } from './entry.ts'
import { inclusionRanges, rootOf, textLeafHash } from './merkle.ts'
import { formatCheckpoint, signerKey, signNote } from './note.ts'
import { checkReceipt, formatReceipt, parseReceipt, type ReceiptContents, ReceiptError } from './receipt.ts'

const origin = 'hub.loja.example/ledger/0123456789ab'
const signer = signerKey(origin, Buffer.alloc(32, 7))
const salt = Buffer.alloc(32, 9)
const payload = { identifiers: [{ type: 'email', value: 'ana@example.com' }], evidence: { method: 'checkbox' } }

function entryOf(subject: string, seq: number, what: unknown = payload, salting = salt): SequencedEntry {
  const { entry } = pendingEntry(
    {
      id: `01K${seq}`,
      ts: '2026-03-10T12:00:00.000Z',
      type: 'consent.grant',
      subject,
      actor_kind: 'subject',
      source: 'segment/site',
    },
    what,
    salting,
  )
  return { ...entry, seq, subject_seq: 0, prev_subject_leaf: null, logged_at: '2026-03-10T12:00:00.000Z' }
}
const entries = ['s_a', 's_b', 's_c', 's_d', 's_e'].map((subject, seq) => entryOf(subject, seq))
const leaves = entries.map((entry) => textLeafHash(canonicalText(entry)))
const checkpoint = signNote(formatCheckpoint({ origin, size: 5, root: rootOf(leaves) }), [signer])

function receipt(index: number, contents: Partial<ReceiptContents> = {}): string {
  return formatReceipt({
    contents: { entry: entries[index]!, payload, salt: salt.toString('base64'), ...contents },
    index,
    proof: inclusionRanges(index, 5).map(([from, to]) => rootOf(leaves.slice(from, to))),
    checkpoint,
  })
}
const codeOf = (text: string) => {
  try {
    checkReceipt(text, [signer])
    return 'ok'
  } catch (error) {
    return error instanceof ReceiptError ? error.code : String(error)
  }
}

test('a receipt checks, with its payload and without', () => {
  for (const index of [0, 1, 2, 3, 4]) expect(checkReceipt(receipt(index), [signer])).toMatchObject({ payload: 'fits' })
  const bare = formatReceipt({ ...parseReceipt(receipt(2)), contents: { entry: entries[2]! } })
  expect(checkReceipt(bare, [signer])).toMatchObject({ payload: 'absent', entry: { subject: 's_c' } })
  expect(bare).not.toContain(Buffer.from('ana@example.com').toString('base64').slice(0, 12))
})

test('is a tlog-proof file', () => {
  const lines = receipt(2).split('\n')
  expect(lines[0]).toBe('c2sp.org/tlog-proof@v1')
  expect(lines[1]).toMatch(/^extra [A-Za-z0-9+/]+=*$/)
  expect(lines[2]).toBe('index 2')
  expect(lines.slice(lines.indexOf('') + 1).join('\n')).toBe(checkpoint)
  expect(formatReceipt(parseReceipt(receipt(2)))).toBe(receipt(2))
})

test('a swapped subject, a changed status, another place: not in the tree', () => {
  expect(codeOf(receipt(1, { entry: { ...entries[1]!, subject: 's_x' } }))).toBe('NOT_INCLUDED')
  expect(codeOf(receipt(1, { entry: { ...entries[1]!, status: 'revoked' } }))).toBe('NOT_INCLUDED')
  expect(codeOf(receipt(1, { entry: { ...entries[2]!, seq: 1 } }))).toBe('NOT_INCLUDED')
  expect(codeOf(receipt(1).replace('index 1', 'index 2'))).toBe('SEQ')
})

test('the wrong salt or a changed payload: not what the entry commits to', () => {
  expect(codeOf(receipt(3, { salt: Buffer.alloc(32, 8).toString('base64') }))).toBe('COMMITMENT')
  expect(codeOf(receipt(3, { payload: { ...payload, evidence: { method: 'button' } } }))).toBe('COMMITMENT')
  expect(codeOf(receipt(3, { salt: 'not base64' }))).toBe('COMMITMENT')
})

test('another key or a changed checkpoint: signature', () => {
  expect(() => checkReceipt(receipt(0), [signerKey(origin, Buffer.alloc(32, 8))])).toThrow('none of the known keys')
  expect(codeOf(receipt(0).replace(`${origin}\n5\n`, `${origin}\n6\n`))).toBe('CHECKPOINT_SIGNATURE')
})

test('what is no receipt says so', () => {
  const whole = receipt(0)
  const twice = Buffer.from('{"entry":{},"entry":{}}').toString('base64')
  for (const text of [
    '',
    'x',
    whole.replace('@v1', '@v2'),
    whole.replace('extra ', 'extra !'),
    whole.replace('index 0', 'index -1'),
    whole.replace('index 0', 'index 00'),
    whole.replace(/extra .*/, `extra ${twice}`),
    whole.replace(/extra .*/, `extra ${Buffer.from('null').toString('base64')}`),
    whole.replace(/index 0\n.*\n/, 'index 0\nAAAA\n'),
  ])
    expect([text.slice(0, 80), codeOf(text)]).toEqual([text.slice(0, 80), 'MALFORMED'])
})
