/**
 * The signed Event Webhook.
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
 */
import { createPublicKey, verify } from 'node:crypto'
import { type FeedbackItem, InputError, isLoose, type RawRequest, readJson } from '../../core/kit/index.ts'
import type { ExitCode } from '../../schemas/exits.ts'

/** ECDSA P-256 with SHA-256 over timestamp and raw body. Without a key nobody is believed. */
export function verifyEvents(
  { headers, body }: RawRequest,
  { eventVerification }: { readonly eventVerification?: string },
): true | ExitCode {
  const signature = headers['x-twilio-email-event-webhook-signature']
  const timestamp = headers['x-twilio-email-event-webhook-timestamp']
  if (eventVerification === undefined || !signature || !timestamp) return 'BAD_SIGNATURE'
  try {
    const key = createPublicKey({ key: Buffer.from(eventVerification, 'base64'), format: 'der', type: 'spki' })
    const signed = Buffer.concat([Buffer.from(timestamp, 'utf8'), body])
    return verify('sha256', signed, key, Buffer.from(signature, 'base64')) ? true : 'BAD_SIGNATURE'
  } catch {
    return 'BAD_SIGNATURE' // A key or signature that is none.
  }
}

/** https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event */
const KINDS: Readonly<Record<string, FeedbackItem['kind']>> = {
  delivered: 'delivered',
  open: 'opened',
  click: 'clicked',
  bounce: 'bounced',
  dropped: 'bounced',
  spamreport: 'complained',
  unsubscribe: 'unsubscribed',
  group_unsubscribe: 'unsubscribed',
}

/** One item per event; processed and deferred say nothing that lasts. */
export function readEvents(request: RawRequest): FeedbackItem[] {
  const events = readJson(request)
  if (!Array.isArray(events)) throw new InputError('INVALID', 'the body must be a list of events', '')
  return events.filter(isLoose).flatMap((event): FeedbackItem[] => {
    const name = String(event['event'])
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
    if (kind === undefined) return []
    const { anuente_delivery_id: deliveryId, email, timestamp } = event
    return [
      {
        kind,
        channel: 'email',
        ...(typeof deliveryId === 'string' && { deliveryId }),
        ...(typeof email === 'string' && { identifiers: [{ type: 'email' as const, value: email }] }),
        ...(typeof timestamp === 'number' && { at: new Date(timestamp * 1000).toISOString() }),
      },
    ]
  })
}
