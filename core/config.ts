/**
 * anuente.yaml from text to what the hub works with: references resolved, every part checked
 * against its schema, defaults filled. Every mistake is found in one reading and named with its
 * line and column; no message carries the value of a setting.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, resolve, sep } from 'node:path'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { TSchema } from 'typebox'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { Config, type DestinationConfig, type SourceConfig } from '../schemas/config.ts'
import type { AnyDestination, AnySource, Registry } from './kit/define.ts'
import { ConfigError } from './kit/errors.ts'

export type Settings = Readonly<Record<string, unknown>>

export interface ConfigWarning {
  /** JSON pointer into the file. */
  readonly path: string
  /** File, line and column, what is wrong and what to do. */
  readonly message: string
}

export interface SourceSettings {
  readonly id: string
  readonly connector: string
  readonly definition: AnySource
  readonly config: SourceConfig
  readonly settings: Settings
}

export interface DestinationSettings {
  readonly id: string
  readonly connector: string
  readonly definition: AnyDestination
  readonly config: DestinationConfig
  readonly settings: Settings
  readonly role: 'operator' | 'controller'
  /** ISO 3166-1 alpha-2. */
  readonly country: string
  /** Actions that follow events by themselves. Rules may use any action of the definition. */
  readonly actions: readonly string[]
  /** Configured purpose that stands for an action's starter purpose; undefined: not declared, so nothing leaves. */
  purposeOf(starterId: string): string | undefined
}

export interface LoadedConfig {
  readonly config: Config
  /** Absolute. */
  readonly path: string
  readonly dir: string
  readonly dataDir: string
  readonly port: number
  readonly host: string
  /** Without trailing slash. */
  readonly publicUrl: string
  /** IANA name. */
  readonly timezone: string
  /** ISO 4217. */
  readonly currency: string
  readonly sourceSettings: ReadonlyMap<string, SourceSettings>
  readonly destinationSettings: ReadonlyMap<string, DestinationSettings>
  readonly ruleDocuments: readonly { readonly file: string; readonly text: string }[]
  readonly warnings: readonly ConfigWarning[]
}

export const DEFAULT_PORT = 8787

// Settings schemas carry words of the kit; their spelling is the connector suite's business, not the operator's.
const ajv = new Ajv2020({ strict: false, allErrors: true, useDefaults: true, verbose: true })
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)

type Path = readonly (string | number)[]

