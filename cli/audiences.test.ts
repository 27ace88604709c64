/** `anuente audiences` on the files of a hub that does not run. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeys, loadMasterKey } from '../core/keys.ts'
import { openLogWriter } from '../core/log/sqlite/log.ts'
import { openState } from '../core/stores/open.ts'
import { typed } from './typed.fixture.ts'

const dir = mkdtempSync(join(tmpdir(), 'anuente-audiences-'))
const now = Date.now()
const HOUR = 3_600_000

beforeAll(async () => {
  const audience = (value: number) =>
    `{title: {pt: P, en: A}, purpose: orders, who: {all: [{count: {event: Order Completed, window: P7D}, op: gte, value: ${value}}]}}`
  writeFileSync(
    join(dir, 'anuente.yaml'),
    `organization: {name: Loja}
storage: {dir: ./data}
purposes: {orders: {basis: contract, scope: person, title: {pt: P, en: O}, collects: ["Order *"], stages: [collect, decide, activate], opens: [Order Completed], ends: P5Y}}
sources: {site: {connector: segment, settings: {writeKey: wk_site}}}
audiences:
  buyers: ${audience(1)}
  often: ${audience(2)}
`,
  )
  mkdirSync(join(dir, 'data'), { recursive: true })
  const state = await openState({ file: join(dir, 'data', 'state.db') })
  const stay = (id: string, audience: string, person_id: string, left_at: number | null) => ({
    ...{ id, audience, person_id, left_at, entered_at: now - 5 * HOUR, event_id: null, left_event_id: null },
    ...{ why_entered: '[]', why_left: null },
  })
  await state.db
    .insertInto('audience_stays')
    .values([
      stay('s1', 'buyers', 'p_ana', null),
      stay('s2', 'often', 'p_ana', null),
      stay('s3', 'buyers', 'p_bia', now - HOUR),
    ])
    .execute()
  const told = { destination: 'meta', node_id: 'n1', person_id: 'p_ana', member: 1, delivery_id: 'd1', at: now - HOUR }
  await state.db
    .insertInto('audience_pushes')
    .values({ audience: 'old', ...told })
    .execute()
  const list = { audience: 'old', destination: 'meta', former: null, hash: 'x' }
  await state.db
    .insertInto('audience_lists')
    .values({ ...list, told: '{}', closed_at: null, closed_by: null, reason: null })
    .execute()
  await state.close()
  openLogWriter(
    join(dir, 'data', 'log.db'),
    createKeys(loadMasterKey(join(dir, 'data', 'master.key'), {})),
    undefined,
  ).close()
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const anuente = (...args: string[]) => typed(['audiences', ...args], { config: join(dir, 'anuente.yaml') })

test('overlap, members of now and of then, and the size before anybody is in', async () => {
  expect((await anuente('overlap', 'buyers')).out).toMatch(/often +1 +1/)
  expect((await anuente('members', 'buyers')).out).not.toContain('p_bia')
  const then = await anuente('members', 'buyers', '--at', new Date(now - 2 * HOUR).toISOString())
  expect(then.out).toMatch(/p_ana[\s\S]*p_bia|p_bia[\s\S]*p_ana/)
  const ahead = await anuente('members', 'buyers', '--at', 'yesterday')
  expect(ahead).toMatchObject({ code: 1, err: expect.stringContaining('"at" must be a date') })
  expect((await anuente('preview', 'buyers')).out).toContain('buyers: about 0 of 0 people')
  expect(await anuente('preview', 'nobody')).toMatchObject({ code: 1, err: expect.stringContaining('buyers, often') })
})

test('a list nobody keeps is told with what to do, and closed with a reason', async () => {
  const { out } = await anuente('left')
  expect(out).toContain('1 person is on the list of "old" at "meta"')
  expect(out).toContain('anuente audiences close old meta')
  expect((await anuente('list')).out).toContain('anuente audiences left')
  expect((await anuente('close', 'old', 'meta', '--reason', 'gone')).code).toBe(1)
  const closed = await anuente('close', 'old', 'meta', '--reason', 'emptied by Rita in the ad account')
  expect(closed.out).toContain('Lists that are left: 0')
  expect((await anuente('left')).out).toBe('Nobody is on a list that no audience keeps.\n')
})
