/** Inputs that are no events, one by one: what history keeps of each, and that a replay goes on from it as the hub did. */
import { afterEach, expect, test } from 'vitest'
import type { Explanation } from '../decision/index.ts'
import { fireSchedules } from '../rules/slots.ts'
import { inside, measures, says, times, VIEWERS, views } from '../testing/audience-world.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, Rig, type RigOptions } from '../testing/pipeline-rig.ts'
import { live } from '../testing/random-history.ts'
import { compared, OPTIONS, takeApart } from '../testing/replay-property.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { histories } from './history.ts'
import { replayPerson } from './person.ts'

let rig: Rig
afterEach(() => rig.close())

const open = async (options: RigOptions): Promise<Rig> => {
  rig = await Rig.open(options)
  return rig
}
const inputs = async (kind: string) =>
  (await rig.state.db.selectFrom('history_inputs').selectAll().where('kind', '=', kind).execute()).map(({ body }) =>
    JSON.parse(body),
  )
const expectTheSame = async () => {
  const { was, is } = await compared(rig)
  expect(is).toEqual(was)
}
const rule = (id: string, when: string, who = '') =>
  `
id: ${id}
version: 1
when: ${when}
${who}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`
const viewed = (op: 'gte' | 'eq', value: number) => ({
  ...VIEWERS,
  who: { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op, value }] },
})
const silent = viewed('eq', 0)
const buys = (userId: string, connector: string, order: string, total: number) =>
  rig.take(
    track({
      name: 'Order Completed',
      userId,
      ...times(rig),
      source: { id: connector, connector },
      properties: { order_id: order, total, currency: 'BRL' },
    }),
  )
const decided = async () => (await storedDecisions(rig.state)).map(({ rule, result }) => [rule, result])

test('consent: an answer after which destinations are told something, though its event is not kept', async () => {
  await open({ measures })
  await says(rig, 'ana')
  await views(rig, 'ana')
  rig.advance(MINUTE)
  await says(rig, 'ana', 'revoke')
  expect(await inputs('consent')).toEqual([{}])
  expect((await rig.person('userId', 'ana'))!.profile.pushed).toBeUndefined()
  await expectTheSame()
})

test('measured: people are held against the definitions of then, and from a change on against the others', async () => {
  const keen = { ...viewed('gte', 2), destinations: [] }
  await open({ measures, rules: [rule('entrou', '{audience: {enters: viewers}}')] })
  await says(rig, 'ana')
  await says(rig, 'bia')
  await views(rig, 'ana')
  rig.advance(HOUR)
  await rig.restart({ measures: { audiences: { viewers: keen } } })
  // Taken before everybody was gone through: by the new definition already.
  await views(rig, 'bia')
  await rig.passOver()
  expect(await inside(rig, 'ana')).toEqual([])
  rig.advance(HOUR)
  await views(rig, 'ana')
  await views(rig, 'bia')
  expect(await decided()).toEqual([
    ['entrou', 'ENQUEUED'],
    ['entrou', 'ENQUEUED'],
    ['entrou', 'ENQUEUED'],
  ])
  const hashes = (await rig.state.db.selectFrom('measure_definitions').select('hash').execute()).map(({ hash }) => hash)
  expect(new Set(hashes).size).toBe(2)
  expect((await inputs('measured')).every(({ fill, hash }) => fill && hash === hashes[1])).toBe(true)
  await expectTheSame()
})

test('measured: a window that nobody kept until now is made from history, and stays', async () => {
  await open({ measures: {} })
  await says(rig, 'ana')
  await views(rig, 'ana')
  await rig.restart({ measures: { audiences: { viewers: viewed('gte', 2) } } })
  await rig.passOver()
  expect((await rig.person('userId', 'ana'))!.profile.counted).toEqual({
    email_marketing: { 'Product Viewed': [rig.at()] },
  })
  rig.advance(HOUR)
  await views(rig, 'ana')
  expect(await inside(rig, 'ana')).toEqual(['viewers'])
  await expectTheSame()
})

test('counters: a better report takes an order from somebody, and time alone takes them out of the audience', async () => {
  const payers = {
    ...VIEWERS,
    who: { all: [{ field: 'counters.email_marketing.revenue', op: 'gte' as const, value: 1000 }] },
  }
  await open({
    measures: { audiences: { payers } },
    rules: [rule('saiu', '{audience: {leaves: payers}}')],
  })
  await says(rig, 'ana')
  await says(rig, 'bia')
  await buys('bia', 'gtm', 'o1', 10)
  expect(await inside(rig, 'bia')).toEqual(['payers'])
  rig.advance(MINUTE)
  await buys('ana', 'segment', 'o1', 12)
  expect(await inputs('counters')).toContainEqual({ purpose: 'email_marketing', orders: -1, revenue: -1000 })
  expect((await rig.person('userId', 'bia'))!.profile.measuresDueAt).toBe(0)
  rig.advance(1)
  await rig.fire()
  expect([await inside(rig, 'ana'), await inside(rig, 'bia')]).toEqual([['payers'], []])
  expect(await decided()).toEqual([['saiu', 'ENQUEUED']])
  await expectTheSame()
})