/** @throws ConfigError listing every mistake, each with file:line:column. */
export function loadConfig(
  file: string,
  { registry, env = process.env }: { registry: Registry; env?: Readonly<Record<string, string | undefined>> },
): LoadedConfig {
  const path = resolve(file)
  const dir = dirname(path)
  const document = readDocument(path, dir, env)
  const problems: { path: Path; message: string }[] = []
  const report = (at: Path, message: string) => problems.push({ path: at, message })
  const stopOnProblems = () => {
    if (problems.length === 0) return
    const first = problems[0] as { path: Path }
    const lines = problems.map((problem) => `${document.place(problem.path)} ${dotted(problem.path)}${problem.message}`)
    throw new ConfigError([...new Set(lines)].join('\n'), pointer(first.path))
  }

  for (const problem of document.problems) report(problem.path, problem.message)
  stopOnProblems()

  const config = check<Config>(Config, document.value, [], document.referenced, report)
  stopOnProblems()
  const warnings: ConfigWarning[] = []
  const warn = (at: Path, message: string) =>
    warnings.push({ path: pointer(at), message: `${document.place(at)} ${dotted(at)}${message}` })
  const literal = (at: Path, secret: boolean) => {
    if (secret && !config.simulated && !document.referenced.has(pointer(at)))
      warn(at, `this secret is written into the file. Put it into an environment variable and write \${NAME} here.`)
  }

  const timezone = config.organization.timezone ?? 'America/Sao_Paulo'
  if (!isTimezone(timezone))
    report(['organization', 'timezone'], 'is not an IANA time zone. Write one such as America/Sao_Paulo.')

  const sourceSettings = new Map<string, SourceSettings>()
  const ownerOfKey = new Map<string, string>()
  for (const [id, source] of Object.entries(config.sources)) {
    const definition = registry.sources.get(source.connector)
    if (!definition) {
      report(['sources', id, 'connector'], unknownName('source connector', source.connector, registry.sources.keys()))
      continue
    }
    const at = ['sources', id, 'settings']
    const before = problems.length
    const settings = check<Settings>(definition.settings, source.settings ?? {}, at, document.referenced, report)
    for (const secret of secretPaths(definition.settings, settings)) literal([...at, ...secret], true)
    sourceSettings.set(id, { id, connector: source.connector, definition, config: source, settings })
    if (problems.length > before || definition.routes.length === 0) continue
    for (const key of definition.keys(settings)) {
      const owner = ownerOfKey.get(key)
      if (owner && owner !== id)
        report(
          at,
          `has the same key as source ${owner}, so nobody could tell which one is meant. Give each source its own key.`,
        )
      ownerOfKey.set(key, id)
    }
  }

  const destinationSettings = new Map<string, DestinationSettings>()
  for (const [id, destination] of Object.entries(config.destinations ?? {})) {
    if (sourceSettings.has(id) || config.sources[id])
      report(
        ['destinations', id],
        `is also the name of a source, and both would answer at /in/${id}. Rename one of them.`,
      )
    const definition = registry.destinations.get(destination.connector)
    if (!definition) {
      report(
        ['destinations', id, 'connector'],
        unknownName('destination connector', destination.connector, registry.destinations.keys()),
      )
      continue
    }
    const at = ['destinations', id]
    const settings = check<Settings>(
      definition.settings,
      destination.settings ?? {},
      [...at, 'settings'],
      document.referenced,
      report,
    )
    for (const secret of secretPaths(definition.settings, settings)) literal([...at, 'settings', ...secret], true)
    const { purposes } = destination
    const declared: [string | number, string][] = Array.isArray(purposes)
      ? [...purposes.entries()]
      : Object.entries(purposes)
    for (const [key, purpose] of declared) {
      if (!Object.hasOwn(config.purposes, purpose))
        report([...at, 'purposes', key], unknownName('purpose', purpose, Object.keys(config.purposes)))
    }
    for (const [index, action] of (destination.actions ?? []).entries()) {
      if (!Object.hasOwn(definition.actions, action))
        report(
          [...at, 'actions', index],
          unknownName(`action of ${destination.connector}`, action, Object.keys(definition.actions)),
        )
    }
    destinationSettings.set(id, describeDestination(id, destination, definition, settings))
  }

  literal(['mail', 'smtp'], hasPassword(config.mail?.smtp))
  literal(['storage', 'state'], hasPassword(config.storage?.state))
  const ruleDocuments = (config.rules ?? []).flatMap((pattern, index) => {
    const files = expand(dir, pattern)
    if (files.length === 0 && !/[*?]/.test(pattern))
      report(['rules', index], 'this file does not exist. Correct the path; it is relative to the configuration file.')
    return files
  })
  stopOnProblems()

  const port = config.server?.port ?? DEFAULT_PORT
  return {
    config,
    path,
    dir,
    dataDir: resolve(dir, config.storage?.dir ?? 'data'),
    port,
    host: config.server?.host ?? '127.0.0.1',
    publicUrl: (config.server?.publicUrl ?? `http://localhost:${port}`).replace(/\/+$/, ''),
    timezone,
    currency: config.organization.currency ?? 'BRL',
    sourceSettings,
    destinationSettings,
    ruleDocuments: [...new Set(ruleDocuments)].map((name) => ({ file: name, text: readFileSync(name, 'utf8') })),
    warnings,
  }
}

/** Settings of one connector without a configuration file: checked, defaults filled. @throws ConfigError */
export function checkSettings(schema: TSchema, settings: unknown, of: string): Settings {
  const problems: string[] = []
  const checked = check<Settings>(schema, settings, [], new Set(), (at, message) =>
    problems.push(`${of}: ${dotted(at)}${message}`),
  )
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return checked
}

/** Settings for reading without a configuration file: defaults alone, credentials left out. */
export function defaultSettings(schema: TSchema): Settings {
  return check<Settings>(schema, {}, [], new Set(), () => {})
}

