/** Accounts connected by OAuth: how they are, the page at the vendor, the code it comes back with. */
import { Done, IdParams } from '../../../schemas/admin.ts'
import { BeginAnswer, ConnectionAnswer, Connections, FinishRequest } from '../../../schemas/connections.ts'
import { redirectUrlOf } from '../../connections/flow.ts'
import { connectionStatuses } from '../../connections/status.ts'
import type { ServerContext } from '../context.ts'
import { actorNames } from './actors.ts'
import type { Identity } from './identity.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Connections'

/** What an authorisation is bound to: the session of the browser, or the token of a program. */
const sessionOf = ({ sessionHash, id }: Identity): string => sessionHash ?? `token ${id}`

/** Destinations as the routes see them: the registry beside the configuration. */
export const connectable = ({ config, registry }: Pick<ServerContext, 'config' | 'registry'>) =>
  Object.entries(config.destinations ?? {}).flatMap(([id, { connector, settings = {} }]) => {
    const definition = registry.destinations.get(connector)
    return definition?.oauth ? [{ id, connector, definition, settings }] : []
  })

export function oauthRoutes({ publicUrl }: { readonly publicUrl: string }): readonly AnyRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/connections',
      operationId: 'listConnections',
      tag: TAG,
      summary: 'The accounts that destinations send with, and what waits for those that have to be connected.',
      permission: 'connectors.read',
      answer: Connections,
      handle: async ({ context, now }) => {
        const destinations = connectable(context)
        const statuses = await connectionStatuses(destinations, context.state.db, now)
        const nameOf = await actorNames(context.state.db)
        const waiting =
          statuses.length === 0
            ? []
            : await context.state.db
                .selectFrom('deliveries')
                .select(({ fn }) => ['destination', fn.countAll<number>().as('open')])
                .where('settled_at', 'is', null)
                .groupBy('destination')
                .execute()
        return {
          redirectUrl: redirectUrlOf(publicUrl),
          items: statuses.map((status) => ({
            ...status,
            connectedBy: status.connectedBy === null ? null : nameOf(status.connectedBy),
            docs: destinations.find(({ id }) => id === status.destination)?.definition.oauth?.docs ?? '',
            waiting:
              status.state === 'connected' || status.state === 'expiring'
                ? 0
                : Number(waiting.find(({ destination }) => destination === status.destination)?.open ?? 0),
          })),
        }
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/connections/{id}/begin',
      operationId: 'beginConnection',
      tag: TAG,
      summary: "Begins connecting an account: the vendor's page, good for 15 minutes and for this session only.",
      permission: 'connectors.write',
      params: IdParams,
      answer: BeginAnswer,
      errors: [
        { status: 400, code: 'INVALID', when: 'The settings of the destination hold a credential of their own.' },
        { status: 404, code: 'NOT_FOUND', when: 'No destination has this id.' },
      ],
      handle: async ({ context, identity, params }) => {
        const { destination, url, redirectUrl, expiresAt } = expectOk(
          await context.run({
            name: 'beginConnection',
            args: { destination: params.id, session: sessionOf(identity) },
            actor: identity.id,
          }),
        ) as BeginAnswer
        return { destination, url, redirectUrl, expiresAt }
      },
    }),

    defineRoute({
      method: 'POST',
      path: '/api/connections/finish',
      operationId: 'finishConnection',
      tag: TAG,
      summary: 'Hands in the state and the code that the vendor sent the browser back with.',
      permission: 'connectors.write',
      body: FinishRequest,
      answer: ConnectionAnswer,
      errors: [
        { status: 409, code: 'STATE_UNKNOWN', when: 'Another session began it, it was used, or it is too old.' },
        { status: 409, code: 'REFUSED', when: 'The vendor gives no token for this code.' },
        { status: 503, code: 'UNAVAILABLE', when: 'The vendor does not answer now.' },
      ],
      handle: async ({ context, identity, body }) =>
        expectOk(
          await context.run({
            name: 'finishConnection',
            args: { ...body, session: sessionOf(identity) },
            actor: identity.id,
          }),
        ) as ConnectionAnswer,
    }),

    defineRoute({
      method: 'DELETE',
      path: '/api/connections/{id}',
      operationId: 'disconnect',
      tag: TAG,
      summary: 'Forgets the tokens of an account; its deliveries wait from then on.',
      permission: 'connectors.write',
      params: IdParams,
      answer: Done,
      errors: [{ status: 404, code: 'NOT_FOUND', when: 'No account of it is connected.' }],
      handle: async ({ context, identity, params }) => {
        expectOk(await context.run({ name: 'disconnect', args: { destination: params.id }, actor: identity.id }))
        return { ok: true as const }
      },
    }),
  ]
}
