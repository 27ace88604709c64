/** Who is who over the admin API: what is shown without values, what would happen, what is refused, blocked values. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IdentifierBlocked, PersonIdentity, Unmerged } from '../../../schemas/identity.ts'
import { identityCommands } from '../../identity/commands.ts'
import { createKeys } from '../../keys.ts'
import { adminCalls } from '../../testing/admin-calls.ts'
import { type AdminHub, startAdminHub } from '../../testing/admin-hub.ts'
import { holdJoined, JOINED, joinedConfig, joinPeople } from '../../testing/joined-people.ts'

const keys = createKeys(Buffer.alloc(32, 1))
const now = Date.now()
const EDGES = [{ a: JOINED.a, b: JOINED.b }]
const REASON = 'duas irmãs, um e-mail'
let hub: AdminHub

beforeAll(async () => {
  hub = await startAdminHub({ commands: identityCommands(joinedConfig, keys) })
  await joinPeople(hub.state, keys, now)
})
afterAll(() => hub.close())

const call = adminCalls(() => hub)
const fits = (schema: object, value: unknown) => {
  const validate = new Ajv2020({ strict: false }).compile(schema)
  validate(value)
  expect(validate.errors).toBeNull()
}
const refused = (answer: { status: number; body: { error?: { code: string } } }) => [
  answer.status,
  answer.body.error?.code,
]

test('who may read consent sees nodes, evidence and merges, by any of the ids, and no value', async () => {
  const { body } = await call('GET', `/api/people/${JOINED.b}/identity`, 'auditor')
  fits(PersonIdentity, body)
  expect(body).toMatchObject({
    personId: JOINED.a,
    olderIds: [JOINED.b],
    nodes: [
      { id: JOINED.a, type: 'userId', events: 1, known: true },
      { id: JOINED.b, type: 'email', events: 1 },
    ],
    edges: [{ ...EDGES[0], strength: 'stated', source: 'site', refused: null }],
    merges: [{ from: JOINED.b, into: JOINED.a, undoneAt: null }],
  })
  expect(JSON.stringify(body)).not.toContain('bia@')
  expect(refused(await call('GET', `/api/people/${JOINED.a}/identity`, 'marketing'))).toEqual([403, 'FORBIDDEN'])
  expect(refused(await call('GET', '/api/people/nobody/identity', 'auditor'))).toEqual([404, 'NOT_FOUND'])
})

test('a dry run tells both sides and changes nothing; a hold, no reason or too small a role refuse it', async () => {
  const path = '/api/identity/unmerge'
  const trial = await call('POST', path, 'compliance', { edges: EDGES, dryRun: true })
  expect(trial).toMatchObject({ status: 200 })
  fits(Unmerged, trial.body)
  expect(trial.body).toMatchObject({
    dryRun: true,
    act: null,
    sides: [
      { personId: JOINED.a, nodes: [JOINED.a], events: 1 },
      { personId: JOINED.b, nodes: [JOINED.b], events: 1 },
    ],
  })
  expect(refused(await call('POST', path, 'compliance', { edges: EDGES }))).toEqual([409, 'REASON_REQUIRED'])
  expect(refused(await call('POST', path, 'auditor', { edges: EDGES, dryRun: true }))).toEqual([403, 'FORBIDDEN'])
  await holdJoined(hub.state, now)
  const held = await call('POST', path, 'compliance', { edges: EDGES, reason: REASON })
  expect(refused(held)).toEqual([409, 'LEGAL_HOLD'])
  await hub.state.db.updateTable('legal_holds').set({ released_at: now, released_by: 'u' }).execute()
  expect((await call('GET', `/api/people/${JOINED.a}/identity`, 'auditor')).body).toMatchObject({
    nodes: [{}, {}],
    acts: [],
  })

  const done = await call('POST', path, 'compliance', { edges: EDGES, reason: REASON })
  expect(done.body).toMatchObject({ dryRun: false, act: expect.any(String), sides: trial.body.sides })
  expect((await call('GET', `/api/people/${JOINED.b}/identity`, 'auditor')).body).toMatchObject({
    personId: JOINED.b,
    nodes: [{ id: JOINED.b, apart: [JOINED.a] }],
    edges: [{ refused: 'unmerged' }],
  })
  expect(refused(await call('POST', path, 'compliance', { edges: EDGES, dryRun: true }))).toEqual([409, 'CONFLICT'])
  expect(
    await hub.state.db
      .selectFrom('access_log')
      .select(['act', 'target', 'reason'])
      .where('act', 'like', 'identity.%')
      .execute(),
  ).toEqual([{ act: 'identity.unmerge', target: `${JOINED.a} ${JOINED.b}`, reason: REASON }])
})

test('a value is blocked in any spelling and lifted again; who has it is told, and the log has no value', async () => {
  const path = '/api/identity/block'
  const given = { type: 'email', value: ' Bia@Loja.example ', reason: 'endereço do balcão' }
  const blocked = await call('POST', path, 'compliance', given)
  fits(IdentifierBlocked, blocked.body)
  expect(blocked.body).toEqual({ blocked: true, personId: JOINED.b, identifiers: 1 })
  const rows = () => hub.state.db.selectFrom('blocked_values').select(['hmac', 'type', 'reason']).execute()
  expect(await rows()).toEqual([
    { hmac: keys.identifier('email', 'bia@loja.example'), type: 'email', reason: given.reason },
  ])
  // Blocking what is blocked keeps the first reason.
  await call('POST', path, 'compliance', { ...given, reason: 'mais uma vez o balcão' })
  expect((await rows()).map(({ reason }) => reason)).toEqual([given.reason])
  const stranger = { type: 'phone', value: '+55 11 3333-4444', reason: 'telefone da loja' }
  expect((await call('POST', path, 'compliance', stranger)).body).toEqual({
    blocked: true,
    personId: null,
    identifiers: 0,
  })
  expect((await call('POST', path, 'compliance', { ...given, lift: true })).body).toMatchObject({ blocked: false })
  expect((await rows()).map(({ type }) => type)).toEqual(['phone'])
  expect((await call('GET', `/api/people/${JOINED.b}/identity`, 'auditor')).body.acts).toMatchObject([
    { kind: 'block' },
    { kind: 'block' },
    { kind: 'unblock' },
  ])
  const log = await hub.state.db.selectFrom('access_log').selectAll().where('act', 'like', 'identity.%block').execute()
  expect(log.map(({ target }) => target)).toEqual([JOINED.b, JOINED.b, 'nobody', JOINED.b])
  expect(JSON.stringify(log).toLowerCase()).not.toMatch(/bia@|3333/)

  expect(refused(await call('POST', path, 'compliance', { ...given, value: 'no mail' }))).toEqual([400, 'INVALID'])
  expect(refused(await call('POST', path, 'compliance', { ...given, reason: 'short' }))[0]).toBe(400)
  expect(refused(await call('POST', path, 'auditor', given))).toEqual([403, 'FORBIDDEN'])
})
