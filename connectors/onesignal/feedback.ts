/** Event streams (https://documentation.onesignal.com/docs/event-streams), with the body they propose. */
import { type FeedbackItem, InputError, isLoose, type RawRequest, readJson } from '../../core/kit/index.ts'

const KINDS: Readonly<Record<string, FeedbackItem['kind']>> = {
  'message.push.received': 'delivered',
  'message.push.clicked': 'clicked',
  'message.push.failed': 'bounced',
  'message.push.unsubscribed': 'unsubscribed',
  'message.email.received': 'delivered',
  'message.email.opened': 'opened',
  'message.email.clicked': 'clicked',
  'message.email.hard_bounced': 'bounced',
  'message.email.reported_as_spam': 'complained',
  'message.email.unsubscribed': 'unsubscribed',
  'message.sms.delivered': 'delivered',
  'message.sms.failed': 'bounced',
}

export function readEvents(request: RawRequest): FeedbackItem[] {
  const body = readJson(request)
  const events = Array.isArray(body) ? body : [body]
  if (!events.every(isLoose)) throw new InputError('INVALID', 'the body must be an event or a list of events', '')
  return events.flatMap((one): FeedbackItem[] => {
    const { event } = one
    if (!isLoose(event))
      throw new InputError('INVALID', 'there is no "event": use the body that OneSignal proposes', '/event')
    const name = String(event['kind'])
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
    const { external_id: userId, timestamp: seconds } = event
    if (kind === undefined || typeof userId !== 'string' || userId === '') return []
    return [
      {
        kind,
        channel: name.split('.')[1]!,
        identifiers: [{ type: 'userId', value: userId }],
        ...(typeof seconds === 'number' && { at: new Date(seconds * 1000).toISOString() }),
      },
    ]
  })
}
