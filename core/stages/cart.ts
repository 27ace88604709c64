/** The derived cart: GA4 has no cart id and nobody emits "cart emptied", so the hub keeps one itself. Pure. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { CartLine, OpenProfile } from '../../schemas/profile.ts'
import { asNumber, minorUnits } from './money.ts'

const MAX_LINES = 200

/** Events that mean the person no longer has what was in the cart. */
const EMPTIES = new Set(['Order Completed'])
const REPLACES = new Set(['Cart Viewed', 'Checkout Started'])

/** Whether a track of that name may say something about the cart. */
export const isCartEvent = (name: string): boolean =>
  EMPTIES.has(name) || REPLACES.has(name) || name === 'Product Added' || name === 'Product Removed'

export type CartState = Pick<OpenProfile, 'cart' | 'cartAsOf'>

/**
 * Events may arrive in another order than they happened. An order takes what lay in the cart then, not what was put
 * in later; an act older than the newest order or list of the cart is in that statement already.
 * @returns the cart after the event, without `cart` when empty. The same object when the event says nothing about it.
 */
export function cartAfter(
  state: CartState,
  event: CanonicalEvent,
  purposes: readonly string[],
  defaultCurrency: string,
): CartState {
  if (event.type !== 'track') return state
  const { cart, cartAsOf } = state
  const at = event.occurredAt
  if (cartAsOf !== undefined && at < cartAsOf) return state
  const newer = (cart?.lines ?? []).filter((line) => (line.at ?? cart!.updatedAt) > at)
  if (EMPTIES.has(event.name))
    return { ...(cart && newer.length > 0 && { cart: { ...cart, lines: newer, total: totalOf(newer) } }), cartAsOf: at }
  const { properties } = event
  const currency =
    typeof properties['currency'] === 'string' && /^[A-Z]{3}$/.test(properties['currency'])
      ? properties['currency']
      : (cart?.currency ?? defaultCurrency)
  let lines: CartLine[] | undefined
  if (REPLACES.has(event.name)) {
    const products = Array.isArray(properties['products']) ? properties['products'] : []
    const read = products
      .map((product) => lineOf(product, currency))
      .filter((line) => line !== undefined)
      .map((line) => ({ ...line, at }))
    if (read.length === 0) return state
    const changed = new Set(newer.map(({ productId }) => productId))
    lines = [...read.filter(({ productId }) => !changed.has(productId)), ...newer]
  } else if (event.name === 'Product Added' || event.name === 'Product Removed') {
    const line = lineOf(properties, currency)
    if (!line) return state
    lines = changeLine(cart?.lines ?? [], line, event.name === 'Product Added' ? 1 : -1, at)
  }
  if (!lines) return state
  const asOf = REPLACES.has(event.name) ? at : cartAsOf
  const known = { ...(asOf !== undefined && { cartAsOf: asOf }) }
  const kept = lines.filter((line) => line.quantity > 0).slice(0, MAX_LINES)
  if (kept.length === 0) return known
  const id = text(properties['cart_id']) ?? cart?.id
  const url = text(properties['cart_url']) ?? text(properties['checkout_url']) ?? cart?.url
  return {
    ...known,
    cart: {
      ...(id !== undefined && { id }),
      lines: kept,
      total: totalOf(kept),
      currency,
      ...(url !== undefined && { url }),
      updatedAt: cart && cart.updatedAt > at ? cart.updatedAt : at,
      purposes: cart?.purposes ? purposes.filter((purpose) => cart.purposes!.includes(purpose)) : [...purposes],
    },
  }
}

const totalOf = (lines: readonly CartLine[]) => lines.reduce((sum, line) => sum + line.price * line.quantity, 0)

function lineOf(value: unknown, currency: string): CartLine | undefined {
  if (value === null || typeof value !== 'object') return undefined
  const product = value as Record<string, unknown>
  const productId = text(product['product_id']) ?? text(product['sku'])
  if (productId === undefined) return undefined
  const quantity = Math.trunc(asNumber(product['quantity']) ?? 1)
  if (quantity <= 0 || quantity > 10_000) return undefined
  const name = text(product['name'])
  const url = text(product['url'])
  const imageUrl = text(product['image_url'])
  return {
    productId,
    ...(name !== undefined && { name }),
    price: Math.max(0, minorUnits(product['price'], currency) ?? 0),
    quantity,
    ...(url !== undefined && { url }),
    ...(imageUrl !== undefined && { imageUrl }),
  }
}

function changeLine(lines: readonly CartLine[], change: CartLine, sign: 1 | -1, at: string): CartLine[] {
  const existing = lines.find((line) => line.productId === change.productId)
  if (!existing) return sign > 0 ? [...lines, { ...change, at }] : [...lines]
  const quantity = existing.quantity + sign * change.quantity
  return lines.map((line) =>
    line === existing
      ? {
          ...line,
          ...(sign > 0 && change),
          price: sign > 0 && change.price > 0 ? change.price : line.price,
          quantity,
          at: line.at !== undefined && line.at > at ? line.at : at,
        }
      : line,
  )
}

function text(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  return typeof value === 'string' && value !== '' && value.length <= 2048 ? value : undefined
}
