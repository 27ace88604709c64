/** Offers of the configuration: what may go with a message. Amounts are minor units. */
import { type Static, type TSchema, Type } from 'typebox'
import { Conditions, Duration } from './conditions.ts'

const closed = { additionalProperties: false } as const

export const OfferConfig = Type.Object(
  {
    title: Type.Object({ pt: Type.String(), en: Type.String() }, closed),
    value: Type.Optional(
      Type.Integer({ minimum: 0, description: 'What it is worth to the person, in minor units (1500 is 15.00).' }),
    ),
    cost: Type.Optional(
      Type.Integer({ minimum: 0, description: 'What it costs the organization when used, in minor units.' }),
    ),
    from: Type.Optional(Type.String({ format: 'date', description: 'First day, by the clock of the organization.' })),
    to: Type.Optional(Type.String({ format: 'date', description: 'Last day.' })),
    who: Type.Optional(Conditions),
    limits: Type.Optional(
      Type.Object(
        {
          person: Type.Optional(
            Type.Object(
              { max: Type.Integer({ minimum: 1 }), window: Type.Optional(Duration) },
              { ...closed, description: 'How often one person may get it; within a year when no window is written.' },
            ),
          ),
          total: Type.Optional(Type.Integer({ minimum: 1, description: 'How many are given out.' })),
        },
        closed,
      ),
    ),
    code: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'One code for everybody.' })),
    codes: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'A CSV file with one code a line, or with a column "code": each is given to one person.',
      }),
    ),
  },
  { ...closed, description: 'Held-out people and controls use up no code.' },
)
export type OfferConfig = Static<typeof OfferConfig>

const Nullable = <T extends TSchema>(of: T) => Type.Union([of, Type.Null()])

/** How an offer stands: what was given of it, and what is left. */
export const OfferReport = Type.Object(
  {
    id: Type.String(),
    title: Type.Object({ pt: Type.String(), en: Type.String() }, closed),
    from: Nullable(Type.String({ description: 'First day.' })),
    to: Nullable(Type.String({ description: 'Last day.' })),
    valid: Type.Boolean({ description: 'Today is one of its days.' }),
    left: Nullable(Type.Integer({ description: 'Of the codes or the limit, whichever is scarcer; null: no end.' })),
    limit: Nullable(
      Type.Object({ total: Type.Integer(), used: Type.Integer() }, { ...closed, description: 'In total.' }),
    ),
    codes: Nullable(
      Type.Object(
        { total: Type.Integer(), given: Type.Integer(), left: Type.Integer() },
        { ...closed, description: 'Of a file, each given once.' },
      ),
    ),
    rules: Type.Array(
      Type.Object(
        {
          rule: Type.String(),
          given: Type.Integer({ description: 'Messages with it that wait, were sent or may have been.' }),
          delivered: Type.Integer(),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type OfferReport = Static<typeof OfferReport>
