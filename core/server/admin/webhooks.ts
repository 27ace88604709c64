/** Webhooks at a vendor that call this hub. */
import { IdParams } from '../../../schemas/admin.ts'
import { type Webhooks as Answer, Webhooks } from '../../../schemas/connections.ts'
import { type AnyRoute, defineRoute, expectOk } from './route.ts'

const TAG = 'Connections'
const ERRORS = [
  { status: 400, code: 'INVALID', when: 'The vendor has no API for it, or no source would be called.' },
  { status: 404, code: 'NOT_FOUND', when: 'No destination has this id.' },
  { status: 409, code: 'REFUSED', when: 'The vendor refuses it.' },
  { status: 503, code: 'UNAVAILABLE', when: 'The vendor does not answer now, or its account is not connected.' },
] as const

const route = (
  method: 'GET' | 'POST' | 'DELETE',
  command: string,
  summary: string,
  permission: 'connectors.read' | 'connectors.write',
): AnyRoute =>
  defineRoute({
    method,
    path: '/api/destinations/{id}/webhooks',
    operationId: command,
    tag: TAG,
    summary,
    permission,
    params: IdParams,
    answer: Webhooks,
    errors: ERRORS,
    handle: async ({ context, identity, params }) =>
      expectOk(await context.run({ name: command, args: { destination: params.id }, actor: identity.id })) as Answer,
  })

export const webhookRoutes: readonly AnyRoute[] = [
  route('GET', 'listWebhooks', "The webhooks of the vendor's account, those of others included.", 'connectors.read'),
  route('POST', 'createWebhooks', 'Makes those that this hub takes and that are not there yet.', 'connectors.write'),
  route('DELETE', 'deleteWebhooks', 'Takes away those that call this hub, and no others.', 'connectors.write'),
]
