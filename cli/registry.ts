/**
 * Every connector of one installation: those of the hub and those that `connectors` in anuente.yaml names, a folder of
 * the company's own or a package called anuente-connector-*. Their code runs with the rights of the hub.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import module, { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { registry as builtIn, sandboxes as builtInSandboxes } from '../connectors/index.ts'
import { readDocument } from '../core/config/document.ts'
import type { AnyDestination, AnySource, Registry } from '../core/kit/define.ts'
import { ConfigError } from '../core/kit/errors.ts'
import type { Sandbox } from '../core/testing/sandbox.ts'
import { faultsOf, type Role } from './definition-faults.ts'

// biome-ignore lint/suspicious/noExplicitAny: each sandbox has a state of its own.
export type AnySandbox = Sandbox<any>

/** What the command line works with: the registry the core is handed, and the stand-ins for the vendors. */
export interface Connectors extends Registry {
  readonly sandboxes: ReadonlyMap<string, AnySandbox>
}

const ROLES: readonly Role[] = ['source', 'destination', 'sandbox']
const PACKAGE = /^(@[a-z0-9][\w.-]*\/)?anuente-connector-[a-z0-9][a-z0-9._-]*$/

/**
 * @param configFile absolute; when it is missing or cannot be read the hub's own connectors remain, and whoever loads
 *   the configuration says what is wrong with it.
 * @throws ConfigError naming the entry, the file and what to do.
 */
export async function loadConnectors(
  configFile: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
  present: Registry = builtIn,
): Promise<Connectors> {
  const sources = new Map(present.sources)
  const destinations = new Map(present.destinations)
  const sandboxes = new Map<string, AnySandbox>(Object.entries(builtInSandboxes))
  const document = read(configFile, env)
  if (document && document.entries.length > 0) shareKit()
  for (const [index, entry] of (document?.entries ?? []).entries()) {
    const refuse = (message: string): never => {
      throw new ConfigError(`${document!.place(index)} connectors.${index}: ${message}`, `/connectors/${index}`)
    }
    for (const { role, file, value } of await entryParts(entry, dirname(configFile), refuse)) {
      const [fault] = faultsOf(role, value)
      if (fault) refuse(`${file}: ${fault}`)
      if (role === 'sandbox') {
        sandboxes.set((value as AnySandbox).connector, value as AnySandbox)
        continue
      }
      const { id } = value as AnySource | AnyDestination
      const into: Map<string, unknown> = role === 'source' ? sources : destinations
      if (into.has(id)) refuse(`${file}: there is a ${role} connector "${id}" already. Give this one another id.`)
      into.set(id, value)
    }
  }
  return { sources, destinations, sandboxes }
}

interface Part {
  readonly role: Role
  /** For people: relative to the configuration file, or the name of the package. */
  readonly file: string
  readonly value: unknown
}
type Refuse = (message: string) => never

