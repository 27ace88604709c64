/** How far each version of a rule is published, the switches that stop rules, budgets, and the slots of schedules. */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'

export async function rolloutTables(db: Kysely<Tables>): Promise<void> {
  const run = (statement: string) => sql.raw(statement).execute(db)
  await run('alter table rule_versions add column origin text')
  await run('alter table rule_versions add column added_by text')
  await run(
    'create table rule_rollouts (rule text not null, version integer not null, stage text not null, share integer not null, recipients text not null, shadowed integer not null, since bigint not null, actor text not null, reason text not null, primary key (rule, version))',
  )
  await run(
    'create table rule_rollout_log (id text primary key, rule text not null, version integer, at bigint not null, actor text not null, act text not null, stage text, share integer, reason text not null)',
  )
  await run('create index rule_rollout_log_rule on rule_rollout_log (rule, at)')
  await run(
    'create table rule_switches (rule text primary key, state text not null, at bigint not null, actor text not null, reason text not null)',
  )
  await run('create table rule_files (rule text primary key, version integer not null, rollout text not null)')
  await run(
    'create table rule_budgets (rule text not null, bucket text not null, used bigint not null, at bigint not null, primary key (rule, bucket))',
  )
  await run(
    'create table budget_uses (delivery_id text not null, bucket text not null, rule text not null, amount bigint not null, at bigint not null, primary key (delivery_id, bucket))',
  )
  await run('create index budget_uses_at on budget_uses (at)')
  await run(
    'create table rule_slots (rule text not null, version integer not null, slot bigint not null, state text not null, place text not null, started_at bigint not null, moved_at bigint not null, finished_at bigint, people bigint not null, decided bigint not null, reason text, primary key (rule, version, slot))',
  )
  await run("create index rule_slots_open on rule_slots (slot) where state = 'running'")
  await run('create index rollups_origin on rollups (origin, minute)')
  await run('create index deliveries_rule on deliveries (rule) where settled_at is null and rule is not null')
}
