/** A backtest over HTTP: one at a time, followed, cancelled; and why of one person, by those who may read the ledger. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BacktestReport } from '../../../schemas/backtest.ts'
import type { WhyAnswer } from '../../../schemas/why.ts'
import type { Range, Running } from '../../backtests/jobs.ts'
import { ConfigError } from '../../kit/errors.ts'
import type { WantedRule } from '../../replay/prepare.ts'
import { adminCalls } from '../../testing/admin-calls.ts'
import { type AdminHub, startAdminHub } from '../../testing/admin-hub.ts'

const REPORT = { samples: [{ person: '01PSEUDONYM' }] } as unknown as BacktestReport
const WHY = { person: 'p1', sentence: { pt: 'Porque sim.', en: 'Because.' } } as unknown as WhyAnswer
let hub: AdminHub
/** The backtest that runs: the test says how it goes on. */
let run: {
  wanted: WantedRule
  range: Range
  running: Running
  done(report: BacktestReport): void
  fail(e: Error): void
}

beforeAll(async () => {
  hub = await startAdminHub({
    backtest: (wanted, range, running) =>
      new Promise((done, fail) => {
        run = { wanted, range, running, done, fail }
        running.stop.addEventListener('abort', () => fail(new Error('stopped')))
      }),
    why: async (person, rule) => (rule !== 'grande' ? 'NO_RULE' : person === 'p1' ? WHY : 'NOBODY'),
  })
})
afterAll(() => hub.close())

const call = adminCalls(() => hub)
const job = async (id: string) => (await call('GET', `/api/backtests/${id}`, 'marketing')).body
async function start(body: unknown = { rule: 'grande' }): Promise<string> {
  const { status, body: made } = await call('POST', '/api/backtests', 'marketing', body)
  expect([status, made.status]).toEqual([202, 'running'])
  return made.id
}

test('one runs at a time, says how far it is, and gives its report with people by pseudonym', async () => {
  const id = await start({ rule: 'grande', from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' })
  expect(run).toMatchObject({ wanted: { id: 'grande' }, range: { from: Date.parse('2026-01-01T00:00:00Z') } })
  expect(await call('POST', '/api/backtests', 'marketing', { rule: 'outra' })).toMatchObject({
    status: 409,
    body: { error: { code: 'BUSY' } },
  })
  run.running.onRule('grande@3')
  run.running.onTotal(120)
  run.running.onPeople(50)
  run.running.onPeople(20)
  expect(await job(id)).toMatchObject({ job: { status: 'running', people: { done: 70, total: 120 } }, report: null })
  run.done(REPORT)
  await expect.poll(() => job(id)).toMatchObject({ job: { status: 'done' }, report: REPORT })
  expect((await call('GET', '/api/backtests', 'marketing')).body.items[0]).toMatchObject({ id, rule: 'grande@3' })
})

test('cancelled: it stops at once, stays cancelled, and the next one may begin', async () => {
  const id = await start({ text: 'id: novo' })
  expect(run.wanted).toEqual({ file: 'rule.yaml', text: 'id: novo' })
  expect((await call('POST', `/api/backtests/${id}/cancel`, 'marketing')).body.status).toBe('cancelled')
  expect(run.running.stop.aborted).toBe(true)
  const next = await start()
  run.fail(new ConfigError('there is no published rule grande'))
  await expect
    .poll(() => job(next))
    .toMatchObject({ job: { status: 'failed', error: 'there is no published rule grande' }, report: null })
  expect((await job(id)).job.status).toBe('cancelled')
  expect((await call('POST', `/api/backtests/${next}/cancel`, 'marketing')).body.status).toBe('failed')
  const broken = await start()
  run.fail(new Error('ana@loja.example'))
  await expect.poll(async () => (await job(broken)).job.error).toBe('The backtest failed (Error).')
})

test('what does not fit, what is not there and who may not are refused', async () => {
  expect((await call('POST', '/api/backtests', 'marketing', {})).status).toBe(400)
  expect((await call('POST', '/api/backtests', 'marketing', { rule: 'a', text: 'b' })).status).toBe(400)
  const turned = { rule: 'a', from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }
  expect((await call('POST', '/api/backtests', 'marketing', turned)).status).toBe(400)
  expect((await call('GET', '/api/backtests/nothing', 'marketing')).status).toBe(404)
  expect((await call('POST', '/api/backtests', 'viewer', { rule: 'grande' })).status).toBe(403)
})

test('why of a person and a rule, for those who may read the ledger', async () => {
  const path = '/api/people/p1/rules/grande/why'
  expect(await call('GET', path, 'compliance')).toEqual({ status: 200, body: WHY })
  expect((await call('GET', path, 'viewer')).status).toBe(403)
  expect((await call('GET', '/api/people/p2/rules/grande/why', 'compliance')).body.error.message).toContain('Nobody')
  expect((await call('GET', '/api/people/p1/rules/nada/why', 'compliance')).body.error.message).toContain('No rule')
  const { paths } = (await call('GET', '/api/openapi.json', 'viewer')).body
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(['/api/people/{id}/rules/{rule}/why', '/api/backtests', '/api/backtests/{id}/cancel']),
  )
})
