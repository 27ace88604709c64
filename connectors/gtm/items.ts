/** Items: from the wire of /g/collect to GA4's names, and from GA4's names to products of the Segment spec. */

export type Item = Readonly<Record<string, unknown>>

/** Two-letter keys inside prN. https://www.thyngster.com/ga4-measurement-protocol-cheatsheet/ */
const ITEM_KEYS: Readonly<Record<string, string>> = {
  id: 'item_id',
  nm: 'item_name',
  br: 'item_brand',
  ca: 'item_category',
  c2: 'item_category2',
  c3: 'item_category3',
  c4: 'item_category4',
  c5: 'item_category5',
  pr: 'price',
  qt: 'quantity',
  va: 'item_variant',
  cp: 'coupon',
  ds: 'discount',
  ln: 'item_list_name',
  li: 'item_list_id',
  lp: 'index',
  af: 'affiliation',
  lo: 'location_id',
  cn: 'creative_name',
  cs: 'creative_slot',
  pi: 'promotion_id',
  pn: 'promotion_name',
}
const NUMERIC = new Set(['price', 'quantity', 'discount', 'index'])

/** A number, written as one or as text; anything else as received. */
export function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value
}

/** One prN value: fields joined by `~`, a `~` inside a value doubled, custom fields as `k0<name>~v0<value>`. */
export function readItem(text: string): Item {
  const fields: [string, unknown][] = []
  const customNames = new Map<string, string>()
  let category = false
  for (const part of text.replaceAll('~~', '\u0000').split('~')) {
    const field = part.replaceAll('\u0000', '~')
    const key = field.slice(0, 2)
    const value = field.slice(2)
    if (key === '') continue
    if (/^k[0-9a-z]$/.test(key)) {
      customNames.set(key.charAt(1), value)
      continue
    }
    const custom = /^v[0-9a-z]$/.test(key) && key !== 'va' ? customNames.get(key.charAt(1)) : undefined
    if (custom !== undefined) {
      fields.push([custom, value])
      continue
    }
    // gtag.js writes c2 to c5. Other clients write ca2 to ca5, which reads as a second `ca` beginning with its level.
    const level = key === 'ca' && category ? /^[2-5]/.exec(value)?.[0] : undefined
    if (key === 'ca') category = true
    if (level !== undefined) {
      fields.push([`item_category${level}`, value.slice(1)])
      continue
    }
    const name = ITEM_KEYS[key] ?? key
    fields.push([name, NUMERIC.has(name) ? numberOf(value) : value])
  }
  return Object.fromEntries(fields)
}

/** pr1 to pr200 of a hit, in their order. */
export function readItems(parameters: Readonly<Record<string, string>>): Item[] {
  return Object.keys(parameters)
    .map((key) => /^pr([1-9]\d{0,2})$/.exec(key)?.[1])
    .filter((position) => position !== undefined)
    .map(Number)
    .filter((position) => position <= 200)
    .sort((a, b) => a - b)
    .map((position) => readItem(parameters[`pr${position}`]!))
}

/** Item parameters that GA4 takes from the event when the item lacks them. */
const INHERITED = [
  'item_list_id',
  'item_list_name',
  'promotion_id',
  'promotion_name',
  'creative_name',
  'creative_slot',
  'location_id',
]

/** Item field -> product property; the names of Universal Analytics and early gtag come second. */
const PRODUCT_FIELDS: readonly (readonly [string, readonly string[]])[] = [
  ['product_id', ['item_id', 'id']],
  ['name', ['item_name', 'name']],
  ['brand', ['item_brand', 'brand']],
  ['variant', ['item_variant', 'variant']],
  ['position', ['index', 'position', 'list_position']],
]
const CATEGORY_FIELDS = ['item_category', 'item_category2', 'item_category3', 'item_category4', 'item_category5']
const CONSUMED = new Set([...PRODUCT_FIELDS.flatMap(([, names]) => names), ...CATEGORY_FIELDS, 'category'])

/**
 * An item as a product of the Segment e-commerce spec. Categories are joined by "/", quantity is 1 when absent,
 * `index` becomes `position` unchanged (GA4 counts from 0, Segment's examples from 1; the documents do not agree).
 */
export function toProduct(item: Item, event: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const first = (names: readonly string[]) => names.map((name) => own(item, name)).find(present)
  const categories = CATEGORY_FIELDS.map((name) => own(item, name)).filter(present)
  const category = categories.length > 0 ? categories.map(String).join('/') : own(item, 'category')
  const entries: [string, unknown][] = PRODUCT_FIELDS.map(([name, sources]) => [
    name,
    name === 'position' ? numberOf(first(sources)) : first(sources),
  ])
  entries.push(['category', category])
  for (const [name, value] of Object.entries(item))
    if (!CONSUMED.has(name)) entries.push([name, NUMERIC.has(name) ? numberOf(value) : value])
  for (const name of INHERITED) if (!present(own(item, name))) entries.push([name, own(event, name)])
  if (!present(own(item, 'quantity'))) entries.push(['quantity', 1])
  return Object.fromEntries(entries.filter(([, value]) => present(value)))
}

/** Sum of price times quantity; undefined when an item has no price. */
export function sumOf(products: readonly Readonly<Record<string, unknown>>[]): number | undefined {
  let sum = 0
  for (const { price, quantity } of products) {
    if (typeof price !== 'number' || typeof quantity !== 'number') return undefined
    sum += price * quantity
  }
  return products.length > 0 ? sum : undefined
}

export const own = (object: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined

const present = (value: unknown): boolean => value !== undefined && value !== null && value !== ''
