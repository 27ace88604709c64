import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Config } from '../../schemas/config.ts'
import { openState, type StateStore } from '../stores/open.ts'
import { publishPolicy } from './published-policy.ts'

let state: StateStore
beforeEach(async () => {
  state = await openState({ file: ':memory:' })
})
afterEach(() => state.close())

const notice = (over: object = {}) => ({ version: 1, since: '2026-01-01', text: 'Aviso', covers: {}, ...over })
const publish = (config: Pick<Config, 'notices' | 'destinations'>) => publishPolicy(config, state, 1_800_000_000_000)
const entries = async () =>
  (await state.db.selectFrom('ledger_pending').select('public').orderBy('id').execute()).map(
    (row) => JSON.parse(row.public) as Record<string, unknown>,
  )

test('a notice is published once, with the hash of its text in the ledger', async () => {
  await publish({ notices: { cookies: [notice()] } })
  await publish({ notices: { cookies: [notice(), notice({ version: 2, materialChange: ['9.V'] })] } })
  expect(await entries()).toMatchObject([
    { type: 'notice.published', subject: 'hub', notice: { id: 'cookies', version: 1 }, material: [] },
    { type: 'notice.published', notice: { id: 'cookies', version: 2 }, material: ['9.V'] },
  ])
  expect((await entries())[0]!['text_sha256']).toMatch(/^[0-9a-f]{64}$/)
})

test('a published text that was changed stops the start, and nothing is written', async () => {
  await publish({ notices: { cookies: [notice()] } })
  await expect(publish({ notices: { cookies: [notice({ text: 'Aviso.' }), notice({ version: 2 })] } })).rejects.toThrow(
    /version 1 was published and now reads differently/,
  )
  expect(await entries()).toHaveLength(1)
  // Where the quotes of art. 9 stand is no part of what people were told.
  await publish({ notices: { cookies: [notice({ covers: { rights: 'x' } })] } })
})

test('a role changes only with a written reason, which goes into the ledger', async () => {
  const meta = { connector: 'meta', purposes: [], role: 'controller' as const }
  await publish({ destinations: { meta } })
  await publish({ destinations: { meta } })
  expect(await entries()).toEqual([])
  const { role: _, ...operator } = meta
  await expect(publish({ destinations: { meta: operator } })).rejects.toThrow(/was controller and is now operator/)
  const roleChange = {
    from: 'controller' as const,
    reason: 'Amendment of May: Meta processes on our instructions only.',
    by: 'Ana',
    at: '2026-05-02',
  }
  await publish({ destinations: { meta: { ...operator, roleChange } } })
  expect(await entries()).toMatchObject([
    { type: 'destination.role', destination: 'meta', from: 'controller', to: 'operator', reason: roleChange.reason },
  ])
  // The field may stay in the file; it is no licence for the way back.
  await publish({ destinations: { meta: { ...operator, roleChange } } })
  await expect(publish({ destinations: { meta: { ...meta, roleChange: { ...roleChange } } } })).rejects.toThrow(
    /was operator/,
  )
})
