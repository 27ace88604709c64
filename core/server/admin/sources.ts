/** The page of one source: what it sent, and what is wrong with it. */
import { IdParams } from '../../../schemas/admin.ts'
import { SourceReport, SourceReportQuery } from '../../../schemas/sources.ts'
import { timeOf } from './paging.ts'
import { checkRange } from './pipeline.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'
import { readSourceReport } from './source-report.ts'

const DAY_MS = 86_400_000

export const sourceRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/sources/{id}/report',
    operationId: 'getSourceReport',
    tag: 'Connectors',
    summary:
      'One source over a time: duplicates, clock skew, answers about consent and what to add, quarantine, echoes, copies, held and dropped events, violations of its plan, newest events. The last 24 hours when no range is given.',
    permission: 'connectors.read',
    params: IdParams,
    query: SourceReportQuery,
    answer: SourceReport,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No source has this id.' }],
    handle: async ({ context, params, query, now }) => {
      if (!Object.hasOwn(context.config.sources, params.id))
        throw new Refusal(404, 'NOT_FOUND', 'No source of the configuration has this id.')
      const to = timeOf(query.to, now)
      const from = timeOf(query.from, to - DAY_MS)
      checkRange(from, to)
      const { config, state, live } = context
      return readSourceReport(state.db, { config, source: params.id, from, to, recent: live.recent() })
    },
  }),
]
