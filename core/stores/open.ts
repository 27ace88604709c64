/** Opens the state store on SQLite (default) or PostgreSQL. The only place that knows which it is. */
import Database from 'better-sqlite3'
import { CompiledQuery, Kysely, PostgresDialect, SqliteDialect, sql, type Transaction } from 'kysely'
import { LRUCache } from 'lru-cache'
import pg from 'pg'
import { type Dialect, migrateState } from './migrations.ts'
import type { Tables } from './tables.ts'
import { type WriteTurn, writeTurn } from './turn.ts'

export type Db = Kysely<Tables> | Transaction<Tables>

export interface StateStore {
  readonly db: Kysely<Tables>
  readonly dialect: Dialect
  /** One write transaction. On SQLite it takes the write lock at once, so that it never deadlocks halfway. */
  transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>
  /** Truncates the write-ahead file, so that what was deleted is gone from disk. A no-op on PostgreSQL. */
  checkpoint(): void
  close(): Promise<void>
}

export interface StateLocation {
  /** Path of the SQLite file; used when `postgres` is absent. */
  readonly file: string
  readonly postgres?: string | undefined
}

/**
 * @param options.turn shared by the connections of one process that write; on SQLite only.
 * @throws when the file cannot be opened or the server not reached.
 */
export async function openState(
  location: StateLocation,
  options: { migrate?: boolean; turn?: WriteTurn } = {},
): Promise<StateStore> {
  const store = location.postgres ? openPostgres(location.postgres) : openSqlite(location.file, options.turn)
  if (options.migrate !== false) await migrateState(store.db, store.dialect)
  return store
}

function openSqlite(file: string, turn: WriteTurn = writeTurn()): StateStore {
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('busy_timeout = 15000')
  // Deleted content is overwritten: destroyed keys must not linger in free pages.
  database.pragma('secure_delete = ON')
  database.pragma('cache_size = -65536')
  // Random pages are written back once per 64 MB of changes instead of once per 16.
  database.pragma('wal_autocheckpoint = 16000')
  // Kysely prepares anew at every call; the same few statements come thousands of times a second.
  const prepared = new LRUCache<string, Database.Statement>({ max: 500 })
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({
      database: {
        close: () => database.close(),
        prepare: (text: string) => {
          let statement = prepared.get(text)
          if (!statement) {
            statement = database.prepare(text)
            prepared.set(text, statement)
          }
          return statement as never
        },
      },
    }),
  })
  return {
    db,
    dialect: 'sqlite',
    async transaction(work) {
      await turn.take()
      try {
        return await db.connection().execute(async (connection) => {
          await connection.executeQuery(CompiledQuery.raw('begin immediate'))
          try {
            const result = await work(connection as Transaction<Tables>)
            await connection.executeQuery(CompiledQuery.raw('commit'))
            return result
          } catch (error) {
            if (database.inTransaction) await connection.executeQuery(CompiledQuery.raw('rollback'))
            throw error
          }
        })
      } finally {
        turn.pass()
      }
    },
    checkpoint: () => {
      database.pragma('wal_checkpoint(TRUNCATE)')
    },
    close: () => db.destroy(),
  }
}

function openPostgres(url: string): StateStore {
  // bigint columns hold times and counts, all below 2^53.
  const types = {
    getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
      oid === 20 ? Number : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
  }
  const pool = new pg.Pool({ connectionString: url, max: 8, types })
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    dialect: 'postgres',
    transaction: (work) => db.transaction().execute(work),
    checkpoint: () => {},
    close: () => db.destroy(),
  }
}

/**
 * Many rows in few statements, without building a query tree per row. Chunks are of fixed sizes so
 * that the prepared statements are found again.
 * @param onConflict e.g. `on conflict (id) do nothing`.
 */
export async function insertMany<T extends keyof Tables & string>(
  db: Db,
  dialect: Dialect,
  table: T | (string & {}),
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  onConflict = '',
): Promise<void> {
  let offset = 0
  while (offset < rows.length) {
    const size = chunkSize(rows.length - offset)
    const parameters: unknown[] = []
    for (let index = 0; index < size; index++) parameters.push(...rows[offset + index]!)
    await db.executeQuery(CompiledQuery.raw(insertText(table, columns, size, dialect, onConflict), parameters))
    offset += size
  }
}

