/**
 * From the mapping view to an action's payload: default mapping by `from`, the rule's fields on
 * top, then the payload schema judges. Pure.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { TObject, TSchema } from 'typebox'
import { MAPPING_ROOTS, type MappingView } from '../kit/define.ts'
import { readPath } from '../kit/read-path.ts'

const ajv = new Ajv2020({
  strict: true,
  allErrors: true,
  useDefaults: true,
  coerceTypes: false,
  removeAdditional: false,
  allowUnionTypes: true,
})
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
ajv.addVocabulary(['from', 'secret', 'pii'])

const compiled = new WeakMap<TSchema, ValidateFunction>()
function validator(schema: TSchema): ValidateFunction {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = ajv.compile(schema)
    compiled.set(schema, validate)
  }
  return validate
}

export type Checked<T> =
  | { readonly value: T }
  | { readonly errors: readonly { readonly path: string; readonly message: string }[] }

/** Validates and fills defaults. Errors name paths and rules, never values. */
export function checkAgainst<T>(schema: TSchema, value: unknown): Checked<T> {
  const validate = validator(schema)
  if (validate(value)) return { value: value as T }
  return {
    errors: (validate.errors ?? []).map((error) => ({
      path:
        error.keyword === 'required'
          ? `${error.instancePath}/${String(error.params['missingProperty'])}`
          : error.instancePath,
      message: error.message ?? error.keyword,
    })),
  }
}

/**
 * @param overrides fields a rule sets by `with`; they win over the default mapping.
 */
export function buildPayload(
  schema: TObject,
  view: MappingView,
  overrides: Readonly<Record<string, unknown>> = {},
): Checked<Record<string, unknown>> {
  const set = Object.fromEntries(
    Object.entries(overrides).map(([name, value]) => [name, written(value, schema.properties[name], view)] as const),
  )
  const filled = fill(schema, view) as Record<string, unknown> | undefined
  return checkAgainst(schema, { ...filled, ...withoutUndefined(set) })
}

/** `{from: offer.code}` in a rule is read when the payload is built; everything else is meant as it stands. */
function written(value: unknown, schema: TSchema | undefined, view: MappingView): unknown {
  if (Array.isArray(value)) return value.map((item) => written(item, undefined, view))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value)
  const [only] = entries
  if (entries.length === 1 && only?.[0] === 'from' && isPath(only[1])) {
    const found = readPath(view, only[1])
    return found === undefined || found === null ? undefined : fits(schema ?? {}, found)
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, written(item, undefined, view)]))
}

const isPath = (path: unknown): path is string =>
  typeof path === 'string' && MAPPING_ROOTS.some((root) => path === root || path.startsWith(`${root}.`))

const withoutUndefined = (from: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined))

function fill(schema: TSchema, view: MappingView): unknown {
  const { from, type, properties } = schema as TSchema & {
    from?: string | readonly string[]
    type?: string
    properties?: Record<string, TSchema>
  }
  if (from !== undefined) {
    for (const path of typeof from === 'string' ? [from] : from) {
      const value = readPath(view, path)
      // An empty string is how many SDKs say "absent".
      if (value !== undefined && value !== null && value !== '') return fits(schema, value)
    }
    return undefined
  }
  if (type !== 'object' || !properties) return undefined
  const filled: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(properties)) {
    const value = fill(property, view)
    if (value !== undefined) filled[name] = value
  }
  return Object.keys(filled).length > 0 ? filled : undefined
}

/** The lossless conversions mappings need all the time: numbers written as text, and the reverse. */
function fits(schema: TSchema, value: unknown): unknown {
  const type = (schema as { type?: string }).type
  if (type === 'string' && typeof value === 'number' && Number.isFinite(value)) return String(value)
  if ((type === 'number' || type === 'integer') && typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim()))
    return Number(value)
  return value
}
