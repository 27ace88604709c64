/**
 * GA4's names for the events of the Segment spec.
 * https://developers.google.com/analytics/devguides/collection/ga4/reference/events
 */
export const GA4_NAMES: Readonly<Record<string, string>> = {
  'Product Viewed': 'view_item',
  'Product List Viewed': 'view_item_list',
  'Product Clicked': 'select_item',
  'Product Added': 'add_to_cart',
  'Product Removed': 'remove_from_cart',
  'Cart Viewed': 'view_cart',
  'Checkout Started': 'begin_checkout',
  'Checkout Step Completed': 'add_shipping_info',
  'Payment Info Entered': 'add_payment_info',
  'Order Completed': 'purchase',
  'Order Refunded': 'refund',
  'Product Added to Wishlist': 'add_to_wishlist',
  'Promotion Viewed': 'view_promotion',
  'Promotion Clicked': 'select_promotion',
  'Products Searched': 'search',
  'Product Shared': 'share',
  'Signed In': 'login',
  'Signed Up': 'sign_up',
  'Lead Generated': 'generate_lead',
  'Lead Captured': 'generate_lead',
}

/** https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference#reserved_event_names */
const RESERVED = new Set([
  'ad_activeview',
  'ad_click',
  'ad_exposure',
  'ad_query',
  'ad_reward',
  'adunit_exposure',
  'app_background',
  'app_clear_data',
  'app_exception',
  'app_install',
  'app_remove',
  'app_store_refund',
  'app_update',
  'app_upgrade',
  'dynamic_link_app_open',
  'dynamic_link_app_update',
  'dynamic_link_first_open',
  'error',
  'first_open',
  'first_visit',
  'in_app_purchase',
  'notification_dismiss',
  'notification_foreground',
  'notification_open',
  'notification_receive',
  'os_update',
  'session_start',
  'user_engagement',
])

/** Up to 40 letters, digits and underscores beginning with a letter; undefined when GA4 has no such name. */
export function ga4Name(type: string, name: string): string | undefined {
  if (type === 'page') return 'page_view'
  if (type === 'screen') return 'screen_view'
  const own = name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .trim()
    .toLowerCase()
    .replace(/\W+/g, '_')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/_+$/, '')
  const found = Object.hasOwn(GA4_NAMES, name) ? GA4_NAMES[name] : own
  return found === undefined || found === '' || RESERVED.has(found) || /^(_|firebase_|ga_|google_|gtag\.)/.test(found)
    ? undefined
    : found
}
