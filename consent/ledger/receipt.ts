/**
 * Receipts: one entry with everything needed to check it offline, as a c2sp.org/tlog-proof@v1 file. `extra`
 * is the base64 of canonical JSON: the entry and, for whom it concerns, its payload and salt.
 */
import { canonicalText, parseStrict } from './canonical.ts'
import { commitment, type SequencedEntry } from './entry.ts'
import { HASH_BYTES, textLeafHash, verifyInclusion } from './merkle.ts'
import { type Checkpoint, decodeBase64, openCheckpoint, type VerifierKey } from './note.ts'

const HEADER = 'c2sp.org/tlog-proof@v1'

export interface ReceiptContents {
  readonly entry: SequencedEntry
  /** Present when the receipt is for the person herself, or for whoever may see it. */
  readonly payload?: unknown
  /** 32 bytes, base64. */
  readonly salt?: string
}

export interface Receipt {
  readonly contents: ReceiptContents
  readonly index: number
  readonly proof: readonly Buffer[]
  /** The signed note. */
  readonly checkpoint: string
}

export function formatReceipt({ contents, index, proof, checkpoint }: Receipt): string {
  const extra = Buffer.from(canonicalText(contents)).toString('base64')
  const hashes = proof.map((hash) => `${hash.toString('base64')}\n`).join('')
  return `${HEADER}\nextra ${extra}\nindex ${index}\n${hashes}\n${checkpoint}`
}

export class ReceiptError extends Error {
  override readonly name = 'ReceiptError'
  /** Stable, upper case: what is wrong. */
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** @throws ReceiptError with MALFORMED. */
export function parseReceipt(text: string): Receipt {
  const malformed = (what: string) => new ReceiptError('MALFORMED', `this is no receipt of the hub: ${what}`)
  const end = text.indexOf('\n\n')
  if (end < 0) throw malformed('the checkpoint is missing')
  const [header, extraLine = '', indexLine = '', ...hashes] = text.slice(0, end).split('\n')
  if (header !== HEADER) throw malformed(`the first line is not ${HEADER}`)
  const extra = extraLine.startsWith('extra ') ? decodeBase64(extraLine.slice(6)) : undefined
  if (!extra) throw malformed('the line "extra" does not hold base64')
  if (!/^index (0|[1-9]\d{0,15})$/.test(indexLine)) throw malformed('the line "index" does not hold a number')
  const proof = hashes.map((line) => decodeBase64(line))
  if (!proof.every((hash) => hash?.length === HASH_BYTES)) throw malformed('a hash is not 32 bytes in base64')
  let contents: ReceiptContents
  try {
    contents = parseStrict(extra.toString('utf8')) as ReceiptContents
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error))
  }
  if (contents === null || typeof contents !== 'object' || typeof contents.entry !== 'object')
    throw malformed('the entry is missing')
  return {
    contents,
    index: Number(indexLine.slice(6)),
    proof: proof as Buffer[],
    checkpoint: text.slice(end + 2),
  }
}

export interface CheckedReceipt {
  readonly entry: SequencedEntry
  readonly checkpoint: Checkpoint
  readonly signedBy: readonly VerifierKey[]
  /** absent: the receipt holds none. */
  readonly payload: 'fits' | 'absent'
}

/**
 * @throws ReceiptError: MALFORMED, CHECKPOINT_SIGNATURE, NOT_INCLUDED (the entry or the proof was changed), COMMITMENT
 * (payload or salt are not those of the entry), SEQ (the entry names another place).
 */
export function checkReceipt(text: string, known: readonly VerifierKey[]): CheckedReceipt {
  const receipt = parseReceipt(text)
  const { entry, payload, salt } = receipt.contents
  let checkpoint: ReturnType<typeof openCheckpoint>
  try {
    checkpoint = openCheckpoint(receipt.checkpoint, known)
  } catch (error) {
    throw new ReceiptError('CHECKPOINT_SIGNATURE', error instanceof Error ? error.message : String(error))
  }
  if (entry.seq !== receipt.index)
    throw new ReceiptError('SEQ', `the entry says it is number ${entry.seq}, the proof is of number ${receipt.index}`)
  const leaf = textLeafHash(canonicalText(entry))
  if (!verifyInclusion(receipt.index, checkpoint.size, leaf, receipt.proof, checkpoint.root))
    throw new ReceiptError('NOT_INCLUDED', 'the entry is not in the tree that the checkpoint signs')
  if (salt === undefined) return { entry, checkpoint, signedBy: checkpoint.signedBy, payload: 'absent' }
  const bytes = decodeBase64(salt)
  if (!bytes || commitment(bytes, Buffer.from(canonicalText(payload))) !== entry.commit)
    throw new ReceiptError('COMMITMENT', 'payload and salt are not those that the entry commits to')
  return { entry, checkpoint, signedBy: checkpoint.signedBy, payload: 'fits' }
}
