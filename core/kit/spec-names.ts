/** Event names of the Segment e-commerce spec v2 (https://segment.com/docs/connections/spec/ecommerce/v2/). */
export const ECOMMERCE_NAMES = [
  'Products Searched',
  'Product List Viewed',
  'Product List Filtered',
  'Promotion Viewed',
  'Promotion Clicked',
  'Product Clicked',
  'Product Viewed',
  'Product Added',
  'Product Removed',
  'Cart Viewed',
  'Checkout Started',
  'Checkout Step Viewed',
  'Checkout Step Completed',
  'Payment Info Entered',
  'Order Updated',
  'Order Completed',
  'Order Refunded',
  'Order Cancelled',
  'Coupon Entered',
  'Coupon Applied',
  'Coupon Denied',
  'Coupon Removed',
  'Product Added to Wishlist',
  'Product Removed from Wishlist',
  'Wishlist Product Added to Cart',
  'Product Shared',
  'Cart Shared',
  'Product Reviewed',
] as const

/** Names of the first e-commerce spec, still sent by old snippets and plug-ins. */
const FIRST_SPEC: readonly (readonly [string, (typeof ECOMMERCE_NAMES)[number]])[] = [
  ['Viewed Product Category', 'Product List Viewed'],
  ['Viewed Product', 'Product Viewed'],
  ['Added Product', 'Product Added'],
  ['Removed Product', 'Product Removed'],
  ['Completed Order', 'Order Completed'],
  ['Viewed Checkout Step', 'Checkout Step Viewed'],
  ['Completed Checkout Step', 'Checkout Step Completed'],
  ['Viewed Promotion', 'Promotion Viewed'],
  ['Clicked Promotion', 'Promotion Clicked'],
]

const BY_LOWER_CASE = new Map<string, string>([
  ...ECOMMERCE_NAMES.map((name) => [name.toLowerCase(), name] as const),
  ...FIRST_SPEC.map(([old, name]) => [old.toLowerCase(), name] as const),
])

/** The spec's name for an event, read without regard to case; any other name stays as it is. */
export function specName(name: string): string {
  return BY_LOWER_CASE.get(name.trim().toLowerCase()) ?? name
}
