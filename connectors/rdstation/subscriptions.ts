/**
 * Webhooks that RD Station calls, made through its API: https://developers.rdstation.com/reference/webhooks. It tries
 * the address with a body of its own, which the source answers with 200.
 */
import type { HttpResponse, WebhookManagement } from '../../core/kit/index.ts'

const PATH = '/integrations/webhooks'

export const subscriptions: WebhookManagement<unknown> = {
  source: 'rdstation',
  events: ['WEBHOOK.CONVERTED', 'WEBHOOK.MARKED_OPPORTUNITY'],

  async list({ http }) {
    const { json } = await http.lookup(PATH)
    const found = (json as { webhooks?: unknown } | undefined)?.webhooks ?? json
    return (Array.isArray(found) ? (found as Record<string, unknown>[]) : []).flatMap(({ uuid, event_type, url }) =>
      typeof uuid === 'string' && typeof url === 'string' ? [{ id: uuid, event: String(event_type), url }] : [],
    )
  },

  // The token goes in a header: addresses end in logs along the way.
  create: ({ http, url, event, source }): Promise<HttpResponse> =>
    http.request('POST', PATH, {
      json: {
        event_type: event,
        entity_type: 'CONTACT',
        url,
        http_method: 'POST',
        event_identifiers: [],
        include_relations: ['COMPANY', 'CONTACT_FUNNEL'],
        auth_header: source['header'] ?? 'x-anuente-token',
        auth_key: source['token'],
      },
    }),

  remove: ({ http, id }) => http.request('DELETE', `${PATH}/${encodeURIComponent(id)}`),
}
