/** Published GA4 hits and gcd values, where the folder with them is at hand. */
import { expect, it } from 'vitest'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import { eventsOf, rawRequest } from '../../core/testing/source-contract.ts'
import { readGcd, readGcs } from './consent-mode.ts'
import gtm from './source.ts'

const answered = (answer: 'granted' | 'denied') => ({ answer })

it('a hit is read as published ones are', () => {
  const query = Object.fromEntries(
    new URLSearchParams('v=2&tid=G-A&cid=1.2&en=scroll&gcs=G1-0&epn.percent_scrolled=90'),
  )
  const [event] = eventsOf(
    gtm.normalize(rawRequest({ method: 'GET', path: '/g/collect', query }), { measurementId: 'G-A' }),
  )
  expect(event).toMatchObject({ name: 'scroll', properties: { percent_scrolled: 90 } })
  expect(event?.consent?.[0]?.answers).toEqual({ analytics_storage: answered('denied') })
  expect(readGcd('13r3q3p3t5')?.signals.ad_user_data).toEqual({ default: 'denied' })
  expect(readGcs('G2--')).toBeUndefined()
})

describeShared('public vectors', ['vectors/gcd.json', 'vectors/ga4_hits.json'], () => {
  const hits = () =>
    readVectors('ga4_hits.json')['hits'] as {
      n: number
      method: string
      path?: string
      query: string
      body: string | null
    }[]
  const events = (n: number) => {
    const { method, query, body } = hits().find((entry) => entry.n === n)!
    const parameters = Object.fromEntries(new URLSearchParams(query))
    const request = rawRequest({ method, path: '/g/collect', query: parameters, body: body ?? '' })
    return eventsOf(gtm.normalize(request, { measurementId: parameters['tid']! }))
  }

  it('gcd and gcs', () => {
    const {
      gcd,
      gcs,
      letters,
      signal_order: order,
    } = readVectors('gcd.json') as {
      gcd: { raw: string; effective?: (string | null)[]; valid?: boolean }[]
      gcs: ({ raw: string; valid?: boolean } & Record<string, string | null>)[]
      letters: Record<string, { default: string | null; update: string | null }>
      signal_order: string[]
    }
    for (const { raw, effective, valid } of gcd) {
      const signals = readGcd(raw)?.signals as Record<string, { default?: string; update?: string }> | undefined
      const read = signals && order.map((name) => signals[name]?.update ?? signals[name]?.default ?? null)
      expect([raw, read]).toEqual([raw, valid === false ? undefined : effective])
    }
    for (const [letter, state] of Object.entries(letters)) {
      const read = readGcd(`13${letter}3l3l3l1`)?.signals.ad_storage
      expect([letter, read?.default ?? null, read?.update ?? null]).toEqual([letter, state.default, state.update])
    }
    for (const { raw, valid, ...expected } of gcs) {
      const read = readGcs(raw)
      expect([raw, read !== undefined]).toEqual([raw, valid !== false])
      if (read)
        expect([read.ad_storage ?? null, read.analytics_storage ?? null]).toEqual([
          expected['ad_storage'],
          expected['analytics_storage'],
        ])
    }
  })

  it('every plain hit gives its events', () => {
    const counts = hits()
      .filter((entry) => entry.path === '/g/collect')
      .map(({ n }) => [n, events(n).map((event) => event.originalName ?? event.name)])
    expect(counts).toEqual([
      [1, ['page_view']],
      [4, ['begin_checkout']],
      [7, ['select_item']],
      [10, ['level_start']],
      [13, ['add_to_cart']],
      [16, ['generate_lead']],
      [19, ['add_to_cart']],
      [22, ['page_view']],
      [25, ['refund']],
      [28, ['remove_from_cart']],
      [31, ['page_view']],
      [37, ['view_item_list']],
      [40, ['begin_checkout']],
      [43, ['page_view']],
      [46, ['scroll']],
      [49, ['x']],
      [52, []],
      [55, ['page_view', 'scroll']],
      [58, ['view_search_results']],
    ])
  })

  it('what the projects that published them assert', () => {
    expect(events(22)[0]).toMatchObject({
      identifiers: [{ type: 'ga_client_id', value: '584335997.1746564151' }],
      context: {
        page: { title: 'Sesamy Demo Page', referrer: 'https://bestbytes.cloudflareaccess.com/' },
        google: { sessionId: '1749196701', gcs: 'G111' },
      },
    })
    expect(events(37)[0]?.properties?.['products']).toHaveLength(4)
    expect(events(40)[0]?.properties).toMatchObject({ currency: 'EUR', value: 259.97, coupon: 'WELCOME15' })
    expect(events(40)[0]?.properties?.['products']).toHaveLength(3)
    expect(events(43)[0]?.properties).toMatchObject({ page_type: 'home', engagement_time_msec: 100 })
    expect(events(49)[0]?.consent?.[0]?.answers).toEqual({
      ad_storage: answered('denied'),
      analytics_storage: answered('denied'),
    })
    expect(events(55)[1]?.properties).toEqual({ percent_scrolled: 90 })
    expect(events(31)[0]?.consent).toMatchObject([
      { actor: 'system', answers: { ad_storage: { answer: 'granted', flags: ['preticked'] } } },
    ])
  })
})
