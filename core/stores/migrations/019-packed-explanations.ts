/**
 * 019-packed-explanations: one row for what all rules decided on one event of one person, instead of a row with all its
 * words for each rule. What was stored before stays as it was, one decision per row.
 */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export interface ExplanationTables {
  explanations: {
    /** ULID; of rows of before 128 bits in hex. */
    id: string
    person_id: string
    event_id: string
    at: number
    /** JSON: a list of `PackedDecision`, or of whole explanations in rows of before. See core/decision/packed.ts. */
    body: string
  }
  /** For a fired trigger that did not match: the newest per person and rule. */
  explanations_latest: {
    person_id: string
    rule: string
    event_id: string
    at: number
    /** JSON: one `PackedDecision`, or a whole explanation in rows of before. */
    body: string
  }
}

export async function packedExplanations(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  // Rows are found by their key alone: a table beside its index would be written twice.
  const clustered = dialect === 'sqlite' ? ' without rowid' : ''
  const eventOf = dialect === 'sqlite' ? "json_extract(body, '$.eventId')" : "body::json ->> 'eventId'"
  await run('alter table explanations rename to explanations_before')
  await run('alter table explanations_latest rename to explanations_latest_before')
  for (const name of ['person', 'event', 'at']) await run(`drop index explanations_${name}`)
  await run(
    `create table explanations (id text not null, person_id text not null, event_id text not null, at bigint not null, body text not null, constraint explanations_key primary key (id))${clustered}`,
  )
  await run(
    `create table explanations_latest (person_id text not null, rule text not null, event_id text not null, at bigint not null, body text not null, constraint explanations_latest_key primary key (person_id, rule))${clustered}`,
  )
  await run(
    "insert into explanations select id, person_id, event_id, at, '[' || body || ']' from explanations_before order by id",
  )
  await run(
    `insert into explanations_latest select person_id, rule, coalesce(${eventOf}, ''), at, body from explanations_latest_before order by person_id, rule`,
  )
  await run('drop table explanations_before')
  await run('drop table explanations_latest_before')
  await run('create index explanations_person on explanations (person_id, at)')
  await run('create index explanations_event on explanations (event_id)')
  await run('create index explanations_at on explanations (at)')
}
