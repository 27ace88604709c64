/**
 * The webhook action of a flow (https://help.klaviyo.com/hc/en-us/articles/4408802648731), whose body the operator writes:
 * `{"event": "unsubscribed", "email": "{{ person.email }}", "phone": "{{ person.phone_number }}"}` in a flow that starts
 * with Unsubscribed from Email Marketing, Marked Email as Spam, Bounced Email, Unsubscribed from SMS Marketing …
 */
import { type FeedbackItem, InputError, isLoose, type RawRequest, readJson } from '../../core/kit/index.ts'

const KINDS: ReadonlySet<string> = new Set(['delivered', 'opened', 'clicked', 'bounced', 'complained', 'unsubscribed'])
const CHANNELS: ReadonlySet<string> = new Set(['email', 'sms', 'push'])

export function readEvents(request: RawRequest): FeedbackItem[] {
  const body = readJson(request)
  const events = Array.isArray(body) ? body : [body]
  if (!events.every(isLoose)) throw new InputError('INVALID', 'the body must be an object or a list of objects', '')
  return events.flatMap((event, index): FeedbackItem[] => {
    const kind = String(event['event'])
    if (!KINDS.has(kind))
      throw new InputError('INVALID', `"event" must be one of: ${[...KINDS].join(', ')}.`, `/${index}/event`)
    const { email, phone, channel } = event
    const identifiers = [
      ...(typeof email === 'string' && email !== '' ? [{ type: 'email' as const, value: email }] : []),
      ...(typeof phone === 'string' && phone !== '' ? [{ type: 'phone' as const, value: phone }] : []),
    ]
    if (identifiers.length === 0) return []
    return [
      {
        kind: kind as FeedbackItem['kind'],
        channel: typeof channel === 'string' && CHANNELS.has(channel) ? channel : 'email',
        identifiers,
      },
    ]
  })
}
