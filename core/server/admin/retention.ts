/** Periods, plans, approvals, runs, legal holds: what the officer sees and does about how long data is kept. */

import { Type } from 'typebox'
import { lintRetention } from '../../../consent/retention/lint.ts'
import { unusualSettings, unusualWords } from '../../../consent/retention/unusual.ts'
import { IdParams } from '../../../schemas/admin.ts'
import {
  ApproveRequest,
  HoldRequest,
  Holds,
  LegalHold,
  ReleaseRequest,
  RetentionOverview,
  RetentionPlan,
  RetentionPolicyView,
  type RetentionRun,
  RetentionRuns,
  RunAnswer,
  RunRequest,
} from '../../../schemas/retention.ts'
import { asHold, holdsInForce, subjectsOf } from '../../retention/holds.ts'
import { PLACES } from '../../retention/places.ts'
import { latestPlan, policyViews } from '../../retention/plan.ts'
import { asRun } from '../../retention/run.ts'
import type { Db } from '../../stores/open.ts'
import type { Tables } from '../../stores/tables.ts'
import { decodeCursor, page } from './paging.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Retention'
const RUNS_SHOWN = 50

async function withSubjects(rows: readonly Tables['legal_holds'][], db: Db): Promise<LegalHold[]> {
  const subjects = await subjectsOf(
    db,
    rows.flatMap(({ person_id }) => person_id ?? []),
  )
  return rows.map((row) => asHold(row, subjects))
}

const newestRuns = (db: Db) =>
  db.selectFrom('retention_runs').selectAll().orderBy('started_at', 'desc').orderBy('id', 'desc')

export const retentionRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/retention',
    operationId: 'getRetention',
    tag: TAG,
    summary:
      'Policies with their approvals, what is wrong with them, newest runs, holds in force, and where data can lie.',
    permission: 'retention.read',
    answer: RetentionOverview,
    handle: async ({ context }) => {
      const { db } = context.state
      return {
        policies: await policyViews(context.config, db),
        findings: lintRetention(context.config),
        runs: (await newestRuns(db).limit(RUNS_SHOWN).execute()).map(asRun),
        holds: await withSubjects(await holdsInForce(db), db),
        latestPlan: await latestPlan(db),
        unusualRule: unusualWords(unusualSettings(context.config)),
        places: PLACES.map(({ place, holds, key, clock }) => ({ place, holds, key, clock })),
      }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/retention/plan',
    operationId: 'planRetention',
    tag: TAG,
    summary: 'What the policies would do now: counts, samples by pseudonym, conflicts with holds. Deletes nothing.',
    permission: 'retention.write',
    answer: RetentionPlan,
    handle: async ({ context, identity }) =>
      expectOk(await context.run({ name: 'retentionPlan', args: {}, actor: identity.id })) as RetentionPlan,
  }),
  defineRoute({
    method: 'POST',
    path: '/api/retention/approve',
    operationId: 'approveRetention',
    tag: TAG,
    summary: 'Approve policies by the hash of the plan that was looked at. From then on they run by themselves.',
    permission: 'retention.write',
    body: ApproveRequest,
    answer: Type.Object({ policies: Type.Array(RetentionPolicyView) }, { additionalProperties: false }),
    errors: [
      { status: 404, code: 'NOT_FOUND', when: 'No plan has this hash, or it has no such policy.' },
      { status: 409, code: 'CONFLICT', when: 'A policy was changed after the plan was made.' },
      { status: 409, code: 'LINT', when: 'The policies have errors.' },
    ],
    handle: async ({ context, identity, body }) => ({
      policies: expectOk(
        await context.run({ name: 'retentionApprove', args: { ...body }, actor: identity.id }),
      ) as RetentionPolicyView[],
    }),
  }),
  defineRoute({
    method: 'POST',
    path: '/api/retention/run',
    operationId: 'runRetention',
    tag: TAG,
    summary: 'Start approved policies now. The hub carries them out batch by batch; the runs tell how far it is.',
    permission: 'retention.write',
    body: RunRequest,
    answer: RunAnswer,
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'retentionRun', args: { ...body }, actor: identity.id })) as RunAnswer,
  }),
  defineRoute({
    method: 'GET',
    path: '/api/retention/runs',
    operationId: 'listRetentionRuns',
    tag: TAG,
    summary: 'Runs, newest first.',
    permission: 'retention.read',
    query: Type.Object({ after: Type.Optional(Type.String({ maxLength: 200 })) }, { additionalProperties: false }),
    answer: RetentionRuns,
    handle: async ({ context, query }) => {
      const after = decodeCursor(query.after)
      let rows = newestRuns(context.state.db).limit(RUNS_SHOWN + 1)
      if (after)
        rows = rows.where(({ eb, refTuple, tuple }) => eb(refTuple('started_at', 'id'), '<', tuple(after.at, after.id)))
      const found = page(await rows.execute(), RUNS_SHOWN, (row) => ({ at: row.started_at, id: row.id }))
      return { items: found.items.map(asRun) as RetentionRun[], next: found.next }
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/retention/holds',
    operationId: 'listHolds',
    tag: TAG,
    summary: 'Legal holds, those released included, newest first.',
    permission: 'retention.read',
    answer: Holds,
    handle: async ({ context }) => {
      const { db } = context.state
      const rows = await db.selectFrom('legal_holds').selectAll().orderBy('set_at', 'desc').limit(1000).execute()
      return { items: await withSubjects(rows, db) }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/retention/holds',
    operationId: 'setHold',
    tag: TAG,
    summary: 'Set a legal hold on a person, or on a range of time in one kind of data or all.',
    permission: 'retention.write',
    body: HoldRequest,
    answer: LegalHold,
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'setHold', args: { ...body }, actor: identity.id })) as LegalHold,
  }),
  defineRoute({
    method: 'POST',
    path: '/api/retention/holds/{id}/release',
    operationId: 'releaseHold',
    tag: TAG,
    summary: 'Release a legal hold, with the reason.',
    permission: 'retention.write',
    params: IdParams,
    body: ReleaseRequest,
    answer: LegalHold,
    handle: async ({ context, identity, params, body }) =>
      expectOk(
        await context.run({ name: 'releaseHold', args: { id: params.id, reason: body.reason }, actor: identity.id }),
      ) as LegalHold,
  }),
]
