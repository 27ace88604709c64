/**
 * The table of contract checks × connectors. `node build/contract-table.js` writes docs/reference/contract.md from the
 * checks that the connectors' tests declare, without running them; `--check` writes nothing and fails when it is stale.
 * `npm test` prints the same table with what became of each.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { root } from './prepare.js'

const FILE = join(root, 'docs', 'reference', 'contract.md')

/** @typedef {{file: string, group: string, title: string, passed: boolean}} Test the describe of the suite, and the rest */
/** @typedef {{checks: string[], connectors: string[], cells: Map<string, boolean>}} Table cells by `check\nconnector` */

const DESTINATION =
  /^([a-z0-9-]+): (definition|exact requests|\w+ when the vendor fails|production transport against the sandbox)$/
const SOURCE = /^source ([a-z0-9-]+): (.+)$/s
const GROUPS = ['definition', 'exact requests', 'when the vendor fails', 'production transport against the sandbox']

/** A connector may put a suite into a describe of its own. @param {string} name titles joined by ' > ' @returns {Test} */
function testOf(file, name, passed) {
  const steps = name.split(' > ')
  const at = Math.max(
    steps.findIndex((step) => DESTINATION.test(step) || SOURCE.test(step)),
    0,
  )
  const title = steps.slice(at + 1).join(' > ')
  return { file: relative(root, file).replaceAll('\\', '/'), group: steps[at], title, passed }
}

/** @returns {string} the check without the name of the action, the example or the status it was made for. */
function destinationCheck(group, title, actions) {
  if (group === 'exact requests')
    return title.startsWith('no secret and no personal value in the URL')
      ? 'no secret and no personal value in the URL'
      : 'each example sends exactly its request'
  const [first, ...rest] = title.split(' ')
  if (actions.has(first)) return `each action ${rest.join(' ')}`
  if (title.startsWith('a batch answers') || title === 'one delivery makes one write')
    return 'one delivery makes one write; a batch answers one outcome per item'
  return title.replace(/about a \d+ that/, 'about an error that')
}

/** @returns {[string, string]} group and check */
function sourceCheck(rest, title) {
  if (rest === 'definition' || rest === 'hostile input') return [rest, title]
  if (rest === 'refusals') return ['requests', 'wrong credentials and unreadable bodies are refused']
  if (rest.startsWith('reply, ')) return ['requests', 'reply routes are found by their credentials and answered']
  return ['requests', `each example ${title}`]
}

/** @param {Test[]} tests @param {(test: Test) => {connector: string, group: string, check: string} | undefined} read */
function tableOf(tests, groups, read) {
  const byGroup = new Map(groups.map((group) => [group, []]))
  const connectors = new Set()
  const cells = new Map()
  for (const test of tests) {
    const found = read(test)
    if (!found) continue
    const { connector, group, check } = found
    const key = `${check}\n${connector}`
    if (!byGroup.get(group).includes(check)) byGroup.get(group).push(check)
    connectors.add(connector)
    cells.set(key, (cells.get(key) ?? true) && test.passed)
  }
  return { checks: [...byGroup.values()].flat(), connectors: [...connectors].sort(), cells }
}

/** @param {Test[]} all @returns {{destinations: Table, sources: Table}} */
function tablesOf(all) {
  const tests = all
    .filter(({ file }) => file.startsWith('connectors/'))
    .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0))
  const actions = new Map()
  for (const { group, title } of tests) {
    const connector = /^([a-z0-9-]+): definition$/.exec(group)?.[1]
    const action = /^(\w+) has an example$/.exec(title)?.[1]
    if (connector && action) actions.set(connector, (actions.get(connector) ?? new Set()).add(action))
  }
  const destinations = tableOf(tests, GROUPS, ({ group, title }) => {
    const [, connector, name] = DESTINATION.exec(group) ?? []
    if (!connector || !actions.has(connector)) return undefined
    const known = GROUPS.find((one) => name.endsWith(one))
    return { connector, group: known, check: destinationCheck(known, title, actions.get(connector)) }
  })
  const sources = tableOf(tests, ['definition', 'requests', 'hostile input'], ({ group, title }) => {
    const [, connector, rest] = SOURCE.exec(group) ?? []
    if (!connector) return undefined
    const [known, check] = sourceCheck(rest, title)
    return { connector, group: known, check }
  })
  return { destinations, sources }
}

const mark = (passed) => (passed === undefined ? '' : passed ? '✓' : '✗')
const cell = (text) => text.replaceAll('|', '\\|')

/** @param {Test[]} tests */
export function contractPage(tests) {
  const { destinations, sources } = tablesOf(tests)
  const table = ({ checks, connectors, cells }) => [
    `| check | ${connectors.join(' | ')} |`,
    `| --- |${connectors.map(() => ' :-: |').join('')}`,
    ...checks.map(
      (check) =>
        `| ${cell(check)} |${connectors.map((one) => ` ${mark(cells.has(`${check}\n${one}`) || undefined)} |`).join('')}`,
    ),
  ]
  return [
    '<!-- Written by build/contract-table.js from the tests under connectors/; edits are lost. -->',
    '# What is checked of every connector',
    '',
    'The contract suites of `core/testing`, as the connectors run them: ✓ is a check that `npm test` makes, often many times, for',
    'each action, example or status. Checks that a connector adds on its own are not listed. `npm test` prints this table with the',
    'results.',
    '',
    '## Destinations',
    '',
    ...table(destinations),
    '',
    '## Sources',
    '',
    ...table(sources),
    '',
  ].join('\n')
}

/** For a terminal: connectors as numbered columns. @param {Test[]} tests */
export function contractText(tests) {
  const { destinations, sources } = tablesOf(tests)
  const text = (title, { checks, connectors, cells }) => {
    const width = Math.max(...checks.map((check) => check.length), 0)
    const column = (index) => String(index + 1).padStart(3)
    return [
      '',
      `${title}: ${connectors.map((name, index) => `${index + 1} ${name}`).join(', ')}`,
      `${' '.repeat(width)}${connectors.map((_, index) => column(index)).join('')}`,
      ...checks.map(
        (check) =>
          check.padEnd(width) + connectors.map((one) => mark(cells.get(`${check}\n${one}`)).padStart(3)).join(''),
      ),
    ]
  }
  return [...text('Contract of destinations', destinations), ...text('Contract of sources', sources)].join('\n')
}

/** @param {{testResults: {name: string, assertionResults: {ancestorTitles: string[], title: string, status: string}[]}[]}} results vitest's JSON report */
export function testsOf(results) {
  return results.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ ancestorTitles, title, status }) =>
      testOf(name, [...ancestorTitles, title].join(' > '), status === 'passed'),
    ),
  )
}

/** Whether the page in the repository is what these tests give. @param {Test[]} tests */
export const contractPageIsFresh = (tests) => existsSync(FILE) && readFileSync(FILE, 'utf8') === contractPage(tests)

/** The checks that exist, by loading the tests without running them. @returns {Test[]} */
function declared() {
  const args = [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'list',
    '--project',
    'connectors',
    '--no-static-parse',
    '--json',
  ]
  const out = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 })
  return JSON.parse(out.slice(out.indexOf('['))).map(({ name, file }) => testOf(file, name, true))
}

if (import.meta.main ?? process.argv[1] === import.meta.filename) {
  const tests = declared()
  if (!process.argv.includes('--check')) writeFileSync(FILE, contractPage(tests))
  else if (!contractPageIsFresh(tests)) {
    console.error('docs/reference/contract.md is stale: run npm run build:contract')
    process.exitCode = 1
  }
}
