/** The drawing in the READMEs, the table in schemas/exits.ts and the reference page tell one story. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { DRAWN_IN, drawing, exitsPage } from '../build/exits.ts'
import { EXITS, STAGE_NAMES } from '../schemas/exits.ts'

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8')

test.each(DRAWN_IN)('%s shows the drawing as it is today', (path) => {
  expect(read(path)).toContain(drawing())
})

describe('the drawing', () => {
  const lines = drawing().split('\n')

  test('names every stage once, in order', () => {
    const rows = lines.filter((line) => line.includes(' ─▶ '))
    const stages = rows.flatMap((line) => line.replace(/^\s+(ingest|process|deliver)\s+/, '').split(' ─▶ '))
    expect(stages).toEqual([...STAGE_NAMES])
  })

  test('puts every exit once, beside the stage that takes it', () => {
    const drawn: Record<string, string> = {}
    let stage = ''
    for (const line of lines.filter((line) => /[A-Z]/.test(line))) {
      const words = line.replace('│', ' ').trim().split(/\s+/)
      if (/^[a-z]/.test(words[0]!)) stage = words.shift()!
      for (const code of words) {
        expect(drawn).not.toHaveProperty(code)
        drawn[code] = stage
      }
    }
    expect(drawn).toEqual(Object.fromEntries(Object.entries(EXITS).map(([code, exit]) => [code, exit.stage])))
  })
})

describe('docs/reference/exits.md', () => {
  test('is what build/exits.ts writes today', () => {
    expect(read('docs/reference/exits.md')).toBe(exitsPage())
  })

  test('lists every code once, with both languages', () => {
    const page = exitsPage().split('\n')
    for (const [code, exit] of Object.entries(EXITS)) {
      expect(page.filter((line) => line.startsWith(`| \`${code}\` |`))).toEqual([
        `| \`${code}\` | ${exit.group} | ${exit.en} | ${exit.pt} |`,
      ])
    }
  })
})
