/** What an editor shows of the rule language: every word with what it is, choices to pick from, examples. */
import { expect, test } from 'vitest'
import { Rule } from './rule.ts'

interface Shape {
  readonly $ref?: string
  readonly description?: string
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly examples?: readonly unknown[]
  readonly additionalProperties?: unknown
  readonly properties?: Readonly<Record<string, Shape>>
  readonly patternProperties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly $defs?: Readonly<Record<string, Shape>>
}

const root = Rule as unknown as Shape
const resolved = (shape: Shape): Shape =>
  shape.$ref === undefined ? shape : root.$defs![shape.$ref.split('/').at(-1)!]!

/** Every word of the language with its place; each shape once. */
function words(shape: Shape, path: string, seen = new Set<Shape>()): { path: string; shape: Shape }[] {
  if (seen.has(shape)) return []
  seen.add(shape)
  const inside = [
    ...Object.entries(shape.properties ?? {}),
    ...Object.entries(shape.patternProperties ?? {}),
    ...(shape.items ? [['[]', shape.items] as const] : []),
    ...(shape.anyOf ?? []).map((one, index) => [`|${index}`, one] as const),
    ...Object.entries(shape.$defs ?? {}),
  ]
  return [
    ...Object.entries(shape.properties ?? {}).map(([key, one]) => ({ path: `${path}.${key}`, shape: resolved(one) })),
    ...inside.flatMap(([key, one]) => words(one, `${path}.${key}`, seen)),
  ]
}

const all = words(root, 'rule')

test('every word says what it is', () => {
  expect(all.length).toBeGreaterThan(100)
  expect(all.filter(({ shape }) => !shape.description).map(({ path }) => path)).toEqual([])
})

test('a mapping takes no word that is not in it, so that a mistyped one is marked', () => {
  const open = [...new Set(all.map(({ shape }) => shape))].filter(
    (shape) => shape.type === 'object' && shape.properties && shape.additionalProperties !== false,
  )
  expect(open).toEqual([])
})

test('events and durations come with examples to pick from', () => {
  const examples = (path: string) => all.find((word) => word.path.endsWith(path))!.shape.examples
  expect(examples('|0.event')).toContain('Order Completed')
  expect(examples('absence.within')).toContain('PT30M')
  expect(examples('Condition.|0.field')).toContain('cart.total')
})
