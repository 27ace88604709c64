/** How rules name events: exactly, or with `*` for any run of characters. */
import type { CanonicalEvent } from '../../schemas/event.ts'

/**
 * The name rules and `profile.recent` know an event by: a track's own name, otherwise the call type.
 * A page that is titled "Order Completed" is a `page`, not an order.
 */
export function triggerName(event: Pick<CanonicalEvent, 'type' | 'name'>): string {
  return event.type === 'track' ? event.name : event.type
}

/** Names come from outside, so the match is a scan with one backtracking point, never a regular expression. */
export function nameMatches(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  let star = -1
  let resume = 0
  while (n < name.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = n
    } else if (p < pattern.length && pattern[p] === name[n]) {
      p++
      n++
    } else if (star >= 0) {
      p = star + 1
      n = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Test of one name against several patterns. */
export function namesMatcher(patterns: readonly string[]): (name: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const globs = patterns.filter((pattern) => pattern.includes('*'))
  return (name) => exact.has(name) || globs.some((glob) => nameMatches(glob, name))
}
