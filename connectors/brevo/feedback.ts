/** Webhooks of mails and campaigns: https://developers.brevo.com/docs/transactional-webhooks, …/marketing-webhooks. */
import { type FeedbackItem, InputError, isLoose, type RawRequest, readJson } from '../../core/kit/index.ts'

const KINDS: Readonly<Record<string, FeedbackItem['kind']>> = {
  delivered: 'delivered',
  opened: 'opened',
  unique_opened: 'opened',
  click: 'clicked',
  hard_bounce: 'bounced',
  soft_bounce: 'bounced',
  blocked: 'bounced',
  invalid_email: 'bounced',
  spam: 'complained',
  complaint: 'complained',
  unsubscribed: 'unsubscribed',
  unsubscribe: 'unsubscribed',
}

export function readEvents(request: RawRequest): FeedbackItem[] {
  const body = readJson(request)
  const events = Array.isArray(body) ? body : [body]
  if (!events.every(isLoose)) throw new InputError('INVALID', 'the body must be an event or a list of events', '')
  return events.flatMap((event): FeedbackItem[] => {
    const name = String(event['event'])
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
    const { email, ts_event: seconds } = event
    const custom = event['X-Mailin-custom']
    return kind === undefined
      ? []
      : [
          {
            kind,
            channel: 'email',
            ...(typeof custom === 'string' && custom !== '' && { deliveryId: custom }),
            ...(typeof email === 'string' && { identifiers: [{ type: 'email' as const, value: email }] }),
            ...(typeof seconds === 'number' && { at: new Date(seconds * 1000).toISOString() }),
          },
        ]
  })
}
