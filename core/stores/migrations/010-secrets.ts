/** Secrets of settings, sealed, and the accounts at vendors that were connected by OAuth. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function secretTables(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const create = (name: string, columns: string) =>
    sql
      .raw(`create table ${name} (${columns.replaceAll('BYTES', dialect === 'sqlite' ? 'blob' : 'bytea')})`)
      .execute(db)
  await create('secret_keys', 'id text primary key, wrapped BYTES not null, created_at bigint not null')
  await create(
    'secrets',
    'name text primary key, key_id text not null, sealed BYTES not null, hint text, set_by text not null, set_at bigint not null',
  )
  await create(
    'oauth_connections',
    'destination text primary key, client text not null, state text not null, version bigint not null, key_id text not null, sealed BYTES not null, expires_at bigint, refresh_expires_at bigint, claim text, claim_until bigint, retry_at bigint, problem text, connected_by text not null, connected_at bigint not null, refreshed_at bigint',
  )
  await create(
    'oauth_flows',
    'hash BYTES primary key, destination text not null, session text not null, key_id text not null, sealed BYTES not null, actor text not null, expires_at bigint not null',
  )
}
