/** What could not be read, and what to do with it. Bodies stay sealed. */
import { CommandAnswer, IdParams, QuarantinePage, QuarantineQuery } from '../../../schemas/admin.ts'
import { QuarantineRedrive, RedriveAnswer } from '../../../schemas/quarantine.ts'
import { decodeCursor, page, pageLimit } from './paging.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Quarantine'
const ERRORS = [
  { status: 404, code: 'NOT_FOUND', when: 'No such item, or its body has expired.' },
  { status: 409, code: 'CONFLICT', when: 'It was already re-driven or dismissed.' },
] as const

const act = (path: string, operationId: string, command: string, summary: string) =>
  defineRoute({
    method: 'POST',
    path,
    operationId,
    tag: TAG,
    summary,
    permission: 'quarantine.write',
    params: IdParams,
    answer: CommandAnswer,
    errors: ERRORS,
    handle: async ({ context, identity, params }) => ({
      result: expectOk(await context.run({ name: command, args: { id: params.id }, actor: identity.id })),
    }),
  })

export const quarantineRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/quarantine',
    operationId: 'listQuarantine',
    tag: TAG,
    summary: 'Quarantined inputs, newest first, without their bodies.',
    permission: 'quarantine.read',
    query: QuarantineQuery,
    answer: QuarantinePage,
    handle: async ({ context, query }) => {
      const limit = pageLimit(query.limit)
      const after = decodeCursor(query.after)
      let rows = context.state.db
        .selectFrom('quarantine')
        .select(['id', 'source_id', 'connector', 'code', 'path', 'message', 'status', 'received_at', 'expires_at'])
        .orderBy('received_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (query.source !== undefined) rows = rows.where('source_id', '=', query.source)
      if (query.code !== undefined) rows = rows.where('code', '=', query.code)
      if (query.path !== undefined) rows = rows.where('path', '=', query.path)
      if (query.status !== undefined) rows = rows.where('status', '=', query.status)
      if (after)
        rows = rows.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('received_at', 'id'), '<', tuple(after.at, after.id)),
        )
      const found = page(await rows.execute(), limit, (row) => ({ at: row.received_at, id: row.id }))
      return {
        items: found.items.map((row) => ({
          id: row.id,
          source: row.source_id,
          connector: row.connector,
          code: row.code,
          path: row.path,
          message: row.message,
          status: row.status,
          receivedAt: row.received_at,
          expiresAt: row.expires_at,
        })),
        next: found.next,
      }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/quarantine/redrive',
    operationId: 'redriveQuarantined',
    tag: TAG,
    summary:
      'Fix what a filter finds and put it through again: fields moved, written, removed or of another type. The tracking plan of now is asked. A dry run tells how many would go, with names and types before and after; no value is shown.',
    permission: 'quarantine.write',
    body: QuarantineRedrive,
    answer: RedriveAnswer,
    errors: [{ status: 400, code: 'INVALID', when: 'A fix is none, or touches what no fix may.' }],
    handle: async ({ context, identity, body }) => {
      const { id, ...filter } = body.filter
      const { fixes = [], asIs = false, dryRun } = body
      const args = { filter, ...(id !== undefined && { id }), fixes, asIs, dryRun }
      return expectOk(await context.run({ name: 'redriveQuarantine', args, actor: identity.id })) as RedriveAnswer
    },
  }),
  act(
    '/api/quarantine/{id}/redrive',
    'redriveQuarantine',
    'redriveQuarantine',
    'Read it again with the configuration of now.',
  ),
  act(
    '/api/quarantine/{id}/dismiss',
    'dismissQuarantine',
    'dismissQuarantine',
    'Give it up: the sealed body is deleted.',
  ),
]
