/** 009-plans: versions of tracking plans, and what was sent against them, per source, event, kind and day. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

/** Part of `Tables`. */
export interface PlanTables {
  plan_versions: { source_id: string; version: number; hash: string; body: string; loaded_at: number }
  plan_violations: {
    source_id: string
    /** Days since the epoch. */
    day: number
    event: string
    kind: string
    path: string
    expected: string
    plan_version: number
    events: number
    quarantined: number
    blocked: number
    first_at: number
    last_at: number
    /** JSON: names and types of the newest such event, without a value. */
    shape: string
  }
}

export async function planTables(db: Kysely<Tables>): Promise<void> {
  const create = (name: string, columns: string) => sql.raw(`create table ${name} (${columns})`).execute(db)
  await create(
    'plan_versions',
    'source_id text not null, version integer not null, hash text not null, body text not null, loaded_at bigint not null, primary key (source_id, version)',
  )
  await create(
    'plan_violations',
    'source_id text not null, day bigint not null, event text not null, kind text not null, path text not null, expected text not null, plan_version integer not null, events bigint not null, quarantined bigint not null, blocked bigint not null, first_at bigint not null, last_at bigint not null, shape text not null, primary key (source_id, day, event, kind, path)',
  )
}
