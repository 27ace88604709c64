/**
 * anuente.yaml from text to what the hub works with: references resolved, every part checked
 * against its schema, defaults filled. Every mistake is found in one reading and named with its
 * line and column; no message carries the value of a setting.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { TSchema } from 'typebox'
import { Config, type DestinationConfig, type SourceConfig } from '../schemas/config.ts'
import type { SourcePlan } from '../schemas/plan.ts'
import { measureProblems } from './audiences/lint.ts'
import { check, secretPaths } from './config/check.ts'
import { type ReadSecret, readDocument } from './config/document.ts'
import { codesOfOffers, offerProblems } from './config/offers.ts'
import { expand } from './config/pattern.ts'
import { dotted, type Path, pointer, unknownName } from './config/words.ts'
import { normalizeCnpj } from './kit/cnpj.ts'
import type { AnyDestination, AnySource, Registry } from './kit/define.ts'
import { ConfigError } from './kit/errors.ts'
import { type CompiledPlan, compilePlan, readPlan } from './plans/plan.ts'

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
  /** What it may send, where the configuration names a tracking plan. */
  readonly plan?: CompiledPlan
}

export interface DestinationSettings {
  readonly id: string
  readonly connector: string
  readonly definition: AnyDestination
  readonly config: DestinationConfig
  readonly settings: Settings
  readonly role: 'operator' | 'controller'
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
  /** Offer -> the codes its file lists. */
  readonly offerCodes: ReadonlyMap<string, readonly string[]>
  readonly warnings: readonly ConfigWarning[]
}

export const DEFAULT_PORT = 8787

/** @throws ConfigError listing every mistake, each with file:line:column. */
export function loadConfig(
  file: string,
  {
    registry,
    env = process.env,
    secret,
  }: { registry: Registry; env?: Readonly<Record<string, string | undefined>>; secret?: ReadSecret },
): LoadedConfig {
  const path = resolve(file)
  const dir = dirname(path)
  const document = readDocument(path, dir, env, secret)
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
      warn(
        at,
        `this secret is written into the file. Put it into an environment variable and write \${NAME} here, or set it with anuente secrets set NAME and write \${secret:NAME}.`,
      )
  }

  const timezone = config.organization.timezone ?? 'America/Sao_Paulo'
  if (!isTimezone(timezone))
    report(['organization', 'timezone'], 'is not an IANA time zone. Write one such as America/Sao_Paulo.')
  // It stands in receipts, reports and letters to the authority.
  if (config.organization.cnpj !== undefined && normalizeCnpj(config.organization.cnpj) === undefined)
    report(['organization', 'cnpj'], 'is no CNPJ: its check digits do not fit. Write it as on the registration card.')

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
    const own = check<Settings>(definition.settings, source.settings ?? {}, at, document.referenced, report)
    // A source that reads times without a zone reads them in the organisation's.
    const settings =
      Object.hasOwn(definition.settings.properties, 'timezone') && own['timezone'] === undefined
        ? { ...own, timezone }
        : own
    for (const secret of secretPaths(definition.settings, settings)) literal([...at, ...secret], true)
    const plan =
      source.plan === undefined
        ? undefined
        : loadPlan(source.plan, dir, (message) => report(['sources', id, 'plan'], message))
    sourceSettings.set(id, {
      id,
      connector: source.connector,
      definition,
      config: source,
      settings,
      ...(plan && { plan }),
    })
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

  const measureSurroundings = {
    actionsOf: (id: string) => destinationSettings.get(id)?.definition.actions,
    settingsOf: (id: string) => destinationSettings.get(id)?.settings ?? {},
    purposesOf: (id: string) => Object.values(config.destinations?.[id]?.purposes ?? {}),
  }
  for (const { path: at, message } of measureProblems(config, measureSurroundings)) report(at, message)
  for (const { path: at, message } of offerProblems(config.offers)) report(at, message)
  const offerCodes = codesOfOffers(config.offers, dir, report)
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
    offerCodes,
    ruleDocuments: [...new Set(ruleDocuments)].map((name) => ({ file: name, text: readFileSync(name, 'utf8') })),
    warnings,
  }
}

/** The same on the port it really gets: an address that nobody wrote down follows it. */
export function onPort(loaded: LoadedConfig, port: number): LoadedConfig {
  return { ...loaded, port, ...(!loaded.config.server?.publicUrl && { publicUrl: `http://localhost:${port}` }) }
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
    actions:
      config.actions ??
      Object.keys(definition.actions).filter((name) => definition.actions[name]?.trigger !== undefined),
    purposeOf: (starterId) => {
      if (Array.isArray(purposes)) return purposes.includes(starterId) ? starterId : undefined
      return Object.hasOwn(purposes, starterId) ? purposes[starterId] : undefined
    },
  }
}

/** A mistake in a plan is told with its place in that file. */
function loadPlan(given: SourcePlan, dir: string, report: (message: string) => void): CompiledPlan | undefined {
  const own = typeof given === 'string' ? { file: given } : given
  const file = resolve(dir, own.file)
  try {
    return compilePlan(readPlan({ file, text: readFileSync(file, 'utf8') }), own)
  } catch (error) {
    if (error instanceof ConfigError) report(error.message)
    else
      report(
        `the file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}). Correct the path; it is relative to the configuration file.`,
      )
    return undefined
  }
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
