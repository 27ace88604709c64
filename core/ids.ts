/** ULIDs: sortable by time, monotonic within a process. */
import { monotonicFactory } from 'ulid'

const next = monotonicFactory()
export const newId = (at?: number): string => next(at)

/** Strictly increasing within a process and, across restarts, with the clock: the order within a lane. */
let last = 0
export function nextOrder(now: number): number {
  last = Math.max(last + 1, now * 1000)
  return last
}
