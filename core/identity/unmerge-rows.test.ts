/** What waits and what is reserved goes with the node it is for when people are taken apart; clocks with whose event began them. */
import { expect, test } from 'vitest'
import type { StateStore } from '../stores/open.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases, onSqlite } from '../testing/state-contract.ts'
import { personIdentity, unmergeCommand } from './commands.ts'
import type { Tie } from './components.ts'

const CART = `
id: carrinho
version: 1
when:
  absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT30M}
unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}
then: {all: [{destination: mail, action: send}]}
`
const SEEN = `
id: vista
version: 1
when: {event: Product Viewed}
unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}
experiment: {variants: [{id: a, weight: 1, with: {text: A}}, {id: b, weight: 1, with: {text: B}}]}
then: {all: [{destination: mail, action: send}]}
`
const ANA = [{ type: 'email' as const, value: 'ana@loja.example' }]
const BIA = [{ type: 'email' as const, value: 'bia@loja.example' }]

let made = 0
const times = (rig: Rig) => ({ occurredAt: rig.at(), receivedAt: rig.at(), messageId: `m-${++made}` })
const act = (rig: Rig, name: string, identifiers: { type: 'email'; value: string }[]) =>
  rig.take(track({ name, identifiers, properties: { product_id: 'p1' }, ...times(rig) }))

/** Each with a name at the vendor, a message that waits, and Bia with a clock running; then one event names both. */
async function waiting(open: OpenRig) {
  const rig = await open({ rules: [CART, SEEN] })
  for (const { value } of [...ANA, ...BIA]) {
    const consent = [signal('email_marketing', 'grant', rig.at())]
    await rig.take(identify({ traits: { email: value }, ...times(rig), consent }))
    rig.advance(1)
  }
  await act(rig, 'Product Viewed', ANA)
  await act(rig, 'Product Viewed', BIA)
  await act(rig, 'Product Added', BIA)
  const ids = {
    ana: (await rig.person('email', 'ana@loja.example'))!.id,
    bia: (await rig.person('email', 'bia@loja.example'))!.id,
  }
  const before = await rows(rig)
  expect(before.deliveries).toMatchObject({ [ids.ana]: [{ rule: 'vista' }], [ids.bia]: [{ rule: 'vista' }] })
  expect(before.wakeups).toEqual([ids.bia])
  await act(rig, 'Cart Viewed', [...ANA, ...BIA])
  const one = await rows(rig)
  expect([Object.keys(one.deliveries), Object.keys(one.caps), one.wakeups]).toEqual([[ids.ana], [ids.ana], [ids.ana]])
  rig.advance(MINUTE)
  return { rig, ids, before }
}

/** By the person they are of. */
async function rows({ state: { db } }: Rig) {
  const of = <Row extends { person_id: string }, Said>(list: readonly Row[], say: (row: Row) => Said) => {
    const grouped: Record<string, Said[]> = {}
    for (const row of list) grouped[row.person_id] = [...(grouped[row.person_id] ?? []), say(row)]
    return grouped
  }
  const deliveries = await db.selectFrom('deliveries').selectAll().where('rule', 'is not', null).orderBy('id').execute()
  return {
    deliveries: of(deliveries, ({ id, rule, arm, variant }) => ({ id, rule, arm, variant })),
    caps: of(await db.selectFrom('caps').selectAll().orderBy('delivery_id').execute(), (row) => row.delivery_id),
    wakeups: (await db.selectFrom('wakeups').select('person_id').execute()).map((row) => row.person_id),
  }
}

