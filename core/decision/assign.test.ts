import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { assignArm, bucketOf, fnv1a32 } from './assign.ts'

/** Cases of the GrowthBook SDK test suite (MIT): seed, value, hash version, expected. */
const PUBLISHED: [string, string, number, number][] = [
  ['', 'a', 1, 0.22],
  ['', 'b', 1, 0.077],
  ['b', 'a', 1, 0.946],
  ['ef', 'd', 1, 0.652],
  ['asdf', '8952klfjas09ujk', 1, 0.549],
  ['', '123', 1, 0.011],
  ['', '___)((*":&', 1, 0.563],
  ['seed', 'a', 2, 0.0505],
  ['seed', 'b', 2, 0.2696],
  ['foo', 'ab', 2, 0.2575],
  ['foo', 'def', 2, 0.2019],
  ['89123klj', '8952klfjas09ujkasdf', 2, 0.124],
  ['90850943850283058242805', '123', 2, 0.7516],
]
const vectors = `${process.env['ANUENTE_SHARED'] ?? '../shared'}/vectors/growthbook_hash.json`
const more: [string, string, number, number | null][] = existsSync(vectors)
  ? JSON.parse(readFileSync(vectors, 'utf8')).hash
  : []

describe('GrowthBook hash', () => {
  test.each([...PUBLISHED, ...more.filter(([, , version]) => version <= 2)])(
    'seed %j value %j version %i gives %d',
    (seed, value, version, expected) => {
      // Version 1 is not used by the hub; it proves the FNV-1a underneath on more inputs.
      const found = version === 2 ? bucketOf(seed, value) : (fnv1a32(value + seed) % 1000) / 1000
      expect(found).toBe(expected)
    },
  )
})

const people = Array.from({ length: 100_000 }, (_, index) => `01JPERSON${String(index).padStart(17, '0')}`)
const share = (arms: string[], arm: string) => arms.filter((found) => found === arm).length / arms.length

describe('arms', () => {
  test('shares over 100,000 people are the configured ones', () => {
    const arms = people.map((id) =>
      assignArm(id, { globalHoldout: 0.05, globalSeed: 'g', control: 0.1, seed: 'carrinho' }),
    )
    // Four standard errors.
    expect(Math.abs(share(arms, 'holdout') - 0.05)).toBeLessThan(0.0028)
    expect(Math.abs(share(arms, 'control') - 0.095)).toBeLessThan(0.0037)
  })

  test('the control is as large among those not held out, even when both seeds are the same word', () => {
    const settings = { globalHoldout: 0.5, globalSeed: 'same', control: 0.5, seed: 'same' }
    const rest = people.map((id) => assignArm(id, settings)).filter((arm) => arm !== 'holdout')
    expect(Math.abs(share(rest, 'control') - 0.5)).toBeLessThan(0.01)
  })

  test('nobody is held out when no share is asked for, and the answer never changes', () => {
    const none = { globalHoldout: 0, globalSeed: 'g', control: 0, seed: 's' }
    expect(people.slice(0, 2000).every((id) => assignArm(id, none) === 'treated')).toBe(true)
    const half = { ...none, control: 0.5 }
    expect(people.slice(0, 2000).map((id) => assignArm(id, half))).toEqual(
      people.slice(0, 2000).map((id) => assignArm(id, half)),
    )
  })

  test('a larger control contains the smaller one: raising it moves nobody back to treatment', () => {
    const of = (control: number) =>
      people
        .slice(0, 5000)
        .filter((id) => assignArm(id, { globalHoldout: 0, globalSeed: 'g', control, seed: 's' }) === 'control')
    const larger = new Set(of(0.2))
    expect(of(0.1).every((id) => larger.has(id))).toBe(true)
  })
})
