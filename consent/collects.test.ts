import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PurposeConfig } from '../schemas/config.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import { compileGlob, declares, keepFields, wants } from './collects.ts'
import { loadPurposes, type Purpose } from './purposes.ts'

const load = (collects: PurposeConfig['collects'], id = 'p'): Purpose =>
  loadPurposes({
    purposes: { [id]: { basis: 'consent', scope: 'person', title: { pt: '', en: '' }, collects, stages: ['collect'] } },
  }).get(id)!

const event = (over: Partial<CanonicalEvent>): CanonicalEvent => ({
  schemaVersion: 1,
  id: '01H',
  messageId: 'm1',
  type: 'track',
  name: 'Order Completed',
  occurredAt: '2026-11-24T12:00:00.000Z',
  receivedAt: '2026-11-24T12:00:01.000Z',
  source: { id: 'site', connector: 'segment', payloadHash: 'x' },
  subject: { identifiers: [{ type: 'anonymousId', value: 'a1' }] },
  traits: {},
  properties: {},
  context: {},
  consent: [],
  ...over,
})

describe('names', () => {
  test.each([
    ['Order *', 'track', 'Order Completed', true],
    ['Order *', 'track', 'Reorder Completed', false],
    ['Order *', 'track', 'order completed', false],
    ['Order Completed', 'track', 'Order Completed', true],
    ['a.c', 'track', 'abc', false],
    ['*', 'track', 'Anything', true],
    ['*', 'identify', 'identify', true],
    ['page', 'page', 'Home', true],
    ['page', 'track', 'page', false],
    ['Home', 'page', 'Home', false],
    ['identify', 'identify', 'identify', true],
  ] as const)('%s wants %s "%s": %s', (pattern, type, name, expected) => {
    expect(wants(load([pattern]), { type, name })).toBe(expected)
    expect(wants(load([{ [pattern]: ['x'] }]), { type, name })).toBe(expected)
  })

  test('a glob is literal but for its stars', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, between, after) => {
        const literal = before.replaceAll('*', '')
        const tail = after.replaceAll('*', '')
        expect(compileGlob(`${literal}*${tail}`)(literal + between + tail)).toBe(true)
        expect(compileGlob(literal)(literal)).toBe(true)
      }),
    )
  })
})

describe('a bare name', () => {
  test('brings the spec properties of a commerce event, no traits and no contact data', () => {
    const {
      event: kept,
      traitPurposes,
      sealedIdentifiers,
    } = keepFields(
      event({
        subject: {
          identifiers: [
            { type: 'userId', value: 'u1' },
            { type: 'email', value: 'ana@example.com' },
            { type: 'anonymousId', value: 'a1' },
          ],
        },
        traits: { email: 'ana@example.com', plan: 'gold' },
        properties: {
          order_id: 'o1',
          total: 10.5,
          currency: 'BRL',
          email: 'ana@example.com',
          gift_note: 'for Bia',
          products: [{ product_id: 'p1', name: 'Shirt', price: 5, engraving: 'Ana 11999998888' }, 'junk'],
        },
      }),
      [load(['Order *'])],
    )
    expect(kept.properties).toEqual({
      order_id: 'o1',
      total: 10.5,
      currency: 'BRL',
      products: [{ product_id: 'p1', name: 'Shirt', price: 5 }],
    })
    expect(kept.traits).toEqual({})
    expect(traitPurposes).toEqual({})
    expect(sealedIdentifiers).toEqual(['userId', 'anonymousId'])
    expect(kept.subject.identifiers).toHaveLength(3)
  })

  test('brings all of another event but contact-like keys and values', () => {
    const { event: kept } = keepFields(
      event({
        name: 'Feature Used',
        properties: {
          feature: 'export',
          count: 3,
          ip_address: '1.2.3.4',
          userEmail: 'x',
          'e-mail': 'x',
          CPF: '1',
          mobilePhone: '1',
          first_name: 'Ana',
          zipCode: '1',
          owner: 'ana@example.com',
          list: ['a', 'ana@example.com'],
          nested: { telefone: '1', ok: true },
          name: 'export button',
          shipping: 'sedex',
        },
      }),
      [load(['*'])],
    )
    expect(kept.properties).toEqual({
      feature: 'export',
      count: 3,
      list: ['a'],
      nested: { ok: true },
      name: 'export button',
      shipping: 'sedex',
    })
  })

  test('brings page, campaign, library, locale and time zone of the context, without query strings', () => {
    const { event: kept } = keepFields(
      event({
        context: {
          page: {
            path: '/p',
            url: 'https://loja.example/p?email=ana@example.com#x',
            referrer: 'https://busca.example/?q=ana',
            title: 'P',
            search: '?email=ana@example.com',
          },
          campaign: { source: 'news' },
          library: { name: 'js', version: '1' },
          locale: 'pt-BR',
          timezone: 'America/Sao_Paulo',
          ip: '1.2.3.4',
          userAgent: 'x',
          traits: { email: 'ana@example.com' },
        },
      }),
      [load(['*'])],
    )
    expect(kept.context).toEqual({
      page: { path: '/p', url: 'https://loja.example/p', referrer: 'https://busca.example/', title: 'P' },
      campaign: { source: 'news' },
      library: { name: 'js', version: '1' },
      locale: 'pt-BR',
      timezone: 'America/Sao_Paulo',
    })
  })

  test('a page call brings its spec properties, identify none', () => {
    const page = keepFields(
      event({
        type: 'page',
        name: 'Home',
        properties: { path: '/', url: 'https://l.example/?a=1', search: '?a=1', cpf: '1' },
      }),
      [load(['page'])],
    )
    expect(page.event.properties).toEqual({ path: '/', url: 'https://l.example/' })
    const identify = keepFields(
      event({ type: 'identify', name: 'identify', traits: { email: 'a@b.co' }, properties: { x: 1 } }),
      [load(['identify'])],
    )
    expect(identify.event.traits).toEqual({})
    expect(identify.event.properties).toEqual({})
  })
})

