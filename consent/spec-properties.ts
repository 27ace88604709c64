/**
 * Properties of the Segment e-commerce v2 events and of the standard calls: what a bare name in
 * `collects` brings. Fields that hold somebody's contact or words to a third person (`recipient`,
 * `share_message`) are left out on purpose.
 * Source: https://segment.com/docs/connections/spec/ecommerce/v2/, …/spec/page/, …/spec/screen/
 */

/** Fields of one line of `products`. */
export const PRODUCT_LINE: ReadonlySet<string> = new Set([
  'product_id',
  'sku',
  'category',
  'categories',
  'name',
  'brand',
  'variant',
  'price',
  'currency',
  'quantity',
  'coupon',
  'discount',
  'position',
  'url',
  'image_url',
])

const PRODUCT = [...PRODUCT_LINE, 'value']
const LIST = ['list_id', 'category', 'products']
const CART = ['cart_id', 'products', 'currency', 'value', 'coupon', 'cart_url']
const ORDER = [
  'order_id',
  'checkout_id',
  'cart_id',
  'affiliation',
  'total',
  'subtotal',
  'revenue',
  'value',
  'shipping',
  'tax',
  'discount',
  'coupon',
  'currency',
  'products',
  'payment_method',
  'shipping_method',
]
const CHECKOUT = [...ORDER, 'step', 'checkout_url']
const PROMOTION = ['promotion_id', 'creative', 'name', 'position', 'products', 'list_id', 'category']
const COUPON = ['order_id', 'cart_id', 'coupon_id', 'coupon_name', 'coupon', 'discount', 'reason', 'currency']
const WISHLIST = [...PRODUCT, 'wishlist_id', 'wishlist_name', 'cart_id']

const table: Record<string, readonly string[]> = {
  'Products Searched': ['query', 'products', 'results'],
  'Product List Viewed': LIST,
  'Product List Filtered': [...LIST, 'filters', 'sorts'],
  'Promotion Viewed': PROMOTION,
  'Promotion Clicked': PROMOTION,
  'Product Clicked': [...PRODUCT, 'list_id'],
  'Product Viewed': [...PRODUCT, 'list_id'],
  'Product Added': [...PRODUCT, 'cart_id', 'cart_url'],
  'Product Removed': [...PRODUCT, 'cart_id', 'cart_url'],
  'Cart Viewed': CART,
  'Checkout Started': CHECKOUT,
  'Checkout Step Viewed': CHECKOUT,
  'Checkout Step Completed': CHECKOUT,
  'Payment Info Entered': [...ORDER, 'step'],
  'Order Updated': ORDER,
  'Order Completed': ORDER,
  'Order Refunded': ORDER,
  'Order Cancelled': ORDER,
  'Coupon Entered': COUPON,
  'Coupon Applied': COUPON,
  'Coupon Denied': COUPON,
  'Coupon Removed': COUPON,
  'Product Added to Wishlist': WISHLIST,
  'Product Removed from Wishlist': WISHLIST,
  'Wishlist Product Added to Cart': WISHLIST,
  'Product Shared': [...PRODUCT, 'share_via'],
  'Cart Shared': ['share_via', 'cart_id', 'products'],
  'Product Reviewed': ['product_id', 'review_id', 'rating', 'review_body'],
}
export const TRACK_PROPERTIES: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(table).map(([name, properties]) => [name, new Set(properties)]),
)

/** `search` is left out: a query string may carry anything. */
export const CALL_PROPERTIES: Readonly<
  Record<'page' | 'screen' | 'identify' | 'group' | 'alias', ReadonlySet<string>>
> = {
  page: new Set(['name', 'category', 'path', 'url', 'title', 'referrer', 'keywords']),
  screen: new Set(['name', 'category']),
  identify: new Set(),
  group: new Set(['groupId', 'name', 'industry', 'employees', 'plan', 'website']),
  alias: new Set(),
}

/** What a bare name brings of `context`, besides `context.page`. */
export const CONTEXT_FIELDS = ['campaign', 'library', 'locale', 'timezone'] as const

const CONTACT_WORDS = new Set([
  'email',
  'mail',
  'phone',
  'telephone',
  'mobile',
  'cellphone',
  'whatsapp',
  'celular',
  'telefone',
  'fone',
  'cpf',
  'cnpj',
  'rg',
  'ssn',
  'passport',
  'passaporte',
  'address',
  'endereco',
  'endereço',
  'street',
  'rua',
  'logradouro',
  'zip',
  'zipcode',
  'postcode',
  'postal',
  'cep',
  'birthday',
  'birthdate',
  'birth',
  'nascimento',
  'firstname',
  'lastname',
  'fullname',
  'surname',
  'nome',
  'sobrenome',
  'username',
  'password',
  'senha',
  'token',
  'ip',
  'recipient',
])
const PERSON_NAME = /^(first|last|full|middle|customer|user|contact|client|lead|recipient)_?name$/

const EMAIL_INSIDE = /[^\s@/?&=]+@[^\s@/?&=]+\.[a-z]{2,}/i

/** Whether a key of an event outside the table holds a person's contact: `user_email`, `mobilePhone`, `CPF`. */
export function isContactKey(key: string): boolean {
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-zà-ÿ0-9]+/)
  return (
    words.some((word) => CONTACT_WORDS.has(word)) ||
    PERSON_NAME.test(words.join('_')) ||
    CONTACT_WORDS.has(words.join(''))
  )
}

export function holdsEmail(text: string): boolean {
  return text.includes('@') && EMAIL_INSIDE.test(text)
}
