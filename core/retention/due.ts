/** What is due under a policy whose clock is a column: counted, sampled and taken in batches by the same query. */
import { type RawBuilder, sql } from 'kysely'
import { cutoffOf, EVERY, periodOrder, type ResolvedPolicy } from '../../consent/retention/policies.ts'
import type { DueCount, DueRow, RetentionContext } from './context.ts'
import { isHeld } from './holds.ts'

/** A query with the columns of DueRow, over everything the policy has come due on; undefined when nothing can be. */
export async function dueQuery(
  resolved: ResolvedPolicy,
  context: RetentionContext,
): Promise<RawBuilder<DueRow> | undefined> {
  const { policy } = resolved
  const before = cutoffOf(policy.period, context.asOf)
  switch (policy.class) {
    case 'history':
      return dueHistory(resolved, before, context)
    case 'unidentified':
      return duePeople(before, false)
    case 'profile':
      return duePeople(before, true)
    case 'facts': {
      const id = context.dialect === 'postgres' ? sql`encode(t.key, 'hex')` : sql`lower(hex(t.key))`
      return sql<DueRow>`select ${id} as id, t.node_id, n.person_id, t.at from facts t
        left join nodes n on n.id = t.node_id where t.at < ${before}`
    }
    case 'deliveries':
      return sql<DueRow>`select t.id, t.node_id, n.person_id, t.settled_at as at from deliveries t
        left join nodes n on n.id = t.node_id where t.settled_at is not null and t.settled_at < ${before}`
    case 'decisions':
      return sql<DueRow>`select t.id, null as node_id, coalesce(p.merged_into, t.person_id) as person_id, t.at
        from explanations t left join persons p on p.id = t.person_id where t.at < ${before}
        union all
        select t.person_id || ' ' || t.rule as id, null as node_id, coalesce(p.merged_into, t.person_id) as person_id, t.at
        from explanations_latest t left join persons p on p.id = t.person_id where t.at < ${before}
        union all
        select 'withdrawal ' || t.id as id, t.node_id, n.person_id, t.at
        from withdrawals t left join nodes n on n.id = t.node_id
        where t.passed_on_at is not null and t.at < ${before}`
    case 'access_log':
      return sql<DueRow>`select t.id, null as node_id, null as person_id, t.at from access_log t where t.at < ${before}`
    case 'consent_proof':
      return sql<DueRow>`select t.node_id as id, t.node_id, n.person_id, t.at from ledger_shredded t
        join nodes n on n.id = t.node_id
        where t.key_id like '%.data' and t.at < ${before} and length(n.proof_key) > 0`
    case 'blocked':
      return sql<DueRow>`select t.id, t.node_id, n.person_id, t.at from blocked t
        left join nodes n on n.id = t.node_id where t.at < ${before}`
    case 'incidents':
      return sql<DueRow>`select t.id, null as node_id, null as person_id, t.registered_at as at from incidents t
        where t.state = 'closed' and t.registered_at < ${before}`
    case 'requests':
      return sql<DueRow>`select t.id, null as node_id, coalesce(p.merged_into, t.person_id) as person_id, t.closed_at as at
        from requests t left join persons p on p.id = t.person_id where t.closed_at is not null and t.closed_at < ${before}`
    case 'audiences':
      return sql<DueRow>`select t.id, null as node_id, coalesce(p.merged_into, t.person_id) as person_id, t.left_at as at
        from audience_stays t left join persons p on p.id = t.person_id
        where t.left_at is not null and t.left_at < ${before}
        union all
        select 'push ' || t.audience || ' ' || t.destination || ' ' || t.node_id as id, t.node_id,
          coalesce(p.merged_into, t.person_id) as person_id, t.at
        from audience_pushes t left join persons p on p.id = t.person_id left join deliveries d on d.id = t.delivery_id
        where t.member = 0 and t.at < ${before} and (d.status is null or d.status = 'delivered')`
    default:
      return undefined
  }
}

/**
 * A row of history was kept for one purpose or several, and stays as long as the longest of their periods:
 * the policy of that period is the one that governs it.
 */
