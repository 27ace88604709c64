#!/usr/bin/env node
/**
 * The `anuente` command. It looks at Node's version before it imports anything: below 22.14 the
 * database binding crashes the process instead of throwing, and nobody could tell why.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
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
