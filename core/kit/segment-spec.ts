/**
 * Reads what speaks the Segment spec (https://segment.com/docs/connections/spec/): single calls, batches
 * and webhooks. Segment and RudderStack differ in times and in consent; that is their dialect.
 */
import { CALL_TYPES, type CallType } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { ConsentEvidence, RawRequest, SourceEvent, SourceItem } from './define.ts'
import { InputError } from './errors.ts'
import { gpcEvidence } from './gpc.ts'
import { isLoose, type Loose, readJson } from './json-body.ts'
import { specName } from './spec-names.ts'

export interface SpecDialect {
  /** The client's clock, first readable field wins. */
  readonly timestampFields: readonly string[]
  /** Keys of `context` that the consent is read from; they leave the context, because the ledger speaks for it from here on. */
  readonly consentKeys: readonly string[]
  /** What the event states about consent. `name` is the event's name as sent. */
  consent(context: Loose, name: string | undefined): ConsentEvidence | undefined
}

const SHORT_CALLS: Readonly<Record<string, CallType | 'batch'>> = {
  t: 'track',
  i: 'identify',
  p: 'page',
  s: 'screen',
  g: 'group',
  a: 'alias',
  b: 'batch',
}

/** Every path of the HTTP tracking API, one-letter browser forms included. */
export const SPEC_PATHS: readonly string[] = [...CALL_TYPES, 'batch', 'import', ...Object.keys(SHORT_CALLS)].map(
  (call) => `/v1/${call}`,
)

/** What a batch may add to each of its events, and to all of them: 500 KB must not stand for gigabytes. */
const MAX_SHARED_BYTES = 32 * 1024
const MAX_REPEATED_BYTES = 16 * 1024 * 1024
const MAX_ID_LENGTH = 256

/** What a request says about all of its messages. */
interface Envelope {
  readonly messages: readonly { readonly value: unknown; readonly path: string }[]
  /** The call named by the path; it decides over the message's own `type`. */
  readonly call?: CallType
  /** Came from the client itself, so its clock, address and browser signals are the client's. */
  readonly direct: boolean
  readonly shared: Loose
  readonly sentAt?: unknown
  readonly anonymousId?: string
  readonly ip?: string
  readonly gpc?: ConsentEvidence
}

/** Ends the reading of one message; its neighbours go on. */
class Unfit extends Error {
  readonly code: ExitCode
  readonly path: string
  constructor(code: ExitCode, path: string, message: string) {
    super(message)
    this.code = code
    this.path = path
  }
}

/** @throws InputError when the body is no JSON or holds no messages. */
export function readSpec(request: RawRequest, dialect: SpecDialect): SourceItem[] {
  const envelope = openEnvelope(request)
  const unfit = judgeShared(envelope)
  return envelope.messages.map(({ value, path }) => {
    if (unfit) return { rejected: unfit, raw: value ?? null }
    const raw = withShared(value, envelope)
    try {
      return { event: readMessage(raw, path, envelope, dialect), raw, path }
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      return { rejected: { code: error.code, path: error.path, message: error.message }, raw: raw ?? null }
    }
  })
}

function openEnvelope(request: RawRequest): Envelope {
  const body = readJson(request)
  const webhook = request.path.startsWith('/in/')
  const last = request.path.split('/').at(-1) ?? ''
  const call = webhook
    ? undefined
    : Object.hasOwn(SHORT_CALLS, last)
      ? SHORT_CALLS[last]
      : CALL_TYPES.find((type) => type === last)
  if (webhook && Array.isArray(body))
    return { messages: body.map((value, index) => ({ value, path: `/${index}` })), direct: false, shared: {} }
  if (!isLoose(body)) throw new InputError('INVALID', 'the body is not an object')
  if (webhook && body['batch'] === undefined)
    return { messages: [{ value: body, path: '' }], direct: false, shared: {} }

  const gpc = webhook ? undefined : gpcEvidence(request.headers)
  const ip = isBrowser(request, last) ? request.ip : undefined
  const about = { direct: !webhook, ...(gpc && { gpc }), ...(ip !== undefined && { ip }) }
  if (call !== undefined && call !== 'batch') {
    const { writeKey: _, ...message } = body
    return {
      ...about,
      call,
      messages: [{ value: message, path: '' }],
      shared: {},
      // RudderStack's browser SDK repeats both in headers of single calls.
      sentAt: body['sentAt'] ?? request.headers['sentat'],
      ...anonymousHeader(request),
    }
  }
  const { batch, context, integrations } = body
  if (!Array.isArray(batch)) throw new InputError('INVALID', 'batch is not a list', '/batch')
  return {
    ...about,
    messages: batch.map((value, index) => ({ value, path: `/batch/${index}` })),
    shared: { ...(context != null && { context }), ...(integrations != null && { integrations }) },
    sentAt: body['sentAt'],
  }
}

