import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { cases } from '../testing/effort.ts'
import { readTable, streamTable, type TableForm } from './table.ts'

test.each([
  ['a;b\nJoão;1,5\n', 'latin1', 'windows-1252', ';', [{ a: 'João', b: '1,5' }]],
  ['\uFEFFa,b\nJoão,"x\ny"\n', 'utf8', 'utf-8', ',', [{ a: 'João', b: 'x\ny' }]],
  [
    'a\tb\r\n1\t2\r\n\r\n;\t3\r\n',
    'utf8',
    'utf-8',
    '\t',
    [
      { a: '1', b: '2' },
      { a: ';', b: '3' },
    ],
  ],
  ['"a,1";b\n2;3\n', 'utf8', 'utf-8', ';', [{ 'a,1': '2', b: '3' }]],
  ['a;\n1;2\n3\n', 'utf8', 'utf-8', ';', [{ a: '1', 'column 2': '2' }, ['3']]],
] as const)('%j in %s', (text, written, encoding, delimiter, rows) => {
  const read = readTable(Buffer.from(text, written))
  expect(read.form).toEqual({ kind: 'csv', encoding, delimiter })
  expect(read.rows).toEqual(rows)
})

it('reads one object per line, and lists; a broken line is for itself', () => {
  expect(readTable(Buffer.from('{"a":1}\n\n{broken\n{"a":2}')).rows).toEqual([{ a: 1 }, '{broken', { a: 2 }])
  expect(readTable(Buffer.from(' [{"a":1},2]')).rows).toEqual([{ a: 1 }, 2])
})

test.each([
  ['', 'the file is empty'],
  ['a;a\n1;2', 'two columns are called "a"'],
  ['a;b\n"1;2\n', 'on line'],
  ['a;b\n1 "x";2\n', 'INVALID_OPENING_QUOTE'],
  ['[1', 'not valid JSON'],
])('%j is refused with a reason', async (text, reason) => {
  expect(() => readTable(Buffer.from(text))).toThrow(reason)
  const form: TableForm = { kind: text.startsWith('[') ? 'json' : 'csv', encoding: 'utf-8', delimiter: ';' }
  await expect(all(text, form, 3)).rejects.toThrow(reason)
})

async function all(text: string, form: TableForm, size: number): Promise<unknown[]> {
  const bytes = Buffer.from(text, form.encoding === 'utf-8' ? 'utf8' : 'latin1')
  async function* parts() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const rows: unknown[] = []
  for await (const row of streamTable(parts(), form)) rows.push(row)
  return rows
}

it('reads the same from a stream, wherever its parts end', async () => {
  const cell = fc.string({ unit: fc.constantFrom('ã', 'x', ';', '"', '\n', ' ', '1') }).map((text) => text.trim())
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, cell), { maxLength: 5 }),
      fc.integer({ min: 1, max: 7 }),
      async (rows, size) => {
        const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
        const text = ['nome;valor', ...rows.map((cells) => cells.map(quoted).join(';'))].join('\n')
        const { form, rows: whole } = readTable(Buffer.from(text))
        expect(await all(text, form, size)).toEqual(whole)
        expect(whole).toEqual(
          rows.filter((cells) => cells.some((one) => one !== '')).map(([nome, valor]) => ({ nome, valor })),
        )
        const lines = rows.map((cells) => JSON.stringify({ cells })).join('\n')
        const ndjson: TableForm = { kind: 'ndjson', encoding: 'utf-8', delimiter: ',' }
        expect(await all(lines, ndjson, size)).toEqual(rows.map((cells) => ({ cells })))
      },
    ),
    { numRuns: cases(60) },
  )
})
