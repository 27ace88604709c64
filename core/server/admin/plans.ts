/** Tracking plans: what a source may send, version by version, and what was sent against it. */
import { IdParams } from '../../../schemas/admin.ts'
import { CountedViolations, PlanQuery, type SourcePlan, SourcePlanView, ViolationQuery } from '../../../schemas/plan.ts'
import { storedPlan } from '../../plans/publish.ts'
import { readViolations } from '../../plans/report.ts'
import { timeOf } from './paging.ts'
import { checkRange } from './pipeline.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

const TAG = 'Tracking plans'
const WEEK_MS = 7 * 86_400_000

export const planRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/plans/{id}',
    operationId: 'getPlan',
    tag: TAG,
    summary: 'The tracking plan of a source with its versions: the newest that ran, or the one asked for.',
    permission: 'connectors.read',
    params: IdParams,
    query: PlanQuery,
    answer: SourcePlanView,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such source, or no such version.' }],
    handle: async ({ context, params, query }) => {
      const source = context.config.sources[params.id]
      if (!source || !Object.hasOwn(context.config.sources, params.id))
        throw new Refusal(404, 'NOT_FOUND', 'No source of the configuration has this id.')
      const { db } = context.state
      const versions = await db
        .selectFrom('plan_versions')
        .select(['version', 'hash', 'loaded_at'])
        .where('source_id', '=', params.id)
        .orderBy('version', 'desc')
        .execute()
      const version = query.version === undefined ? undefined : Number(query.version)
      const body = await storedPlan(db, params.id, version)
      if (version !== undefined && !body)
        throw new Refusal(404, 'NOT_FOUND', 'This version of the plan never ran here.')
      const own = ownOf(source.plan)
      return {
        source: params.id,
        file: own?.file ?? null,
        version: own ? (version ?? versions[0]?.version ?? null) : null,
        mode: own ? (own.mode ?? body?.mode ?? 'pass') : null,
        unplanned: own ? (own.unplanned ?? body?.unplanned ?? 'allow') : null,
        versions: versions.map(({ version: number, hash, loaded_at }) => ({
          version: number,
          hash,
          loadedAt: Number(loaded_at),
        })),
        body: body ?? null,
      }
    },
  }),

  defineRoute({
    method: 'GET',
    path: '/api/violations',
    operationId: 'listViolations',
    tag: TAG,
    summary:
      'What was sent against tracking plans, most frequent first, with the newest shape and without a value. Whole days; the last seven when no range is given.',
    permission: 'connectors.read',
    query: ViolationQuery,
    answer: CountedViolations,
    handle: async ({ context, query, now }) => {
      const to = timeOf(query.to, now + 1)
      const from = timeOf(query.from, to - WEEK_MS)
      checkRange(from, to)
      const { source, event } = query
      return { items: (await readViolations(context.state.db, { source, event, from, to })).slice(0, 500) }
    },
  }),
]

const ownOf = (plan: SourcePlan | undefined) => (typeof plan === 'string' ? { file: plan } : plan)
