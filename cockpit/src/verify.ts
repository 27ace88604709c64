/**
 * Checks a receipt here, in the browser, without asking the hub again: c2sp.org/tlog-proof@v1 around an RFC 6962
 * inclusion proof, signed by an Ed25519 checkpoint (c2sp.org/tlog-checkpoint). Written apart from the hub's own
 * checker on purpose: two that agree are worth more than one.
 */

export type VerifyStep = 'form' | 'signature' | 'inclusion'
export interface Verdict {
  readonly ok: boolean
  /** The step that failed; null when all hold. */
  readonly failed: VerifyStep | null
}

class Failed extends Error {
  readonly step: VerifyStep
  constructor(step: VerifyStep) {
    super(step)
    this.step = step
  }
}

/** Browsers offer their cryptography on https and localhost only. */
export const canVerify = () => globalThis.crypto?.subtle !== undefined

/** @param verifier the ledger's public key as `name+id+base64`. */
export async function verifyReceipt(receipt: string, verifier: string): Promise<Verdict> {
  try {
    await check(receipt, verifier)
    return { ok: true, failed: null }
  } catch (error) {
    return { ok: false, failed: error instanceof Failed ? error.step : 'form' }
  }
}

type Bytes = Uint8Array<ArrayBuffer>

const utf8 = (text: string): Bytes => new TextEncoder().encode(text)
const fromBase64 = (text: string): Bytes => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
const same = (a: Bytes, b: Bytes) => a.length === b.length && a.every((byte, index) => byte === b[index])

async function sha256(...parts: readonly Bytes[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', await new Blob([...parts]).arrayBuffer()))
}

async function check(receipt: string, verifier: string): Promise<void> {
  const end = receipt.indexOf('\n\n')
  const [header, extra = '', index = '', ...hashes] = receipt.slice(0, end).split('\n')
  if (end < 0 || header !== 'c2sp.org/tlog-proof@v1' || !/^index \d{1,16}$/.test(index)) throw new Failed('form')
  const { entry } = JSON.parse(new TextDecoder().decode(fromBase64(extra.replace(/^extra /, '')))) as {
    entry: { seq: number }
  }
  const place = Number(index.slice(6))
  if (entry.seq !== place) throw new Failed('form')
  const { size, root } = await openCheckpoint(receipt.slice(end + 2), verifier)
  const leaf = await sha256(Uint8Array.of(0), utf8(canonical(entry)))
  if (!same(await rootOf(leaf, place, size, hashes.map(fromBase64)), root)) throw new Failed('inclusion')
}

/** @returns what the signed note says. */
async function openCheckpoint(note: string, verifier: string): Promise<{ size: number; root: Bytes }> {
  const end = note.lastIndexOf('\n\n')
  if (end < 0) throw new Failed('form')
  const text = note.slice(0, end + 1)
  const [origin, size, root] = text.split('\n')
  const [name, id, key] = verifier.split('+', 2).concat(verifier.split('+').slice(2).join('+'))
  const line = note
    .slice(end + 2)
    .split('\n')
    .map((one) => one.split(' '))
    .find(([dash, signer, signature]) => dash === '—' && signer === name && hexOf(signature).startsWith(id ?? '-'))
  if (!line || origin !== name) throw new Failed('signature')
  // The first byte names the algorithm, the first four of the signature the key.
  const publicKey = await crypto.subtle.importKey('raw', fromBase64(key ?? '').slice(1), 'Ed25519', false, ['verify'])
  if (!(await crypto.subtle.verify('Ed25519', publicKey, fromBase64(line[2]!).slice(4), utf8(text))))
    throw new Failed('signature')
  return { size: Number(size), root: fromBase64(root ?? '') }
}

const hexOf = (base64: string | undefined) =>
  [...fromBase64(base64 ?? '')].map((byte) => byte.toString(16).padStart(2, '0')).join('')

/** RFC 9162 §2.1.3.2. */
async function rootOf(leaf: Bytes, index: number, size: number, proof: readonly Bytes[]): Promise<Bytes> {
  if (index >= size) throw new Failed('inclusion')
  let [fn, sn, hash] = [BigInt(index), BigInt(size - 1), leaf]
  for (const other of proof) {
    if (sn === 0n) throw new Failed('inclusion')
    if (fn % 2n === 1n || fn === sn) {
      hash = await sha256(Uint8Array.of(1), other, hash)
      while (fn % 2n === 0n && fn !== 0n) [fn, sn] = [fn / 2n, sn / 2n]
    } else hash = await sha256(Uint8Array.of(1), hash, other)
    ;[fn, sn] = [fn / 2n, sn / 2n]
  }
  if (sn !== 0n) throw new Failed('inclusion')
  return hash
}

/** RFC 8785 for what entries hold: JSON's own strings and numbers, keys in order of their UTF-16 units. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = value as Readonly<Record<string, unknown>>
  return `{${Object.keys(inner)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(inner[key])}`)
    .join(',')}}`
}