const texts = new Map<string, string>()
function insertText(
  table: string,
  columns: readonly string[],
  size: number,
  dialect: Dialect,
  onConflict: string,
): string {
  const key = `${dialect}|${table}|${columns.join()}|${size}|${onConflict}`
  let text = texts.get(key)
  if (!text) {
    let n = 0
    const row = () => `(${columns.map(() => (dialect === 'postgres' ? `$${++n}` : '?')).join(',')})`
    text = `insert into ${table} (${columns.map((column) => `"${column}"`).join(',')}) values ${Array.from({ length: size }, row).join(',')} ${onConflict}`
    texts.set(key, text)
  }
  return text
}

/** Types of the columns that `withRows` hands to a statement, in the words of both databases. */
export type ColumnType = 'text' | 'bigint' | 'bytes'

/**
 * One statement over many rows of values, where an update differs from row to row.
 * @param statement SQL around the rows: they have the columns column1, column2 … of these types.
 * @returns what the statement returns, over all rows.
 */
export async function withRows<R>(
  db: Db,
  dialect: Dialect,
  types: readonly ColumnType[],
  rows: readonly (readonly unknown[])[],
  statement: (rows: string) => string,
): Promise<R[]> {
  const found: R[] = []
  let offset = 0
  while (offset < rows.length) {
    const size = chunkSize(rows.length - offset)
    const parameters: unknown[] = []
    for (let index = 0; index < size; index++) parameters.push(...rows[offset + index]!)
    const result = await db.executeQuery<R>(CompiledQuery.raw(statement(rowsText(types, size, dialect)), parameters))
    found.push(...result.rows)
    offset += size
  }
  return found
}

function rowsText(types: readonly ColumnType[], size: number, dialect: Dialect): string {
  const key = `${dialect}|${types.join()}|${size}`
  let text = texts.get(key)
  if (!text) {
    let n = 0
    const place = (type: ColumnType, first: boolean) =>
      dialect === 'sqlite' ? '?' : `$${++n}${first ? `::${type === 'bytes' ? 'bytea' : type}` : ''}`
    const row = (_: unknown, index: number) => `(${types.map((type) => place(type, index === 0)).join(',')})`
    text = `(values ${Array.from({ length: size }, row).join(',')})`
    texts.set(key, text)
  }
  return text
}

/** Of few sizes, so that the prepared statements are found again. */
const chunkSize = (left: number) => (left >= 64 ? 64 : left >= 8 ? 8 : 1)

/**
 * One statement for many values, without building a query tree each time: for what runs in every round.
 * @param statement SQL with `?` for each other parameter and `{list}` where the values stand, as in `id in ({list})`.
 * @param before parameters before the list; `after`, those behind it.
 * @returns what the statement returns, over all values.
 */
export async function runIn<R>(
  db: Db,
  dialect: Dialect,
  statement: string,
  values: readonly unknown[],
  before: readonly unknown[] = [],
  after: readonly unknown[] = [],
): Promise<R[]> {
  let found: R[] | undefined
  for (let offset = 0; offset < values.length; offset += 512) {
    const part = offset === 0 && values.length <= 512 ? values : values.slice(offset, offset + 512)
    const size = LIST_SIZES.find((most) => part.length <= most)!
    const parameters = [...before, ...part]
    // The list is filled up with its last value, which changes nothing and finds the statement again.
    for (let index = part.length; index < size; index++) parameters.push(part.at(-1))
    parameters.push(...after)
    const { rows } = await db.executeQuery<R>(CompiledQuery.raw(listText(statement, size, dialect), parameters))
    if (found) found.push(...rows)
    else found = rows
  }
  return found ?? []
}

const LIST_SIZES = [1, 8, 64, 512]

function listText(statement: string, size: number, dialect: Dialect): string {
  const key = `${dialect}|${size}|${statement}`
  let text = texts.get(key)
  if (text === undefined) {
    text = statement.replace('{list}', Array.from({ length: size }, () => '?').join(','))
    if (dialect === 'postgres') {
      let n = 0
      text = text.replaceAll('?', () => `$${++n}`)
    }
    texts.set(key, text)
  }
  return text
}

/** As `runIn`, for a statement without a list. */
export async function run<R>(
  db: Db,
  dialect: Dialect,
  statement: string,
  parameters: readonly unknown[] = [],
): Promise<R[]> {
  return (await db.executeQuery<R>(CompiledQuery.raw(listText(statement, 1, dialect), [...parameters]))).rows
}

/** Splits a list for `in (…)`, below the parameter limits of both databases. */
export function* chunks<T>(values: readonly T[], size = 500): Generator<T[]> {
  for (let offset = 0; offset < values.length; offset += size) yield values.slice(offset, offset + size)
}

export { sql }
