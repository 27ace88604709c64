/**
 * The sequencer: gives pending entries their number, chains them per subject, and adds them to the
 * tree, a batch in one transaction. One at a time: a lock on PostgreSQL, the write lock on SQLite, and on both a
 * compare-and-set of the head.
 */
import { canonicalText } from '../../consent/ledger/canonical.ts'
import type { PublicEntry, SequencedEntry } from '../../consent/ledger/entry.ts'
import { textLeafHash } from '../../consent/ledger/merkle.ts'
import {
  bucketOf,
  keyedBucket,
  keyedHead,
  nextHead,
  type SubjectHead,
  stateRoot,
  subjectKey,
} from '../../consent/ledger/state-tree.ts'
import { appendLeaves } from '../../consent/ledger/tiles.ts'
import { chunks, type Db, insertMany, type StateStore, sql } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { rootDeliveries } from './deliveries.ts'
import { HUB, hubEntry } from './hub-entry.ts'
import { type Head, readHead, tileReader } from './rows.ts'

const BATCH = 2_000
/** Clocks of machines differ; below this nothing is said. Our own choice. */
const CLOCK_SLACK_MS = 60_000
const ADVISORY_LOCK = 7_300_412

/** Another process numbered entries meanwhile. Nothing was written. */
export class SequencerRaced extends Error {
  override readonly name = 'SequencerRaced'
}

/** @returns undefined when another process holds the sequencer. Until the end of the transaction. */
export async function takeLedger(db: Db, dialect: StateStore['dialect']): Promise<Head | undefined> {
  if (dialect === 'postgres') {
    const { rows } = await sql<{
      got: boolean
    }>`select pg_try_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)}) as got`.execute(db)
    if (!rows[0]?.got) return undefined
  }
  return readHead(db)
}

export interface Round {
  /** Epoch milliseconds. */
  readonly now: number
  /** Take a state root even though the day is not over. */
  readonly stateRoot?: boolean
  readonly limit?: number
}

/** One batch. @returns how many entries got their number. */
export async function sequence(
  state: StateStore,
  { now, stateRoot: wanted = false, limit = BATCH }: Round,
): Promise<number> {
  if (!wanted && !(await anythingWaits(state.db))) return 0
  return state.transaction(async (db) => {
    const head = await takeLedger(db, state.dialect)
    if (!head) return 0
    const size = head.size
    await rootDeliveries(db, state.dialect, now, limit)
    if (size > head.state_size && (wanted || dayOf(now) > dayOf(head.state_at)))
      await rootState(db, state.dialect, head, now)
    if (head.logged_at - now > CLOCK_SLACK_MS) await noteClock(db, head, now)
    const rows = await db.selectFrom('ledger_pending').selectAll().orderBy('id').limit(limit).execute()
    if (rows.length === 0) return 0
    const loggedAt = Math.max(now, head.logged_at)
    await numberEntries(rows, size, loggedAt, db, state.dialect)
    const moved = await db
      .updateTable('ledger_head')
      .set({ size: size + rows.length, logged_at: loggedAt })
      .where('id', '=', 1)
      .where('size', '=', size)
      .executeTakeFirst()
    if (Number(moved.numUpdatedRows) !== 1)
      throw new SequencerRaced(`another process numbered entries after ${size}; this one does it again`)
    return rows.length
  })
}

