/** What the documentation tells people to type exists: every command, subcommand and option named in it. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { registry } from '../connectors/index.ts'
import { buildProgram } from './program.ts'

const root = join(import.meta.dirname, '..')
const pages = globSync(['README*.md', 'docs/**/*.md', 'connectors/*/*.md', 'CONTRIBUTING.md'], { cwd: root }).sort()
const program = buildProgram({
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  env: {},
  registry,
  exit: () => {},
})
const COMMANDS = program.commands.map((command) => command.name())

/** Code spans, and the lines of code blocks with their continuations joined. */
function codeOf(text: string): string[] {
  const code: string[] = []
  const prose = text.replace(/^```[^\n]*\n([\s\S]*?)^```/gm, (_, block: string) => {
    code.push(...block.replace(/\\\n\s*/g, ' ').split('\n'))
    return ''
  })
  // A span may be broken over two lines, never over a paragraph.
  for (const [, span] of prose.matchAll(/`([^`]+)`/g))
    if (!/\n\s*\n/.test(span!)) code.push(span!.replaceAll('\n', ' '))
  return code
}

/** The words after `anuente` of each call in a piece of code; `hub` is the function that docs/deploy.md defines. */
function callsIn(code: string): string[][] {
  const calls: string[][] = []
  const starts = /npm run (?:--silent )?anuente -- |(?:^|[|;&]\s*|\$ )(?:npx )?anuente |^hub (?=[a-z])/g
  for (const start of code.matchAll(starts)) {
    const rest = code.slice(start.index + start[0].length).split(/\s(?:[|;&#>]|<\s)|\)/)[0]!
    calls.push(rest.trim().split(/\s+/))
  }
  const [first = ''] = code.trim().split(/\s+/)
  if (calls.length === 0 && COMMANDS.includes(first) && /\s--[a-z]/.test(code)) calls.push(code.trim().split(/\s+/))
  return calls
}

/** @returns what is wrong with the call; undefined when it can be typed. */
function problemOf(words: readonly string[]): string | undefined {
  let command: Command = program
  for (const [index, word] of words.entries()) {
    if (word.startsWith('-')) {
      const flag = word.replace(/[=,.;:].*$/, '')
      const known = ['-h', '--help', ...command.options.flatMap(({ short, long }) => [short, long])]
      if (flag !== '--' && !known.includes(flag)) return `${command.name()} has no option ${flag}`
    } else if (command.commands.length > 0) {
      if (index > 0 && words[index - 1]!.startsWith('-')) continue
      const name = word.replace(/[,.;:]$/, '')
      if (/^[<…[]|^\.\.\.$/.test(name)) continue
      const next = command.commands.find((one) => one.name() === name || one.aliases().includes(name))
      if (!next) return `${command === program ? 'anuente' : command.name()} has no command ${name}`
      command = next
    }
  }
  return undefined
}

const everyOption = new Set<string>(['--help'])
for (const queue = [program]; queue.length > 0; ) {
  const command = queue.pop()!
  for (const { long } of command.options) if (long) everyOption.add(long)
  queue.push(...command.commands)
}

describe.each(pages)('%s', (page) => {
  test('names only commands and options that exist', () => {
    const code = codeOf(readFileSync(join(root, page), 'utf8'))
    const problems = code.flatMap((piece) =>
      callsIn(piece).flatMap((words) => {
        const problem = problemOf(words)
        return problem ? [`${piece.trim()}: ${problem}`] : []
      }),
    )
    // An option named by itself belongs to some command.
    const alone = code.filter((piece) => /^--[a-z][a-z-]*$/.test(piece) && !everyOption.has(piece))
    expect([...problems, ...alone]).toEqual([])
  })
})

test('the reading finds calls in every form, and their faults', () => {
  const found = (code: string) => codeOf(code).flatMap(callsIn).map(problemOf)
  expect(found('`npm run anuente -- doctor --online`, `doctor --send`, `anuente redrive quarantine --json`')).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect(found('```sh\necho x | npm run --silent anuente -- normalize segment --lang pt | jq .\n```')).toEqual([
    'normalize has no option --lang',
  ])
  expect(found('`anuente bake`')).toEqual(['anuente has no command bake'])
  expect(found('`npm run anuente -- doctor\n--cure`')).toEqual(['doctor has no option --cure'])
  expect(found('`anuente redrive everything`')).toEqual(['redrive has no command everything'])
  expect(found('`anuente.yaml`, `anuente/kit`, `chown anuente: /srv`')).toEqual([])
})
