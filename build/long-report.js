/** What the last `npm run test:long` found, kept in docs/reference/long-run.md: date, commit, machine, sums per file. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, relative } from 'node:path'
import { root } from './prepare.js'

const FILE = join(root, 'docs', 'reference', 'long-run.md')
const MUTATION = join(root, 'dist', 'mutation.json')

/** Mutants killed, survived and without a test, per file of the last mutation run. */
function mutationLines() {
  if (!existsSync(MUTATION)) return ['', 'The mutation tests were no part of this run.']
  const { files } = JSON.parse(readFileSync(MUTATION, 'utf8'))
  const lines = Object.entries(files).map(([file, { mutants }]) => {
    const of = (...statuses) => mutants.filter(({ status }) => statuses.includes(status)).length
    const killed = of('Killed', 'Timeout')
    const alive = of('Survived', 'NoCoverage')
    return `| ${file} | ${killed} | ${alive} | ${((100 * killed) / Math.max(1, killed + alive)).toFixed(1)} % |`
  })
  return ['', '## Mutation', '', '| file | killed | alive | score |', '|---|---|---|---|', ...lines]
}

/**
 * @param {{testResults: {name: string, assertionResults: {status: string}[], startTime: number, endTime: number}[]}} results
 *   vitest's JSON report
 */
export function writeLongReport(results) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
  const rows = results.testResults.map(({ name, assertionResults, startTime, endTime }) => {
    const of = (status) => assertionResults.filter((test) => test.status === status).length
    const seconds = Math.round((endTime - startTime) / 1000)
    return `| ${relative(root, name)} | ${of('passed')} | ${of('failed')} | ${seconds} s |`
  })
  const lines = [
    '# The last long run',
    '',
    '<!-- Written by `npm run test:long`. -->',
    '',
    `${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node} and up.`,
    `Property and fault tests with ${process.env.ANUENTE_EFFORT ?? 25} times as many cases as in \`npm test\`, ${process.env.ANUENTE_SOAK_MINUTES ?? 10} minutes of steady traffic, and the suites that only run here.`,
    '',
    '| file | passed | failed | time |',
    '|---|---|---|---|',
    ...rows.sort(),
    ...mutationLines(),
    '',
  ]
  writeFileSync(FILE, lines.join('\n'))
}
