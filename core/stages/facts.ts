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

export type Amounts = Record<string, number | string>

const CART_ACTS = new Set(['Product Added', 'Product Removed'])
const ORDER_EVENTS = new Set(['Order Completed', 'Order Refunded', 'Order Cancelled'])
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
  /** Revenue (minor units) and orders to add to the counters; differences when a believed source corrects. */
  readonly orders: number
  readonly revenue: number
}

const orderValue = (amounts: Amounts) => Number(amounts['total'] ?? amounts['revenue'] ?? amounts['value'] ?? 0)

/** @param believed connectors, most believed first. */
export function reportOrder(
  event: CanonicalEvent,
  nodeId: string,
  amounts: Amounts,
  batch: Batch,
  believed: readonly string[],
): Reported {
  if (event.type !== 'track' || event.name !== 'Order Completed')
    return { copy: isKnown(event, nodeId, amounts, batch), orders: 0, revenue: 0 }
  const key = factKey(event)
  if (!key) return { copy: false, orders: 1, revenue: orderValue(amounts) }
  const known = batch.facts.get(key.toString('hex'))
  if (!known) {
    addFact(key, 'order', event, nodeId, amounts, batch)
    return { copy: false, orders: 1, revenue: orderValue(amounts) }
  }
  const rank = (connector: string) => (believed.includes(connector) ? believed.indexOf(connector) : believed.length)
  if (rank(event.source.connector) >= rank(known.connector)) return { copy: true, orders: 0, revenue: 0 }
  const difference = orderValue(amounts) - orderValue(known.amounts)
  known.connector = event.source.connector
  known.amounts = amounts
  known.dirty = true
  return { copy: true, orders: 0, revenue: difference }
}

function isKnown(event: CanonicalEvent, nodeId: string, amounts: Amounts, batch: Batch): boolean {
  const key = factKey(event)
  if (!key) return false
  // Two partial refunds from one source are two facts; from two sources they are one.
  const known = batch.facts.get(key.toString('hex'))
  if (known) return known.connector !== event.source.connector
  addFact(key, event.name, event, nodeId, amounts, batch)
  return false
}

function addFact(
  key: Buffer,
  kind: string,
  event: CanonicalEvent,
  nodeId: string,
  amounts: Amounts,
  batch: Batch,
): void {
  batch.facts.set(key.toString('hex'), {
    key,
    kind,
    nodeId,
    connector: event.source.connector,
    eventId: event.id,
    amounts,
    at: batch.now,
    isNew: true,
    dirty: false,
  })
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
