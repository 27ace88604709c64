import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import {
  completeSubtrees,
  consistencyRanges,
  createFrontier,
  EMPTY_ROOT,
  inclusionRanges,
  leafHash,
  nodeHash,
  type Range,
  rootOf,
  textLeafHash,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'
import { appendLeaves, type TileReader, viewTree } from './tiles.ts'

const hex = (text: string) => Buffer.from(text, 'hex')
const base64 = (text: string) => Buffer.from(text, 'base64')
const leaf = (n: number) => leafHash(Buffer.from(`leaf ${n}`))
const leaves = (count: number) => Array.from({ length: count }, (_, n) => leaf(n))

/** The definition of RFC 6962 §2.1, word for word. */
function mth(items: readonly Buffer[]): Buffer {
  if (items.length === 0) return EMPTY_ROOT
  if (items.length === 1) return items[0]!
  let k = 1
  while (k * 2 < items.length) k *= 2
  return nodeHash(mth(items.slice(0, k)), mth(items.slice(k)))
}
const over = (items: readonly Buffer[], ranges: readonly Range[]) =>
  ranges.map(([from, to]) => mth(items.slice(from, to)))

describe('RFC 6962 trees', () => {
  // Leaves and roots as in the tests of Certificate Transparency.
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]
  test.each(roots.map((root, size) => [size, root]))('of %i leaves have the published root', (size, root) => {
    expect(rootOf(inputs.slice(0, size).map((input) => leafHash(hex(input)))).toString('hex')).toBe(root)
  })

  test('leaves and nodes cannot be mistaken for each other', () => {
    const [left, right] = [leaf(0), leaf(1)]
    expect(leafHash(Buffer.concat([left, right]))).not.toEqual(nodeHash(left, right))
    expect(textLeafHash('é')).toEqual(leafHash(Buffer.from('é')))
  })

  test('every leaf of every small tree has a proof, and no other leaf, place, size or root goes through it', () => {
    for (let size = 1; size <= 33; size++) {
      const items = leaves(size)
      const root = mth(items)
      for (let index = 0; index < size; index++) {
        const proof = over(items, inclusionRanges(index, size))
        expect(verifyInclusion(index, size, items[index]!, proof, root)).toBe(true)
        expect(verifyInclusion(index, size, leaf(99), proof, root)).toBe(false)
        expect(verifyInclusion(index, size, items[index]!, proof, leaf(99))).toBe(false)
        expect(verifyInclusion(index, size, items[index]!, [...proof, leaf(99)], root)).toBe(false)
        if (proof.length > 0) {
          expect(verifyInclusion(index, size, items[index]!, proof.slice(1), root)).toBe(false)
          expect(verifyInclusion((index + 1) % size, size, items[index]!, proof, root)).toBe(false)
        }
      }
    }
  })

  test('every small tree begins every larger one, and no other', () => {
    for (let second = 1; second <= 33; second++) {
      const items = leaves(second)
      const [root] = [mth(items)]
      for (let first = 1; first <= second; first++) {
        const proof = over(items, consistencyRanges(first, second))
        const begin = mth(items.slice(0, first))
        expect(verifyConsistency(first, second, proof, begin, root)).toBe(true)
        expect(verifyConsistency(first, second, proof, leaf(99), root)).toBe(false)
        expect(verifyConsistency(first, second, proof, begin, leaf(99))).toBe(false)
        expect(verifyConsistency(first, second, [...proof, leaf(99)], begin, root)).toBe(false)
        if (proof.length > 0) expect(verifyConsistency(first, second, proof.slice(0, -1), begin, root)).toBe(false)
      }
    }
    expect(verifyConsistency(0, 3, [], EMPTY_ROOT, rootOf(leaves(3)))).toBe(false)
    expect(verifyConsistency(3, 2, [], rootOf(leaves(3)), rootOf(leaves(2)))).toBe(false)
  })

  test('sizes and places that are none are refused', () => {
    for (const [index, size] of [
      [0, 0],
      [1, 1],
      [-1, 4],
      [0.5, 4],
      [Number.NaN, 4],
    ] as const)
      expect(verifyInclusion(index, size, leaf(0), [], leaf(0))).toBe(false)
    expect(() => inclusionRanges(4, 4)).toThrow(RangeError)
    expect(() => consistencyRanges(5, 4)).toThrow(RangeError)
  })

  test('a growing tree tells of each complete subtree once, as it closes', () => {
    const told: string[] = []
    const tree = createFrontier((level, index) => told.push(`${level}/${index}`))
    for (const item of leaves(7)) tree.add(item)
    expect(told).toEqual(['0/0', '0/1', '1/0', '0/2', '0/3', '1/1', '2/0', '0/4', '0/5', '1/2', '0/6'])
    expect(tree.root()).toEqual(mth(leaves(7)))
  })

  test('a range is covered by complete subtrees, none of which overlap', () => {
    expect([...completeSubtrees([0, 7])]).toEqual([
      { level: 2, index: 0 },
      { level: 1, index: 2 },
      { level: 0, index: 6 },
    ])
  })
})

