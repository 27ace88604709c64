/** Webhooks (Settings > Developer > Manage webhooks), form-encoded: https://developers.activecampaign.com/page/webhooks. */
import { type FeedbackItem, InputError, type RawRequest } from '../../core/kit/index.ts'

const KINDS: Readonly<Record<string, FeedbackItem['kind']>> = {
  sent: 'delivered',
  open: 'opened',
  click: 'clicked',
  bounce: 'bounced',
  unsubscribe: 'unsubscribed',
}

export function readEvents({ body }: RawRequest): FeedbackItem[] {
  const form = new URLSearchParams(body.toString('utf8'))
  const type = form.get('type')
  if (type === null)
    throw new InputError('INVALID', 'the body is not a webhook of ActiveCampaign: it has no "type"', '')
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined
  const email = form.get('contact[email]')
  if (kind === undefined || !email) return []
  const at = Date.parse(form.get('date_time') ?? '')
  return [
    {
      kind,
      channel: 'email',
      identifiers: [{ type: 'email', value: email }],
      ...(!Number.isNaN(at) && { at: new Date(at).toISOString() }),
    },
  ]
}
