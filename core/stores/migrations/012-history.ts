/**
 * What a replay needs besides the events: when each was taken, and the inputs that are no events. Rows from before this
 * step have no `taken`; a replay puts them where they were received and lets their timers run out on time.
 */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function historyInputs(db: Kysely<Tables>): Promise<void> {
  await sql.raw('alter table history add column taken text').execute(db)
  await sql.raw('alter table history add column taken_at bigint').execute(db)
  await sql
    .raw(
      'create table history_inputs (id text primary key, node_id text not null, person_seq bigint not null, kind text not null, at bigint not null, body text not null)',
    )
    .execute(db)
  await sql.raw('create index history_inputs_node on history_inputs (node_id)').execute(db)
  await sql.raw('create index history_inputs_at on history_inputs (at)').execute(db)
}
