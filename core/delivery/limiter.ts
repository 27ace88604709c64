/**
 * A destination's quota. bottleneck spaces requests (minTime, never a reservoir: its refresh is a
 * fixed window that lets twice the rate through); p-queue bounds what is in flight here. bottleneck
 * tops out at about 430 jobs a second, so vendors above 200/s get a GCRA of our own.
 */
import Bottleneck from 'bottleneck'
import PQueue from 'p-queue'
import type { Limits } from '../kit/define.ts'

export interface Limiter {
  /** Runs the job when the quota has room for one more request. */
  slot<T>(job: () => Promise<T>): Promise<T>
  /** Local concurrency: whole performances, each of which may make several requests. */
  readonly queue: PQueue
  close(): void
}

const FAST_PER_SECOND = 200

export function createLimiter(limits: Limits): Limiter {
  const queue = new PQueue({ concurrency: limits.concurrency })
  if (limits.perSecond > FAST_PER_SECOND) return { slot: gcra(limits.perSecond), queue, close: () => queue.clear() }
  const bottleneck = new Bottleneck({ minTime: Math.ceil(1000 / limits.perSecond), maxConcurrent: limits.concurrency })
  return {
    slot: (job) => bottleneck.schedule(job),
    queue,
    close() {
      queue.clear()
      void bottleneck.disconnect()
    },
  }
}

/** Generic cell rate algorithm without burst: each request may start one interval after the one before. */
function gcra(perSecond: number): Limiter['slot'] {
  const interval = 1000 / perSecond
  let next = 0
  return async (job) => {
    const now = performance.now()
    const start = Math.max(now, next)
    next = start + interval
    // Below a millisecond a timer is coarser than the interval; the spacing evens out over the second.
    if (start - now >= 1) await new Promise((resolve) => setTimeout(resolve, start - now))
    return job()
  }
}
