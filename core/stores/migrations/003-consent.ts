/** 003-consent: published notices, roles of destinations, withdrawals on their way to the tools, what unknown consent costs. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function consentTables(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const create = (name: string, columns: string) =>
    sql
      .raw(`create table ${name} (${columns.replaceAll('BYTES', dialect === 'sqlite' ? 'blob' : 'bytea')})`)
      .execute(db)

  await create(
    'notices',
    'id text not null, version integer not null, since text not null, language text not null, hash text not null, text_sha256 text not null, text text not null, purposes text, material text not null, published_at bigint not null, entry_id text not null, primary key (id, version)',
  )
  await create(
    'destination_roles',
    'destination text primary key, role text not null, reason text, changed_at bigint not null, entry_id text',
  )
  await create(
    'withdrawals',
    'id text primary key, node_id text not null, purpose text not null, at bigint not null, origin_kind text not null, origin_ref text not null, passed_on_at bigint',
  )
  await sql.raw('create index withdrawals_open on withdrawals (id) where passed_on_at is null').execute(db)
  await sql.raw('create index withdrawals_node on withdrawals (node_id)').execute(db)
  await sql.raw('create index withdrawals_at on withdrawals (at)').execute(db)
  await create(
    'propagations',
    'withdrawal_id text not null, destination text not null, how text not null, delivery_id text, asked_at bigint not null, confirmed_at bigint, primary key (withdrawal_id, destination)',
  )
  await sql.raw('create index propagations_delivery on propagations (delivery_id)').execute(db)
  await create(
    'consent_gaps',
    'source_id text not null, reason text not null, purpose text not null, day bigint not null, events bigint not null, people BYTES not null, sample text, primary key (source_id, reason, purpose, day)',
  )
}
