/** apply: what a kept event changes. History, identifiers, traits, cart, counters; never more than was allowed. */
import { createHash } from 'node:crypto'
import type { KeptEvent } from '../../consent/collects.ts'
import type { Purposes } from '../../consent/purposes.ts'
import { isContactKey } from '../../consent/spec-properties.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Touch } from '../audiences/touch.ts'
import { type Measure, withEvent } from '../decision/measures.ts'
import { triggerName } from '../decision/names.ts'
import { withActivity } from '../decision/sessions.ts'
import type { IdentitySettings } from '../identity/limits.ts'
import { newId } from '../ids.ts'
import { readPath } from '../kit/read-path.ts'
import { seal } from '../seal.ts'
import type { Batch } from './batch.ts'
import { cartAfter } from './cart.ts'
import { rememberContact } from './contact-facts.ts'
import {
  type Amounts,
  amountsOf,
  applyCounters,
  type CounterChange,
  factKey,
  isCartCopy,
  type Reported,
  reportFact,
} from './facts.ts'
import { ageOn, rememberAge } from './facts-of-person.ts'
import { type Identified, join } from './identify.ts'
import type { NodeState, PersonState } from './people.ts'

export interface ApplySettings {
  readonly purposes: Purposes
  /** Limits, priorities and blocked values of identifiers; the defaults when absent. */
  readonly identity?: IdentitySettings
  readonly openTraits: ReadonlySet<string>
  readonly currency: string
  /** Connectors, most believed first, when several report one fact. */
  readonly believed: readonly string[]
  /** How long times of an event that may end something are kept, in milliseconds; 0: it ends nothing. */
  readonly recentWindow: (eventName: string) => number
  /** How long times of an event are kept for windowed counts of that purpose's rules; 0: none counts it. */
  readonly countWindow: (purpose: string, eventName: string) => number
  /** What is measured of an event for that purpose. */
  readonly measuresFor: (
    purpose: string,
    eventName: string,
    properties?: Readonly<Record<string, unknown>>,
  ) => readonly Measure[]
}

export interface Applied {
  readonly person: PersonState
  /** The node the event belongs to. */
  readonly node: NodeState
  /** The node that stands for the device of the event. */
  readonly deviceNode: NodeState
  readonly event: CanonicalEvent
  readonly purposes: readonly string[]
  /** Another source already reported this fact: evidence only, triggers nothing. */
  readonly copy: boolean
  readonly amounts: Amounts
  /** Somebody or something new was joined to the person: what is held for it is theirs too. */
  readonly joined: boolean
  /** It carried an answer about consent. */
  readonly answers: boolean
  /** What of the person it changed. */
  readonly touch: Touch
}

/** What history seals of an event, under the node's data key. */
export interface SealedEvent {
  readonly messageId: string
  readonly properties: Readonly<Record<string, unknown>>
  readonly context: Readonly<Record<string, unknown>>
  readonly traits: Readonly<Record<string, unknown>>
  readonly identifiers: CanonicalEvent['subject']['identifiers']
  /** alias only. */
  readonly previousId?: string
  readonly originalName?: string
  readonly copy?: true
  /** Something newer of this person, by more than a minute, had been taken before it. */
  readonly late?: true
  /** It was held, and an answer released it then: epoch milliseconds. */
  readonly releasedAt?: number
  /** It was set aside, and somebody re-drove it then: epoch milliseconds. */
  readonly redrivenAt?: number
  /** A file told of it long after: it may end things, not start them. */
  readonly past?: true
  /** It carried an answer about consent, which the ledger has where it changed something. */
  readonly answers?: true
  /** What it said of the person's age, when the field itself was not kept. */
  readonly age?: NonNullable<OpenProfile['age']>
  /** Of an order: how it was counted, which depends on who else had reported it by then. */
  readonly fact?: CountedFact
  /** Node that stands for the device. */
  readonly device: string
}

const RECENT_KEPT = 500
/** Our choice: sources differ by less than this in when they tell of the same moment. */
const LATE_MS = 60_000

