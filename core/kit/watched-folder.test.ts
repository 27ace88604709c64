/** A folder that files are put into: what is taken, in which portions, and where it is put. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { PollPage } from './define.ts'
import { folderPages, type WatchedFolder } from './watched-folder.ts'

let path: string
let folder: WatchedFolder
const now = new Date()

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'anuente-folder-'))
  folder = { path, endings: ['.csv'], after: 'keep' }
})
afterEach(() => rmSync(path, { recursive: true, force: true }))

function put(name: string, text: string | Buffer, secondsAgo = 60): void {
  writeFileSync(join(path, name), text)
  const at = now.getTime() / 1000 - secondsAgo
  utimesSync(join(path, name), at, at)
}
const rowsOf = ({ body }: PollPage): unknown[] => (body ? (JSON.parse(body.toString('utf8')) as unknown[]) : [])

/** As the hub runs it: the page on disk, then its end. @returns rows and the last cursor. */
async function run(
  cursor: unknown,
  most = Infinity,
): Promise<{ rows: unknown[]; cursor: unknown; queries: unknown[] }> {
  const rows: unknown[] = []
  const queries: unknown[] = []
  let last = cursor
  let pages = 0
  for await (const page of folderPages(folder, cursor, now)) {
    rows.push(...rowsOf(page))
    if (page.query) queries.push(page.query)
    last = JSON.parse(JSON.stringify(page.cursor)) as unknown
    if (++pages >= most) break
    await page.done?.()
  }
  return { rows, cursor: last, queries }
}

test('files are taken by name, in Latin-1 with semicolons, and put into done', async () => {
  put('b.csv', 'id;nome\n2;Bia\n')
  put('a.csv', Buffer.from('id;nome\n1;João\n', 'latin1'))
  put('notas.txt', 'nada')
  const { rows } = await run(undefined)
  expect(rows).toEqual([
    { id: '1', nome: 'João' },
    { id: '2', nome: 'Bia' },
  ])
  expect(readdirSync(path).sort()).toEqual(['done', 'notas.txt'])
  expect(readdirSync(join(path, 'done')).sort()).toEqual(['a.csv', 'b.csv'])
})

test('a file that still grows waits', async () => {
  put('a.csv', 'id\n1\n', 2)
  expect((await run(undefined)).rows).toEqual([])
  expect(existsSync(join(path, 'a.csv'))).toBe(true)
})

test('the same bytes under another name are not sent again, and two files of one name are both kept', async () => {
  put('a.csv', 'id\n1\n')
  const first = await run(undefined)
  put('a.csv', 'id\n2\n')
  const second = await run(first.cursor)
  put('de novo.csv', 'id\n1\n')
  const third = await run(second.cursor)
  expect([first.rows, second.rows, third.rows]).toEqual([[{ id: '1' }], [{ id: '2' }], []])
  expect(readdirSync(join(path, 'done'))).toHaveLength(3)
})

test('an interruption goes on after the rows that are on disk', async () => {
  const lines = Array.from({ length: 1200 }, (_, index) => `${index + 1}`)
  put('grande.csv', `id\n${lines.join('\n')}\n`)
  const before = await run(undefined, 2)
  expect(before.rows).toHaveLength(1000)
  expect(existsSync(join(path, 'grande.csv'))).toBe(true)
  const after = await run(before.cursor)
  expect(after.rows).toEqual(lines.slice(1000).map((id) => ({ id })))
  expect([...before.queries, ...after.queries]).toMatchObject([{ row: '1' }, { row: '501' }, { row: '1001' }])
  expect(existsSync(join(path, 'grande.csv'))).toBe(false)
})

test('a file that cannot be read is put into failed with the reason, and keeps no neighbour out', async () => {
  put('a.csv', 'id;id\n1;2\n')
  put('b.csv', 'id\n3\n')
  expect((await run(undefined)).rows).toEqual([{ id: '3' }])
  expect(readFileSync(join(path, 'failed', 'a.csv.txt'), 'utf8')).toMatch(/^INVALID: two columns are called "id"/)
  expect(readdirSync(join(path, 'done'))).toEqual(['b.csv'])
})

test('with after: delete nothing is left of it', async () => {
  folder = { ...folder, after: 'delete' }
  put('a.csv', 'id\n1\n')
  expect((await run(undefined)).rows).toEqual([{ id: '1' }])
  expect(readdirSync(path)).toEqual([])
})
