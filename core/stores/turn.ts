/**
 * Whose turn it is to write. SQLite lets one connection write at a time and makes the others try again
 * after a while, which starves whoever writes little beside somebody who writes all the time. The
 * threads of a hub take turns instead, in the order in which they asked, and sleep until it is theirs.
 */
export interface WriteTurn {
  /** Resolves when it is the caller's turn. */
  take(): Promise<void>
  pass(): void
  /** For another thread of the same process. */
  readonly shared: SharedArrayBuffer
}

const NEXT = 0
const SERVED = 1
const LONG_MS = 2 ** 30

/** @param shared of the thread that made it; a new one when absent. */
export function writeTurn(shared: SharedArrayBuffer = new SharedArrayBuffer(8)): WriteTurn {
  const cells = new Int32Array(shared)
  return {
    shared,
    async take() {
      const mine = Atomics.add(cells, NEXT, 1)
      for (;;) {
        const served = Atomics.load(cells, SERVED)
        if (served === mine) return
        const changed = Atomics.waitAsync(cells, SERVED, served)
        if (!changed.async) continue
        // Such a wait alone does not keep a thread alive that has nothing else to do yet.
        const alive = setInterval(() => {}, LONG_MS)
        await changed.value
        clearInterval(alive)
      }
    },
    pass() {
      Atomics.add(cells, SERVED, 1)
      Atomics.notify(cells, SERVED)
    },
  }
}
