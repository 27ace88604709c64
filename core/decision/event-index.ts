/**
 * Finds what an event can set off without trying everything: by its name, and, where conditions demand certain values of
 * one of its properties (`{field: event.category, op: eq, value: shoes}`, `in`), by the value it has. What is found may
 * still not match; what is not found cannot.
 */
import type { Condition, Conditions } from '../../schemas/rule.ts'
import { asNumeric, readSteps } from './fields.ts'
import { isGroup } from './measures.ts'
import { nameMatches } from './names.ts'

export type Properties = Readonly<Record<string, unknown>>

export interface IndexedPattern {
  /** Name or glob. */
  readonly event: string
  readonly where?: Conditions | undefined
}

type Scalar = string | number | boolean

/** A property that must have one of these values, or the conditions cannot hold. */
export interface Demand {
  /** Path under the properties of the event. */
  readonly path: string
  readonly values: readonly Scalar[]
}

/** Of several demands the one with the fewest values; undefined when any event may do. */
export function demandOf(conditions: Conditions | undefined): Demand | undefined {
  const demands = [
    ...(conditions?.all ?? []).flatMap((condition) => demandOfOne(condition) ?? []),
    ...listed(demandOfAny(conditions?.any ?? [])),
  ]
  return demands.reduce<Demand | undefined>((a, b) => (a && a.values.length <= b.values.length ? a : b), undefined)
}

function demandOfOne(condition: Condition): Demand | undefined {
  if (isGroup(condition)) return demandOf(condition)
  if (!('field' in condition) || !condition.field.startsWith('event.')) return undefined
  const { field, op, value } = condition
  const path = field.slice('event.'.length)
  if (op === 'in') return { path, values: Array.isArray(value) ? value : [] }
  return op === 'eq' && value !== undefined && !Array.isArray(value) ? { path, values: [value] } : undefined
}

/** One of them is enough: they demand something together when all of them look at the same property. */
function demandOfAny(conditions: readonly Condition[]): Demand | undefined {
  const [first, ...others] = conditions.map(demandOfOne)
  if (!first || others.some((other) => other?.path !== first.path)) return undefined
  return { path: first.path, values: [first, ...others].flatMap((demand) => demand!.values) }
}

interface Entry<T> {
  readonly order: number
  readonly value: T
}

/** Everything that is registered under one pattern. */
class Slot<T> {
  readonly all: Entry<T>[] = []
  readonly #free: Entry<T>[] = []
  readonly #demanding = new Map<string, { readonly steps: readonly string[]; readonly by: Map<unknown, Entry<T>[]> }>()

  add(entry: Entry<T>, demand: Demand | undefined): void {
    this.all.push(entry)
    if (!demand) {
      this.#free.push(entry)
      return
    }
    const known = this.#demanding.get(demand.path) ?? { steps: demand.path.split('.'), by: new Map() }
    this.#demanding.set(demand.path, known)
    for (const value of new Set(demand.values)) known.by.set(value, [...(known.by.get(value) ?? []), entry])
  }

  /** Lists that may have entries in common, each in the order of adding. */
  collect(properties: Properties, into: Entry<T>[][]): void {
    if (this.#free.length > 0) into.push(this.#free)
    for (const { steps, by } of this.#demanding.values()) {
      const found = readSteps(properties, steps)
      const exact = by.get(found)
      if (exact) into.push(exact)
      // A rule that names a number means numbers written as text, too.
      const number = typeof found === 'string' ? asNumeric(found) : found
      const numeric = number === found ? undefined : by.get(number)
      if (numeric) into.push(numeric)
    }
  }
}

/** Names come from outside: of how many different ones it is remembered which globs they fit. */
const NAMES_REMEMBERED = 2_000

export class EventIndex<T> {
  readonly #exact = new Map<string, Slot<T>>()
  readonly #globs = new Map<string, Slot<T>>()
  readonly #slots = new Map<string, readonly Slot<T>[]>()
  #next = 0

  /** One value under several patterns is found once. */
  add(patterns: readonly (string | IndexedPattern)[], value: T): void {
    const entry = { order: this.#next++, value }
    const written = patterns.map((one): IndexedPattern => (typeof one === 'string' ? { event: one } : one))
    const byEvent = Map.groupBy(written, ({ event }) => event)
    for (const [event, same] of byEvent) {
      const kind = event.includes('*') ? this.#globs : this.#exact
      const slot = kind.get(event) ?? new Slot<T>()
      kind.set(event, slot)
      const demands = same.map(({ where }) => demandOf(where))
      const [first] = demands
      const together = first && demands.every((demand) => demand?.path === first.path)
      slot.add(entry, together ? { path: first.path, values: demands.flatMap((demand) => demand!.values) } : undefined)
    }
    this.#slots.clear()
  }

  /** In the order of adding. @param properties of the event; all of that name when left out. */
  find(name: string, properties?: Properties): T[] {
    const slots = this.#slotsOf(name)
    if (slots.length === 0) return []
    const lists: Entry<T>[][] = []
    for (const slot of slots)
      if (properties === undefined) lists.push(slot.all)
      else slot.collect(properties, lists)
    if (lists.length === 0) return []
    if (lists.length === 1) return lists[0]!.map(({ value }) => value)
    const entries = lists.flat().sort((a, b) => a.order - b.order)
    return entries.flatMap(({ order, value }, index) => (entries[index - 1]?.order === order ? [] : [value]))
  }

  #slotsOf(name: string): readonly Slot<T>[] {
    const known = this.#slots.get(name)
    if (known) return known
    const exact = this.#exact.get(name)
    const slots = [
      ...listed(exact),
      ...[...this.#globs].filter(([pattern]) => nameMatches(pattern, name)).map(([, slot]) => slot),
    ]
    if (this.#slots.size >= NAMES_REMEMBERED) this.#slots.clear()
    this.#slots.set(name, slots)
    return slots
  }
}

const listed = <T>(one: T | undefined): T[] => (one === undefined ? [] : [one])
