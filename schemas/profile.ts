import type { IdentifierType } from './event.ts'

/** One line of the derived cart. Prices are minor units (centavos) per piece. */
export interface CartLine {
  productId: string
  name?: string
  price: number
  quantity: number
  url?: string
  imageUrl?: string
}

/** The cart a person has now, derived from whatever source knows about it. Money in minor units. */
export interface Cart {
  id?: string
  lines: CartLine[]
  total: number
  currency: string
  url?: string
  updatedAt: string
}

/** A timer of one rule for one person: fires when nothing that cancels it came within the window. */
export interface OpenTimer {
  rule: string
  version: number
  correlation: string
  startEventId: string
  startedAt: string
  dueAt: string
  graceUntil: string
}

/** The open part of a person: what rules, audiences and reports may read. No contact data, no free text. */
export interface OpenProfile {
  /** Number of inputs this person has taken, in the order of the transactions. */
  seq: number
  firstSeenAt: string
  lastSeenAt: string
  /** Open traits (numbers, booleans and the configured enumerations) with the purposes that collected them. */
  traits: Record<string, { value: string | number | boolean; at: string; purposes: string[] }>
  cart?: Cart
  /** Recent times per event name, newest last, for windowed counts. Bounded. */
  recent: Record<string, string[]>
  /** Lifetime counters per purpose: orders, revenue (minor units). */
  counters: Record<string, Record<string, number>>
  timers: OpenTimer[]
  /** Entries per rule: times of entry, newest last. */
  entries: Record<string, string[]>
  /** Recent cart acts for counting one fact once: key product|minute -> sources that reported it. */
  acts: { key: string; source: string; at: string; matched: string[] }[]
  /** Reachability: identifier types with a sealed value, by purpose. */
  reachable: Partial<Record<IdentifierType, string[]>>
}

/** The sealed part, per node, under the node's data key. */
export interface SealedTraits {
  traits: Record<string, { value: unknown; at: string; purposes: string[] }>
}
