/**
 * Copies of checkpoints outside the database. Whoever holds database and key could rewrite everything
 * since the newest copy that lies where they cannot write: that is what an anchor is worth, no more.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LedgerCheckpoint } from '../../schemas/ledger.ts'
import type { Db } from '../stores/open.ts'

/** Of one ledger, so that a folder may serve several. The size leads, so that names sort like checkpoints. */
const nameOf = (origin: string, { size, root }: Pick<LedgerCheckpoint, 'size' | 'root'>): string =>
  `${origin.replaceAll(/[^A-Za-z0-9.-]/g, '_')}-${String(size).padStart(16, '0')}-${root.slice(0, 8)}.checkpoint`

/**
 * Writes one checkpoint into the folder, read-only, never over an existing file. Point the folder at storage that
 * keeps what was written (object lock, a WORM share, another machine's).
 * @returns the file, or undefined when it was there.
 */
export async function writeAnchor(
  folder: string,
  origin: string,
  checkpoint: LedgerCheckpoint,
): Promise<string | undefined> {
  const file = join(folder, nameOf(origin, checkpoint))
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(file, checkpoint.note, { flag: 'wx', mode: 0o444 })
    return file
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw failed(folder, error)
    const there = await readFile(file, 'utf8').catch(() => '')
    if (bodyOf(there) !== bodyOf(checkpoint.note))
      throw new AnchorFailed(
        'ANCHOR_CONFLICT',
        `${file} is there already and is not this checkpoint: keep it as evidence, and find out who wrote it`,
      )
    return undefined
  }
}

/** The folder of copies could not be read or written. Without it nothing is signed: what lies there is what guards against a fork. */
export class AnchorFailed extends Error {
  override readonly name = 'AnchorFailed'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

function failed(folder: string, error: unknown): AnchorFailed {
  const code = (error as NodeJS.ErrnoException).code ?? 'UNKNOWN'
  return new AnchorFailed(
    code,
    `the folder of checkpoint copies ${folder} cannot be used (${code}): let the hub's user read and write it, or name another in ledger.anchors.folder`,
  )
}

/** Origin, size and root; signatures may differ after a rotation. */
const bodyOf = (note: string) => note.split('\n\n')[0]

export interface FolderAnchor {
  readonly file: string
  readonly size: number
  readonly note: string
}

/** Every copy of this ledger in the folder, oldest first; none when there is no folder. */
export async function readAnchors(folder: string | undefined, origin: string): Promise<FolderAnchor[]> {
  const names = await anchorNames(folder, origin)
  return Promise.all(names.map((name) => readOne(folder!, name)))
}

export async function newestAnchor(folder: string | undefined, origin: string): Promise<FolderAnchor | undefined> {
  const last = (await anchorNames(folder, origin)).at(-1)
  return last === undefined ? undefined : readOne(folder!, last)
}

async function anchorNames(folder: string | undefined, origin: string): Promise<string[]> {
  if (folder === undefined) return []
  try {
    const start = nameOf(origin, { size: 0, root: '' }).slice(0, -('-'.length + 16 + '-.checkpoint'.length))
    return (await readdir(folder)).filter((name) => name.startsWith(`${start}-`) && name.endsWith('.checkpoint')).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw failed(folder, error)
  }
}

async function readOne(folder: string, name: string): Promise<FolderAnchor> {
  const file = join(folder, name)
  return { file, size: Number(/-(\d{16})-[^-]*$/.exec(name)?.[1] ?? Number.NaN), note: await readFile(file, 'utf8') }
}

/** Remembers that a copy exists outside. */
export async function noteAnchor(
  db: Db,
  anchor: { readonly size: number; readonly kind: 'folder' | 'minutes'; readonly at: number; readonly ref: string },
): Promise<void> {
  await db
    .insertInto('ledger_anchors')
    .values(anchor)
    .onConflict((conflict) => conflict.columns(['size', 'kind']).doNothing())
    .execute()
}