describe('paths', () => {
  const identify = event({
    type: 'identify',
    name: 'identify',
    subject: {
      identifiers: [
        { type: 'email', value: 'ana@example.com' },
        { type: 'phone', value: '+5511999998888' },
      ],
    },
    traits: {
      email: 'ana@example.com',
      name: 'Ana',
      phone: '11999998888',
      cpf: '1',
      address: { city: 'Recife', street: 'x' },
    },
    context: { ip: '1.2.3.4', device: { type: 'ios' } },
  })

  test('mean traits on identify; each kept trait remembers who asked', () => {
    const a = load([{ identify: ['email', 'address.city'] }], 'a')
    const b = load([{ identify: ['traits.email', 'name', 'context.device.type'] }], 'b')
    const kept = keepFields(identify, [a, b])
    expect(kept.event.traits).toEqual({ email: 'ana@example.com', name: 'Ana', address: { city: 'Recife' } })
    expect(kept.event.context).toEqual({ device: { type: 'ios' } })
    expect(kept.traitPurposes).toEqual({ email: ['a', 'b'], 'address.city': ['a'], name: ['b'] })
    expect(kept.sealedIdentifiers).toEqual(['email'])
  })

  test('only purposes that were allowed bring anything', () => {
    const a = load([{ identify: ['phone'] }], 'a')
    load([{ identify: ['email'] }], 'b')
    const kept = keepFields(identify, [a])
    expect(kept.event.traits).toEqual({ phone: '11999998888' })
    expect(kept.sealedIdentifiers).toEqual(['phone'])
  })

  test('mean properties on track, and reach traits with a prefix', () => {
    const purpose = load([{ 'Order *': ['order_id', 'properties.shipping.city', 'traits.email'] }])
    const kept = keepFields(
      event({
        properties: { order_id: 'o1', total: 9, shipping: { city: 'Natal', street: 'x' } },
        traits: { email: 'a@b.co', name: 'A' },
      }),
      [purpose],
    )
    expect(kept.event.properties).toEqual({ order_id: 'o1', shipping: { city: 'Natal' } })
    expect(kept.event.traits).toEqual({ email: 'a@b.co' })
  })

  test('a star takes all below', () => {
    const kept = keepFields(identify, [load([{ identify: ['address.*'] }])])
    expect(kept.event.traits).toEqual({ address: { city: 'Recife', street: 'x' } })
    expect(Object.keys(kept.traitPurposes)).toEqual(['address.city', 'address.street'])
    expect(keepFields(identify, [load([{ identify: ['*'] }])]).sealedIdentifiers).toEqual(['email', 'phone'])
  })

  test('a user id that is an e-mail address is contact data', () => {
    const mail = event({
      type: 'identify',
      name: 'identify',
      subject: { identifiers: [{ type: 'userId', value: 'ana@example.com' }] },
    })
    expect(keepFields(mail, [load(['identify'])]).sealedIdentifiers).toEqual([])
    expect(keepFields(mail, [load([{ identify: ['email'] }])]).sealedIdentifiers).toEqual(['userId'])
  })

  test('declares: only what collects lists, and what lies below it', () => {
    const purpose = load([{ identify: ['email', 'address'] }, { 'Order *': ['total', 'traits.cpf'] }, 'Product *'])
    expect(['email', 'traits.email', 'address', 'address.city', 'cpf'].map((path) => declares(purpose, path))).toEqual([
      true,
      true,
      true,
      true,
      true,
    ])
    expect(['phone', 'total', 'emails', 'name'].map((path) => declares(purpose, path))).toEqual([
      false,
      false,
      false,
      false,
    ])
    expect(declares(load([{ identify: ['address.city'] }]), 'address')).toBe(false)
  })
})

