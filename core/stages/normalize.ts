/** normalize: what a source read becomes a CanonicalEvent, or goes to quarantine with a code and a path. Pure. */
import { createHash } from 'node:crypto'
import type { Purposes } from '../../consent/purposes.ts'
import { readSignals } from '../../consent/signals.ts'
import type { ConsentSignal, Notice } from '../../schemas/consent.ts'
import { type CanonicalEvent, EVENT_SCHEMA_VERSION, IDENTIFIER_TYPES, type Identifier } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { AnySource, SourceEvent, SourceItem } from '../kit/define.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'

/** Largest raw event, in bytes of JSON (Segment and RudderStack document the same figure). */
export const MAX_EVENT_BYTES = 32 * 1024
const MAX_DEPTH = 32
const MAX_MESSAGE_ID = 256
const DAY_MS = 86_400_000
const OLDEST = Date.UTC(2000, 0, 1)

export interface SourceContext {
  /** Instance name in anuente.yaml. */
  readonly id: string
  readonly connector: string
  readonly definition: AnySource
  readonly notice?: Notice | undefined
  readonly purposes: Purposes
}

export type Canonicalized =
  | {
      readonly event: CanonicalEvent
      readonly echo?: string
      readonly unanswered?: true
      /** What the client's clock was corrected by, in milliseconds; absent where it did not tell when it sent. */
      readonly skewMs?: number
    }
  | {
      readonly quarantine: { readonly code: ExitCode; readonly path: string; readonly message: string }
      readonly raw: string
      /** What it says of consent, where that and whose it is could be read: a withdrawal does not wait for the rest. */
      readonly stated?: Stated
    }

export interface Stated {
  readonly consent: readonly ConsentSignal[]
  readonly identifiers: readonly Identifier[]
  /** ISO 8601. */
  readonly receivedAt: string
}

/**
 * @param newId makes the hub's own ids (ULIDs).
 */
export function canonicalize(
  item: SourceItem,
  source: SourceContext,
  receivedAt: string,
  newId: () => string,
): Canonicalized {
  // Depth first: turning a body of a hundred thousand levels into text overflows the stack.
  const hostile = findHostile(item.raw, '', 0)
  const raw = hostile?.code === 'TOO_DEEP' ? textOfDeep(item.raw) : (JSON.stringify(item.raw) ?? 'null')
  const refuse = (code: ExitCode, path: string, message: string): Canonicalized => ({
    quarantine: { code, path: placeOf(item, path), message },
    raw,
    ...('event' in item && item.event.consent?.length && { stated: statedBy(item.event, source, receivedAt) }),
  })
  if ('rejected' in item) return refuse(item.rejected.code, item.rejected.path, item.rejected.message)
  if (Buffer.byteLength(raw) > MAX_EVENT_BYTES)
    return refuse('EVENT_TOO_LARGE', '', `the event is larger than ${MAX_EVENT_BYTES} bytes`)
  if (hostile) {
    const inEvent = 'rawPath' in item && item.rawPath !== undefined && hostile.path.startsWith(item.rawPath)
    return refuse(hostile.code, inEvent ? hostile.path.slice(item.rawPath.length) : hostile.path, hostile.message)
  }

  const { event } = item
  const messageId = event.messageId ?? `anuente-${newId()}`
  if (messageId.length > MAX_MESSAGE_ID || hasControl(messageId))
    return refuse(
      'INVALID',
      '/messageId',
      `messageId must be at most ${MAX_MESSAGE_ID} characters without control characters`,
    )
  const name = event.name ?? event.type
  if (name.length > 512 || hasControl(name))
    return refuse('INVALID', '/event', 'the event name must be at most 512 characters without control characters')

  const clock = occurredAt(event, receivedAt)
  if ('problem' in clock) return refuse('BAD_TIMESTAMP', clock.path, clock.problem)

  const identifiers = readIdentifiers(event)
  if (identifiers.length === 0)
    return refuse('NO_IDENTIFIER', '', 'no usable userId, anonymousId, e-mail, phone or device id')

  const previousId = event.previousId === undefined ? undefined : normalizeIdentifier('anonymousId', event.previousId)
  const verified = identifiers.some(({ type }) => type === 'userId' || type === 'cpf')
  const consent = event.consent?.length
    ? readSignals(event.consent, {
        purposes: source.purposes,
        sourceId: source.id,
        notice: source.notice,
        occurredAt: clock.at,
        verified,
      })
    : undefined
  return {
    event: {
      schemaVersion: EVENT_SCHEMA_VERSION,
      id: newId(),
      messageId,
      type: event.type,
      name: name.toWellFormed(),
      occurredAt: clock.at,
      receivedAt,
      source: {
        id: source.id,
        connector: source.connector,
        ...(event.originalName !== undefined &&
          event.originalName !== event.name && { originalName: event.originalName.toWellFormed() }),
        // Our own choice: rows of a file may be years old, and nobody wants a message about them.
        ...(source.definition.takesRows &&
          Date.parse(receivedAt) - Date.parse(clock.at) > DAY_MS && { past: true as const }),
        payloadHash: hashWithout(item.raw, source.definition.volatileFields, raw),
      },
      subject: { identifiers, ...(previousId !== undefined && { previousId }) },
      traits: { ...event.traits },
      properties: { ...event.properties },
      context: { ...event.context },
      consent: consent?.signals ?? [],
      ...(event.deliveryId !== undefined && { deliveryId: event.deliveryId }),
    },
    ...(event.echo !== undefined && { echo: event.echo }),
    ...(clock.skewMs !== undefined && { skewMs: clock.skewMs }),
    ...(consent?.unanswered && { unanswered: true as const }),
  }
}

