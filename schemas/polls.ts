/** Sources that the hub asks, as the admin API and the command line know them. */
import { type Static, Type } from 'typebox'

const closed = { additionalProperties: false } as const
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })

export const PolledSource = Type.Object(
  {
    source: Type.String(),
    everySeconds: Type.Integer(),
    ranAt: Type.Union([Time, Type.Null()], { description: 'Newest run without a failure.' }),
    nextAt: Type.Union([Time, Type.Null()], { description: 'Null: as soon as the hub runs.' }),
    running: Type.Boolean(),
    recorded: Type.Integer({ description: 'Events, over all runs.' }),
    quarantined: Type.Integer(),
    error: Type.Union([Type.String(), Type.Null()], {
      description:
        'Code of the newest failure: UNAUTHORIZED, UNREACHABLE, REJECTED, INVALID or that of the file system.',
    }),
    errorAt: Type.Union([Time, Type.Null()]),
    failures: Type.Integer({ description: 'In a row.' }),
  },
  closed,
)
export type PolledSource = Static<typeof PolledSource>

export const PolledSources = Type.Object({ items: Type.Array(PolledSource) }, closed)
export type PolledSources = Static<typeof PolledSources>

export const PollAnswer = Type.Object(
  {
    pages: Type.Integer(),
    recorded: Type.Integer(),
    quarantined: Type.Integer(),
    error: Type.Union([Type.String(), Type.Null()]),
    busy: Type.Boolean({ description: 'It was being asked already; this call did nothing.' }),
  },
  closed,
)
export type PollAnswer = Static<typeof PollAnswer>
