/**
 * `npm run build:package`: the publishable package in dist/package. Compiled JavaScript with types,
 * the cockpit, and its own package.json. RudderStack's SDK is bundled: it lists bull, whose Redis
 * queue this hub never uses, and the override that keeps bull out here does not travel to users.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const BUNDLED = '@rudderstack/rudder-sdk-node'
const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'dist', 'package')
const bundle = join(target, 'vendor', 'rudder-sdk-node.js')

interface Manifest {
  readonly version: string
  readonly description: string
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

function compile(): void {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.package.json'], { cwd: root, stdio: 'inherit' })
}

/** The SDK in one file, axios left outside: the hub hands it its own. */
async function bundleSdk(): Promise<void> {
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    ssr: { noExternal: true, external: ['axios'] },
    build: {
      ssr: fileURLToPath(import.meta.resolve(BUNDLED)),
      outDir: dirname(bundle),
      emptyOutDir: false,
      minify: false,
      rollupOptions: { output: { entryFileNames: 'rudder-sdk-node.js' } },
    },
  })
  const licence = readdirSync(join(root, 'node_modules', BUNDLED)).find((name) => /^licen[cs]e/i.test(name))
  if (licence) cpSync(join(root, 'node_modules', BUNDLED, licence), join(dirname(bundle), 'rudder-sdk-node.LICENSE'))
}

/** What tsc leaves as it is: files that workers are started from, and the import of the bundled SDK. */
function rewriteReferences(): void {
  for (const name of readdirSync(target, { recursive: true, encoding: 'utf8' })) {
    const path = join(target, name)
    if (!name.endsWith('.js') || path.startsWith(dirname(bundle)) || name.startsWith('dist')) continue
    const steps = relative(dirname(path), bundle).replaceAll('\\', '/')
    const local = steps.startsWith('.') ? steps : `./${steps}`
    const text = readFileSync(path, 'utf8')
    const rewritten = text
      .replace(/(new URL\(\s*['"][^'"]+)\.ts(['"]\s*,\s*import\.meta\.url)/g, '$1.js$2')
      .replace(/((?:from|import\()\s*)(['"])@rudderstack\/rudder-sdk-node\2/g, `$1'${local}'`)
    if (rewritten !== text) writeFileSync(path, rewritten)
  }
}

function writeManifest(): void {
  const { [BUNDLED]: _bundled, ...dependencies } = manifest.dependencies
  const range = (name: string) => `^${manifest.devDependencies[name]}`
  const published = {
    name: 'anuente',
    version: manifest.version,
    description: manifest.description,
    license: manifest.license,
    type: 'module',
    engines: manifest.engines,
    bin: { anuente: 'bin/anuente.js' },
    exports: {
      './kit': { types: './core/kit/index.d.ts', default: './core/kit/index.js' },
      './sandbox': { types: './core/testing/sandbox.d.ts', default: './core/testing/sandbox.js' },
      './testing': { types: './core/testing/index.d.ts', default: './core/testing/index.js' },
      './schemas/*': './schemas/json/*',
    },
    dependencies,
    // Needed by anuente/testing alone, for those who write connectors.
    peerDependencies: { nock: range('nock'), vitest: range('vitest') },
    peerDependenciesMeta: { nock: { optional: true }, vitest: { optional: true } },
  }
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
}

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
compile()
await bundleSdk()
for (const path of [
  'bin',
  'schemas/json',
  'demo/anuente.yaml',
  'demo/rules',
  'consent/ledger/offline',
  'cli/dev/page.html',
  'cli/dev/page.css',
  'cli/dev/page.js',
  'connectors/gtm/templates/web.tpl',
  'connectors/gtm/templates/server.tpl',
  'LICENSE',
  'README.md',
  'README.pt-BR.md',
  'CHANGELOG.md',
]) {
  cpSync(join(root, path), join(target, path), { recursive: true })
}
const cockpit = join(root, 'dist', 'cockpit')
if (!existsSync(cockpit)) throw new Error('The cockpit is not built: run npm run build first')
cpSync(cockpit, join(target, 'dist', 'cockpit'), { recursive: true })
rewriteReferences()
writeManifest()