function statedBy(event: SourceEvent, source: SourceContext, receivedAt: string): Stated {
  const identifiers = readIdentifiers(event)
  const { signals } = readSignals(event.consent ?? [], {
    purposes: source.purposes,
    sourceId: source.id,
    notice: source.notice,
    occurredAt: receivedAt,
    verified: identifiers.some(({ type }) => type === 'userId' || type === 'cpf'),
  })
  return { consent: signals, identifiers, receivedAt }
}

/** What a source refuses is named from the body already. */
const placeOf = (item: SourceItem, path: string) => ('event' in item ? `${item.path ?? ''}${path}` : path)

/** occurredAt = receivedAt - (sentAt - timestamp): only the client's clock is trusted for the difference. */
function occurredAt(
  event: SourceEvent,
  receivedAt: string,
): { at: string; skewMs?: number } | { problem: string; path: string } {
  const received = Date.parse(receivedAt)
  if (event.timestamp === undefined) return { at: receivedAt }
  const stated = Date.parse(event.timestamp)
  if (Number.isNaN(stated)) return { problem: 'the timestamp is not an ISO 8601 date', path: '/timestamp' }
  const sent = event.sentAt === undefined ? Number.NaN : Date.parse(event.sentAt)
  const skew = Number.isNaN(sent) ? 0 : received - sent
  const corrected = stated + skew
  if (corrected < OLDEST) return { problem: 'the timestamp is before the year 2000', path: '/timestamp' }
  if (corrected > received + DAY_MS)
    return { problem: 'the timestamp is more than a day in the future', path: '/timestamp' }
  // A client may be ahead of itself by moments; nothing happens after it was received.
  return {
    at: new Date(Math.min(corrected, received)).toISOString(),
    ...(!Number.isNaN(sent) && { skewMs: skew }),
  }
}

function readIdentifiers(event: SourceEvent): Identifier[] {
  const found = new Map<string, Identifier>()
  for (const { type, value } of event.identifiers) {
    const normal = normalizeIdentifier(type, value)
    if (normal !== undefined) found.set(`${type}\0${normal}`, { type, value: normal })
  }
  return [...found.values()].sort((a, b) => IDENTIFIER_TYPES.indexOf(a.type) - IDENTIFIER_TYPES.indexOf(b.type))
}

function findHostile(
  value: unknown,
  path: string,
  depth: number,
): { code: ExitCode; path: string; message: string } | undefined {
  if (value === null || typeof value !== 'object') return undefined
  if (depth > MAX_DEPTH) return { code: 'TOO_DEEP', path, message: `nested deeper than ${MAX_DEPTH} levels` }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = findHostile(value[index], `${path}/${index}`, depth + 1)
      if (found) return found
    }
    return undefined
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__' || (key === 'constructor' && typeof (value as Record<string, unknown>)[key] === 'object'))
      return { code: 'HOSTILE_KEY', path: `${path}/${key}`, message: 'a key that would change how objects behave' }
    const child = (value as Record<string, unknown>)[key]
    if (child !== null && typeof child === 'object') {
      const found = findHostile(child, `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1)
      if (found) return found
    }
  }
  return undefined
}

/** What can be written of an over-deep body; beyond the stack only the fact remains. */
function textOfDeep(raw: unknown): string {
  try {
    return JSON.stringify(raw)
  } catch {
    return '{"anuente":"nested too deep to be written down"}'
  }
}

/** SHA-256 of the raw event without the fields an SDK's retry changes. */
function hashWithout(raw: unknown, volatileFields: readonly string[], text: string): string {
  let body = text
  if (
    raw !== null &&
    typeof raw === 'object' &&
    !Array.isArray(raw) &&
    volatileFields.some((field) => Object.hasOwn(raw, field))
  )
    body = JSON.stringify(Object.fromEntries(Object.entries(raw).filter(([key]) => !volatileFields.includes(key))))
  return createHash('sha256').update(body).digest('hex')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f]/
const hasControl = (text: string) => CONTROL.test(text)
