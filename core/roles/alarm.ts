/** Wakes a loop that has nothing to do. A ring while it is busy is remembered: what it is about may have come too late for this round. */
export interface Alarm {
  ring(): void
  /** Resolves at the next ring, at once when there was one since the last wait, or after so many milliseconds. */
  wait(ms: number): Promise<void>
}

export function createAlarm(): Alarm {
  let rung = false
  let wakeUp: (() => void) | undefined
  return {
    ring() {
      rung = true
      wakeUp?.()
    },
    async wait(ms) {
      if (!rung)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          wakeUp = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      wakeUp = undefined
      rung = false
    },
  }
}
