/** Names and types without values: enough to see what is wrong with an event, and nothing of whom it is about. */
import type { CanonicalEvent } from '../../schemas/event.ts'

const MOST_KEYS = 40
const MOST_DEPTH = 4

export function shapeOf(event: Pick<CanonicalEvent, 'properties' | 'traits'>): unknown {
  const shape: Record<string, unknown> = {}
  for (const part of ['properties', 'traits'] as const)
    if (Object.keys(event[part]).length > 0) shape[part] = describe(event[part], 0)
  return shape
}

function describe(value: unknown, depth: number): unknown {
  if (value === null || typeof value !== 'object') return typeName(value)
  if (depth >= MOST_DEPTH) return typeName(value)
  if (Array.isArray(value)) return value.length === 0 ? [] : [describe(value[0], depth + 1)]
  const names = Object.keys(value).sort()
  const described: Record<string, unknown> = {}
  for (const name of names.slice(0, MOST_KEYS))
    described[safeName(name)] = describe((value as Record<string, unknown>)[name], depth + 1)
  if (names.length > MOST_KEYS) described['…'] = String(names.length - MOST_KEYS)
  return described
}

/** What a shape says of a place: a JSON pointer, in which * is the first of a list. */
export function typeAt(shape: unknown, path: string): string | undefined {
  let found = shape
  for (const step of path.split('/').slice(1)) {
    if (found === null || typeof found !== 'object') return undefined
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    found = Array.isArray(found)
      ? found[0]
      : Object.hasOwn(found, name)
        ? (found as Record<string, unknown>)[name]
        : undefined
  }
  if (typeof found === 'string') return found
  return found === undefined || found === null ? undefined : Array.isArray(found) ? 'array' : 'object'
}

/** JSON Schema's word for it. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

const NAME = /^[\p{L}_$][\p{L}\p{N}_$ .:-]{0,63}$/u

/** A key that a programmer wrote. One with an address or a number in it may be somebody's: `*`. */
export function safeName(name: string): string {
  return NAME.test(name) && !/\d{5}/.test(name) ? name : '*'
}
