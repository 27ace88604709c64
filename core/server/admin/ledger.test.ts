/** The ledger over the admin API: what its schemas say, for those who may, without anybody's data. */
import { randomBytes } from 'node:crypto'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Role } from '../../../schemas/admin.ts'
import { CheckpointAnswer, LedgerEntryPage, LedgerProof, LedgerStatus } from '../../../schemas/ledger.ts'
import { createKeys } from '../../keys.ts'
import { ledgerCommands } from '../../ledger/commands.ts'
import { hubEntry } from '../../ledger/hub-entry.ts'
import { ensureLedger } from '../../ledger/keyring.ts'
import { sequence } from '../../ledger/sequence.ts'
import { type AdminHub, fillAdminHub, startAdminHub } from '../../testing/admin-hub.ts'

let hub: AdminHub
const keys = createKeys(randomBytes(32))
const now = Date.parse('2026-03-10T12:00:00.000Z')
const ajv = new Ajv2020({ strict: false })
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)

beforeAll(async () => {
  hub = await startAdminHub({ commands: ledgerCommands({ anchorFolder: undefined, privacy: 'open' }, keys) })
})
afterAll(() => hub.close())

const tokenFor = async (role: Role) =>
  ((await hub.run('createToken', { name: role, role })) as { value: { value: string } }).value.value
async function call(method: 'GET' | 'POST', path: string, role: Role = 'compliance') {
  const response = await hub.app.inject({
    method,
    url: path,
    headers: { authorization: `Bearer ${await tokenFor(role)}` },
  })
  return { status: response.statusCode, body: response.json() as Record<string, unknown> }
}
function fits(schema: object, value: unknown): void {
  const check = ajv.compile(schema)
  expect([check(value), check.errors]).toEqual([true, null])
}

test('before the first start there is none; with no entry there is nothing to sign', async () => {
  expect(await call('GET', '/api/ledger')).toMatchObject({ status: 503, body: { error: { code: 'UNAVAILABLE' } } })
  await ensureLedger(hub.state, keys, 'http://hub.loja.example', now)
  expect(await call('POST', '/api/ledger/checkpoint')).toMatchObject({
    status: 409,
    body: { error: { code: 'EMPTY' } },
  })
})

test('from an entry that waits to its receipt', async () => {
  await fillAdminHub(hub, now)
  const waiting = await call('GET', '/api/ledger')
  fits(LedgerStatus, waiting.body)
  expect(waiting.body).toMatchObject({ size: 0, pending: 1, checkpoint: null, privacy: 'open', problems: [] })
  expect(await call('GET', '/api/ledger/entries/entry-1/proof')).toMatchObject({
    body: { state: 'pending', receipt: null },
  })

  const signed = await call('POST', '/api/ledger/checkpoint')
  fits(CheckpointAnswer, signed.body)
  expect(signed).toMatchObject({ status: 200, body: { anchored: [] } })
  const status = await call('GET', '/api/ledger')
  fits(LedgerStatus, status.body)
  expect(status.body).toMatchObject({ pending: 0, unanchoredSince: expect.any(Number), stateRoot: { size: 2 } })

  const proof = await call('GET', '/api/ledger/entries/entry-1/proof')
  fits(LedgerProof, proof.body)
  expect(proof.body).toMatchObject({ state: 'proven', entry: { status: 'granted', purpose: 'email_marketing' } })
  expect(JSON.stringify(proof.body)).not.toContain('ana@example.com')
  expect(await call('GET', '/api/ledger/entries/nothing/proof')).toMatchObject({ status: 404 })
})

test('entries are filtered, and walked page by page, newest first', async () => {
  for (let n = 0; n < 5; n++) await hubEntry(hub.state.db, { type: 'retention.run', at: now + n, facts: { n } })
  await sequence(hub.state, { now: now + 10 })
  const first = await call('GET', '/api/ledger/entries?type=retention.run&limit=3')
  fits(LedgerEntryPage, first.body)
  const second = await call('GET', `/api/ledger/entries?type=retention.run&limit=3&after=${first.body['next']}`)
  const numbers = [first, second].flatMap(({ body }) =>
    (body['items'] as { public: { n: number } }[]).map((item) => item.public.n),
  )
  expect(numbers).toEqual([4, 3, 2, 1, 0])
  expect(second.body['next']).toBeNull()
  const one = await call('GET', '/api/ledger/entries?purpose=email_marketing')
  expect(one.body).toMatchObject({ items: [{ id: 'entry-1', subjectSeq: 0 }], next: null })
  expect(
    (await call('GET', `/api/ledger/entries?from=${new Date(now + 3).toISOString()}&type=retention.run`)).body['items'],
  ).toHaveLength(2)
})

test('only who may see and sign it', async () => {
  expect((await call('GET', '/api/ledger', 'marketing')).status).toBe(403)
  expect((await call('POST', '/api/ledger/checkpoint', 'viewer')).status).toBe(403)
})
