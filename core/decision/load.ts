/** From rule documents to compiled rules. Every mistake is told with its file, line, column and what to write instead. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { type Document, isMap, isNode, isScalar, LineCounter, parseAllDocuments } from 'yaml'
import { conditionDefs, Duration } from '../../schemas/conditions.ts'
import { Rule } from '../../schemas/rule.ts'
import { nearest } from '../config/words.ts'
import { ConfigError } from '../kit/errors.ts'
import { type RuleProblem, refuse, ruleProblems } from './lint.ts'
import { type CompiledRule, compileRule, type Position } from './ruleset.ts'

export interface RuleDocument {
  /** Name for messages, as the user knows it. */
  readonly file: string
  /** YAML (one or more documents) or JSON. */
  readonly text: string
}

type Path = readonly (string | number)[]

let compiled: ValidateFunction<Rule> | undefined
/** Compiled when the first rule is read, in each thread that reads one; smoothing the code would take longer than it saves. */
function validator(): ValidateFunction<Rule> {
  compiled ??= new Ajv2020({
    strict: true,
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    code: { optimize: false },
  }).compile<Rule>(Rule)
  return compiled
}

/** @throws ConfigError with one line per problem of all documents; `path` is the place of the first. */
export function loadRules(documents: readonly RuleDocument[]): { rules: CompiledRule[] } {
  const problems: RuleProblem[] = []
  const rules: CompiledRule[] = []
  const places = new Map<string, Position>()
  for (const { file, text } of documents) {
    const lines = new LineCounter()
    for (const document of parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })) {
      const at = (offset: number): Position => {
        const { line, col } = lines.linePos(offset)
        return { file, line: Math.max(line, 1), column: Math.max(col, 1) }
      }
      if (document.errors.length > 0) {
        for (const error of document.errors)
          problems.push({
            ...at(error.pos[0]),
            message: `not valid YAML: ${error.message}; check indentation and quotes`,
          })
        continue
      }
      if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) continue
      const positionOf = (path: Path) => at(offsetOf(document, path))
      const value = read(document)
      if (value instanceof Error)
        problems.push({ ...positionOf([]), message: `${value.message}; write the values out` })
      else if (validator()(value)) {
        const found = ruleProblems(value)
        problems.push(
          ...found.map(({ path, message }) => ({ ...positionOf(path), message: `rule ${value.id}: ${message}` })),
        )
        const first = places.get(value.id)
        if (first)
          problems.push({
            ...positionOf(['id']),
            message: `rule ${value.id} is already written at ${first.file}:${first.line}: give this one another id, or keep only the newest version`,
          })
        else places.set(value.id, positionOf(['id']))
        if (found.length === 0 && !first) rules.push(compileRule(value, positionOf))
      } else
        problems.push(
          ...schemaProblems(validator().errors ?? [], value).map(({ path, message }) => ({
            ...positionOf(path),
            message,
          })),
        )
    }
  }
  refuse(problems)
  return { rules }
}

function read(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 20 })
  } catch (error) {
    return new ConfigError(error instanceof Error ? error.message : 'the document cannot be read')
  }
}

/** Offset of the key or item the path ends in; of the nearest place above when it is not written. */
function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true)
    const step = path[length - 1]!
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === step)
      if (isScalar(pair?.key) && pair.key.range) return pair.key.range[0]
    }
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range[0] : 0
}

// ---------------------------------------------------------------- what the schema's errors mean

interface Shape {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly description?: string
  readonly pattern?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Shape>>
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
}

function schemaProblems(errors: readonly ErrorObject[], value: unknown): { path: Path; message: string }[] {
  const problems = new Map<string, { path: Path; message: string }>()
  for (const error of errors) {
    const steps = pointer(error.instancePath)
    if (!speaksOfTheMeantAlternative(error, value, steps)) continue
    const problem = toProblem(error, steps)
    problems.set(JSON.stringify(problem), problem)
  }
  return [...problems.values()]
}

const pointer = (text: string): string[] =>
  text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))

/**
 * A validator reports every alternative of a union that did not fit. Only the one the author was writing
 * is worth reading: follow the schema along the value and keep errors inside that alternative.
 */
function speaksOfTheMeantAlternative(error: ErrorObject, root: unknown, instance: readonly string[]): boolean {
  let meant = unfold(Rule as unknown as Shape, root)
  let value = root
  for (const step of instance) {
    value = child(value, step)
    meant = meant.flatMap((shape) => {
      const next = shape.properties?.[step] ?? (shape.type === 'array' ? shape.items : undefined)
      return next ? unfold(next, value) : []
    })
  }
  const shape = meant.find((candidate) => candidate === error.parentSchema)
  return shape !== undefined && (error.keyword !== 'anyOf' || meantAlternative(shape.anyOf ?? [], value) === undefined)
}

/** A schema, and what it stands for where this value is. */
function unfold(shape: Shape, value: unknown): Shape[] {
  if (shape.$ref !== undefined) return unfold(DEFINED[shape.$ref.split('/').at(-1)!]!, value)
  const meant = shape.anyOf && meantAlternative(shape.anyOf, value)
  return [shape, ...(meant ? unfold(meant, value) : [])]
}

const DEFINED = conditionDefs as unknown as Readonly<Record<string, Shape>>

