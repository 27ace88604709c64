/**
 * Full, valid CanonicalEvents for tests, deterministic: the same call gives the same event.
 * Identifiers found in the traits are added as the hub would add them.
 */
import { createHash } from 'node:crypto'
import type { CallType, CanonicalEvent, Identifier, IdentifierType } from '../../schemas/event.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'

/** When example events happen; they arrive ten seconds later. */
const OCCURRED_AT = '2026-11-24T11:59:30.000Z'

export interface GivenEvent {
  readonly name?: string
  readonly userId?: string
  readonly anonymousId?: string
  /** Added to those found in the traits; normalised already. */
  readonly identifiers?: readonly Identifier[]
  readonly previousId?: string
  readonly traits?: Readonly<Record<string, unknown>>
  readonly properties?: Readonly<Record<string, unknown>>
  readonly context?: Readonly<Record<string, unknown>>
  readonly messageId?: string
  readonly occurredAt?: string
  readonly receivedAt?: string
  readonly consent?: CanonicalEvent['consent']
  readonly source?: Partial<CanonicalEvent['source']>
  readonly deliveryId?: string
}

const build = (type: CallType, given: GivenEvent, name: string): CanonicalEvent => {
  const found: [IdentifierType, unknown][] = [
    ['userId', given.userId],
    ['cpf', given.traits?.['cpf']],
    ['email', given.traits?.['email']],
    ['phone', given.traits?.['phone']],
    ['anonymousId', given.anonymousId],
  ]
  const identifiers: Identifier[] = [...(given.identifiers ?? [])]
  for (const [kind, value] of found) {
    const normal = normalizeIdentifier(kind, value)
    if (normal !== undefined && !identifiers.some((other) => other.type === kind))
      identifiers.push({ type: kind, value: normal })
  }
  if (identifiers.length === 0) identifiers.push({ type: 'anonymousId', value: 'device-1' })
  const occurredAt = given.occurredAt ?? OCCURRED_AT
  const messageId =
    given.messageId ??
    `msg-${createHash('sha256')
      .update(JSON.stringify([type, given]))
      .digest('hex')
      .slice(0, 12)}`
  return {
    schemaVersion: 1,
    id: ulidFrom(messageId),
    messageId,
    type,
    name,
    occurredAt,
    receivedAt: given.receivedAt ?? new Date(Date.parse(occurredAt) + 10_000).toISOString(),
    source: {
      id: 'site',
      connector: 'segment',
      payloadHash: createHash('sha256').update(messageId).digest('hex'),
      ...given.source,
    },
    subject: { identifiers, ...(given.previousId !== undefined && { previousId: given.previousId }) },
    traits: { ...given.traits },
    properties: { ...given.properties },
    context: { ...given.context },
    consent: given.consent ?? [],
    ...(given.deliveryId !== undefined && { deliveryId: given.deliveryId }),
  }
}

/** A ULID made from text: 26 characters of Crockford base 32, the first at most 7. */
function ulidFrom(text: string): string {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  const bytes = createHash('sha256').update(text).digest()
  return `0${Array.from(bytes.subarray(0, 25), (byte) => alphabet[byte % 32]).join('')}`
}

export const track = (given: GivenEvent & { readonly name: string }): CanonicalEvent =>
  build('track', given, given.name)
export const identify = (given: GivenEvent = {}): CanonicalEvent => build('identify', given, 'identify')
export const page = (given: GivenEvent = {}): CanonicalEvent => build('page', given, given.name ?? 'Home')
export const screen = (given: GivenEvent = {}): CanonicalEvent => build('screen', given, given.name ?? 'Home')
export const group = (given: GivenEvent = {}): CanonicalEvent => build('group', given, 'group')
export const alias = (given: GivenEvent & { readonly previousId: string }): CanonicalEvent =>
  build('alias', given, 'alias')
