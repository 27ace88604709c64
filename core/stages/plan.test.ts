/** An event that breaks its plan: through, aside or blocked; what it says of consent counts in every case. */
import { expect, test } from 'vitest'
import { compilePlan, readPlan } from '../plans/plan.ts'
import { readViolations } from '../plans/report.ts'
import { violationSentence } from '../plans/words.ts'
import { backtest } from '../replay/backtest.ts'
import { redriveQuarantine } from '../server/redrive.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, MINUTE, type Rig, SECOND } from '../testing/pipeline-rig.ts'
import { specRequest, specSource } from '../testing/spec-source.ts'
import { type OpenRig, onBothDatabases, onSqlite } from '../testing/state-contract.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { withRules } from '../testing/with-rules.ts'
import { type IngestPorts, isRefusal, normalize, record } from './ingest.ts'

const PLAN = `
version: 1
events:
  Order Completed:
    mode: quarantine
    properties:
      required: [order_id, total]
      properties: {order_id: {type: string}, total: {type: number}}
  Cart Viewed: {mode: block, properties: {required: [cart_id]}}
  Product Viewed: {properties: {required: [product_id]}}
`

const ports = (rig: Rig, text: string): IngestPorts => ({
  sources: new Map([
    [
      'site',
      specSource('site', compilePlan(readPlan({ file: 'site.yaml', text }), { file: 'site.yaml', unplanned: 'block' })),
    ],
  ]),
  byCredential: new Map(),
  purposes: rig.purposes,
  keys: rig.keys,
  log: rig.writer,
  maxLogBytes: Number.POSITIVE_INFINITY,
})

/** As a request of the source: through normalize and record. */
async function send(rig: Rig, ...bodies: readonly Record<string, unknown>[]): Promise<void> {
  const at = ports(rig, PLAN)
  const all = bodies.map((body) => {
    const request = specRequest('site', { userId: 'ana', timestamp: rig.at(), ...body }, rig.at())
    const normalized = normalize(request, at.sources.get('site')!, at)
    if (isRefusal(normalized)) throw new Error(normalized.message)
    return normalized
  })
  await record({ records: all.flatMap(({ records }) => records), fences: all.flatMap(({ fences }) => fences) }, at)
}

const order = (properties: Record<string, unknown>, more: Record<string, unknown> = {}) => ({
  type: 'track',
  event: 'Order Completed',
  messageId: 'm1',
  properties,
  ...more,
})
const STOP = { context: { consent: { email_marketing: 'denied' } } }

/** Ana agreed to e-mail, and a message to her waits to leave. */
async function waiting(open: OpenRig): Promise<Rig> {
  const rig = await open()
  await rig.take(
    identify({
      userId: 'ana',
      traits: { email: 'ana@example.com' },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      consent: [signal('email_marketing', 'grant', rig.at())],
    }),
  )
  rig.advance(MINUTE)
  return rig
}

const redrive = (rig: Rig, args: Record<string, unknown>, text = PLAN) =>
  redriveQuarantine(
    { name: 'redriveQuarantine', args, actor: 'test' },
    ports(rig, text),
    rig.state,
    async (command) => {
      await rig.state.db
        .updateTable('quarantine')
        .set({ status: 'redriven' })
        .where('id', 'in', command.args['ids'] as string[])
        .execute()
      return { ok: true, value: null }
    },
  )

const CART = `
id: carrinho
version: 1
when: {absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT30M}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}], expires: PT1H}
---
id: obrigado
version: 1
when: {event: Order Completed}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}], expires: PT1H}
`

