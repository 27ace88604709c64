/**
 * The last word of every subject as one hash: a tree sorted by SHA-256(subject), whose shape follows from
 * its keys alone. So one root proves both that a subject's last entry was this one, and that a subject has no entry.
 *
 * A leaf is SHA-256(0x00 ‖ RFC 8785 of the head). Where keys part at bit b (0 is the first), the node is
 * SHA-256(0x01 ‖ b ‖ left ‖ right), left being the keys with a 0 there. The tree of nobody is SHA-256 of nothing.
 */
import { canonicalText } from './canonical.ts'
import { EMPTY_ROOT, sha256, textLeafHash } from './merkle.ts'

/** Where one subject stands, public facts only. */
export interface SubjectHead {
  readonly subject: string
  readonly subject_seq: number
  readonly last_seq: number
  /** Leaf hash of its newest entry, hex. */
  readonly last_leaf: string
  /** Purpose -> status after, and number of, the newest entry about it. Empty where privacy is strict. */
  readonly state: Readonly<Record<string, readonly [status: string, seq: number]>>
}

export const subjectKey = (subject: string): Buffer => sha256(Buffer.from(subject))
/** The first 16 bits: heads are stored and hashed in that many parts. */
export const bucketOf = (key: Uint8Array): number => key[0]! * 256 + key[1]!

const headLeaf = (head: SubjectHead): Buffer => textLeafHash(canonicalText(head))

export interface Keyed {
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly hash: Uint8Array
}

export const keyedHead = (head: SubjectHead): Keyed => ({ key: subjectKey(head.subject), hash: headLeaf(head) })
/** A whole bucket in place of its heads: keys part from its neighbours' within the first 16 bits. */
export const keyedBucket = (bucket: number, hash: Uint8Array): Keyed => ({
  key: Buffer.concat([Buffer.of(bucket >> 8, bucket & 255)], 32),
  hash,
})

export const bitOf = (key: Uint8Array, bit: number): number => (key[bit >> 3]! >> (7 - (bit & 7))) & 1

function partingBit(a: Uint8Array, b: Uint8Array): number {
  let byte = 0
  while (a[byte] === b[byte]) byte += 1
  return byte * 8 + Math.clz32(a[byte]! ^ b[byte]!) - 24
}

const branch = (bit: number, left: Uint8Array, right: Uint8Array): Buffer =>
  sha256(Buffer.concat([Buffer.of(1, bit), left, right]))

export interface StateStep {
  /** Where the keys part. */
  readonly bit: number
  /** The other side. */
  readonly hash: Uint8Array
}

/** @param items of distinct keys, in any order. */
export function stateRoot(items: Iterable<Keyed>): Buffer {
  const sorted = sortKeyed(items)
  return sorted.length === 0 ? EMPTY_ROOT : Buffer.from(hashOf(sorted, 0, sorted.length))
}

function sortKeyed(items: Iterable<Keyed>): readonly Keyed[] {
  return [...items].sort((a, b) => Buffer.compare(a.key, b.key))
}

/** [from, to) has at least one item. */
function hashOf(sorted: readonly Keyed[], from: number, to: number): Uint8Array {
  if (to - from === 1) return sorted[from]!.hash
  const { bit, middle } = part(sorted, from, to)
  return branch(bit, hashOf(sorted, from, middle), hashOf(sorted, middle, to))
}

function part(sorted: readonly Keyed[], from: number, to: number): { bit: number; middle: number } {
  const bit = partingBit(sorted[from]!.key, sorted[to - 1]!.key)
  let [low, high] = [from, to]
  while (low < high) {
    const middle = (low + high) >> 1
    if (bitOf(sorted[middle]!.key, bit) === 0) low = middle + 1
    else high = middle
  }
  return { bit, middle: low }
}

/**
 * Follows a key down from the root.
 * @returns the item that stands where the key would: its own when the subject is there, another's when it is
 * not; undefined in the tree of nobody.
 */