function read(
  configFile: string,
  env: Readonly<Record<string, string | undefined>>,
): { entries: string[]; place(index: number): string } | undefined {
  if (!existsSync(configFile)) return undefined
  try {
    const document = readDocument(configFile, dirname(configFile), env)
    const { connectors } = (document.value ?? {}) as { connectors?: unknown }
    if (!Array.isArray(connectors) || connectors.some((entry) => typeof entry !== 'string')) return undefined
    return { entries: connectors as string[], place: (index) => document.place(['connectors', index]) }
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}

function entryParts(entry: string, dir: string, refuse: Refuse): Promise<Part[]> {
  if (PACKAGE.test(entry)) return packageParts(entry, dir, refuse)
  if (/^(\.{1,2}([/\\]|$)|[/\\]|[A-Za-z]:)/.test(entry)) return folderParts(entry, dir, refuse)
  return refuse(`"${entry}" is neither a folder nor a package. Write ./${entry} for a folder, or anuente-connector-….`)
}

async function folderParts(entry: string, dir: string, refuse: Refuse): Promise<Part[]> {
  const folder = resolve(dir, entry)
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    refuse(
      `the folder ${folder} does not exist. Correct the path; it is relative to the configuration file. The first connector in it is made by: anuente new destination NAME --dir ${entry}`,
    )
  const own = ROLES.flatMap((role) => fileOf(folder, role) ?? [])
  const folders =
    own.length > 0
      ? [folder]
      : readdirSync(folder, { withFileTypes: true })
          .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
          .map(({ name }) => join(folder, name))
          .filter((path) => statSync(path).isDirectory())
          .sort()
  const parts: Part[] = []
  for (const connector of folders)
    for (const role of ROLES) {
      const path = fileOf(connector, role)
      if (path === undefined) continue
      const file = relative(dir, path)
      const value = (await load(pathToFileURL(path).href, file, refuse))['default']
      if (value === undefined) refuse(`${file}: has no default export. Write: export default ${WORDS[role]}({ … })`)
      const id = (value as { id?: unknown; connector?: unknown })[role === 'sandbox' ? 'connector' : 'id']
      if (typeof id === 'string' && id !== basename(connector))
        refuse(`${file}: calls itself "${id}" and lies in the folder ${basename(connector)}. Make both the same.`)
      parts.push({ role, file, value })
    }
  if (!parts.some(({ role }) => role !== 'sandbox'))
    refuse(
      `${folder} holds no connector: no folder in it has a destination.ts or source.ts. Make one with: anuente new destination NAME --dir ${entry}`,
    )
  return parts
}

async function packageParts(name: string, dir: string, refuse: Refuse): Promise<Part[]> {
  let path: string
  try {
    path = createRequire(join(dir, 'anuente.yaml')).resolve(name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return refuse(
      code === 'MODULE_NOT_FOUND'
        ? `the package ${name} is not installed. Run in ${dir}: npm install ${name}`
        : `the package ${name} cannot be opened (${code}). Its package.json must name its entry under "exports" or "main".`,
    )
  }
  const loaded = await load(pathToFileURL(path).href, name, refuse)
  const parts = ROLES.flatMap((role) =>
    loaded[role] === undefined ? [] : [{ role, file: `${name} (${role})`, value: loaded[role] }],
  )
  if (!parts.some(({ role }) => role !== 'sandbox'))
    refuse(`${name}: exports neither "destination" nor "source". A package exports its definitions by these names.`)
  return parts
}

const WORDS: Readonly<Record<Role, string>> = {
  source: 'defineSource',
  destination: 'defineDestination',
  sandbox: 'defineSandbox',
}

const fileOf = (folder: string, role: Role): string | undefined =>
  ['ts', 'js', 'mjs'].map((ending) => join(folder, `${role}.${ending}`)).find((path) => existsSync(path))

async function load(url: string, file: string, refuse: Refuse): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>
  } catch (error) {
    const { code, name = 'Error', message = '' } = error as NodeJS.ErrnoException
    if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING')
      return refuse(`${file}: Node reads no TypeScript below node_modules. Publish the package as JavaScript.`)
    return refuse(`${file}: cannot be loaded. ${name}: ${message.split('\n')[0]}. Correct the file and start again.`)
  }
}

/** What a connector may import of the hub. */
const SHARED: Readonly<Record<string, string>> = {
  'anuente/kit': new URL('../core/kit/index.ts', import.meta.url).href,
  'anuente/sandbox': new URL('../core/testing/sandbox.ts', import.meta.url).href,
  'anuente/testing': new URL('../core/testing/index.ts', import.meta.url).href,
}

let shared = false
/**
 * `anuente/kit` is the kit of the hub that runs, wherever the folder lies: a second copy would throw errors that the
 * hub does not recognise. Below Node 22.15 there is no such hook, and `anuente` must be installed beside the folder.
 */
function shareKit(): void {
  if (shared || typeof module.registerHooks !== 'function') return
  shared = true
  module.registerHooks({
    resolve: (specifier, context, next) => {
      const url = SHARED[specifier]
      return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
    },
  })
}
