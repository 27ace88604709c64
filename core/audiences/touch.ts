/** What an event changed of a person, and what a definition reads of one: only what they share is computed again. */
import type { Conditions } from '../../schemas/rule.ts'
import { EventIndex } from '../decision/event-index.ts'
import { leavesOf, measureOf } from '../decision/measures.ts'

/** What an event changed, or `everything`: two people became one, or nobody knows. */
export interface Touch {
  /** The event as `triggerName` has it; absent when none was kept. */
  readonly name?: string
  readonly cart?: boolean
  readonly counters?: boolean
  readonly traits?: readonly string[]
  /** An identifier with a value was added. */
  readonly known?: boolean
  /** The person got an arm of a rule. */
  readonly arms?: boolean
  /** The person is seen for the first time. */
  readonly first?: boolean
  readonly everything?: boolean
}

export const EVERYTHING: Touch = { everything: true }

/** What a definition reads. */
export interface Reads {
  readonly events: Set<string>
  readonly traits: Set<string>
  cart: boolean
  counters: boolean
  known: boolean
  arms: boolean
  readonly audiences: Set<string>
  readonly computed: Set<string>
  readonly scores: Set<string>
  /** Fields nobody but a rule with an event may read. */
  readonly eventFields: Set<string>
}

export function emptyReads(): Reads {
  return {
    events: new Set(),
    traits: new Set(),
    cart: false,
    counters: false,
    known: false,
    arms: false,
    audiences: new Set(),
    computed: new Set(),
    scores: new Set(),
    eventFields: new Set(),
  }
}

/** Adds what conditions read. `where` of a measure reads the event it measures and nothing else. */
export function readConditions(conditions: Conditions | undefined, reads: Reads): void {
  for (const { condition } of leavesOf(conditions)) {
    if ('field' in condition) readField(condition.field, reads)
    else if ('audience' in condition) reads.audiences.add(condition.audience)
    else reads.events.add(measureOf(condition).measured.event)
  }
}

export function readField(field: string, reads: Reads): void {
  const [root, ...steps] = field.split('.')
  const rest = steps.join('.')
  if (root === 'cart') reads.cart = true
  else if (root === 'counters') reads.counters = true
  else if (root === 'person') reads.known = true
  else if (root === 'traits') reads.traits.add(rest)
  else if (root === 'computed') reads.computed.add(rest)
  else if (root === 'scores') reads.scores.add(rest)
  else if (root === 'audiences') reads.audiences.add(rest)
  else if (root === 'event') reads.eventFields.add(field)
}

/** Finds what an event may change without trying everything. */
export class TouchIndex<T extends { readonly reads: Reads }> {
  readonly #all: readonly T[]
  readonly #names = new EventIndex<T>()
  readonly #traits = new Map<string, T[]>()
  readonly #cart: readonly T[]
  readonly #counters: readonly T[]
  readonly #known: readonly T[]
  readonly #arms: readonly T[]

  constructor(all: readonly T[]) {
    this.#all = all
    for (const one of all) {
      if (one.reads.events.size > 0) this.#names.add([...one.reads.events], one)
      for (const trait of one.reads.traits) this.#traits.set(trait, [...(this.#traits.get(trait) ?? []), one])
    }
    this.#cart = all.filter(({ reads }) => reads.cart)
    this.#counters = all.filter(({ reads }) => reads.counters)
    this.#known = all.filter(({ reads }) => reads.known)
    this.#arms = all.filter(({ reads }) => reads.arms)
  }

  find(touch: Touch): ReadonlySet<T> {
    // Conditions that hold without anything having happened hold from the first moment on.
    if (touch.everything || touch.first) return new Set(this.#all)
    const found = new Set<T>(touch.name === undefined ? [] : this.#names.find(touch.name))
    if (touch.cart) for (const one of this.#cart) found.add(one)
    if (touch.counters) for (const one of this.#counters) found.add(one)
    if (touch.known) for (const one of this.#known) found.add(one)
    if (touch.arms) for (const one of this.#arms) found.add(one)
    for (const trait of touch.traits ?? []) for (const one of this.#traits.get(trait) ?? []) found.add(one)
    return found
  }
}
