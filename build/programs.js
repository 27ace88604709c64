/**
 * Programs the tests drive that do not come from npm: Chromium (the browser SDKs, the cockpit),
 * PostgreSQL (the second state store) and, on Linux, strace (what a 200 promises). Installed with apt when missing and allowed.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const windows = process.platform === 'win32'

/** Where a program lies on PATH or in one of `folders`; undefined when nowhere. */
function locate(names, folders = []) {
  const places = [...(process.env.PATH ?? '').split(delimiter), ...folders]
  for (const folder of places.filter(Boolean)) {
    for (const name of names) {
      const path = join(folder, windows ? `${name}.exe` : name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not here: look further.
      }
    }
  }
  return undefined
}

/** Debian keeps the server's programs off PATH, one folder per version. */
function postgresFolders() {
  const base = '/usr/lib/postgresql'
  const debian = existsSync(base) ? readdirSync(base).map((version) => join(base, version, 'bin')) : []
  return [
    ...debian,
    '/usr/pgsql/bin',
    '/opt/homebrew/opt/postgresql@17/bin',
    '/opt/homebrew/opt/postgresql@16/bin',
    '/opt/homebrew/opt/postgresql@15/bin',
  ]
}

const PROGRAMS = [
  {
    name: 'Chromium',
    apt: 'chromium',
    elsewhere: 'Chromium or Google Chrome (https://www.chromium.org/getting-involved/download-chromium/)',
    find: () =>
      locate(
        ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
        ['/Applications/Chromium.app/Contents/MacOS', '/Applications/Google Chrome.app/Contents/MacOS', '/snap/bin'],
      ),
  },
  {
    name: 'PostgreSQL',
    apt: 'postgresql',
    elsewhere: 'PostgreSQL 15 or newer (https://www.postgresql.org/download/)',
    find: () => locate(['initdb'], postgresFolders()),
  },
  {
    name: 'strace',
    apt: 'strace',
    elsewhere: 'strace (https://strace.io/)',
    // Other systems trace otherwise or not at all; there the test of system calls is about nothing.
    find: () => (process.platform === 'linux' ? locate(['strace']) : 'not here'),
  },
]

/** How apt may be called here: [] as root, ['sudo', '-n'] without a password, undefined when not at all. */
function aptPrefix() {
  if (process.env.ANUENTE_APT === 'never' || !locate(['apt-get'])) return undefined
  if (process.getuid?.() === 0) return []
  return locate(['sudo']) && spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined
}

/** Installs what is missing, or says exactly what to install and ends the process. */
export function installPrograms() {
  let missing = PROGRAMS.filter((program) => !program.find())
  if (missing.length === 0) return
  const packages = missing.map((program) => program.apt)
  const prefix = aptPrefix()
  if (prefix) {
    console.log(`• Installing ${packages.join(' and ')} with apt`)
    const apt = (...args) => {
      const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', ...args]
      return spawnSync(command, rest, { stdio: ['ignore', 'inherit', 'inherit'] })
    }
    apt('update')
    apt('install', '-y', '--no-install-recommends', ...packages)
    missing = PROGRAMS.filter((program) => !program.find())
    if (missing.length === 0) return
  }
  console.error('\nThe tests need programs that this machine does not have:')
  for (const program of missing) console.error(`  - ${program.elsewhere}`)
  if (locate(['apt-get'])) {
    console.error(`On Debian: sudo apt-get install ${missing.map((program) => program.apt).join(' ')}`)
    if (!prefix) console.error('(npm test does this by itself as root, or when sudo asks no password.)')
  }
  process.exit(1)
}
