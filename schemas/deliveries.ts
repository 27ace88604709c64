/** The delivery console: how deliveries ended over time, and what a re-drive would do. */
import { type Static, Type } from 'typebox'

const closed = { additionalProperties: false }
const Count = Type.Object({ code: Type.String(), count: Type.Integer() }, closed)

/** What a screen adds up: `retried` counts attempts that will be repeated, the others how deliveries ended. */
export const DELIVERY_OUTCOMES = [
  'delivered',
  'retried',
  'failed',
  'uncertain',
  'blocked',
  'held_out',
  'cancelled',
] as const
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number]

const Outcomes = Type.Object(
  Object.fromEntries(DELIVERY_OUTCOMES.map((name) => [name, Type.Integer()])) as Record<
    DeliveryOutcome,
    ReturnType<typeof Type.Integer>
  >,
  closed,
)

const Time = Type.Optional(Type.String({ format: 'date-time', description: 'ISO 8601 with zone.' }))
export const DeliveryStatsQuery = Type.Object(
  { destination: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })), from: Time, to: Time },
  closed,
)

export const DestinationStats = Type.Object(
  {
    destination: Type.String(),
    created: Type.Integer(),
    outcomes: Outcomes,
    reasons: Type.Array(Count, { description: 'By exit code, most frequent first.' }),
    waiting: Type.Integer({ description: 'Not settled now.' }),
    late: Type.Integer({ description: 'Of these, events that wait for more than a minute: their lane has moved on.' }),
    oldestAt: Type.Union([Type.Integer(), Type.Null()]),
    dead: Type.Integer({ description: 'Dead letters now.' }),
    uncertain: Type.Integer({ description: 'Of unknown outcome now; a person decides.' }),
    series: Type.Array(Outcomes, { description: 'One per bucket of `at`.' }),
  },
  closed,
)
export type DestinationStats = Static<typeof DestinationStats>

export const DeliveryStats = Type.Object(
  {
    from: Type.Integer(),
    to: Type.Integer(),
    bucketMs: Type.Integer(),
    at: Type.Array(Type.Integer()),
    items: Type.Array(DestinationStats),
  },
  closed,
)
export type DeliveryStats = Static<typeof DeliveryStats>

export const RedrivePreview = Type.Object(
  {
    deliveries: Type.Integer({ description: 'That go again; in a dry run, that would.' }),
    people: Type.Integer(),
    mayRepeat: Type.Integer({ description: 'Of these, messages of unknown outcome: somebody may get them twice.' }),
    leftOut: Type.Array(Count, {
      description: 'By the exit they would take now. DELIVERED: the same was delivered already.',
    }),
    budgets: Type.Array(
      Type.Object(
        {
          destination: Type.String(),
          deliveries: Type.Integer(),
          perSecond: Type.Number({
            description: 'A quarter of what the vendor allows, so that new deliveries keep their pace.',
          }),
          lastAt: Type.Integer({ description: 'When the last of them is due.' }),
        },
        closed,
      ),
    ),
    samples: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          destination: Type.String(),
          action: Type.String(),
          rule: Type.Union([Type.String(), Type.Null()]),
          contact: Type.Union([Type.String({ description: 'Masked.' }), Type.Null()]),
          code: Type.Union([Type.String({ description: 'Why it is left out.' }), Type.Null()]),
        },
        closed,
      ),
    ),
    more: Type.Boolean({ description: 'The filter finds more than one call takes.' }),
    dryRun: Type.Boolean(),
  },
  closed,
)
export type RedrivePreview = Static<typeof RedrivePreview>
