/**
 * Status notices and answers of people.
 * https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  type FeedbackItem,
  type HttpAnswer,
  InputError,
  isLoose,
  type Loose,
  type RawRequest,
  readJson,
} from '../../core/kit/index.ts'
import type { ExitCode } from '../../schemas/exits.ts'

/** https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads: HMAC-SHA256 with the app secret. */
export function verifyNotice(
  { headers, body }: RawRequest,
  { appSecret }: { readonly appSecret?: string },
): true | ExitCode {
  const given = Buffer.from(headers['x-hub-signature-256']?.replace(/^sha256=/, '') ?? '', 'hex')
  if (appSecret === undefined) return 'BAD_SIGNATURE'
  const expected = createHmac('sha256', appSecret).update(body).digest()
  return given.length === expected.length && timingSafeEqual(given, expected) ? true : 'BAD_SIGNATURE'
}

/**
 * https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests: a GET with the verify
 * token, answered by its challenge alone.
 */
export function answerChallenge(
  { method, query }: RawRequest,
  { verifyToken }: { readonly verifyToken?: string },
): HttpAnswer | ExitCode | undefined {
  if (method !== 'GET') return undefined
  const [given, own] = [query['hub.verify_token'] ?? '', verifyToken ?? ''].map((text) =>
    createHmac('sha256', 'verify').update(text).digest(),
  )
  if (verifyToken === undefined || query['hub.mode'] !== 'subscribe' || !timingSafeEqual(given!, own!))
    return 'BAD_SIGNATURE'
  // Digits today; whatever else came would be a page of somebody else's under our name.
  const challenge = query['hub.challenge'] ?? ''
  return /^[\w-]{1,200}$/.test(challenge) ? { status: 200, body: challenge } : 'INVALID'
}

const KINDS: Readonly<Record<string, FeedbackItem['kind']>> = {
  delivered: 'delivered',
  read: 'opened',
  failed: 'bounced',
}

/** One item per status or message; a person who stopped marketing messages in the app is an unsubscribe (131050). */
export function readNotice(request: RawRequest): FeedbackItem[] {
  const notice = readJson(request)
  if (!isLoose(notice)) throw new InputError('INVALID', 'the body must be an object', '')
  const values = list(notice['entry'])
    .flatMap((entry) => list(entry['changes']))
    .flatMap(({ value }) => (isLoose(value) ? [value] : []))
  return values.flatMap((value) => [
    ...list(value['statuses']).flatMap(ofStatus),
    ...list(value['messages']).flatMap(ofMessage),
    ...list(value['user_preferences']).flatMap(ofPreference),
  ])
}

function ofStatus(status: Loose): FeedbackItem[] {
  const name = String(status['status'])
  const stopped = list(status['errors']).some(({ code }) => code === 131050)
  const kind = stopped ? 'unsubscribed' : Object.hasOwn(KINDS, name) ? KINDS[name] : undefined
  const { biz_opaque_callback_data: deliveryId, recipient_id: phone } = status
  return kind === undefined
    ? []
    : [{ kind, ...common(phone, status['timestamp']), ...(typeof deliveryId === 'string' && { deliveryId }) }]
}

function ofMessage(message: Loose): FeedbackItem[] {
  const { text, button, from } = message
  const said = isLoose(text) ? text['body'] : isLoose(button) ? button['text'] : undefined
  return [{ kind: 'replied', ...common(from, message['timestamp']), ...(typeof said === 'string' && { text: said }) }]
}

// https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/user_preferences
const ofPreference = (preference: Loose): FeedbackItem[] =>
  preference['category'] === 'marketing_messages' && preference['value'] === 'stop'
    ? [{ kind: 'unsubscribed', ...common(preference['wa_id'], preference['timestamp']) }]
    : []

/** A wa_id is a phone number in digits, without plus sign. */
const common = (phone: unknown, seconds: unknown) => ({
  channel: 'whatsapp',
  ...(typeof phone === 'string' && {
    identifiers: [{ type: 'phone' as const, value: `+${phone.replace(/\D/g, '')}` }],
  }),
  ...(Number(seconds) > 0 && { at: new Date(Number(seconds) * 1000).toISOString() }),
})

const list = (value: unknown): Loose[] => (Array.isArray(value) ? value.filter(isLoose) : [])
