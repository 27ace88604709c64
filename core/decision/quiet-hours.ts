/**
 * When a message may leave by the clock of the person: quiet hours, holidays and windows per weekday. Pure; instants
 * are epoch milliseconds.
 *
 * Instants are walked, not wall clocks: where a wall clock jumps (summer time), the walk stops at the jump and looks
 * again. So nothing is ever due inside quiet hours, and what waits leaves with the first instant after them.
 */
import { DAY_MS, isHoliday, offsetAt, wallClock, weekdayOf } from './calendar.ts'
import type { ZoneChoice } from './zone.ts'

/** From (inclusive) to (exclusive), milliseconds since midnight; from > to passes over midnight. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

export interface SendTimes {
  readonly zone: ZoneChoice
  readonly quiet: Stretch | undefined
  /** Whole days on which nothing leaves. */
  readonly holidays: ReadonlySet<string> | undefined
  /** Per weekday, 1 Monday … 7 Sunday; undefined: any time. From < to. */
  readonly windows: ReadonlyMap<number, readonly Stretch[]> | undefined
}

/** "21:00" as milliseconds since midnight; "24:00" ends a day. */
export function timeOfDay(text: string): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number]
  return (hours * 60 + minutes) * 60_000
}

export type Silence = 'quiet_hours' | 'holidays' | 'send_windows'

/** Why nothing may leave at that wall clock; undefined when it may. */
function silenceOn({ quiet, holidays, windows }: SendTimes, day: number, ms: number): Silence | undefined {
  if (holidays && isHoliday(day, holidays)) return 'holidays'
  if (quiet && (quiet.from < quiet.to ? ms >= quiet.from && ms < quiet.to : ms >= quiet.from || ms < quiet.to))
    return 'quiet_hours'
  if (windows && !windows.get(weekdayOf(day))?.some(({ from, to }) => ms >= from && ms < to)) return 'send_windows'
  return undefined
}

/** @param zone IANA name. */
export function silenceAt(times: SendTimes, at: number, zone: string): Silence | undefined {
  const { day, ms } = wallClock(at, zone)
  return silenceOn(times, day, ms)
}

/** Holidays in a row with a weekday of its own come once in some weeks; a year without any is never. */
const MOST_DAYS = 400

/** Milliseconds of a wall clock until something may leave, were no clock ever put forward or back. */
function waitOn(times: SendTimes, day: number, ms: number): number | undefined {
  for (let later = 0; later < MOST_DAYS; later++) {
    const starts = [
      0,
      ...(times.quiet ? [times.quiet.to] : []),
      ...(times.windows?.get(weekdayOf(day + later)) ?? []).map(({ from }) => from),
    ]
    const from = later === 0 ? ms : 0
    for (const start of [from, ...starts.filter((start) => start > from).sort((a, b) => a - b)])
      if (start < DAY_MS && !silenceOn(times, day + later, start)) return later * DAY_MS + start - ms
  }
  return undefined
}

/** The same backwards: to the last millisecond at which something might have left. */
function sinceOn(times: SendTimes, day: number, ms: number): number | undefined {
  for (let earlier = 0; earlier < MOST_DAYS; earlier++) {
    const ends = [
      DAY_MS,
      ...(times.quiet ? [times.quiet.from] : []),
      ...(times.windows?.get(weekdayOf(day - earlier)) ?? []).map(({ to }) => to),
    ]
    const to = earlier === 0 ? ms : DAY_MS - 1
    for (const end of [to, ...ends.map((end) => end - 1).filter((end) => end < to)].sort((a, b) => b - a))
      if (end >= 0 && !silenceOn(times, day - earlier, end)) return earlier * DAY_MS + ms - end
  }
  return undefined
}

/** The first instant in (from, to] that has another offset than `from`; undefined when none has. One jump at most lies in between. */
function jumpAfter(from: number, to: number, zone: string): number | undefined {
  const before = offsetAt(from, zone)
  // Looked at day by day: two jumps within a day never happened.
  for (let low = from; low < to; ) {
    let high = Math.min(low + DAY_MS, to)
    if (offsetAt(high, zone) === before) {
      low = high
      continue
    }
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offsetAt(middle, zone) === before) low = middle
      else high = middle
    }
    return high
  }
  return undefined
}

/** The first instant from `at` on at which it may leave; undefined: never. */
export function nextAllowed(times: SendTimes, at: number, zone: string): number | undefined {
  let now = at
  for (let jumps = 0; jumps < 8; jumps++) {
    const { day, ms } = wallClock(now, zone)
    const wait = waitOn(times, day, ms)
    if (wait === 0) return now
    const end = now + (wait ?? MOST_DAYS * DAY_MS)
    const jump = jumpAfter(now, end, zone)
    if (jump === undefined) return wait === undefined ? undefined : end
    now = jump
  }
  return undefined
}

/** The last instant up to `at`, and not before `from`, at which it might leave; undefined: none. */
export function lastAllowed(times: SendTimes, at: number, from: number, zone: string): number | undefined {
  let now = at
  for (let jumps = 0; jumps < 8 && now >= from; jumps++) {
    const { day, ms } = wallClock(now, zone)
    const since = sinceOn(times, day, ms)
    if (since === 0) return now
    const end = Math.max(from - 1, now - (since ?? MOST_DAYS * DAY_MS))
    const jump = lastJump(end, now, zone)
    if (jump === undefined) return since === undefined || now - since < from ? undefined : now - since
    now = jump - 1
  }
  return undefined
}

function lastJump(from: number, to: number, zone: string): number | undefined {
  let found: number | undefined
  for (let at = jumpAfter(from, to, zone); at !== undefined; at = jumpAfter(at, to, zone)) found = at
  return found
}

/**
 * A time that was chosen for a message, moved out of the silence to its nearest edge, and never before `now`.
 * As Braze does with its optimum; of two edges equally near the later one.
 */
export function nearestAllowed(times: SendTimes, wanted: number, now: number, zone: string): number | undefined {
  const later = nextAllowed(times, wanted, zone)
  if (later === wanted) return later
  const earlier = lastAllowed(times, wanted, now, zone)
  if (earlier === undefined) return later
  // The last whole minute: a message that leaves with the last millisecond arrives in the silence.
  const minute = Math.max(now, Math.floor(earlier / 60_000) * 60_000)
  if (silenceAt(times, minute, zone)) return later
  return later === undefined || wanted - minute < later - wanted ? minute : later
}
