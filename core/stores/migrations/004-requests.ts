/** 004-requests: requests of data subjects with their recipients, files and log; suppressions; codes and sessions of the portal. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function requestsTables(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const create = (name: string, columns: string) =>
    sql
      .raw(`create table ${name} (${columns.replaceAll('BYTES', dialect === 'sqlite' ? 'blob' : 'bytea')})`)
      .execute(db)
  const index = (name: string, on: string) => sql.raw(`create index ${name} on ${on}`).execute(db)

  await create(
    'requests',
    'id text primary key, kind text not null, right_id text, state text not null, channel text not null, language text not null, received_at bigint not null, entered_at bigint not null, entered_by text not null, due_at bigint, assurance text not null, person_id text, subject text, scope text not null, pauses text not null, done text not null, plan text, ground text, outcome text, closed_at bigint, duplicate_of text, reference text, data_key BYTES not null, sealed BYTES not null',
  )
  await index('requests_state', 'requests (state, received_at)')
  await index('requests_person', 'requests (person_id)')
  await sql
    .raw('create unique index requests_reference on requests (channel, reference) where reference is not null')
    .execute(db)
  await create('request_identifiers', 'hmac BYTES not null, request_id text not null, primary key (hmac, request_id)')
  await index('request_identifiers_request', 'request_identifiers (request_id)')
  await create(
    'request_log',
    'id text primary key, request_id text not null, at bigint not null, actor text not null, what text not null, from_state text, to_state text, detail text',
  )
  await index('request_log_request', 'request_log (request_id)')
  await create(
    'request_recipients',
    'request_id text not null, recipient text not null, operation text not null, kind text not null, status text not null, attempts integer not null, next_at bigint, answer text, instructions text, first_at bigint, last_at bigint, done_at bigint, done_by text, evidence text, primary key (request_id, recipient, operation)',
  )
  await sql
    .raw("create index request_recipients_due on request_recipients (next_at) where status in ('pending', 'retry')")
    .execute(db)
  await create(
    'request_files',
    'id text primary key, request_id text not null, name text not null, media_type text not null, bytes bigint not null, sha256 text not null, sealed BYTES not null, at bigint not null',
  )
  await index('request_files_request', 'request_files (request_id)')
  await create(
    'suppressions',
    'hmac BYTES primary key, request_id text not null, at bigint not null, lifted_at bigint, lifted_by text',
  )
  await create(
    'portal_codes',
    'id text primary key, hash BYTES not null, data_key BYTES not null, sealed BYTES not null, tries integer not null, expires_at bigint not null',
  )
  await create(
    'portal_sessions',
    'hash BYTES primary key, csrf text not null, data_key BYTES not null, sealed BYTES not null, expires_at bigint not null',
  )
}