onSqlite('an order that was set aside and re-driven later', (open) => {
  test('keeps its time: nothing late is sent for it, what waited goes on as if it had not come; a backtest tells the same', async () => {
    const rig = await waiting(() => open({ rules: CART.split('---'), destinations: { mail: {} } }))
    const began = rig.now
    const put = { name: 'Product Added', userId: 'ana', properties: { product_id: 'p1', price: 10, quantity: 1 } }
    await rig.take(track({ ...put, occurredAt: rig.at(), receivedAt: rig.at(), messageId: 'c1' }))
    rig.advance(10 * MINUTE)
    const orderedAt = rig.now
    await send(rig, order({ order_id: 'A-1', valor: '19,90' }))
    await rig.process()
    rig.advance(20 * MINUTE)
    await rig.fire()
    rig.advance(2 * 60 * MINUTE)
    const fixes = [
      { op: 'move', from: '/properties/valor', path: '/properties/total' },
      { op: 'coerce', path: '/properties/total', to: 'number' },
    ]
    expect(await redrive(rig, { filter: { code: 'PLAN_VIOLATION' }, fixes })).toMatchObject({ redriven: 1 })
    await rig.process()
    expect((await rig.history()).at(-1)).toMatchObject({
      name: 'Order Completed',
      occurred_at: orderedAt,
      received_at: orderedAt,
    })
    const live = await storedDecisions(rig.state)
    expect(live.map(({ rule, result }) => `${rule} ${result}`)).toEqual([
      'carrinho ARMED',
      'carrinho ENQUEUED',
      'obrigado EXPIRED',
    ])
    const { rules, settings } = withRules(rig, ...CART.split('---'))
    const told: string[] = []
    for (const rule of rules)
      await backtest({
        ...{ state: rig.state, keys: rig.keys, settings, rule, published: false, timezone: 'America/Sao_Paulo' },
        ...{ from: began, to: rig.now, now: rig.now },
        onDecision: (explanation) => told.push(`${explanation.rule} ${explanation.result}`),
      })
    expect(told).toEqual(live.map(({ rule, result }) => `${rule} ${result}`))
  })
})

onBothDatabases('events against a tracking plan', (open) => {
  test('through: kept as it is, counted with its shape; an SDK that sends it again counts once', async () => {
    const rig = await waiting(open)
    const viewed = { type: 'track', event: 'Product Viewed', messageId: 'v1', properties: { sku: 'p1', price: 10 } }
    await send(rig, viewed)
    await send(rig, viewed)
    await rig.process()
    expect((await rig.history()).map(({ name }) => name)).toContain('Product Viewed')
    expect(await rig.counts('source:site')).toMatchObject({ PLAN_PASSED: 1, DUPLICATE: 1 })
    // Of two in one batch the shape is that of the newer.
    const { sku: _, ...nameless } = viewed.properties
    await send(rig, { ...viewed, messageId: 'v2', properties: { ...nameless, id: 1 } }, { ...viewed, messageId: 'v3' })
    await rig.process()
    expect(await rig.state.db.selectFrom('plan_violations').selectAll().execute()).toMatchObject([
      {
        event: 'Product Viewed',
        kind: 'missing',
        path: '/properties/product_id',
        events: 3,
        quarantined: 0,
        shape: '{"properties":{"price":"integer","sku":"string"}}',
      },
    ])
  })

  test('aside: nothing of it is kept; it waits with its place and can be fixed and re-driven', async () => {
    const rig = await waiting(open)
    const before = (await rig.history()).length
    await send(rig, order({ order_id: 'A-1', valor: '19,90' }))
    await rig.process()
    expect(await rig.history()).toHaveLength(before)
    const [row] = await rig.state.db.selectFrom('quarantine').selectAll().execute()
    expect(row).toMatchObject({ code: 'PLAN_VIOLATION', path: '/properties/total', message: 'is missing (number)' })
    expect(await rig.counts('source:site')).toMatchObject({ PLAN_VIOLATION: 1 })

    expect(await redrive(rig, { filter: { code: 'PLAN_VIOLATION' } })).toMatchObject({
      redriven: 0,
      refused: { PLAN_VIOLATION: 1 },
    })
    const fixes = [
      { op: 'move', from: '/properties/valor', path: '/properties/total' },
      { op: 'coerce', path: '/properties/total', to: 'number' },
    ]
    const previewed = await redrive(rig, { filter: { code: 'PLAN_VIOLATION' }, fixes, dryRun: true })
    expect(previewed).toMatchObject({
      redriven: 1,
      changed: 1,
      samples: [
        {
          event: 'Order Completed',
          before: { properties: { order_id: 'string', valor: 'string' } },
          after: { properties: { order_id: 'string', total: 'number' } },
          violations: [],
        },
      ],
    })
    await rig.process()
    expect(await rig.history()).toHaveLength(before)

    expect(await redrive(rig, { filter: { code: 'PLAN_VIOLATION' }, fixes })).toMatchObject({ redriven: 1 })
    await rig.process()
    const history = await rig.history()
    expect(JSON.parse(history.at(-1)!.amounts)).toMatchObject({ total: 1990 })
    expect(await redrive(rig, { filter: { code: 'PLAN_VIOLATION' }, fixes })).toMatchObject({ redriven: 0 })
  })
})