/** Fills what a destination's configuration leaves open. */
export function describeDestination(
  id: string,
  config: DestinationConfig,
  definition: AnyDestination,
  settings: Settings,
): DestinationSettings {
  const { purposes } = config
  return {
    id,
    connector: config.connector,
    definition,
    config,
    settings,
    role: config.role ?? 'operator',
    country: config.country ?? 'BR',
    actions:
      config.actions ??
      Object.keys(definition.actions).filter((name) => definition.actions[name]?.trigger !== undefined),
    purposeOf: (starterId) => {
      if (Array.isArray(purposes)) return purposes.includes(starterId) ? starterId : undefined
      return Object.hasOwn(purposes, starterId) ? purposes[starterId] : undefined
    },
  }
}

// ---------------------------------------------------------------- text

interface Read {
  readonly value: unknown
  /** JSON pointers of values that came, wholly or partly, from a reference. */
  readonly referenced: ReadonlySet<string>
  readonly problems: readonly { path: Path; message: string }[]
  place(path: Path): string
}

/** ${NAME}, ${file:path} and, doubled, the literal $${NAME}. */
const REFERENCE = /(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*|file:[^{}\n]+)\}/g
/**
 * In a flow mapping YAML reads `{` as syntax, so `{smtp: ${SMTP_URL}}` would not parse. References
 * are put into private-use characters of the same length, so that every column stays right.
 */
const MASKED = /(\uE001?)\uE000\uE002([^\uE003]+)\uE003/g

function readDocument(path: string, dir: string, env: Readonly<Record<string, string | undefined>>): Read {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    if (code === 'ENOENT') throw new ConfigError(`${path} does not exist. Make one with: anuente init --config ${path}`)
    throw new ConfigError(`${path} cannot be read (${code}). Check its owner and permissions.`)
  }
  const masked = text.replace(
    REFERENCE,
    (_, doubled: string, name: string) => `${doubled ? '\uE001' : ''}\uE000\uE002${name}\uE003`,
  )
  const lines = new LineCounter()
  const document = parseDocument(masked, { lineCounter: lines, prettyErrors: false })
  const name = basename(path)
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const broken = document.errors[0]
  if (broken) {
    // The parser quotes the source in some messages; its code says as much without a value.
    throw new ConfigError(`${at(broken.pos[0])} is not valid YAML: ${YAML_PROBLEMS[broken.code] ?? broken.code}`)
  }

  const referenced = new Set<string>()
  const problems: { path: Path; message: string }[] = []
  const resolveText = (value: string, here: Path): string => {
    const file = /^file:(?!\/\/)(.+)$/.exec(value)
    const reference = (source: string): string => {
      referenced.add(pointer(here))
      const found = resolveReference(source, dir, env)
      if ('value' in found) return found.value
      problems.push({ path: here, message: found.problem })
      return ''
    }
    if (file) return reference(unmask(value))
    return value.replace(MASKED, (_, doubled: string, source: string) =>
      doubled ? `\${${source}}` : reference(source),
    )
  }
  const walk = (value: unknown, here: Path): unknown => {
    if (typeof value === 'string') return resolveText(value, here)
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...here, index]))
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [unmask(key), walk(item, [...here, unmask(key)])]),
    )
  }
  let plain: unknown
  try {
    plain = document.toJS()
  } catch {
    throw new ConfigError(`${name} uses aliases in a way that cannot be resolved. Write the repeated parts out.`)
  }
  return {
    value: walk(plain ?? {}, []),
    referenced,
    problems,
    place: (target) => at(offsetOf(document.contents, target)),
  }
}

const unmask = (text: string) =>
  text.replace(MASKED, (_, doubled: string, source: string) => `${doubled ? '$' : ''}\${${source}}`)

const YAML_PROBLEMS: Readonly<Record<string, string>> = {
  BAD_INDENT: 'the indentation does not fit the lines around it.',
  TAB_AS_INDENT: 'a tab is used for indentation. Use spaces.',
  DUPLICATE_KEY: 'the same key stands twice. Keep one of them.',
  MISSING_CHAR: 'a character is missing here, often a closing quote, bracket or brace, or a colon.',
  UNEXPECTED_TOKEN: 'unexpected text. Put values with special characters into quotes.',
  MULTILINE_IMPLICIT_KEY: 'a key runs over several lines. Check the quotes and the colon of this line.',
  BLOCK_AS_IMPLICIT_KEY: 'two colons in one line. Put the value into quotes.',
  BAD_ALIAS: 'an alias (*name) refers to nothing. Put values that begin with * into quotes.',
  MULTIPLE_DOCS: 'more than one document. Remove the line ---.',
}

