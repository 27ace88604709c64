/** What a backtest of a rule answers, on the command line and over HTTP. Names nobody: people are their pseudonyms. */
import { type Static, Type } from 'typebox'
import { ExplainedClause } from './explain.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Localized = Type.Object({ pt: Type.String(), en: Type.String() }, closed)
const Counts = Type.Record(Type.String(), Type.Integer())
const Moment = Type.String({ description: 'ISO 8601, UTC.' })

export const BacktestSample = Type.Object(
  {
    person: Type.String({ description: 'Pseudonym; who it is takes a reveal with a reason.' }),
    at: Moment,
    result: Type.String(),
    arm: Type.Union([Type.String(), Type.Null()]),
    clauses: Type.Array(ExplainedClause),
    sentence: Localized,
  },
  closed,
)
export type BacktestSample = Static<typeof BacktestSample>

export const BacktestReport = Type.Object(
  {
    rule: Type.Object(
      {
        id: Type.String(),
        version: Type.Integer(),
        hash: Type.String(),
        published: Type.Boolean({ description: 'This very text is live.' }),
      },
      closed,
    ),
    share: Type.Object(
      {
        tried: Type.Number({ description: 'Share of people the rule is tried on: 1, or the one it is published at.' }),
        live: Type.Union([Type.Number(), Type.Null()], {
          description: 'Share of people this text is live for; 0 for test recipients alone, null when it is not live.',
        }),
      },
      closed,
    ),
    from: Moment,
    to: Moment,
    historyBegins: Type.Union([Moment, Type.Null()], {
      description:
        'When the oldest event came that is still kept; of the time before it nothing can be told. null: nothing is kept.',
    }),
    asOf: Type.String({ description: 'The moment whose consent says who may be computed at all. ISO 8601, UTC.' }),
    clock: oneOf(
      ['noted', 'ideal'],
      'noted: people are woken when the hub woke them; ideal: at the moment something is due.',
    ),
    people: Type.Object(
      {
        computed: Type.Integer(),
        leftOut: Type.Record(Type.String(), Type.Integer(), { description: 'Why -> how many people.' }),
        matched: Type.Integer(),
        sent: Type.Integer({ description: 'People who would have been sent something.' }),
      },
      closed,
    ),
    events: Type.Integer({ description: 'Events of history that were replayed.' }),
    results: Type.Record(Type.String(), Type.Integer(), { description: 'Exit or outcome -> how often.' }),
    days: Type.Array(
      Type.Object(
        {
          day: Type.String({ description: 'YYYY-MM-DD in the time zone of the organisation.' }),
          matches: Type.Integer(),
          sends: Type.Integer(),
          heldOut: Type.Integer(),
          blocked: Type.Integer(),
        },
        closed,
      ),
    ),
    blocked: Type.Object(
      {
        matches: Type.Integer({ description: 'Decisions whose trigger fired and whose conditions held.' }),
        reasons: Type.Record(Type.String(), Type.Object({ count: Type.Integer(), share: Type.Number() }, closed)),
        consentShare: Type.Number({ description: 'Share of them, and of triggers never asked, that consent stopped.' }),
      },
      closed,
    ),
    notAsked: Type.Record(Type.String(), Type.Integer(), {
      description: 'Triggers in events that were not kept for the purpose of the rule: why -> how many.',
    }),
    sends: Type.Object(
      {
        total: Type.Integer(),
        byChannel: Counts,
        byDestination: Counts,
        byVariant: Counts,
        arms: Counts,
        waited: Type.Integer({ description: 'Held by quiet hours and sent later.' }),
      },
      closed,
    ),
    stopped: Type.Array(
      Type.Object({ id: Type.String(), clause: Type.String(), pt: Type.String(), count: Type.Integer() }, closed),
      { description: 'Clauses that did not hold, the most frequent first: conditions, caps, re-entry, quiet hours.' },
    ),
    overlap: Type.Array(
      Type.Object(
        {
          rule: Type.String(),
          people: Type.Integer({ description: 'People whom both rules would have sent something.' }),
          sends: Type.Integer({ description: 'What the other rule would have sent them.' }),
        },
        closed,
      ),
    ),
    samples: Type.Array(BacktestSample),
    notes: Type.Array(Localized),
  },
  { ...closed, $id: 'https://anuente.dev/schemas/backtest.json', title: 'BacktestReport' },
)
export type BacktestReport = Static<typeof BacktestReport>

export const BacktestRequest = Type.Object(
  {
    rule: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 80,
        description: 'Id of a published rule; id@version for an earlier one.',
      }),
    ),
    text: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64 * 1024, description: 'A rule as YAML or JSON that is not published.' }),
    ),
    from: Type.Optional(Type.String({ format: 'date-time', description: '30 days before `to` when absent.' })),
    to: Type.Optional(Type.String({ format: 'date-time', description: 'Now when absent.' })),
    share: Type.Optional(
      oneOf(
        ['all', 'live'],
        'all, the default: as if it were published for everybody. live: for the people it is published for now.',
      ),
    ),
  },
  { ...closed, description: 'Either `rule` or `text`.' },
)
export type BacktestRequest = Static<typeof BacktestRequest>

export const BacktestJob = Type.Object(
  {
    id: Type.String(),
    rule: Type.Union([Type.String(), Type.Null()], {
      description:
        'As it was asked for; id@version once it is known which one is tried. null: a text that is not published.',
    }),
    from: Moment,
    to: Moment,
    status: oneOf(['running', 'done', 'failed', 'cancelled']),
    startedBy: Type.String({ description: 'User or token id.' }),
    startedAt: Moment,
    endedAt: Type.Union([Moment, Type.Null()]),
    people: Type.Object(
      {
        done: Type.Integer(),
        total: Type.Union([Type.Integer(), Type.Null()], { description: 'null: not counted yet.' }),
      },
      { ...closed, description: 'How far it is.' },
    ),
    error: Type.Union([Type.String(), Type.Null()], { description: 'Why it failed, and what to do.' }),
  },
  closed,
)
export type BacktestJob = Static<typeof BacktestJob>

export const BacktestJobs = Type.Object(
  { items: Type.Array(BacktestJob, { description: 'Newest first; the hub keeps the last 20 until it stops.' }) },
  closed,
)
export type BacktestJobs = Static<typeof BacktestJobs>

export const BacktestDetail = Type.Object(
  { job: BacktestJob, report: Type.Union([BacktestReport, Type.Null()], { description: 'null until it is done.' }) },
  closed,
)
export type BacktestDetail = Static<typeof BacktestDetail>
