/** Whatever is thrown at the door: a clear answer, nothing lost, nothing crashes. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Hub } from '../../core/hub.ts'
import { basic, historyOf, makePlace, type Place, startInProcess, startVendor, type Vendor, WRITE_KEYS } from './rig.ts'

let vendor: Vendor
let place: Place
let hub: Hub

beforeAll(async () => {
  vendor = await startVendor()
  place = await makePlace(vendor)
  hub = await startInProcess(place)
})
afterAll(async () => {
  await hub?.close()
  await vendor?.close()
  place?.remove()
})

const site = { ...basic(WRITE_KEYS.site), 'content-type': 'application/json' }

async function send(body: string | Buffer, headers: Record<string, string> = {}, path = '/v1/batch') {
  const response = await fetch(`${hub.url}${path}`, {
    method: 'POST',
    headers: { ...site, ...headers },
    body: body as never,
  })
  const text = await response.text()
  return { status: response.status, text, retryAfter: response.headers.get('retry-after') }
}

const quarantined = async () =>
  (await hub.state.db.selectFrom('quarantine').select(['id', 'code', 'path']).orderBy('id').execute()).map(
    ({ code }) => code,
  )
const good = (id: string) => ({
  type: 'track',
  event: 'Page Read',
  userId: 'u',
  messageId: id,
  context: { consent: { categoryPreferences: { Analytics: true } } },
})

test('malformed, wrong key, oversize and bombs are refused with a status the SDKs drop data on, and a code that says what to do', async () => {
  expect(await send('{"batch":[')).toMatchObject({ status: 400, text: expect.stringContaining('MALFORMED_JSON') })
  expect(await send('{}', basic('nobody'))).toMatchObject({ status: 401, text: expect.stringContaining('UNKNOWN_KEY') })
  expect(
    await send(JSON.stringify({ batch: [{ ...good('x'), properties: { text: 'x'.repeat(600_000) } }] })),
  ).toMatchObject({ status: 413, text: expect.stringContaining('BODY_TOO_LARGE') })
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024))
  expect(await send(bomb, { 'content-encoding': 'gzip' })).toMatchObject({ status: 413 })
  expect(await send('not gzip', { 'content-encoding': 'gzip' })).toMatchObject({ status: 400 })
  expect(await send('{}', {}, '/in/nowhere')).toMatchObject({ status: 404 })
})

test('one bad event in a good batch goes to quarantine with its code; its neighbours are kept', async () => {
  const before = (await quarantined()).length
  const batch = [
    good('g1'),
    { ...good('b1'), properties: { text: 'ã'.repeat(20_000) } },
    { ...good('b2'), type: 'shout' },
    { ...good('b3'), userId: '' },
    { ...good('b4'), timestamp: '1850-01-01T00:00:00Z' },
    { ...good('b5'), timestamp: new Date(Date.now() + 3 * 86_400_000).toISOString() },
    { ...good('b6'), timestamp: 'ontem' },
    { ...good('b7'), event: 42 },
    good('g2'),
  ]
  const hostile = JSON.stringify({ batch }).replace('"g2"', '"g2","properties":{"__proto__":{"admin":true}}')
  expect((await send(hostile)).status).toBe(200)
  await hub.drained()
  expect((await quarantined()).slice(before).sort()).toEqual([
    'BAD_TIMESTAMP',
    'BAD_TIMESTAMP',
    'BAD_TIMESTAMP',
    'EVENT_TOO_LARGE',
    'HOSTILE_KEY',
    'INVALID',
    'NO_IDENTIFIER',
    'UNKNOWN_CALL',
  ])
  expect((await historyOf(place)).map(({ sealed }) => sealed.messageId)).toEqual(['g1'])
  expect(({} as { admin?: boolean }).admin).toBeUndefined()
})

test('deep nesting, broken UTF-8, lone surrogates and NUL neither crash nor lose the batch', async () => {
  const deep = `{"batch":[${JSON.stringify(good('d1'))},{"type":"track","event":"X","userId":"u","messageId":"d2","properties":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}]}`
  expect((await send(deep)).status).toBe(200)
  const broken = Buffer.concat([
    Buffer.from('{"batch":[{"type":"track","event":"Page Read","userId":"u","messageId":"d3","properties":{"t":"'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"}}]}'),
  ])
  expect((await send(broken)).status).toBe(200)
  expect(
    (
      await send(
        '{"batch":[{"type":"track","event":"a\\ud800b","userId":"u","messageId":"d4","context":{"consent":{"categoryPreferences":{"Analytics":true,"x\\ud800":true}}}}]}',
      )
    ).status,
  ).toBe(200)
  expect((await send('{"batch":[{"type":"track","event":"a\\u0000b","userId":"u","messageId":"d5"}]}')).status).toBe(
    200,
  )
  await hub.drained()
  const codes = await quarantined()
  expect(codes).toContain('TOO_DEEP')
  expect((await historyOf(place)).map(({ sealed }) => sealed.messageId)).toEqual(
    expect.arrayContaining(['d1', 'd3', 'd4']),
  )
})

test('the same id twice is a duplicate; with another body it is set aside', async () => {
  expect((await send(JSON.stringify({ batch: [good('same')] }))).status).toBe(200)
  expect((await send(JSON.stringify({ batch: [good('same')] }))).status).toBe(200)
  expect((await send(JSON.stringify({ batch: [{ ...good('same'), properties: { other: true } }] }))).status).toBe(200)
  await hub.drained()
  expect((await historyOf(place)).filter(({ sealed }) => sealed.messageId === 'same').length).toBe(1)
  expect(await quarantined()).toContain('ID_REUSED')
})

test('a quarantined event is listed and, once its cause is gone, re-driven exactly once', async () => {
  const open = await hub.state.db.selectFrom('quarantine').selectAll().where('code', '=', 'ID_REUSED').execute()
  const id = open[0]!.id
  expect(await hub.run({ name: 'redriveQuarantine', args: { id }, actor: 'cli' })).toMatchObject({
    ok: true,
    value: { redriven: 1 },
  })
  await hub.drained()
  expect(await hub.run({ name: 'redriveQuarantine', args: { id }, actor: 'cli' })).toMatchObject({
    ok: false,
    code: 'CONFLICT',
  })
  const kept = (await historyOf(place)).filter(({ sealed }) => sealed.messageId === 'same')
  expect(kept.map(({ sealed }) => sealed.properties)).toEqual([{}, { other: true }])
})

test('10,000 events in one RudderStack batch are taken, and memory stays flat over many of them', async () => {
  const many = (round: number) =>
    JSON.stringify({
      batch: Array.from({ length: 10_000 }, (_, n) => ({
        type: 'track',
        event: 'X',
        userId: `u${n % 50}`,
        messageId: `many-${round}-${n}`,
      })),
    })
  const headers = basic(WRITE_KEYS.app)
  expect((await send(many(0), headers)).status).toBe(200)
  await hub.drained()
  const heap = () => {
    globalThis.gc?.()
    return process.memoryUsage().rss
  }
  const before = heap()
  for (let round = 1; round <= 4; round++) expect((await send(many(round), headers)).status).toBe(200)
  await hub.drained()
  expect(heap() - before).toBeLessThan(400 * 1024 * 1024)
}, 120_000)
