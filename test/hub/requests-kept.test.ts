/** What a request leaves in place, and why: contracts in force, scopes of art. 18 IV, simplified statements. */
import { afterEach, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { unsealJson } from '../../core/seal.ts'
import type { SealedEvent } from '../../core/stages/apply.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import type { RequestContent, RequestDetail, RequestPlan } from '../../schemas/requests.ts'
import {
  basic,
  historyOf,
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
let hub: Hub

afterEach(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const site = basic(WRITE_KEYS.site)

/** Ana agrees to marketing, looks at something, and buys something. */
async function start(): Promise<void> {
  vendor = await startVendor()
  place = await makePlace(vendor, { rules: {} })
  hub = await startInProcess(place)
  const consent = { context: { consent: { categoryPreferences: { Marketing: true, Analytics: true } } } }
  await post(
    `${hub.url}/v1/identify`,
    { userId: 'ana', messageId: 'k1', traits: { email: 'ana@example.com' }, ...consent },
    site,
  )
  await post(
    `${hub.url}/v1/track`,
    { userId: 'ana', event: 'Product Viewed', messageId: 'k2', properties: { product_id: 'p1', price: 5 } },
    site,
  )
  await post(
    `${hub.url}/v1/track`,
    {
      userId: 'ana',
      event: 'Order Completed',
      messageId: 'k3',
      properties: { order_id: 'o-1', total: 5, currency: 'BRL', products: [] },
    },
    site,
  )
  await hub.drained()
}

async function run<T>(name: string, args: Record<string, unknown>): Promise<T> {
  const result = await hub.run({ name, args, actor: 'officer' })
  if (!result.ok) throw new Error(`${name}: ${result.code} ${result.message}`)
  return result.value as T
}

const asked = (right: string, scope: object = {}) =>
  run<{ id: string }>('openRequest', {
    right,
    channel: 'email',
    receivedAt: new Date().toISOString(),
    identifiers: [{ type: 'email', value: 'ana@example.com' }],
    assurance: 'document',
    scope,
  })

async function carryOut(right: string, scope: object = {}): Promise<{ id: string; plan: RequestPlan }> {
  const { id } = await asked(right, scope)
  const plan = await run<RequestPlan>('planRequest', { id })
  await run('executeRequest', { id, planHash: plan.hash })
  return { id, plan }
}

test('an order of a contract in force is blocked with its ground, readable under the proof key alone', async () => {
  await start()
  const { id, plan } = await carryOut('erasure')
  const kept = plan.keep.find(({ what }) => what.en === 'events of the history, blocked')
  expect(kept).toMatchObject({ ground: expect.stringContaining('art. 7 V') as string })
  expect(await hub.state.db.selectFrom('history').selectAll().execute()).toEqual([])
  const blocked = await hub.state.db
    .selectFrom('blocked')
    .innerJoin('nodes', 'nodes.id', 'blocked.node_id')
    .selectAll('blocked')
    .select(['nodes.proof_key', 'nodes.data_key'])
    .execute()
  expect(blocked.length).toBe(kept!.count)
  const order = blocked.find(({ body }) => body.includes('Order Completed'))!
  expect(order).toMatchObject({ policy_id: `request:${id}` })
  expect(order.data_key.length).toBe(0)
  const { state, keys } = await openPlace(place)
  await state.close()
  expect(unsealJson<SealedEvent>(keys.unwrap(order.proof_key), order.sealed).properties).toMatchObject({
    order_id: 'o-1',
  })
  expect(blocked.some(({ body }) => body.includes('Product Viewed'))).toBe(false)
  const detail = await run<RequestDetail>('readRequest', { id })
  expect(detail.request.outcome).toBe('partly_kept')
  const html = detail.files.find(({ name }) => name === 'resposta.html')!
  const answer = Buffer.from(
    (await run<RequestContent>('readRequestFile', { id, file: html.id })).base64,
    'base64',
  ).toString('utf8')
  expect(answer).toContain('contrato em vigor')
}, 60_000)

test('excessive data of one purpose go, everything else stays; without a scope it is asked for', async () => {
  await start()
  const before = await historyOf(place)
  const { id } = await asked('restriction')
  const whole = await run<RequestPlan>('planRequest', { id })
  await expect(run('executeRequest', { id, planHash: whole.hash })).rejects.toThrow('Say which data')
  expect((await historyOf(place)).length).toBe(before.length)

  const viewed = before.filter(({ name }) => name === 'Product Viewed')
  expect(viewed.length).toBe(1)
  const { plan } = await carryOut('restriction', { events: ['Product Viewed'], restriction: 'erase' })
  expect(plan.erase).toMatchObject([{ count: 1 }])
  expect((await historyOf(place)).map(({ name }) => name)).toEqual(
    before.map(({ name }) => name).filter((name) => name !== 'Product Viewed'),
  )
  expect((await hub.state.db.selectFrom('suppressions').selectAll().execute()).length).toBe(0)
}, 60_000)

test('an officer is told when one contact would get the data of several', async () => {
  await start()
  const { id } = await asked('access')
  expect((await run<RequestPlan>('planRequest', { id })).warnings).toEqual([])
  await post(`${hub.url}/v1/identify`, { userId: 'ana', messageId: 'w1', traits: { email: 'outra@example.com' } }, site)
  await hub.drained()
  const { warnings } = await run<RequestPlan>('planRequest', { id })
  expect(warnings.map(({ en }) => en)).toEqual([expect.stringContaining('2 e-mail addresses')])
}, 60_000)

test('blocking takes data out of reach and keeps them', async () => {
  await start()
  await carryOut('restriction', { events: ['Product Viewed'], restriction: 'block' })
  expect((await historyOf(place)).some(({ name }) => name === 'Product Viewed')).toBe(false)
  const blocked = await hub.state.db.selectFrom('blocked').select('body').execute()
  expect(blocked.map(({ body }) => (JSON.parse(body) as { name: string }).name)).toEqual(['Product Viewed'])
}, 60_000)

test('an erasure that names purposes leaves the person with the others', async () => {
  await start()
  await carryOut('erasure', { purposes: ['email_marketing'] })
  const [person] = await hub.state.db.selectFrom('persons').select('profile').where('merged_into', 'is', null).execute()
  expect(Object.keys((JSON.parse(person!.profile) as OpenProfile).counters)).not.toContain('email_marketing')
  const left = await historyOf(place)
  expect(left.some(({ name }) => name === 'Order Completed')).toBe(true)
  expect(left.flatMap(({ purposes }) => purposes)).not.toContain('email_marketing')
  expect(
    (await hub.state.db.selectFrom('nodes').select('data_key').execute()).every(({ data_key }) => data_key.length > 0),
  ).toBe(true)
}, 60_000)

test('who asks for the simplified statement has it at once, and that is the answer', async () => {
  await start()
  const { id } = await asked('access', { simplified: true })
  const detail = await run<RequestDetail>('readRequest', { id })
  expect(detail.request).toMatchObject({ state: 'answered', outcome: 'done' })
  expect(detail.request.clocks.map((clock) => [clock.id, clock.overdue])).toEqual([['immediate', false]])
  const html = detail.files.find(({ name }) => name === 'resposta.html')!
  const answer = Buffer.from(
    (await run<RequestContent>('readRequestFile', { id, file: html.id })).base64,
    'base64',
  ).toString('utf8')
  expect(answer).toContain('Categorias de dados e origem')
  expect(answer).not.toContain('ana@example.com')
}, 60_000)

test('a review is decided by somebody else than the author of the rule', async () => {
  await start()
  const { id } = await carryOut('review')
  const answer = (reviewer: string) =>
    run('answerRequest', {
      id,
      text: 'A regra foi aplicada como escrita.',
      review: { outcome: 'upheld', reviewer, ruleAuthor: 'Bruno' },
    })
  await expect(answer(' bruno ')).rejects.toThrow('may not review')
  await answer('Carla')
  expect((await run<RequestDetail>('readRequest', { id })).request.state).toBe('answered')
}, 60_000)
