/** What Google's consent strings of one visitor, page after page, make of a permission: from the hit to the status. */
import { afterEach, expect, test } from 'vitest'
import gtm from '../../connectors/gtm/source.ts'
import type { AnySource, RawRequest } from '../../core/kit/define.ts'
import type { LogRecord } from '../../core/log/event-log.ts'
import { normalize as normalizeRequest } from '../../core/stages/ingest.ts'
import { MINUTE, Rig } from '../../core/testing/pipeline-rig.ts'

let rig: Rig | undefined
afterEach(async () => {
  await rig?.close()
  rig = undefined
})

const TAG = 'G-ABC123'
let page = 0

function recordsOf(hub: Rig, request: Partial<RawRequest>): LogRecord[] {
  const settings = { measurementId: TAG, token: 'layer-token' }
  const source = {
    id: 'tag',
    connector: 'gtm',
    definition: gtm as unknown as AnySource,
    config: { connector: 'gtm', notice: { id: 'cookies', version: 1, since: '2026-01-01' } },
    settings,
  }
  const full = { method: 'GET', path: '/g/collect', query: {}, headers: {}, body: Buffer.alloc(0), ...request }
  const result = normalizeRequest({ ...full, receivedAt: hub.at() } as RawRequest, source, {
    purposes: hub.purposes,
    keys: hub.keys,
  } as never)
  if ('refused' in result) throw new Error(result.refused)
  return result.records
}

/** A page view with these four letters of gcd. */
const hit = (hub: Rig, letters: string) =>
  recordsOf(hub, {
    query: { v: '2', tid: TAG, cid: '11.22', en: 'page_view', _p: String(++page), gcd: `13${[...letters].join('3')}5` },
  })

const layer = (hub: Rig, pushes: readonly unknown[]) =>
  recordsOf(hub, {
    method: 'POST',
    path: '/in/tag',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify([{ client_id: '11.22' }, ...pushes])),
  })

const status = (hub: Rig) => hub.status('ga_client_id', '11.22', 'analytics')
const take = async (hub: Rig, records: readonly LogRecord[]) => {
  hub.advance(10 * MINUTE)
  await hub.take(...records)
}

test('a page that starts with everything denied takes nothing back; an answer does', async () => {
  rig = await Rig.open()
  await take(rig, hit(rig, 'pppp'))
  expect(await status(rig)).toBeUndefined()
  expect(await rig.rows('held')).toBe(1)

  await take(rig, hit(rig, 'rrrr'))
  expect(await status(rig)).toBe('granted')
  expect(await rig.history()).toHaveLength(2)

  const entries = await rig.rows('ledger_pending')
  await take(rig, hit(rig, 'pppp'))
  expect(await status(rig)).toBe('granted')
  expect(await rig.history()).toHaveLength(3)
  expect(await rig.rows('ledger_pending')).toBe(entries)
  expect(await rig.counts('consent:tag')).toEqual({ DEFAULT_ONLY: 2 })

  await take(rig, hit(rig, 'qqqq'))
  expect(await status(rig)).toBe('revoked')
})

test('granted by default permits nobody anything', async () => {
  rig = await Rig.open()
  await take(rig, hit(rig, 'tttt'))
  expect(await status(rig)).toBe('invalid')
  expect(await rig.history()).toEqual([])
})

test('of a purpose that needs two answers, one and a default are no answer', async () => {
  rig = await Rig.open()
  await take(rig, hit(rig, 'rrpp'))
  expect(await rig.status('ga_client_id', '11.22', 'ads_measurement')).toBeUndefined()
  await take(rig, hit(rig, 'rrrp'))
  expect(await rig.status('ga_client_id', '11.22', 'ads_measurement')).toBe('granted')
})

test('the same for gtag commands in the dataLayer', async () => {
  rig = await Rig.open()
  const command = (kind: 'default' | 'update', answer: string) => [
    { '0': 'consent', '1': kind, '2': { analytics_storage: answer } },
  ]
  await take(rig, layer(rig, command('default', 'denied')))
  expect(await status(rig)).toBeUndefined()
  await take(rig, layer(rig, command('update', 'granted')))
  expect(await status(rig)).toBe('granted')
  await take(rig, layer(rig, command('default', 'denied')))
  expect(await status(rig)).toBe('granted')
  await take(rig, layer(rig, command('update', 'denied')))
  expect(await status(rig)).toBe('revoked')
})
