/** `anuente requests`: from arrival to answer at a terminal, beside a running hub and without one. */
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { typed } from '../../cli/typed.fixture.ts'
import type { Hub } from '../../core/hub.ts'
import type { RequestDetail, RequestPage, RequestPlan } from '../../schemas/requests.ts'
import {
  basic,
  makePlace,
  openPlace,
  type Place,
  post,
  startInProcess,
  startVendor,
  type Vendor,
  WRITE_KEYS,
} from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub | undefined

afterEach(async () => {
  await hub?.close()
  hub = undefined
  await vendor?.close()
  place?.remove()
})

const anuente = (...args: string[]) => typed(['requests', ...args], { config: place.configFile })
const json = async <T>(...args: string[]): Promise<T> => JSON.parse((await anuente(...args, '--json')).out) as T

async function startWithAna(): Promise<void> {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
  await post(
    `${hub.url}/v1/identify`,
    {
      userId: 'ana',
      messageId: 'a1',
      traits: { email: 'ana@example.com', name: 'Ana' },
      context: { consent: { categoryPreferences: { Marketing: true } } },
    },
    basic(WRITE_KEYS.site),
  )
  await hub.drained()
}

test('entered, planned, approved, carried out, listed; a late one ends with exit code 3', async () => {
  await startWithAna()
  const entered = await anuente(
    ...['open', '--right', 'erasure', '--channel', 'letter', '--received', '2026-01-05'],
    ...['--email', 'ana@example.com', '--assurance', 'document', '--check', 'RG no balcão'],
  )
  expect(entered.code).toBe(0)
  const id = entered.out.trim()
  const listed = await anuente('list')
  expect(listed.code).toBe(3)
  expect(listed.out).toContain(id)
  expect(listed.out).not.toContain('ana@example.com')

  const refused = await anuente('run', id)
  expect(refused.code).toBe(1)
  expect(refused.err).toContain('--dry-run')
  const plan = await json<RequestPlan>('run', id, '--dry-run')
  expect(plan.erase.length).toBeGreaterThan(0)
  expect((await anuente('run', id, '--dry-run')).out).toContain(plan.hash)
  expect(await json('run', id, '--approve', plan.hash)).toMatchObject({ state: 'answered' })
  expect(await hub!.state.db.selectFrom('history').selectAll().execute()).toEqual([])

  const folder = mkdtempSync(join(place.dir, 'saved-'))
  const shown = await anuente('show', id, '--save', folder)
  expect(shown.code).toBe(0)
  expect(shown.out).toContain('Eliminar meus dados')
  expect(shown.out).not.toContain('ana@example.com')
  expect((await anuente('show', id, '--reveal')).out).toContain('ana@example.com')
  expect(readdirSync(folder).sort()).toEqual([
    'assinatura.txt',
    'chave.txt',
    'dados.jsonl',
    'esquema.json',
    'resposta.html',
  ])
  expect((await anuente('list')).code).toBe(0)
  const closed = await json<RequestPage>('list', '--state', 'closed')
  expect(closed.items.map((item) => [item.id, item.state, item.outcome])).toEqual([[id, 'answered', 'partly_kept']])
}, 60_000)

test('mistakes are told with what to do, and name no value', async () => {
  await startWithAna()
  for (const [args, words] of [
    [
      ['open', '--right', 'erasure', '--channel', 'letter', '--received', 'ontem', '--email', 'ana@example.com'],
      'day of arrival',
    ],
    [
      ['open', '--right', 'erasure', '--channel', 'letter', '--received', '2099-01-01', '--email', 'ana@example.com'],
      'future',
    ],
    [
      ['open', '--right', 'erasure', '--channel', 'letter', '--received', '2026-01-05', '--cpf', '123.456.789-99'],
      'identifiers[0] (cpf)',
    ],
    [['open', '--right', 'access', '--channel', 'letter', '--received', '2026-01-05'], 'Give an identifier'],
    [['show', 'nothing'], 'No request has this id'],
    [['refuse', 'nothing', '--ground', 'mood', '--text', 'because because'], 'No request has this id'],
  ] as const) {
    const ended = await anuente(...args)
    expect(ended.code).toBe(1)
    expect(ended.err).toContain(words)
    expect(ended.err).not.toContain('123.456')
  }
}, 60_000)

test('without a running hub it works on the files; CSV in, refusal out', async () => {
  await startWithAna()
  await hub!.close()
  hub = undefined
  const file = join(place.dir, 'pedidos.csv')
  writeFileSync(
    file,
    'direito,canal,chegada,email,referencia,identidade\nacesso,carta,2026-11-01,ana@example.com,L-1,document\nacesso,carta,x,y,,\n',
  )
  const dry = await anuente('import', file, '--dry-run')
  expect(dry.code).toBe(1)
  expect(dry.err).toContain('row 3, receivedAt')
  expect((await json<RequestPage>('list')).items).toEqual([])
  await anuente('import', file)
  const [item] = (await json<RequestPage>('list')).items
  expect(item).toMatchObject({
    right: 'access',
    state: 'acknowledged',
    subject: expect.stringMatching(/^s_/) as string,
  })
  expect((await anuente('answer', item!.id, '--nothing-held')).err).toContain('The hub has data of this person')
  await anuente('pause', item!.id, '--reason', 'aguarda documento')
  await anuente(
    'refuse',
    item!.id,
    '--ground',
    'not_the_subject',
    '--text',
    'Quem pede não é a titular nem a representa.',
  )
  const detail = await json<RequestDetail>('show', item!.id)
  expect(detail.request).toMatchObject({ state: 'refused', ground: 'not_the_subject' })
  expect(detail.pauses).toMatchObject([{ reason: 'aguarda documento' }])
  // A refusal is repeated without being refused twice.
  expect(
    (await anuente('refuse', item!.id, '--ground', 'not_the_subject', '--text', 'Quem pede não é a titular.')).code,
  ).toBe(0)
  const { state } = await openPlace(place)
  const lines = await state.db.selectFrom('request_log').select('what').where('what', '=', 'refuse').execute()
  await state.close()
  expect(lines.length).toBe(1)
}, 60_000)
