/** Whose turn it is: one asks at a time, a dead one loses its turn, failures wait longer each time. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openState, type StateStore } from '../stores/open.ts'
import { LEASE_MS, type PollTurn, pollCommands } from './commands.ts'

const MINUTE = 60_000
let dir: string
let state: StateStore
let now: number

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-polls-'))
  state = await openState({ file: join(dir, 'state.db'), postgres: undefined })
  now = Date.parse('2026-11-24T12:00:00Z')
})
afterEach(async () => {
  await state.close()
  rmSync(dir, { recursive: true, force: true })
})

const call = (name: string, args: object = {}) =>
  pollCommands[name]!({ source: 'erp', ...args }, { state, actor: 'hub', now })
const begin = (more: object = {}) => call('beginPoll', more) as Promise<PollTurn | null>
const row = () => state.db.selectFrom('polls').selectAll().executeTakeFirstOrThrow()

test('a second process waits until the first is done, and goes on from its cursor', async () => {
  const first = await begin()
  expect(await begin({ force: true })).toBeNull()
  await call('keepPoll', { token: first!.token, cursor: { after: 7 }, recorded: 3, quarantined: 1 })
  await call('endPoll', { token: first!.token, everySeconds: 300 })
  expect(await begin()).toBeNull()
  now += 300_000
  expect(await begin()).toMatchObject({ cursor: { after: 7 } })
  expect(await row()).toMatchObject({ recorded: 3, quarantined: 1, error: null })
})

test('one that died loses its turn, and writes nothing when it wakes up again', async () => {
  const dead = await begin()
  await call('keepPoll', { token: dead!.token, cursor: 1 })
  now += LEASE_MS - 1
  expect(await begin()).toBeNull()
  now += 1
  const heir = await begin()
  expect(heir).toMatchObject({ cursor: 1 })
  await call('keepPoll', { token: heir!.token, cursor: 2 })
  await expect(call('keepPoll', { token: dead!.token, cursor: 1 })).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(call('endPoll', { token: dead!.token, everySeconds: 1 })).rejects.toMatchObject({ code: 'CONFLICT' })
  expect((await row()).cursor).toBe('2')
})

test('a page is a sign of life', async () => {
  const slow = await begin()
  for (let page = 0; page < 5; page++) {
    now += LEASE_MS - 1
    await call('keepPoll', { token: slow!.token, cursor: page })
    expect(await begin({ force: true })).toBeNull()
  }
})

test('failures wait longer each time, up to an hour, and one success ends that', async () => {
  const waits: number[] = []
  for (let time = 0; time < 9; time++) {
    const turn = await begin({ force: true })
    await call('endPoll', { token: turn!.token, everySeconds: 3600, error: 'UNREACHABLE' })
    waits.push(((await row()).next_at - now) / MINUTE)
  }
  expect(waits).toEqual([0.5, 1, 2, 4, 8, 16, 32, 60, 60])
  expect(await row()).toMatchObject({ failures: 9, error: 'UNREACHABLE', ran_at: null })
  const turn = await begin({ force: true })
  await call('endPoll', { token: turn!.token, everySeconds: 3600 })
  expect(await row()).toMatchObject({ failures: 0, error: null, ran_at: now })
})
