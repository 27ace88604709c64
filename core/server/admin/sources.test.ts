/** The page of one source and its plan, as the API tells them, held against their schemas. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { TSchema } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { emptySketch } from '../../../consent/sketch.ts'
import { DeliveryStats } from '../../../schemas/deliveries.ts'
import { CountedViolations, SourcePlanView } from '../../../schemas/plan.ts'
import { RedriveAnswer } from '../../../schemas/quarantine.ts'
import { SourceReport } from '../../../schemas/sources.ts'
import { compilePlan, readPlan } from '../../plans/plan.ts'
import { publishPlans } from '../../plans/publish.ts'
import { type AdminHub, adminHubConfig, startAdminHub } from '../../testing/admin-hub.ts'

const ajv = new Ajv2020({ strict: false })
const DAY_MS = 86_400_000
const now = Date.now()
const minute = Math.floor(now / 60_000)
const today = Math.floor(now / DAY_MS)
const plan = compilePlan(
  readPlan({ file: 'site.yaml', text: 'version: 3\nmode: block\nevents: {A: {properties: {required: [x]}}}' }),
)
let hub: AdminHub
let token: string

beforeAll(async () => {
  hub = await startAdminHub({
    config: {
      sources: { ...adminHubConfig.sources, site: { ...adminHubConfig.sources['site']!, plan: 'plans/site.yaml' } },
    },
    commands: {
      redriveQuarantine: async (args) => ({
        redriven: 1,
        changed: 1,
        refused: {},
        samples: [],
        more: false,
        dryRun: args['dryRun'],
      }),
    },
  })
  token = ((await hub.run('createToken', { name: 't', role: 'admin' })) as { value: { value: string } }).value.value
  await publishPlans({ sourceSettings: new Map([['site', { id: 'site', plan }]]) as never }, hub.state, now)
  const counts: [string, string, number][] = [
    ['source:site', 'RECEIVED', 100],
    ['source:site', 'KEPT', 60],
    ['source:site', 'DUPLICATE', 9],
    ['source:site', 'ECHO', 2],
    ['source:site', 'COPY', 4],
    ['source:site', 'HELD', 5],
    ['source:site', 'CONSENT_DENIED', 7],
    ['source:site', 'PLAN_BLOCKED', 3],
    ['source:site', 'INVALID', 1],
    ['source:site', 'PLAN_PASSED', 6],
    ['source:app', 'RECEIVED', 999],
    ['skew:site', 'second', 80],
    ['skew:site', 'hour', 20],
    ['wanted:site', 'email_marketing', 40],
    ['destination:crm', 'RECEIVED', 12],
    ['destination:crm', 'DELIVERED', 8],
    ['destination:crm', 'RETRY', 3],
    ['destination:crm', 'BLOCKED_BY_CONSENT', 2],
    ['destination:crm', 'EXHAUSTED', 1],
  ]
  await hub.state.db
    .insertInto('rollups')
    .values(counts.map(([origin, code, count]) => ({ minute: minute - 2, origin, code, count })))
    .execute()
  await hub.state.db
    .insertInto('consent_gaps')
    .values({
      source_id: 'site',
      reason: 'never_asked',
      purpose: 'email_marketing',
      day: today,
      events: 30,
      people: Buffer.from(emptySketch()),
      sample: null,
    })
    .execute()
  const violation = {
    source_id: 'site',
    event: 'A',
    kind: 'missing',
    path: '/properties/x',
    expected: '',
    plan_version: 3,
  }
  const times = { first_at: now - DAY_MS, last_at: now, shape: '{"properties":{"y":"string"}}' }
  await hub.state.db
    .insertInto('plan_violations')
    .values([
      { ...violation, ...times, day: today - 1, events: 2, quarantined: 0, blocked: 2 },
      { ...violation, ...times, day: today, events: 3, quarantined: 1, blocked: 2 },
      { ...violation, ...times, source_id: 'app', day: today, events: 9, quarantined: 0, blocked: 0 },
    ])
    .execute()
  hub.emit(
    {
      id: 'e1',
      at: now - 2,
      kind: 'event',
      origin: 'site',
      type: 'track',
      name: 'A',
      stage: 'normalize',
      code: 'PLAN_BLOCKED',
    },
    { id: 'e2', at: now - 1, kind: 'event', origin: 'app', type: 'page', name: '', stage: 'apply', code: 'KEPT' },
  )
})
afterAll(() => hub.close())

async function call<T>(path: string, schema?: TSchema, body?: object): Promise<{ status: number; body: T }> {
  const response = await hub.app.inject({
    method: body ? 'POST' : 'GET',
    url: path,
    headers: { authorization: `Bearer ${token}` },
    ...(body && { payload: body }),
  })
  const answer = JSON.parse(response.body) as T
  if (schema && response.statusCode === 200) {
    const validate = ajv.compile(schema)
    expect(validate(answer), JSON.stringify(validate.errors)).toBe(true)
  }
  return { status: response.statusCode, body: answer }
}
const at = (time: number) => encodeURIComponent(new Date(time).toISOString())

test('a source over the last day: each count in its place', async () => {
  const { body } = await call<SourceReport>('/api/sources/site/report', SourceReport)
  expect(body).toMatchObject({
    received: 100,
    kept: 60,
    duplicates: 9,
    echoes: 2,
    copies: 4,
    held: 5,
    dropped: [
      { code: 'CONSENT_DENIED', count: 7 },
      { code: 'PLAN_BLOCKED', count: 3 },
    ],
    quarantined: [{ code: 'INVALID', count: 1 }],
    plan: { version: 3, passed: 6, blocked: 3 },
    newest: [{ id: 'e1', code: 'PLAN_BLOCKED' }],
  })
  expect(body.skew.filter(({ count }) => count > 0)).toEqual([
    { step: 'second', count: 80 },
    { step: 'hour', count: 20 },
  ])
  expect(body.consent).toMatchObject([
    { purpose: 'email_marketing', wanted: 40, answered: 10, gaps: [{ reason: 'never_asked', events: 30 }] },
  ])
  expect(body.consent[0]!.gaps[0]!.remedy.pt).toContain('Ofertas por e-mail')
  expect(body.series.received.reduce((sum, count) => sum + count, 0)).toBe(100)
})

test('another range is another answer; an unknown source and a turned range are told', async () => {
  const before = `from=${at(now - 3 * DAY_MS)}&to=${at(now - 2 * DAY_MS)}`
  expect((await call<SourceReport>(`/api/sources/site/report?${before}`, SourceReport)).body).toMatchObject({
    received: 0,
    consent: [],
  })
  expect((await call(`/api/sources/nobody/report`)).status).toBe(404)
  expect((await call(`/api/sources/site/report?from=${at(now)}&to=${at(now - 1)}`)).status).toBe(400)
})

test('violations over days are added up; a plan is told with its versions', async () => {
  const { body } = await call<CountedViolations>('/api/violations?source=site', CountedViolations)
  expect(body.items).toMatchObject([{ event: 'A', kind: 'missing', events: 5, blocked: 4, quarantined: 1, passed: 0 }])
  expect((await call<SourcePlanView>('/api/plans/site', SourcePlanView)).body).toMatchObject({
    file: 'plans/site.yaml',
    version: 3,
    mode: 'block',
    unplanned: 'allow',
    versions: [{ version: 3 }],
  })
  expect((await call<SourcePlanView>('/api/plans/app', SourcePlanView)).body).toMatchObject({
    file: null,
    version: null,
    body: null,
  })
  expect((await call('/api/plans/site?version=2')).status).toBe(404)
})

test('fixes go to the command as they are; a wrong one does not get that far', async () => {
  const fixes = [{ op: 'move', from: '/properties/y', path: '/properties/x' }]
  const body = { filter: { source: 'site', code: 'PLAN_VIOLATION' }, fixes, dryRun: true }
  expect((await call('/api/quarantine/redrive', RedriveAnswer, body)).body).toMatchObject({ redriven: 1, dryRun: true })
  expect(hub.ran.at(-1)).toMatchObject({
    name: 'redriveQuarantine',
    args: { filter: { source: 'site', code: 'PLAN_VIOLATION' }, fixes, asIs: false, dryRun: true },
  })
  expect((await call('/api/quarantine/redrive', undefined, { ...body, fixes: [{ op: 'copy' }] })).status).toBe(400)
})

test('deliveries over time per destination', async () => {
  const { body } = await call<DeliveryStats>('/api/deliveries/stats?destination=crm', DeliveryStats)
  expect(body.items).toMatchObject([
    {
      destination: 'crm',
      created: 12,
      outcomes: { delivered: 8, retried: 3, blocked: 2, failed: 1, held_out: 0 },
    },
  ])
  expect(body.items[0]!.reasons.map(({ code }) => code)).toEqual(['RETRY', 'BLOCKED_BY_CONSENT', 'EXHAUSTED'])
})
