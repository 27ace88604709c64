/**
 * A folder that another system writes files into. A file is taken once it has stopped growing, in the order of names,
 * and put into `done/` beside it when all of its rows are on disk, into `failed/` with the reason when it cannot be read.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PollPage } from './define.ts'
import { InputError } from './errors.ts'
import { examineFile, fileChunks } from './file-rows.ts'
import type { Encoding } from './table.ts'

export interface WatchedFolder {
  readonly path: string
  /** Ends of names that are taken, such as .csv. */
  readonly endings: readonly string[]
  /** keep: into done/. delete: gone. */
  readonly after: 'keep' | 'delete'
  readonly encoding?: Encoding | undefined
  readonly delimiter?: string | undefined
}

/** A system that writes slowly writes at least once within this time. */
const SETTLED_MS = 5000
/** Files known by their bytes: the same one put there again is not sent again. */
const REMEMBERED = 1000

interface FolderCursor {
  /** Of the file that is under way: SHA-256, first 32 hex digits; and rows of it that are in. */
  readonly file?: { readonly id: string; readonly rows: number }
  /** Newest last. */
  readonly taken: readonly string[]
}

/** @throws the error of the file system when the folder is not there or may not be written. */
export async function* folderPages(folder: WatchedFolder, from: unknown, now: Date): AsyncGenerator<PollPage> {
  let cursor = (from ?? { taken: [] }) as FolderCursor
  for (const name of await waiting(folder, now)) {
    const path = join(folder.path, name)
    try {
      const examined = await examineFile(path, folder)
      const id = examined.sha256.slice(0, 32)
      const known = cursor.taken.includes(id)
      const before = cursor.file?.id === id ? cursor.file.rows : 0
      // A file that cannot be read to its end is refused before its first row leaves: corrected, it is another file.
      if (!known && before === 0) for await (const _ of fileChunks(path, examined));
      if (!known)
        for await (const { first, rows } of fileChunks(path, examined, before)) {
          cursor = { ...cursor, file: { id, rows: first + rows.length - 1 } }
          yield { body: Buffer.from(JSON.stringify(rows)), query: { import: id, row: String(first) }, cursor }
        }
      cursor = { taken: [...cursor.taken.filter((one) => one !== id), id].slice(-REMEMBERED) }
      yield { cursor, done: () => putAway(folder, name, id) }
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const { file: _, ...rest } = cursor
      cursor = rest
      yield { cursor, done: () => fail(folder, name, error) }
    }
  }
}

async function waiting({ path, endings }: WatchedFolder, now: Date): Promise<string[]> {
  const names = (await readdir(path, { withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) => endings.some((end) => name.toLowerCase().endsWith(end.toLowerCase())))
    .sort()
  const settled: string[] = []
  for (const name of names) {
    const { mtimeMs } = await stat(join(path, name))
    if (now.getTime() - mtimeMs >= SETTLED_MS) settled.push(name)
  }
  return settled
}

async function putAway({ path, after }: WatchedFolder, name: string, id: string): Promise<void> {
  if (after === 'delete') return rm(join(path, name), { force: true })
  await moveTo(join(path, 'done'), path, name, id)
}

/** Why, beside it: code and words, nothing of what stands in it. */
async function fail({ path }: WatchedFolder, name: string, error: InputError): Promise<void> {
  const folder = join(path, 'failed')
  await moveTo(folder, path, name, String(Date.now()))
  await writeFile(join(folder, `${name}.txt`), `${error.code}: ${error.message}\n`)
}

async function moveTo(folder: string, path: string, name: string, mark: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const taken = await stat(join(folder, name)).then(
    () => true,
    () => false,
  )
  await rename(join(path, name), join(folder, taken ? `${mark.slice(0, 13)}-${name}` : name))
}
