/** The event log in one SQLite file, written by the HTTP thread alone. */

import type { KeyObject } from 'node:crypto'
import { randomBytes } from 'node:crypto'
import Database from 'better-sqlite3'
import type { Keys } from '../../keys.ts'
import { ConfigError } from '../../kit/errors.ts'
import { seal, unseal } from '../../seal.ts'
import type { Fence, LogReader, LogRecord, LogWriter, Positioned } from '../event-log.ts'

/** A key seals five minutes of the log; it is destroyed as soon as processing has passed them. */
const SEGMENT_MS = 5 * 60_000
/** Records per row: what one seal covers, and the least the reader takes. */
const ROW_RECORDS = 256

const SCHEMA = `
create table if not exists log_meta (key text primary key, value text not null);
create table if not exists segments (id integer primary key, wrapped blob not null, opened_at integer not null);
create table if not exists records (first integer primary key, count integer not null, segment integer not null, sealed blob not null);
create table if not exists fences (id text primary key, position integer not null, purposes text not null, at integer not null);
create table if not exists fence_identifiers (hmac blob not null, fence text not null, primary key (hmac, fence)) without rowid;
create index if not exists fence_identifiers_fence on fence_identifiers (fence);
`

function open(file: string): Database.Database {
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('busy_timeout = 15000')
  database.pragma('secure_delete = ON')
  return database
}

