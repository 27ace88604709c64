/** What a validator found, in the hub's own few kinds: a path, what the plan asks for, and never the value that was sent. */
import type { ErrorObject } from 'ajv/dist/2020.js'
import type { Violation, ViolationKind } from '../../schemas/plan.ts'
import { parsePointer } from '../config/words.ts'
import { safeName, typeName } from './shape.ts'

/** More than these of one event say nothing new. */
const MOST = 20

const KINDS: Readonly<Record<string, ViolationKind>> = {
  required: 'missing',
  dependentRequired: 'missing',
  type: 'type',
  enum: 'enum',
  const: 'enum',
  pattern: 'pattern',
  format: 'format',
  minimum: 'range',
  maximum: 'range',
  exclusiveMinimum: 'range',
  exclusiveMaximum: 'range',
  multipleOf: 'range',
  minLength: 'length',
  maxLength: 'length',
  minItems: 'length',
  maxItems: 'length',
  minProperties: 'length',
  maxProperties: 'length',
  additionalProperties: 'unknown_property',
  unevaluatedProperties: 'unknown_property',
  propertyNames: 'unknown_property',
}

export function violationsOf(errors: readonly ErrorObject[]): Violation[] {
  // Of a choice between shapes, why each of them does not fit is noise: that none fits is the finding.
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')
  const found = new Map<string, Violation>()
  for (const error of errors) {
    if (error.keyword === 'if') continue
    const inChoice =
      /\/(anyOf|oneOf)\/\d+(\/|$)/.test(error.schemaPath) ||
      (error.schemaPath.startsWith('#/$defs/') &&
        choices.some((choice) => choice !== error && within(error.instancePath, choice.instancePath)))
    if (inChoice) continue
    const violation = violationOf(error)
    const key = `${anyPlace(violation.path)}\0${violation.kind}\0${violation.expected}`
    const known = found.get(key)
    // Ten lines of an order with the same fault are one finding, at its first place.
    if (!known || violation.path < known.path) found.set(key, violation)
  }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .slice(0, MOST)
    .map(([, violation]) => violation)
}

const within = (path: string, outer: string) => path === outer || path.startsWith(`${outer}/`)

function violationOf({ keyword, instancePath, params, data, parentSchema }: ErrorObject): Violation {
  const kind = KINDS[keyword] ?? 'shape'
  const named = (params['missingProperty'] ??
    params['additionalProperty'] ??
    params['unevaluatedProperty'] ??
    params['propertyName']) as string | undefined
  const path = pathOf([...parsePointer(instancePath), ...(named === undefined ? [] : [named])], kind === 'missing')
  const at = { kind, path }
  switch (kind) {
    case 'missing': {
      const properties = (parentSchema as { properties?: Record<string, { type?: unknown }> } | undefined)?.properties
      return { ...at, expected: typeWords(properties?.[named ?? '']?.type) }
    }
    case 'type':
      return { ...at, expected: typeWords(params['type']), got: typeName(data) }
    case 'enum': {
      const allowed = keyword === 'const' ? [params['allowedValue']] : (params['allowedValues'] as unknown[])
      const words = allowed.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
      return {
        ...at,
        expected: words.length > 12 ? `${words.slice(0, 12).join(', ')}, …` : words.join(', '),
        got: typeName(data),
      }
    }
    case 'pattern':
      return { ...at, expected: String(params['pattern']), got: typeName(data) }
    case 'format':
      return { ...at, expected: String(params['format']), got: typeName(data) }
    case 'range':
      return {
        ...at,
        expected: keyword === 'multipleOf' ? `× ${params['multipleOf']}` : `${params['comparison']} ${params['limit']}`,
      }
    case 'length':
      return { ...at, expected: `${keyword.startsWith('min') ? '>=' : '<='} ${params['limit']}` }
    case 'unknown_property':
      return { ...at, expected: '' }
    default:
      return { ...at, expected: keyword }
  }
}

const typeWords = (type: unknown) => (Array.isArray(type) ? type.join(' | ') : typeof type === 'string' ? type : '')

/** A missing name comes from the plan; any other may be made of what was sent. */
function pathOf(steps: readonly string[], lastIsPlanned: boolean): string {
  return steps
    .map((step, index) => {
      const shown = /^\d{1,4}$/.test(step) || (lastIsPlanned && index === steps.length - 1) ? step : safeName(step)
      return `/${shown.replaceAll('~', '~0').replaceAll('/', '~1')}`
    })
    .join('')
}

// The same for every place of a list: /properties/products/*/price.
export function anyPlace(path: string): string {
  return path.replace(/\/\d+(?=\/|$)/g, '/*')
}
