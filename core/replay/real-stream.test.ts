/**
 * A shop's real stream through cart recovery: most purchases come without any cart event before them. Nobody may get a
 * cart message after buying; counted on a small stream of the same shape, and on the public sample where it lies.
 */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { HOUR, MINUTE, Rig } from '../testing/pipeline-rig.ts'
import { describeShared } from '../testing/public-vectors.ts'

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
then: {all: [{destination: mail, action: send}]}
exit_on: [Order Completed]
`

interface Act {
  /** Epoch milliseconds. */
  readonly at: number
  readonly type: 'cart' | 'purchase'
  readonly user: string
  readonly product: string
  readonly price: number
}

interface Sent {
  readonly user: string
  readonly at: number
}

/** Whoever waits is woken at the moment they asked for, up to this one. */
async function wakeUntil(until: number, rig: Rig): Promise<void> {
  for (;;) {
    const { due } = await rig.state.db
      .selectFrom('wakeups')
      .select(({ fn }) => fn.min('due_at').as('due'))
      .executeTakeFirstOrThrow()
    if (due === null || Number(due) > until) return
    rig.now = Number(due)
    await rig.fire()
  }
}

/** Each act is taken when it happened, and the clocks are looked at before it. @returns who was sent a message, and when. */
async function recover(acts: readonly Act[]): Promise<Sent[]> {
  const rig = await Rig.open({ rules: [CART] })
  try {
    rig.now = acts[0]!.at - HOUR
    await rig.take(
      ...[...new Set(acts.map(({ user }) => user))].map((user) =>
        identify({
          userId: user,
          messageId: `i-${user}`,
          traits: { email: `u${user}@loja.example` },
          occurredAt: rig.at(),
          receivedAt: rig.at(),
          consent: [signal('email_marketing', 'grant', rig.at())],
        }),
      ),
    )
    let index = 0
    // In slices of a minute, a transaction each.
    while (index < acts.length) {
      const slice: Act[] = []
      const until = acts[index]!.at + MINUTE
      while (index < acts.length && acts[index]!.at < until) slice.push(acts[index++]!)
      await wakeUntil(slice[0]!.at, rig)
      rig.now = slice.at(-1)!.at
      await rig.take(...slice.map((act, n) => eventOf(act, `${index}-${n}`)))
    }
    await wakeUntil(rig.now + 2 * HOUR, rig)
    const users = new Map(acts.map(({ user }) => [rig.keys.identifier('userId', user).toString('hex'), user]))
    const nodes = await rig.state.db
      .selectFrom('identifiers')
      .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
      .select(['hmac', 'person_id'])
      .execute()
    const userOf = new Map(
      nodes.flatMap(({ hmac, person_id }) => {
        const user = users.get(Buffer.from(hmac).toString('hex'))
        return user === undefined ? [] : [[person_id, user] as const]
      }),
    )
    return (await rig.deliveries('mail')).map(({ person_id, created_at }) => ({
      user: userOf.get(person_id)!,
      at: created_at,
    }))
  } finally {
    await rig.close()
  }
}

function eventOf({ at, type, user, product, price }: Act, id: string) {
  const time = new Date(at).toISOString()
  const line = { product_id: product, price, quantity: 1 }
  return track({
    name: type === 'cart' ? 'Product Added' : 'Order Completed',
    userId: user,
    messageId: id,
    occurredAt: time,
    receivedAt: time,
    properties: type === 'cart' ? line : { order_id: id, total: price, currency: 'BRL', products: [line] },
  })
}

/** People whose last cart act had no purchase of theirs after it for 35 minutes, each time: what the rule is for. */
function abandoned(acts: readonly Act[]): Sent[] {
  const wanted: Sent[] = []
  for (const user of new Set(acts.map((act) => act.user))) {
    const mine = acts.filter((act) => act.user === user)
    mine.forEach((act, index) => {
      if (act.type !== 'cart') return
      const next = mine.slice(index + 1).find(({ at }) => at <= act.at + 35 * MINUTE)
      if (!next) wanted.push({ user, at: act.at + 35 * MINUTE })
    })
  }
  return inOrder(wanted)
}

const inOrder = (sent: readonly Sent[]) => sent.toSorted((a, b) => a.at - b.at || (a.user < b.user ? -1 : 1))

const at = (minutes: number) => Date.parse('2019-10-01T00:00:00Z') + minutes * MINUTE
const act = (minutes: number, type: Act['type'], user: string, product = 'p1'): Act => ({
  at: at(minutes),
  type,
  user,
  product,
  price: 10,
})

test('purchases without any cart event start nothing, and stop what they are about', async () => {
  const acts = [
    act(0, 'purchase', 'only-buys'),
    act(1, 'cart', 'leaves'),
    act(2, 'cart', 'buys'),
    act(4, 'cart', 'buys-another', 'p1'),
    act(9, 'purchase', 'buys'),
    act(10, 'purchase', 'buys-another', 'p9'),
    act(20, 'purchase', 'only-buys', 'p2'),
    act(25, 'cart', 'adds-more'),
    act(50, 'cart', 'adds-more', 'p2'),
    act(90, 'purchase', 'leaves'),
    // They bought something else, and left what they put in later.
    act(95, 'purchase', 'comes-back', 'p3'),
    act(96, 'cart', 'comes-back', 'p4'),
  ]
  const sent = await recover(acts)
  expect(inOrder(sent)).toEqual([
    { user: 'leaves', at: at(1 + 35) },
    { user: 'adds-more', at: at(50 + 35) },
    { user: 'comes-back', at: at(96 + 35) },
  ])
  expect(inOrder(sent)).toEqual(abandoned(acts))
})

const FILE = 'data/rees46-sample/2019-Oct.first17k.csv.gz'
describeShared('the public sample', [FILE], () => {
  test('nobody gets a cart message after buying; who left gets one', { timeout: 60_000 }, async () => {
    const folder = process.env['ANUENTE_SHARED'] ?? resolve(import.meta.dirname, '../../../shared')
    expect(existsSync(resolve(folder, FILE))).toBe(true)
    const rows = gunzipSync(readFileSync(resolve(folder, FILE)))
      .toString('utf8')
      .split('\n')
      .slice(1)
    const acts = rows.flatMap((row): Act[] => {
      const [time, type, product, , , , price, user] = row.split(',')
      if ((type !== 'cart' && type !== 'purchase') || !user) return []
      return [
        {
          at: Date.parse(time!.replace(' UTC', 'Z').replace(' ', 'T')),
          type,
          user,
          product: product!,
          price: Number(price),
        },
      ]
    })
    expect([
      acts.filter(({ type }) => type === 'cart').length,
      acts.filter(({ type }) => type === 'purchase').length,
    ]).toEqual([165, 214])
    const sent = await recover(acts)
    const bought = (user: string, from: number, to: number) =>
      acts.some((one) => one.type === 'purchase' && one.user === user && one.at >= from && one.at <= to)
    const carts = new Set(acts.filter(({ type }) => type === 'cart').map(({ user }) => user))
    expect(sent.every(({ user }) => carts.has(user))).toBe(true)
    // Between the last act on the cart and the message the person bought nothing.
    for (const { user, at: when } of sent) {
      const last = acts.filter((one) => one.user === user && one.type === 'cart' && one.at <= when).at(-1)!
      expect(bought(user, last.at, when)).toBe(false)
    }
    expect(inOrder(sent)).toEqual(abandoned(acts))
    expect(sent).toHaveLength(53)
  })
})
