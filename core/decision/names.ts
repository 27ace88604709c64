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

/** Finds what is registered for a name without trying everything: a map of exact names and a short list of globs. */
export class NameIndex<T> {
  readonly #exact = new Map<string, { order: number; value: T }[]>()
  readonly #globs: { pattern: string; order: number; value: T }[] = []
  #next = 0

  /** One value under several patterns is found once. */
  add(patterns: readonly string[], value: T): void {
    const order = this.#next++
    for (const pattern of new Set(patterns)) {
      if (pattern.includes('*')) this.#globs.push({ pattern, order, value })
      else {
        const entries = this.#exact.get(pattern)
        if (entries) entries.push({ order, value })
        else this.#exact.set(pattern, [{ order, value }])
      }
    }
  }

  /** In the order of adding. */
  find(name: string): T[] {
    const exact = this.#exact.get(name) ?? []
    const globs = this.#globs.filter((entry) => nameMatches(entry.pattern, name))
    if (globs.length === 0) return exact.map((entry) => entry.value)
    const found = new Map<number, T>()
    for (const entry of [...exact, ...globs]) found.set(entry.order, entry.value)
    return [...found].sort((a, b) => a[0] - b[0]).map((entry) => entry[1])
  }
}