interface Waiting {
  readonly records: readonly LogRecord[]
  readonly fences: readonly Fence[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * @param committed position the state has committed, or undefined for a new state.
 * @param kept fences that must outlive the start: those of records in quarantine.
 * @throws when the state is ahead of this log or belongs to another one.
 */
export function openLogWriter(
  file: string,
  keys: Keys,
  state?: { readonly logId: string; readonly position: number; readonly keptFences: ReadonlySet<string> },
): LogWriter & { readonly logId: string } {
  const database = open(file)
  database.exec(SCHEMA)
  const meta = (key: string) =>
    (database.prepare('select value from log_meta where key = ?').get(key) as { value: string } | undefined)?.value
  const setMeta = database.prepare(
    'insert into log_meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
  )
  let logId = meta('log_id')
  if (!logId) {
    logId = randomBytes(12).toString('hex')
    setMeta.run('log_id', logId)
  }
  let next = Number(meta('next') ?? 1)
  const lastRow = database.prepare('select first, count from records order by first desc limit 1').get() as
    | { first: number; count: number }
    | undefined
  if (lastRow) next = Math.max(next, lastRow.first + lastRow.count)
  if (state && state.logId !== logId)
    throw new ConfigError(
      `The state belongs to another log (${state.logId}): state.db and log.db are not of one hub. Restore both from one backup; nothing was changed.`,
    )
  if (state && state.position > next)
    throw new ConfigError(
      `The state is ahead of the log (${state.position} > ${next}): log.db is older than state.db. Restore both from one backup; nothing was changed.`,
    )

  const insertRow = database.prepare('insert into records (first, count, segment, sealed) values (?, ?, ?, ?)')
  const insertFence = database.prepare('insert into fences (id, position, purposes, at) values (?, ?, ?, ?)')
  const insertFenceIdentifier = database.prepare('insert or ignore into fence_identifiers (hmac, fence) values (?, ?)')
  const deleteFence = database.prepare('delete from fences where id = ?')
  const deleteFenceIdentifiers = database.prepare('delete from fence_identifiers where fence = ?')
  const deleteRows = database.prepare('delete from records where first + count <= ?')
  const deleteSegments = database.prepare(
    'delete from segments where id <> ? and id not in (select distinct segment from records)',
  )
  const insertSegment = database.prepare('insert into segments (wrapped, opened_at) values (?, ?)')

  let segment: { id: number; key: KeyObject; openedAt: number } | undefined
  let waiting: Waiting[] = []
  let scheduled = false
  let committedTo = state?.position ?? 0
  let purgedTo = 0
  let doneFences: string[] = []
  let checkpointDue = 0
  const storedBytes = database.prepare('select coalesce(sum(length(sealed)), 0) as n from records')
  const bytesStored = () => (storedBytes.get() as { n: number }).n
  let bytes = bytesStored()
  let closed = false
  let closing = false

  const removeFence = (id: string) => {
    deleteFence.run(id)
    deleteFenceIdentifiers.run(id)
  }
  if (state) {
    // A crash between the state's commit and this log's next commit leaves fences whose work is done.
    database.transaction(() => {
      for (const { id } of database.prepare('select id from fences where position < ?').all(state.position) as {
        id: string
      }[])
        if (!state.keptFences.has(id)) removeFence(id)
    })()
  }

  const segmentFor = (now: number) => {
    if (!segment || now - segment.openedAt >= SEGMENT_MS) {
      const { key, wrapped } = keys.create()
      segment = { id: Number(insertSegment.run(wrapped, now).lastInsertRowid), key, openedAt: now }
    }
    return segment
  }

  const write = database.transaction((batch: readonly Waiting[], done: readonly string[]) => {
    const now = Date.now()
    const records = batch.flatMap(({ records }) => records)
    const positionOf = new Map<string, number>()
    if (records.length > 0) {
      const { id, key } = segmentFor(now)
      for (let offset = 0; offset < records.length; offset += ROW_RECORDS) {
        const row = records.slice(offset, offset + ROW_RECORDS)
        row.forEach((record, index) => {
          for (const fence of record.fences) positionOf.set(fence, next + index)
        })
        const sealed = seal(key, JSON.stringify(row))
        insertRow.run(next, row.length, id, sealed)
        bytes += sealed.length
        next += row.length
      }
      setMeta.run('next', String(next))
    }
    for (const { fences } of batch)
      for (const fence of fences) {
        insertFence.run(fence.id, positionOf.get(fence.id) ?? next, JSON.stringify(fence.purposes), fence.at)
        for (const identifier of fence.identifiers) insertFenceIdentifier.run(identifier, fence.id)
      }
    for (const id of done) removeFence(id)
    const aged = segment !== undefined && (closing || now - segment.openedAt >= SEGMENT_MS)
    if (committedTo > purgedTo || aged) {
      deleteRows.run(committedTo)
      // The open segment's key goes too once it has its five minutes; until then it still seals new rows.
      if (aged) segment = undefined
      deleteSegments.run(segment?.id ?? -1)
      purgedTo = committedTo
      bytes = bytesStored()
    }
  })

  const flush = () => {
    scheduled = false
    if (closed) return
    const batch = waiting
    waiting = []
    const done = doneFences
    doneFences = []
    try {
      write.immediate(batch, done)
      for (const { resolve } of batch) resolve()
    } catch (error) {
      // The transaction rolled back; the segment it may have opened is gone with it, what it purged is not.
      segment = undefined
      doneFences = [...done, ...doneFences]
      purgedTo = 0
      for (const { reject } of batch) reject(error)
      bytes = bytesStored()
      next = Number(meta('next') ?? next)
    }
    const now = Date.now()
    if (now >= checkpointDue) {
      // What was purged must leave the write-ahead file as well.
      database.pragma('wal_checkpoint(TRUNCATE)')
      checkpointDue = now + 60_000
    }
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }

  return {
    logId,
    append(records, fences) {
      return new Promise((resolve, reject) => {
        waiting.push({ records, fences, resolve, reject })
        schedule()
      })
    },
    committed(position, fences) {
      committedTo = Math.max(committedTo, position)
      doneFences.push(...fences)
      schedule()
    },
    releaseFences(fences) {
      doneFences.push(...fences)
      schedule()
    },
    size: () => bytes,
    backlog: () => Math.max(0, next - Math.max(committedTo, 1)),
    close() {
      if (closed) return
      // What is committed is purged and the open segment's key destroyed with the last commit.
      closing = true
      flush()
      closed = true
      database.pragma('wal_checkpoint(TRUNCATE)')
      database.close()
    },
  }
}

export function openLogReader(file: string, keys: Keys): LogReader {
  const database = open(file)
  database.exec(SCHEMA)
  const logId = (database.prepare(`select value from log_meta where key = 'log_id'`).get() as { value: string }).value
  const rows = database.prepare(
    'select r.first, r.count, r.sealed, s.wrapped from records r join segments s on s.id = r.segment where r.first + r.count > ? order by r.first limit ?',
  )
  const end = database.prepare(`select value from log_meta where key = 'next'`)
  const anyFence = database.prepare('select 1 from fence_identifiers limit 1')
  const fences = new Map<number, Database.Statement>()
  return {
    logId,
    read(position, max) {
      const found: Positioned[] = []
      for (const row of rows.iterate(position, Math.max(1, max)) as Iterable<{
        first: number
        count: number
        sealed: Buffer
        wrapped: Buffer
      }>) {
        const records = JSON.parse(unseal(keys.unwrap(row.wrapped), row.sealed).toString('utf8')) as LogRecord[]
        records.forEach((record, index) => {
          if (row.first + index >= position && found.length < max) found.push({ position: row.first + index, record })
        })
        if (found.length >= max) break
      }
      return found
    },
    end: () => Number((end.get() as { value: string } | undefined)?.value ?? 1),
    fencesFor(identifiers) {
      // Fences live for moments; mostly there is none at all.
      if (identifiers.length === 0 || !anyFence.get()) return []
      const ids = new Map<string, readonly string[]>()
      for (let offset = 0; offset < identifiers.length; offset += 500) {
        const part = identifiers.slice(offset, offset + 500)
        let statement = fences.get(part.length)
        if (!statement) {
          statement = database.prepare(
            `select f.id, f.purposes from fence_identifiers i join fences f on f.id = i.fence where i.hmac in (${part.map(() => '?').join(',')})`,
          )
          fences.set(part.length, statement)
        }
        for (const { id, purposes } of statement.all(...part) as { id: string; purposes: string }[])
          ids.set(id, JSON.parse(purposes) as string[])
      }
      return [...ids].map(([id, purposes]) => ({ id, purposes }))
    },
    close: () => database.close(),
  }
}