async function dueHistory(
  resolved: ResolvedPolicy,
  before: number,
  { db, policies }: RetentionContext,
): Promise<RawBuilder<DueRow> | undefined> {
  const kind = resolved.policy.class
  const candidates = policies.filter(({ policy }) => policy.class === kind && policy.trigger === 'occurred')
  const every = candidates.find(({ policy }) => (policy.purpose ?? EVERY) === EVERY)
  const sets = await sql<{
    purposes: string
  }>`select distinct purposes from history where occurred_at < ${before}`.execute(db)
  const governed = sets.rows
    .map(({ purposes }) => purposes)
    .filter((text) => {
      const named = JSON.parse(text) as string[]
      const of = (purpose: string) => candidates.find(({ policy }) => policy.purpose === purpose) ?? every
      const longest = (named.length === 0 ? [every] : named.map(of)).reduce((a, b) =>
        a && b && periodOrder(a.policy.period, b.policy.period) >= 0 ? a : (b ?? a),
      )
      return longest?.id === resolved.id
    })
  if (governed.length === 0) return undefined
  return sql<DueRow>`select t.id, t.node_id, n.person_id, t.occurred_at as at from history t
    left join nodes n on n.id = t.node_id
    where t.occurred_at < ${before} and t.purposes in (${sql.join(governed)})`
}

/**
 * People nothing was heard of. Their oppositions stay (an HMAC and a status), since forgetting one could allow
 * something again; so somebody of whom only that is left is not due once more.
 */
function duePeople(before: number, identified: boolean): RawBuilder<DueRow> {
  const named = sql`exists (select 1 from nodes n where n.person_id = t.id and n.device = 0)`
  return sql<DueRow>`select t.id, (select min(n.id) from nodes n where n.person_id = t.id) as node_id, t.id as person_id,
      t.updated_at as at from persons t
    where t.merged_into is null and t.updated_at < ${before} and ${identified ? named : sql`not ${named}`}
    and (
      exists (select 1 from nodes n join history x on x.node_id = n.id where n.person_id = t.id)
      or exists (select 1 from nodes n join node_traits x on x.node_id = n.id where n.person_id = t.id)
      or exists (select 1 from nodes n join facts x on x.node_id = n.id where n.person_id = t.id)
      or exists (select 1 from nodes n join identifiers x on x.node_id = n.id where n.person_id = t.id and x.sealed is not null)
      or not exists (select 1 from nodes n join consent_status x on x.node_id = n.id
        where n.person_id = t.id and x.status in ('denied', 'revoked', 'conflict')))
    and not exists (select 1 from deliveries x where x.person_id = t.id and x.settled_at is null)`
}

export async function countDue(resolved: ResolvedPolicy, context: RetentionContext): Promise<DueCount> {
  const due = await dueQuery(resolved, context)
  if (!due) return { count: 0, people: 0, oldest: null, held: 0 }
  const held = isHeld(resolved.policy.class)
  const free = await sql<{ n: number; people: number; oldest: number | null }>`
    select count(*) as n, count(distinct d.person_id) as people, min(d.at) as oldest from (${due}) d where not ${held}
  `.execute(context.db)
  const kept = await sql<{ n: number }>`select count(*) as n from (${due}) d where ${held}`.execute(context.db)
  const { n, people, oldest } = free.rows[0]!
  return {
    count: Number(n),
    people: Number(people),
    oldest: oldest === null ? null : Number(oldest),
    held: Number(kept.rows[0]!.n),
  }
}

/** The oldest first. */
export async function takeDue(
  resolved: ResolvedPolicy,
  context: RetentionContext,
  limit = context.batchRows,
): Promise<readonly DueRow[]> {
  const due = await dueQuery(resolved, context)
  if (!due) return []
  const { rows } = await sql<DueRow>`
    select d.id, d.node_id, d.person_id, d.at from (${due}) d where not ${isHeld(resolved.policy.class)}
    order by d.at, d.id limit ${limit}
  `.execute(context.db)
  return rows
}
