/** 002-ledger: the numbered entries and their tree, checkpoints, keys, anchors, and which delivery is in which root. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function ledgerTables(db: Kysely<Tables>, dialect: 'sqlite' | 'postgres'): Promise<void> {
  const sqlite = dialect === 'sqlite'
  const create = (name: string, columns: string, clustered = false) =>
    sql
      .raw(
        `create table ${name} (${columns
          .replaceAll('BYTES', sqlite ? 'blob' : 'bytea')
          // On SQLite only this spelling makes the number the place of the row.
          .replaceAll('SEQ', sqlite ? 'integer' : 'bigint')})${clustered && sqlite ? ' without rowid' : ''}`,
      )
      .execute(db)
  const index = (name: string, on: string) => sql.raw(`create index ${name} on ${on}`).execute(db)

  await create(
    'ledger_head',
    'id integer primary key, origin text not null, size bigint not null, logged_at bigint not null, state_at bigint not null, state_size bigint not null',
  )
  await create(
    'ledger_entries',
    'seq SEQ primary key, id text not null unique, node_id text not null, subject text not null, subject_seq bigint not null, purpose text not null, type text not null, at bigint not null, bytes text not null',
  )
  await index('ledger_entries_subject', 'ledger_entries (subject, seq)')
  await index('ledger_entries_type', 'ledger_entries (type, seq)')
  await create('ledger_payloads', 'id text primary key, node_id text not null, sealed BYTES not null', true)
  await create(
    'ledger_tiles',
    'level integer not null, tile bigint not null, hashes BYTES not null, primary key (level, tile)',
  )
  await create(
    'ledger_subjects',
    'subject text primary key, bucket integer not null, subject_seq bigint not null, last_seq bigint not null, last_leaf BYTES not null, state text not null',
    true,
  )
  await index('ledger_subjects_bucket', 'ledger_subjects (bucket)')
  await create('ledger_state', 'bucket integer primary key, root BYTES not null')
  await create(
    'ledger_checkpoints',
    'size SEQ primary key, root BYTES not null, at bigint not null, note text not null, key_id text not null',
  )
  await create(
    'ledger_anchors',
    'size bigint not null, kind text not null, at bigint not null, ref text not null, primary key (size, kind)',
  )
  await create(
    'ledger_keys',
    'id text primary key, public BYTES not null, wrapped BYTES not null, created_at bigint not null, retired_at bigint',
  )
  await create(
    'ledger_deliveries',
    'entry_id text not null, n integer not null, delivery_id text not null, leaf BYTES not null, ended_by text, primary key (entry_id, n)',
    true,
  )
  await index('ledger_deliveries_delivery', 'ledger_deliveries (delivery_id)')
  await create(
    'ledger_shredded',
    'key_id text primary key, node_id text not null, entry_id text not null, at bigint not null',
  )
  await index('ledger_shredded_node', 'ledger_shredded (node_id)')
  await sql.raw('alter table deliveries add column rooted text').execute(db)
  await sql
    .raw('create index deliveries_unrooted on deliveries (settled_at) where settled_at is not null and rooted is null')
    .execute(db)
}