export function apply(
  identified: Identified,
  kept: KeptEvent,
  allowed: readonly string[],
  batch: Batch,
  settings: ApplySettings,
): Applied {
  const { event } = kept
  const { person, node, joined } = join(identified, batch, settings.purposes)
  const deviceNode = batch.nodes.get(identified.device.hmac) ?? node
  const amounts = amountsOf(event, settings.currency)
  const fact = reportFact(event, { person, node }, amounts, allowed, batch, settings.believed)
  const answers = event.consent.length > 0
  const taken = newId(batch.now)
  const age = ageOn(identified.event, settings.purposes)
  const { applied, late } = change(
    kept,
    { person, node, deviceNode, joined, answers, named: identified.named, allowed, amounts, fact, age },
    batch,
    settings,
  )
  for (const other of fact.changes) if (other.person !== person) noteCorrection(other, batch)
  const sealed: SealedEvent = {
    messageId: event.messageId,
    properties: event.properties,
    context: event.context,
    traits: event.traits,
    identifiers: event.subject.identifiers.filter(({ type }) => kept.sealedIdentifiers.includes(type)),
    ...(event.subject.previousId !== undefined && { previousId: event.subject.previousId }),
    ...(event.source.originalName !== undefined && { originalName: event.source.originalName }),
    ...(applied.copy && { copy: true as const }),
    ...(late && { late: true as const }),
    ...(batch.releasedHeld.has(event.id) && { releasedAt: batch.now }),
    ...(batch.redriven.has(event.id) && { redrivenAt: batch.now }),
    ...(event.source.past && { past: true as const }),
    ...(answers && { answers: true as const }),
    ...(age && { age }),
    ...(factKey(event) && { fact: countedFact(fact, person) }),
    device: deviceNode.id,
  }
  batch.rows.history.push([
    event.id,
    node.id,
    person.seq,
    event.type,
    event.name,
    Date.parse(event.occurredAt),
    Date.parse(event.receivedAt),
    event.source.id,
    event.source.connector,
    JSON.stringify(allowed),
    JSON.stringify(amounts),
    seal(batch.keys.unwrap(node.dataKey), JSON.stringify(sealed)),
    taken,
    batch.now,
  ])
  return applied
}

/** An event whose person is known: what a replay gives again, and `apply` gives the first time. */
export interface PlacedEvent
  extends Pick<Applied, 'person' | 'node' | 'deviceNode' | 'amounts' | 'joined' | 'answers'> {
  readonly named: Identified['named']
  readonly allowed: readonly string[]
  readonly fact: Reported
  readonly age: OpenProfile['age']
}

/** What a kept event changes of its person. The same function live and in a replay. */
export function change(
  kept: KeptEvent,
  placed: PlacedEvent,
  batch: Batch,
  settings: ApplySettings,
): { readonly applied: Applied; readonly late: boolean } {
  const { event } = kept
  const { person, node, deviceNode, allowed, amounts, joined, answers, fact } = placed
  const { profile } = person
  const copy = fact.copy || isCartCopy(event, profile)
  const late = Date.parse(event.occurredAt) < Date.parse(profile.lastSeenAt) - LATE_MS
  noteSeen(person, event.occurredAt)
  goOnWithSessions(profile, event)
  rememberAge(person, placed.age)
  const cartBefore = profile.cart

  const known = storeIdentifiers(placed.named, kept, batch)
  storeTraits(kept, node, person, batch, settings)
  rememberContact(profile, event, phoneOf(kept), allowed)
  // A person's cart and goals hear of an order also when it was counted for somebody else first.
  if (!copy || (fact.copy && fact.news)) {
    const { cart, cartAsOf } = cartAfter(profile, event, allowed, settings.currency)
    if (cart) profile.cart = cart
    else delete profile.cart
    if (cartAsOf !== undefined) profile.cartAsOf = cartAsOf
    remember(profile, event, allowed, settings)
  }
  applyCounters(fact.changes)
  const touch: Touch = {
    name: triggerName(event),
    cart: profile.cart !== cartBefore,
    counters: fact.changes.length > 0,
    traits: Object.keys(kept.traitPurposes),
    known,
    // Whether their nodes were founded with it, or before by an answer about consent, is the same to definitions.
    first: person.seq === 1,
    everything: joined,
  }
  return {
    applied: { person, node, deviceNode, event, purposes: allowed, copy, amounts, joined, answers, touch },
    late,
  }
}

function goOnWithSessions(profile: OpenProfile, event: CanonicalEvent): void {
  if (!profile.sessions) return
  const sessions = withActivity(profile.sessions, event)
  if (sessions) profile.sessions = sessions
  else delete profile.sessions
}

/** One more input of a person. @param at ISO: when it happened. */
export function noteSeen(person: PersonState, at: string): void {
  const { profile } = person
  person.seq += 1
  person.dirty = true
  profile.seq = person.seq
  if (at > profile.lastSeenAt) profile.lastSeenAt = at
  if (at < profile.firstSeenAt) profile.firstSeenAt = at
}

/** Where a purpose that allowed the event may have it. */
const phoneOf = ({ event, sealedIdentifiers }: KeptEvent): string | undefined =>
  sealedIdentifiers.includes('phone')
    ? event.subject.identifiers.find(({ type }) => type === 'phone')?.value
    : undefined

/** How an order was counted for its own person. */
export interface CountedFact {
  readonly copy: boolean
  readonly news: boolean
  readonly changes: readonly Omit<CounterChange, 'person'>[]
}

/** What `history_inputs` holds of kind `counters`. */
export type CounterInput = Omit<CounterChange, 'person'>

