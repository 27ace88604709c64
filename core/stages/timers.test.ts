/** Timers: what starts, moves, ends and fires them, and what they wait for. */
import { describe, expect, test } from 'vitest'
import { fireTimers } from '../pipeline.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, SECOND } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { PersonTaken } from './lock.ts'

const CART = `
id: carrinho
version: 1
when:
  absence:
    start: {event: Product Added}
    unless: {any: [{event: Order Completed}, {cart: emptied}]}
    within: PT30M
    grace: PT5M
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: "Esqueceu algo?"}}], expires: PT6H}
exit_on: [Order Completed]
`

let made = 0
const happens = (rig: Rig, name: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({
    name,
    userId: 'ana',
    properties: { product_id: 'p1', price: 10, quantity: 1 },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `t-${++made}`,
    ...given,
  })
async function ana(rig: Rig): Promise<void> {
  await rig.take(
    identify({
      userId: 'ana',
      traits: { email: 'ana@loja.example', name: 'Ana' },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      messageId: `i-${++made}`,
      consent: [signal('email_marketing', 'grant', rig.at())],
    }),
  )
}
const wakeups = async (rig: Rig) =>
  (await rig.state.db.selectFrom('wakeups').select('due_at').execute()).map(({ due_at }) => due_at)
const results = async (rig: Rig) => (await storedDecisions(rig.state)).map(({ result }) => result)

onBothDatabases('timers', (open: OpenRig) => {
  test('start, wait out window and grace, and fire once', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    expect(await wakeups(rig)).toEqual([rig.now + 35 * MINUTE])
    rig.advance(35 * MINUTE - 1)
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
    rig.advance(1)
    await rig.fire()
    expect(await wakeups(rig)).toEqual([])
    expect(await rig.fire()).toBeUndefined()
    await rig.deliver('mail')
    expect(rig.seen.map(({ json }) => json)).toMatchObject([
      { to: 'ana@loja.example', name: 'Ana', text: 'Esqueceu algo?', product: 'p1', total: 1000 },
    ])
    expect(await results(rig)).toEqual(['ARMED', 'ENQUEUED'])
    expect((await rig.person('userId', 'ana'))!.seq).toBe(3)
  })

  test('a repeat of the start resets the clock', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(20 * MINUTE)
    await rig.take(happens(rig, 'Product Added', { properties: { product_id: 'p2', price: 5 } }))
    rig.advance(16 * MINUTE)
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
    rig.advance(19 * MINUTE)
    await rig.fire()
    await rig.deliver('mail')
    expect(rig.sent('product')).toEqual(['p2'])
  })

  test('a purchase, or an emptied cart, ends it', async () => {
    for (const [name, properties] of [
      ['Order Completed', { order_id: 'o1', total: 10 }],
      ['Product Removed', { product_id: 'p1', quantity: 1 }],
    ] as const) {
      const rig = await open({ rules: [CART] })
      await ana(rig)
      await rig.take(happens(rig, 'Product Added'))
      rig.advance(10 * MINUTE)
      await rig.take(happens(rig, name, { properties }))
      expect(await wakeups(rig)).toEqual([])
      rig.advance(HOUR)
      await rig.fire()
      expect(await rig.deliveries('mail'), name).toEqual([])
    }
  })

  test('a purchase that waits unprocessed in the log stops the message: nothing fires beyond what was processed', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(20 * MINUTE)
    const waiting = await rig.record(happens(rig, 'Order Completed', { properties: { order_id: 'o1', total: 10 } }))
    const received = rig.now
    rig.advance(20 * MINUTE)
    // The process role is behind: its watermark is the newest input it has processed, not the clock.
    await rig.fire(received - 1)
    expect(await rig.deliveries('mail')).toEqual([])
    expect(waiting).toHaveLength(1)
    await rig.process()
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
  })

  test('a late purchase that happened inside the window still stops it, in the grace', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    // The window is over, the grace is not: nothing is sent yet.
    rig.advance(31 * MINUTE)
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
    rig.advance(2 * MINUTE)
    await rig.take(
      happens(rig, 'Order Completed', { occurredAt: rig.at(-5 * MINUTE), properties: { order_id: 'o1', total: 10 } }),
    )
    rig.advance(2 * MINUTE)
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
  })

  test('survives a stop between start and due', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    await rig.restart()
    rig.advance(2 * HOUR)
    await rig.restart()
    await rig.fire()
    await rig.restart()
    await rig.deliver('mail')
    expect(rig.seen).toHaveLength(1)
  })

  test('due for longer than its action is worth, it is explained and not sent', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(DAY)
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
    expect(await results(rig)).toEqual(['ARMED', 'EXPIRED'])
  })

  test('consent that is gone when it fires: explained, nothing enqueued', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(10 * MINUTE)
    await rig.take(
      identify({
        userId: 'ana',
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        consent: [signal('email_marketing', 'revoke', rig.at())],
      }),
    )
    rig.advance(HOUR)
    await rig.fire()
    expect(await rig.deliveries('mail')).toEqual([])
    expect((await results(rig)).at(-1)).toBe('NO_CONSENT')
  })

  test('keeps the version of the rule that started it; one without its version is dropped and says so', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    await rig.restart({ rules: [CART.replace('version: 1', 'version: 2').replace('Esqueceu algo?', 'Outro texto')] })
    rig.advance(HOUR)
    await rig.fire()
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['Esqueceu algo?'])
  })

  test('many people due at once all fire, in rounds', async () => {
    const rig = await open({ rules: [CART] })
    const people = Array.from({ length: 620 }, (_, n) => `p${n}`)
    await rig.record(
      ...people.map((userId) =>
        identify({
          userId,
          traits: { email: `${userId}@loja.example` },
          occurredAt: rig.at(),
          receivedAt: rig.at(),
          consent: [signal('email_marketing', 'grant', rig.at())],
        }),
      ),
      ...people.map((userId) => happens(rig, 'Product Added', { userId })),
    )
    await rig.process()
    rig.advance(36 * MINUTE)
    let rounds = 0
    while (await rig.fire()) rounds++
    expect(rounds).toBe(2)
    expect(await rig.deliveries('mail')).toHaveLength(620)
  })

  test('a goal reached after the message was enqueued cancels it and gives its reservation back', async () => {
    const rig = await open({
      rules: [
        CART.replace(
          'unless: {purpose: email_marketing}',
          'unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}',
        ),
      ],
    })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(36 * MINUTE)
    await rig.fire()
    expect(await rig.rows('caps')).toBeGreaterThan(0)
    rig.advance(SECOND)
    await rig.take(happens(rig, 'Order Completed', { properties: { order_id: 'o1', total: 10 } }))
    expect((await rig.deliveries('mail')).map(({ status, reason }) => [status, reason])).toEqual([
      ['cancelled', 'GOAL_REACHED'],
    ])
    expect(await rig.rows('caps')).toBe(0)
    expect(await rig.counts('destination:mail')).toEqual({ RECEIVED: 1, GOAL_REACHED: 1 })
  })

  test('a goal cancels what waits of every rule that has it, and of no other rule', async () => {
    const rig = await open({
      rules: [
        CART,
        CART.replace('id: carrinho', 'id: carrinho-2'),
        CART.replace('id: carrinho', 'id: outra').replace('exit_on: [Order Completed]', ''),
      ],
    })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(36 * MINUTE)
    await rig.fire()
    rig.advance(SECOND)
    await rig.take(happens(rig, 'Order Completed', { properties: { order_id: 'o1', total: 10 } }))
    const ends = (await rig.deliveries('mail')).map(({ rule, status, reason }) => [rule, status, reason])
    expect(ends.sort()).toEqual([
      ['carrinho', 'cancelled', 'GOAL_REACHED'],
      ['carrinho-2', 'cancelled', 'GOAL_REACHED'],
      ['outra', 'queued', null],
    ])
  })

  test('a goal older than the story cancels nothing', async () => {
    const rig = await open({ rules: [CART] })
    await ana(rig)
    await rig.take(happens(rig, 'Product Added'))
    rig.advance(36 * MINUTE)
    await rig.fire()
    await rig.take(
      happens(rig, 'Order Completed', { occurredAt: rig.at(-HOUR), properties: { order_id: 'o0', total: 10 } }),
    )
    await rig.deliver('mail')
    expect((await rig.deliveries('mail')).map(({ status }) => status)).toEqual(['delivered'])
  })

  describe('under two processes', () => {
    /** Ports of a process that is overtaken between loading and writing. */
    const overtaken = (rig: Rig, by: () => Promise<unknown>) => {
      let once = true
      return {
        ...rig.processPorts,
        state: {
          ...rig.state,
          transaction: async <T>(work: Parameters<typeof rig.state.transaction<T>>[0]) => {
            if (once) {
              once = false
              await by()
            }
            return rig.state.transaction(work)
          },
        },
      }
    }
    const waiting = async (rig: Rig) => {
      await ana(rig)
      await rig.take(happens(rig, 'Product Added'))
      rig.advance(36 * MINUTE)
    }

    test('a timer fires once, whoever is first', async () => {
      const rig = await open({ rules: [CART] })
      await waiting(rig)
      const ports = overtaken(rig, () => rig.fire())
      await expect(fireTimers(rig.now, ports)).rejects.toThrow(PersonTaken)
      expect(await fireTimers(rig.now, ports)).toBeUndefined()
      expect(await rig.deliveries('mail')).toHaveLength(1)
      expect(await results(rig)).toEqual(['ARMED', 'ENQUEUED'])
      expect((await rig.person('userId', 'ana'))!.profile.timers).toEqual([])
    })

    test('side by side they neither lose nor repeat anything', async () => {
      const rig = await open({ rules: [CART] })
      await waiting(rig)
      const outcomes = await Promise.allSettled([rig.fire(), rig.fire(), rig.fire()])
      expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true)
      expect(await rig.deliveries('mail')).toHaveLength(1)
      expect(await results(rig)).toEqual(['ARMED', 'ENQUEUED'])
    })

    test('an order that another process takes meanwhile is not overwritten', async () => {
      const rig = await open({ rules: [CART] })
      await waiting(rig)
      const order = happens(rig, 'Order Completed', { properties: { order_id: 'o1', total: 10 } })
      const ports = overtaken(rig, () => rig.take(order))
      await expect(fireTimers(rig.now, ports)).rejects.toThrow(PersonTaken)
      expect(await fireTimers(rig.now, ports)).toBeUndefined()
      expect(await rig.deliveries('mail')).toEqual([])
      expect((await rig.person('userId', 'ana'))!.profile.counters['orders']).toEqual({ orders: 1, revenue: 1000 })
    })
  })
})
