/** Rows of a file, as they are handed over for a source that takes them, and what became of them. */
import { type Static, Type } from 'typebox'

const closed = { additionalProperties: false } as const

export const RowsRequest = Type.Object(
  {
    import: Type.String({
      pattern: '^[A-Za-z0-9_-]{8,64}$',
      description: 'Names the file. A row of the same import and number counts once.',
    }),
    firstRow: Type.Integer({ minimum: 1, description: 'Place of the first of these rows in the file, from 1.' }),
    rows: Type.Array(Type.Unknown(), {
      minItems: 1,
      maxItems: 500,
      description: 'Objects by the names of the columns.',
    }),
    dryRun: Type.Optional(Type.Boolean({ description: 'Count, record nothing.' })),
  },
  closed,
)
export const RowsAnswer = Type.Object(
  {
    recorded: Type.Integer({ description: 'Events; a row may be two, a person and an act.' }),
    quarantined: Type.Integer(),
    codes: Type.Record(Type.String(), Type.Integer(), { description: 'Rows set aside, by code.' }),
  },
  closed,
)
export type RowsAnswer = Static<typeof RowsAnswer>
