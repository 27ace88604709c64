import { type Static, Type } from 'typebox'
import { ConsentSignal } from './consent.ts'
import { oneOf } from './one-of.ts'

/**
 * The identifiers a person or a device can be known by, highest priority first.
 * An event belongs to the node of its highest-priority identifier.
 */
export const IDENTIFIER_TYPES = [
  'userId',
  'cpf',
  'email',
  'phone',
  'rdstation_uuid',
  'anonymousId',
  'ga_client_id',
  'device_id',
] as const
export type IdentifierType = (typeof IDENTIFIER_TYPES)[number]

/** Identifiers that name a device or browser rather than a human being. */
export const DEVICE_IDENTIFIER_TYPES: readonly IdentifierType[] = ['anonymousId', 'ga_client_id', 'device_id']

export const CALL_TYPES = ['identify', 'track', 'page', 'screen', 'group', 'alias'] as const
export type CallType = (typeof CALL_TYPES)[number]

/** Bumped when a stored event needs upcasting on read. */
export const EVENT_SCHEMA_VERSION = 1

const Loose = Type.Record(Type.String(), Type.Unknown())

export const Identifier = Type.Object(
  {
    type: oneOf(IDENTIFIER_TYPES),
    value: Type.String({
      minLength: 1,
      maxLength: 512,
      description: 'Normalised: e-mail lower-cased, phone E.164, CPF 11 digits.',
    }),
  },
  { additionalProperties: false },
)
export type Identifier = Static<typeof Identifier>

/**
 * One event in the hub's only schema. Names and properties follow the Segment spec
 * (https://segment.com/docs/connections/spec/), e-commerce v2 for commerce.
 */
export const CanonicalEvent = Type.Object(
  {
    schemaVersion: Type.Literal(EVENT_SCHEMA_VERSION),
    id: Type.String({ description: "The hub's own id for this reception, a ULID." }),
    messageId: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'Id given by the source; deduplicated per source.',
    }),
    type: oneOf(CALL_TYPES),
    name: Type.String({
      description: 'Event name for track, page or screen name for page and screen, otherwise the call type.',
    }),
    occurredAt: Type.String({
      format: 'date-time',
      description: "When it happened, UTC, corrected for the client's clock.",
    }),
    receivedAt: Type.String({ format: 'date-time' }),
    source: Type.Object(
      {
        id: Type.String({ description: 'Instance name in anuente.yaml.' }),
        connector: Type.String(),
        originalName: Type.Optional(Type.String({ description: 'Name the source used, when the table changed it.' })),
        past: Type.Optional(
          Type.Literal(true, {
            description: 'A row of a file about something over a day old: it changes the profile and starts nothing.',
          }),
        ),
        feedback: Type.Optional(
          Type.Literal(true, {
            description: 'A destination told it of its messages, with its credentials, at /in/<destination id>.',
          }),
        ),
        payloadHash: Type.String({
          description: 'SHA-256 (hex) of the raw event without fields that SDK retries change.',
        }),
      },
      { additionalProperties: false },
    ),
    subject: Type.Object(
      {
        identifiers: Type.Array(Identifier),
        previousId: Type.Optional(Type.String({ description: 'alias only: the id this person had before.' })),
      },
      { additionalProperties: false },
    ),
    traits: Loose,
    properties: Loose,
    context: Loose,
    consent: Type.Array(ConsentSignal),
    deliveryId: Type.Optional(
      Type.String({ description: 'Set when the hub caused this event: the id of the delivery that comes back.' }),
    ),
  },
  { $id: 'https://anuente.dev/schemas/event.json', title: 'CanonicalEvent', additionalProperties: false },
)
export type CanonicalEvent = Static<typeof CanonicalEvent>