async function anythingWaits(db: Db): Promise<boolean> {
  const pending = await db.selectFrom('ledger_pending').select('id').limit(1).executeTakeFirst()
  if (pending) return true
  const settled = await db
    .selectFrom('deliveries')
    .select('id')
    .where('settled_at', 'is not', null)
    .where('rooted', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return settled !== undefined
}

const dayOf = (at: number) => Math.floor(at / 86_400_000)

async function numberEntries(
  rows: readonly Tables['ledger_pending'][],
  size: number,
  loggedAt: number,
  db: Db,
  dialect: StateStore['dialect'],
): Promise<void> {
  const heads = await headsOf(new Set(rows.map(({ subject }) => subject)), db)
  const logged = new Date(loggedAt).toISOString()
  const leaves: Buffer[] = []
  const entries: unknown[][] = []
  for (const [n, row] of rows.entries()) {
    const before = heads.get(row.subject)
    const seq = size + n
    const entry: SequencedEntry = {
      ...(JSON.parse(row.public) as PublicEntry),
      seq,
      subject_seq: before ? before.subject_seq + 1 : 0,
      prev_subject_leaf: before?.last_leaf ?? null,
      logged_at: logged,
    }
    const bytes = canonicalText(entry)
    const leaf = textLeafHash(bytes)
    leaves.push(leaf)
    heads.set(row.subject, nextHead(before, entry, leaf))
    entries.push([seq, row.id, row.node_id, row.subject, entry.subject_seq, row.purpose, entry.type, row.at, bytes])
  }
  await insertMany(
    db,
    dialect,
    'ledger_entries',
    ['seq', 'id', 'node_id', 'subject', 'subject_seq', 'purpose', 'type', 'at', 'bytes'],
    entries,
  )
  await insertMany(
    db,
    dialect,
    'ledger_payloads',
    ['id', 'node_id', 'sealed'],
    rows.map(({ id, node_id, sealed }) => [id, node_id, sealed]),
  )
  await insertMany(
    db,
    dialect,
    'ledger_subjects',
    ['subject', 'bucket', 'subject_seq', 'last_seq', 'last_leaf', 'state'],
    [...heads.values()].map((head) => [
      head.subject,
      bucketOf(subjectKey(head.subject)),
      head.subject_seq,
      head.last_seq,
      Buffer.from(head.last_leaf, 'hex'),
      JSON.stringify(head.state),
    ]),
    'on conflict (subject) do update set subject_seq = excluded.subject_seq, last_seq = excluded.last_seq, last_leaf = excluded.last_leaf, state = excluded.state',
  )
  await insertMany(
    db,
    dialect,
    'ledger_tiles',
    ['level', 'tile', 'hashes'],
    (await appendLeaves(size, leaves, tileReader(db))).map(({ level, tile, hashes }) => [level, tile, hashes]),
    'on conflict (level, tile) do update set hashes = excluded.hashes',
  )
  for (const part of chunks(rows))
    await db
      .deleteFrom('ledger_pending')
      .where(
        'id',
        'in',
        part.map(({ id }) => id),
      )
      .execute()
}

async function headsOf(subjects: ReadonlySet<string>, db: Db): Promise<Map<string, SubjectHead>> {
  const heads = new Map<string, SubjectHead>()
  for (const part of chunks([...subjects])) {
    const rows = await db.selectFrom('ledger_subjects').selectAll().where('subject', 'in', part).execute()
    for (const row of rows) heads.set(row.subject, asHead(row))
  }
  return heads
}

export function asHead(row: Omit<Tables['ledger_subjects'], 'bucket'>): SubjectHead {
  return {
    subject: row.subject,
    subject_seq: row.subject_seq,
    last_seq: row.last_seq,
    last_leaf: Buffer.from(row.last_leaf).toString('hex'),
    state: JSON.parse(row.state) as SubjectHead['state'],
  }
}

/**
 * `state.root`: the last word of every subject among the entries numbered so far. Only the parts of the
 * tree in which something changed are hashed again.
 */
async function rootState(db: Db, dialect: StateStore['dialect'], head: Head, now: number): Promise<void> {
  const changed = await db
    .selectFrom('ledger_entries')
    .select('subject')
    .distinct()
    .where('seq', '>=', head.state_size)
    .where('subject', '<>', HUB)
    .execute()
  // Nobody's last word changed: the root of before still says it.
  if (changed.length === 0) return
  const buckets = [...new Set(changed.map(({ subject }) => bucketOf(subjectKey(subject))))]
  for (const part of chunks(buckets)) {
    const members = new Map<number, SubjectHead[]>()
    const rows = await db
      .selectFrom('ledger_subjects')
      .selectAll()
      .where('bucket', 'in', part)
      .where('subject', '<>', HUB)
      .execute()
    for (const row of rows) {
      const list = members.get(row.bucket)
      if (list) list.push(asHead(row))
      else members.set(row.bucket, [asHead(row)])
    }
    await insertMany(
      db,
      dialect,
      'ledger_state',
      ['bucket', 'root'],
      [...members].map(([bucket, heads]) => [bucket, stateRoot(heads.map(keyedHead))]),
      'on conflict (bucket) do update set root = excluded.root',
    )
  }
  const all = await db.selectFrom('ledger_state').selectAll().execute()
  const { subjects } = await db
    .selectFrom('ledger_subjects')
    .select(({ fn }) => fn.countAll<number>().as('subjects'))
    .where('subject', '<>', HUB)
    .executeTakeFirstOrThrow()
  await hubEntry(db, {
    type: 'state.root',
    at: now,
    facts: {
      size: head.size,
      subjects: Number(subjects),
      root: stateRoot(all.map(({ bucket, root }) => keyedBucket(bucket, root))).toString('hex'),
    },
  })
  await db.updateTable('ledger_head').set({ state_at: now, state_size: head.size }).where('id', '=', 1).execute()
}

/** The clock of this machine is behind what the ledger has seen: times stand still until it catches up, and the entry says so. */
async function noteClock(db: Db, head: Head, now: number): Promise<void> {
  const last = await db
    .selectFrom('ledger_entries')
    .select('at')
    .where('type', '=', 'clock.behind')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  // Once per hour of a clock that stays behind.
  if (last && Math.abs(now - last.at) < 3_600_000) return
  await hubEntry(db, {
    type: 'clock.behind',
    at: now,
    facts: { newest: new Date(head.logged_at).toISOString(), behind_ms: head.logged_at - now },
  })
}
