import { describe, expect, it } from 'vitest'
import { eventsOf, rawRequest } from '../../core/testing/source-contract.ts'
import { readItem } from './items.ts'
import { ga4NameOf, mappingOf, NAMES } from './names.ts'
import gtm from './source.ts'

const hit = (query: string) =>
  rawRequest({ method: 'GET', path: '/g/collect', query: Object.fromEntries(new URLSearchParams(query)) })
const one = (request: ReturnType<typeof hit>) => {
  const events = eventsOf(gtm.normalize(request, { measurementId: 'G-ABC123' }))
  expect(events).toHaveLength(1)
  return events[0]!
}

describe('items', () => {
  it('reads categories as gtag writes them and as other clients do', () => {
    const levels = { item_category: 'Roupas', item_category2: 'Infantil', item_category3: '3 a 5 anos' }
    expect(readItem('caRoupas~c2Infantil~c33 a 5 anos')).toEqual(levels)
    expect(readItem('caRoupas~ca2Infantil~ca33 a 5 anos')).toEqual(levels)
    expect(readItem('ca3D')).toEqual({ item_category: '3D' })
  })

  it('reads custom fields and a doubled ~ as part of the value', () => {
    expect(readItem('idA~~B~k0cor~v0azul~k1sku~v1X-1~vaG~pr19.90')).toEqual({
      item_id: 'A~B',
      cor: 'azul',
      sku: 'X-1',
      item_variant: 'G',
      price: 19.9,
    })
  })

  it('keeps every item of an event that Segment has one product for', () => {
    const event = one(hit('v=2&tid=G-ABC123&cid=1.2&en=add_to_cart&pr2=idB~pr2&pr1=idA~pr1&pr201=idZ'))
    expect(event.properties).toEqual({
      product_id: 'A',
      price: 1,
      quantity: 1,
      products: [
        { product_id: 'A', price: 1, quantity: 1 },
        { product_id: 'B', price: 2, quantity: 1 },
      ],
    })
  })

  it('gives items what the event says of their list and promotion', () => {
    expect(
      one(hit('v=2&tid=G-ABC123&cid=1.2&en=view_item_list&ep.item_list_id=l1&ep.item_list_name=Ofertas&pr1=idA'))
        .properties,
    ).toEqual({
      list_id: 'l1',
      category: 'Ofertas',
      products: [{ product_id: 'A', item_list_id: 'l1', item_list_name: 'Ofertas', quantity: 1 }],
    })
    expect(
      one(hit('v=2&tid=G-ABC123&cid=1.2&en=view_promotion&pr1=idA~pip1~pnBlack~cnBanner~loTopo')).properties,
    ).toMatchObject({
      promotion_id: 'p1',
      name: 'Black',
      creative: 'Banner',
      position: 'Topo',
    })
  })
})

describe('names', () => {
  it('lead back to where they came from', () => {
    for (const { ga4, type, name } of NAMES) {
      const back = ga4NameOf(type, name ?? 'any')
      expect([ga4, mappingOf(back)?.name, mappingOf(back)?.type]).toEqual([ga4, name, type])
    }
    expect(ga4NameOf('track', 'Products Searched')).toBe('search')
    expect(ga4NameOf('track', 'Coupon Applied')).toBe('coupon_applied')
  })

  it('leaves names of the site and of GA4 itself alone', () => {
    for (const name of ['user_engagement', 'session_start', 'first_visit', 'scroll', 'frete_calculado']) {
      const event = one(hit(`v=2&tid=G-ABC123&cid=1.2&en=${name}`))
      expect([event.type, event.name, event.originalName]).toEqual(['track', name, undefined])
    }
  })
})
