/** One line of the derived cart. Prices are minor units (centavos) per piece. */
export interface CartLine {
  productId: string
  name?: string
  price: number
  quantity: number
  url?: string
  imageUrl?: string
  /** When it last changed. */
  at?: string
}

/** The cart a person has now, derived from whatever source knows about it. Money in minor units. */
export interface Cart {
  id?: string
  lines: CartLine[]
  total: number
  currency: string
  url?: string
  updatedAt: string
  /** Purposes every event that built this cart was kept for: a rule of another purpose does not see it. */
  purposes?: string[]
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
  /** The person had something in the cart when it started, so an empty cart now means "emptied". */
  hadCart?: boolean
}

/** An event that ended an instance of a correlated rule; a late start looks here before it arms. */
export interface Closing {
  at: string
  /** Value of the rule's `correlate` property; absent when the event did not name its instance. */
  correlation?: string
  /** True when the event is a goal of the rule (`exit_on`) and not one of its `unless`. */
  goal?: boolean
}

/** A value of one event that some rule measures: a number or flag, a word of the rule itself, or a digest where only sameness counts. */
export type MeasuredValue = string | number | boolean

/** Steps of a sequence rule that happened lately, of one instance. Events themselves are not kept. */
export interface OpenSequence {
  rule: string
  version: number
  correlation: string
  /** Oldest first: epoch milliseconds and the steps that event fits, as bits (1: the first). Bounded. */
  hits: [number, number][]
}

/** Of rules entered once per session: rule → digest of the session ('' where the source counts none) → last active (ISO), entries. */
export type EnteredSessions = Record<string, Record<string, [at: string, entries: number]>>

/** A computed trait with what it is kept up to date from. Values are numbers and short words, never contact data. */
export interface ComputedState {
  /** Of the definition. */
  hash: string
  purpose: string
  /** Absent when nothing is known. */
  value?: string | number | boolean
  /** With a window: [epoch ms, value], oldest first. */
  samples?: [number, string | number | boolean][]
  /** Without one. */
  n?: number
  sum?: number
  edge?: [number, string | number | boolean]
  /** Of people who were merged, until it is next looked at. */
  edges?: [number, string | number | boolean][]
  values?: (string | number | boolean)[]
}

/** In which zone a person lives, and how that is known. See core/decision/zone.ts. */
export interface KnownZone {
  /** IANA name. */
  name: string
  from: 'phone' | 'state' | 'timezone'
  at: string
  /** Purposes that what it was read from was kept for. */
  purposes: string[]
}

/** A message the person opened or clicked on. */
export interface Engagement {
  channel: string
  kind: 'open' | 'click'
  at: string
  purposes: string[]
}

/** What speaks against writing to somebody, whatever it was kept for. Times are ISO. */
export interface Suppressed {
  /** When the person last marked a message as spam. */
  complained?: string
  /** Channel -> when the last message on it came back. */
  bounced?: Record<string, string>
  /** Open tickets -> since when. Bounded. */
  tickets?: Record<string, string>
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
  /** When the newest statement about the whole cart was made, a list of it or an order: what is older changes nothing. */
  cartAsOf?: string
  /**
   * Age band, kept instead of a date of birth; the younger one where sources differ. `teenFrom` and
   * `adultFrom` are months (YYYY-MM), rounded up.
   */
  age?: { band: 'child' | 'teen' | 'adult'; teenFrom?: string; adultFrom?: string }
  /** Recent times per event name, newest last: what ends an instance of a rule, whatever it was kept for. Bounded. */
  recent: Record<string, string[]>
  /**
   * The same for windowed counts, per purpose: only events kept for it, and only for rules of that purpose. Absent
   * where no rule counts.
   */
  counted?: Record<string, Record<string, string[]>>
  /**
   * What rules measure of events (sums, last values, counts with conditions), per purpose and measure, oldest first:
   * epoch milliseconds and the value. Bounded, and no longer than the longest window asks. Absent where no rule measures.
   */
  measured?: Record<string, Record<string, [number, MeasuredValue][]>>
  /** Lifetime counters per purpose: orders, revenue (minor units). */
  counters: Record<string, Record<string, number>>
  timers: OpenTimer[]
  /** Sequences under way, per rule and instance. */
  sequences?: OpenSequence[]
  /** Score rules that have fired and wait for the score to come back, with the time they fired. */
  crossed?: Record<string, string>
  /** Entries per rule: times of entry, newest last. */
  entries: Record<string, string[]>
  /** Sessions in which rules of one entry per session were entered. Absent where there are none. */
  sessions?: EnteredSessions
  /**
   * Arm per rule, fixed at first exposure; `multiple` after a merge of two people with different arms; `test` of whoever
   * tried a version out. An experiment counts neither of the last two.
   */
  arms?: Record<string, 'treated' | 'control' | 'holdout' | 'multiple' | 'test'>
  /** Variant per rule, fixed at first exposure. After a merge of two different ones the arm is `multiple`. */
  variants?: Record<string, string>
  zone?: KnownZone
  /** Oldest first. Bounded. */
  engaged?: Engagement[]
  suppressed?: Suppressed
  /** Per rule with `correlate`: what ended its instances lately. Written by decide, bounded by the rule's window. */
  closings?: Record<string, Closing[]>
  /** Audiences the person is in now. */
  audiences?: Record<string, { since: string; purpose: string }>
  /** Audience -> destination -> nodes: where the person was last asked to be taken in, and by which identifier. */
  pushed?: Record<string, Record<string, string[]>>
  /** Computed traits, by id. */
  computed?: Record<string, ComputedState>
  /** Scores from 0 to 1, by id. `armed` belongs to the rules that wait for a crossing. */
  scores?: Record<string, { value: number; at: string; purpose: string; armed?: boolean }>
  /** Epoch ms: the earliest moment at which time alone may change one of these; 0: now. */
  measuresDueAt?: number
  /** Recent cart acts for counting one fact once: key product|minute -> sources that reported it. */
  acts: { key: string; source: string; at: string; matched: string[] }[]
}

/** The sealed part, per node, under the node's data key. */
export interface SealedTraits {
  traits: Record<string, { value: unknown; at: string; purposes: string[] }>
}
