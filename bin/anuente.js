#!/usr/bin/env node
/**
 * The `anuente` command. It looks at Node's version before it imports anything: below 22.14 the
 * database binding crashes the process instead of throwing, and nobody could tell why.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants, homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const built = new URL('../cli/main.js', import.meta.url)

if (major < 22 || (major === 22 && minor < 14)) {
  console.error(
    [
      `Anuente needs Node 22.14 or newer; this is ${process.version}.`,
      existsSync(built)
        ? '  With Node 24 for this one command:  npx -p node@24 -p anuente anuente --help'
        : '  In a clone, npm brings its own Node:  npm start   or   npm run anuente -- --help',
      '  Node 24 for the whole machine:  https://nodejs.org/en/download',
    ].join('\n'),
  )
  process.exit(1)
}

// What was compiled, and stripped of its types, once is not done again at the next start, nor in the hub's threads:
// they read the variable. A folder of the user's own, since whoever can write there runs code as this user; where it
// cannot be written nothing is kept.
process.env.NODE_COMPILE_CACHE ??= join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'anuente', 'compiled')
module.enableCompileCache(process.env.NODE_COMPILE_CACHE)

if (existsSync(built)) await import(built.href)
else if (process.features.typescript) await import('../cli/main.ts')
else {
  // 22.14 to 22.17 read TypeScript only when asked to.
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const again = spawn(process.execPath, [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => again.kill(signal))
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) again.kill('SIGINT')
  })
  again.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}
