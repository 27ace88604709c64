/** 014-request-marks: what requests of different people have in common, as HMACs. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function requestMarks(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const bytes = dialect === 'sqlite' ? 'blob' : 'bytea'
  await sql
    .raw(
      `create table request_marks (request_id text not null, kind text not null, hmac ${bytes} not null, person ${bytes} not null, primary key (request_id, kind))`,
    )
    .execute(db)
  await sql.raw('create index request_marks_alike on request_marks (kind, hmac)').execute(db)
}
