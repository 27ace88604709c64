/** A plan made from traffic accepts that traffic, and writes down nobody's data. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CanonicalEvent } from '../../schemas/event.ts'
import { cases } from '../testing/effort.ts'
import { identify, track } from '../testing/events.ts'
import { diffPlans } from './diff.ts'
import { observe } from './infer.ts'
import { compilePlan, readPlan } from './plan.ts'

const OPEN = new Set(['plan'])

function infer(
  events: readonly CanonicalEvent[],
  who = (event: CanonicalEvent) => event.subject.identifiers[0]!.value,
) {
  const seen = observe(OPEN)
  for (const event of events) seen.add(event, who(event))
  const text = seen.yaml(1, 'from a test')
  return { text, plan: readPlan({ file: 'inferred.yaml', text }) }
}

const day = Array.from({ length: 60 }, (_, n) =>
  track({
    name: 'Order Completed',
    userId: `u${n % 20}`,
    messageId: `o${n}`,
    properties: {
      order_id: `A-${n}`,
      total: n % 2 ? n : n + 0.5,
      currency: n % 3 ? 'BRL' : 'USD',
      placed_at: '2026-03-10T12:00:00.000Z',
      ...(n % 4 ? {} : { coupon: `C${n}` }),
      products: [{ product_id: `p${n}`, quantity: 1 }],
      salesman_name: n % 2 ? 'Ana' : 'Rui',
    },
  }),
)
const people = Array.from({ length: 20 }, (_, n) =>
  identify({
    userId: `u${n}`,
    traits: { email: `u${n}@example.com`, plan: n % 2 ? 'gold' : 'basic', bairro: n % 2 ? 'Centro' : 'Lapa' },
  }),
)

test('an amount may have cents, though all that came were whole; a number of pieces stays whole', () => {
  const whole = { price: 10, quantity: 2 }
  const event = (properties: Record<string, unknown>) =>
    track({ name: 'Order Completed', userId: 'u1', properties: { total: 20, products: [whole], ...properties } })
  const { plan } = infer([event({})])
  const compiled = compilePlan(plan, { file: 'x' })
  expect(compiled.check(event({ total: 19.9, products: [{ price: 9.95, quantity: 2 }] }))).toBeUndefined()
  expect(compiled.check(event({ products: [{ price: 10, quantity: 1.5 }] }))?.violations).toMatchObject([
    { kind: 'type', path: '/properties/products/0/quantity', expected: 'integer', got: 'number' },
  ])
})

test('types, what is always there, words and formats; how often the rest was there', () => {
  const { plan, text } = infer([...day, ...people])
  expect(plan.events['Order Completed']).toEqual({
    properties: {
      required: ['currency', 'order_id', 'placed_at', 'products', 'salesman_name', 'total'],
      properties: {
        coupon: { type: 'string' },
        currency: { enum: ['BRL', 'USD'] },
        order_id: { type: 'string' },
        placed_at: { type: 'string', format: 'date-time' },
        products: {
          type: 'array',
          items: {
            type: 'object',
            required: ['product_id', 'quantity'],
            properties: { product_id: { type: 'string' }, quantity: { type: 'integer' } },
          },
        },
        // The name of a field alone keeps its words out.
        salesman_name: { type: 'string' },
        total: { type: 'number' },
      },
    },
  })
  expect(plan.events['identify']?.traits).toMatchObject({
    properties: {
      email: { type: 'string', format: 'email' },
      plan: { enum: ['basic', 'gold'] },
      bairro: { type: 'string' },
    },
  })
  expect(text).toMatch(/# 60×\n\s+Order Completed:/)
  expect(text).toMatch(/# 25%\n\s+coupon:/)
  for (const word of ['Ana', 'Centro', 'u1@example.com']) expect(text).not.toContain(word)
})

test('a word that fewer than five people sent is not written down', () => {
  const { text } = infer(day, () => 'one person')
  expect(text).not.toContain('BRL')
})

test('an event called like a person is in no plan, and a source that makes up names fills none', () => {
  const named = (name: string) => track({ name, userId: 'u1', properties: { x: 1 } })
  const { plan, text } = infer([
    named('Order Completed'),
    named('Pedido de ana@loja.example'),
    named('CPF 52998224725'),
    ...Array.from({ length: 700 }, (_, n) => named(`Made up ${n}`)),
  ])
  expect(Object.keys(plan.events)).toContain('Order Completed')
  expect(Object.keys(plan.events)).toHaveLength(500)
  for (const word of ['ana@', '52998224725']) expect(text).not.toContain(word)
})

test('it accepts whatever it was made from', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('a', 'b', '2026-03-10', 'x@y.co', 'https://a.example/b', ''),
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom('id', 'kind', '1', 'true', '$ref'), fc.string()), tie('any'), {
        maxKeys: 4,
      }),
    ),
  })).any
  const part = fc.dictionary(fc.constantFrom('a', 'kind', 'value', 'ana@example.com', '$ref'), value, { maxKeys: 5 })
  const event = fc
    .tuple(fc.constantFrom('A', 'B: c', '# d', 'true'), part, part)
    .map(([name, properties, traits]) => track({ name, userId: 'u1', properties, traits }))
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 12 }), (events) => {
      const compiled = compilePlan(infer(events).plan, { file: 'inferred.yaml', unplanned: 'block', mode: 'block' })
      for (const one of events) expect(compiled.check(JSON.parse(JSON.stringify(one)))).toBeUndefined()
    }),
    { numRuns: cases(20) },
  )
})

test('two versions side by side', () => {
  const of = (text: string) => readPlan({ file: 'a.yaml', text })
  const one = of('version: 1\nevents: {A: {properties: {required: [x], properties: {x: {type: string}}}}, Old: {}}')
  const two = of(
    'version: 2\nmode: block\nevents: {A: {properties: {required: [y, x], properties: {x: {type: number}}}}, New: {}}',
  )
  expect(diffPlans(one, two)).toEqual([
    { change: 'added', event: '', path: 'mode', to: 'block' },
    { change: 'changed', event: 'A', path: 'properties/properties/x/type', from: 'string', to: 'number' },
    { change: 'added', event: 'A', path: 'properties/required/y', to: true },
    { change: 'added', event: 'New', path: '' },
    { change: 'removed', event: 'Old', path: '' },
  ])
  expect(diffPlans(one, one)).toEqual([])
})
