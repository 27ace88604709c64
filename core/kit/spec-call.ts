/**
 * Writes the Segment spec (https://segment.com/docs/connections/spec/): what an action's payload
 * becomes as a call of Segment's or RudderStack's SDK. The reverse of segment-spec.ts, which moves
 * group traits to the properties and takes traits and consent out of the context.
 */
import { type Static, Type } from 'typebox'
import { CALL_TYPES, type CallType } from '../../schemas/event.ts'
import { oneOf } from '../../schemas/one-of.ts'
import type { ItemContext, Outcome } from './define.ts'
import { isLoose, type Loose } from './json-body.ts'

const id = (from: string, description: string) => Type.Optional(Type.String({ pii: true, from, description }))
const userId = id('identifiers.userId', 'User id.')
const anonymousId = id('identifiers.anonymousId', 'Id of the device or browser.')
const occurredAt = Type.String({ format: 'date-time', from: 'occurredAt', description: 'When it happened, ISO 8601.' })
const loose = (from: string, description: string) =>
  Type.Optional(Type.Record(Type.String(), Type.Unknown(), { pii: true, from, description }))

/** An event of the hub, to be passed on as it came. */
export const ForwardedEvent = Type.Object({
  type: Type.Unsafe<CallType>({ ...oneOf(CALL_TYPES), from: 'type' }),
  name: Type.String({ from: 'name', description: 'Event name of a track, name of a page or screen.' }),
  messageId: Type.String({ minLength: 1, from: 'messageId', description: 'The vendor deduplicates by it.' }),
  occurredAt,
  userId: id('event.identifiers.userId', 'User id that the event itself carries.'),
  anonymousId: id('event.identifiers.anonymousId', 'Id of the device or browser that the event itself carries.'),
  knownUserId: id('identifiers.userId', 'User id of the profile, for an event with neither id, such as a webhook.'),
  knownAnonymousId: id('identifiers.anonymousId', 'Device of the profile, used likewise when there is no user id.'),
  previousId: id('event.previousId', 'alias only.'),
  properties: loose('properties', 'Properties; of a group call, the traits of the group with its groupId.'),
  traits: loose('event.traits', 'Traits of the person that the event itself carries.'),
  context: loose('context', 'Context as received; consent in it is replaced by what the ledger says.'),
})

/** Somebody enters or leaves an audience, in the words of Segment Engage. */
export const AudienceChange = Type.Object({
  userId,
  anonymousId,
  occurredAt,
  audience: Type.String({
    pattern: '^[a-z][a-z0-9_]{0,126}$',
    description: 'Key of the audience: small letters, digits and underscores. Never changes.',
  }),
  member: Type.Boolean({ description: 'true: entered, false: exited.' }),
})

/** Traits of a person that the hub computed. */
export const ComputedTraits = Type.Object({
  userId,
  anonymousId,
  occurredAt,
  traits: Type.Record(Type.String({ minLength: 1 }), Type.Unknown(), {
    minProperties: 1,
    pii: true,
    description: 'Trait to value. Traits that are not named stay as they are at the vendor.',
  }),
})

const OUTCOME_NAMES = {
  decision: 'Anuente Decision Made',
  exposure: 'Anuente Exposure Logged',
  delivery: 'Anuente Delivery Settled',
} as const

const word = (description: string, from?: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 256, description, ...(from !== undefined && { from }) }))

/** What the hub decided, showed or delivered, for the company's own analysis. */
export const HubOutcome = Type.Object({
  userId,
  anonymousId,
  occurredAt,
  outcome: Type.Unsafe<keyof typeof OUTCOME_NAMES>({
    ...oneOf(['decision', 'exposure', 'delivery']),
    description: Object.values(OUTCOME_NAMES).join(', '),
  }),
  rule: word('Id of the rule.', 'rule.id'),
  ruleVersion: Type.Optional(Type.Integer({ minimum: 1, from: 'rule.version' })),
  arm: Type.Optional(oneOf(['treated', 'control', 'holdout'])),
  variant: word('Variant shown or sent.'),
  slot: word('Content slot of an exposure.'),
  destination: word('Destination of the delivery.'),
  action: word('Action of the delivery.'),
  channel: word('Channel of the delivery.'),
  status: word('How the delivery stands.'),
  reason: word('Exit code, such as BLOCKED_BY_CONSENT.'),
  deliveryId: word('The delivery this is about; not the one that carries it.'),
})

export type Who = { readonly userId: string; readonly anonymousId?: string } | { readonly anonymousId: string }

interface CallCommon {
  readonly messageId: string
  /** ISO 8601. */
  readonly timestamp: string
  readonly context: Loose
  readonly integrations?: Loose
}

export type SpecCall = CallCommon &
  (
    | { readonly type: 'identify'; readonly who: Who; readonly traits: Loose }
    | { readonly type: 'track'; readonly who: Who; readonly event: string; readonly properties: Loose }
    | {
        readonly type: 'page' | 'screen'
        readonly who: Who
        readonly name?: string
        readonly category?: string
        readonly properties: Loose
      }
    | { readonly type: 'group'; readonly who: Who; readonly groupId: string; readonly traits: Loose }
    | { readonly type: 'alias'; readonly userId: string; readonly previousId: string }
  )

/** Why no call can be made; codes and field names, never values. */
export interface NoCall {
  readonly reason: string
}

type Item<P> = Pick<ItemContext<P>, 'payload' | 'delivery'>