test('due at once: whom a slot met before any event is held against what holds without one', async () => {
  await open({
    measures: { audiences: { silent } },
    rules: [rule('todo-dia', '{schedule: {cron: "*/10 * * * *", timezone: America/Sao_Paulo}}')],
  })
  // An answer founds the node; nothing of the event is kept for the rule's purpose but the answer.
  await rig.take(
    track({
      name: 'Unheard Of',
      userId: 'ana',
      ...times(rig),
      consent: [signal('email_marketing', 'grant', rig.at())],
    }),
  )
  expect((await rig.person('userId', 'ana'))!.seq).toBe(0)
  rig.advance(10 * MINUTE)
  while (await fireSchedules(rig.now, rig.processPorts));
  expect((await rig.person('userId', 'ana'))!.seq).toBe(1)
  rig.advance(1)
  await says(rig, 'ana')
  expect(await inside(rig, 'ana')).toEqual(['silent'])
  await expectTheSame()
})

test('who was founded by an answer alone is held against everything by their first event', async () => {
  await open({ measures: { audiences: { silent } } })
  await rig.take(
    track({
      name: 'Unheard Of',
      userId: 'ana',
      ...times(rig),
      consent: [signal('email_marketing', 'grant', rig.at())],
    }),
  )
  rig.advance(MINUTE)
  await says(rig, 'ana')
  expect(await inside(rig, 'ana')).toEqual(['silent'])
  await expectTheSame()
})

test('a grant that names two people is the first word of each: both ledgers hold it, and their statuses', async () => {
  await open({})
  const grants = (identity: { readonly userId?: string; readonly anonymousId?: string; readonly traits?: object }) =>
    rig.take(
      identify({
        ...times(rig),
        ...(identity as { readonly userId: string }),
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    )
  await grants({ anonymousId: 'd1' })
  rig.advance(MINUTE)
  await grants({ userId: 'ana', anonymousId: 'd1' })
  const rows = await rig.state.db.selectFrom('ledger_pending').select(['node_id', 'purpose']).execute()
  expect(new Set(rows.filter(({ purpose }) => purpose === 'email_marketing').map(({ node_id }) => node_id)).size).toBe(
    2,
  )
  await expectTheSame()
})

test("what another person an event names has said is no status of this one's: their no keeps a yes out, and changes nothing here", async () => {
  await open({ measures })
  const answers = (who: object, action: 'grant' | 'revoke') =>
    rig.take(identify({ ...times(rig), ...who, consent: [signal('email_marketing', action, rig.at())] }))
  await answers({ userId: 'cau', anonymousId: 'd1' }, 'grant')
  await answers({ traits: { email: 'x@loja.example' } }, 'grant')
  await rig.take(
    track({ name: 'Product Viewed', identifiers: [{ type: 'email', value: 'x@loja.example' }], ...times(rig) }),
  )
  rig.advance(HOUR)
  await answers({ userId: 'cau' }, 'revoke')
  rig.advance(HOUR)
  await answers({ anonymousId: 'd1', traits: { email: 'x@loja.example' } }, 'grant')
  expect(await rig.status('email', 'x@loja.example', 'email_marketing')).toBe('granted')
  expect(await rig.status('userId', 'cau', 'email_marketing')).toBe('revoked')
  await expectTheSame()
})

test('a clock that ran out before a withdrawal ran out under the answer of then, whenever the next event came', async () => {
  await open({
    rules: [
      rule(
        'visto',
        '{absence: {start: {event: Product Viewed}, unless: {any: [{event: Product Added}]}, within: PT10M}}',
      ),
    ],
  })
  await says(rig, 'ana')
  await views(rig, 'ana')
  rig.advance(10 * MINUTE)
  await rig.fire()
  rig.advance(MINUTE)
  await says(rig, 'ana', 'revoke')
  rig.advance(DAY)
  await says(rig, 'ana')
  const told: string[] = []
  for await (const history of histories(rig.now, { state: rig.state, keys: rig.keys, now: rig.now }))
    replayPerson(history, {
      settings: rig.processPorts.settings,
      keys: rig.keys,
      clock: 'ideal',
      until: rig.now,
      decided: ({ result, at }: Explanation) => told.push(`${result} ${at}`),
    })
  expect(told).toEqual(['ARMED 2026-03-10T12:00:00.000Z', 'ENQUEUED 2026-03-10T12:10:00.000Z'])
})

test('an answer that changes nothing all the same has destinations told of everything', async () => {
  await open(OPTIONS)
  const events = (...list: [what: number, who: number, product: number, late: number, source: number][]) => ({
    kind: 'events' as const,
    list: list.map(([what, who, product, minutes, source]) => ({ what, who, product, late: minutes, source })),
  })
  await live(
    [
      events([11, 0, 1, 0, 0], [11, 2, 1, 0, 0]),
      events([10, 0, 2, 0, 2]),
      events([11, 4, 2, 3, 2]),
      events([3, 1, 2, 50, 0]),
    ],
    rig,
    'a',
  )
  rig.advance(1)
  // Their next answer takes one side off a list that only what the other one did had put them on.
  const since = await takeApart(rig, 3)
  await live([events([11, 2, 1, 0, 0])], rig, 'b')
  const { was, is } = await compared(rig, since)
  expect(is).toEqual(was)
})
