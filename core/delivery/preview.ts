/**
 * What would be sent for one event, sending nothing: the gates' table, the mapping and the
 * connector are the real ones, only the transport writes requests down instead of carrying them.
 */

import { Type } from 'typebox'
import { declares, keepFields, wants } from '../../consent/collects.ts'
import { evaluate } from '../../consent/policy.ts'
import {
  loadPurposes,
  type Purpose,
  type Purposes,
  type SharingTarget,
  STARTER_PURPOSES,
} from '../../consent/purposes.ts'
import { outgoingSignals } from '../../consent/signals.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import { STATUSES, type Status } from '../../schemas/consent.ts'
import { CanonicalEvent, IDENTIFIER_TYPES, type IdentifierType } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { Cart } from '../../schemas/profile.ts'
import {
  checkSettings,
  type DestinationSettings,
  describeDestination,
  type LoadedConfig,
  type Settings,
} from '../config.ts'
import { type AnyDestination, defineSource, type MappingView, type RawRequest, type Registry } from '../kit/define.ts'
import { ConfigError, InputError } from '../kit/errors.ts'
import { type HttpRequest, readResponse, type Transport } from '../kit/http.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { readSpec } from '../kit/segment-spec.ts'
import { canonicalize } from '../stages/normalize.ts'
import { hideSecrets } from './hide-secrets.ts'
import { buildPayload, checkAgainst } from './payload.ts'
import { connect, type ItemResult, performAction } from './perform.ts'
import { buildView } from './view.ts'

export interface PreviewCase {
  /** Instance of the configuration, or a connector with its default settings. */
  readonly destination: string
  /** Absent: every action that follows this event by itself. */
  readonly action?: string
  readonly settings?: Settings
  /** Canonical, or as a Segment-spec SDK would send it. */
  readonly event: unknown
  readonly profile?: {
    readonly traits?: Readonly<Record<string, unknown>>
    readonly identifiers?: Readonly<Partial<Record<IdentifierType, string>>>
    readonly cart?: Cart
  }
  /** `granted`: every purpose is. Otherwise a status per configured purpose; absent is unknown, and unknown is denied. */
  readonly consent?: 'granted' | Readonly<Record<string, Status>>
  /** ISO 8601; the clock stands still there. */
  readonly now?: string
  /** Payload fields a rule sets. */
  readonly with?: Readonly<Record<string, unknown>>
}

export interface PreviewedRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON bodies as values, others as text; absent without a body. */
  readonly body?: unknown
}

export interface PreviewHalt {
  readonly code: ExitCode
  readonly action?: string
  readonly purpose?: string
  readonly status?: Status
  /** Words of the policy table, e.g. consent_unknown. */
  readonly reasons?: readonly string[]
  readonly path?: string
  readonly message?: string
}

export type PreviewResult =
  | {
      readonly requests: readonly PreviewedRequest[] /** Actions that would not send. */
      readonly halts?: readonly PreviewHalt[]
    }
  | { readonly halt: PreviewHalt }
  | { readonly error: { readonly code: string; readonly message: string; readonly path: string } }

