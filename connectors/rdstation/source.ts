/** Webhooks of RD Station Marketing and CRM. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import { defineSource, type SourceItem } from '../../core/kit/index.ts'
import { isFields } from './contact.ts'
import { readWebhook } from './webhook.ts'
import { readLeads } from './webhook-v1.ts'

export default defineSource({
  id: 'rdstation',
  name: 'RD Station',
  docs: 'https://developers.rdstation.com/reference/webhooks',
  support: 'community',

  settings: Type.Object(
    {
      token: Type.String({
        minLength: 8,
        secret: true,
        description: 'Secret of the webhook, in the URL (?token=) or in a header. RD Station signs nothing.',
      }),
      header: Type.String({
        default: 'x-anuente-token',
        pattern: '^[A-Za-z0-9-]+$',
        description:
          'Header the token may come in: auth_header of a webhook made through the API (auth_key is the token).',
      }),
      leadsTrigger: Type.Optional(
        Type.Union([Type.Literal('conversion'), Type.Literal('opportunity')], {
          description:
            'What webhooks of the first form (leads) were set up for; they do not say. conversion when absent.',
        }),
      ),
    },
    { additionalProperties: false },
  ),

  routes: [],
  maxBytes: 1_000_000,
  // When the webhook was sent; event_timestamp is when it happened.
  volatileFields: ['timestamp'],
  credentials: () => [],
  keys: () => [],

  verify({ query, headers }, { token, header = 'x-anuente-token' }) {
    const given = headers[header.toLowerCase()] ?? query['token']
    return given !== undefined && sameSecret(given, token) ? true : 'BAD_SIGNATURE'
  },

  /**
   * RD Station tries the address with a body of its own when the webhook is made, and suspends webhooks that are
   * answered with errors: nothing is thrown, and what is no webhook gives no event.
   */
  normalize({ body }, { leadsTrigger = 'conversion' }): SourceItem[] {
    const text = body.toString('utf8')
    if (text.trim() === '') return []
    const payload = parse(text)
    if (payload === undefined)
      return [{ rejected: { code: 'INVALID', path: '', message: 'The body is not JSON.' }, raw: text }]
    if (!isFields(payload)) return []
    return Object.hasOwn(payload, 'leads') ? readLeads(payload, leadsTrigger) : (readWebhook(payload) ?? [])
  },

  accept: (_request, { recorded, quarantined }) => ({ status: 200, body: { ok: true, recorded, quarantined } }),
})

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The first form was also seen as a form field holding JSON.
    const leads = text.startsWith('leads=') ? new URLSearchParams(text).get('leads') : null
    return leads === null ? undefined : { leads }
  }
}

/** Compares digests, so that neither length nor first difference shows in the time taken. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
