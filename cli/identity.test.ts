/** `anuente identity` on the files of a hub that is not running. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeys, loadMasterKey } from '../core/keys.ts'
import { openState, type StateStore } from '../core/stores/open.ts'
import { holdJoined, JOINED, joinPeople } from '../core/testing/joined-people.ts'
import { typed } from './typed.fixture.ts'

const EDGE = `${JOINED.a}:${JOINED.b}`
const REASON = 'two sisters with one e-mail'
const now = Date.now()
const dir = mkdtempSync(join(tmpdir(), 'anuente-cli-identity-'))
let state: StateStore

beforeAll(async () => {
  writeFileSync(
    join(dir, 'anuente.yaml'),
    'organization: {name: Loja Exemplo, timezone: America/Sao_Paulo}\nstorage: {dir: ./data}\nsources: {}\npurposes: {}\n',
  )
  mkdirSync(join(dir, 'data'))
  state = await openState({ file: join(dir, 'data', 'state.db') })
  await joinPeople(state, createKeys(loadMasterKey(join(dir, 'data', 'master.key'), {})), now)
})
afterAll(async () => {
  await state.close()
  rmSync(dir, { recursive: true, force: true })
})

const call = (...args: string[]) => typed(['identity', ...args], { config: join(dir, 'anuente.yaml') })

test('shows who is who and by what evidence, for people and for programs, without a value', async () => {
  const shown = await call('show', JOINED.b)
  expect(shown).toMatchObject({ code: 0, err: '' })
  expect(shown.out).toContain(`person ${JOINED.a}, before: ${JOINED.b}`)
  expect(shown.out).toMatch(new RegExp(`${JOINED.b} +email`))
  expect(shown.out).not.toContain('bia@')
  const edges = await call('edges', JOINED.a, '--json')
  expect(JSON.parse(edges.out)).toMatchObject({ ...{ a: JOINED.a, b: JOINED.b }, strength: 'stated', refused: null })
  const merges = await call('merges', JOINED.a, '--json')
  expect(JSON.parse(merges.out)).toMatchObject({ from: JOINED.b, into: JOINED.a, undoneAt: null })
  const nobody = await call('show', 'nobody')
  expect([nobody.code, nobody.err]).toEqual([1, expect.stringContaining('Nobody has this')])
})

test('a dry run says both sides, a hold and a missing reason refuse, the act takes them apart', async () => {
  const trial = await call('unmerge', '--edge', EDGE, '--dry-run')
  expect(trial).toMatchObject({ code: 0, err: '' })
  expect(trial.out).toContain('Nothing was changed')
  for (const id of [JOINED.a, JOINED.b]) expect(trial.out).toContain(`person ${id}: 1 identifiers, 1 events`)

  expect((await call('unmerge', '--edge', EDGE)).err).toContain('Say why')
  expect((await call('unmerge', '--edge', JOINED.a, '--dry-run')).err).toContain('is no edge')
  await holdJoined(state, now)
  const held = await call('unmerge', '--edge', EDGE, '--reason', REASON)
  expect([held.code, held.err]).toEqual([1, expect.stringContaining('legal hold')])
  await state.db.deleteFrom('legal_holds').execute()

  const done = await call('unmerge', '--edge', EDGE, '--reason', REASON, '--json')
  expect(JSON.parse(done.out)).toMatchObject({ dryRun: false, sides: [{ personId: JOINED.a }, { personId: JOINED.b }] })
  expect(await state.db.selectFrom('identity_acts').select(['kind', 'actor', 'reason']).execute()).toEqual([
    { kind: 'unmerge', actor: 'cli', reason: REASON },
  ])
  expect((await call('edges', JOINED.b)).out).toContain('unmerged')
})

test('blocks a value and lifts the block, for whoever has it by now', async () => {
  const blocked = await call('block', 'email', 'BIA@loja.example', '--reason', 'mailbox of the shop')
  expect(blocked.out).toContain(`Joins nobody from now on. Person ${JOINED.b} has it, with 1 identifiers.`)
  expect((await state.db.selectFrom('blocked_values').select('type').execute()).map(({ type }) => type)).toEqual([
    'email',
  ])
  const lifted = await call('block', 'email', 'bia@loja.example', '--lift', '--reason', 'it is a customer after all')
  expect(lifted.out).toContain('May join again.')
  expect(await state.db.selectFrom('blocked_values').selectAll().execute()).toEqual([])
  expect((await call('block', 'shoe', '42', '--reason', 'mailbox of the shop')).err).toContain('No such identifier')
})
