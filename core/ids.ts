/** ULIDs: sortable by time, monotonic within a process. */
import { randomFillSync } from 'node:crypto'
import { monotonicFactory } from 'ulid'

// The library asks for one random number per character; a pool asks the system once for many.
const pool = new Uint32Array(1024)
let used = pool.length
const random = () => {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return pool[used++]! / 2 ** 32
}

const next = monotonicFactory(random)
export const newId = (at?: number): string => next(at)

/** Strictly increasing within a process and, across restarts, with the clock: the order within a lane. */
let last = 0
export function nextOrder(now: number): number {
  last = Math.max(last + 1, now * 1000)
  return last
}
