/**
 * `npm test`: prepare, then every check and every suite, then one line with the sums.
 * Each check counts as one test. With CI=true a skipped test counts as failed.
 * `--long` runs the mutation tests and the long suites (build/vitest-long.ts) instead, and writes
 * docs/reference/long-run.md.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contractPageIsFresh, contractText, testsOf } from './contract-table.js'
import { writeLongReport } from './long-report.js'
import { environment, prepare, root } from './prepare.js'
import { installPrograms } from './programs.js'

const long = process.argv.includes('--long')
const strict = process.env.CI === 'true'
const node = prepare()
installPrograms()

const script = (path) => [...node.flags, ...path]
const tool = (...path) => [join('node_modules', ...path)]
const CHECKS = [
  ['JSON Schemas are up to date', script(['schemas/emit.ts', '--check'])],
  ['connector registry is up to date', script(['build/registry.ts', '--check'])],
  ['types', [...tool('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']],
  ['types of the cockpit', [...tool('typescript', 'bin', 'tsc'), '-p', 'cockpit/tsconfig.json']],
  ['style', [...tool('@biomejs', 'biome', 'bin', 'biome'), 'check', '--max-diagnostics=30', '.']],
  ['nothing unused', [...tool('knip', 'bin', 'knip.js')]],
]

/**
 * @param {(text: Buffer) => void} [tell] told of all output; without it, output goes straight to the terminal
 * @returns {Promise<number>} the exit code
 */
function run(args, tell) {
  return new Promise((resolve) => {
    const out = tell ? 'pipe' : 'inherit'
    const child = spawn(node.path, args, { cwd: root, stdio: ['ignore', out, out], env: environment() })
    if (tell) for (const stream of [child.stdout, child.stderr]) stream.on('data', tell)
    child.on('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

const sums = { passed: 0, failed: 0, skipped: 0 }

/** Checks run side by side: each says all it has to say once it has ended. The mutation tests tell how far they are. */
async function check([title, args]) {
  const said = []
  const code = await run(args, long ? undefined : (text) => said.push(text))
  process.stdout.write(Buffer.concat(said))
  sums[code === 0 ? 'passed' : 'failed'] += 1
  console.log(`${code === 0 ? '✓' : '✗'} ${title}`)
}

async function suites() {
  const folder = mkdtempSync(join(tmpdir(), 'anuente-test-'))
  const report = join(folder, 'report.json')
  const config = long ? ['--config', 'build/vitest-long.ts'] : []
  const args = [
    ...tool('vitest', 'vitest.mjs'),
    'run',
    ...config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const code = await run([...node.flags, ...args])
  const results = read(report)
  const { passed, failed, skipped } = count(results)
  if (long && results) writeLongReport(results)
  sums.passed += passed
  sums.skipped += skipped
  // A run that went wrong outside its tests (an unhandled rejection, a crashed worker) failed, whatever its tests say.
  sums.failed += failed === 0 && code !== 0 ? 1 : failed
  rmSync(folder, { recursive: true, force: true })
  if (!long && results) showContract(testsOf(results))
}

/** The table of checks × connectors with its results, and whether the page that lists them is up to date. */
function showContract(tests) {
  console.log(contractText(tests))
  const fresh = contractPageIsFresh(tests)
  sums[fresh ? 'passed' : 'failed'] += 1
  console.log(
    fresh
      ? '✓ docs/reference/contract.md is up to date'
      : '✗ docs/reference/contract.md is stale: npm run build:contract',
  )
}

/** A vitest JSON report; undefined when the run ended before it was written. */
function read(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return undefined
  }
}

/** Sums of a report. A file that did not load counts as one failed test, an absent report as none at all. */
function count(results) {
  if (!results) return { passed: 0, failed: 0, skipped: 0 }
  const unloaded = results.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: results.numPassedTests,
    failed: results.numFailedTests + unloaded.length,
    skipped: results.numPendingTests + results.numTodoTests,
  }
}

const MUTATION = [
  'mutants of the gate are killed',
  [...tool('@stryker-mutator', 'core', 'bin', 'stryker.js'), 'run', 'build/stryker.json'],
]

await Promise.all((long ? [MUTATION] : CHECKS).map(check))
await suites()

if (sums.skipped > 0) console.log(`${sums.skipped} skipped${strict ? ', counted as failed' : ''}`)
const failed = sums.failed + (strict ? sums.skipped : 0)
console.log(`${sums.passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