const plain = ({ purpose, orders, revenue }: CounterChange): CounterInput => ({ purpose, orders, revenue })

function countedFact({ copy, news, changes }: Reported, person: PersonState): CountedFact {
  return { copy, news, changes: changes.filter((one) => one.person === person).map(plain) }
}

/** A better report moved an order from one person to another: the other one's history says so too. */
function noteCorrection(change: CounterChange, batch: Batch): void {
  const { person } = change
  // Audiences may read the counters: they are looked at as soon as time is looked at.
  person.profile.measuresDueAt = 0
  batch.rows.historyInputs.push([
    newId(batch.now),
    person.nodes[0]!.id,
    person.seq,
    'counters',
    batch.now,
    JSON.stringify(plain(change)),
  ])
}

/** The value behind an identifier is stored, sealed, only when a purpose that allowed the event needs it. @returns whether one was. */
function storeIdentifiers(named: Identified['named'], kept: KeptEvent, batch: Batch): boolean {
  let stored = false
  for (const { identifier, hmac } of named) {
    const node = batch.nodes.get(hmac)
    if (!node || node.hasValue || !kept.sealedIdentifiers.includes(identifier.type)) continue
    node.hasValue = true
    node.newValue = identifier.value
    stored = true
  }
  return stored
}

function storeTraits(
  kept: KeptEvent,
  node: NodeState,
  person: PersonState,
  batch: Batch,
  settings: ApplySettings,
): void {
  const at = kept.event.occurredAt
  for (const [path, purposes] of Object.entries(kept.traitPurposes)) {
    const value = readPath(kept.event.traits, path)
    if (value === undefined) continue
    // A phone number or CPF written as a number is contact data all the same.
    const open =
      !isContactKey(path) &&
      (typeof value === 'number' ||
        typeof value === 'boolean' ||
        (typeof value === 'string' && settings.openTraits.has(path)))
    if (open) {
      const known = person.profile.traits[path]
      if (!known || known.at <= at)
        person.profile.traits[path] = {
          value: value as string | number | boolean,
          at,
          // Another value is known to whom it was said; the same one to both.
          purposes: known?.value === value ? [...new Set([...known.purposes, ...purposes])] : [...purposes],
        }
      continue
    }
    const row = batch.nodeTraits(node)
    const known = row.sealed.traits[path]
    if (known && known.at > at) continue
    row.sealed.traits[path] = { value, at, purposes: [...new Set([...(known?.purposes ?? []), ...purposes])] }
    row.dirty = true
  }
}

/** When it happened: for what it may end, whatever it was kept for, and for counts of the purposes it was kept for. */
function remember(
  profile: PersonState['profile'],
  event: CanonicalEvent,
  allowed: readonly string[],
  settings: ApplySettings,
): void {
  const name = triggerName(event)
  keepTime(profile.recent, name, event.occurredAt, settings.recentWindow(name))
  for (const purpose of allowed) {
    for (const measure of settings.measuresFor(purpose, name, event.properties)) {
      profile.measured ??= {}
      profile.measured[purpose] ??= {}
      const known = profile.measured[purpose][measure.key] ?? []
      const entries = withEvent(known, measure, event)
      if (entries.length > 0) profile.measured[purpose][measure.key] = entries
    }
  }
  countTimes(profile, name, event.occurredAt, allowed, settings)
}

/** That it happened, for the windows in which rules of these purposes count it. @param name as `triggerName` has it. */
export function countTimes(
  profile: PersonState['profile'],
  name: string,
  at: string,
  allowed: readonly string[],
  settings: Pick<ApplySettings, 'countWindow'>,
): void {
  for (const purpose of allowed) {
    const window = settings.countWindow(purpose, name)
    if (window === 0) continue
    profile.counted ??= {}
    profile.counted[purpose] ??= {}
    keepTime(profile.counted[purpose], name, at, window)
  }
}

function keepTime(times: Record<string, string[]>, name: string, at: string, window: number): void {
  if (window === 0) return
  const known = Object.hasOwn(times, name) ? times[name]! : []
  const newest = known.at(-1)
  const inOrder = newest === undefined || newest <= at
  const sorted = inOrder ? [...known, at] : [...known, at].sort()
  const since = Date.parse(sorted.at(-1)!) - window
  if (sorted.length <= RECENT_KEPT && Date.parse(sorted[0]!) >= since) {
    times[name] = sorted
    return
  }
  const oldest = new Date(since).toISOString()
  times[name] = sorted.filter((time) => time >= oldest).slice(-RECENT_KEPT)
}

/** Deterministic id of a delivery that follows an event by itself: a replayed transaction makes the same one. */
export function followingDeliveryId(eventId: string, destination: string, action: string): string {
  return createHash('sha256').update(`${eventId}\0${destination}\0${action}`).digest('hex').slice(0, 32)
}
