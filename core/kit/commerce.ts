/**
 * Products and amounts of the Segment e-commerce spec v2 (https://segment.com/docs/connections/spec/ecommerce/v2/),
 * as every vendor's commerce events need them. Amounts are in the currency, with decimals, as the spec has them.
 */
import { Type } from 'typebox'

const text = (...from: string[]) => Type.Optional(Type.String({ from }))
const amount = (...from: string[]) => Type.Optional(Type.Number({ from }))

/** Payload fields of a commerce event, filled by default from its properties. */
export const commerceFields = {
  value: Type.Optional(
    Type.Number({
      from: ['properties.total', 'properties.revenue', 'properties.value', 'properties.price'],
      description: 'In the currency, with decimals. A rule may set margin or predicted value instead.',
    }),
  ),
  currency: text('properties.currency'),
  orderId: text('properties.order_id'),
  coupon: text('properties.coupon'),
  shipping: amount('properties.shipping'),
  tax: amount('properties.tax'),
  query: text('properties.query'),
  listId: text('properties.list_id'),
  listName: text('properties.category'),
  productId: text('properties.product_id', 'properties.sku'),
  productName: text('properties.name'),
  category: text('properties.category'),
  brand: text('properties.brand'),
  variant: text('properties.variant'),
  price: amount('properties.price'),
  quantity: amount('properties.quantity'),
  products: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()), { from: 'properties.products' })),
}

/** One product of an event. */
export interface CommerceLine {
  readonly id: string
  readonly name?: string
  readonly category?: string
  readonly brand?: string
  readonly variant?: string
  /** Of one piece. */
  readonly price?: number
  readonly quantity: number
  readonly coupon?: string
  readonly url?: string
  readonly imageUrl?: string
}

export interface CommercePayload {
  readonly productId?: string
  readonly productName?: string
  readonly category?: string
  readonly brand?: string
  readonly variant?: string
  readonly price?: number
  readonly quantity?: number
  readonly products?: readonly Readonly<Record<string, unknown>>[]
}

/** The products of an event: its list, or the one product it is about. What has no id is left out. */
export function linesOf(payload: CommercePayload): CommerceLine[] {
  const { products, productId: product_id, productName: name, category, brand, variant, price, quantity } = payload
  if (products) return products.flatMap(lineOf)
  return product_id === undefined ? [] : lineOf({ product_id, name, category, brand, variant, price, quantity })
}

function lineOf(product: Readonly<Record<string, unknown>>): CommerceLine[] {
  const id = textOf(product['product_id']) ?? textOf(product['sku']) ?? textOf(product['id'])
  if (id === undefined) return []
  const price = numberOf(product['price'])
  const line = {
    name: textOf(product['name']),
    category: textOf(product['category']),
    brand: textOf(product['brand']),
    variant: textOf(product['variant']),
    price,
    coupon: textOf(product['coupon']),
    url: textOf(product['url']),
    imageUrl: textOf(product['image_url']),
  }
  const told = Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined))
  return [{ id, quantity: numberOf(product['quantity']) ?? 1, ...told }]
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined

/** Numbers written as text included; undefined for anything else. */
export function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}
