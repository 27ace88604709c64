/** Schema changes, in order, never edited once released. The same statements run on both databases. */
import { type Kysely, sql } from 'kysely'
import { ledgerTables } from './migrations/002-ledger.ts'
import { consentTables } from './migrations/003-consent.ts'
import { requestsTables } from './migrations/004-requests.ts'
import { recordsTables } from './migrations/005-records.ts'
import { identityTables } from './migrations/006-identity.ts'
import { rolloutTables } from './migrations/007-rollouts.ts'
import { audiencesTables } from './migrations/008-audiences.ts'
import { planTables } from './migrations/009-plans.ts'
import { secretTables } from './migrations/010-secrets.ts'
import { offerTables } from './migrations/011-offers.ts'
import { historyInputs } from './migrations/012-history.ts'
import { requestMarks } from './migrations/014-request-marks.ts'
import { pollTables } from './migrations/015-polls.ts'
import { definitionTables } from './migrations/016-definitions.ts'
import { listTables } from './migrations/017-lists.ts'
import { offerIndex } from './migrations/018-offer-index.ts'
import { packedExplanations } from './migrations/019-packed-explanations.ts'
import type { Tables } from './tables.ts'

export type Dialect = 'sqlite' | 'postgres'

type Step = (db: Kysely<Tables>, dialect: Dialect) => Promise<void>

/** `name type, …` with the words both databases understand; BYTES is blob or bytea. */
async function table(
  db: Kysely<Tables>,
  dialect: Dialect,
  name: string,
  columns: string,
  withoutRowid = false,
): Promise<void> {
  const types = columns.replaceAll('BYTES', dialect === 'sqlite' ? 'blob' : 'bytea')
  await sql
    .raw(`create table ${name} (${types})${withoutRowid && dialect === 'sqlite' ? ' without rowid' : ''}`)
    .execute(db)
}

