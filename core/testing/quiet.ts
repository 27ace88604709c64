/** What a piece of code leaves behind in its process. */

export interface Leftovers {
  /** Timers that were set and have neither run nor been cleared. */
  readonly timers: number
  readonly rejections: readonly unknown[]
}

/**
 * Runs a job and says what it left. Timers of code that kept an earlier `setTimeout`, such as the
 * test runner's own, are not counted.
 */
export async function leftoversOf(job: () => Promise<unknown>): Promise<Leftovers> {
  const { setTimeout: set, clearTimeout: clear } = globalThis
  const open = new Set<unknown>()
  const rejections: unknown[] = []
  const note = (reason: unknown) => rejections.push(reason)
  globalThis.setTimeout = Object.assign((run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const timer = set(() => {
      open.delete(timer)
      run(...args)
    }, ms)
    open.add(timer)
    return timer
  }, set) as typeof globalThis.setTimeout
  globalThis.clearTimeout = ((timer?: Parameters<typeof clear>[0]) => {
    open.delete(timer)
    clear(timer)
  }) as typeof globalThis.clearTimeout
  process.on('unhandledRejection', note)
  try {
    await job()
    // Rejections are reported once the microtasks are done.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    return { timers: open.size, rejections }
  } finally {
    globalThis.setTimeout = set
    globalThis.clearTimeout = clear
    process.off('unhandledRejection', note)
  }
}
