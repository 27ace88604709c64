/** The rows of a file of any size, in portions that a request can carry. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { InputError } from './errors.ts'
import { type Encoding, EncodingTest, formOf, streamTable, type TableForm } from './table.ts'

/** A command to the hub carries at most 1 MB of JSON. */
const MOST_ROWS = 500
const MOST_BYTES = 600_000
/** A JSON list is read whole; CSV and NDJSON are not. */
const MAX_JSON_BYTES = 200_000_000

export interface ExaminedFile {
  readonly form: TableForm
  readonly bytes: number
  readonly sha256: string
}

/**
 * Reads it once: what it is written in, and which file it is.
 * @throws InputError when it is a JSON list too large to be read whole; the error of the file system when it cannot be read.
 */
export async function examineFile(
  file: string,
  given: { readonly encoding?: Encoding | undefined; readonly delimiter?: string | undefined } = {},
): Promise<ExaminedFile> {
  const { size } = await stat(file)
  const hash = createHash('sha256')
  const test = new EncodingTest()
  let head = Buffer.alloc(0)
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    test.add(chunk)
    if (head.length < 65_536) head = Buffer.concat([head, chunk])
  }
  const encoding = given.encoding ?? test.encoding
  const form = formOf(new TextDecoder(encoding).decode(head), encoding, given.delimiter)
  if (form.kind === 'json' && size > MAX_JSON_BYTES)
    throw new InputError('INVALID', 'a JSON list larger than 200 MB. Write one object per line instead.')
  return { form, bytes: size, sha256: hash.digest('hex') }
}

export interface FileChunk {
  /** Number of the first row, from 1. */
  readonly first: number
  readonly rows: unknown[]
}

/**
 * @param after rows that are in already
 * @param onBytes told how many bytes were read
 * @throws InputError
 */
export async function* fileChunks(
  file: string,
  { form }: Pick<ExaminedFile, 'form'>,
  after = 0,
  onBytes: (count: number) => void = () => {},
): AsyncGenerator<FileChunk> {
  async function* read(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      onBytes(chunk.length)
      yield chunk
    }
  }
  let number = 0
  let rows: unknown[] = []
  let size = 0
  for await (const row of streamTable(read(), form)) {
    number += 1
    if (number <= after) continue
    const length = Buffer.byteLength(JSON.stringify(row))
    if (rows.length > 0 && (rows.length >= MOST_ROWS || size + length > MOST_BYTES)) {
      yield { first: number - rows.length, rows }
      rows = []
      size = 0
    }
    rows.push(row)
    size += length
  }
  if (rows.length > 0) yield { first: number - rows.length + 1, rows }
}
