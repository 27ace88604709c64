import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'
import { createBreaker } from './breaker.ts'

// Of all doubles nearly every one is nearly 0.
const random = fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((n) => n / 2 ** 32)

describe('back-off', () => {
  test('is never shorter than half its ceiling, never longer than an hour, and grows', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), random, (attempt, chance) => {
        const wait = backoffMs(attempt, undefined, () => chance)
        const ceiling = Math.min(3_600_000, 2_000 * 2 ** (attempt - 1))
        expect(wait).toBeGreaterThanOrEqual(ceiling / 2 - 1)
        expect(wait).toBeLessThanOrEqual(ceiling)
        expect(backoffMs(attempt + 1, undefined, () => chance)).toBeGreaterThanOrEqual(wait)
      }),
    )
  })

  test('Retry-After is never cut short, spread a little, and believed up to a day and an hour', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 25 * 3_600_000 }),
        fc.integer({ min: 1, max: 20 }),
        random,
        (asked, attempt, chance) => {
          const wait = backoffMs(attempt, asked, () => chance)
          expect(wait).toBeGreaterThanOrEqual(asked)
          expect(wait).toBeLessThanOrEqual(Math.ceil(asked + Math.max(1_000, asked * 0.05)))
        },
      ),
    )
    expect(backoffMs(1, 365 * 86_400_000, () => 0)).toBe(25 * 3_600_000)
  })
})

describe('the breaker', () => {
  const failing = (times: number, at = 0) => {
    const breaker = createBreaker(() => 1)
    for (let n = 0; n < times; n++) breaker.failed(at)
    return breaker
  }

  test('stays closed below five failures in a row; one success begins anew', () => {
    const breaker = failing(4)
    expect(breaker.allowance(0)).toBe(Number.POSITIVE_INFINITY)
    breaker.succeeded()
    for (let n = 0; n < 4; n++) breaker.failed(0)
    expect(breaker.allowance(0)).toBe(Number.POSITIVE_INFINITY)
  })

  test('opens at the fifth, then lets one try through', () => {
    const breaker = failing(5)
    expect(breaker.allowance(4_999)).toBe(0)
    expect(breaker.nextTry()).toBe(5_000)
    expect(breaker.allowance(5_000)).toBe(1)
    breaker.succeeded()
    expect(breaker.allowance(5_000)).toBe(Number.POSITIVE_INFINITY)
  })

  test('each failed try doubles the pause up to five minutes; those already on their way do not', () => {
    const breaker = failing(5)
    for (let n = 0; n < 50; n++) breaker.failed(100)
    expect(breaker.nextTry()).toBe(5_000)
    let now = 5_000
    const pauses: number[] = []
    for (let n = 0; n < 8; n++) {
      breaker.failed(now)
      pauses.push(breaker.nextTry() - now)
      now = breaker.nextTry()
    }
    expect(pauses).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000])
  })
})
