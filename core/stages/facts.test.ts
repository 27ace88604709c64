/** One fact counts once, whoever reports it; the cart the hub derives. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CanonicalEvent } from '../../schemas/event.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, MINUTE, type Rig, SECOND } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { storedDecisions, storedUnmatched } from '../testing/stored-decisions.ts'
import { type CartState, cartAfter } from './cart.ts'
import { amountsOf } from './facts.ts'
import { asNumber, minorUnits } from './money.ts'

const SOURCES = {
  segment: { id: 'site', connector: 'segment' },
  rudderstack: { id: 'app', connector: 'rudderstack' },
  gtm: { id: 'tag', connector: 'gtm' },
  rdstation: { id: 'rd', connector: 'rdstation' },
} as const

let made = 0
function reported(
  rig: Rig,
  by: keyof typeof SOURCES,
  name: string,
  properties: Record<string, unknown>,
  given: Partial<Parameters<typeof track>[0]> = {},
) {
  return track({
    name,
    userId: 'ana',
    properties,
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `m-${++made}`,
    source: SOURCES[by],
    ...given,
  })
}

async function counters(rig: Rig, type: 'userId' | 'ga_client_id' = 'userId', value = 'ana') {
  return (await rig.person(type, value))!.profile.counters
}

const allows = (rig: Rig, ...purposes: string[]) =>
  identify({
    userId: 'ana',
    anonymousId: 'd1',
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `a-${++made}`,
    consent: purposes.map((purpose) => signal(purpose, 'grant', rig.at())),
  })

onBothDatabases('facts', (open: OpenRig) => {
  describe('orders', () => {
    test('one order from three sources counts once; all three stay as evidence', async () => {
      const rig = await open()
      for (const [by, total] of [
        ['segment', 219.9],
        ['gtm', 219.9],
        ['rdstation', 200],
      ] as const) {
        await rig.take(reported(rig, by, 'Order Completed', { order_id: 'o-1', total }))
        rig.advance(MINUTE)
      }
      expect((await counters(rig))['orders']).toEqual({ orders: 1, revenue: 21990 })
      expect(await rig.rows('history')).toBe(3)
    })

    test('in one batch too, and another order is another one', async () => {
      const rig = await open()
      await rig.take(
        reported(rig, 'gtm', 'Order Completed', { order_id: 'o-1', total: 100 }),
        reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 90 }),
        reported(rig, 'segment', 'Order Completed', { order_id: 'o-2', total: 10 }),
      )
      expect((await counters(rig))['orders']).toEqual({ orders: 2, revenue: 10000 })
    })

    test('whatever the order of the reports, the most believed source has the last word', async () => {
      const amounts = { segment: 100, rudderstack: 110, gtm: 120, rdstation: 130 } as const
      for (const order of [
        ['rdstation', 'gtm', 'segment'],
        ['gtm', 'segment', 'rdstation'],
        ['segment', 'rdstation', 'gtm'],
        ['rdstation', 'rudderstack', 'segment'],
      ] as const) {
        const rig = await open()
        for (const by of order) {
          await rig.take(reported(rig, by, 'Order Completed', { order_id: 'o-1', total: amounts[by] }))
          rig.advance(SECOND)
        }
        expect((await counters(rig))['orders'], order.join()).toEqual({ orders: 1, revenue: 10000 })
      }
    })

    test('each purpose counts the order once, also one that hears of it only from the second source', async () => {
      const rig = await open()
      // The first report comes before the person answers about e-mails.
      await rig.take(reported(rig, 'gtm', 'Order Completed', { order_id: 'o-1', total: 100 }))
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 90 }))
      await rig.take(reported(rig, 'rudderstack', 'Order Completed', { order_id: 'o-1', total: 95 }))
      expect(await counters(rig)).toEqual({
        orders: { orders: 1, revenue: 9000 },
        customer_care: { orders: 1, revenue: 9000 },
        email_marketing: { orders: 1, revenue: 9000 },
      })
    })

    test('an order first reported of a device goes to the person whom the more believed source names', async () => {
      const rig = await open()
      const hit = { userId: undefined, identifiers: [{ type: 'ga_client_id' as const, value: 'GA1.1' }] }
      await rig.take(reported(rig, 'gtm', 'Order Completed', { order_id: 'o-1', total: 100 }, { ...hit, userId: '' }))
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 90 }))
      expect((await counters(rig))['orders']).toEqual({ orders: 1, revenue: 9000 })
      expect((await counters(rig, 'ga_client_id', 'GA1.1'))['orders']).toEqual({ orders: 0, revenue: 0 })
    })

    test('a less believed report of somebody else changes nobody’s counters', async () => {
      const rig = await open()
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 90 }))
      await rig.take(reported(rig, 'rdstation', 'Order Completed', { order_id: 'o-1', total: 100 }, { userId: 'bia' }))
      expect((await counters(rig))['orders']).toEqual({ orders: 1, revenue: 9000 })
      expect((await rig.person('userId', 'bia'))!.profile.counters).toEqual({})
    })

    test('a copy of the order empties the cart of whoever it names', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(reported(rig, 'segment', 'Product Added', { product_id: 'p1', price: 10, quantity: 1 }))
      await rig.take(
        reported(
          rig,
          'gtm',
          'Order Completed',
          { order_id: 'o-1', total: 10 },
          { userId: '', identifiers: [{ type: 'ga_client_id', value: 'GA1.1' }] },
        ),
      )
      expect((await rig.person('userId', 'ana'))!.profile.cart!.lines).toHaveLength(1)
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 10 }))
      expect((await rig.person('userId', 'ana'))!.profile.cart).toBeUndefined()
    })

    test('two partial refunds from one source are two facts, the same one from another is a copy', async () => {
      const rig = await open()
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 90 }))
      const batches = [
        ...(await rig.take(reported(rig, 'segment', 'Order Refunded', { order_id: 'o-1', total: 10 }))),
        ...(await rig.take(reported(rig, 'segment', 'Order Refunded', { order_id: 'o-1', total: 20 }))),
        ...(await rig.take(reported(rig, 'gtm', 'Order Refunded', { order_id: 'o-1', total: 10 }))),
      ]
      // `sale` follows what is no copy.
      expect(batches.map((batch) => batch.rows.deliveries.length)).toEqual([1, 1, 0])
    })
  })

  test('a rule counts only what was kept for its own purpose', async () => {
    const rig = await open({
      rules: [
        'id: olhou\nversion: 1\nwhen: {event: Product Viewed}\nwho: {all: [{count: {event: Product Viewed, window: P1D}, op: gte, value: 2}]}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send}]}',
      ],
    })
    const views = async () => {
      rig.advance(MINUTE)
      await rig.take(reported(rig, 'segment', 'Product Viewed', { product_id: 'p1' }, { anonymousId: 'd1' }))
      const [decision] = await storedUnmatched(rig.state)
      return decision?.clauses.at(-1)?.value
    }
    await rig.take(allows(rig, 'analytics'))
    await views()
    await views()
    expect((await rig.person('userId', 'ana'))!.profile.counted).toBeUndefined()
    await rig.take(allows(rig, 'email_marketing'))
    // The third view is the first that e-mails may know of.
    expect(await views()).toBe(1)
    await views()
    // The fourth is the second: the conditions hold, and all that is missing is an address.
    expect(await storedDecisions(rig.state)).toMatchObject([{ rule: 'olhou', result: 'NOT_REACHABLE' }])
  })

  describe('cart acts', () => {
    const product = (id: string) => ({ product_id: id, price: 10, quantity: 1 })

    test('the same act from two sources within a minute is one', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(reported(rig, 'segment', 'Product Added', product('p1')))
      rig.advance(20 * SECOND)
      await rig.take(reported(rig, 'gtm', 'Product Added', product('p1')))
      expect((await rig.person('userId', 'ana'))!.profile.cart!.lines).toMatchObject([{ productId: 'p1', quantity: 1 }])
    })

    test('one to one: two adds from one source and two from another are two', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      for (const by of ['segment', 'gtm', 'segment', 'gtm'] as const) {
        await rig.take(reported(rig, by, 'Product Added', product('p1')))
        rig.advance(SECOND)
      }
      expect((await rig.person('userId', 'ana'))!.profile.cart!.lines).toMatchObject([{ productId: 'p1', quantity: 2 }])
    })

    test('later than a minute, another product or another act is no copy', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(
        reported(rig, 'segment', 'Product Added', product('p1')),
        reported(rig, 'gtm', 'Product Added', product('p2')),
      )
      rig.advance(61 * SECOND)
      await rig.take(reported(rig, 'gtm', 'Product Added', product('p1')))
      await rig.take(reported(rig, 'gtm', 'Product Removed', product('p2')))
      expect((await rig.person('userId', 'ana'))!.profile.cart!.lines).toMatchObject([{ productId: 'p1', quantity: 2 }])
    })

    test('a copy starts no rule', async () => {
      const rig = await open({
        rules: [
          'id: r\nversion: 1\nwhen: {event: Product Added}\nunless: {purpose: email_marketing}\nthen: {all: [{destination: mail, action: send}]}',
        ],
      })
      await rig.take(
        allows(rig, 'email_marketing'),
        identify({ userId: 'ana', traits: { email: 'ana@loja.example' }, occurredAt: rig.at(), receivedAt: rig.at() }),
      )
      await rig.take(
        reported(rig, 'segment', 'Product Added', product('p1')),
        reported(rig, 'gtm', 'Product Added', product('p1')),
      )
      expect(await rig.deliveries('mail')).toHaveLength(1)
    })
  })

  describe('the derived cart', () => {
    const cartOf = async (rig: Rig) => (await rig.person('userId', 'ana'))!.profile.cart
    const add = (rig: Rig, id: string, quantity = 1, more: object = {}) =>
      reported(rig, 'segment', 'Product Added', { product_id: id, price: '19,90', quantity, ...more })

    test('grows, shrinks and is emptied by the last removal', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(add(rig, 'p1', 2, { cart_id: 'c1', cart_url: 'https://loja.example/c/1' }), add(rig, 'p2'))
      expect(await cartOf(rig)).toMatchObject({
        id: 'c1',
        url: 'https://loja.example/c/1',
        total: 5970,
        currency: 'BRL',
        purposes: ['email_marketing'],
      })
      rig.advance(2 * MINUTE)
      await rig.take(reported(rig, 'segment', 'Product Removed', { product_id: 'p1', quantity: 2 }))
      expect((await cartOf(rig))!.lines).toMatchObject([{ productId: 'p2', quantity: 1 }])
      await rig.take(reported(rig, 'segment', 'Product Removed', { product_id: 'p2' }))
      expect(await cartOf(rig)).toBeUndefined()
    })

    test('is emptied by the order and replaced by what a view of it lists', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(add(rig, 'p1'))
      await rig.take(
        reported(rig, 'segment', 'Cart Viewed', {
          cart_id: 'c2',
          products: [{ product_id: 'p9', price: 5, quantity: 3 }],
        }),
      )
      expect((await cartOf(rig))!.lines).toMatchObject([{ productId: 'p9', price: 500, quantity: 3 }])
      rig.advance(DAY)
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 15 }))
      expect(await cartOf(rig)).toBeUndefined()
    })

    test('an order that arrives late takes what lay in the cart then, and leaves what came after it', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      await rig.take(add(rig, 'p1', 1, { cart_id: 'c1' }), add(rig, 'p2'))
      const order = reported(rig, 'rdstation', 'Order Completed', { order_id: 'o-1', total: 39.8 })
      rig.advance(MINUTE)
      await rig.take(add(rig, 'p2', 1), add(rig, 'p3', 2, { price: 5 }))
      rig.advance(MINUTE)
      await rig.take({ ...order, receivedAt: rig.at() })
      expect(await cartOf(rig)).toMatchObject({ id: 'c1', lines: [{ productId: 'p2' }, { productId: 'p3' }] })
      expect((await counters(rig))['orders']).toEqual({ orders: 1, revenue: 3980 })

      // In time, the next order empties it.
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-2', total: 10 }))
      expect(await cartOf(rig)).toBeUndefined()
    })

    test('what was put in before the order and is heard of after it does not lie there again', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      const late = [
        add(rig, 'p1'),
        reported(rig, 'segment', 'Cart Viewed', { products: [{ product_id: 'p1', price: 5, quantity: 1 }] }),
      ]
      rig.advance(MINUTE)
      await rig.take(reported(rig, 'segment', 'Order Completed', { order_id: 'o-1', total: 19.9 }))
      rig.advance(MINUTE)
      await rig.take(...late.map((event) => ({ ...event, receivedAt: rig.at() })))
      expect(await cartOf(rig)).toBeUndefined()
    })

    test('an older list of the cart does not undo what was put in since', async () => {
      const rig = await open()
      await rig.take(allows(rig, 'email_marketing'))
      const list = reported(rig, 'segment', 'Cart Viewed', { products: [{ product_id: 'p1', price: 5, quantity: 1 }] })
      rig.advance(MINUTE)
      await rig.take(add(rig, 'p2'))
      await rig.take({ ...list, receivedAt: rig.at() })
      expect((await cartOf(rig))!.lines.map(({ productId }) => productId)).toEqual(['p1', 'p2'])
    })
  })
})

describe('amounts', () => {
  const event = (properties: Record<string, unknown>): CanonicalEvent => track({ name: 'Order Completed', properties })

  test('are minor units of the stated currency, of the default one otherwise', () => {
    expect(amountsOf(event({ total: 219.9, tax: '1.219,90', currency: 'BRL' }), 'BRL')).toEqual({
      total: 21990,
      tax: 121990,
      currency: 'BRL',
    })
    expect(amountsOf(event({ total: 1500, currency: 'JPY' }), 'BRL')).toEqual({ total: 1500, currency: 'JPY' })
    expect(amountsOf(event({ total: 1, currency: 'real' }), 'USD')).toEqual({ total: 100, currency: 'USD' })
    expect(amountsOf(event({ total: 'muito' }), 'BRL')).toEqual({})
  })

  test('any cent amount survives both notations', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), (cents) => {
        const point = (cents / 100).toFixed(2)
        expect([
          minorUnits(point, 'BRL'),
          minorUnits(point.replace('.', ','), 'BRL'),
          minorUnits(Number(point), 'BRL'),
        ]).toEqual([cents, cents, cents])
      }),
    )
    expect([asNumber('12,3456'), asNumber('1,219.90'), asNumber(Number.NaN), asNumber('')]).toEqual([
      12.3456,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('a cart never has negative lines or a total that is not their sum', () => {
    const act = fc.record({
      name: fc.constantFrom('Product Added', 'Product Removed', 'Cart Viewed', 'Order Completed'),
      id: fc.constantFrom('a', 'b', 'c'),
      quantity: fc.integer({ min: -2, max: 5 }),
      price: fc.integer({ min: -5, max: 500 }),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        let state: CartState = {}
        for (const { name, id, quantity, price } of acts) {
          const line = { product_id: id, quantity, price }
          state = cartAfter(
            state,
            track({ name, properties: name === 'Cart Viewed' ? { products: [line] } : line }),
            ['x'],
            'BRL',
          )
          const { cart } = state
          expect(cart === undefined || cart.lines.every((one) => one.quantity > 0 && one.price >= 0)).toBe(true)
          if (cart) expect(cart.total).toBe(cart.lines.reduce((sum, one) => sum + one.price * one.quantity, 0))
        }
      }),
    )
  })
})
