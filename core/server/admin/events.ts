/** The way one event took, from what was stored about it. */
import { EventJourney, IdParams } from '../../../schemas/admin.ts'
import { EXITS, type ExitCode } from '../../../schemas/exits.ts'
import { decidedOn } from '../../explain/stored.ts'
import { asDelivery, asExplanation, DELIVERY_COLUMNS, parse } from './explanations.ts'
import { type AnyRoute, defineRoute, Refusal } from './route.ts'

function stageOf(code: string, otherwise: string): string {
  return Object.hasOwn(EXITS, code) ? EXITS[code as ExitCode].stage : otherwise
}

export const eventRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/events/{id}',
    operationId: 'getEvent',
    tag: 'Events',
    summary:
      'The journey of one event: exits, the open columns of its history, explanations and deliveries. No personal data.',
    permission: 'events.read',
    params: IdParams,
    answer: EventJourney,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'Neither kept nor recent: a dropped event leaves only counts.' }],
    handle: async ({ context, params }) => {
      const { db } = context.state
      const history = await db
        .selectFrom('history')
        .leftJoin('nodes', 'nodes.id', 'history.node_id')
        .select([
          'history.type',
          'history.name',
          'history.occurred_at',
          'history.received_at',
          'history.source_id',
          'history.connector',
          'history.purposes',
          'history.amounts',
          'history.person_seq',
          'nodes.person_id',
        ])
        .where('history.id', '=', params.id)
        .executeTakeFirst()
      const quarantine = await db
        .selectFrom('quarantine')
        .select(['code', 'path', 'message', 'status', 'source_id', 'received_at'])
        .where('id', '=', params.id)
        .executeTakeFirst()
      const explanations = (await decidedOn(params.id, db)).slice(0, 100)
      const deliveries = await db
        .selectFrom('deliveries')
        .select(DELIVERY_COLUMNS)
        .where('event_id', '=', params.id)
        .orderBy('created_at')
        .limit(200)
        .execute()
      const recent = context.live.recent().filter((line) => line.kind === 'event' && line.id === params.id)
      if (!history && !quarantine && deliveries.length === 0 && explanations.length === 0 && recent.length === 0) {
        throw new Refusal(
          404,
          'NOT_FOUND',
          'Nothing is stored about this event. A dropped event leaves only its count, and the live view keeps the last 500.',
        )
      }

      const exits: EventJourney['exits'] = recent.map(({ at, kind, origin, stage, code, detail }) => ({
        at,
        kind,
        origin,
        stage,
        code,
        ...(detail === undefined ? {} : { detail }),
      }))
      const seen = new Set(exits.map(({ code }) => code))
      if (history && !seen.has('KEPT'))
        exits.push({
          at: history.received_at,
          kind: 'event',
          origin: history.source_id,
          stage: stageOf('KEPT', 'apply'),
          code: 'KEPT',
        })
      if (quarantine && !seen.has(quarantine.code)) {
        exits.push({
          at: quarantine.received_at,
          kind: 'event',
          origin: quarantine.source_id,
          stage: stageOf(quarantine.code, 'normalize'),
          code: quarantine.code,
        })
      }
      for (const delivery of deliveries) {
        if (delivery.settled_at === null) continue
        const code = delivery.status === 'delivered' ? 'DELIVERED' : (delivery.reason ?? delivery.status)
        exits.push({
          at: delivery.settled_at,
          kind: 'delivery',
          origin: delivery.destination,
          stage: stageOf(code, 'settle'),
          code,
        })
      }
      exits.sort((a, b) => a.at - b.at)
      const purposes = history ? parse(history.purposes) : []
      return {
        id: params.id,
        exits,
        history: history
          ? {
              type: history.type,
              name: history.name,
              occurredAt: history.occurred_at,
              receivedAt: history.received_at,
              source: history.source_id,
              connector: history.connector,
              purposes: Array.isArray(purposes) ? purposes.map(String) : [String(purposes)],
              amounts: parse(history.amounts),
              personSeq: history.person_seq,
              personId: history.person_id,
            }
          : null,
        quarantine: quarantine
          ? {
              code: quarantine.code,
              path: quarantine.path,
              message: quarantine.message,
              status: quarantine.status,
              source: quarantine.source_id,
              receivedAt: quarantine.received_at,
            }
          : null,
        explanations: explanations.map(asExplanation),
        deliveries: deliveries.map(asDelivery),
      }
    },
  }),
]
