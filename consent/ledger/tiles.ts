/**
 * The tree's hashes in tiles: 256 hashes of one level in one value, levels 0, 8, 16, … as in C2SP
 * tlog-tiles. Appending touches the last tile of each level; a proof at 10^6 entries reads three.
 */
import {
  completeSubtrees,
  consistencyRanges,
  EMPTY_ROOT,
  HASH_BYTES,
  inclusionRanges,
  nodeHash,
  type Range,
} from './merkle.ts'

export const TILE_HEIGHT = 8
export const TILE_WIDTH = 2 ** TILE_HEIGHT

export interface Tile {
  /** 0, 1, 2, …: hashes of subtrees of 256^level leaves. */
  readonly level: number
  readonly tile: number
  readonly hashes: Uint8Array
}

export interface TileReader {
  /** @returns undefined when there is none. */
  read(level: number, tile: number): Promise<Uint8Array | undefined>
}

/** A tile that should be there is not, or is too short. Names the tile. */
export class TileMissing extends Error {
  override readonly name = 'TileMissing'
}

/**
 * Adds leaves to a tree of `size`.
 * @returns the tiles that changed.
 * @throws TileMissing
 */
export async function appendLeaves(
  size: number,
  leaves: readonly Uint8Array[],
  tiles: TileReader,
): Promise<readonly Tile[]> {
  const changed: Tile[] = []
  let added: readonly Uint8Array[] = leaves
  for (let level = 0, known = size; added.length > 0; level++, known = Math.floor(known / TILE_WIDTH)) {
    const next: Uint8Array[] = []
    let tile = Math.floor(known / TILE_WIDTH)
    let hashes = (await partOf(tiles, level, tile, known % TILE_WIDTH)).slice()
    for (const hash of added) {
      hashes.push(hash)
      if (hashes.length < TILE_WIDTH) continue
      changed.push({ level, tile, hashes: Buffer.concat(hashes) })
      next.push(subtree(hashes))
      tile += 1
      hashes = []
    }
    if (hashes.length > 0) changed.push({ level, tile, hashes: Buffer.concat(hashes) })
    added = next
  }
  return changed
}

async function partOf(tiles: TileReader, level: number, tile: number, count: number): Promise<Uint8Array[]> {
  if (count === 0) return []
  const bytes = await tiles.read(level, tile)
  if (!bytes || bytes.length < count * HASH_BYTES)
    throw new TileMissing(`tile ${level}/${tile} does not hold ${count} hashes`)
  return splitTile(bytes, count)
}

export function splitTile(bytes: Uint8Array, count = bytes.length / HASH_BYTES): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => bytes.subarray(n * HASH_BYTES, (n + 1) * HASH_BYTES))
}

/** The root of a complete subtree. `hashes`: 2^n of one level. */
function subtree(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes
  while (row.length > 1) {
    const above: Uint8Array[] = []
    for (let n = 0; n < row.length; n += 2) above.push(nodeHash(row[n]!, row[n + 1]!))
    row = above
  }
  return row[0]!
}

/** Questions to the tree of the first `size` leaves. Reads each tile once. */
export interface TreeView {
  root(size: number): Promise<Buffer>
  leaf(index: number): Promise<Buffer>
  inclusion(index: number, size: number): Promise<Buffer[]>
  consistency(first: number, second: number): Promise<Buffer[]>
  /** Of one complete subtree of 2^level leaves. */
  node(level: number, index: number): Promise<Buffer>
}

/** @throws TileMissing from every question that meets a gap. */
export function viewTree(tiles: TileReader): TreeView {
  const known = new Map<string, Promise<Uint8Array | undefined>>()
  const read = (level: number, tile: number) => {
    const name = `${level}/${tile}`
    let bytes = known.get(name)
    if (!bytes) {
      bytes = tiles.read(level, tile)
      known.set(name, bytes)
    }
    return bytes
  }
  const node = async (level: number, index: number): Promise<Buffer> => {
    const tileLevel = Math.floor(level / TILE_HEIGHT)
    const width = 2 ** (level % TILE_HEIGHT)
    const first = index * width
    const tile = Math.floor(first / TILE_WIDTH)
    const offset = first % TILE_WIDTH
    const bytes = await read(tileLevel, tile)
    if (!bytes || bytes.length < (offset + width) * HASH_BYTES)
      throw new TileMissing(`tile ${tileLevel}/${tile} does not hold hash ${offset + width - 1}`)
    return Buffer.from(subtree(splitTile(bytes.subarray(offset * HASH_BYTES), width)))
  }
  /** The hash over any range that begins where the proofs of RFC 6962 begin one. */
  const range = async (span: Range): Promise<Buffer> => {
    const parts: Buffer[] = []
    for (const { level, index } of completeSubtrees(span)) parts.push(await node(level, index))
    return parts.reduceRight((right, left) => nodeHash(left, right))
  }
  const all = async (ranges: readonly Range[]) => {
    const hashes: Buffer[] = []
    for (const span of ranges) hashes.push(await range(span))
    return hashes
  }
  return {
    root: async (size) => (size === 0 ? EMPTY_ROOT : range([0, size])),
    leaf: (index) => node(0, index),
    inclusion: (index, size) => all(inclusionRanges(index, size)),
    consistency: (first, second) => all(consistencyRanges(first, second)),
    node,
  }
}