/** Server SDKs speak for other people's devices: the address of their request is nobody's. */
function isBrowser(request: RawRequest, call: string): boolean {
  const { headers } = request
  return (
    Object.hasOwn(SHORT_CALLS, call) ||
    request.path.startsWith('/beacon/') ||
    headers['anonymousid'] !== undefined ||
    headers['origin'] !== undefined
  )
}

function anonymousHeader(request: RawRequest): { anonymousId?: string } {
  const anonymousId = Buffer.from(request.headers['anonymousid'] ?? '', 'base64').toString('utf8')
  return anonymousId === '' ? {} : { anonymousId }
}

function judgeShared({ shared, messages }: Envelope): { code: ExitCode; path: string; message: string } | undefined {
  for (const [name, value] of Object.entries(shared)) {
    const path = `/${name}`
    if (!isLoose(value)) return { code: 'INVALID', path, message: `${name} of the batch is not an object` }
    let bytes: number
    try {
      bytes = Buffer.byteLength(JSON.stringify(value))
    } catch {
      return { code: 'TOO_DEEP', path, message: `${name} of the batch is nested too deep` }
    }
    if (bytes > MAX_SHARED_BYTES || bytes * messages.length > MAX_REPEATED_BYTES)
      return {
        code: 'EVENT_TOO_LARGE',
        path,
        message: `${name} of the batch is too large to lie under each of its events`,
      }
  }
  return undefined
}

/** The message as it stands for itself: call type of its path, and what the batch shares under its own. */
function withShared(value: unknown, { call, shared }: Envelope): unknown {
  if (!isLoose(value)) return value
  if (call !== undefined) return value['type'] === call ? value : { ...value, type: call }
  const names = Object.keys(shared)
  if (names.length === 0) return value
  const merged = names.flatMap((name) => {
    const own = value[name]
    // A value of the wrong type stays, to be refused where it stands.
    return own == null ? [[name, shared[name]]] : isLoose(own) ? [[name, { ...(shared[name] as Loose), ...own }]] : []
  })
  return { ...value, ...Object.fromEntries(merged) }
}

function readMessage(message: unknown, path: string, envelope: Envelope, dialect: SpecDialect): SourceEvent {
  if (!isLoose(message)) throw new Unfit('INVALID', path, 'the event is not an object')
  const type = CALL_TYPES.find((known) => known === message['type'])
  if (type === undefined) throw new Unfit('UNKNOWN_CALL', `${path}/type`, 'type is not a known call')

  const part = (name: string, holder: Loose = message, at = path): Loose | undefined => {
    const value = holder[name]
    if (value == null) return undefined
    if (!isLoose(value)) throw new Unfit('INVALID', `${at}/${name}`, `${name} is not an object`)
    return value
  }
  const id = (name: string): string | undefined => {
    const value = message[name]
    if (value == null || value === '') return undefined
    if (typeof value === 'number' && Number.isFinite(value)) return String(value)
    if (typeof value !== 'string') throw new Unfit('INVALID', `${path}/${name}`, `${name} is not text`)
    return value
  }
  const required = (name: string): string => {
    const value = id(name)
    if (value === undefined) throw new Unfit('INVALID', `${path}/${name}`, `${name} is required for ${type}`)
    return value
  }

  const properties = part('properties')
  const ownTraits = part('traits')
  const context = part('context') ?? {}
  const personTraits = part('traits', context, `${path}/context`)
  const integrations = part('integrations')

  const sentName = readName(message, type, properties, path)
  const name = type === 'track' && sentName !== undefined ? specName(sentName) : sentName
  const userId = type === 'alias' ? required('userId') : id('userId')
  const anonymousId = id('anonymousId') ?? envelope.anonymousId
  const messageId = id('messageId')
  if (messageId !== undefined && messageId.length > MAX_ID_LENGTH)
    throw new Unfit('INVALID', `${path}/messageId`, `messageId is longer than ${MAX_ID_LENGTH} characters`)

  const timestamp = readTimestamp(message, dialect.timestampFields, path)
  // A webhook's `timestamp` was corrected by the vendor already; sentAt is of another clock than its receipt here.
  const sentAt = envelope.direct ? [message['sentAt'], envelope.sentAt].find(isDate) : undefined

  // `traits` always describe the person. Those of a group call describe the group: they name nobody, and go
  // where that call says what it is about.
  const traits = merge(personTraits, type === 'group' ? undefined : ownTraits)
  const about = {
    // Some SDKs send the category of a page beside its properties only.
    ...((type === 'page' || type === 'screen') &&
      typeof message['category'] === 'string' && { category: message['category'] }),
    ...properties,
    ...(type === 'group' && { ...ownTraits, groupId: required('groupId') }),
  }
  const keptContext = readContext(message, context, integrations, envelope, dialect)
  const consent = [dialect.consent(context, sentName), envelope.gpc].filter((evidence) => evidence !== undefined)
  const deliveryId = [properties?.['anuente_delivery_id'], context['anuente_delivery_id']].find(isShortText)

  return {
    type,
    ...(name !== undefined && { name }),
    ...(sentName !== undefined && sentName !== name && { originalName: sentName }),
    ...(messageId !== undefined && { messageId }),
    ...(timestamp !== undefined && { timestamp }),
    ...(sentAt !== undefined && { sentAt }),
    identifiers: readIdentifiers(userId, anonymousId, traits, context),
    ...(type === 'alias' && { previousId: required('previousId') }),
    ...(traits && Object.keys(traits).length > 0 && { traits }),
    ...(Object.keys(about).length > 0 && { properties: about }),
    ...(Object.keys(keptContext).length > 0 && { context: keptContext }),
    ...(consent.length > 0 && { consent }),
    ...(deliveryId !== undefined && { deliveryId }),
  }
}

