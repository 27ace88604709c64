/**
 * `npm run build:lock`, after every npm install: writes into package-lock.json the optional platform
 * packages that the registry in use does not carry. npm leaves those out, and npm ci then refuses the
 * lock on every platform ("Missing: … from lock file"). Their entries are enough for npm ci to pass
 * over them here and to fetch them where they exist and are needed.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8'))

/** os, cpu and libc as the package's name tells them; undefined when the name tells nothing. */
function platformOf(name) {
  const os = name.match(/(android|darwin|win32|freebsd|openharmony|linux)/)?.[1]
  const cpu = name.match(/-(arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64)(-|$)/)?.[1]
  if (!os || !cpu) return undefined
  const libc = os === 'linux' ? [name.includes('musl') ? 'musl' : 'glibc'] : undefined
  return { cpu: [cpu], ...(libc && { libc }), os: [os] }
}

const added = []
for (const [parent, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = lock.packages[`${parent}/node_modules/${name}`] ?? lock.packages[`node_modules/${name}`]
    const platform = platformOf(name)
    if (known || !platform || !/^\d/.test(version)) continue
    lock.packages[`node_modules/${name}`] = { version, ...(entry.dev && { dev: true }), optional: true, ...platform }
    added.push(`${name}@${version}`)
  }
}

if (added.length > 0) {
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en'))
  lock.packages = Object.fromEntries(sorted)
  writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
  console.log(`Added ${added.length}: ${added.join(', ')}`)
}
