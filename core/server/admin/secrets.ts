/** Secrets of settings: set and deleted, told by name, never given back. */
import { Done } from '../../../schemas/admin.ts'
import { SecretAnswer, SecretParams, Secrets, SetSecretRequest } from '../../../schemas/connections.ts'
import { listSecrets } from '../../secrets/commands.ts'
import { actorNames } from './actors.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Secrets'

export const secretRoutes: readonly AnyRoute[] = [
  defineRoute({
    method: 'GET',
    path: '/api/secrets',
    operationId: 'listSecrets',
    tag: TAG,
    summary: 'Names of the secrets, when and by whom they were set, and the last four characters of long ones.',
    permission: 'connectors.write',
    answer: Secrets,
    handle: async ({ context }) => {
      const { db } = context.state
      const [{ items }, nameOf] = await Promise.all([listSecrets(db), actorNames(db)])
      return { items: items.map((item) => ({ ...item, setBy: nameOf(item.setBy) })) }
    },
  }),

  defineRoute({
    method: 'POST',
    path: '/api/secrets',
    operationId: 'setSecret',
    tag: TAG,
    summary: 'Set a secret, or replace it. The hub takes it at its next start.',
    permission: 'connectors.write',
    body: SetSecretRequest,
    answer: SecretAnswer,
    handle: async ({ context, identity, body }) =>
      expectOk(await context.run({ name: 'setSecret', args: body, actor: identity.id })) as {
        name: string
        replaced: boolean
      },
  }),

  defineRoute({
    method: 'DELETE',
    path: '/api/secrets/{name}',
    operationId: 'deleteSecret',
    tag: TAG,
    summary: 'Delete a secret. A configuration that refers to it does not start any more.',
    permission: 'connectors.write',
    params: SecretParams,
    answer: Done,
    errors: [{ status: 404, code: 'NOT_FOUND', when: 'No secret has this name.' }],
    handle: async ({ context, identity, params }) => {
      expectOk(await context.run({ name: 'deleteSecret', args: params, actor: identity.id }))
      return { ok: true as const }
    },
  }),
]
