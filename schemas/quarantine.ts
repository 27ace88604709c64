/** What a re-drive of quarantined inputs answers. */
import { type Static, Type } from 'typebox'
import { Fix, Violation } from './plan.ts'

const closed = { additionalProperties: false }

export const RedriveAnswer = Type.Object(
  {
    redriven: Type.Integer({ description: 'Inputs that are in the log again; in a dry run, that would be.' }),
    changed: Type.Integer({ description: 'Inputs that a fix changed.' }),
    refused: Type.Record(Type.String(), Type.Integer(), { description: 'Inputs that still stay, by code.' }),
    samples: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          event: Type.String(),
          before: Type.Unknown({ description: 'Names and types, without a value.' }),
          after: Type.Unknown(),
          violations: Type.Array(Violation, { description: 'What the plan still finds.' }),
        },
        closed,
      ),
      { description: 'Of a dry run, at most 10.' },
    ),
    more: Type.Boolean({ description: 'There may be more than one call takes: run it again.' }),
    dryRun: Type.Boolean(),
  },
  closed,
)
export type RedriveAnswer = Static<typeof RedriveAnswer>

const Text = Type.Optional(Type.String({ minLength: 1, maxLength: 512 }))
export const QuarantineRedrive = Type.Object(
  {
    filter: Type.Object(
      {
        id: Text,
        source: Text,
        code: Text,
        path: Text,
        event: Text,
        from: Type.Optional(Type.String({ format: 'date-time' })),
      },
      closed,
    ),
    fixes: Type.Optional(Type.Array(Fix, { maxItems: 50 })),
    asIs: Type.Optional(Type.Boolean({ description: 'Somebody looked at them: the plan is not asked.' })),
    dryRun: Type.Boolean(),
  },
  closed,
)
