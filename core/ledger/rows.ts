/** The ledger's rows: entries numbered or pending, tiles, the head. Reading only. */
import type { PublicEntry, SequencedEntry } from '../../consent/ledger/entry.ts'
import type { TileReader } from '../../consent/ledger/tiles.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

export type Head = Tables['ledger_head']

/** @returns undefined on a state that no hub of this version has opened. */
export function readHead(db: Db): Promise<Head | undefined> {
  return db.selectFrom('ledger_head').selectAll().where('id', '=', 1).executeTakeFirst()
}

export function tileReader(db: Db): TileReader {
  return {
    async read(level, tile) {
      const row = await db
        .selectFrom('ledger_tiles')
        .select('hashes')
        .where('level', '=', level)
        .where('tile', '=', tile)
        .executeTakeFirst()
      return row?.hashes
    },
  }
}

/** An entry wherever it stands; `seq` is null until it has its number. */
export interface FoundEntry {
  readonly seq: number | null
  readonly id: string
  readonly nodeId: string
  readonly at: number
  /** As indexed: known even where privacy keeps it out of the tree. */
  readonly purpose: string
  /** Canonical JSON. */
  readonly bytes: string
}

/** By ULID, numbered or pending, in the order of their ids. Missing ones are left out. */
export async function findEntries(db: Db, ids: readonly string[]): Promise<FoundEntry[]> {
  const found = new Map<string, FoundEntry>()
  for (const part of chunks(ids)) {
    // Pending first: an entry that gets its number in between is then met twice, and never not at all.
    const pending = await db
      .selectFrom('ledger_pending')
      .select(['id', 'node_id as nodeId', 'at', 'purpose', 'public as bytes'])
      .where('id', 'in', part)
      .execute()
    for (const row of pending) found.set(row.id, { seq: null, ...row })
    const numbered = await db
      .selectFrom('ledger_entries')
      .select(['seq', 'id', 'node_id as nodeId', 'at', 'purpose', 'bytes'])
      .where('id', 'in', part)
      .execute()
    for (const row of numbered) found.set(row.id, row)
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

export async function findEntry(db: Db, id: string): Promise<FoundEntry | undefined> {
  return (await findEntries(db, [id]))[0]
}

export const parseEntry = (bytes: string): SequencedEntry => JSON.parse(bytes) as SequencedEntry

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)

/** As the API shows it. */
export function asLedgerEntry({ seq, id, at, purpose, bytes }: FoundEntry): LedgerEntry {
  const entry = JSON.parse(bytes) as PublicEntry & Partial<SequencedEntry>
  return {
    seq,
    id,
    at,
    type: entry.type,
    subject: entry.subject,
    subjectSeq: entry.subject_seq ?? null,
    purpose: purpose === '' ? null : purpose,
    status: text(entry.status),
    basis: text(entry.basis),
    actor: entry.actor_kind,
    source: entry.source,
    public: { ...entry },
  }
}
