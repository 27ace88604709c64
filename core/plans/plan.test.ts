/** What a plan finds, and that finding it changes nothing. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cases } from '../testing/effort.ts'
import { identify, page, track } from '../testing/events.ts'
import { compilePlan, readPlan } from './plan.ts'
import { violationSentence } from './words.ts'

const TEXT = `
version: 2
mode: quarantine
$defs:
  product:
    type: object
    required: [product_id]
    properties: {product_id: {type: string}, price: {type: number, minimum: 0}}
events:
  Order Completed:
    properties:
      required: [order_id, total]
      additionalProperties: false
      properties:
        order_id: {type: string, pattern: '^[A-Z]-\\d+$'}
        total: {type: number}
        currency: {enum: [BRL, USD]}
        coupon: {type: string, maxLength: 8}
        products: {type: array, items: {$ref: '#/$defs/product'}}
  identify:
    mode: pass
    traits: {properties: {email: {type: string, format: email}}}
  page: {}
`
const compiled = compilePlan(readPlan({ file: 'site.yaml', text: TEXT }))
const plan = () => compiled
const order = (properties: Record<string, unknown>) => track({ name: 'Order Completed', userId: 'u1', properties })
const found = (properties: Record<string, unknown>) =>
  plan()
    .check(order(properties))
    ?.violations.map(({ kind, path, expected, got }) =>
      [kind, path, expected, got].filter((part) => part !== undefined),
    )

describe('what is found', () => {
  test('each kind with its place and what was expected, in the order of places', () => {
    expect(
      found({
        order_id: 'x',
        currency: 'EUR',
        coupon: 'muito-longo-demais',
        products: [{ product_id: 'p1', price: -1 }, { price: '10' }, { price: '12' }],
        cor: 'azul',
      }),
    ).toEqual([
      ['unknown_property', '/properties/cor', ''],
      ['length', '/properties/coupon', '<= 8'],
      ['enum', '/properties/currency', 'BRL, USD', 'string'],
      ['pattern', '/properties/order_id', '^[A-Z]-\\d+$', 'string'],
      ['range', '/properties/products/0/price', '>= 0'],
      ['type', '/properties/products/1/price', 'number', 'string'],
      ['missing', '/properties/products/1/product_id', 'string'],
      ['missing', '/properties/total', 'number'],
    ])
  })

  test('an event the plan does not name is none of its business, unless it says so', () => {
    const unnamed = track({ name: 'Wishlist Opened', userId: 'u1' })
    expect(plan().check(unnamed)).toBeUndefined()
    const strict = compilePlan(plan().plan, { file: 'site.yaml', unplanned: 'block' })
    expect(strict.check(unnamed)).toMatchObject({ effect: 'block', violations: [{ kind: 'unplanned', path: '' }] })
    expect(strict.check(page())).toBeUndefined()
  })

  test('a track event called like a call is not that call', () => {
    const strict = compilePlan(plan().plan, { file: 'site.yaml', unplanned: 'block' })
    expect(strict.check(track({ name: 'identify', userId: 'u1' }))?.violations[0]?.kind).toBe('unplanned')
  })

  test("the event's mode stands before the source's, the source's before the plan's", () => {
    const bad = identify({ userId: 'u1', traits: { email: 'not an address' } })
    expect(plan().check(bad)?.effect).toBe('pass')
    expect(plan().check(order({}))?.effect).toBe('quarantine')
    expect(compilePlan(plan().plan, { file: 'x', mode: 'block' }).check(order({}))?.effect).toBe('block')
    expect(compilePlan(plan().plan, { file: 'x', mode: 'block' }).check(bad)?.effect).toBe('pass')
  })

  test("the source's word on events that the plan does not name stands before the plan's", () => {
    const other = track({ name: 'Made Up', userId: 'u1' })
    const written = readPlan({ file: 'x', text: 'version: 1\nunplanned: block\nevents: {}\n' })
    expect(compilePlan(written).check(other)?.effect).toBe('block')
    expect(compilePlan(written, { file: 'x', unplanned: 'quarantine' }).check(other)?.effect).toBe('quarantine')
    expect(compilePlan(written, { file: 'x', unplanned: 'allow' }).check(other)).toBeUndefined()
  })

  test('of a choice between shapes the finding is that none fits', () => {
    const choice = compilePlan(
      readPlan({
        file: 'a.yaml',
        text: `
version: 1
events:
  A: {properties: {properties: {v: {anyOf: [{type: string}, {type: object, required: [id], properties: {id: {type: string}}}]}}}}`,
      }),
    )
    const check = (v: unknown) => choice.check(track({ name: 'A', properties: { v } }))?.violations
    expect(check('x')).toBeUndefined()
    expect(check(3)).toEqual([{ kind: 'shape', path: '/properties/v', expected: 'anyOf' }])
  })

  test('neither a value nor a name made of one is told: not in violations, shape or words', () => {
    const secrets = ['ana@example.com', '11987654321', 'Rua das Flores 10']
    const finding = plan().check({
      ...order({
        order_id: secrets[2],
        total: secrets[1],
        currency: secrets[0],
        [secrets[0]!]: 1,
        [secrets[1]!]: { [secrets[0]!]: secrets[1] },
      }),
      traits: { email: secrets[0], nested: [{ phone: secrets[1] }] },
    })!
    const told = JSON.stringify([finding, finding.violations.map(violationSentence)])
    for (const secret of secrets) expect(told).not.toContain(secret)
    expect(finding.shape).toMatchObject({ properties: { order_id: 'string', total: 'string' } })
  })
})

describe('a plan with a mistake', () => {
  test.each([
    ['version: 0\nevents: {}', /site\.yaml:1:1 version: /],
    ['version: 1\nevents:\n  A:\n    propertys: {}', /site\.yaml:4:5 events\.A\.propertys: .*Did you mean properties/],
    ['version: 1\nevents:\n  A:\n    properties: {requried: [a]}', /site\.yaml:3:3 events\.A: .*requried/],
    ['version: 1\nevents:\n  A:\n    mode: refuse', /events\.A\.mode: must be one of: pass, quarantine, block/],
    ['version: 1\nevents: {A: {properties: {$ref: "#/$defs/none"}}}', /can.t resolve reference/],
    ['version: 1\n  events: 3', /not valid YAML/],
  ])('%#: is told with its place', (text, message) => {
    expect(() => readPlan({ file: 'plans/site.yaml', text })).toThrow(message)
  })

  test('YAML and JSON that say the same are one plan', () => {
    const { plan: read, hash } = plan()
    expect(compilePlan(readPlan({ file: 'a.json', text: JSON.stringify(read) })).hash).toBe(hash)
  })
})

describe('properties', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fc.string({ maxLength: 8 }), tie('any'), { maxKeys: 4 }),
    ),
  })).any
  const properties = fc.record(
    {
      order_id: fc.oneof(fc.constant('A-1'), value),
      total: fc.oneof(fc.integer(), value),
      currency: fc.oneof(fc.constant('BRL'), value),
      products: fc.oneof(fc.array(fc.record({ product_id: value, price: value }, { requiredKeys: [] })), value),
      extra: value,
    },
    { requiredKeys: [] },
  )

  test('an event is the same byte for byte after it was checked, accepted or not', () => {
    fc.assert(
      fc.property(properties, (given) => {
        const event = order(given as Record<string, unknown>)
        const before = JSON.stringify(event)
        plan().check(event)
        expect(JSON.stringify(event)).toBe(before)
      }),
      { numRuns: cases(100) },
    )
  })

  test('what is found does not depend on the order of the keys', () => {
    const turned = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(turned)
        : value !== null && typeof value === 'object'
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, part]) => [key, turned(part)]),
            )
          : value
    fc.assert(
      fc.property(properties, (given) => {
        const event = order(given as Record<string, unknown>)
        const other = { ...event, properties: turned(event.properties) as typeof event.properties }
        expect(plan().check(other)).toEqual(plan().check(event))
      }),
      { numRuns: cases(150) },
    )
  })
})
