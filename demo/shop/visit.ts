/** One visit to the shop, from the first page to leaving, as moments of several tools. */
import { CATALOGUE } from './catalogue.ts'
import type { Moment } from './moment.ts'
import type { Device, Person } from './people.ts'
import {
  ga4,
  type Line,
  pageLoad,
  productProperties,
  rdstation,
  sdk,
  skewed,
  totalOf,
  traits,
  type Wire,
} from './wire.ts'

export type Ending = 'browses' | 'abandons' | 'buys'

export interface Visit {
  readonly person: Person
  readonly device: Device
  readonly ending: Ending
  readonly start: number
  /** First visit of this person: the form and the banner are answered, the account is made. */
  readonly first: boolean
}

/** @returns in no particular order. */
export function visit(wire: Wire, { person, device, ending, start, first }: Visit): Moment[] {
  const { random } = wire
  const moments: Moment[] = []
  let at = start
  const pause = (low = 500, high = 1800) => {
    at += random.int(low, high)
  }
  const web = device.kind === 'web'
  const page = pageLoad(wire)
  const hit = (en: string, lines?: readonly Line[], order?: string) => {
    if (web)
      moments.push(
        ga4(wire, person, device, at + 150, page, [
          { en, ...(lines && { lines }), ...(order !== undefined && { order }) },
        ]),
      )
  }
  const track = (event: string, properties: Record<string, unknown>) =>
    moments.push(sdk(wire, person, device, at, { call: 'track', event, properties }))

  if (first) {
    if (person.answer !== 'unasked')
      moments.push(
        rdstation(wire, person, at, {
          identifier: 'newsletter',
          answer: person.answer === 'declined' ? 'declined' : 'granted',
        }),
      )
    else if (random.chance(0.3)) moments.push(rdstation(wire, person, at, { identifier: 'catalogo-de-verao' }))
    pause(300, 600)
    if (device.banner !== 'unanswered')
      moments.push(
        sdk(wire, person, device, at, {
          call: 'track',
          event: web ? 'Segment Consent Preference Updated' : 'Consent Management Interaction',
          anonymous: true,
        }),
      )
    pause(200, 400)
  }
  moments.push(sdk(wire, person, device, at, { call: 'identify', traits: traits(wire, person) }))
  pause(500, 800)
  if (first && random.chance(0.5)) {
    track('Signed Up', { method: 'e-mail' })
    pause(300, 600)
  }
  const url = 'https://loja.example/'
  moments.push(
    sdk(wire, person, device, at, {
      call: 'page',
      name: 'Início',
      properties: { url, path: '/', title: 'Loja Exemplo (simulada)' },
      // Some phones lose the network and send what they kept half a minute later.
      ...(random.chance(0.08) && !person.script && { lateBy: 30_000 }),
    }),
  )
  hit('page_view')

  const lines: Line[] = []
  for (let index = random.int(1, 2); index > 0; index--) {
    const line = { product: random.pick(CATALOGUE), quantity: random.int(1, 2) }
    pause()
    if (device.clockAhead !== 0 && web) moments.push(skewed(wire, person, device, at, line))
    else track('Product Viewed', productProperties(line))
    hit('view_item', [line])
    if (ending === 'browses') continue
    lines.push(line)
    // Carts of the opening are worth a reminder.
    if (person.script && totalOf(lines) < 60) lines[0] = { product: CATALOGUE[0]!, quantity: 1 }
    pause(400, 900)
    track('Product Added', {
      ...productProperties(lines.at(-1)!),
      cart_id: `cart-${page.id}`,
      cart_url: `https://loja.example/carrinho/${page.id}`,
    })
    hit('add_to_cart', [lines.at(-1)!])
  }
  if (ending === 'buys') buy()
  if (first && person.answer === 'withdrawn' && ending !== 'browses') {
    at += person.script ? 6000 : random.int(4000, 40_000)
    moments.push(rdstation(wire, person, at, { identifier: 'preferencias-de-email', answer: 'declined' }))
  }
  // One who accepted the banner takes it back now and then.
  if (web && device.banner === 'all' && !person.script && random.chance(0.06)) {
    pause(2000, 8000)
    moments.push(
      sdk(wire, person, device, at, {
        call: 'track',
        event: 'Segment Consent Preference Updated',
        anonymous: true,
        banner: 'nothing',
      }),
    )
  }
  return moments

  function buy(): void {
    pause(person.script ? 5000 : 800, person.script ? 7000 : 2500)
    const order = `pedido-${wire.id()}`
    const total = totalOf(lines)
    const products = lines.map(productProperties)
    track('Checkout Started', { order_id: order, value: total, currency: 'BRL', products })
    hit('begin_checkout', lines)
    pause()
    const completed = { order_id: order, total, revenue: total, currency: 'BRL', products }
    track('Order Completed', completed)
    hit('purchase', lines, order)
    // The same order a second and a third time: the shop's back office and RD Station's form of the checkout.
    if (web && random.chance(0.3))
      moments.push(
        sdk(wire, person, { ...device, kind: 'app' }, at + 900, {
          call: 'track',
          event: 'Order Completed',
          properties: completed,
        }),
      )
    moments.push(rdstation(wire, person, at + 1200, { identifier: 'compra-realizada' }))
  }
}
