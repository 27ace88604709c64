/**
 * deduplicate: once, here, in the state transaction. (source, messageId) as 16 bytes in day tables;
 * beside it eight bytes of the raw event's hash, since the same id with another body is no duplicate.
 */
import { sql } from 'kysely'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { Positioned } from '../log/event-log.ts'
import type { Dialect } from '../stores/migrations.ts'
import { chunks, type Db, runIn, type StateStore } from '../stores/open.ts'
import type { Batch } from './batch.ts'

/** 72 h: today's table and the three before it. */
const DAYS_KEPT = 3
const DAY_MS = 86_400_000

export const dayOf = (at: number): number => Math.floor(at / DAY_MS)
export const dedupeTable = (day: number): string => `dedupe_d${day}`

export async function ensureDedupeTable(db: Db, dialect: Dialect, day: number): Promise<void> {
  const bytes = dialect === 'sqlite' ? 'blob' : 'bytea'
  await sql
    .raw(
      `create table if not exists ${dedupeTable(day)} (hash ${bytes} primary key, body ${bytes} not null, event_id text not null, code text not null)${dialect === 'sqlite' ? ' without rowid' : ''}`,
    )
    .execute(db)
}

/** Day tables that exist, newest first. */
export async function dedupeTables(state: Pick<StateStore, 'db' | 'dialect'>): Promise<number[]> {
  const names =
    state.dialect === 'sqlite'
      ? await sql<{
          name: string
        }>`select name from sqlite_master where type = 'table' and name like 'dedupe\\_d%' escape '\\'`.execute(
          state.db,
        )
      : await sql<{
          name: string
        }>`select tablename as name from pg_tables where schemaname = current_schema() and tablename like 'dedupe\\_d%'`.execute(
          state.db,
        )
  return names.rows.map(({ name }) => Number(name.slice('dedupe_d'.length))).sort((a, b) => b - a)
}

/** Drops the tables whose window has passed. */
export async function dropOldDedupeTables(state: StateStore, now: number): Promise<void> {
  for (const day of await dedupeTables(state))
    if (day < dayOf(now) - DAYS_KEPT) await sql.raw(`drop table ${dedupeTable(day)}`).execute(state.db)
}

export interface Fresh {
  readonly input: Positioned & { readonly record: Extract<Positioned['record'], { kind: 'event' }> }
  readonly hash: Buffer
}

export interface Deduplicated {
  readonly fresh: Fresh[]
  readonly exits: { readonly input: Fresh['input']; readonly code: ExitCode }[]
}

/** Splits a batch's events into first receptions, duplicates, reused ids and echoes. */
export async function deduplicate(
  inputs: readonly Fresh['input'][],
  batch: Batch,
  state: StateStore,
): Promise<Deduplicated> {
  const hashes = inputs.map(({ record }) =>
    record.quarantineId === undefined
      ? batch.keys.message(record.event.source.id, record.event.messageId)
      : batch.keys.message('quarantine', record.quarantineId),
  )
  const seen = await loadSeen(hashes, batch.now, state)
  const echoes = await loadEchoes(inputs, batch, state)
  const fresh: Fresh[] = []
  const exits: Deduplicated['exits'] = []
  inputs.forEach((input, index) => {
    const hash = hashes[index]!
    const key = hash.toString('hex')
    const body = Buffer.from(input.record.event.source.payloadHash.slice(0, 16), 'hex')
    const known = seen.get(key)
    if (known)
      exits.push({
        input,
        code: known.equals(body) || input.record.quarantineId !== undefined ? 'DUPLICATE' : 'ID_REUSED',
      })
    else {
      seen.set(key, body)
      if (echoes.has(input.position)) {
        batch.rows.dedupe.push({ day: dayOf(batch.now), row: [hash, body, input.record.event.id, 'ECHO'] })
        exits.push({ input, code: 'ECHO' })
      } else fresh.push({ input, hash })
    }
  })
  return { fresh, exits }
}

/** Remembers the exit an event took, for `anuente explain <messageId>`. */
export function remember({ input, hash }: Fresh, code: ExitCode, batch: Batch): void {
  batch.rows.dedupe.push({
    day: dayOf(batch.now),
    row: [hash, Buffer.from(input.record.event.source.payloadHash.slice(0, 16), 'hex'), input.record.event.id, code],
  })
}

/** An answer came for an event that was held: what became of it in the end. */
export function rememberReleased(event: CanonicalEvent, code: ExitCode, batch: Batch): void {
  batch.rows.recoded.push([batch.keys.message(event.source.id, event.messageId), code])
}

/** The table of the day it came in is one of those that stand; a re-driven event is known by another id and left out. */
export async function recode(rows: readonly (readonly [Buffer, string])[], db: Db, dialect: Dialect): Promise<void> {
  if (rows.length === 0) return
  const days = await dedupeTables({ db, dialect })
  for (const [hash, code] of rows)
    for (const day of days)
      await sql`update ${sql.table(dedupeTable(day))} set code = ${code} where hash = ${hash} and code = 'HELD'`.execute(
        db,
      )
}

async function loadSeen(hashes: readonly Buffer[], now: number, state: StateStore): Promise<Map<string, Buffer>> {
  const seen = new Map<string, Buffer>()
  const oldest = dayOf(now) - DAYS_KEPT
  const days = (await dedupeTables(state)).filter((day) => day >= oldest)
  for (const day of days)
    for (const row of await runIn<{ hash: Uint8Array; body: Uint8Array }>(
      state.db,
      state.dialect,
      `select hash, body from ${dedupeTable(day)} where hash in ({list})`,
      hashes,
    ))
      seen.set(Buffer.from(row.hash).toString('hex'), Buffer.from(row.body))
  return seen
}

/** Positions of events that the hub itself caused: by the delivery id they carry, or by what the write looked like. */
async function loadEchoes(inputs: readonly Fresh['input'][], batch: Batch, state: StateStore): Promise<Set<number>> {
  const byDelivery = inputs.filter(({ record }) => record.event.deliveryId !== undefined)
  const byLook = inputs.filter(({ record }) => record.echo !== undefined)
  const found = new Set<number>()
  for (const part of chunks(byDelivery)) {
    const rows = await state.db
      .selectFrom('deliveries')
      .select('id')
      .where(
        'id',
        'in',
        part.map(({ record }) => record.event.deliveryId!),
      )
      .execute()
    const ids = new Set(rows.map(({ id }) => id))
    for (const { position, record } of part) if (ids.has(record.event.deliveryId!)) found.add(position)
  }
  for (const part of chunks(byLook)) {
    const hashes = new Map(part.map(({ position, record }) => [position, batch.keys.echo(record.echo!)]))
    const rows = await state.db
      .selectFrom('echoes')
      .select('hash')
      .where('hash', 'in', [...hashes.values()])
      .where('expires_at', '>', batch.now)
      .execute()
    const known = new Set(rows.map(({ hash }) => Buffer.from(hash).toString('hex')))
    for (const [position, hash] of hashes) if (known.has(hash.toString('hex'))) found.add(position)
  }
  return found
}