function child(value: unknown, step: string | undefined): unknown {
  return value !== null && typeof value === 'object' && step !== undefined
    ? (value as Record<string, unknown>)[step]
    : undefined
}

/** The alternative that shares most words with the value, compulsory words first. */
function meantAlternative(alternatives: readonly Shape[], value: unknown): Shape | undefined {
  if (value === null || typeof value !== 'object') return undefined
  if (Array.isArray(value)) {
    const [list, ...more] = alternatives.filter(({ type }) => type === 'array')
    return more.length === 0 ? list : undefined
  }
  let best: { shape: Shape; score: number } | undefined
  for (const shape of alternatives) {
    const shared = (names: readonly string[]) => names.filter((name) => Object.hasOwn(value, name)).length
    const score = shared(shape.required ?? []) * 100 + shared(Object.keys(shape.properties ?? {}))
    if (score > (best?.score ?? 0)) best = { shape, score }
  }
  return best?.shape
}

function toProblem(error: ErrorObject, steps: readonly string[]): { path: Path; message: string } {
  const path = steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  const place = steps.length === 0 ? 'the rule' : `"${steps.join('.')}"`
  const shape = error.parentSchema as Shape
  switch (error.keyword) {
    case 'required': {
      const missing = String(error.params['missingProperty'])
      const hint = shape.properties?.[missing]?.description
      return { path, message: `${place} needs "${missing}": add it${hint ? ` (${hint})` : ''}` }
    }
    case 'additionalProperties': {
      const extra = String(error.params['additionalProperty'])
      return {
        path: [...path, extra],
        message: `unknown key "${extra}" in ${place}: ${meantWord(extra, Object.keys(shape.properties ?? {}))}allowed are ${Object.keys(shape.properties ?? {}).join(', ')}`,
      }
    }
    case 'anyOf': {
      const said = `${place} must be ${alternativesInWords(shape.anyOf ?? [])}`
      const misspelt = misspeltKey(error.data, shape.anyOf ?? [])
      return misspelt
        ? { path: [...path, misspelt.key], message: `${misspelt.message}${said}` }
        : { path, message: said }
    }
    case 'enum': {
      const allowed = (error.params['allowedValues'] as unknown[]).map(String)
      return { path, message: `${place} must be one of ${allowed.join(', ')}${nearWords(String(error.data), allowed)}` }
    }
    case 'const':
      return { path, message: `${place} must be ${String(error.params['allowedValue'])}` }
    case 'minItems':
      return { path, message: `${place} is empty: it needs at least one entry` }
    case 'pattern':
      if (shape.pattern === (Duration as unknown as Shape).pattern)
        return { path, message: `${place} is no duration: write one such as PT30M or P1D (${shape.description})` }
      return { path, message: `${place} has the wrong form: ${shape.description ?? `it must match ${shape.pattern}`}` }
    case 'type':
      return { path, message: `${place} must be ${TYPE_WORDS[String(shape.type)] ?? shape.type}` }
    default:
      return {
        path,
        message: `${place} ${error.message ?? `breaks ${error.keyword}`}${shape.description ? `: ${shape.description}` : ''}`,
      }
  }
}

/** "did you mean …? " before the list of all words; nothing where none is near. */
function meantWord(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near.length > 0 ? `did you mean ${near.join(' or ')}? ` : ''
}

/** The same after it. */
const nearWords = (name: string, known: readonly string[]) =>
  meantWord(name, known).replace(/^did you mean (.*)\? $/, ': did you mean $1?')

/** Of a mapping that fits no alternative, a key that nearly is a word of one of them. */
function misspeltKey(value: unknown, shapes: readonly Shape[]): { key: string; message: string } | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  const known = [...new Set(shapes.flatMap((shape) => unfold(shape, value)).flatMap(wordsOf))]
  for (const key of Object.keys(value)) {
    const meant = known.includes(key) ? '' : meantWord(key, known)
    if (meant !== '') return { key, message: `unknown key "${key}": ${meant}` }
  }
  return undefined
}

const wordsOf = (shape: Shape): string[] => [
  ...Object.keys(shape.properties ?? {}),
  ...(shape.anyOf ?? []).flatMap(wordsOf),
]

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a mapping (key: value)',
  array: 'a list (- item)',
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
}

function alternativesInWords(shapes: readonly Shape[]): string {
  const words = shapes.flatMap((shape): string[] => {
    if (shape.const !== undefined) return [String(shape.const)]
    if (shape.$ref !== undefined) return [alternativesInWords([DEFINED[shape.$ref.split('/').at(-1)!]!])]
    if (shape.anyOf) return [alternativesInWords(shape.anyOf)]
    if (shape.required && shape.required.length > 0)
      return [`a mapping with ${shape.required.map((key) => `"${key}"`).join(', ')}`]
    if (shape.properties)
      return [
        `a group with ${Object.keys(shape.properties)
          .map((key) => `"${key}"`)
          .join(', ')}`,
      ]
    return [TYPE_WORDS[String(shape.type)] ?? String(shape.type)]
  })
  return words.length > 1 && shapes.every((shape) => shape.const !== undefined)
    ? `one of ${words.join(', ')}`
    : words.join(' or ')
}
