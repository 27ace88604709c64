/**
 * What the evidence of an edge says and how often it came, whom the officer set apart, what a merge rests on, and acts
 * of the officer on identities. A withdrawal may rest on an entry that was passed on for somebody else before.
 */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function identityTables(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const run = (statement: string) => sql.raw(statement).execute(db)
  await run('alter table withdrawals add column entry_id text')
  await run('create index withdrawals_entry on withdrawals (entry_id) where entry_id is not null')
  await run("alter table edges add column strength text not null default 'together'")
  await run('alter table nodes add column apart text')
  await run('alter table merge_log add column node_a text')
  await run('alter table merge_log add column node_b text')
  await run('alter table merge_log add column before_hash text')
  await run('alter table merge_log add column undone_at bigint')
  await run('create index merge_log_from on merge_log (from_person)')
  await run(
    'create table identity_acts (id text primary key, kind text not null, person_id text not null, at bigint not null, actor text not null, reason text not null, body text not null)',
  )
  await run('create index identity_acts_person on identity_acts (person_id)')
  await run(
    `create table blocked_values (hmac ${dialect === 'sqlite' ? 'blob' : 'bytea'} primary key, type text not null, at bigint not null, actor text not null, reason text not null)`,
  )
}
