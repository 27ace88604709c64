/** CSV, NDJSON and JSON lists as systems in Brazil export them: Latin-1, semicolons, a byte order mark. */
import { Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { CsvError, type Parser, parse } from 'csv-parse'
import { parse as parseSync } from 'csv-parse/sync'
import { InputError } from './errors.ts'

export type Encoding = 'utf-8' | 'windows-1252'
export interface TableForm {
  readonly kind: 'csv' | 'ndjson' | 'json'
  /** Latin-1 as Windows writes it: with € and typographic quotes. */
  readonly encoding: Encoding
  /** CSV only. */
  readonly delimiter: string
}

/** Tells UTF-8 from Latin-1: an accent in Latin-1 is no valid UTF-8. Fed with a file in parts. */
export class EncodingTest {
  #decoder: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true })
  add(bytes: Uint8Array): void {
    try {
      this.#decoder?.decode(bytes, { stream: true })
    } catch {
      this.#decoder = undefined
    }
  }
  get encoding(): Encoding {
    try {
      this.#decoder?.decode()
    } catch {
      this.#decoder = undefined
    }
    return this.#decoder ? 'utf-8' : 'windows-1252'
  }
}

/** @param head the beginning of the text, at least its first line. */
export function formOf(head: string, encoding: Encoding, delimiter?: string): TableForm {
  const first = head.replace(/^\uFEFF/, '').trimStart()[0]
  return {
    kind: first === '[' ? 'json' : first === '{' ? 'ndjson' : 'csv',
    encoding,
    delimiter: delimiter ?? delimiterOf(head),
  }
}

/** Spreadsheets in Brazil write semicolons, because the comma is the decimal sign. */
function delimiterOf(head: string): string {
  const line = /^[^\r\n]*/.exec(head.replace(/"[^"]*"/g, ''))?.[0] ?? ''
  const counts = [',', ';', '\t', '|'].map((sign) => [sign, line.split(sign).length] as const)
  return counts.reduce((best, one) => (one[1] > best[1] ? one : best))[0]
}

/**
 * The rows of a whole body. A row is an object; one that cannot be read is a text or a list, and whoever maps it
 * refuses it by itself.
 * @throws InputError when there are no rows to be read at all.
 */
export function readTable(
  bytes: Buffer,
  given: { readonly encoding?: Encoding | undefined; readonly delimiter?: string | undefined } = {},
): { readonly form: TableForm; readonly rows: unknown[] } {
  const test = new EncodingTest()
  test.add(bytes)
  const encoding = given.encoding ?? test.encoding
  const text = new TextDecoder(encoding).decode(bytes)
  const form = formOf(text, encoding, given.delimiter)
  if (form.kind === 'json') return { form, rows: listOf(text) }
  if (form.kind === 'ndjson') return { form, rows: text.split('\n').flatMap(rowOfLine) }
  try {
    const [head, ...records] = parseSync(text, options(form)) as string[][]
    const columns = columnsOf(head)
    return { form, rows: records.map((cells) => rowOf(columns, cells)) }
  } catch (error) {
    throw readable(error)
  }
}

/** The same for a file of any size. @throws InputError */
export async function* streamTable(chunks: AsyncIterable<Buffer>, form: TableForm): AsyncGenerator<unknown> {
  const decoder = new TextDecoder(form.encoding)
  async function* texts(): AsyncGenerator<string> {
    for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true })
    yield decoder.decode()
  }
  if (form.kind === 'json') {
    let text = ''
    for await (const part of texts()) text += part
    yield* listOf(text)
    return
  }
  if (form.kind === 'ndjson') {
    let rest = ''
    for await (const part of texts()) {
      const lines = (rest + part).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield* rowOfLine(line)
    }
    yield* rowOfLine(rest)
    return
  }
  const parser: Parser = parse(options(form))
  Readable.from(texts(), { objectMode: false })
    .on('error', (error) => parser.destroy(error))
    .pipe(parser)
  let columns: string[] | undefined
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      if (columns) yield rowOf(columns, cells)
      else columns = columnsOf(cells)
    }
  } catch (error) {
    throw readable(error)
  } finally {
    parser.destroy()
  }
  columnsOf(columns)
}

const options = ({ delimiter }: TableForm) => ({
  bom: true,
  delimiter,
  trim: true,
  skip_empty_lines: true,
  skip_records_with_empty_values: true,
  // A row of another length is refused by itself instead of ending the file.
  relax_column_count: true,
  max_record_size: 1_000_000,
})

function columnsOf(head: readonly string[] | undefined): string[] {
  if (!head) throw new InputError('INVALID', 'the file is empty: its first line must name the columns.')
  const names = head.map((name, index) => (name === '' ? `column ${index + 1}` : name))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new InputError('INVALID', `two columns are called ${JSON.stringify(twice.slice(0, 60))}: rename one of them.`)
  return names
}

const rowOf = (columns: readonly string[], cells: readonly string[]): unknown =>
  cells.length === columns.length ? Object.fromEntries(columns.map((name, index) => [name, cells[index]])) : cells

function rowOfLine(line: string): unknown[] {
  const text = line.replace(/^\uFEFF/, '').trim()
  if (text === '') return []
  try {
    return [JSON.parse(text) as unknown]
  } catch {
    return [text]
  }
}

function listOf(text: string): unknown[] {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    throw new InputError('MALFORMED_JSON', 'the file is not valid JSON')
  }
  if (!Array.isArray(value)) throw new InputError('INVALID', 'the file must be a list of objects')
  return value as unknown[]
}

/** The message of csv-parse quotes the text at fault; only its code and line leave. */
function readable(error: unknown): unknown {
  if (!(error instanceof CsvError)) return error
  const line = 'lines' in error ? ` on line ${String(error.lines)}` : ''
  return new InputError('INVALID', `the CSV cannot be read${line} (${String(error.code)}): correct the quotes there.`)
}