onSqlite('events against a tracking plan, what no database changes', (open) => {
  test('as it is: whoever looked at it may let it through', async () => {
    const rig = await waiting(open)
    await send(rig, order({ order_id: 'A-1' }))
    await rig.process()
    expect(await redrive(rig, { filter: {}, asIs: true })).toMatchObject({ redriven: 1 })
    await rig.process()
    expect((await rig.history()).map(({ name }) => name)).toContain('Order Completed')
  })

  test('the fence of what is set aside stands until it is re-driven, and not longer', async () => {
    const rig = await waiting(open)
    const fences = async () => {
      await rig.writer.append([], [])
      return rig.log.fencesFor([rig.keys.identifier('userId', 'ana')]).length
    }
    await send(rig, order({ order_id: 'A-1', valor: '19,90' }, STOP))
    await rig.process()
    expect(await fences()).toBe(1)
    const fixes = [
      { op: 'move', from: '/properties/valor', path: '/properties/total' },
      { op: 'coerce', path: '/properties/total', to: 'number' },
    ]
    expect(await redrive(rig, { filter: {}, fixes })).toMatchObject({ redriven: 1 })
    await rig.process()
    expect(await fences()).toBe(0)
    expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('revoked')
  })

  test.each([
    ['quarantined', order({}, STOP)],
    ['blocked', { type: 'track', event: 'Cart Viewed', messageId: 'm1', properties: { note: 'x' }, ...STOP }],
    ['not in the plan', { type: 'track', event: 'Weird Thing', messageId: 'm1', properties: { note: 'x' }, ...STOP }],
  ])('a withdrawal on a %s event is in force from its 200, and stays', async (_, body) => {
    const rig = await waiting(open)
    await rig.take(
      track({
        name: 'Product Viewed',
        userId: 'ana',
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        properties: { product_id: 'p' },
      }),
    )
    await send(rig, body)
    // Recorded and not processed yet: the fence stands.
    await rig.deliver('crm')
    expect((await rig.deliveries('crm')).map(({ reason }) => reason)).toContain('BLOCKED_BY_FENCE')
    await rig.process()
    expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('revoked')
    expect(await rig.rows('withdrawals')).toBe(1)

    // Nothing ever releases the quarantined event; its answer needs no re-drive to stay.
    rig.advance(31 * DAY)
    await rig.restart()
    await rig.take(
      track({ name: 'Product Viewed', userId: 'ana', occurredAt: rig.at(), receivedAt: rig.at(), messageId: 'n' }),
    )
    rig.advance(SECOND)
    await rig.deliver('crm')
    expect(rig.seen).toEqual([])
  })

  test('of a blocked event nothing is kept, not even on its way', async () => {
    const rig = await waiting(open)
    const before = (await rig.history()).length
    await send(rig, { type: 'track', event: 'Cart Viewed', messageId: 'b', properties: { secret: 'zubrowka' } })
    expect(JSON.stringify(rig.log.read(rig.position, 10))).not.toContain('zubrowka')
    await rig.process()
    expect(await rig.history()).toHaveLength(before)
    expect(await rig.counts('source:site')).toMatchObject({ PLAN_BLOCKED: 1 })
    expect(await rig.rows('quarantine')).toBe(0)
    expect(await rig.state.db.selectFrom('plan_violations').select(['kind', 'blocked']).execute()).toEqual([
      { kind: 'missing', blocked: 1 },
    ])
  })

  test('what is told of a wrong type names the type that came', async () => {
    const rig = await open()
    await send(rig, order({ order_id: 'o1', total: 'R$ 10' }))
    await rig.process()
    const [told] = await readViolations(rig.state.db, { from: rig.now - DAY, to: rig.now + DAY })
    expect(violationSentence(told!)).toEqual({
      pt: '/properties/total: deveria ser number, veio string',
      en: '/properties/total: should be number, came as string',
    })
  })

  test('a contract is not opened by an order that is set aside', async () => {
    const rig = await open()
    await send(rig, order({}))
    await rig.process()
    expect(await rig.rows('consent_status')).toBe(0)
    expect(await rig.rows('nodes')).toBe(0)
  })

  test('a source that makes up names fills no table', async () => {
    const rig = await open()
    for (let part = 0; part < 3; part++) {
      const names = Array.from({ length: 250 }, (_, n) => `${part}-${n}`)
      await send(rig, ...names.map((name) => ({ type: 'track', event: `Made Up ${name}`, messageId: name })))
      await rig.process()
    }
    const rows = await rig.state.db.selectFrom('plan_violations').select(['event', 'events']).execute()
    expect(rows.length).toBe(501)
    expect(rows.find(({ event }) => event === '*')).toEqual({ event: '*', events: 250 })
  })
})
