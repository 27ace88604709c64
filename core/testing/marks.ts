/** Finds in a value what its schema marks as secret or personal. */
import type { TSchema } from 'typebox'

interface Shape {
  readonly secret?: boolean
  readonly pii?: boolean
  readonly properties?: Readonly<Record<string, TSchema>>
  readonly patternProperties?: Readonly<Record<string, TSchema>>
  readonly additionalProperties?: TSchema | boolean
  readonly items?: TSchema
  readonly anyOf?: readonly TSchema[]
}

/** Every text of four or more characters below a schema with this mark. Shorter ones occur anywhere by chance. */
export function markedTexts(schema: TSchema, value: unknown, mark: 'secret' | 'pii'): string[] {
  const shape = schema as Shape
  if (shape[mark] === true) return texts(value).filter((text) => text.length >= 4)
  if (value === null || typeof value !== 'object') return []
  const below = Array.isArray(value)
    ? value.flatMap((item) => (shape.items ? markedTexts(shape.items, item, mark) : []))
    : Object.entries(value).flatMap(([name, item]) => {
        const inner = shape.properties?.[name] ?? valueSchema(shape)
        return inner ? markedTexts(inner, item, mark) : []
      })
  return [...below, ...(shape.anyOf ?? []).flatMap((inner) => markedTexts(inner, value, mark))]
}

/** Paths of settings named like a credential and not marked `secret`. */
export function unmarkedSecrets(schema: TSchema, path = ''): string[] {
  const shape = schema as Shape
  if (shape.secret === true) return []
  const inner = valueSchema(shape)
  const below = [
    ...Object.entries(shape.properties ?? {}).flatMap(([name, value]) =>
      unmarkedSecrets(value, path ? `${path}.${name}` : name),
    ),
    ...(shape.items ? unmarkedSecrets(shape.items, path) : []),
    ...(inner ? unmarkedSecrets(inner, path) : []),
  ]
  if (shape.properties || inner) return below
  const named = /(key|secret|token|password|senha|credentials?)$/i.test(path.split('.').at(-1) ?? '')
  return [...(named ? [path] : []), ...below]
}

/** Schema of the values of a record. */
const valueSchema = (shape: Shape): TSchema | undefined =>
  Object.values(shape.patternProperties ?? {})[0] ??
  (typeof shape.additionalProperties === 'object' ? shape.additionalProperties : undefined)

/** Every text inside a value. */
export function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (value === null || typeof value !== 'object') return []
  return Object.values(value).flatMap(texts)
}
