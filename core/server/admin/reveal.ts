/** Looking at personal data, with the reason, and the log of who looked at whom. */
import {
  AccessLog,
  AccessLogQuery,
  Revealed,
  RevealRequest,
  ShredAnswer,
  ShredRequest,
} from '../../../schemas/records.ts'
import { decodeCursor, page, pageLimit } from './paging.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

export const revealRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'POST',
    path: '/api/reveal',
    operationId: 'reveal',
    tag: 'Access',
    summary:
      'Contact data and content of a person, event or delivery. Needs a reason, or the data-subject request that is one; both are logged.',
    permission: 'people.reveal',
    body: RevealRequest,
    answer: Revealed,
    errors: [
      { status: 404, code: 'NOT_FOUND', when: 'Nothing has this id.' },
      { status: 409, code: 'REASON_REQUIRED', when: 'Neither a reason nor a request was given.' },
      { status: 409, code: 'ERASED', when: 'The key of these data was destroyed.' },
    ],
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'reveal', args: { ...body }, actor: identity.id })) as Revealed,
  }),
  defineRoute({
    method: 'GET',
    path: '/api/access-log',
    operationId: 'listAccess',
    tag: 'Access',
    summary: 'Who looked at whom and who changed what, newest first, with the reasons.',
    permission: 'access.read',
    query: AccessLogQuery,
    answer: AccessLog,
    handle: async ({ context, query }) => {
      const limit = pageLimit(query.limit)
      const after = decodeCursor(query.after)
      const { db } = context.state
      let rows = db
        .selectFrom('access_log')
        .leftJoin('users', 'users.id', 'access_log.actor')
        .leftJoin('api_tokens', 'api_tokens.id', 'access_log.actor')
        .selectAll('access_log')
        .select(['users.name as user', 'api_tokens.name as token'])
        .orderBy('access_log.at', 'desc')
        .orderBy('access_log.id', 'desc')
        .limit(limit + 1)
      if (query.actor !== undefined) rows = rows.where('access_log.actor', '=', query.actor)
      if (query.act !== undefined)
        rows = rows.where('access_log.act', '>=', query.act).where('access_log.act', '<', `${query.act}\uffff`)
      if (query.target !== undefined) rows = rows.where('access_log.target', '=', query.target)
      if (query.from !== undefined) rows = rows.where('access_log.at', '>=', Date.parse(query.from))
      if (query.to !== undefined) rows = rows.where('access_log.at', '<', Date.parse(query.to))
      if (after)
        rows = rows.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('access_log.at', 'access_log.id'), '<', tuple(after.at, after.id)),
        )
      const found = page(await rows.execute(), limit, ({ at, id }) => ({ at, id }))
      return {
        items: found.items.map((row) => ({
          id: row.id,
          at: row.at,
          actor: row.actor,
          actorName: row.user ?? row.token,
          act: row.act,
          target: row.target,
          reason: row.reason ?? null,
          request: row.request ?? null,
        })),
        next: found.next,
      }
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/keys/shred',
    operationId: 'shredKeys',
    tag: 'Access',
    summary:
      'Destroy the keys of a ledger subject, or of all nodes of a person. Not to be undone; a legal hold refuses it.',
    permission: 'keys.shred',
    body: ShredRequest,
    answer: ShredAnswer,
    errors: [
      { status: 404, code: 'NOT_FOUND', when: 'Nobody has this subject.' },
      { status: 409, code: 'LEGAL_HOLD', when: 'A legal hold keeps the data.' },
    ],
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'shredKeys', args: { ...body }, actor: identity.id })) as ShredAnswer,
  }),
]
