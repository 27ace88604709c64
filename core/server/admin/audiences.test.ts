/** Audiences over the admin API, from a state in which people came, went and were told of. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { audienceCommands } from '../../audiences/commands.ts'
import { adminCalls } from '../../testing/admin-calls.ts'
import { type AdminHub, startAdminHub } from '../../testing/admin-hub.ts'
import { says, times, VIEWERS, views } from '../../testing/audience-world.ts'
import { signal } from '../../testing/consent-signals.ts'
import { identify } from '../../testing/events.ts'
import { DAY, HOUR, Rig } from '../../testing/pipeline-rig.ts'

const seen = (min: number) => ({
  ...VIEWERS,
  destinations: [],
  who: { all: [{ count: { event: 'Product Viewed', window: 'P7D' }, op: 'gte' as const, value: min }] },
})
const measures = { audiences: { viewers: VIEWERS, week: seen(1), often: seen(2) } }

let rig: Rig
let hub: AdminHub
const call = adminCalls(() => hub)
const grants = () => [signal('email_marketing', 'grant', rig.at())]

beforeAll(async () => {
  rig = await Rig.open({ measures })
  await rig.passOver()
  for (const who of ['ana', 'bia', 'cida']) await says(rig, who)
  for (const who of ['ana', 'bia', 'ana']) {
    rig.advance(1000)
    await views(rig, who)
  }
  await rig.deliver('lists')
  const config = { config: measures, destinationSettings: rig.processPorts.settings.destinations } as never
  const commands = audienceCommands(config, rig.keys, () => rig.processPorts.settings)
  hub = await startAdminHub({
    commands: Object.fromEntries(
      Object.entries(commands).map(([name, run]) => [
        name,
        (args, context) => run(args, { ...context, state: rig.state, now: rig.now }),
      ]),
    ),
  })
})
afterAll(async () => {
  await hub.close()
  await rig.close()
})

test('the list with sizes and destinations; members by pseudonym, with why and what was told', async () => {
  const list = await call('GET', '/api/audiences', 'marketing')
  expect(list.body.items.map(({ id, size }: { id: string; size: number }) => [id, size])).toEqual([
    ['viewers', 2],
    ['week', 2],
    ['often', 1],
  ])
  const { status, body } = await call('GET', '/api/audiences/viewers/members', 'marketing')
  expect(status).toBe(200)
  expect(body).toMatchObject({ total: 2, at: null })
  const ana = (await rig.person('userId', 'ana'))!
  expect(body.items.find(({ personId }: { personId: string }) => personId === ana.id)).toMatchObject({
    why: [{ ok: true, value: 1 }],
    destinations: [{ destination: 'lists', state: 'in', reason: 'DELIVERED' }],
  })
  expect(JSON.stringify(body)).not.toContain('loja.example')
  expect((await call('GET', '/api/audiences/nobody/members', 'marketing')).body).toMatchObject({
    error: { code: 'NOT_FOUND' },
  })
})

test('who was in it at any moment, though time alone took them out since; a moment ahead is refused', async () => {
  const ana = (await rig.person('userId', 'ana'))!
  const before = rig.at(-HOUR)
  const inside = rig.at()
  rig.advance(2 * DAY)
  await rig.fire()
  const of = async (at?: string) =>
    (await call('GET', `/api/audiences/viewers/members${at ? `?at=${encodeURIComponent(at)}` : ''}`, 'marketing')).body
  expect(await of()).toMatchObject({ total: 0, items: [] })
  expect(await of(before)).toMatchObject({ total: 0, at: before })
  const then = await of(inside)
  expect(then).toMatchObject({ total: 2, at: inside })
  expect(then.items.map(({ personId }: { personId: string }) => personId)).toContain(ana.id)
  expect(await of(rig.at(DAY))).toMatchObject({ error: { code: 'INVALID' } })
  expect(await of('yesterday')).toMatchObject({ error: { code: 'INVALID' } })

  const stays = await call('GET', `/api/people/${ana.id}/audiences`, 'marketing')
  expect(
    stays.body.items.map(({ audience, leftAt }: { audience: string; leftAt: string | null }) => [
      audience,
      leftAt !== null,
    ]),
  ).toEqual(
    expect.arrayContaining([
      ['viewers', true],
      ['week', false],
      ['often', false],
    ]),
  )
})

test('the stays of two who became one are found by the id of before, by the subject, and by nobody else’s', async () => {
  const bia = (await rig.person('userId', 'bia'))!
  const of = async (id: string) => await call('GET', `/api/people/${id}/audiences`, 'marketing')
  expect((await of(bia.nodes[0]!.subject)).body).toEqual((await of(bia.id)).body)
  expect((await of('01NOBODY')).status).toBe(404)
  await rig.take(
    identify({ anonymousId: 'd1', traits: { email: 'dora@loja.example' }, ...times(rig), consent: grants() }),
  )
  rig.advance(1000)
  await rig.take(
    identify({ anonymousId: 'd2', traits: { email: 'eva@loja.example' }, ...times(rig), consent: grants() }),
  )
  await views(rig, '', { identifiers: [{ type: 'anonymousId', value: 'd2' }] })
  const old = (await rig.person('anonymousId', 'd2'))!.id
  const stays = (await of(old)).body
  expect(stays.items).not.toEqual([])
  await rig.take(identify({ anonymousId: 'd1', traits: { email: 'eva@loja.example' }, ...times(rig) }))
  expect((await rig.person('anonymousId', 'd2'))!.id).not.toBe(old)
  expect((await of(old)).body).toEqual(stays)
})

test('how many members two audiences share', async () => {
  const { body } = await call('GET', '/api/audiences/often/overlap', 'marketing')
  expect(body.items).toEqual([
    { audience: 'viewers', size: 1, both: 0 },
    { audience: 'week', size: 3, both: 1 },
  ])
})

test('how large it would be, from nothing: nobody enters by looking, and nothing is sent', async () => {
  const rows = [await rig.rows('audience_stays'), await rig.rows('deliveries')]
  const { body } = await call('GET', '/api/audiences/often/preview', 'marketing')
  expect(body).toEqual({
    audience: 'often',
    people: 4,
    looked: 4,
    members: 1,
    size: { about: 1, low: 1, high: 1 },
    destinations: [],
  })
  expect([await rig.rows('audience_stays'), await rig.rows('deliveries')]).toEqual(rows)
})

test('telling again is asked for once at a time, by who may; lists are closed by an officer alone', async () => {
  expect((await call('POST', '/api/audiences/sync', 'auditor', {})).status).toBe(403)
  expect((await call('POST', '/api/audiences/sync', 'marketing', { audience: 'x' })).status).toBe(404)
  const started = await call('POST', '/api/audiences/sync', 'marketing', { audience: 'viewers', full: true })
  expect(started.body).toEqual({ audience: 'viewers', full: true, state: 'running', people: 0 })
  expect((await call('POST', '/api/audiences/sync', 'marketing', {})).status).toBe(409)
  await rig.passOver()
  expect((await call('GET', '/api/audience-lists/left', 'marketing')).body).toEqual({ items: [] })
  const given = { audience: 'viewers', destination: 'lists', reason: 'deleted by hand' }
  expect((await call('POST', '/api/audience-lists/close', 'marketing', given)).status).toBe(403)
  expect((await call('POST', '/api/audience-lists/close', 'compliance', given)).body).toMatchObject({
    error: { code: 'CONFLICT' },
  })
})
