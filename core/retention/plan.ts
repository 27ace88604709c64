/** What the policies would do now: counts, samples by pseudonym, conflicts with holds. Changes nothing. */
import { createHash } from 'node:crypto'
import { canonicalText } from '../../consent/ledger/canonical.ts'
import { lintRetention } from '../../consent/retention/lint.ts'
import { type ResolvedPolicy, retentionPolicies } from '../../consent/retention/policies.ts'
import { isUnusual, RUNS_LOOKED_AT, type UnusualSettings, unusualSettings } from '../../consent/retention/unusual.ts'
import type { Config } from '../../schemas/config.ts'
import type { RetentionPlan, RetentionPlanItem, RetentionPolicyView } from '../../schemas/retention.ts'
import type { Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { DueCount, DueRow, RetentionContext } from './context.ts'
import { countDue, takeDue } from './due.ts'
import { countEnded } from './ended.ts'
import { holdsInForce, subjectsOf } from './holds.ts'

const SAMPLES = 5

export async function countPolicy(
  resolved: ResolvedPolicy,
  context: RetentionContext,
): Promise<DueCount & { readonly samples: readonly DueRow[] }> {
  if (resolved.policy.trigger === 'ended') {
    const { rows, ...counted } = await countEnded(resolved, context)
    return { ...counted, samples: rows }
  }
  const counted = await countDue(resolved, context)
  return { ...counted, samples: counted.count === 0 ? [] : await takeDue(resolved, context, SAMPLES) }
}

/** @param by who looks at it. */
export async function makePlan(
  config: Pick<Config, 'retention' | 'purposes' | 'destinations'>,
  context: RetentionContext,
  by: string,
): Promise<RetentionPlan> {
  const holds = await holdsInForce(context.db)
  const items: RetentionPlanItem[] = []
  for (const resolved of context.policies) {
    const { policy } = resolved
    const { count, people, oldest, held, samples } = await countPolicy(resolved, context)
    const subjects = await subjectsOf(
      context.db,
      samples.flatMap(({ person_id }) => person_id ?? []),
    )
    const approval = await approvalOf(context.db, resolved.id)
    items.push({
      policyId: resolved.id,
      policyHash: resolved.hash,
      class: policy.class,
      action: policy.action,
      count,
      people,
      oldest,
      held,
      holds:
        held === 0
          ? []
          : holds.filter((hold) => hold.class === null || hold.class === policy.class).map(({ id }) => id),
      samples: samples.map(({ id, person_id, at }) => ({
        id:
          person_id === id
            ? (subjects.get(id) ?? '')
            : id.split(' ')[0] === person_id
              ? (subjects.get(person_id!) ?? '')
              : id,
        subject: person_id === null ? null : (subjects.get(person_id) ?? null),
        at: Number(at),
      })),
      unusual:
        approval?.policy_hash === resolved.hash &&
        (await unusualNow(context.db, approval, resolved.id, count, unusualSettings(config))),
    })
  }
  const findings = lintRetention(config)
  const hash = createHash('sha256')
    .update(
      canonicalText({
        asOf: context.asOf,
        items: items.map(({ policyId, policyHash, count, people, held }) => ({
          policyId,
          policyHash,
          count,
          people,
          held,
        })),
        findings: findings.map(({ code, path }) => ({ code, path })),
      }),
    )
    .digest('hex')
  return { hash, at: context.asOf, by, items, findings, approvedBy: null, approvedAt: null }
}

export function approvalOf(db: Db, id: string): Promise<Tables['retention_approvals'] | undefined> {
  return db.selectFrom('retention_approvals').selectAll().where('policy_id', '=', id).executeTakeFirst()
}

/** Whether an approved policy has to ask again; see consent/retention/unusual.ts for the rule. */
export async function unusualNow(
  db: Db,
  approval: Tables['retention_approvals'],
  id: string,
  due: number,
  settings: UnusualSettings,
): Promise<boolean> {
  const runs = await db
    .selectFrom('retention_runs')
    .select('due')
    .where('policy_id', '=', id)
    .where('policy_hash', '=', approval.policy_hash)
    .where('started_at', '>=', approval.approved_at)
    .orderBy('started_at', 'desc')
    .limit(RUNS_LOOKED_AT + 1)
    .execute()
  const counts = runs.map((run) => run.due)
  // The first run after the approval had the backlog.
  return isUnusual(due, approval.count, counts.slice(0, -1), settings)
}

export async function policyViews(config: Pick<Config, 'retention'>, db: Db): Promise<RetentionPolicyView[]> {
  const approvals = new Map(
    (await db.selectFrom('retention_approvals').selectAll().execute()).map((row) => [row.policy_id, row]),
  )
  return retentionPolicies(config).map(({ id, policy, hash, origin }) => {
    const approval = approvals.get(id)
    const same = approval?.policy_hash === hash
    return {
      id,
      policy,
      hash,
      origin,
      state: !approval ? 'new' : !same ? 'changed' : approval.unusual === 1 ? 'unusual' : 'approved',
      approvedBy: same ? approval.approved_by : null,
      approvedAt: same ? approval.approved_at : null,
      approvedCount: same ? approval.count : null,
    }
  })
}

/** A plan is kept by its hash until the next one of the same moment; those nobody approved go after a month. */
export async function storePlan(plan: RetentionPlan, db: Db): Promise<void> {
  await db
    .deleteFrom('retention_plans')
    .where('at', '<', plan.at - 31 * 86_400_000)
    .where('approved_at', 'is', null)
    .execute()
  await db
    .insertInto('retention_plans')
    .values({
      hash: plan.hash,
      at: plan.at,
      actor: plan.by,
      body: JSON.stringify(plan),
      approved_by: null,
      approved_at: null,
    })
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .execute()
}

export function asPlan(row: Tables['retention_plans']): RetentionPlan {
  return { ...(JSON.parse(row.body) as RetentionPlan), approvedBy: row.approved_by, approvedAt: row.approved_at }
}

export async function latestPlan(db: Db): Promise<RetentionPlan | null> {
  const row = await db.selectFrom('retention_plans').selectAll().orderBy('at', 'desc').limit(1).executeTakeFirst()
  return row ? asPlan(row) : null
}
