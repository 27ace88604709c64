/** The StateStore contract: the same journeys on SQLite and on a real PostgreSQL, with the same outcome. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { createKeys, loadMasterKey } from '../../core/keys.ts'
import { findEntry } from '../../core/ledger/rows.ts'
import { unsealJson } from '../../core/seal.ts'
import type { SealedEvent } from '../../core/stages/apply.ts'
import { Batch } from '../../core/stages/batch.ts'
import { commitBatch, PositionTaken } from '../../core/stages/commit.ts'
import { insertMany, openState, type StateStore } from '../../core/stores/open.ts'
import { startPostgres, type TestPostgres } from '../../core/testing/postgres.ts'
import { storedDecisions } from '../../core/testing/stored-decisions.ts'
import {
  basic,
  MESSAGE_RULE,
  makePlace,
  type Place,
  post,
  startInProcess,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

const ABSENCE = `id: carrinho
version: 1
when: {absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}, {cart: emptied}]}, within: PT1S}}
who: {all: [{field: cart.total, op: gte, value: 1000}]}
unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}
then: {all: [{destination: hook, action: sendMessage, with: {text: Volte}}]}
experiment: {control: 0}
exit_on: [Order Completed]
`

const site = basic(WRITE_KEYS.site)
const app = basic(WRITE_KEYS.app)
const consent = (marketing: boolean, analytics = marketing) => ({
  context: { consent: { categoryPreferences: { Marketing: marketing, Analytics: analytics } } },
})

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await startPostgres()
}, 120_000)
afterAll(() => postgres?.stop())

describe.each(['sqlite', 'postgres'] as const)('on %s', (kind) => {
  let vendor: Vendor
  let place: Place
  let hub: Hub

  beforeEach(async () => {
    vendor = await startVendor()
    const url = kind === 'postgres' ? await postgres.url() : undefined
    place = await makePlace(vendor, {
      rules: { 'aviso.yaml': MESSAGE_RULE.replace('Product Added', 'Product Viewed'), 'carrinho.yaml': ABSENCE },
      ...(url && { postgres: url }),
    })
    hub = await startInProcess(place)
  })
  afterEach(async () => {
    await hub?.close()
    await vendor?.close()
    place?.remove()
  })

  const send = async (body: unknown, headers = site) => {
    expect(await post(`${hub.url}/v1/batch`, { batch: Array.isArray(body) ? body : [body] }, headers)).toBe(200)
    await hub.drained()
  }
  const history = async () => {
    const keys = createKeys(loadMasterKey(`${place.dir}/data/master.key`))
    const rows = await hub.state.db
      .selectFrom('history')
      .innerJoin('nodes', 'nodes.id', 'history.node_id')
      .selectAll('history')
      .select(['nodes.data_key', 'nodes.person_id'])
      .orderBy('history.id')
      .execute()
    return rows.map((row) => ({ ...row, sealed: unsealJson<SealedEvent>(keys.unwrap(row.data_key), row.sealed) }))
  }
  const people = async () =>
    (await hub.state.db.selectFrom('persons').selectAll().where('merged_into', 'is', null).orderBy('id').execute()).map(
      (row) => ({
        id: row.id,
        profile: JSON.parse(row.profile) as {
          cart?: { total: number }
          counters: Record<string, Record<string, number>>
        },
      }),
    )
  const until = async (what: () => Promise<boolean>) => {
    for (let tries = 0; tries < 200; tries++) {
      if (await what()) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('it did not happen')
  }

  test('identify, consent, event trigger, delivery: rows, reasons and entries hang together', async () => {
    await send([
      {
        type: 'identify',
        userId: 'u1',
        messageId: 'a1',
        traits: { email: 'Ana@Example.com', name: 'Ana', age: 33 },
        ...consent(true),
      },
      {
        type: 'track',
        event: 'Product Viewed',
        userId: 'u1',
        messageId: 'a2',
        properties: { product_id: 'p', secret_field: 'x' },
      },
    ])
    expect(vendor.requests.length).toBe(1)
    expect(JSON.parse(vendor.requests[0]!.body)).toMatchObject({ email: 'ana@example.com', text: 'Olá', rule: 'aviso' })
    const delivery = await hub.state.db.selectFrom('deliveries').selectAll().executeTakeFirstOrThrow()
    expect(delivery).toMatchObject({
      status: 'delivered',
      reason: 'DELIVERED',
      purpose: 'email_marketing',
      attempt: 1,
      payload: null,
    })
    const entry = await findEntry(hub.state.db, delivery.entry_id!)
    expect(JSON.parse(entry!.bytes)).toMatchObject({ purpose: 'email_marketing', status: 'granted', basis: 'consent' })
    expect(
      (await hub.state.db.selectFrom('attempts').selectAll().execute()).map(({ n, outcome }) => [n, outcome]),
    ).toEqual([[1, 'DELIVERED']])
    expect((await storedDecisions(hub.state)).map(({ result }) => result)).toEqual(['ENQUEUED'])
  })

  test('unknown is not consent: held, not kept; a grant lets it in with its own time; a refusal deletes', async () => {
    const at = new Date(Date.now() - 600_000).toISOString()
    await send({
      type: 'track',
      event: 'Product Viewed',
      anonymousId: 'dev-1',
      messageId: 'h1',
      timestamp: at,
      properties: { product_id: 'p1' },
    })
    expect(await history()).toEqual([])
    expect((await hub.state.db.selectFrom('held').selectAll().execute()).length).toBe(1)
    await send({
      type: 'track',
      event: 'Segment Consent Preference Updated',
      anonymousId: 'dev-1',
      messageId: 'h2',
      ...consent(false, true),
    })
    const kept = await history()
    expect(kept.map(({ sealed }) => sealed.messageId)).toContain('h1')
    expect(kept.find(({ sealed }) => sealed.messageId === 'h1')!.occurred_at).toBe(Date.parse(at))
    expect(await hub.state.db.selectFrom('held').selectAll().execute()).toEqual([])
    expect(await hub.state.db.selectFrom('held_identifiers').selectAll().execute()).toEqual([])
  })

  test('one order told by two sources counts once, and the believed one corrects the amount', async () => {
    const order = (total: number, messageId: string) => ({
      type: 'track',
      event: 'Order Completed',
      userId: 'u1',
      messageId,
      properties: { order_id: 'o-9', total, currency: 'BRL' },
    })
    await send(
      {
        ...order(100, 'o1'),
        context: { consentManagement: { allowedConsentIds: ['analytics'], deniedConsentIds: [] } },
      },
      app,
    )
    await send(order(110, 'o2'))
    await send(
      {
        ...order(90, 'o3'),
        context: { consentManagement: { allowedConsentIds: ['analytics'], deniedConsentIds: [] } },
      },
      app,
    )
    expect((await people()).map(({ profile }) => profile.counters['orders'])).toEqual([{ orders: 1, revenue: 11000 }])
    expect((await history()).map(({ sealed }) => sealed.copy === true)).toEqual([false, true, true])
  })

  test('people meet over shared identifiers under the smaller id; two user ids on one device stay two', async () => {
    await send({
      type: 'identify',
      userId: 'u1',
      messageId: 'm1',
      traits: { email: 'a@example.com' },
      ...consent(true),
    })
    await send({ type: 'track', event: 'Page Read', anonymousId: 'd1', messageId: 'm2', ...consent(true) })
    const before = await people()
    expect(before.length).toBe(2)
    await send({
      type: 'track',
      event: 'Page Read',
      userId: 'u1',
      anonymousId: 'd1',
      messageId: 'm3',
      ...consent(true),
    })
    expect((await people()).map(({ id }) => id)).toEqual([before[0]!.id])
    expect(
      (
        await hub.state.db
          .selectFrom('persons')
          .select('merged_into')
          .where('id', '=', before[1]!.id)
          .executeTakeFirstOrThrow()
      ).merged_into,
    ).toBe(before[0]!.id)
    expect((await hub.state.db.selectFrom('merge_log').selectAll().execute()).length).toBe(1)
    await send({
      type: 'track',
      event: 'Page Read',
      userId: 'u2',
      anonymousId: 'd1',
      messageId: 'm4',
      ...consent(true),
    })
    expect((await people()).length).toBe(2)
    expect(
      (await hub.state.db.selectFrom('edges').select('refused').where('refused', 'is not', null).execute()).map(
        ({ refused }) => refused,
      ),
    ).toEqual(['limit:userId'])
  })

  test('an abandoned cart is answered once; a purchase in time stops it, and a withdrawal blocks it', async () => {
    const add = (userId: string, messageId: string) => ({
      type: 'track',
      event: 'Product Added',
      userId,
      messageId,
      properties: { product_id: 'p', price: 50, quantity: 1, currency: 'BRL' },
    })
    for (const user of ['left', 'bought', 'left-cheap'])
      await send({
        type: 'identify',
        userId: user,
        messageId: `i-${user}`,
        traits: { email: `${user}@example.com` },
        ...consent(true),
      })
    await send([
      add('left', 'l1'),
      add('bought', 'b1'),
      { ...add('left-cheap', 'c1'), properties: { product_id: 'p', price: 1, quantity: 1, currency: 'BRL' } },
    ])
    expect((await hub.state.db.selectFrom('wakeups').selectAll().execute()).length).toBe(3)
    await send({
      type: 'track',
      event: 'Order Completed',
      userId: 'bought',
      messageId: 'b2',
      properties: { order_id: 'o1', total: 50, currency: 'BRL' },
    })
    await until(async () => vendor.requests.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    await hub.drained()
    expect(vendor.requests.map(({ body }) => (JSON.parse(body) as { email: string }).email)).toEqual([
      'left@example.com',
    ])
    expect(await hub.state.db.selectFrom('wakeups').selectAll().execute()).toEqual([])
    const results = (await storedDecisions(hub.state))
      .filter(({ rule }) => rule === 'carrinho')
      .map(({ result }) => result)
    expect(results).toContain('ENQUEUED')
    expect(results).toContain('NOT_MATCHED')
    // The cap holds: the same cart again today sends nothing more.
    await send(add('left', 'l2'))
    await until(async () => (await storedDecisions(hub.state)).some(({ result }) => result === 'CAPPED'))
    expect(vendor.requests.length).toBe(1)
  })

  test('a failing vendor: retried with the very same bytes, though the profile changed meanwhile', async () => {
    await send({
      type: 'identify',
      userId: 'u1',
      messageId: 'r1',
      traits: { email: 'antes@example.com', name: 'Antes' },
      ...consent(true),
    })
    vendor.answer = (_request, response) => response.writeHead(503, { 'retry-after': '3600' }).end()
    await send({
      type: 'track',
      event: 'Product Viewed',
      userId: 'u1',
      messageId: 'r2',
      properties: { product_id: 'p' },
    })
    await send({ type: 'identify', userId: 'u1', messageId: 'r3', traits: { name: 'Depois' }, ...consent(true) })
    const row = await hub.state.db.selectFrom('deliveries').selectAll().executeTakeFirstOrThrow()
    expect(row).toMatchObject({ status: 'retry', reason: 'RETRY', attempt: 1 })
    expect(row.due_at - Date.now()).toBeGreaterThan(3_000_000)
    vendor.answer = (_request, response) => response.writeHead(200).end('{}')
    await hub.state.db.updateTable('deliveries').set({ due_at: 0 }).execute()
    await until(async () => vendor.requests.length === 2)
    expect(vendor.requests[1]!.body).toBe(vendor.requests[0]!.body)
    expect(vendor.requests[1]!.headers['idempotency-key']).toBe(vendor.requests[0]!.headers['idempotency-key'])
  })

  test('refused for good: a dead letter, re-driven by filter after a dry run', async () => {
    await send({
      type: 'identify',
      userId: 'u1',
      messageId: 'x1',
      traits: { email: 'x@example.com' },
      ...consent(true),
    })
    vendor.answer = (_request, response) => response.writeHead(422).end('{}')
    await send({
      type: 'track',
      event: 'Product Viewed',
      userId: 'u1',
      messageId: 'x2',
      properties: { product_id: 'p' },
    })
    expect(await hub.state.db.selectFrom('deliveries').select(['status', 'reason']).execute()).toEqual([
      { status: 'dead', reason: 'REJECTED' },
    ])
    vendor.answer = (_request, response) => response.writeHead(200).end('{}')
    const redrive = (dryRun: boolean) =>
      hub.run({
        name: 'redriveDeliveries',
        args: { filter: { destination: 'hook', code: 'REJECTED' }, dryRun },
        actor: 'cli',
      })
    expect(await redrive(true)).toMatchObject({
      ok: true,
      value: { deliveries: 1, people: 1, leftOut: [], dryRun: true },
    })
    expect(await redrive(false)).toMatchObject({ ok: true, value: { deliveries: 1, people: 1, dryRun: false } })
    await until(
      async () =>
        (await hub.state.db.selectFrom('deliveries').select('status').executeTakeFirstOrThrow()).status === 'delivered',
    )
    expect(await redrive(true)).toMatchObject({ value: { deliveries: 0 } })
  })

  test('a zombie whose position was taken writes nothing', async () => {
    const state: StateStore = await openState(
      { file: `${place.dir}/data/state.db`, postgres: hub.config.config.storage?.state },
      { migrate: false },
    )
    const position = await state.db.selectFrom('positions').selectAll().executeTakeFirstOrThrow()
    const batch = new Batch(Date.now(), createKeys(loadMasterKey(`${place.dir}/data/master.key`)))
    batch.count('source:zombie', 'KEPT')
    const move = { partition: 0, logId: position.log_id, from: position.position + 77, to: position.position + 78 }
    await expect(commitBatch(batch, state, move)).rejects.toThrow(PositionTaken)
    expect(await state.db.selectFrom('rollups').selectAll().where('origin', '=', 'source:zombie').execute()).toEqual([])
    await state.close()
  })

  test('many rows at once, whatever their number', async () => {
    for (const count of [1, 7, 8, 63, 64, 65, 200]) {
      const rows = Array.from({ length: count }, (_, n) => [count, `t:${n}`, 'KEPT', 1])
      await hub.state.transaction((trx) =>
        insertMany(
          trx,
          hub.state.dialect,
          'rollups',
          ['minute', 'origin', 'code', 'count'],
          rows,
          'on conflict (minute, origin, code) do update set count = rollups.count + excluded.count',
        ),
      )
      const sum = await hub.state.db
        .selectFrom('rollups')
        .select((eb) => eb.fn.sum<number>('count').as('n'))
        .where('minute', '=', count)
        .executeTakeFirstOrThrow()
      expect(Number(sum.n)).toBe(count)
    }
  })
})
