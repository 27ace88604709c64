/** Every delivery is a row with a reason. Payloads stay sealed; what is shown names no person but by id. */
import {
  CommandAnswer,
  DeliveryDetail,
  DeliveryPage,
  DeliveryQuery,
  IdParams,
  RedriveRequest,
} from '../../../schemas/admin.ts'
import { DeliveryStats, DeliveryStatsQuery } from '../../../schemas/deliveries.ts'
import { decidedOn } from '../../explain/stored.ts'
import { findEntry } from '../../ledger/rows.ts'
import { filterDeliveries } from '../delivery-filter.ts'
import { readDeliveryStats } from './delivery-stats.ts'
import { asDelivery, asExplanation, DELIVERY_COLUMNS, parse } from './explanations.ts'
import { decodeCursor, page, pageLimit, timeOf } from './paging.ts'
import { checkRange } from './pipeline.ts'
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
      const { from, to, limit: _limit, after: _after, ...wanted } = query
      let rows = filterDeliveries(context.state.db, {
        ...wanted,
        from: from === undefined ? undefined : Date.parse(from),
        to: to === undefined ? undefined : Date.parse(to),
      })
        .select(DELIVERY_COLUMNS)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
      if (after)
        rows = rows.where(({ eb, refTuple, tuple }) => eb(refTuple('created_at', 'id'), '<', tuple(after.at, after.id)))
      const found = page(await rows.execute(), limit, (row) => ({ at: row.created_at, id: row.id }))
      return { items: found.items.map(asDelivery), next: found.next }
    },
  }),

  defineRoute({
    method: 'GET',
    path: '/api/deliveries/stats',
    operationId: 'getDeliveryStats',
    tag: TAG,
    summary:
      'Per destination: delivered, retried, failed, uncertain, blocked, held out and cancelled over time, with reasons; what waits, is late or dead now. The last 24 hours when no range is given.',
    permission: 'deliveries.read',
    query: DeliveryStatsQuery,
    answer: DeliveryStats,
    handle: async ({ context, query, now }) => {
      const to = timeOf(query.to, now)
      const from = timeOf(query.from, to - 24 * 3_600_000)
      checkRange(from, to)
      const known = Object.keys(context.config.destinations ?? {})
      const destinations = query.destination === undefined ? known : [query.destination]
      return readDeliveryStats(context.state.db, { destinations, from, to, now })
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
      const decisions = row.rule === null ? [] : await decidedOn(row.event_id, db)
      // One event may be judged twice by a rule (a clock and a repeat): the one that names this delivery is meant.
      const ofRule = decisions.filter(({ rule }) => rule === row.rule)
      const explanation = ofRule.find(({ deliveryIds }) => deliveryIds.includes(row.id)) ?? ofRule.at(-1)
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
      'Send dead or uncertain deliveries of a filter again. Consent is asked now: who may not be reached, and who got it already, is left out and counted. They go at a quarter of the pace that the vendor allows. A dry run tells who and how many, with masked contacts.',
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
