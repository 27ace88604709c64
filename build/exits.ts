/** Writes docs/reference/exits.md, and the drawing of the pipeline in the pages that show it, from schemas/exits.ts. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { EXITS, type Exit, STAGE_NAMES, type StageName } from '../schemas/exits.ts'

/** Pages with the drawing between DRAWING_START and DRAWING_END. */
export const DRAWN_IN = ['README.md', 'README.pt-BR.md', 'docs/architecture.md'] as const
export const DRAWING_START = '<!-- drawing: written by build/exits.ts -->'
export const DRAWING_END = '<!-- end of drawing -->'

const WIDTH = 112
const exits: readonly (readonly [string, Exit])[] = Object.entries(EXITS)

/** The three functions of core/pipeline.ts, by their first and last stage. */
const FUNCTIONS: readonly (readonly [string, StageName, StageName])[] = [
  ['ingest', 'verify', 'record'],
  ['process', 'deduplicate', 'enqueue'],
  ['deliver', 'lease', 'settle'],
]

/** The way of one event with every exit, as text. */
export function drawing(): string {
  const lines = FUNCTIONS.flatMap(([name, first, last], index) => {
    const stages = STAGE_NAMES.slice(STAGE_NAMES.indexOf(first), STAGE_NAMES.indexOf(last) + 1)
    return [
      index === 0 ? '  events' : undefined,
      index === 0 ? '    │' : '    ▼',
      `  ${name.padEnd(9)}${stages.join(' ─▶ ')}`,
      ...stages.flatMap(exitLines),
    ].filter((line) => line !== undefined)
  })
  return ['```text', ...lines, '    ▼', '  destinations', '```'].join('\n')
}

/** The codes of one stage, wrapped, the stage's name before the first line. */
function exitLines(stage: StageName): string[] {
  const codes = exits.filter(([, exit]) => exit.stage === stage).map(([code]) => code)
  const lines: string[] = []
  for (const code of codes) {
    const open = lines.at(-1)
    if (open !== undefined && open.length + code.length + 2 <= WIDTH) lines[lines.length - 1] = `${open}  ${code}`
    else lines.push(`    │        ${(lines.length === 0 ? stage : '').padEnd(13)}${code}`)
  }
  return lines
}

/** The reference page, in Markdown: one table per stage, exits in the order of the definition. */
export function exitsPage(): string {
  const sections = STAGE_NAMES.flatMap((stage) => {
    const rows = exits.filter(([, exit]) => exit.stage === stage)
    if (rows.length === 0) return []
    const lines = rows.map(([code, exit]) => `| \`${code}\` | ${exit.group} | ${exit.en} | ${exit.pt} |`)
    const head = ['| code | counted as | what it means | o que significa |', '| --- | --- | --- | --- |']
    return [`## ${stage}`, '', ...head, ...lines, '']
  })
  return [
    '<!-- Written by build/exits.ts from schemas/exits.ts; edits are lost. -->',
    '# Exits',
    '',
    'Every way an event or a delivery can leave the pipeline, by the stage that takes it. The same codes appear in the',
    'cockpit, in logs and metrics, and in `anuente explain <messageId>`. An exit is a value with a reason, never a silence:',
    'an event that took none of these is still on its way.',
    '',
    ...sections,
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  mkdirSync(`${root}docs/reference`, { recursive: true })
  writeFileSync(`${root}docs/reference/exits.md`, exitsPage())
  for (const path of DRAWN_IN) {
    const [before = '', rest = ''] = readFileSync(root + path, 'utf8').split(DRAWING_START)
    const [, after] = rest.split(DRAWING_END)
    if (after === undefined) throw new Error(`${path} lacks the marks of the drawing`)
    writeFileSync(root + path, `${before}${DRAWING_START}\n${drawing()}\n${DRAWING_END}${after}`)
  }
}