export function stateProof(
  items: Iterable<Keyed>,
  key: Uint8Array,
): { readonly found: Keyed; readonly steps: StateStep[] } | undefined {
  const sorted = sortKeyed(items)
  if (sorted.length === 0) return undefined
  const steps: StateStep[] = []
  let [from, to] = [0, sorted.length]
  while (to - from > 1) {
    const { bit, middle } = part(sorted, from, to)
    if (bitOf(key, bit) === 0) {
      steps.push({ bit, hash: hashOf(sorted, middle, to) })
      to = middle
    } else {
      steps.push({ bit, hash: hashOf(sorted, from, middle) })
      from = middle
    }
  }
  return { found: sorted[from]!, steps }
}

/**
 * What a proof shows about a subject under a root: `last`: the head given is its last word; `absent`: it
 * has no entry; undefined: the proof is wrong.
 * @param head whoever stands at the end of the way; null for the tree of nobody.
 */
export function checkState(
  subject: string,
  head: SubjectHead | null,
  steps: readonly StateStep[],
  root: Uint8Array,
): 'last' | 'absent' | undefined {
  if (head === null) return steps.length === 0 && EMPTY_ROOT.equals(root) ? 'absent' : undefined
  const key = subjectKey(subject)
  const found = subjectKey(head.subject)
  let hash: Uint8Array = headLeaf(head)
  let deeper = 256
  for (const step of [...steps].reverse()) {
    // Bits grow on the way down, and both keys went the same way: only so is there no other place for the subject.
    if (!(step.bit >= 0 && step.bit < deeper) || bitOf(key, step.bit) !== bitOf(found, step.bit)) return undefined
    deeper = step.bit
    hash = bitOf(key, step.bit) === 0 ? branch(step.bit, hash, step.hash) : branch(step.bit, step.hash, hash)
  }
  if (!Buffer.from(hash).equals(root)) return undefined
  return head.subject === subject ? 'last' : 'absent'
}

/** The heads of a ledger as its entries pass by, for whoever reads them all. */
export interface StateFold {
  readonly heads: ReadonlyMap<string, SubjectHead>
  /** @returns the head before, undefined for the first entry of a subject. */
  add(entry: StateFacts, leaf: Uint8Array): SubjectHead | undefined
  /** Hashes only what changed since the last time. */
  root(): Buffer
}

export interface StateFacts {
  readonly seq: number
  readonly subject: string
  readonly subject_seq: number
  readonly purpose?: string | undefined
  readonly status?: string | undefined
  readonly type: string
}

/** `consent.record` is evidence that changed nothing. */
export function nextHead(before: SubjectHead | undefined, entry: StateFacts, leaf: Uint8Array): SubjectHead {
  const { seq, subject, subject_seq, purpose, status, type } = entry
  const state =
    purpose === undefined || status === undefined || type === 'consent.record'
      ? (before?.state ?? {})
      : { ...before?.state, [purpose]: [status, seq] as const }
  return { subject, subject_seq, last_seq: seq, last_leaf: Buffer.from(leaf).toString('hex'), state }
}

/** @param leftOut the subject that is not in the tree: the hub's own, whose last word is the root itself. */
export function createStateFold(leftOut: string): StateFold {
  const heads = new Map<string, SubjectHead>()
  const buckets = new Map<number, { members: Set<string>; hash: Buffer | undefined }>()
  return {
    heads,
    add(entry, leaf) {
      const before = heads.get(entry.subject)
      heads.set(entry.subject, nextHead(before, entry, leaf))
      if (entry.subject !== leftOut) {
        const number = bucketOf(subjectKey(entry.subject))
        const bucket = buckets.get(number)
        if (bucket) {
          bucket.members.add(entry.subject)
          bucket.hash = undefined
        } else buckets.set(number, { members: new Set([entry.subject]), hash: undefined })
      }
      return before
    },
    root: () =>
      stateRoot(
        [...buckets].map(([number, bucket]) => {
          bucket.hash ??= stateRoot([...bucket.members].map((subject) => keyedHead(heads.get(subject)!)))
          return keyedBucket(number, bucket.hash)
        }),
      ),
  }
}
