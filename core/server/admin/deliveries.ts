/** Every delivery is a row with a reason. Payloads stay sealed; what is shown names no person but by id. */
import {
  CommandAnswer,
  DeliveryDetail,
  DeliveryPage,
  DeliveryQuery,
  IdParams,
  RedriveRequest,
} from '../../../schemas/admin.ts'
import { findEntry } from '../../ledger/rows.ts'
import { asDelivery, asExplanation, DELIVERY_COLUMNS, parse } from './explanations.ts'
import { decodeCursor, page, pageLimit } from './paging.ts'
import { type AnyRoute, defineRoute, expectOk, Refusal } from './route.ts'

const TAG = 'Deliveries'

export const deliveryRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/deliveries',
    operationId: 'listDeliveries',
    tag: TAG,
    summary: 'Deliveries, newest first. `from` and `to` are about their creation.',
    permission: 'deliveries.read',
    query: DeliveryQuery,
    answer: DeliveryPage,
    handle: async ({ context, query }) => {
      const limit = pageLimit(query.limit)
      const after = decodeCursor(query.after)
      let rows = context.state.db
        .selectFrom('deliveries')
        .select(DELIVERY_COLUMNS)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (query.destination !== undefined) rows = rows.where('destination', '=', query.destination)
      if (query.status !== undefined) rows = rows.where('status', '=', query.status)
      if (query.code !== undefined) rows = rows.where('reason', '=', query.code)
      if (query.rule !== undefined) rows = rows.where('rule', '=', query.rule)
      if (query.from !== undefined) rows = rows.where('created_at', '>=', Date.parse(query.from))
      if (query.to !== undefined) rows = rows.where('created_at', '<', Date.parse(query.to))
      if (after)
        rows = rows.where(({ eb, refTuple, tuple }) => eb(refTuple('created_at', 'id'), '<', tuple(after.at, after.id)))
      const found = page(await rows.execute(), limit, (row) => ({ at: row.created_at, id: row.id }))
      return { items: found.items.map(asDelivery), next: found.next }
    },
  }),

  defineRoute({
    method: 'GET',
    path: '/api/deliveries/{id}',
    operationId: 'getDelivery',
    tag: TAG,
    summary: 'One delivery: why it was decided, the consent it rests on, and every attempt.',
    permission: 'deliveries.read',
    params: IdParams,
    answer: DeliveryDetail,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No such delivery.' }],
    handle: async ({ context, params }) => {
      const { db } = context.state
      const row = await db
        .selectFrom('deliveries')
        .select([...DELIVERY_COLUMNS, 'answer', 'entry_id', 'expires_at'])
        .where('id', '=', params.id)
        .executeTakeFirst()
      if (!row) throw new Refusal(404, 'NOT_FOUND', 'No delivery has this id.')
      const attempts = await db
        .selectFrom('attempts')
        .select(['n', 'at', 'outcome', 'reason'])
        .where('delivery_id', '=', row.id)
        .orderBy('n')
        .execute()
      const explanations =
        row.rule === null
          ? []
          : await db
              .selectFrom('explanations')
              .selectAll()
              .where('event_id', '=', row.event_id)
              .where('rule', '=', row.rule)
              .orderBy('at', 'desc')
              .execute()
      // One event may be judged twice by a rule (a clock and a repeat): the one that names this delivery is meant.
      const explanation = explanations.find((candidate) => candidate.body.includes(row.id)) ?? explanations[0]
      const entry = row.entry_id === null ? undefined : await findEntry(db, row.entry_id)
      return {
        delivery: asDelivery(row),
        answer: row.answer,
        expiresAt: row.expires_at,
        attempts,
        explanation: explanation ? asExplanation(explanation) : null,
        consent: entry ? { entryId: entry.id, purpose: entry.purpose, at: entry.at, public: parse(entry.bytes) } : null,
        entryId: row.entry_id,
      }
    },
  }),

  defineRoute({
    method: 'POST',
    path: '/api/deliveries/redrive',
    operationId: 'redriveDeliveries',
    tag: TAG,
    summary:
      'Send dead or uncertain deliveries of a filter again: consent is asked now, and those already delivered are left alone. A dry run only counts.',
    permission: 'deliveries.redrive',
    body: RedriveRequest,
    answer: CommandAnswer,
    handle: async ({ context, identity, body }) => ({
      result: expectOk(
        await context.run({
          name: 'redriveDeliveries',
          args: { filter: body.filter, dryRun: body.dryRun },
          actor: identity.id,
        }),
      ),
    }),
  }),
]