describe('tiles', () => {
  function memory() {
    const stored = new Map<string, Uint8Array>()
    const tiles: TileReader = { read: async (level, tile) => stored.get(`${level}/${tile}`) }
    return {
      stored,
      tiles,
      async append(size: number, added: readonly Uint8Array[]) {
        for (const { level, tile, hashes } of await appendLeaves(size, added, tiles))
          stored.set(`${level}/${tile}`, hashes)
      },
    }
  }

  test('in whatever portions leaves come, roots and proofs are those of the definition', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }), async (portions) => {
        const { tiles, append } = memory()
        const items: Buffer[] = []
        for (const portion of portions) {
          const added = Array.from({ length: portion }, (_, n) => leaf(items.length + n))
          await append(items.length, added)
          items.push(...added)
        }
        const size = items.length
        const view = viewTree(tiles)
        const root = mth(items)
        expect(await view.root(size)).toEqual(root)
        for (const index of new Set([0, Math.floor(size / 2), size - 1]))
          expect(verifyInclusion(index, size, items[index]!, await view.inclusion(index, size), root)).toBe(true)
        const first = Math.max(1, Math.floor(size / 3))
        expect(verifyConsistency(first, size, await view.consistency(first, size), await view.root(first), root)).toBe(
          true,
        )
      }),
      { numRuns: 15 },
    )
  })

  test('a tile that is gone or shorter is named', async () => {
    const { stored, tiles, append } = memory()
    await append(0, leaves(600))
    stored.set('0/2', stored.get('0/2')!.subarray(0, 32))
    await expect(viewTree(tiles).root(600)).rejects.toThrow('tile 0/2')
    stored.delete('0/1')
    await expect(viewTree(tiles).leaf(300)).rejects.toThrow('tile 0/1')
    await expect(append(600, leaves(1))).rejects.toThrow('tile 0/2')
  })
})

describeShared('public Merkle vectors', ['vectors/merkle.json'], () => {
  const vectors = readVectors('merkle.json') as {
    inclusion_probes: Probe[]
    consistency_probes: Probe[]
    node_hashes_hex_by_level: string[][]
    leaf_inputs_hex: string[]
  }
  interface Probe {
    leafIdx: number
    treeSize: number
    size1: number
    size2: number
    root: string
    root1: string
    root2: string
    leafHash: string
    proof: string[] | null
    wantErr: boolean
    file: string
  }
  test('inclusion: every probe is taken or refused as it should', () => {
    for (const { leafIdx, treeSize, leafHash: hash, proof, root, wantErr, file } of vectors.inclusion_probes)
      expect([file, verifyInclusion(leafIdx, treeSize, base64(hash), (proof ?? []).map(base64), base64(root))]).toEqual(
        [file, !wantErr],
      )
  })
  test('consistency: every probe is taken or refused as it should', () => {
    for (const { size1, size2, root1, root2, proof, wantErr, file } of vectors.consistency_probes)
      expect([file, verifyConsistency(size1, size2, (proof ?? []).map(base64), base64(root1), base64(root2))]).toEqual([
        file,
        !wantErr,
      ])
  })
  test('nodes of every level', () => {
    const levels: string[][] = []
    const tree = createFrontier((level, index, hash) => {
      levels[level] ??= []
      levels[level][index] = Buffer.from(hash).toString('hex')
    })
    for (const input of vectors.leaf_inputs_hex) tree.add(leafHash(hex(input)))
    expect(levels).toEqual(vectors.node_hashes_hex_by_level)
  })
})
