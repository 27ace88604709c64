/**
 * Writes connectors/index.ts from the folders under connectors/: nothing is registered by hand.
 * `--check` writes nothing and fails when the file is stale.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROLES = ['source', 'destination', 'sandbox'] as const
type Role = (typeof ROLES)[number]

const folder = fileURLToPath(new URL('../connectors/', import.meta.url))
const target = `${folder}index.ts`

/** rdstation-crm + destination -> rdstationCrmDestination. */
const variable = (vendor: string, role: Role) =>
  vendor.replace(/[-_](\w)/g, (_, letter: string) => letter.toUpperCase()) + role[0]!.toUpperCase() + role.slice(1)

function render(): string {
  const vendors = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
  const having = (role: Role) => vendors.filter((vendor) => existsSync(`${folder}${vendor}/${role}.ts`))
  const list = (role: Role, line: (name: string, vendor: string) => string) =>
    having(role).map((vendor) => `  ${line(variable(vendor, role), vendor)},`)
  const imports = vendors.flatMap((vendor) =>
    [...ROLES]
      .sort()
      .filter((role) => having(role).includes(vendor))
      .map((role) => `import ${variable(vendor, role)} from './${vendor}/${role}.ts'`),
  )
  return `${[
    '/** Every connector, by id. Written by build/registry.ts from the folders here; edits are lost. */',
    "import type { AnyDestination, AnySource, Registry } from '../core/kit/define.ts'",
    ...imports,
    '',
    'const sources: readonly AnySource[] = [',
    ...list('source', (name) => name),
    ']',
    '',
    'const destinations: readonly AnyDestination[] = [',
    ...list('destination', (name) => name),
    ']',
    '',
    'export const registry: Registry = {',
    '  sources: new Map(sources.map((source) => [source.id, source])),',
    '  destinations: new Map(destinations.map((destination) => [destination.id, destination])),',
    '}',
    '',
    '/** Stand-ins for the vendors, for the demo and the contract tests, by connector id. */',
    'export const sandboxes = {',
    ...list('sandbox', (name, vendor) => (/^\w+$/.test(vendor) ? `${vendor}: ${name}` : `'${vendor}': ${name}`)),
    '} as const',
  ].join('\n')}\n`
}

const text = render()
const present = existsSync(target) ? readFileSync(target, 'utf8') : ''
if (present === text) process.exitCode = 0
else if (process.argv.includes('--check')) {
  console.error('connectors/index.ts is stale: run npm run build:registry')
  process.exitCode = 1
} else writeFileSync(target, text)
