/** Versions of tracking plans as they ran: one version never changes what it asks for. */
import type { TrackingPlan } from '../../schemas/plan.ts'
import type { LoadedConfig } from '../config.ts'
import { ConfigError } from '../kit/errors.ts'
import type { Db, StateStore } from '../stores/open.ts'

/** Called at every start. @throws ConfigError when a plan was changed without a new version. */
export async function publishPlans(
  { sourceSettings }: Pick<LoadedConfig, 'sourceSettings'>,
  { db }: Pick<StateStore, 'db'>,
  now: number,
): Promise<void> {
  for (const { id, plan } of sourceSettings.values()) {
    if (!plan) continue
    const { version } = plan.plan
    const known = await db
      .selectFrom('plan_versions')
      .select('hash')
      .where('source_id', '=', id)
      .where('version', '=', version)
      .executeTakeFirst()
    if (known && known.hash !== plan.hash)
      throw new ConfigError(
        `the tracking plan of source ${id} was changed without a new version: raise its "version" to ${version + 1}, so that what was counted against version ${version} can be understood`,
        `/sources/${id}/plan`,
      )
    if (!known)
      await db
        .insertInto('plan_versions')
        .values({ source_id: id, version, hash: plan.hash, body: JSON.stringify(plan.plan), loaded_at: now })
        .onConflict((conflict) => conflict.columns(['source_id', 'version']).doNothing())
        .execute()
  }
}

/** @param version the newest when absent. @returns undefined for one that never ran. */
export async function storedPlan(db: Db, source: string, version?: number): Promise<TrackingPlan | undefined> {
  let query = db.selectFrom('plan_versions').select('body').where('source_id', '=', source)
  if (version !== undefined) query = query.where('version', '=', version)
  const row = await query.orderBy('version', 'desc').limit(1).executeTakeFirst()
  return row && (JSON.parse(row.body) as TrackingPlan)
}
