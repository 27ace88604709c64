/**
 * Carrying a policy out, batch by batch. A batch is one transaction and leaves nothing half done; a run that
 * was cut short goes on with what is still due as of its start. It ends with a verification pass and an entry in the
 * ledger that names counts and the root of the ids.
 */
import { rootOf } from '../../consent/ledger/merkle.ts'
import type { ResolvedPolicy } from '../../consent/retention/policies.ts'
import type { RetentionRun } from '../../schemas/retention.ts'
import { newId } from '../ids.ts'
import { hubEntry, idsRoot } from '../ledger/hub-entry.ts'
import type { Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { anonymiseCell, type MethodStated } from './anonymise.ts'
import { blockHistory } from './block.ts'
import type { RetentionContext } from './context.ts'
import { takeDue } from './due.ts'
import { takeEnded } from './ended.ts'
import { eraseRows } from './erase.ts'
import { countPolicy } from './plan.ts'

export async function startRun(
  resolved: ResolvedPolicy,
  context: RetentionContext,
  now: number,
): Promise<Tables['retention_runs'] | undefined> {
  const open = await openRun(context.db, resolved.id)
  if (open) return open
  const { count, held } = await countPolicy(resolved, context)
  if (count === 0) return undefined
  const row: Tables['retention_runs'] = {
    id: newId(now),
    policy_id: resolved.id,
    policy_hash: resolved.hash,
    class: resolved.policy.class,
    action: resolved.policy.action,
    state: 'running',
    started_at: now,
    finished_at: null,
    as_of: context.asOf,
    due: count,
    done: 0,
    held,
    batches: '[]',
    root: null,
    entry_id: null,
    remaining: null,
    method:
      resolved.policy.action === 'anonymise'
        ? JSON.stringify({
            method: 'aggregate',
            k: resolved.policy.anonymise!.k,
            kept: 0,
            suppressed: 0,
          } satisfies MethodStated)
        : null,
  }
  await context.db.insertInto('retention_runs').values(row).execute()
  return row
}

export function openRun(db: Db, policyId?: string): Promise<Tables['retention_runs'] | undefined> {
  return db
    .selectFrom('retention_runs')
    .selectAll()
    .where('state', '=', 'running')
    .$if(policyId !== undefined, (query) => query.where('policy_id', '=', policyId!))
    .orderBy('started_at')
    .limit(1)
    .executeTakeFirst()
}

/**
 * One batch of a run, or its end. In the caller's transaction.
 * @param context `asOf` is that of the run.
 * @returns the run as it is now.
 */
export async function stepRun(
  run: Tables['retention_runs'],
  resolved: ResolvedPolicy,
  context: RetentionContext,
  now: number,
): Promise<Tables['retention_runs']> {
  const acted = await act(run, resolved, context, now)
  const next: Tables['retention_runs'] =
    acted.ids.length === 0
      ? await finish(run, resolved, context, now)
      : {
          ...run,
          done: run.done + acted.ids.length,
          batches: JSON.stringify([...(JSON.parse(run.batches) as string[]), idsRoot(acted.ids).root]),
          method: acted.method ?? run.method,
        }
  const { id, ...set } = next
  await context.db.updateTable('retention_runs').set(set).where('id', '=', id).execute()
  return next
}

async function act(
  run: Tables['retention_runs'],
  resolved: ResolvedPolicy,
  context: RetentionContext,
  now: number,
): Promise<{ readonly ids: readonly string[]; readonly method?: string }> {
  const { class: kind, trigger, action } = resolved.policy
  if (trigger === 'ended') {
    const { rows } = await takeEnded(resolved, context)
    for (const row of rows) await row.apply()
    return { ids: rows.map(({ id }) => id) }
  }
  if (action === 'anonymise') {
    const cell = await anonymiseCell(resolved, run.id, context)
    if (!cell) return { ids: [] }
    await eraseRows(kind, cell.ids, now, context)
    const stated = JSON.parse(run.method ?? '{}') as MethodStated
    const method = {
      ...stated,
      kept: stated.kept + (cell.kept ? 1 : 0),
      suppressed: stated.suppressed + (cell.kept ? 0 : 1),
    }
    return { ids: cell.ids, method: JSON.stringify(method) }
  }
  const ids = (await takeDue(resolved, context)).map(({ id }) => id)
  if (action === 'block') await blockHistory(ids, resolved.id, now, context.db)
  else await eraseRows(kind, ids, now, context)
  return { ids }
}

/** The verification pass counts again; the entry says what it found. */
async function finish(
  run: Tables['retention_runs'],
  resolved: ResolvedPolicy,
  context: RetentionContext,
  now: number,
): Promise<Tables['retention_runs']> {
  const { count: remaining, held } = await countPolicy(resolved, context)
  const root = rootOf((JSON.parse(run.batches) as string[]).map((hex) => Buffer.from(hex, 'hex'))).toString('hex')
  const { policy } = resolved
  const entryId = await hubEntry(context.db, {
    type: 'retention.run',
    at: now,
    source: 'hub/retention',
    facts: {
      run: run.id,
      policy: run.policy_id,
      policy_hash: run.policy_hash,
      action: run.action,
      ground: policy.ground,
      period: policy.period,
      as_of: new Date(run.as_of).toISOString(),
      rows: run.done,
      held,
      remaining,
      root,
      ...(run.method !== null && { method: JSON.parse(run.method) as unknown }),
    },
  })
  return {
    ...run,
    state: remaining === 0 ? 'done' : 'incomplete',
    finished_at: now,
    root,
    entry_id: entryId,
    remaining,
    held,
  }
}

/** A run of a policy that was changed or taken away meanwhile ends where it stands. */
export async function abandonRun(run: Tables['retention_runs'], db: Db, now: number): Promise<void> {
  const root = rootOf((JSON.parse(run.batches) as string[]).map((hex) => Buffer.from(hex, 'hex'))).toString('hex')
  const entryId = await hubEntry(db, {
    type: 'retention.run',
    at: now,
    source: 'hub/retention',
    facts: {
      run: run.id,
      policy: run.policy_id,
      policy_hash: run.policy_hash,
      action: run.action,
      rows: run.done,
      root,
      stopped: 'policy_changed',
    },
  })
  await db
    .updateTable('retention_runs')
    .set({ state: 'incomplete', finished_at: now, root, entry_id: entryId })
    .where('id', '=', run.id)
    .execute()
}

export function asRun(row: Tables['retention_runs']): RetentionRun {
  return {
    id: row.id,
    policyId: row.policy_id,
    policyHash: row.policy_hash,
    class: row.class as RetentionRun['class'],
    action: row.action as RetentionRun['action'],
    state: row.state as RetentionRun['state'],
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    asOf: row.as_of,
    due: row.due,
    done: row.done,
    held: row.held,
    root: row.root,
    entryId: row.entry_id,
    remaining: row.remaining,
    method: row.method,
  }
}
