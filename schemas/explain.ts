/** What explaining one event or delivery answers, on the command line and over HTTP. */
import { type TSchema, Type } from 'typebox'
import { DELIVERY_STATUSES } from './delivery.ts'
import { STAGE_NAMES } from './exits.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Localized = Type.Object({ pt: Type.String(), en: Type.String() }, closed)

export const ExplainedClause = Type.Object(
  {
    id: Type.String({ description: 'Place in the rule: when, who, unless, … and the index.' }),
    clause: Type.String({ description: 'In English.' }),
    pt: Type.String({ description: 'Em português.' }),
    ok: Type.Boolean(),
    value: Type.Unknown({ description: 'What was found; null when missing.' }),
    unit: Type.Optional(
      Type.Literal('cents', { description: 'The value is money in hundredths of the currency unit.' }),
    ),
  },
  closed,
)

export const SkippedAction = Type.Object(
  { destination: Type.String(), action: Type.String(), code: Type.String() },
  closed,
)

export const ExplainQuery = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: 512,
      description: 'Message id, event id, delivery id or quarantine id.',
    }),
  },
  closed,
)

/** Answers are passed on as they come, so nothing here may be written to. */
const List = <T extends TSchema>(item: T) => Type.Immutable(Type.Array(item))
const Moment = Type.String({ format: 'date-time', description: 'ISO 8601, UTC.' })

export const ExplainedConsent = Type.Object(
  {
    entryId: Type.String(),
    purpose: Type.String(),
    status: Type.String(),
    basis: Type.String(),
    at: Moment,
    origin: Type.String(),
    notice: Type.Optional(Type.Object({ id: Type.String(), version: Type.Integer() }, closed)),
  },
  closed,
)

export const ExplainAnswer = Type.Object(
  {
    id: Type.String(),
    found: oneOf(['event', 'delivery', 'quarantine']),
    event: Type.Optional(
      Type.Object(
        {
          id: Type.String(),
          messageId: Type.String(),
          name: Type.String(),
          type: Type.String(),
          source: Type.String(),
          occurredAt: Moment,
          receivedAt: Moment,
          late: Type.Optional(
            Type.Literal(true, { description: 'Something newer of this person had been taken before it.' }),
          ),
          releasedAt: Type.Optional(
            Type.String({ format: 'date-time', description: 'It was held; an answer released it then.' }),
          ),
          purposes: Type.Immutable(Type.Array(Type.String(), { description: 'Purposes it was kept for.' })),
        },
        closed,
      ),
    ),
    journey: List(
      Type.Object(
        {
          stage: oneOf(STAGE_NAMES),
          at: Type.Optional(Moment),
          exit: Type.Optional(Type.String({ description: 'Absent: it passed.' })),
          detail: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
    decisions: List(
      Type.Object(
        {
          rule: Type.String(),
          version: Type.Integer(),
          result: Type.String(),
          at: Moment,
          arm: Type.Optional(Type.String()),
          recomputed: Type.Optional(
            Type.Literal(true, {
              description:
                'Not noted when it happened, but told from the event: the rule waits for another value of it.',
            }),
          ),
          clauses: List(ExplainedClause),
          skipped: List(SkippedAction),
          sentence: Localized,
        },
        closed,
      ),
    ),
    withheld: List(
      Type.Object(
        {
          what: Type.String({ description: "A rule's id, or destination.action." }),
          kind: oneOf(['rule', 'action']),
          purpose: Type.String(),
          code: Type.String(),
          status: Type.Optional(Type.String({ description: 'The answer as it stands now.' })),
          since: Type.Optional(Type.String({ format: 'date-time', description: 'When that answer came.' })),
          entryId: Type.Optional(Type.String()),
          reason: Localized,
        },
        {
          ...closed,
          description: 'What was not asked, because the event was not kept for its purpose.',
        },
      ),
    ),
    consent: List(ExplainedConsent),
    deliveries: List(
      Type.Object(
        {
          id: Type.String(),
          destination: Type.String(),
          action: Type.String(),
          status: oneOf(DELIVERY_STATUSES),
          code: Type.Optional(Type.String()),
          reason: Type.Optional(Type.String({ description: 'What the vendor answered, without personal data.' })),
          entryId: Type.Optional(Type.String({ description: 'The consent entry it rests on.' })),
          attempts: List(
            Type.Object({ n: Type.Integer(), at: Moment, outcome: Type.String(), reason: Type.String() }, closed),
          ),
        },
        closed,
      ),
    ),
    sentence: Localized,
  },
  closed,
)
