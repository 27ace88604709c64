/** The last 500 things that happened, for whoever watches. In memory: history is elsewhere. */
import type { LiveEvent, LiveFeed } from './context.ts'

const KEPT = 500

export function createLiveFeed(): { feed: LiveFeed; publish: (events: readonly LiveEvent[]) => void } {
  let recent: LiveEvent[] = []
  const listeners = new Set<(events: readonly LiveEvent[]) => void>()
  return {
    publish(events) {
      if (events.length === 0) return
      recent = [...recent, ...events].slice(-KEPT)
      for (const listener of listeners) listener(events)
    },
    feed: {
      recent: () => recent,
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
}