async function takeApart(rig: Rig, given?: readonly Tie[]): Promise<void> {
  const edges = given ?? (await personIdentity((await rig.person('email', 'ana@loja.example'))!.id, rig.state.db)).edges
  await rig.state.transaction((trx) =>
    unmergeCommand(
      { edges: edges.map(({ a, b }) => ({ a, b })), reason: 'two sisters at one computer' },
      {
        state: { ...rig.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
        keys: rig.keys,
        settings: rig.processPorts.settings,
        actor: 'officer',
        now: rig.now,
      },
    ),
  )
}

onBothDatabases('rows of people taken apart', (open: OpenRig) => {
  test('deliveries, reservations, arms, variants, clocks and the wake-up are again whose they were', async () => {
    const { rig, ids, before } = await waiting(open)
    await takeApart(rig)
    const after = await rows(rig)
    expect(after.deliveries).toEqual(before.deliveries)
    expect(after.caps).toEqual(before.caps)
    expect(after.wakeups).toEqual([ids.bia])
    for (const [id, value] of [
      [ids.ana, 'ana@loja.example'],
      [ids.bia, 'bia@loja.example'],
    ] as const) {
      const { profile } = (await rig.person('email', value))!
      expect(profile.arms).toEqual({ vista: before.deliveries[id]![0]!.arm })
      expect(profile.variants).toEqual({ vista: before.deliveries[id]![0]!.variant })
      expect(profile.timers.map(({ rule }) => rule)).toEqual(id === ids.bia ? ['carrinho'] : [])
    }
  })
})

onSqlite('afterwards', (open: OpenRig) => {
  test('what waited leaves to each own address, and the clock rings for who began it, once', async () => {
    const { rig, ids } = await waiting(open)
    await takeApart(rig)
    await rig.deliver('mail')
    expect(rig.sent('to').toSorted()).toEqual(['ana@loja.example', 'bia@loja.example'])
    // The cap is each one's own: Ana's message of today is no reservation of Bia's clock.
    rig.advance(24 * 60 * MINUTE)
    await rig.fire()
    await rig.deliver('mail')
    const carts = (await rig.deliveries('mail')).filter(({ rule }) => rule === 'carrinho')
    expect(carts.map(({ person_id, status }) => [person_id, status])).toEqual([[ids.bia, 'delivered']])
    expect(rig.sent('to').filter((to) => to === 'bia@loja.example')).toHaveLength(2)
    expect(await rig.rows('wakeups')).toBe(0)
  })

  test('two who saw different variants are neither’s: sent nothing more, counted apart; taken apart, each goes on', async () => {
    const rig = await open({ rules: [SEEN] })
    const shown = new Map<string, string>()
    // Variants follow from ids nobody chooses: people come until both were seen.
    for (let n = 0; new Set(shown.values()).size < 2; n++) {
      const email = `p${n}@loja.example`
      const consent = [signal('email_marketing', 'grant', rig.at())]
      await rig.take(identify({ traits: { email }, ...times(rig), consent }))
      await act(rig, 'Product Viewed', [{ type: 'email', value: email }])
      shown.set(email, (await rig.person('email', email))!.profile.variants!['vista']!)
    }
    await rig.deliver('mail')
    const [first, second] = ['a', 'b'].map((one) => [...shown].find(([, variant]) => variant === one)![0])
    const two = [first!, second!].map((value) => ({ type: 'email' as const, value }))
    await act(rig, 'Cart Viewed', two)
    const one = (await rig.person('email', first!))!.profile
    expect([one.arms, one.variants]).toEqual([{ vista: 'multiple' }, undefined])
    expect(await rig.counts('experiment:vista')).toEqual({ MULTIPLE: 1 })
    const sent = rig.seen.length
    rig.advance(2 * 24 * 60 * MINUTE)
    await act(rig, 'Product Viewed', two)
    await rig.deliver('mail')
    expect(rig.seen).toHaveLength(sent)
    expect((await rig.deliveries('mail')).at(-1)).toMatchObject({ arm: 'control', status: 'held_out', variant: null })

    const { id } = (await rig.person('email', first!))!
    const { edges } = await personIdentity(id, rig.state.db)
    await takeApart(rig, edges)
    for (const email of [first!, second!])
      expect((await rig.person('email', email))!.profile).toMatchObject({
        arms: { vista: 'treated' },
        variants: { vista: shown.get(email) },
      })
  })
})
