/** Who was joined by mistake is taken apart: each side is what its own identifiers say, and does not come together again. */
import { describe, expect, test } from 'vitest'
import type { Unmerged } from '../../schemas/identity.ts'
import { audienceCommands } from '../audiences/commands.ts'
import { CommandError } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import { inside, measures, says, stays, vendorList } from '../testing/audience-world.ts'
import { signal } from '../testing/consent-signals.ts'
import { track } from '../testing/events.ts'
import { HOUR, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'
import { personIdentity, unmergeCommand } from './commands.ts'
import { sidesWithout } from './sides.ts'

const ANA = { userId: 'ana' }
const BIA = { identifiers: [{ type: 'email' as const, value: 'bia@example.com' }] }
const REASON = 'two sisters at one computer'

async function takeApart(rig: Rig, args: object): Promise<Unmerged> {
  return rig.state.transaction((trx) =>
    unmergeCommand(args as Readonly<Record<string, unknown>>, {
      state: { ...rig.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
      keys: rig.keys,
      settings: rig.processPorts.settings,
      actor: 'officer',
      now: rig.now,
    }),
  )
}

const refusalOf = async (work: Promise<unknown>) => {
  try {
    await work
  } catch (error) {
    if (error instanceof CommandError) return error.code
    throw error
  }
  return 'done'
}

/** Each agreed or not and bought something; then one event named both. */
async function joined(open: OpenRig, bia: 'grant' | 'deny') {
  const rig = await open()
  const event = (name: string, who: object, given: object = {}) =>
    track({ name, occurredAt: rig.at(), receivedAt: rig.at(), ...who, ...given })
  const order = (id: string, total: number) => ({ properties: { order_id: id, total, currency: 'BRL' } })
  const says = (action: 'grant' | 'deny' | 'revoke') => ({ consent: [signal('email_marketing', action, rig.at())] })
  await rig.take(event('Order Completed', ANA, { ...order('o1', 10), ...says('grant') }))
  rig.advance(HOUR)
  await rig.take(event('Order Completed', BIA, { ...order('o2', 20), ...says(bia) }))
  rig.advance(HOUR)
  const before = { ana: (await rig.person('userId', 'ana'))!, bia: (await rig.person('email', 'bia@example.com'))! }
  const both = () => event('Order Refunded', { ...ANA, ...BIA }, order('o1', 1))
  await rig.take(both())
  const person = (await rig.person('userId', 'ana'))!
  expect(person.nodes).toHaveLength(2)
  const { edges } = await personIdentity(person.id, rig.state.db)
  const args = { edges: edges.map(({ a, b }) => ({ a, b })), reason: REASON }
  rig.advance(HOUR)
  return { rig, before, both, says, event, person, args }
}

onBothDatabases('taking people apart', (open: OpenRig) => {
  test('each is again what it was: counters, answers, ids; the same evidence does not join them', async () => {
    const { rig, before, both, person, args } = await joined(open, 'deny')
    expect(person.profile.counters['orders']).toEqual({ orders: 2, revenue: 3000 })
    expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('conflict')

    const trial = await takeApart(rig, { ...args, dryRun: true })
    expect(trial.act).toBeNull()
    expect((await rig.person('userId', 'ana'))!.nodes).toHaveLength(2)
    const done = await takeApart(rig, args)
    expect(done.sides).toEqual(trial.sides)
    expect(
      done.sides.map(({ personId, events, orders, restored, statuses }) => [
        personId,
        events,
        orders,
        restored,
        statuses,
      ]),
    ).toEqual(
      [
        [
          before.ana.id,
          2,
          1,
          true,
          [expect.objectContaining({ purpose: 'email_marketing', before: 'conflict', after: 'granted' })],
        ],
        [
          before.bia.id,
          1,
          1,
          true,
          [expect.objectContaining({ purpose: 'email_marketing', before: 'conflict', after: 'denied' })],
        ],
      ].map((side) => [...side.slice(0, 4), expect.arrayContaining(side[4] as unknown[])]),
    )
    const [ana, bia] = [(await rig.person('userId', 'ana'))!, (await rig.person('email', 'bia@example.com'))!]
    expect([ana.id, bia.id]).toEqual([before.ana.id, before.bia.id])
    expect(ana.profile.counters).toEqual(before.ana.profile.counters)
    expect(bia.profile.counters).toEqual(before.bia.profile.counters)
    expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('granted')
    expect(await rig.status('email', 'bia@example.com', 'email_marketing')).toBe('denied')
    const persons = await rig.state.db.selectFrom('persons').select(['id', 'merged_into']).orderBy('id').execute()
    expect(persons.map(({ merged_into }) => merged_into)).toEqual([null, null])

    await rig.take(both())
    expect((await rig.person('userId', 'ana'))!.id).not.toBe((await rig.person('email', 'bia@example.com'))!.id)
    const { edges, merges, acts } = await personIdentity(before.bia.id, rig.state.db)
    expect(edges.map(({ refused }) => refused)).toEqual(['unmerged'])
    expect(merges.map(({ undoneAt }) => undoneAt === null)).toEqual([false])
    expect(acts).toEqual([])
    expect((await personIdentity(before.ana.id, rig.state.db)).acts).toMatchObject([
      { kind: 'unmerge', reason: REASON },
    ])
    expect(await refusalOf(takeApart(rig, args))).toBe('CONFLICT')
  })

  test('a refusal given while they were one stays with both until who is known settles it', async () => {
    const { rig, says, event, args } = await joined(open, 'grant')
    await rig.take(event('Product Viewed', { ...ANA, ...BIA }, says('revoke')))
    rig.advance(HOUR)
    await takeApart(rig, args)
    expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('revoked')
    expect(await rig.status('email', 'bia@example.com', 'email_marketing')).toBe('conflict')
  })

  test('each keeps the stays its events began and its own address on the list; who is no member is taken out', async () => {
    const rig = await open({ measures })
    const event = (name: string, who: object) => track({ name, occurredAt: rig.at(), receivedAt: rig.at(), ...who })
    const two = { ana: { userId: 'ana' }, bia: { identifiers: [{ type: 'anonymousId' as const, value: 'd2' }] } }
    await says(rig, 'ana')
    await rig.take(event('Product Viewed', two.bia))
    rig.advance(HOUR)
    await rig.take(event('Product Viewed', { ...two.ana, ...two.bia }))
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example'])
    const person = (await rig.person('userId', 'ana'))!
    const { edges } = await personIdentity(person.id, rig.state.db)
    const between = edges.filter(({ refused }) => refused === null)
    const device = person.nodes.find(({ type }) => type === 'anonymousId')!.id
    rig.advance(HOUR)
    const gone = between.filter(({ a, b }) => a === device || b === device).map(({ a, b }) => ({ a, b }))
    await takeApart(rig, { edges: gone, reason: REASON })
    const [ana, bia] = [(await rig.person('userId', 'ana'))!, (await rig.person('anonymousId', 'd2'))!]
    expect(ana.id).not.toBe(bia.id)
    for (const side of [ana, bia]) {
      expect(side.profile.measuresDueAt).toBe(0)
      const own = new Set(side.nodes.map(({ id }) => id))
      for (const nodes of Object.values(side.profile.pushed?.['viewers'] ?? {}))
        for (const node of nodes) expect(own).toContain(node)
    }
    expect(Object.keys(ana.profile.pushed ?? bia.profile.pushed ?? {})).toEqual(['viewers'])
    await rig.fire()
    await rig.deliver('lists')
    // The list follows whoever of the two is still a member with an address.
    const member = (await inside(rig, 'ana')).includes('viewers')
    expect(vendorList(rig)).toEqual(member ? ['ana@loja.example'] : [])
    const open_ = (await stays(rig)).filter(({ left_at }) => left_at === null)
    expect(open_).toHaveLength((member ? 1 : 0) + ((await rig.person('anonymousId', 'd2'))!.profile.audiences ? 1 : 0))
    const commands = audienceCommands(
      { config: measures, destinationSettings: rig.processPorts.settings.destinations } as never,
      rig.keys,
      () => rig.processPorts.settings,
    )
    const ask = (name: string, args = {}) => commands[name]!(args, { state: rig.state, actor: 'x', now: rig.now })
    expect(await ask('audiencesList')).toMatchObject([{ size: open_.length }])
    expect(await ask('audienceMembers', { audience: 'viewers' })).toMatchObject({ total: open_.length })
  })

  test('refused under a legal hold, with an open request, without a reason, or while other evidence stands', async () => {
    const { rig, person, args, event } = await joined(open, 'grant')
    expect(await refusalOf(takeApart(rig, { ...args, reason: 'short' }))).toBe('REASON_REQUIRED')
    expect(await refusalOf(takeApart(rig, { ...args, edges: [{ a: 'x', b: 'y' }] }))).toBe('NOT_FOUND')
    await rig.take(
      event('Product Viewed', { ...ANA, anonymousId: 'd1' }),
      event('Product Viewed', { ...BIA, anonymousId: 'd1' }),
    )
    expect(await refusalOf(takeApart(rig, args))).toBe('STILL_ONE')
    const hold = {
      id: 'h1',
      kind: 'person',
      person_id: person.id,
      class: null,
      from_at: null,
      to_at: null,
      ref: 'r',
      reason: 'r',
      set_by: 'u',
      set_at: rig.now,
      released_by: null,
      released_at: null,
      release_reason: null,
    }
    await rig.state.db.insertInto('legal_holds').values(hold).execute()
    expect(await refusalOf(takeApart(rig, args))).toBe('LEGAL_HOLD')
  })
})

describe('sides', () => {
  const tie = (a: string, b: string) => ({ a, b })
  test('the side with the id first; what no edge ever held stays with it; a cycle holds', () => {
    expect(sidesWithout('a', ['a', 'b', 'c', 'z'], [tie('a', 'b'), tie('b', 'c')], [tie('a', 'b')]).sides).toEqual([
      ['a', 'z'],
      ['b', 'c'],
    ])
    const cycle = [tie('a', 'b'), tie('b', 'c'), tie('a', 'c')]
    expect(sidesWithout('a', ['a', 'b', 'c'], cycle, [tie('a', 'b')])).toEqual({
      sides: [['a', 'b', 'c']],
      stillBy: [tie('a', 'c'), tie('b', 'c')],
    })
    expect(sidesWithout('a', ['a', 'b', 'c'], cycle, [tie('a', 'b'), tie('a', 'c')]).sides).toEqual([['a'], ['b', 'c']])
  })
})
