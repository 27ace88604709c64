/**
 * Signed notes and checkpoints. Formats: c2sp.org/signed-note (Ed25519, signature type 0x01) and
 * c2sp.org/tlog-checkpoint.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { HASH_BYTES, sha256 } from './merkle.ts'

const ED25519 = 1
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

export interface VerifierKey {
  readonly name: string
  /** First four bytes of the key's hash, hex: what stands before each signature. */
  readonly id: string
  /** 32 bytes. */
  readonly publicKey: Buffer
}

export interface SignerKey extends VerifierKey {
  readonly privateKey: KeyObject
}

export class NoteError extends Error {
  override readonly name = 'NoteError'
}

/** @param seed 32 bytes: the Ed25519 private key of RFC 8032. */
export function signerKey(name: string, seed: Uint8Array): SignerKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(PUBLIC_PREFIX.length)
  return { ...verifierKey(name, publicKey), privateKey }
}

/** @throws NoteError when the name has a space, a plus or nothing in it. */
export function verifierKey(name: string, publicKey: Uint8Array): VerifierKey {
  if (name === '' || /[\s+]/u.test(name)) throw new NoteError('a key name has no spaces and no plus')
  const key = Buffer.from(publicKey)
  const id = sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), key])).toString('hex', 0, 4)
  return { name, id, publicKey: key }
}

/** `name+id+base64`, as others paste it. */
export function formatVerifierKey({ name, id, publicKey }: VerifierKey): string {
  return `${name}+${id}+${Buffer.concat([Buffer.of(ED25519), publicKey]).toString('base64')}`
}

/** @throws NoteError naming what is wrong with it. */
export function parseVerifierKey(text: string): VerifierKey {
  const [name, id, encoded] = splitTwice(text.trim())
  const bytes = decodeBase64(encoded ?? '')
  if (name === undefined || !bytes || bytes.length !== 33) throw new NoteError('a verifier key is name+hash+base64')
  if (bytes[0] !== ED25519) throw new NoteError('the verifier key is not an Ed25519 key')
  const key = verifierKey(name, bytes.subarray(1))
  if (key.id !== id) throw new NoteError('the verifier key does not fit its own hash')
  return key
}

function splitTwice(text: string): (string | undefined)[] {
  const first = text.indexOf('+')
  const second = text.indexOf('+', first + 1)
  return first < 0 || second < 0 ? [] : [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)]
}

/** @param text ends with a newline. */
export function signNote(text: string, signers: readonly SignerKey[]): string {
  if (!text.endsWith('\n')) throw new NoteError('the text of a note ends with a newline')
  const lines = signers.map(({ name, id, privateKey }) => {
    const signature = Buffer.concat([Buffer.from(id, 'hex'), sign(null, Buffer.from(text), privateKey)])
    return `\u2014 ${name} ${signature.toString('base64')}\n`
  })
  return `${text}\n${lines.join('')}`
}

export interface OpenedNote {
  readonly text: string
  /** Known keys whose signature is right. */
  readonly signedBy: readonly VerifierKey[]
}

/** @throws NoteError when it is no note, when no known key signed it, or when a known key's signature is wrong. */
export function openNote(note: string, known: readonly VerifierKey[]): OpenedNote {
  const end = note.lastIndexOf('\n\n')
  if (end < 0 || !note.endsWith('\n') || !note.isWellFormed())
    throw new NoteError('this is no signed note: a text, an empty line, signatures')
  const text = note.slice(0, end + 1)
  const signedBy: VerifierKey[] = []
  const lines = note.slice(end + 2, -1).split('\n')
  for (const line of lines) {
    const [, name, encoded] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? []
    const bytes = decodeBase64(encoded ?? '')
    if (name === undefined || !bytes || bytes.length < 5) throw new NoteError('a line of the signatures is not one')
    const id = bytes.toString('hex', 0, 4)
    const key = known.find((candidate) => candidate.name === name && candidate.id === id)
    if (!key || signedBy.includes(key)) continue
    if (!verifyBytes(key, Buffer.from(text), bytes.subarray(4)))
      throw new NoteError(`the signature of ${name} does not fit the text`)
    signedBy.push(key)
  }
  if (signedBy.length === 0) throw new NoteError('none of the known keys signed this note')
  return { text, signedBy }
}

function verifyBytes({ publicKey }: VerifierKey, text: Buffer, signature: Buffer): boolean {
  if (signature.length !== 64) return false
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, publicKey]), format: 'der', type: 'spki' })
  return verify(null, text, key, signature)
}

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Buffer
}

export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`
}

/** @throws NoteError */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, size, encoded] = text.split('\n')
  const root = decodeBase64(encoded ?? '')
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size ?? '') || root?.length !== HASH_BYTES || !text.endsWith('\n'))
    throw new NoteError('this is no checkpoint: origin, size and root, a line each')
  return { origin, size: Number(size), root }
}

/** Opens a checkpoint and its signatures. @throws NoteError */
export function openCheckpoint(
  note: string,
  known: readonly VerifierKey[],
): Checkpoint & { readonly signedBy: readonly VerifierKey[] } {
  const { text, signedBy } = openNote(note, known)
  return { ...parseCheckpoint(text), signedBy }
}

/** Standard alphabet, padded, nothing else; undefined for anything that does not come back the same. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined
}
