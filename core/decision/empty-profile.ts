/** The profile of somebody of whom nothing is known yet. */
import type { OpenProfile } from '../../schemas/profile.ts'

export function emptyProfile(at: string): OpenProfile {
  return {
    seq: 0,
    firstSeenAt: at,
    lastSeenAt: at,
    traits: {},
    recent: {},
    counters: {},
    timers: [],
    entries: {},
    acts: [],
  }
}
