/**
 * Merkle trees as RFC 6962 §2.1 (the same as RFC 9162 §2.1): SHA-256, 0x00 before a leaf, 0x01 before
 * two nodes. Everything here is pure; where the nodes come from is said by the caller.
 */
import { hash } from 'node:crypto'

export const HASH_BYTES = 32
export const EMPTY_ROOT: Buffer = sha256(Buffer.alloc(0))

export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

export function leafHash(leaf: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(leaf.length + 1)
  bytes[0] = 0
  bytes.set(leaf, 1)
  return sha256(bytes)
}

/** The hash of a leaf that is text. */
export function textLeafHash(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + 1)
  bytes[0] = 0
  bytes.write(text, 1)
  return sha256(bytes)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(1 + 2 * HASH_BYTES)
  bytes[0] = 1
  bytes.set(left, 1)
  bytes.set(right, 1 + HASH_BYTES)
  return sha256(bytes)
}

/** A tree that only grows: the hashes of its complete subtrees, left to right, the widest first. */
export interface Frontier {
  readonly size: number
  add(leaf: Uint8Array): void
  root(): Buffer
}

/** O(log n) memory. @param onNode told of every complete subtree of 2^level leaves, as it closes. */
export function createFrontier(onNode?: (level: number, index: number, hash: Uint8Array) => void): Frontier {
  const peaks: { level: number; hash: Uint8Array }[] = []
  let size = 0
  return {
    get size() {
      return size
    },
    add(leaf) {
      let node = { level: 0, hash: leaf }
      onNode?.(0, size, leaf)
      size += 1
      for (let last = peaks.at(-1); last?.level === node.level; last = peaks.at(-1)) {
        peaks.pop()
        node = { level: node.level + 1, hash: nodeHash(last.hash, node.hash) }
        onNode?.(node.level, Math.floor(size / 2 ** node.level) - 1, node.hash)
      }
      peaks.push(node)
    },
    root: () =>
      peaks.length === 0
        ? EMPTY_ROOT
        : Buffer.from(
            peaks.reduceRight<Uint8Array | undefined>(
              (right, { hash: left }) => (right ? nodeHash(left, right) : left),
              undefined,
            )!,
          ),
  }
}

export function rootOf(leaves: Iterable<Uint8Array>): Buffer {
  const tree = createFrontier()
  for (const leaf of leaves) tree.add(leaf)
  return tree.root()
}

/** Leaves `from` to before `to`; its hash is that of the tree over them. */
export type Range = readonly [from: number, to: number]

/** The largest power of two below n; n > 1. */
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1))

/** The subtrees whose hashes make up the inclusion proof, in the order of the proof. RFC 6962 §2.1.1. */
export function inclusionRanges(index: number, size: number): Range[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`leaf ${index} is not in a tree of ${size}`)
  const path: Range[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + split(to - from)
    if (index < middle) {
      path.push([middle, to])
      to = middle
    } else {
      path.push([from, middle])
      from = middle
    }
  }
  return path.reverse()
}

/** As above, for the proof that the tree of `first` leaves begins the tree of `second`. RFC 6962 §2.1.2. */
export function consistencyRanges(first: number, second: number): Range[] {
  if (!(first >= 0 && first <= second)) throw new RangeError(`a tree of ${first} does not begin one of ${second}`)
  if (first === 0 || first === second) return []
  const path: Range[] = []
  let [from, to] = [0, second]
  while (to !== first) {
    const middle = from + split(to - from)
    if (first <= middle) {
      path.push([middle, to])
      to = middle
    } else {
      path.push([from, middle])
      from = middle
    }
  }
  // When the old tree is one complete subtree from the left, whoever checks knows its hash already.
  if (from !== 0) path.push([from, to])
  return path.reverse()
}

/** The widest complete subtrees that make up a range, left to right. */
export function* completeSubtrees([from, to]: Range): Generator<{ readonly level: number; readonly index: number }> {
  for (let at = from; at < to; ) {
    let level = 0
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level += 1
    yield { level, index: at / 2 ** level }
    at += 2 ** level
  }
}

/** The root that an inclusion proof leads to; undefined when its length does not fit. RFC 9162 §2.1.3.2. */
export function rootFromInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
): Buffer | undefined {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) return undefined
  let [node, last] = [index, size - 1]
  let hashed: Uint8Array = leaf
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== HASH_BYTES) return undefined
    if (node % 2 === 1 || node === last) {
      hashed = nodeHash(sibling, hashed)
      while (node % 2 === 0 && node !== 0) {
        node /= 2
        last = Math.floor(last / 2)
      }
    } else hashed = nodeHash(hashed, sibling)
    node = Math.floor(node / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 ? Buffer.from(hashed) : undefined
}

export function verifyInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  return leaf.length === HASH_BYTES && rootFromInclusion(index, size, leaf, proof)?.equals(root) === true
}

/**
 * RFC 9162 §2.1.4.2. An empty first tree begins every tree: nothing can be proved about it, and it is refused.
 */
export function verifyConsistency(
  first: number,
  second: number,
  proof: readonly Uint8Array[],
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
): boolean {
  if (!(Number.isSafeInteger(first) && Number.isSafeInteger(second) && first > 0 && first <= second)) return false
  if (first === second) return proof.length === 0 && Buffer.from(firstRoot).equals(secondRoot)
  if (proof.length === 0 || proof.some(({ length }) => length !== HASH_BYTES)) return false
  const path =
    Number.isInteger(Math.log2(first)) && 2 ** Math.log2(first) === first ? [firstRoot, ...proof] : [...proof]
  let [node, last] = [first - 1, second - 1]
  while (node % 2 === 1) {
    node = Math.floor(node / 2)
    last = Math.floor(last / 2)
  }
  let [old, grown]: [Uint8Array, Uint8Array] = [path[0]!, path[0]!]
  for (const sibling of path.slice(1)) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      old = nodeHash(sibling, old)
      grown = nodeHash(sibling, grown)
      while (node % 2 === 0 && node !== 0) {
        node /= 2
        last = Math.floor(last / 2)
      }
    } else grown = nodeHash(grown, sibling)
    node = Math.floor(node / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 && Buffer.from(old).equals(firstRoot) && Buffer.from(grown).equals(secondRoot)
}
