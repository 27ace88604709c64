/** What one source sent over a time: what became of it, and what is wrong with it. */
import { type Static, Type } from 'typebox'
import { oneOf } from './one-of.ts'
import { CountedViolation } from './plan.ts'

const closed = { additionalProperties: false }
const Count = Type.Object({ code: Type.String(), count: Type.Integer() }, closed)

/** Size of the correction of a client's clock. */
export const SKEW_STEPS = [
  { id: 'second', below: 1_000 },
  { id: 'seconds', below: 10_000 },
  { id: 'minute', below: 60_000 },
  { id: 'minutes', below: 600_000 },
  { id: 'hour', below: 3_600_000 },
  { id: 'day', below: 86_400_000 },
  { id: 'more', below: Number.POSITIVE_INFINITY },
] as const
export type SkewStep = (typeof SKEW_STEPS)[number]['id']

const Time = Type.Optional(Type.String({ format: 'date-time', description: 'ISO 8601 with zone.' }))
export const SourceReportQuery = Type.Object({ from: Time, to: Time }, closed)

export const SourceReport = Type.Object(
  {
    source: Type.String(),
    connector: Type.String(),
    from: Type.Integer(),
    to: Type.Integer(),
    received: Type.Integer(),
    kept: Type.Integer(),
    duplicates: Type.Integer({ description: 'The same message again.' }),
    echoes: Type.Integer({ description: 'What the hub itself caused.' }),
    copies: Type.Integer({ description: 'Facts that another source, or this one, had reported already.' }),
    held: Type.Integer({ description: 'Put on hold in this time, whatever became of them.' }),
    dropped: Type.Array(Count, { description: 'By code.' }),
    quarantined: Type.Array(Count, { description: 'By code, in this time.' }),
    waiting: Type.Array(Type.Object({ code: Type.String(), path: Type.String(), count: Type.Integer() }, closed), {
      description: 'In quarantine now, by code and place.',
    }),
    skew: Type.Array(Type.Object({ step: oneOf(SKEW_STEPS.map(({ id }) => id)), count: Type.Integer() }, closed)),
    consent: Type.Array(
      Type.Object(
        {
          purpose: Type.String(),
          title: Type.Object({ pt: Type.String(), en: Type.String() }, closed),
          wanted: Type.Integer({ description: 'Events this purpose wants.' }),
          answered: Type.Integer({ description: 'Of these, events of people or devices that had answered.' }),
          gaps: Type.Array(
            Type.Object(
              {
                reason: Type.String(),
                events: Type.Integer(),
                sentence: Type.Object({ pt: Type.String(), en: Type.String() }, closed),
                remedy: Type.Object({ pt: Type.String(), en: Type.String() }, closed),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
      { description: 'Whole days: the time asked for, rounded outwards.' },
    ),
    plan: Type.Object(
      {
        version: Type.Union([Type.Integer(), Type.Null()]),
        passed: Type.Integer(),
        quarantined: Type.Integer(),
        blocked: Type.Integer(),
        violations: Type.Array(CountedViolation),
      },
      closed,
    ),
    newest: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          at: Type.Integer(),
          type: Type.String(),
          name: Type.String(),
          code: Type.String(),
        },
        closed,
      ),
    ),
    series: Type.Object(
      {
        bucketMs: Type.Integer(),
        at: Type.Array(Type.Integer()),
        received: Type.Array(Type.Integer()),
        wrong: Type.Array(Type.Integer(), { description: 'Quarantined or blocked.' }),
      },
      closed,
    ),
  },
  closed,
)
export type SourceReport = Static<typeof SourceReport>
