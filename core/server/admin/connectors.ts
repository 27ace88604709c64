/** Sources, destinations, purposes and rules as they are configured, with what passed through them in a day. */
import { Destinations, IdParams, Purposes, Sources } from '../../../schemas/admin.ts'
import { RowsAnswer, RowsRequest } from '../../../schemas/import-rows.ts'
import type { Db } from '../../stores/open.ts'
import { maskSettings } from './masking.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Connectors'
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

interface Traffic {
  readonly counts: { code: string; count: number }[]
  lastAt: number
}

async function trafficSince(db: Db, since: number): Promise<Map<string, Traffic>> {
  const rows = await db
    .selectFrom('rollups')
    .select(({ fn }) => ['origin', 'code', fn.sum<number>('count').as('total'), fn.max('minute').as('last')])
    .where('minute', '>=', Math.floor(since / MINUTE_MS))
    .groupBy(['origin', 'code'])
    .execute()
  const traffic = new Map<string, Traffic>()
  for (const row of rows) {
    const one = traffic.get(row.origin) ?? { counts: [], lastAt: 0 }
    traffic.set(row.origin, one)
    one.counts.push({ code: row.code, count: Number(row.total) })
    one.lastAt = Math.max(one.lastAt, Number(row.last) * MINUTE_MS)
  }
  for (const one of traffic.values()) one.counts.sort((a, b) => b.count - a.count)
  return traffic
}

export function connectorRoutes(options: { readonly publicUrl: string }): readonly AnyRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/sources',
      operationId: 'listSources',
      tag: TAG,
      summary: 'The sources of anuente.yaml, secrets masked, with the counts of the last 24 hours.',
      permission: 'connectors.read',
      answer: Sources,
      handle: async ({ context, now }) => {
        const traffic = await trafficSince(context.state.db, now - DAY_MS)
        return {
          items: Object.entries(context.config.sources).map(([id, source]) => {
            const definition = context.registry.sources.get(source.connector)
            const seen = traffic.get(`source:${id}`)
            return {
              id,
              connector: source.connector,
              name: definition?.name ?? source.connector,
              docs: definition?.docs ?? null,
              support: definition?.support ?? null,
              installed: definition !== undefined,
              webhookUrl: `${options.publicUrl}/in/${id}`,
              settings: maskSettings(source.settings ?? {}, definition?.settings),
              notice: source.notice ? { id: source.notice.id, version: source.notice.version } : null,
              received24h: seen?.counts.find(({ code }) => code === 'RECEIVED')?.count ?? 0,
              counts24h: seen?.counts.filter(({ code }) => code !== 'RECEIVED') ?? [],
              lastAt: seen?.lastAt ?? null,
            }
          }),
        }
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/sources/{id}/rows',
      operationId: 'importRows',
      tag: TAG,
      summary:
        'Rows of a file for a source with connector file: mapped by its settings, through the ingest of every event.',
      permission: 'sources.write',
      params: IdParams,
      bodyLimit: 1024 * 1024,
      body: RowsRequest,
      answer: RowsAnswer,
      errors: [
        { status: 400, code: 'INVALID', when: 'The source takes no rows. Mistakes of a row set that row aside.' },
        { status: 404, code: 'NOT_FOUND', when: 'No source has this id.' },
        { status: 429, code: 'OVERLOADED', when: 'The hub is behind: send the same rows again in a few seconds.' },
      ],
      handle: async ({ context, identity, params, body }) =>
        expectOk(
          await context.run({ name: 'importRows', args: { ...body, source: params.id }, actor: identity.id }),
        ) as RowsAnswer,
    }),

    defineRoute({
      method: 'GET',
      path: '/api/destinations',
      operationId: 'listDestinations',
      tag: TAG,
      summary:
        'The destinations of anuente.yaml, secrets masked, with their queue and the counts of the last 24 hours.',
      permission: 'connectors.read',
      answer: Destinations,
      handle: async ({ context, now }) => {
        const { db } = context.state
        const traffic = await trafficSince(db, now - DAY_MS)
        const open = await db
          .selectFrom('deliveries')
          .select(({ fn }) => ['destination', fn.countAll<number>().as('open'), fn.min('due_at').as('oldest')])
          .where('settled_at', 'is', null)
          .groupBy('destination')
          .execute()
        const dead = await db
          .selectFrom('deliveries')
          .select(({ fn }) => ['destination', fn.countAll<number>().as('dead')])
          .where('status', '=', 'dead')
          .groupBy('destination')
          .execute()
        return {
          items: Object.entries(context.config.destinations ?? {}).map(([id, destination]) => {
            const definition = context.registry.destinations.get(destination.connector)
            const seen = traffic.get(`destination:${id}`)
            const queue = open.find((row) => row.destination === id)
            const erase = definition?.deleteSubject
            const { purposes } = destination
            return {
              id,
              connector: destination.connector,
              name: definition?.name ?? destination.connector,
              docs: definition?.docs ?? null,
              support: definition?.support ?? null,
              installed: definition !== undefined,
              role: destination.role ?? 'operator',
              country: destination.country ?? null,
              purposes: Array.isArray(purposes) ? purposes : [...new Set(Object.values(purposes))],
              actions: Object.entries(definition?.actions ?? {}).map(([action, { title, purpose, channel }]) => ({
                id: action,
                title,
                purpose,
                channel: channel ?? null,
              })),
              settings: maskSettings(destination.settings ?? {}, definition?.settings),
              deletesSubject: !erase
                ? ('unknown' as const)
                : 'implemented' in erase
                  ? ('implemented' as const)
                  : 'manual' in erase
                    ? ('manual' as const)
                    : ('impossible' as const),
              created24h: seen?.counts.find(({ code }) => code === 'RECEIVED')?.count ?? 0,
              counts24h: seen?.counts.filter(({ code }) => code !== 'RECEIVED') ?? [],
              open: Number(queue?.open ?? 0),
              oldestDueAt: queue ? Number(queue.oldest) : null,
              dead: Number(dead.find((row) => row.destination === id)?.dead ?? 0),
              lastAt: seen?.lastAt ?? null,
            }
          }),
        }
      },
    }),

    defineRoute({
      method: 'GET',
      path: '/api/purposes',
      operationId: 'listPurposes',
      tag: TAG,
      summary: 'The purposes of anuente.yaml, and which destinations serve each.',
      permission: 'overview.read',
      answer: Purposes,
      handle: async ({ context }) => ({
        items: Object.entries(context.config.purposes).map(([id, purpose]) => ({
          id,
          title: purpose.title,
          basis: purpose.basis,
          scope: purpose.scope,
          stages: [...purpose.stages],
          destinations: Object.entries(context.config.destinations ?? {})
            .filter(([, { purposes }]) => (Array.isArray(purposes) ? purposes : Object.values(purposes)).includes(id))
            .map(([destination]) => destination),
        })),
      }),
    }),
  ]
}