function resolveReference(
  source: string,
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): { value: string } | { problem: string } {
  if (!source.startsWith('file:')) {
    const value = env[source]
    if (value) return { value }
    return {
      problem: `the environment variable ${source} is ${value === undefined ? 'not set' : 'empty'}. Set it before starting, or correct its name here.`,
    }
  }
  const path = resolve(dir, source.slice('file:'.length).trim())
  try {
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return value === '' ? { problem: `the file ${path} is empty.` } : { value }
  } catch (error) {
    return {
      problem: `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code}). Create it or correct the path; it is relative to the configuration file.`,
    }
  }
}

/** Offset of the deepest node on the way to `path`: a missing key is shown where its parent begins. */
function offsetOf(root: unknown, path: Path): number {
  let node: unknown = root
  let offset = (root as Node | null)?.range?.[0] ?? 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && unmask(String(item.key.value)) === String(step))
      if (!pair) break
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      offset = (node as Node | undefined)?.range?.[0] ?? offset
    } else break
  }
  return offset
}

// ---------------------------------------------------------------- schemas

const validators = new WeakMap<TSchema, ValidateFunction>()

/** Validates a copy and fills defaults; keys a schema does not name are mistakes, also in settings. */
function check<T>(
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

/** The same schema refusing keys it does not name. Not inside allOf, where each part names only its own. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close)
  if (schema === null || typeof schema !== 'object') return schema
  const closed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    const inner = key === 'properties' || key === 'patternProperties'
    closed[key] = inner
      ? Object.fromEntries(Object.entries(value as object).map(([name, part]) => [name, close(part)]))
      : ['items', 'anyOf', 'oneOf', 'additionalProperties'].includes(key)
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
              'is not a valid name: lower-case letters, digits, _ and - (purposes: also a dot), at most 63 characters.',
          })
        else found.push({ path: [...path, key], message: unknownName('key', key, named) })
        break
      }
      case 'const':
        if (allowed?.length === 1 && !unions.has(error.instancePath))
          found.push({ path, message: `must be ${JSON.stringify(allowed[0])}.` })
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
function secretPaths(schema: TSchema, value: unknown): Path[] {
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

// ---------------------------------------------------------------- words

const pointer = (path: Path) =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
const parsePointer = (text: string): string[] =>
  text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
const dotted = (path: Path) => (path.length === 0 ? '' : `${path.join('.')}: `)

function unknownName(kind: string, name: string, known: Iterable<string>): string {
  const names = [...known].sort()
  const near = names.filter((other) => distance(name.toLowerCase(), other.toLowerCase()) <= 2)
  const hint =
    near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : names.length > 0 ? ` Known: ${names.join(', ')}.` : ''
  return `unknown ${kind} ${JSON.stringify(name)}.${hint}`
}

/** Levenshtein. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length] ?? 0
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function hasPassword(url: string | undefined): boolean {
  return url !== undefined && URL.canParse(url) && new URL(url).password !== ''
}

/** Files a pattern names, sorted. `*` and `?` stay within a folder, `**` goes through any number. */
function expand(dir: string, pattern: string): string[] {
  const full = resolve(dir, pattern)
  if (!/[*?]/.test(pattern)) return existsSync(full) ? [full] : []
  const steps = full.split(sep)
  const root =
    steps
      .slice(
        0,
        steps.findIndex((step) => /[*?]/.test(step)),
      )
      .join(sep) || sep
  if (!existsSync(root)) return []
  const source = full
    .split(sep)
    .map((step) =>
      step === '**'
        ? '**'
        : step
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replaceAll('*', '[^/\\\\]*')
            .replaceAll('?', '[^/\\\\]'),
    )
    .join('/')
    .replaceAll('**/', '(?:.*/)?')
    .replaceAll('**', '.*')
  const matches = new RegExp(`^${source}$`)
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => resolve(entry.parentPath, entry.name))
    .filter((name) => matches.test(name.split(sep).join('/')))
    .sort()
}
