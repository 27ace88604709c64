/** A value against its schema: defaults filled, unknown keys refused, mistakes told in words and without values. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { TSchema } from 'typebox'
import { type Path, parsePointer, pointer, unknownName } from './words.ts'

// Settings schemas carry words of the kit; their spelling is the connector suite's business, not the operator's.
const ajv = new Ajv2020({
  strict: false,
  allErrors: true,
  useDefaults: true,
  verbose: true,
  // Checked once at start: smoothing the code would take longer than it saves.
  code: { optimize: false },
})
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)

const validators = new WeakMap<TSchema, ValidateFunction>()

/** Validates a copy and fills defaults; keys a schema does not name are mistakes, also in settings. */
export function check<T>(
  schema: TSchema,
  value: unknown,
  at: Path,
  referenced: ReadonlySet<string>,
  report: (path: Path, message: string) => void,
): T {
  let validate = validators.get(schema)
  if (!validate) {
    const { $id: _, ...closed } = close(schema) as Record<string, unknown>
    validate = ajv.compile(closed)
    validators.set(schema, validate)
  }
  let copy = structuredClone(value)
  let valid = validate(copy)
  if (!valid && coerceReferenced(copy, at, referenced, validate.errors ?? [])) {
    copy = structuredClone(copy)
    valid = validate(copy)
  }
  if (!valid) for (const problem of explain(validate.errors ?? [])) report([...at, ...problem.path], problem.message)
  return copy as T
}

/** Environment variables are text: `port: ${PORT}` is meant as a number. @returns whether anything changed. */
function coerceReferenced(
  root: unknown,
  at: Path,
  referenced: ReadonlySet<string>,
  errors: readonly ErrorObject[],
): boolean {
  let changed = false
  for (const error of errors) {
    const path = parsePointer(error.instancePath)
    if (error.keyword !== 'type' || path.length === 0 || !referenced.has(pointer([...at, ...path]))) continue
    const parent = path
      .slice(0, -1)
      .reduce<unknown>((value, step) => (value as Record<string, unknown>)[step], root) as Record<string, unknown>
    const key = path.at(-1) as string
    const text = parent[key]
    const wanted = String(error.params['type'])
    const read =
      /integer|number/.test(wanted) && /^-?\d+(\.\d+)?$/.test(String(text))
        ? Number(text)
        : /boolean/.test(wanted) && /^(true|false)$/.test(String(text))
          ? text === 'true'
          : undefined
    if (typeof text !== 'string' || read === undefined) continue
    parent[key] = read
    changed = true
  }
  return changed
}

/**
 * The same schema refusing keys it does not name. Not inside allOf, nor inside the choices of an object that names its
 * keys itself: each part names only its own.
 */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close)
  if (schema === null || typeof schema !== 'object') return schema
  const closed: Record<string, unknown> = {}
  const names = Object.hasOwn(schema, 'properties')
  for (const [key, value] of Object.entries(schema)) {
    const inner = key === 'properties' || key === 'patternProperties'
    closed[key] = inner
      ? Object.fromEntries(Object.entries(value as object).map(([name, part]) => [name, close(part)]))
      : ['items', 'additionalProperties', ...(names ? [] : ['anyOf', 'oneOf'])].includes(key)
        ? close(value)
        : value
  }
  if (closed['properties'] && closed['additionalProperties'] === undefined && !closed['patternProperties'])
    closed['additionalProperties'] = false
  return closed
}

/** Ajv's errors as sentences without values. Of a choice between literals only the list of choices remains. */
function explain(errors: readonly ErrorObject[]): { path: Path; message: string }[] {
  const choices = new Map<string, unknown[]>()
  for (const error of errors) {
    if (error.keyword === 'const')
      choices.set(error.instancePath, [...(choices.get(error.instancePath) ?? []), error.params['allowedValue']])
  }
  const unions = new Set(errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath))
  const found: { path: Path; message: string }[] = []
  for (const error of errors) {
    const path = parsePointer(error.instancePath)
    const allowed = choices.get(error.instancePath)
    switch (error.keyword) {
      case 'required':
        found.push({ path: [...path, String(error.params['missingProperty'])], message: 'is missing. Add it.' })
        break
      case 'additionalProperties': {
        const key = String(error.params['additionalProperty'])
        const named = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {})
        const patterns = Object.keys(
          (error.parentSchema as { patternProperties?: object } | undefined)?.patternProperties ?? {},
        )
        if (patterns.length > 0)
          found.push({
            path: [...path, key],
            message:
              'is not a valid name: lower-case letters, digits, _ and - (purposes: letters, digits, _ and dots, or share.<destination>), at most 63 characters.',
          })
        else found.push({ path: [...path, key], message: unknownName('key', key, named) })
        break
      }
      case 'const':
        if (allowed?.length === 1 && !unions.has(error.instancePath))
          found.push({ path, message: `must be ${JSON.stringify(allowed[0])}.` })
        break
      case 'enum':
        found.push({ path, message: `must be one of: ${(error.params['allowedValues'] as unknown[]).join(', ')}.` })
        break
      case 'anyOf':
        found.push({
          path,
          message: allowed
            ? `must be one of: ${[...new Set(allowed)].map(String).join(', ')}.`
            : 'has none of the shapes that are possible here.',
        })
        break
      case 'type':
        if (!unions.has(error.instancePath))
          found.push({ path, message: `must be ${article(String(error.params['type']))}.` })
        break
      default:
        if (![...unions].some((union) => union === error.instancePath))
          found.push({ path, message: `${error.message ?? error.keyword}.` })
    }
  }
  return found
}

const article = (type: string) =>
  `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type.replace('object', 'mapping').replace('array', 'list').replace('string', 'text')}`

/** Paths of the secrets that are really there. */
export function secretPaths(schema: TSchema, value: unknown): Path[] {
  const { secret, properties, items } = schema as TSchema & {
    secret?: boolean
    properties?: Record<string, TSchema>
    items?: TSchema
  }
  if (value === undefined || value === null || value === '') return []
  if (secret) return [[]]
  if (properties && typeof value === 'object')
    return Object.entries(properties).flatMap(([name, part]) =>
      secretPaths(part, (value as Record<string, unknown>)[name]).map((path) => [name, ...path]),
    )
  if (items && Array.isArray(value))
    return value.flatMap((item, index) => secretPaths(items, item).map((path) => [index, ...path]))
  return []
}
