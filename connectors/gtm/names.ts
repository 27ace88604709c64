/**
 * GA4 names and the Segment spec, one table for both directions.
 * https://developers.google.com/analytics/devguides/collection/ga4/reference/events
 * https://segment.com/docs/connections/spec/ecommerce/v2/
 */
import type { CallType } from '../../schemas/event.ts'

/**
 * What becomes of the items: one `product` spread over the properties, a list of `products` of an order or a cart,
 * a `list` shown, the first item's `promotion`, or nothing special.
 */
export type Shape = 'product' | 'products' | 'list' | 'promotion' | 'plain'

export interface NameMapping {
  readonly ga4: string
  readonly type: CallType
  /** Absent for page and screen. */
  readonly name?: string
  readonly shape: Shape
  /** GA4 parameter -> property; other parameters keep their name. */
  readonly rename: Readonly<Record<string, string>>
}

const track = (
  ga4: string,
  name: string,
  shape: Shape,
  rename: Readonly<Record<string, string>> = {},
): NameMapping => ({
  ga4,
  type: 'track',
  name,
  shape,
  rename,
})
const LIST = { item_list_id: 'list_id', item_list_name: 'category' }
const ORDER = { transaction_id: 'order_id' }
const PROMOTION = { promotion_name: 'name', creative_name: 'creative', location_id: 'position' }
const PAGE = { page_location: 'url', page_title: 'title', page_referrer: 'referrer' }

/** Where two GA4 names mean one event, the first is the one written. */
export const NAMES: readonly NameMapping[] = [
  { ga4: 'page_view', type: 'page', shape: 'plain', rename: PAGE },
  { ga4: 'screen_view', type: 'screen', shape: 'plain', rename: { firebase_screen: 'name', screen_name: 'name' } },
  track('view_item', 'Product Viewed', 'product'),
  track('view_item_list', 'Product List Viewed', 'list', LIST),
  track('select_item', 'Product Clicked', 'product', { item_list_id: 'list_id' }),
  track('add_to_cart', 'Product Added', 'product'),
  track('remove_from_cart', 'Product Removed', 'product'),
  track('view_cart', 'Cart Viewed', 'products'),
  track('begin_checkout', 'Checkout Started', 'products'),
  track('add_shipping_info', 'Checkout Step Completed', 'products', { shipping_tier: 'shipping_method' }),
  track('add_payment_info', 'Payment Info Entered', 'products', { payment_type: 'payment_method' }),
  track('purchase', 'Order Completed', 'products', ORDER),
  track('refund', 'Order Refunded', 'products', ORDER),
  track('add_to_wishlist', 'Product Added to Wishlist', 'product'),
  track('view_promotion', 'Promotion Viewed', 'promotion', PROMOTION),
  track('select_promotion', 'Promotion Clicked', 'promotion', PROMOTION),
  track('search', 'Products Searched', 'plain', { search_term: 'query' }),
  track('view_search_results', 'Products Searched', 'products', { search_term: 'query' }),
  track('share', 'Product Shared', 'plain', { method: 'share_via' }),
  track('login', 'Signed In', 'plain'),
  track('sign_up', 'Signed Up', 'plain'),
  track('generate_lead', 'Lead Generated', 'plain'),
]

const byGa4 = new Map(NAMES.map((mapping) => [mapping.ga4, mapping]))

/** Undefined for names of the site's own and those the spec has no word for: they stay as they are. */
export const mappingOf = (ga4: string): NameMapping | undefined => byGa4.get(ga4)

/** The GA4 name of a call. Events GA4 has no name for go as custom events, in snake_case. */
export function ga4NameOf(type: CallType, name: string): string {
  const mapping = NAMES.find((entry) => entry.type === type && (entry.name === undefined || entry.name === name))
  return mapping?.ga4 ?? name.trim().toLowerCase().replaceAll(/\W+/g, '_')
}