/** Event name for track; page or screen name, which some SDKs send among the properties only. */
function readName(message: Loose, type: CallType, properties: Loose | undefined, path: string): string | undefined {
  if (type === 'track') {
    const event = message['event']
    if (typeof event !== 'string' || event.trim() === '')
      throw new Unfit('INVALID', `${path}/event`, 'event is required for track')
    return event
  }
  if (type !== 'page' && type !== 'screen') return undefined
  const name = message['name'] ?? ''
  if (typeof name !== 'string') throw new Unfit('INVALID', `${path}/name`, 'name is not text')
  const inner = properties?.['name']
  return name !== '' ? name : typeof inner === 'string' && inner !== '' ? inner : undefined
}

/** As sent: whether it is a date, and a possible one, is the hub's check. Milliseconds are written out. */
function readTimestamp(message: Loose, fields: readonly string[], path: string): string | undefined {
  for (const field of fields) {
    const value = message[field]
    if (value == null || value === '') continue
    if (typeof value === 'string') return value
    if (typeof value === 'number' && Math.abs(value) <= 8.64e15) return new Date(value).toISOString()
    throw new Unfit('BAD_TIMESTAMP', `${path}/${field}`, `${field} is not a date`)
  }
  return undefined
}

function readContext(
  message: Loose,
  context: Loose,
  integrations: Loose | undefined,
  envelope: Envelope,
  dialect: SpecDialect,
): Loose {
  const left = new Set(['traits', ...dialect.consentKeys])
  const kept = Object.fromEntries(Object.entries(context).filter(([name]) => !left.has(name)))
  // All true is what SDKs say by default; anything else is a wish of the sender about where the event goes.
  const wishes = integrations && Object.values(integrations).some((value) => value !== true)
  return {
    ...(typeof message['channel'] === 'string' && { channel: message['channel'] }),
    ...(envelope.ip !== undefined && { ip: envelope.ip }),
    ...(wishes && { integrations }),
    ...kept,
  }
}

function readIdentifiers(
  userId: string | undefined,
  anonymousId: string | undefined,
  traits: Loose | undefined,
  context: Loose,
): SourceEvent['identifiers'] {
  const device = isLoose(context['device']) ? context['device'] : {}
  const found = [
    { type: 'userId', value: userId },
    { type: 'cpf', value: traits?.['cpf'] },
    { type: 'email', value: traits?.['email'] },
    { type: 'phone', value: traits?.['phone'] },
    { type: 'anonymousId', value: anonymousId },
    { type: 'device_id', value: device['id'] },
    // With limited ad tracking the advertising id is zeros, or not the sender's to use.
    { type: 'device_id', value: device['adTrackingEnabled'] === false ? undefined : device['advertisingId'] },
  ] as const
  return found.filter(
    ({ type, value }, index) =>
      ((typeof value === 'string' && value.trim() !== '') || (typeof value === 'number' && Number.isFinite(value))) &&
      found.findIndex((other) => other.type === type && other.value === value) === index,
  )
}

const merge = (under: Loose | undefined, over: Loose | undefined): Loose | undefined =>
  under && over ? { ...under, ...over } : (over ?? under)

const isDate = (value: unknown): value is string => typeof value === 'string' && !Number.isNaN(Date.parse(value))

const isShortText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH
