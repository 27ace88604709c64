/** Which instance of a rule an event speaks about. Pure. */
import type { CanonicalEvent } from '../../schemas/event.ts'

/** The instance of an event that does not name one: the cart the person has now. */
export const UNNAMED = 'cart'

/** The value that names the instance, as text; undefined when the rule or the event names none. */
export function correlationOf(path: readonly string[] | undefined, event: CanonicalEvent): string | undefined {
  if (!path) return undefined
  let value: unknown = event.properties
  for (const step of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return (typeof value === 'string' && value !== '') || typeof value === 'number'
    ? String(value).slice(0, 128)
    : undefined
}

/** When either side does not say which instance it means, it is taken as the same: better no message than a wrong one. */
export function sameInstance(
  correlate: readonly string[] | undefined,
  named: string | undefined,
  correlation: string,
): boolean {
  return !correlate || named === undefined || correlation === UNNAMED || named === correlation
}