const StatusWord = Type.Union(STATUSES.map((status) => Type.Literal(status)))
const Case = Type.Object(
  {
    destination: Type.String({ minLength: 1 }),
    action: Type.Optional(Type.String()),
    settings: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    event: Type.Object({}),
    profile: Type.Optional(
      Type.Object(
        {
          traits: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
          identifiers: Type.Optional(
            Type.Partial(
              Type.Object(Object.fromEntries(IDENTIFIER_TYPES.map((type) => [type, Type.String()])), {
                additionalProperties: false,
              }),
            ),
          ),
          cart: Type.Optional(
            Type.Object({ lines: Type.Array(Type.Object({})), total: Type.Integer(), currency: Type.String() }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    consent: Type.Optional(Type.Union([Type.Literal('granted'), Type.Record(Type.String(), StatusWord)])),
    now: Type.Optional(Type.String({ format: 'date-time' })),
    with: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
)

/** What one action did with the case, step by step, as far as it came. */
export interface Trial {
  readonly action: string
  /** Configured purpose it acts under; undefined: the destination has none for it. */
  readonly purpose?: string
  readonly consent?: { readonly permitted: boolean; readonly status: Status; readonly reasons: readonly string[] }
  readonly payload?: Readonly<Record<string, unknown>>
  readonly exchanges: readonly { readonly request: PreviewedRequest; readonly response?: PreviewedResponse }[]
  /** Where it stopped. */
  readonly halt?: PreviewHalt
  /** By the connector's verdict; of no meaning where nothing was carried. */
  readonly outcome?: ItemResult
}
export interface PreviewedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

type Failed = Extract<PreviewResult, { error: unknown }>
type Surroundings = { readonly registry: Registry; readonly loaded?: LoadedConfig | undefined }

/** @param input one line of `anuente preview`; anything else than a case is an error, never an exception. */
export async function preview(input: unknown, surroundings: Surroundings): Promise<PreviewResult> {
  const tried = await trials(input, surroundings)
  if ('error' in tried) return tried
  const requests = tried.trials.flatMap(({ exchanges }) => exchanges.map(({ request }) => request))
  const halts = tried.trials.flatMap(({ action, halt }) => (halt ? [{ action, ...halt }] : []))
  if (tried.trials.length === 0)
    return {
      halt: {
        code: 'NOT_MATCHED',
        message: 'no action of this destination follows this event by itself; name one with "action"',
      },
    }
  if (requests.length === 0 && halts[0]) return { halt: halts[0] }
  return { requests, ...(halts.length > 0 && { halts }) }
}

/**
 * The same with every step told.
 * @param carry takes the bytes; absent: requests are written down and answered with an empty 200.
 */
export async function trials(
  input: unknown,
  surroundings: Surroundings,
  carry?: Transport,
): Promise<{ readonly event: CanonicalEvent; readonly trials: readonly Trial[] } | Failed> {
  const checked = checkAgainst<PreviewCase>(Case, input)
  if ('errors' in checked) {
    const first = checked.errors[0]
    if (first?.path.startsWith('/consent'))
      return fault('INVALID', `consent is "granted", or per purpose one of: ${STATUSES.join(', ')}`, first.path)
    return fault(
      'INVALID',
      `the case is not {destination, action?, settings, event, profile?, consent?, now?, with?}: ${first?.message ?? ''}`,
      first?.path,
    )
  }
  const given = checked.value
  const now = given.now ?? new Date().toISOString()
  try {
    const { destination, purposes, target, configured } = place(given, surroundings)
    const read = readEvent(given.event, now, purposes)
    if ('error' in read) return read
    const { event } = read
    if (given.action !== undefined && !Object.hasOwn(destination.definition.actions, given.action))
      return fault(
        'UNKNOWN_ACTION',
        `${destination.connector} has no action ${given.action}; it has ${Object.keys(destination.definition.actions).join(', ')}`,
        '/action',
      )
    const actions =
      given.action !== undefined
        ? [given.action]
        : destination.actions.filter((name) => follows(destination.definition, name, event))
    const found: Trial[] = []
    for (const action of actions)
      found.push(
        await tryAction(action, { given, destination, purposes, target, configured, event, now }, carry ?? writtenDown),
      )
    const hide = (request: PreviewedRequest) =>
      configured
        ? hideSecrets(request, {
            schema: destination.definition.settings,
            settings: destination.settings,
            ...(given.settings && { own: given.settings }),
          })
        : request
    return {
      event,
      trials: found.map((trial) => ({
        ...trial,
        exchanges: trial.exchanges.map(({ request, ...rest }) => ({ request: hide(request), ...rest })),
      })),
    }
  } catch (error) {
    if (error instanceof ConfigError) return fault('CONFIG', error.message, error.path)
    throw error
  }
}

const writtenDown: Transport = async () => readResponse(200, { 'content-type': 'application/json' }, '{}')

const fault = (code: string, message: string, path = ''): Extract<PreviewResult, { error: unknown }> => ({
  error: { code, message, path },
})

interface Place {
  readonly destination: DestinationSettings
  readonly purposes: Purposes
  readonly target: SharingTarget
  /** An instance of the configuration: its purposes say which fields an action may see. */
  readonly configured: boolean
}

/** A case that names a connector alone asks what it would send where the configuration lets its purposes activate. */
const ACTIVATING = Object.fromEntries(
  Object.entries(STARTER_PURPOSES).map(([id, purpose]) => [
    id,
    { ...purpose, stages: [...new Set([...purpose.stages, 'activate' as const])] },
  ]),
)

function place(
  given: PreviewCase,
  { registry, loaded }: { registry: Registry; loaded?: LoadedConfig | undefined },
): Place {
  const instance = loaded?.destinationSettings.get(given.destination)
  if (loaded && instance) {
    const settings = given.settings
      ? checkSettings(instance.definition.settings, { ...instance.settings, ...given.settings }, instance.id)
      : instance.settings
    const purposes = loadPurposes(loaded.config)
    const target = purposes.destinations.get(instance.id)
    if (!target) throw new ConfigError(`destination ${instance.id} has no purposes`, '/destination')
    return { destination: { ...instance, settings }, purposes, target, configured: true }
  }
  const definition = registry.destinations.get(given.destination)
  if (!definition) {
    const known = [...new Set([...(loaded?.destinationSettings.keys() ?? []), ...registry.destinations.keys()])]
    throw new ConfigError(
      `no destination and no connector is called ${given.destination}. Known: ${known.join(', ')}`,
      '/destination',
    )
  }
  const config = { connector: definition.id, country: 'BR', purposes: Object.keys(STARTER_PURPOSES) }
  const purposes = loadPurposes({ purposes: ACTIVATING, destinations: { [definition.id]: config } })
  const settings = checkSettings(definition.settings, given.settings ?? {}, `settings of ${definition.id}`)
  return {
    destination: describeDestination(definition.id, config, definition, settings),
    purposes,
    target: purposes.destinations.get(definition.id)!,
    configured: false,
  }
}

// ---------------------------------------------------------------- one event

const STAND_IN = 'preview'
const readsSpec = defineSource({
  id: STAND_IN,
  name: 'Preview',
  docs: '',
  support: 'community',
  settings: Type.Object({}),
  routes: [],
  maxBytes: 0,
  volatileFields: [],
  credentials: () => [],
  keys: () => [],
  verify: () => true,
  normalize: (request) =>
    readSpec(request, {
      timestampFields: ['timestamp', 'originalTimestamp'],
      consentKeys: ['consent', 'consentManagement'],
      consent: () => undefined,
    }),
  accept: () => ({ status: 200 }),
})

function readEvent(
  given: unknown,
  now: string,
  purposes: Purposes,
): { event: CanonicalEvent } | Extract<PreviewResult, { error: unknown }> {
  const raw = given as Readonly<Record<string, unknown>>
  if (raw['schemaVersion'] !== undefined) {
    const checked = checkAgainst<CanonicalEvent>(CanonicalEvent, structuredClone(raw))
    if ('value' in checked) return { event: checked.value }
    const first = checked.errors[0]
    return fault('INVALID', `the canonical event is not valid: ${first?.message ?? ''}`, `/event${first?.path ?? ''}`)
  }
  // The profile may say who it is about; the event itself then needs nobody.
  const nobody = raw['userId'] === undefined && raw['anonymousId'] === undefined
  const message = { messageId: STAND_IN, ...raw, ...(nobody && { anonymousId: STAND_IN }) }
  const request: RawRequest = {
    method: 'POST',
    path: `/in/${STAND_IN}`,
    query: {},
    headers: {},
    body: Buffer.from(JSON.stringify(message)),
    receivedAt: now,
  }
  try {
    const [item] = readsSpec.normalize(request, {})
    if (!item) return fault('INVALID', 'the event is empty', '/event')
    const source = { id: STAND_IN, connector: STAND_IN, definition: readsSpec, purposes }
    const result = canonicalize(item, source, now, () => STAND_IN)
    if ('quarantine' in result)
      return fault(result.quarantine.code, result.quarantine.message, `/event${result.quarantine.path}`)
    const { event } = result
    const identifiers = nobody
      ? event.subject.identifiers.filter(({ value }) => value !== STAND_IN)
      : event.subject.identifiers
    return { event: { ...event, subject: { ...event.subject, identifiers } } }
  } catch (error) {
    if (error instanceof InputError) return fault(error.code, error.message, `/event${error.path}`)
    throw error
  }
}

/** Whether an action follows this event by itself. */
export function follows(
  definition: AnyDestination,
  action: string,
  event: Pick<CanonicalEvent, 'type' | 'name' | 'traits' | 'properties'>,
): boolean {
  const trigger = definition.actions[action]?.trigger
  if (!trigger) return false
  const types = typeof trigger.type === 'string' ? [trigger.type] : trigger.type
  const names =
    trigger.name === undefined ? undefined : typeof trigger.name === 'string' ? [trigger.name] : trigger.name
  const present = (path: string) => {
    let value: unknown = event
    for (const step of path.split('.'))
      value = value !== null && typeof value === 'object' ? (value as Record<string, unknown>)[step] : undefined
    return value !== undefined && value !== null && value !== ''
  }
  return (
    types.includes(event.type) &&
    (names === undefined || names.includes(event.name)) &&
    (trigger.has ?? []).every(present)
  )
}

interface ActionCase extends Place {
  readonly given: PreviewCase
  readonly event: CanonicalEvent
  readonly now: string
}

async function tryAction(name: string, about: ActionCase, carry: Transport): Promise<Trial> {
  const { destination, purposes, event, given, now } = about
  const { definition, settings } = destination
  const action = definition.actions[name]!
  const purpose = purposes.resolve(destination.id, action.purpose)
  if (!purpose) return { action: name, exchanges: [], halt: { code: 'UNDECLARED', purpose: action.purpose } }
  const statusOf = (id: string): Status =>
    given.consent === 'granted' ? 'granted' : (given.consent?.[id] ?? 'unknown')
  const refused = refusal(purpose, statusOf, about.target)
  const asked = {
    action: name,
    purpose: purpose.id,
    consent: { permitted: refused === undefined, status: statusOf(purpose.id), reasons: refused?.reasons ?? [] },
  }
  if (refused) return { ...asked, exchanges: [], halt: refused }
  if (about.configured && given.action === undefined && !wants(purpose, event))
    return { ...asked, exchanges: [], halt: { code: 'NO_PURPOSE', purpose: purpose.id } }

  const view = visible(about, purpose, { id: STAND_IN, links: { stop: LINK('parar'), why: LINK('porque') } })
  if (action.identifier.length > 0 && !action.identifier.some((type) => view.identifiers[type]))
    return {
      ...asked,
      exchanges: [],
      halt: { code: 'NOT_REACHABLE', message: `needs one of: ${action.identifier.join(', ')}` },
    }
  const payload = buildPayload(action.payload, view, given.with ?? {})
  if ('errors' in payload) {
    const first = payload.errors[0]
    return {
      ...asked,
      exchanges: [],
      halt: { code: 'MAPPING_FAILED', path: first?.path ?? '', message: first?.message ?? '' },
    }
  }

  const exchanges: { request: PreviewedRequest; response?: PreviewedResponse }[] = []
  const transport: Transport = async (request) => {
    const exchange: (typeof exchanges)[number] = { request: show(request) }
    exchanges.push(exchange)
    const response = await carry(request)
    const { status, headers, text, json } = response
    exchange.response = { status, headers, ...(text !== '' && { body: json ?? text }) }
    return response
  }
  const [outcome] = await performAction({
    definition,
    action: name,
    settings,
    now: new Date(now),
    items: [
      {
        payload: payload.value,
        signals: outgoingSignals((one) => assumed(one, statusOf(one.id), now), purposes, now),
        delivery: { id: STAND_IN, key: `${STAND_IN}-${name}` },
        occurredAt: event.occurredAt,
      },
    ],
    http: () => connect(definition, settings, { slot: (job) => job(), lastLook: async () => {}, transport }),
  })
  const mapped = { ...asked, payload: payload.value, exchanges, ...(outcome && { outcome }) }
  if (exchanges.length > 0 || !outcome || !('reason' in outcome)) return mapped
  const code = outcome.status === 'authentication' ? 'AUTHENTICATION' : 'REJECTED'
  return { ...mapped, halt: { code, message: outcome.reason } }
}

/** The ledger entry that would stand behind a status of the case. */
function assumed({ basis }: Purpose, status: Status, at: string): PurposeStatus | undefined {
  if (status === 'unknown') return undefined
  const stand = {
    entryId: STAND_IN,
    actor: 'subject',
    evidenceClass: 'valid',
    originKind: STAND_IN,
    originRef: STAND_IN,
  } as const
  return { ...stand, status, basis, occurredAt: at, receivedAt: at, seen: 1, lastSeenAt: at, lastSeenOrigin: STAND_IN }
}

const LINK = (page: string) => `https://hub.invalid/privacidade/${page}/${STAND_IN}`

/** Permit, as at delivery: activate, share, transfer of the policy table. */
function refusal(
  purpose: Purpose,
  statusOf: (purpose: string) => Status,
  target: SharingTarget,
): PreviewHalt | undefined {
  const status = statusOf(purpose.id)
  const question = {
    purpose,
    status,
    destination: target,
    ...(target.sharePurpose && { shareStatus: statusOf(target.sharePurpose.id) }),
  }
  for (const [stage, code] of [
    ['activate', 'BLOCKED_BY_CONSENT'],
    ['share', 'BLOCKED_BY_SHARING'],
    ['transfer', 'BLOCKED_BY_TRANSFER'],
  ] as const) {
    const decision = evaluate({ ...question, stage })
    if (!decision.allow)
      return { code, purpose: purpose.id, status, reasons: decision.reasons.map((reason) => reason.code) }
  }
  return undefined
}

/** Only what the action's purpose may see, when there is a configuration to say so. */
function visible(
  { given, event, configured, now }: ActionCase,
  purpose: Purpose,
  stand: { id: string; links: MappingView['links'] },
): MappingView {
  const traits = { ...given.profile?.traits, ...event.traits }
  const identifiers: Partial<Record<IdentifierType, string>> = {}
  const contact = (type: 'email' | 'phone' | 'cpf') =>
    given.profile?.identifiers?.[type] ?? given.profile?.traits?.[type]
  const stated = {
    ...given.profile?.identifiers,
    email: contact('email'),
    phone: contact('phone'),
    cpf: contact('cpf'),
  }
  for (const type of IDENTIFIER_TYPES) {
    const value = normalizeIdentifier(type, stated[type])
    if (value !== undefined) identifiers[type] = value
  }
  const common = {
    person: { id: STAND_IN },
    delivery: { id: stand.id },
    links: stand.links,
    decidedAt: now,
    ...(given.profile?.cart && { cart: given.profile.cart }),
  }
  if (!configured) return buildView({ ...common, event, traits, identifiers })
  const declared = (type: string) => !['email', 'phone', 'cpf'].includes(type) || declares(purpose, type)
  const kept = keepFields(event, [purpose]).event
  // What the person's earlier events brought is in the profile; here the event itself stands for them.
  return buildView({
    ...common,
    event: {
      ...kept,
      traits: {},
      subject: { ...kept.subject, identifiers: kept.subject.identifiers.filter(({ type }) => declared(type)) },
    },
    traits: declaredTraits(traits, purpose, ''),
    identifiers: Object.fromEntries(Object.entries(identifiers).filter(([type]) => declared(type))),
  })
}

function declaredTraits(
  traits: Readonly<Record<string, unknown>>,
  purpose: Purpose,
  parent: string,
): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(traits)) {
    const path = `${parent}${key}`
    if (declares(purpose, path)) kept[key] = value
    else if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      const inner = declaredTraits(value as Record<string, unknown>, purpose, `${path}.`)
      if (Object.keys(inner).length > 0) kept[key] = inner
    }
  }
  return kept
}

// ---------------------------------------------------------------- what is shown

function show({ method, url, headers, body }: HttpRequest): PreviewedRequest {
  let shown: unknown = body
  if (body !== undefined && /json/.test(headers['content-type'] ?? headers['Content-Type'] ?? '')) {
    try {
      shown = JSON.parse(body)
    } catch {
      // Not JSON after all: shown as the text it is.
    }
  }
  return { method, url, headers, ...(body !== undefined && { body: shown }) }
}
