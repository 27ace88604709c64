/** Finding one person by an exact identifier, and all that was said, decided and sent, as of any time. */
import { type Static, type TSchema, Type } from 'typebox'
import { IDENTIFIER_TYPES } from './event.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })

export const FindPerson = Type.Object(
  {
    type: oneOf(IDENTIFIER_TYPES),
    value: Type.String({ minLength: 1, maxLength: 512, description: 'Exact: nothing is searched by parts.' }),
    reason: Type.Optional(
      Type.String({ minLength: 10, maxLength: 500, description: 'Kept in the access log; the identifier is not.' }),
    ),
    request: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'A data-subject request: it is the reason.' }),
    ),
  },
  closed,
)
export type FindPerson = Static<typeof FindPerson>

export const PersonFound = Type.Object(
  { people: Type.Array(Type.Object({ personId: Type.String(), subjects: Type.Array(Type.String()) }, closed)) },
  closed,
)
export type PersonFound = Static<typeof PersonFound>

export const TimelineQuery = Type.Object(
  {
    asOf: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'As it was then, to what the hub still keeps; now when absent.',
      }),
    ),
  },
  closed,
)

export const TimelineItem = Type.Object(
  {
    at: Time,
    kind: oneOf(['consent', 'decision', 'delivery']),
    id: Type.String({ description: 'Of the ledger entry, the explanation or the delivery.' }),
    subject: Nullable(Type.String({ description: 'consent: whose answer, by ledger subject.' })),
    purpose: Nullable(Type.String()),
    what: Type.String({ description: 'consent: type of the entry; decision: rule; delivery: destination and action.' }),
    status: Nullable(Type.String({ description: 'A delivery that was still open then is `open`.' })),
    reason: Nullable(Type.String()),
    entryId: Nullable(Type.String({ description: 'The ledger entry it rests on.' })),
  },
  closed,
)
export type TimelineItem = Static<typeof TimelineItem>

export const PersonTimeline = Type.Object(
  {
    personId: Type.String(),
    subjects: Type.Array(Type.String(), { description: 'Ledger subjects of the person and of their devices.' }),
    asOf: Time,
    firstAt: Nullable(Time),
    statuses: Type.Array(
      Type.Object(
        {
          subject: Type.String(),
          device: Type.Boolean(),
          purpose: Type.String(),
          status: Type.String({ description: 'The last word of that subject for that purpose, as the ledger has it.' }),
          at: Time,
          entryId: Type.String(),
        },
        closed,
      ),
    ),
    items: Type.Array(TimelineItem, { description: 'Newest first, at most 500 of each kind.' }),
    truncated: Type.Boolean(),
  },
  closed,
)
export type PersonTimeline = Static<typeof PersonTimeline>
