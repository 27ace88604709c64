/** `anuente deliveries` on the files of a hub that does not run. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeys, loadMasterKey } from '../core/keys.ts'
import { openLogWriter } from '../core/log/sqlite/log.ts'
import { openState } from '../core/stores/open.ts'
import { deliveryRow } from '../core/testing/admin-hub.ts'
import { typed } from './typed.fixture.ts'

const dir = mkdtempSync(join(tmpdir(), 'anuente-deliveries-'))
const now = Date.now()

beforeAll(async () => {
  writeFileSync(
    join(dir, 'anuente.yaml'),
    `organization: {name: Loja}
storage: {dir: ./data}
purposes: {orders: {basis: contract, scope: person, title: {pt: P, en: O}, collects: ["Order *"], stages: [collect, decide, activate], opens: [Order Completed], ends: P5Y}}
sources: {site: {connector: segment, settings: {writeKey: wk_site}}}
destinations:
  chat: {connector: slack, country: BR, purposes: [orders], settings: {url: https://hooks.slack.com/services/T0/B0/abc}}
`,
  )
  mkdirSync(join(dir, 'data'), { recursive: true })
  const state = await openState({ file: join(dir, 'data', 'state.db') })
  const row = (id: string, more: Record<string, unknown>) => ({
    ...deliveryRow({ id, created_at: now - 60_000 }),
    destination: 'chat',
    action: 'postMessage',
    ...more,
  })
  await state.db
    .insertInto('deliveries')
    .values([
      row('d-422', { status: 'dead', reason: 'REJECTED', answer: 'HTTP 422 missing field', settled_at: now, ord: 1 }),
      row('d-500', { status: 'dead', reason: 'EXHAUSTED', answer: 'HTTP 500', settled_at: now, ord: 2 }),
      row('d-ok', {
        event_id: 'another',
        status: 'delivered',
        reason: 'DELIVERED',
        answer: 'ok',
        settled_at: now,
        ord: 3,
      }),
    ] as never)
    .execute()
  await state.db
    .insertInto('attempts')
    .values({ delivery_id: 'd-422', n: 1, at: now, outcome: 'REJECTED', reason: 'HTTP 422 missing field' })
    .execute()
  const minute = Math.floor(now / 60_000) - 1
  await state.db
    .insertInto('rollups')
    .values([
      { minute, origin: 'destination:chat', code: 'DELIVERED', count: 5 },
      { minute, origin: 'destination:chat', code: 'REJECTED', count: 1 },
      { minute, origin: 'destination:chat', code: 'EXHAUSTED', count: 1 },
    ])
    .execute()
  await state.close()
  openLogWriter(
    join(dir, 'data', 'log.db'),
    createKeys(loadMasterKey(join(dir, 'data', 'master.key'), {})),
    undefined,
  ).close()
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const anuente = (...args: string[]) => typed(['deliveries', ...args], { config: join(dir, 'anuente.yaml') })

test('stats: how they ended, and why', async () => {
  const { out } = await anuente('stats')
  expect(out).toMatch(/^destination +delivered +retried +failed/)
  expect(out).toMatch(/\nchat +5 +0 +2 +0 +0 +0 +0 +0 +0 +2\n/)
  expect(out).toMatch(/chat +REJECTED +1/)
  expect((await anuente('stats', '--destination', 'nobody')).err).toMatch(
    /no destination is called nobody. Known: chat/,
  )
})

test('list: dead letters by what the vendor answered; show: one with its attempts', async () => {
  const { out } = await anuente('list')
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[0]),
  ).toEqual(['d-500', 'd-422'])
  const one = (await anuente('list', '--http', '422', '--json')).out.trim()
  expect(JSON.parse(one)).toMatchObject({ id: 'd-422', reason: 'REJECTED', answer: 'HTTP 422 missing field' })
  expect((await anuente('list', '--since', '2h', '--code', 'DELIVERED')).out).toContain('d-ok')
  expect((await anuente('show', 'd-422')).out).toMatch(/attempt 1 +\S+ +REJECTED +HTTP 422 missing field/)
  expect(await anuente('show', 'nothing')).toMatchObject({
    code: 1,
    err: expect.stringContaining('no delivery has the id'),
  })
})

test('redrive without a hub: looked at first; nobody known is left out with the reason', async () => {
  const { out, err } = await anuente('redrive', '--http', '422', '--dry-run')
  expect(out).toMatch(/would go again +0, to 0 people\nleft out: SUBJECT_SUPPRESSED +1/)
  expect(out).toMatch(/d-422 +chat +postMessage +SUBJECT_SUPPRESSED/)
  expect(err).toMatch(/Nothing was changed/)
})