const initial: Step = async (db, dialect) => {
  const create = (name: string, columns: string, withoutRowid = false) =>
    table(db, dialect, name, columns, withoutRowid)
  const index = (name: string, on: string) => sql.raw(`create index ${name} on ${on}`).execute(db)

  await create('positions', 'partition integer primary key, log_id text not null, position bigint not null')
  await create(
    'nodes',
    'id text primary key, person_id text not null, subject text not null, device integer not null, data_key BYTES not null, proof_key BYTES not null, founded_at bigint not null',
    true,
  )
  await index('nodes_person', 'nodes (person_id)')
  await create(
    'identifiers',
    'hmac BYTES primary key, type text not null, node_id text not null, sealed BYTES, first_seen_at bigint not null',
    true,
  )
  await index('identifiers_node', 'identifiers (node_id)')
  await create(
    'edges',
    'node_a text not null, node_b text not null, event_id text not null, source_id text not null, at bigint not null, refused text, primary key (node_a, node_b)',
  )
  await index('edges_b', 'edges (node_b)')
  await create(
    'merge_log',
    'id text primary key, from_person text not null, into_person text not null, event_id text not null, reason text not null, at bigint not null',
  )
  await index('merge_log_into', 'merge_log (into_person)')
  await create(
    'persons',
    'id text primary key, seq bigint not null, profile text not null, merged_into text, updated_at bigint not null',
  )
  await create('node_traits', 'node_id text primary key, sealed BYTES not null, updated_at bigint not null')

  await create(
    'consent_status',
    'node_id text not null, purpose text not null, status text not null, body text not null, updated_at bigint not null, primary key (node_id, purpose)',
  )
  await create(
    'ledger_pending',
    'id text primary key, node_id text not null, subject text not null, purpose text not null, at bigint not null, public text not null, sealed BYTES not null',
  )
  await index('ledger_pending_node', 'ledger_pending (node_id)')

  await create(
    'history',
    'id text primary key, node_id text not null, person_seq bigint not null, type text not null, name text not null, occurred_at bigint not null, received_at bigint not null, source_id text not null, connector text not null, purposes text not null, amounts text not null, sealed BYTES not null',
  )
  await index('history_node', 'history (node_id, occurred_at)')
  await create(
    'facts',
    'key BYTES primary key, kind text not null, node_id text not null, connector text not null, event_id text not null, amounts text not null, purposes text not null, at bigint not null',
  )
  await index('facts_node', 'facts (node_id)')
  await create('echoes', 'hash BYTES primary key, delivery_id text not null, expires_at bigint not null')

  await create(
    'held',
    'id text primary key, key_id text not null, sealed BYTES not null, received_at bigint not null, expires_at bigint not null',
  )
  await index('held_expiry', 'held (expires_at)')
  await create('held_identifiers', 'hmac BYTES not null, held_id text not null, primary key (hmac, held_id)')
  await index('held_identifiers_held', 'held_identifiers (held_id)')
  await create(
    'quarantine',
    'id text primary key, source_id text not null, connector text not null, code text not null, path text not null, message text not null, key_id text not null, sealed BYTES not null, status text not null, fences text not null, received_at bigint not null, expires_at bigint not null',
  )
  await index('quarantine_status', 'quarantine (status, id)')
  await create('seal_keys', 'id text primary key, wrapped BYTES not null, expires_at bigint not null')

  await create('wakeups', 'person_id text primary key, due_at bigint not null')
  await index('wakeups_due', 'wakeups (due_at)')
  await create(
    'rule_versions',
    'rule text not null, version integer not null, hash text not null, body text not null, loaded_at bigint not null, primary key (rule, version)',
  )

  await create(
    'deliveries',
    'id text primary key, destination text not null, action text not null, kind text not null, person_id text not null, node_id text not null, purpose text not null, channel text, rule text, rule_version integer, arm text not null, event_id text not null, ord bigint not null, status text not null, reason text, entry_id text, due_at bigint not null, expires_at bigint, attempt integer not null, lease text, leased_until bigint, input BYTES, payload BYTES, answer text, created_at bigint not null, since bigint, settled_at bigint',
  )
  await sql.raw('create index deliveries_open on deliveries (destination, due_at) where settled_at is null').execute(db)
  await sql
    .raw('create index deliveries_lane on deliveries (person_id, destination, kind, ord) where settled_at is null')
    .execute(db)
  await index('deliveries_person', 'deliveries (person_id, created_at)')
  await index('deliveries_event', 'deliveries (event_id)')
  await create(
    'attempts',
    'delivery_id text not null, n integer not null, at bigint not null, outcome text not null, reason text not null, primary key (delivery_id, n)',
  )
  await create(
    'quotas',
    'key text not null, window_start bigint not null, used bigint not null, primary key (key, window_start)',
  )

  await create(
    'explanations',
    'id text primary key, person_id text not null, rule text not null, version integer not null, event_id text not null, at bigint not null, result text not null, body text not null',
  )
  await index('explanations_person', 'explanations (person_id, at)')
  await index('explanations_event', 'explanations (event_id)')
  await create(
    'explanations_latest',
    'person_id text not null, rule text not null, at bigint not null, result text not null, body text not null, primary key (person_id, rule)',
  )
  await create(
    'caps',
    'key text not null, person_id text not null, at bigint not null, delivery_id text not null, primary key (key, delivery_id)',
  )
  await index('caps_person', 'caps (person_id)')
  await index('caps_delivery', 'caps (delivery_id)')

  await create(
    'rollups',
    'minute bigint not null, origin text not null, code text not null, count bigint not null, primary key (minute, origin, code)',
  )

  await create(
    'users',
    'id text primary key, email text not null unique, name text not null, role text not null, password_hash text not null, created_at bigint not null, disabled_at bigint',
  )
  await create(
    'sessions',
    'hash BYTES primary key, user_id text not null, csrf text not null, created_at bigint not null, expires_at bigint not null',
  )
  await create(
    'api_tokens',
    'id text primary key, hash BYTES not null unique, name text not null, role text not null, created_by text not null, created_at bigint not null, expires_at bigint, last_used_at bigint',
  )
  await create('invitations', 'hash BYTES primary key, role text not null, expires_at bigint not null, used_at bigint')
  await create(
    'access_log',
    'id text primary key, at bigint not null, actor text not null, act text not null, target text not null',
  )
}

const steps: readonly { readonly id: string; readonly run: Step }[] = [
  { id: '001-initial', run: initial },
  { id: '002-ledger', run: ledgerTables },
  { id: '003-consent', run: consentTables },
  { id: '004-requests', run: requestsTables },
  { id: '005-records', run: recordsTables },
  { id: '006-identity', run: identityTables },
  { id: '007-rollouts', run: rolloutTables },
  { id: '008-audiences', run: audiencesTables },
  { id: '009-plans', run: planTables },
  { id: '010-secrets', run: secretTables },
  { id: '011-offers', run: offerTables },
  { id: '012-history', run: historyInputs },
  { id: '014-request-marks', run: requestMarks },
  { id: '015-polls', run: pollTables },
  { id: '016-definitions', run: definitionTables },
  { id: '017-lists', run: listTables },
  { id: '018-offer-index', run: offerIndex },
  { id: '019-packed-explanations', run: packedExplanations },
]

/** Brings the schema up to date; safe to call at every start. */
export async function migrateState(db: Kysely<Tables>, dialect: Dialect): Promise<void> {
  await sql.raw('create table if not exists meta (key text primary key, value text not null)').execute(db)
  for (const step of steps) {
    await db.transaction().execute(async (trx) => {
      if (dialect === 'postgres') await sql`select pg_advisory_xact_lock(7300411)`.execute(trx)
      const done = await trx
        .selectFrom('meta')
        .select('value')
        .where('key', '=', `migration:${step.id}`)
        .executeTakeFirst()
      if (done) return
      await step.run(trx, dialect)
      await trx
        .insertInto('meta')
        .values({ key: `migration:${step.id}`, value: new Date().toISOString() })
        .execute()
    })
  }
}
