/** Isolates a failing vendor: after some failures in a row it is left alone, then tried with one item. */

const FAILURES = 5
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 5 * 60_000

export interface Breaker {
  /** How many items may go now: 0 while open, 1 to try, Infinity when closed. */
  allowance(now: number): number
  /** Epoch milliseconds of the next try; 0 when closed. */
  nextTry(): number
  succeeded(): void
  failed(now: number): void
}

export function createBreaker(random: () => number = Math.random): Breaker {
  let failures = 0
  let pause = 0
  let openUntil = 0
  return {
    allowance: (now) => (openUntil === 0 ? Number.POSITIVE_INFINITY : now >= openUntil ? 1 : 0),
    nextTry: () => openUntil,
    succeeded() {
      failures = 0
      pause = 0
      openUntil = 0
    },
    failed(now) {
      failures += 1
      if (failures < FAILURES) return
      // One failed try doubles the pause; those already on the way when it opened do not.
      if (openUntil > now) return
      pause = Math.min(LONGEST_PAUSE_MS, pause === 0 ? FIRST_PAUSE_MS : pause * 2)
      openUntil = now + pause * (0.75 + random() / 4)
    },
  }
}
