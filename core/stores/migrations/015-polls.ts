/** 015-polls: how far each polled source came. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export interface PollTables {
  /** One row per source. `token` and `leased_until`: who is asking now. `cursor` is JSON without personal data. */
  polls: {
    source_id: string
    cursor: string | null
    token: string | null
    leased_until: number
    next_at: number
    /** Newest run that came to its end. */
    ran_at: number | null
    recorded: number
    quarantined: number
    /** Code of the newest failure; null after a run without one. */
    error: string | null
    error_at: number | null
    failures: number
  }
}

export async function pollTables(db: Kysely<Tables>): Promise<void> {
  await sql
    .raw(
      'create table polls (source_id text primary key, cursor text, token text, leased_until bigint not null, next_at bigint not null, ran_at bigint, recorded bigint not null, quarantined bigint not null, error text, error_at bigint, failures integer not null)',
    )
    .execute(db)
}