/** @param consent the person's consent as the vendor reads it, for the context. */
export function forwardedCall(
  { payload, delivery }: Item<Static<typeof ForwardedEvent>>,
  consent: Loose,
): SpecCall | NoCall {
  const { type, name, messageId, occurredAt: timestamp, properties = {}, traits = {} } = payload
  // `integrations` was kept in the context because it says where the sender wants the event to go.
  // The library is that of the SDK which sends, as the SDK will say. Consent is what the ledger says now, whichever
  // vendor's words the sender used.
  const { integrations, library: _, consent: __, consentManagement: ___, ...context } = payload.context ?? {}
  const about = type !== 'identify' && Object.keys(traits).length > 0
  const common = {
    messageId,
    timestamp,
    context: { ...hubContext(context, delivery, consent), ...(about && { traits }) },
    ...(isLoose(integrations) && { integrations }),
  }
  if (type === 'alias') {
    if (payload.userId === undefined || payload.previousId === undefined)
      return { reason: 'alias needs a userId and the id it replaces' }
    return { ...common, type, userId: payload.userId, previousId: payload.previousId }
  }
  // Never mixed: the profile's user must not be put on the event of a browser that somebody else uses.
  const who = whoOf(payload) ?? whoOf(known(payload))
  if (!who) return NOBODY
  if (type === 'identify') return { ...common, type, who, traits }
  if (type === 'track')
    return name === '' ? { reason: 'track needs an event name' } : { ...common, type, who, event: name, properties }
  if (type === 'group') {
    const { groupId, ...groupTraits } = properties
    if ((typeof groupId !== 'string' && typeof groupId !== 'number') || groupId === '')
      return { reason: 'group needs a groupId' }
    return { ...common, type, who, groupId: String(groupId), traits: groupTraits }
  }
  const { category } = properties
  return {
    ...common,
    type,
    who,
    // A page without a name bears the name of its call in the hub.
    ...(name !== '' && name !== type && { name }),
    ...(typeof category === 'string' && category !== '' && { category }),
    properties,
  }
}

/** Track `Audience Entered` or `Audience Exited` with the fields of Engage (https://segment.com/docs/engage/using-engage-data/). */
export function audienceCall(
  { payload, delivery }: Item<Static<typeof AudienceChange>>,
  consent: Loose,
): SpecCall | NoCall {
  const who = whoOf(payload)
  if (!who) return NOBODY
  const { audience, member } = payload
  const computation = {
    computation_class: 'audience',
    computation_id: `anuente_${audience}`,
    computation_key: audience,
  }
  return {
    type: 'track',
    messageId: delivery.key,
    timestamp: payload.occurredAt,
    who,
    event: member ? 'Audience Entered' : 'Audience Exited',
    properties: { [audience]: member, audience_key: audience, ...computation },
    context: { ...hubContext({}, delivery, consent), personas: computation },
  }
}

export function traitsCall(
  { payload, delivery }: Item<Static<typeof ComputedTraits>>,
  consent: Loose,
): SpecCall | NoCall {
  const who = whoOf(payload)
  if (!who) return NOBODY
  return {
    type: 'identify',
    messageId: delivery.key,
    timestamp: payload.occurredAt,
    who,
    traits: payload.traits,
    context: hubContext({}, delivery, consent),
  }
}

export function outcomeCall({ payload, delivery }: Item<Static<typeof HubOutcome>>, consent: Loose): SpecCall | NoCall {
  const who = whoOf(payload)
  if (!who) return NOBODY
  const { outcome, rule, ruleVersion, arm, variant, slot, destination, action, channel, status, reason } = payload
  const named = {
    rule_id: rule,
    rule_version: ruleVersion,
    arm,
    variant,
    slot,
    destination,
    action,
    channel,
    status,
    reason,
    delivery_id: payload.deliveryId,
  }
  return {
    type: 'track',
    messageId: delivery.key,
    timestamp: payload.occurredAt,
    who,
    event: OUTCOME_NAMES[outcome],
    properties: Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)),
    context: hubContext({}, delivery, consent),
  }
}

/** 32 KB per event, at Segment and at RudderStack, with what their SDKs add. */
const MAX_EVENT_BYTES = 32 * 1024
const SDK_BYTES = 512

/**
 * Sends the calls that can be made, together, and puts the outcomes in the order of all.
 * The SDKs' own checks of the size let larger events pass.
 */
export async function sendCalls(
  calls: readonly (SpecCall | NoCall)[],
  send: (calls: readonly SpecCall[]) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const checked = calls.map((call) =>
    'reason' in call || Buffer.byteLength(JSON.stringify(call)) + SDK_BYTES <= MAX_EVENT_BYTES ? call : TOO_LARGE,
  )
  const sendable = checked.filter((call): call is SpecCall => !('reason' in call))
  const outcomes = sendable.length > 0 ? [...(await send(sendable))] : []
  return checked.map((call) => ('reason' in call ? { status: 'rejected', reason: call.reason } : outcomes.shift()!))
}

const NOBODY: NoCall = { reason: 'neither a userId nor an anonymousId' }
const TOO_LARGE: NoCall = { reason: 'the event is larger than 32 KB' }

/** One id only: which of its devices a person used is not known of such an event. */
const known = ({ knownUserId: userId, knownAnonymousId: anonymousId }: Static<typeof ForwardedEvent>) =>
  userId !== undefined ? { userId } : anonymousId !== undefined ? { anonymousId } : {}

function whoOf(given: { readonly userId?: string; readonly anonymousId?: string }): Who | undefined {
  const { userId, anonymousId } = given
  if (userId !== undefined) return anonymousId !== undefined ? { userId, anonymousId } : { userId }
  return anonymousId !== undefined ? { anonymousId } : undefined
}

/** The delivery id by which a source recognises the event when it comes back, and the consent of now. */
const hubContext = (context: Loose, delivery: { readonly id: string }, consent: Loose): Loose => ({
  ...context,
  ...consent,
  anuente_delivery_id: delivery.id,
})
