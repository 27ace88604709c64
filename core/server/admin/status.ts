import { HubStatus } from '../../../schemas/admin.ts'
import { connectionStatuses } from '../../connections/status.ts'
import { connectable } from './oauth.ts'
import { type AnyRoute, defineRoute } from './route.ts'

export function statusRoutes(options: {
  readonly version: string
  readonly startedAt: number
  readonly logBacklog?: (() => number) | undefined
}): readonly AnyRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/status',
      operationId: 'getStatus',
      tag: 'Overview',
      summary: 'How the hub is: version, queue and what waits.',
      permission: 'overview.read',
      answer: HubStatus,
      handle: async ({ context, now }) => {
        const { db } = context.state
        const open = await db
          .selectFrom('deliveries')
          .select(({ fn }) => [fn.countAll<number>().as('open'), fn.min('due_at').as('oldest')])
          .where('settled_at', 'is', null)
          .executeTakeFirstOrThrow()
        const ended = await db
          .selectFrom('deliveries')
          .select(({ fn }) => ['status', fn.countAll<number>().as('count')])
          .where('status', 'in', ['dead', 'uncertain'])
          .groupBy('status')
          .execute()
        const quarantined = await db
          .selectFrom('quarantine')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .where('status', '=', 'open')
          .executeTakeFirstOrThrow()
        const statuses = await connectionStatuses(connectable(context), db, now)
        const those = (...states: readonly string[]) =>
          statuses.filter(({ state }) => states.includes(state)).map(({ destination }) => destination)
        const count = (status: string) => Number(ended.find((row) => row.status === status)?.count ?? 0)
        return {
          version: options.version,
          startedAt: options.startedAt,
          now,
          simulated: context.config.simulated === true,
          queue: {
            open: Number(open.open),
            oldestDueAt: open.oldest === null ? null : Number(open.oldest),
            dead: count('dead'),
            uncertain: count('uncertain'),
          },
          quarantined: Number(quarantined.count),
          connections: { needed: those('needs_connection', 'never'), expiring: those('expiring') },
          logBacklog: options.logBacklog?.() ?? null,
        }
      },
    }),
  ]
}
