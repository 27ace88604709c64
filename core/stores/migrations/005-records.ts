/** Retention plans, approvals and runs; legal holds; records of processing; incidents; the reason of every look at a person. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function recordsTables(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const create = (name: string, columns: string) =>
    sql
      .raw(`create table ${name} (${columns.replaceAll('BYTES', dialect === 'sqlite' ? 'blob' : 'bytea')})`)
      .execute(db)
  const index = (name: string, on: string) => sql.raw(`create index ${name} on ${on}`).execute(db)

  await create(
    'retention_plans',
    'hash text primary key, at bigint not null, actor text not null, body text not null, approved_by text, approved_at bigint',
  )
  await create(
    'retention_approvals',
    'policy_id text primary key, policy_hash text not null, plan_hash text not null, approved_by text not null, approved_at bigint not null, count bigint not null, unusual integer not null',
  )
  await create(
    'retention_runs',
    'id text primary key, policy_id text not null, policy_hash text not null, class text not null, action text not null, state text not null, started_at bigint not null, finished_at bigint, as_of bigint not null, due bigint not null, done bigint not null, held bigint not null, batches text not null, root text, entry_id text, remaining bigint, method text',
  )
  await index('retention_runs_policy', 'retention_runs (policy_id, started_at)')
  await create(
    'legal_holds',
    'id text primary key, kind text not null, person_id text, class text, from_at bigint, to_at bigint, ref text not null, reason text not null, set_by text not null, set_at bigint not null, released_by text, released_at bigint, release_reason text',
  )
  await index('legal_holds_person', 'legal_holds (person_id)')
  await create(
    'blocked',
    'id text primary key, class text not null, node_id text not null, body text not null, sealed BYTES not null, at bigint not null, policy_id text not null',
  )
  await index('blocked_node', 'blocked (node_id)')
  await create(
    'anonymous_counts',
    'day text not null, name text not null, source_id text not null, run_id text not null, events bigint not null, people bigint not null, primary key (day, name, source_id, run_id)',
  )
  await create('ropa_snapshots', 'at bigint primary key, hash text not null, body text not null')
  await create('policy_versions', 'hash text primary key, at bigint not null, body text not null')
  await create(
    'drift',
    'kind text not null, subject text not null, detail text not null, count bigint not null, denied integer not null, first_at bigint not null, last_at bigint not null, primary key (kind, subject)',
  )
  await create(
    'incidents',
    'id text primary key, state text not null, facts text not null, known_at bigint not null, registered_at bigint not null, registered_by text not null, authority_at bigint, subjects_at bigint, supplement_at bigint, closed_at bigint, affected bigint, kept_until bigint not null',
  )
  await create(
    'incident_log',
    'id text primary key, incident_id text not null, at bigint not null, actor text not null, what text not null',
  )
  await index('incident_log_incident', 'incident_log (incident_id)')

  await sql.raw('alter table access_log add column reason text').execute(db)
  await sql.raw('alter table access_log add column request text').execute(db)
  await index('access_log_at', 'access_log (at)')
  await index('history_occurred', 'history (occurred_at)')
  await index('explanations_at', 'explanations (at)')
  await sql.raw('create index deliveries_settled on deliveries (settled_at) where settled_at is not null').execute(db)
}
