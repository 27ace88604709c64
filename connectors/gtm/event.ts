/** A GA4 event, however it came, as a call of the Segment spec. */
import { createHash } from 'node:crypto'
import type { ConsentEvidence, SourceEvent } from '../../core/kit/index.ts'
import { type Item, numberOf, own, sumOf, toProduct } from './items.ts'
import { mappingOf, type Shape } from './names.ts'

export type Fields = Readonly<Record<string, unknown>>

/** What hit, Measurement Protocol and dataLayer have in common once read. */
export interface Ga4Event {
  readonly name: string
  /** The name the page used, when it was not GA4's. */
  readonly originalName?: string
  readonly parameters: Fields
  readonly items: readonly Item[]
  readonly identifiers: SourceEvent['identifiers']
  readonly traits: Fields
  readonly context: Fields
  readonly consent: readonly ConsentEvidence[]
  readonly messageId?: string | undefined
  readonly timestamp?: string | undefined
}

const PROMOTION = ['promotion_id', 'promotion_name', 'creative_name', 'creative_slot', 'location_id']
const MONEY = ['value', 'tax', 'shipping']

export function toSourceEvent(event: Ga4Event): SourceEvent {
  const mapping = mappingOf(event.name)
  const shape = mapping?.shape ?? 'products'
  const { anuente_delivery_id: deliveryId, ...received } = event.parameters
  const parameters: Fields = Object.fromEntries(
    Object.entries(received).map(([name, value]) => [name, MONEY.includes(name) ? numberOf(value) : value]),
  )
  const products = event.items.map((item) => toProduct(item, parameters))
  const renamed = rename({ ...parameters, ...withItems(shape, products) }, mapping?.rename ?? {})
  const properties = mapping?.type === 'page' ? { ...addressParts(own(renamed, 'url')), ...renamed } : renamed
  const value = own(parameters, 'value')
  const sum = sumOf(products)
  const mismatch = typeof value === 'number' && sum !== undefined && Math.abs(value - sum) > 0.005
  const screen = mapping?.type === 'screen' ? own(properties, 'name') : undefined
  const name = mapping ? (mapping.name ?? (typeof screen === 'string' ? screen : undefined)) : event.name
  const originalName = event.originalName ?? (mapping ? event.name : undefined)
  return {
    type: mapping?.type ?? 'track',
    ...(name !== undefined && { name }),
    ...(originalName !== undefined && { originalName }),
    ...(event.messageId !== undefined && { messageId: event.messageId }),
    ...(event.timestamp !== undefined && { timestamp: event.timestamp }),
    identifiers: event.identifiers,
    ...(Object.keys(event.traits).length > 0 && { traits: event.traits }),
    properties: { ...properties, ...amounts(event.name, parameters, sum) },
    context: { ...event.context, ...(mismatch && { value_mismatch: true }) },
    ...(event.consent.length > 0 && { consent: event.consent }),
    ...(typeof deliveryId === 'string' && deliveryId !== '' && { deliveryId }),
  }
}

function withItems(shape: Shape, products: readonly Fields[]): Fields {
  const [first] = products
  if (!first) return {}
  switch (shape) {
    case 'product':
      // Segment's product events name one product; GA4's may name several, and none is lost.
      return products.length > 1 ? { ...first, products } : first
    case 'promotion':
      return { ...pick(first, PROMOTION), products }
    case 'list':
      return { ...pick(first, ['item_list_id', 'item_list_name']), products }
    default:
      return { products }
  }
}

/** An order's three amounts. GA4's `value` is meant without tax and shipping, yet many shops send the total. */
function amounts(name: string, parameters: Fields, sum: number | undefined): Fields {
  const { value, tax, shipping } = parameters
  if ((name !== 'purchase' && name !== 'refund') || typeof value !== 'number') return {}
  if (name === 'refund') return { total: value }
  if (sum !== undefined && Math.abs(value - sum) <= 0.005) return { total: value, revenue: value }
  if (typeof tax !== 'number' || typeof shipping !== 'number') return { total: value }
  return { total: value, revenue: Math.round((value - tax - shipping) * 1e6) / 1e6 }
}

const rename = (fields: Fields, names: Readonly<Record<string, string>>): Fields =>
  Object.fromEntries(
    Object.entries(fields)
      .map(([name, value]): [string, unknown] => [(own(names, name) as string | undefined) ?? name, value])
      .filter(([, value]) => value !== undefined && value !== null),
  )

const pick = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(names.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name]]))

/** An id made of what names the hit: the same hit sent twice gets the same one. */
export function contentId(...parts: readonly unknown[]): string | undefined {
  try {
    return `ga4-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40)}`
  } catch {
    return undefined // Nested beyond the stack: the hub turns such an event away as TOO_DEEP.
  }
}

/** Path and search of an address, as Segment's page calls carry them. */
function addressParts(url: unknown): Fields {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  return { ...(parsed && { path: parsed.pathname }), ...(parsed?.search && { search: parsed.search }) }
}

/** Segment's `context.page`. */
export function pageContext(url: unknown, title: unknown, referrer: unknown): Fields {
  const page = Object.fromEntries(
    Object.entries({ url, ...addressParts(url), title, referrer }).filter(
      ([, value]) => typeof value === 'string' && value !== '',
    ),
  )
  return Object.keys(page).length > 0 ? { page } : {}
}

const CAMPAIGN = {
  source: 'utm_source',
  medium: 'utm_medium',
  name: 'utm_campaign',
  term: 'utm_term',
  content: 'utm_content',
  id: 'utm_id',
} as const

/** @param said what the hit itself says, by Segment's names; the address fills the rest. */
export function campaignContext(
  url: unknown,
  said: Readonly<Partial<Record<keyof typeof CAMPAIGN, unknown>>> = {},
): Fields {
  const query = typeof url === 'string' && URL.canParse(url) ? new URL(url).searchParams : undefined
  const campaign = Object.fromEntries(
    Object.entries(CAMPAIGN)
      .map(([name, parameter]) => [name, said[name as keyof typeof CAMPAIGN] || query?.get(parameter)])
      .filter(([, value]) => typeof value === 'string' && value !== ''),
  )
  return Object.keys(campaign).length > 0 ? { campaign } : {}
}

/** `1920x1080` as Segment's `context.screen`. */
export function screenContext(resolution: unknown): Fields {
  const match = typeof resolution === 'string' ? /^(\d{1,5})x(\d{1,5})$/.exec(resolution) : undefined
  return match ? { screen: { width: Number(match[1]), height: Number(match[2]) } } : {}
}

/** Microseconds since 1970 as ISO 8601; undefined when it is no such thing. */
export function timeOf(micros: unknown): string | undefined {
  const value = Number(typeof micros === 'string' || typeof micros === 'number' ? micros : Number.NaN)
  const date = new Date(value / 1000)
  return micros === '' || Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

export const isFields = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
