/**
 * One fact counts once. The same purchase from three sources is one order (by order id); cart acts
 * are matched only between different sources, one to one (person, product, minute). The first report
 * counts; when the authoritative source reports, the difference is applied; copies stay as evidence.
 */
import { createHash } from 'node:crypto'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Batch } from './batch.ts'
import { asNumber, minorUnits } from './money.ts'
import type { NodeState, PersonState } from './people.ts'

export type Amounts = Record<string, number | string>

/** Tracks that are matched between sources. */
export const CART_ACTS: ReadonlySet<string> = new Set(['Product Added', 'Product Removed'])
const ORDER_EVENTS = new Set(['Order Completed', 'Order Refunded', 'Order Cancelled'])
export const isOrderEvent = (name: string): boolean => ORDER_EVENTS.has(name)
const MINUTE_MS = 60_000
const ACTS_KEPT = 50

/** Amounts of an order event in minor units; only what the source stated. */
export function amountsOf(event: CanonicalEvent, defaultCurrency: string): Amounts {
  if (event.type !== 'track') return {}
  const { properties } = event
  const currency =
    typeof properties['currency'] === 'string' && /^[A-Z]{3}$/.test(properties['currency'])
      ? properties['currency']
      : defaultCurrency
  const amounts: Amounts = {}
  for (const name of ['total', 'revenue', 'tax', 'shipping', 'discount', 'value', 'price']) {
    const minor = minorUnits(properties[name], currency)
    if (minor !== undefined) amounts[name] = minor
  }
  const quantity = asNumber(properties['quantity'])
  if (quantity !== undefined) amounts['quantity'] = quantity
  if (Object.keys(amounts).length > 0) amounts['currency'] = currency
  return amounts
}

/** The key of the fact an event reports; undefined when it reports none that others may report too. */
export function factKey(event: CanonicalEvent): Buffer | undefined {
  if (event.type !== 'track' || !ORDER_EVENTS.has(event.name)) return undefined
  const order = event.properties['order_id'] ?? event.properties['checkout_id']
  if ((typeof order !== 'string' && typeof order !== 'number') || order === '') return undefined
  return createHash('sha256').update(`${event.name}\0${order}`).digest().subarray(0, 16)
}

export interface Reported {
  /** Another source already reported this fact. */
  readonly copy: boolean
  /** This person is told of the fact for the first time, even if it is a copy. */
  readonly news: boolean
  /** What the counters of a person and purpose gain: orders, and revenue in minor units. */
  readonly changes: readonly CounterChange[]
}

export interface CounterChange {
  readonly person: PersonState
  readonly purpose: string
  readonly orders: number
  readonly revenue: number
}

const orderValue = (amounts: Amounts) => Number(amounts['total'] ?? amounts['revenue'] ?? amounts['value'] ?? 0)

/**
 * A more believed source corrects the value, and also whose order it was. A purpose that was not
 * allowed the first report counts the order with the first one it may have.
 * @param allowed purposes this event was kept for.
 * @param believed connectors, most believed first.
 */
export function reportFact(
  event: CanonicalEvent,
  { person, node }: { readonly person: PersonState; readonly node: NodeState },
  amounts: Amounts,
  allowed: readonly string[],
  batch: Batch,
  believed: readonly string[],
): Reported {
  const key = factKey(event)
  const isOrder = event.type === 'track' && event.name === 'Order Completed'
  const counted = (value: number) => allowed.map((purpose) => ({ person, purpose, orders: 1, revenue: value }))
  if (!key) return { copy: false, news: true, changes: isOrder ? counted(orderValue(amounts)) : [] }
  const known = batch.facts.get(key.toString('hex'))
  if (!known) {
    batch.facts.set(key.toString('hex'), {
      key,
      kind: isOrder ? 'order' : event.name,
      nodeId: node.id,
      connector: event.source.connector,
      eventId: event.id,
      amounts,
      purposes: isOrder ? allowed : [],
      at: batch.now,
      isNew: true,
      dirty: false,
    })
    return { copy: false, news: true, changes: isOrder ? counted(orderValue(amounts)) : [] }
  }
  const owner = batch.personOfNode(known.nodeId)
  const news = owner !== person
  // Two partial refunds from one source are two facts; from two sources they are one.
  if (!isOrder) return { copy: known.connector !== event.source.connector, news, changes: [] }

  const rank = (connector: string) => (believed.includes(connector) ? believed.indexOf(connector) : believed.length)
  const better = rank(event.source.connector) < rank(known.connector)
  if (!better && news) return { copy: true, news, changes: [] }
  const before = orderValue(known.amounts)
  const after = better ? orderValue(amounts) : before
  const held = known.purposes
  if (better) {
    known.connector = event.source.connector
    known.amounts = amounts
    known.nodeId = node.id
  }
  known.purposes = news ? allowed : [...new Set([...held, ...allowed])]
  known.dirty = true
  if (news)
    return {
      copy: true,
      news,
      changes: [
        ...(owner ? held.map((purpose) => ({ person: owner, purpose, orders: -1, revenue: -before })) : []),
        ...counted(after),
      ],
    }
  return {
    copy: true,
    news,
    changes: [
      ...held.map((purpose) => ({ person, purpose, orders: 0, revenue: after - before })),
      ...counted(after).filter(({ purpose }) => !held.includes(purpose)),
    ],
  }
}

export function applyCounters(changes: readonly CounterChange[]): void {
  for (const { person, purpose, orders, revenue } of changes) {
    if (orders === 0 && revenue === 0) continue
    const counters = { ...person.profile.counters[purpose] }
    counters['orders'] = (counters['orders'] ?? 0) + orders
    counters['revenue'] = (counters['revenue'] ?? 0) + revenue
    person.profile.counters[purpose] = counters
    person.dirty = true
  }
}

/** @returns true when another source already reported this cart act; remembers it otherwise. */
export function isCartCopy(event: CanonicalEvent, profile: OpenProfile): boolean {
  if (event.type !== 'track' || !CART_ACTS.has(event.name)) return false
  const product = event.properties['product_id'] ?? event.properties['sku']
  if (product === undefined) return false
  const key = `${event.name}|${String(product)}`
  const at = Date.parse(event.occurredAt)
  const source = event.source.id
  const match = profile.acts.find(
    (act) =>
      act.key === key &&
      act.source !== source &&
      !act.matched.includes(source) &&
      Math.abs(Date.parse(act.at) - at) <= MINUTE_MS,
  )
  if (match) {
    match.matched.push(source)
    return true
  }
  profile.acts.push({ key, source, at: event.occurredAt, matched: [] })
  if (profile.acts.length > ACTS_KEPT) profile.acts.splice(0, profile.acts.length - ACTS_KEPT)
  return false
}
