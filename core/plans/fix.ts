/** Corrections of a quarantined event: JSON Patch on the parts a plan describes, over whole lists, and another type for what says the same. Pure. */
import type { CanonicalEvent, Identifier } from '../../schemas/event.ts'
import { Fix } from '../../schemas/plan.ts'
import { parsePointer, pointer } from '../config/words.ts'
import { checkAgainst } from '../delivery/payload.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { readNumber } from '../kit/local-values.ts'

/** Whom an event names, when and by whom it came, and what it says of consent is evidence: no fix touches it. */
const FIXABLE = new Set(['properties', 'traits', 'context'])
const MOST_FIXES = 50
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/** What is wrong with a list of fixes, in words; undefined for a good one. */
export function fixProblem(given: unknown): string | undefined {
  if (!Array.isArray(given)) return 'fixes must be a list.'
  if (given.length > MOST_FIXES) return `at most ${MOST_FIXES} fixes go at once.`
  for (const [index, fix] of given.entries()) {
    if ('errors' in checkAgainst(Fix, fix))
      return `fix ${index + 1} is none of {op: move, from, path}, {op: add|replace, path, value}, {op: remove, path}, {op: coerce, path, to: number|integer|string|boolean}.`
    const { op, path, from } = fix as { op: string; path: string; from?: string }
    if (path === '/name' ? op !== 'replace' : !fixable(path)) return notFixable(index, path)
    if (from !== undefined && !fixable(from)) return notFixable(index, from)
    if (from !== undefined && stars(from) !== stars(path))
      return `fix ${index + 1}: from and path must have as many * as each other.`
    if (path === '/name' && typeof (fix as { value?: unknown }).value !== 'string')
      return `fix ${index + 1}: the name of an event is text.`
  }
  return undefined
}

const stars = (path: string) => parsePointer(path).filter((step) => step === '*').length
const notFixable = (index: number, path: string) =>
  `fix ${index + 1}: ${path.slice(0, 80)} is not below /properties, /traits or /context, nor /name (replace only).`

function fixable(path: string): boolean {
  const [part, ...rest] = parsePointer(path)
  return FIXABLE.has(part ?? '') && rest.length > 0 && !rest.some((step) => FORBIDDEN.has(step) || step === '')
}

/** A copy with the fixes in their order. What a fix does not find it leaves alone. */
export function applyFixes(event: CanonicalEvent, fixes: readonly Fix[]): { event: CanonicalEvent; changed: boolean } {
  const copy = structuredClone(event)
  let changed = false
  for (const fix of fixes) changed = applyFix(copy, fix) || changed
  if (!changed) return { event, changed: false }
  return { event: withContacts(copy), changed }
}

function applyFix(event: CanonicalEvent, fix: Fix): boolean {
  if (fix.path === '/name') {
    const name = String((fix as { value?: unknown }).value)
    if (event.type !== 'track' || event.name === name) return false
    event.name = name
    return true
  }
  let changed = false
  for (const [place, bound] of placesOf(event, parsePointer(fix.op === 'move' ? fix.from : fix.path), fix.op === 'add'))
    changed = applyAt(event, fix, place, bound) || changed
  return changed
}

function applyAt(event: CanonicalEvent, fix: Fix, place: readonly string[], bound: readonly string[]): boolean {
  const parent = parentOf(event, place)
  const key = place.at(-1)!
  if (!parent) return false
  const exists = Object.hasOwn(parent, key)
  switch (fix.op) {
    case 'add':
      parent[key] = structuredClone(fix.value)
      return true
    case 'replace':
      if (!exists) return false
      parent[key] = structuredClone(fix.value)
      return true
    case 'remove':
      if (!exists) return false
      remove(parent, key)
      return true
    case 'move': {
      if (!exists) return false
      let next = 0
      const target = parsePointer(fix.path).map((step) => (step === '*' ? bound[next++]! : step))
      const into = parentOf(event, target, true)
      // What stands there already is not overwritten: nobody may lose the right value for the wrong one.
      if (!into || Object.hasOwn(into, target.at(-1)!) || pointer(target) === pointer(place)) return false
      into[target.at(-1)!] = parent[key]
      remove(parent, key)
      return true
    }
    case 'coerce': {
      if (!exists) return false
      const value = coerced(parent[key], fix.to)
      if (value === undefined || value === parent[key]) return false
      parent[key] = value
      return true
    }
  }
}

function remove(parent: Record<string, unknown>, key: string): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1)
  else delete parent[key]
}

/** Every place a path with `*` means, with what stood for each `*`; the last places of a list first, so that removing one moves none. */
function placesOf(root: object, path: readonly string[], mayBeNew: boolean): [string[], string[]][] {
  let found: [string[], string[]][] = [[[], []]]
  for (const [index, step] of path.entries())
    found = found.flatMap(([place, bound]): [string[], string[]][] => {
      const value = valueAt(root, place)
      if (step !== '*') {
        const last = index === path.length - 1
        return (mayBeNew && last) || hasOwn(value, step) ? [[[...place, step], bound]] : []
      }
      return Array.isArray(value)
        ? [...value.keys()].reverse().map((n) => [
            [...place, String(n)],
            [...bound, String(n)],
          ])
        : []
    })
  return found
}

const hasOwn = (value: unknown, key: string) => value !== null && typeof value === 'object' && Object.hasOwn(value, key)

function valueAt(root: unknown, place: readonly string[]): unknown {
  return place.reduce<unknown>(
    (value, step) => (hasOwn(value, step) ? (value as Record<string, unknown>)[step] : undefined),
    root,
  )
}

function parentOf(root: object, place: readonly string[], make = false): Record<string, unknown> | undefined {
  let value: unknown = root
  for (const step of place.slice(0, -1)) {
    if (value === null || typeof value !== 'object') return undefined
    const into = value as Record<string, unknown>
    if (!Object.hasOwn(into, step)) {
      if (!make || Array.isArray(into)) return undefined
      into[step] = {}
    }
    value = into[step]
  }
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined
}

/** @returns undefined when it does not say the same in that type. */
function coerced(value: unknown, to: Extract<Fix, { op: 'coerce' }>['to']): unknown {
  switch (to) {
    case 'string':
      return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
    case 'boolean':
      if (value === 'true' || value === 1 || value === '1') return true
      return value === 'false' || value === 0 || value === '0' ? false : undefined
    default: {
      const number = readNumber(value)
      return number === undefined || (to === 'integer' && !Number.isInteger(number)) ? undefined : number
    }
  }
}

/** An address that a fix made readable reaches its person as it would have at first. */
function withContacts(event: CanonicalEvent): CanonicalEvent {
  const more: Identifier[] = []
  for (const type of ['email', 'phone'] as const) {
    const value = normalizeIdentifier(type, event.traits[type])
    if (value !== undefined && !event.subject.identifiers.some((known) => known.type === type))
      more.push({ type, value })
  }
  if (more.length === 0) return event
  return { ...event, subject: { ...event.subject, identifiers: [...event.subject.identifiers, ...more] } }
}
