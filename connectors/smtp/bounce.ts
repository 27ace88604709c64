/**
 * Bounces and complaints, which SMTP returns as mails to the sender. Whatever receives that mailbox posts each message,
 * as it came, to /in/<destination id>: delivery status (RFC 3464) and feedback reports (RFC 5965) are read, other
 * mails say nothing. Only fields of the report and two headers of the returned mail are looked at.
 */
import { timingSafeEqual } from 'node:crypto'
import { type FeedbackItem, InputError, type RawRequest } from '../../core/kit/index.ts'
import type { ExitCode } from '../../schemas/exits.ts'

const MAX_CHARACTERS = 500_000

/** A bearer token of the operator's; without one nobody is believed. */
export function verifyBounce(
  { headers }: RawRequest,
  { feedbackToken }: { readonly feedbackToken?: string },
): true | ExitCode {
  const given = Buffer.from(headers['authorization']?.replace(/^Bearer\s+/i, '') ?? '')
  const expected = Buffer.from(feedbackToken ?? '')
  return expected.length > 0 && given.length === expected.length && timingSafeEqual(given, expected)
    ? true
    : 'BAD_SIGNATURE'
}

export function readBounce({ body }: RawRequest): FeedbackItem[] {
  // Folded header lines (RFC 5322 §2.2.3) become one.
  const mail = body
    .subarray(0, MAX_CHARACTERS)
    .toString('utf8')
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]+/g, ' ')
  if (!/^[\w-]+:/m.test(mail)) throw new InputError('INVALID', 'the body must be a mail as it came', '')
  const kind = kindOf(mail)
  if (kind === undefined) return []
  const deliveryId = field(mail, 'X-Anuente-Delivery') ?? messageIdOf(mail)
  const recipient = addressOf(
    field(mail, 'Final-Recipient') ?? field(mail, 'Original-Recipient') ?? field(mail, 'Original-Rcpt-To'),
  )
  return [
    {
      kind,
      channel: 'email',
      ...(deliveryId !== undefined && { deliveryId }),
      ...(recipient !== undefined && { identifiers: [{ type: 'email' as const, value: recipient }] }),
    },
  ]
}

/** A delay (action "delayed", status 4.x.x) says nothing that lasts. */
function kindOf(mail: string): FeedbackItem['kind'] | undefined {
  if (/^(abuse|fraud)$/i.test(field(mail, 'Feedback-Type') ?? '')) return 'complained'
  const action = field(mail, 'Action')?.toLowerCase()
  const status = field(mail, 'Status') ?? ''
  if (action === 'failed' && status.startsWith('5')) return 'bounced'
  return action === 'delivered' ? 'delivered' : undefined
}

/** The last of this name: the returned mail stands at the end, and its own headers count. */
const field = (mail: string, name: string): string | undefined =>
  [...mail.matchAll(new RegExp(`^${name}:[ \\t]*(.*)$`, 'gim'))].at(-1)?.[1]?.trim()

/** "rfc822; ana@example.com" or "<ana@example.com>". */
const addressOf = (value: string | undefined): string | undefined =>
  /([^\s<>;]+@[^\s<>;]+)/.exec(value ?? '')?.[1]?.toLowerCase()

/** Ours are <delivery id@domain>; the report itself has one of its own, first. */
const messageIdOf = (mail: string): string | undefined => {
  const ids = [...mail.matchAll(/^Message-ID:[ \t]*<([\w-]+)@/gim)].map(([, id]) => id)
  return ids.length > 1 ? ids.at(-1) : undefined
}