test('keeping never changes the event, adds nothing, and more purposes never keep less', () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.dictionary(fc.constantFrom('email', 'city', 'ok'), fc.string()),
  )
  const bag = fc.dictionary(
    fc.constantFrom('email', 'name', 'phone', 'total', 'products', 'address', 'x', 'page', 'ip'),
    value,
  )
  const pools = [
    load(['*'], 'a'),
    load([{ identify: ['email', 'address.city'] }, { '*': ['traits.name', 'x', 'address.*'] }], 'b'),
    load(['Order *', 'page', { 'Order *': ['context.ip', 'address.city'] }], 'c'),
  ]
  fc.assert(
    fc.property(
      fc.constantFrom('track', 'identify', 'page' as const),
      fc.constantFrom('Order Completed', 'Other'),
      bag,
      bag,
      bag,
      fc.subarray(pools),
      (type, name, traits, properties, context, some) => {
        const original = event({ type: type as CanonicalEvent['type'], name, traits, properties, context })
        const before = structuredClone(original)
        const few = keepFields(original, some).event
        const all = keepFields(original, pools).event
        expect(original).toEqual(before)
        for (const root of ['traits', 'properties', 'context'] as const) {
          for (const key of Object.keys(few[root])) {
            expect(original[root]).toHaveProperty([key])
            expect(all[root]).toHaveProperty([key])
          }
        }
      },
    ),
  )
})

describe('sensitive fields (LGPD art. 5 II, art. 11)', () => {
  const base = { scope: 'person' as const, title: { pt: '', en: '' }, stages: ['collect' as const] }
  const collects = [{ 'Quiz Answered': ['properties.score', 'properties.cid', 'products'] }, { identify: ['*'] }]
  const purposes = loadPurposes({
    purposes: {
      care: { ...base, basis: 'consent', sensitive: true, collects },
      marketing: { ...base, basis: 'consent', collects },
      interest: { ...base, basis: 'legitimate_interest', sensitive: true, collects },
    },
    sensitiveFields: ['traits.health', 'traits.address.shelter', 'properties.cid', 'properties.products.diagnosis'],
  })
  const of = (...ids: string[]) => ids.map((id) => purposes.get(id)!)
  const answered = event({
    name: 'Quiz Answered',
    properties: { score: 3, cid: 'F41', products: [{ id: 1, diagnosis: 'x' }, { id: 2 }] },
  })
  const known = event({
    type: 'identify',
    name: 'identify',
    traits: { name: 'Ana', health: 'asthma', address: { city: 'Rio', shelter: true } },
  })

  test('are stripped for a purpose without a ground, wherever they lie, and the event itself is not changed', () => {
    for (const id of ['marketing', 'interest']) {
      expect(keepFields(answered, of(id)).event.properties).toEqual({ score: 3, products: [{ id: 1 }, { id: 2 }] })
      const kept = keepFields(known, of(id))
      expect(kept.event.traits).toEqual({ name: 'Ana', address: { city: 'Rio' } })
      expect(Object.keys(kept.traitPurposes)).toEqual(['name', 'address'])
    }
    expect(answered.properties['cid']).toBe('F41')
    expect(known.traits['address']).toEqual({ city: 'Rio', shelter: true })
  })

  test('stay for one that rests on specific consent', () => {
    expect(keepFields(answered, of('care')).event.properties).toEqual(answered.properties)
    expect(keepFields(known, of('care')).event.traits).toEqual(known.traits)
  })

  test('never get into a trait that a purpose without a ground may read', () => {
    expect(keepFields(known, of('care', 'marketing')).event.traits).toEqual({ name: 'Ana', address: { city: 'Rio' } })
    // What is delivered is cut again for the purpose of the delivery, so history may keep it for the other.
    expect(keepFields(answered, of('care', 'marketing')).event.properties['cid']).toBe('F41')
  })

  test('have a list of usual names where the configuration has none', () => {
    const plain = loadPurposes({ purposes: { marketing: { ...base, basis: 'consent', collects } } })
    expect(keepFields(known, [plain.get('marketing')!]).event.traits).toEqual({
      name: 'Ana',
      address: { city: 'Rio', shelter: true },
    })
  })
})
