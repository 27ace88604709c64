/** Stays in audiences, and what destinations were told of them. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function audiencesTables(db: Kysely<Tables>): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run(
    'create table audience_stays (id text primary key, audience text not null, person_id text not null, entered_at bigint not null, left_at bigint, event_id text, left_event_id text, why_entered text not null, why_left text)',
  )
  await run('create index audience_stays_now on audience_stays (audience, entered_at) where left_at is null')
  await run('create index audience_stays_person on audience_stays (person_id, audience)')
  await run('create index audience_stays_left on audience_stays (left_at) where left_at is not null')
  await run(
    'create table audience_pushes (audience text not null, destination text not null, node_id text not null, person_id text not null, member integer not null, delivery_id text not null, at bigint not null, primary key (audience, destination, node_id))',
  )
  await run('create index audience_pushes_person on audience_pushes (person_id)')
  await run('create index audience_pushes_delivery on audience_pushes (delivery_id)')
  await run(
    'create table audience_passes (id text primary key, kind text not null, audience text, hash text not null, after_person text not null, people bigint not null, started_at bigint not null, done_at bigint)',
  )
}
