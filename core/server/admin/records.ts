/** Records of processing (art. 37), impact report (art. 38), drift, counterfactuals (art. 20). */
import { draftRipd } from '../../../consent/reports/ripd.ts'
import { diffRopa } from '../../../consent/reports/ropa.ts'
import { exportRopa } from '../../../consent/reports/ropa-export.ts'
import {
  CounterfactualQuery,
  Counterfactuals,
  Document,
  DriftList,
  RipdQuery,
  Ropa,
  RopaDiff,
  RopaDiffQuery,
  RopaExportQuery,
  RopaQuery,
  RopaSnapshots,
} from '../../../schemas/records.ts'
import { counterfactualsOf } from '../../reports/decisions.ts'
import { listDrift } from '../../reports/drift.ts'
import { ropaAt } from '../../reports/ropa.ts'
import { CommandError, type ServerContext } from '../context.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

const TAG = 'Records'
const NONE = [{ status: 404, code: 'NOT_FOUND', when: 'No record was kept as early as that.' }]

async function ropaOf(context: ServerContext, at: string | undefined, actor: string): Promise<Ropa> {
  if (at === undefined) return expectOk(await context.run({ name: 'ropa', args: {}, actor })) as Ropa
  try {
    return await ropaAt(Date.parse(at), context.state.db)
  } catch (error) {
    if (error instanceof CommandError) throw new Refusal(404, error.code, error.message)
    throw error
  }
}

export const recordRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/explain/counterfactual',
    operationId: 'getCounterfactual',
    tag: 'Events',
    summary:
      'The nearest change that would have turned each decision behind an event or a delivery (LGPD art. 20), found by search over the rule that decided.',
    permission: 'events.read',
    query: CounterfactualQuery,
    answer: Counterfactuals,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Nothing that was kept has this id.' }],
    handle: async ({ context, query }) => {
      const items = await counterfactualsOf(query.id, context.state.db, { secret: context.config.tradeSecrets ?? [] })
      if (items) return { items }
      throw new Refusal(404, 'NOT_FOUND', 'Nothing that was kept has this id.')
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/ropa',
    operationId: 'getRopa',
    tag: TAG,
    summary: 'The record of processing operations: what is declared, joined with what was seen in the last 90 days.',
    permission: 'records.read',
    query: RopaQuery,
    answer: Ropa,
    errors: NONE,
    handle: ({ context, query, identity }) => ropaOf(context, query.at, identity.id),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/ropa/snapshots',
    operationId: 'listRopaSnapshots',
    tag: TAG,
    summary: 'When the declared part of the record changed.',
    permission: 'records.read',
    answer: RopaSnapshots,
    handle: async ({ context }) => ({
      items: await context.state.db
        .selectFrom('ropa_snapshots')
        .select(['at', 'hash'])
        .orderBy('at', 'desc')
        .limit(1000)
        .execute(),
    }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/ropa/diff',
    operationId: 'diffRopa',
    tag: TAG,
    summary: 'What changed in the record between two dates, or since one.',
    permission: 'records.read',
    query: RopaDiffQuery,
    answer: RopaDiff,
    errors: NONE,
    handle: async ({ context, query, identity }) =>
      diffRopa(await ropaOf(context, query.from, identity.id), await ropaOf(context, query.to, identity.id)),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/ropa/export',
    operationId: 'exportRopa',
    tag: TAG,
    summary: 'The record as a file: CSV, JSON or HTML, in Portuguese or English.',
    permission: 'records.read',
    query: RopaExportQuery,
    answer: Document,
    errors: NONE,
    handle: async ({ context, query, identity }) =>
      exportRopa(await ropaOf(context, query.at, identity.id), query.format, query.language ?? 'pt'),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/drift',
    operationId: 'listDrift',
    tag: TAG,
    summary:
      'Where declared and observed part: not declared (denied), never observed, fields outside, personal values in plain fields.',
    permission: 'records.read',
    answer: DriftList,
    handle: async ({ context }) => ({ items: await listDrift(context.state.db) }),
  }),
  defineRoute({
    method: 'GET',
    path: '/api/ripd',
    operationId: 'draftRipd',
    tag: TAG,
    summary: 'Draft of the impact report (art. 38) as Markdown, of one purpose or all.',
    permission: 'records.read',
    query: RipdQuery,
    answer: Document,
    handle: async ({ context, query, identity }) =>
      draftRipd(await ropaOf(context, undefined, identity.id), query.language ?? 'pt', query.purpose),
  }),
]
