import { Type } from 'typebox'
import { describe, expect, it } from 'vitest'
import { defineDestination, type Outcome } from '../kit/define.ts'
import { AuthenticationError, RejectedError, RetryableError } from '../kit/errors.ts'
import { HandOverRefused, type Transport } from '../kit/http.ts'
import { connect, type Item, performAction, reachOf, resultOf } from './perform.ts'

const words = { pt: 'x', en: 'x' }
const common = {
  title: words,
  description: words,
  purpose: 'analytics',
  kind: 'event',
  identifier: ['userId'],
  idempotency: 'none',
  payload: Type.Object({ n: Type.Number(), pad: Type.Optional(Type.String()) }),
} as const

let batches: number[][] = []
const vendor = defineDestination({
  id: 'vendor',
  name: 'Vendor',
  docs: 'https://vendor.example',
  support: 'community',
  baseUrl: 'https://api.vendor.example/v1/',
  settings: Type.Object({ key: Type.String({ secret: true }) }),
  authenticate: ({ key }) => ({ authorization: `Bearer ${key}` }),
  verdict: ({ json }): Outcome | undefined =>
    (json as { bad?: boolean } | undefined)?.bad ? { status: 'rejected', reason: 'bad inside 200' } : undefined,
  limits: { perSecond: 1, concurrency: 1 },
  actions: {
    one: { ...common, perform: ({ http, payload }) => http.request('POST', '/one', { json: payload }) },
    raw: {
      ...common,
      perform: ({ http, payload }) =>
        http.send({
          method: 'POST',
          url: 'https://api.vendor.example/raw',
          headers: {},
          body: JSON.stringify(payload),
        }),
    },
    many: {
      ...common,
      batch: { max: 3, maxBytes: 60 },
      performBatch: async ({ items }) => {
        batches.push(items.map(({ payload }) => payload.n))
        return items.map(() => ({ status: 'delivered' as const }))
      },
    },
    short: { ...common, batch: { max: 10 }, performBatch: async () => [{ status: 'delivered' as const }] },
    broken: {
      ...common,
      perform: async ({ payload }) => {
        throw new TypeError(`cannot read ${payload.n} of maria@example.com`)
      },
    },
  },
  check: async () => ({ ok: true, detail: 'x' }),
  deleteSubject: { manual: words },
  exportSubject: { manual: words },
  correctSubject: { manual: words },
  feedback: { none: words },
})

const item = (n: number, pad?: string): Item => ({
  payload: { n, ...(pad !== undefined && { pad }) },
  signals: { rd: [], google: {}, segment: {}, rudder: { allowedConsentIds: [], deniedConsentIds: [] } },
  delivery: { id: `d${n}`, key: `k${n}` },
  occurredAt: '2026-11-24T12:00:00.000Z',
})

function run(action: string, items: Item[], transport: Transport, lastLook = async () => {}) {
  const settings = { key: 'secret-key' }
  return performAction({
    definition: vendor,
    action,
    settings,
    now: new Date('2026-11-24T12:00:00.000Z'),
    items,
    http: () => connect(vendor, settings, { slot: (job) => job(), lastLook, transport }),
  })
}
const answering =
  (status: number, json: unknown = {}, seen: unknown[] = []): Transport =>
  async (request) => {
    seen.push(request)
    return { status, headers: {}, text: JSON.stringify(json), json }
  }

describe('performing an action', () => {
  it('sends each item to the address of the connector with its credentials', async () => {
    const seen: unknown[] = []
    expect(await run('one', [item(1), item(2)], answering(201, {}, seen))).toEqual([
      { status: 'delivered', answer: '201' },
      { status: 'delivered', answer: '201' },
    ])
    expect(seen).toMatchObject([
      { url: 'https://api.vendor.example/v1/one', body: '{"n":1}', headers: { authorization: 'Bearer secret-key' } },
      { body: '{"n":2}' },
    ])
  })

  it('judges what a vendor SDK brought back, errors inside 200 included', async () => {
    expect(await run('raw', [item(1)], answering(200, { bad: true }))).toEqual([
      { status: 'rejected', reason: 'bad inside 200' },
    ])
    expect(await run('raw', [item(1)], answering(503))).toEqual([{ status: 'retry', reason: 'HTTP 503' }])
    expect(await run('raw', [item(1)], answering(204))).toEqual([{ status: 'delivered', answer: '204' }])
  })

  it('groups a batch by items and by bytes, in order', async () => {
    batches = []
    const items = [1, 2, 3, 4].map((n) => item(n)).concat(item(5, 'x'.repeat(45)), item(6))
    const results = await run('many', items, answering(200))
    expect(batches).toEqual([[1, 2, 3], [4], [5], [6]])
    expect(results).toHaveLength(6)
  })

  it('one item that fails leaves the others alone', async () => {
    let turn = 0
    const transport: Transport = async () => ({
      status: turn++ === 0 ? 400 : 200,
      headers: {},
      text: '',
      json: undefined,
    })
    expect((await run('one', [item(1), item(2)], transport)).map(({ status }) => status)).toEqual([
      'rejected',
      'delivered',
    ])
  })

  it('sends nothing when the last look says no', async () => {
    const seen: unknown[] = []
    const no = async () => {
      throw new HandOverRefused('withdrawn')
    }
    expect(await run('one', [item(1)], answering(200, {}, seen), no)).toEqual([{ status: 'refused' }])
    expect(seen).toEqual([])
  })

  it('a bug of a connector ends with its items set aside, and quotes nobody', async () => {
    expect(await run('broken', [item(1)], answering(200))).toEqual([
      { status: 'rejected', reason: 'connector fault (TypeError)' },
    ])
    expect(await run('short', [item(1), item(2)], answering(200))).toEqual([
      { status: 'rejected', reason: 'connector fault (outcomes do not match items)' },
      { status: 'rejected', reason: 'connector fault (outcomes do not match items)' },
    ])
  })

  it.each([
    [new RetryableError('a', { retryAfterMs: 5 }), { status: 'retry', reason: 'a', retryAfterMs: 5 }],
    [new RetryableError('a', { uncertain: true }), { status: 'retry', reason: 'a', uncertain: true }],
    [new AuthenticationError('b'), { status: 'authentication', reason: 'b' }],
    [new RejectedError('c'), { status: 'rejected', reason: 'c' }],
    ['text', { status: 'rejected', reason: 'connector fault (string)' }],
  ])('%s means %j', (error, result) => {
    expect(resultOf(error)).toEqual(result)
  })
})

describe('reach', () => {
  it('is the host of the base address, and what the connector declares besides', () => {
    expect(reachOf(vendor, { key: 'k' })).toMatchObject({ hosts: ['api.vendor.example'] })
    const two: typeof vendor = {
      ...vendor,
      baseUrl: ({ key }) => `https://${key}.vendor.example:8443/v1`,
      hosts: ['*.vendor.example'],
    }
    const { origin, hosts } = reachOf(two, { key: 'loja' })
    expect(origin.origin).toBe('https://loja.vendor.example:8443')
    expect(hosts).toEqual(['loja.vendor.example:8443', '*.vendor.example'])
  })
})
