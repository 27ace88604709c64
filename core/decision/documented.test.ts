/** The pages about rules are true: their examples load, and the tests that docs/reference/behaviours.md names are there. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadRules } from './index.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

test('every rule that the documentation shows loads', () => {
  const pages = globSync(['README*.md', 'docs/**/*.md'], { cwd: root }).sort()
  const shown = pages.flatMap((page) =>
    [...read(page).matchAll(/^```yaml\n# (rules\/\S+\.yaml)\n([\s\S]*?)^```/gm)].map(([, file, text]) => ({
      file: `${page} ${file}`,
      text: text!,
    })),
  )
  expect(shown.length).toBeGreaterThan(4)
  for (const one of shown) expect(() => loadRules([one]), one.file).not.toThrow()
})

test('each behaviour is shown by a test of that name', () => {
  const rows = read('docs/reference/behaviours.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && line.includes('`'))
  const named = rows.flatMap((row) =>
    [...row.matchAll(/`([^`]+\.ts)` ("[^`|]+)/g)].flatMap(([, file, names]) =>
      [...names!.matchAll(/"([^"]+)"/g)].map(([, name]) => ({ file: file!, name: name! })),
    ),
  )
  expect(named.length).toBeGreaterThan(50)
  // Quotes may stand escaped in the code.
  expect(named.filter(({ file, name }) => !read(file).replaceAll("\\'", "'").includes(name))).toEqual([])
})
