/** Why one person did, or did not, get something of one rule: on the command line and over HTTP. By pseudonym. */
import { type Static, Type } from 'typebox'
import { STATUSES } from './consent.ts'
import { DELIVERY_STATUSES } from './delivery.ts'
import { ExplainedClause, ExplainedConsent, SkippedAction } from './explain.ts'
import { EDGE_STRENGTHS } from './identity.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Localized = Type.Object({ pt: Type.String(), en: Type.String() }, closed)
const Moment = Type.String({ format: 'date-time', description: 'ISO 8601, UTC.' })
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Union([type, Type.Null()])

export const WhyParams = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 128, description: 'Person id, also one merged into another since.' }),
    rule: Type.String({
      minLength: 1,
      maxLength: 80,
      description: 'Id of a published rule; id@version for an earlier one.',
    }),
  },
  closed,
)

export const WHY_CAUSES = ['event', 'audience', 'score', 'schedule', 'request'] as const

const Identifiers = Type.Array(Type.Object({ type: Type.String(), count: Type.Integer() }, closed))
const EdgeEnd = Type.Object({ node: Type.String(), type: Type.String() }, closed)

const WhyEdge = Type.Object(
  {
    a: EdgeEnd,
    b: EdgeEnd,
    strength: oneOf(EDGE_STRENGTHS),
    source: Type.String(),
    event: Type.String({ description: 'The event that shows it.' }),
    at: Moment,
    takenBackAt: Nullable(Type.String({ format: 'date-time', description: 'Somebody took it back since.' })),
  },
  closed,
)

export const WhyDecision = Type.Object(
  {
    rule: Type.String(),
    version: Type.Integer(),
    at: Moment,
    source: oneOf(
      ['stored', 'recomputed'],
      'stored: as it was decided; recomputed: given again from history, because it was not stored.',
    ),
    identity: Type.Object(
      {
        identifiers: Identifiers,
        edges: Type.Array(WhyEdge, { description: 'The evidence that made one person of them, oldest first.' }),
      },
      { ...closed, description: 'Who this was at that moment. Types, never values.' },
    ),
    result: Type.String({ description: 'ENQUEUED, ARMED, RESET, CANCELLED, or the exit taken.' }),
    would: Nullable(Type.String({ description: 'Of a shadow: what it would have been.' })),
    cause: oneOf(WHY_CAUSES, 'What set the rule off, or started its clock.'),
    event: Nullable(
      Type.Object(
        {
          id: Type.String(),
          name: Type.String(),
          type: Type.String(),
          source: Type.String(),
          occurredAt: Moment,
          receivedAt: Moment,
        },
        { ...closed, description: 'null: no event caused it, or it is not kept any more.' },
      ),
    ),
    startedAt: Nullable(Type.String({ format: 'date-time', description: 'When the wait began.' })),
    clauses: Type.Array(ExplainedClause, { description: 'Every clause that was asked, with the value found.' }),
    arm: Nullable(Type.String()),
    variant: Nullable(Type.String()),
    offer: Nullable(Type.String()),
    heldUntil: Nullable(Type.String({ format: 'date-time', description: 'Quiet hours, a holiday or a chosen time.' })),
    caps: Type.Array(
      Type.Object(
        {
          clause: Type.String(),
          pt: Type.String(),
          max: Type.Integer(),
          used: Nullable(
            Type.Integer({
              description: 'Before this decision, of the uses that are still kept; null: it was not asked.',
            }),
          ),
        },
        closed,
      ),
    ),
    skipped: Type.Array(SkippedAction),
    consent: Nullable(ExplainedConsent),
    entryId: Nullable(Type.String({ description: 'Ledger entry it rests on.' })),
    deliveries: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          destination: Type.String(),
          action: Type.String(),
          channel: Nullable(Type.String()),
          status: oneOf(DELIVERY_STATUSES),
          code: Nullable(Type.String()),
          reason: Nullable(Type.String({ description: 'What the vendor answered, without personal data.' })),
          entryId: Nullable(Type.String({ description: 'Ledger entry that the last check rests on.' })),
          consent: Nullable(ExplainedConsent),
          dueAt: Moment,
          settledAt: Nullable(Moment),
          attempts: Type.Array(
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
export type WhyDecision = Static<typeof WhyDecision>

export const WhyAnswer = Type.Object(
  {
    person: Type.String({ description: 'Canonical person id.' }),
    rule: Type.Object(
      {
        id: Type.String(),
        version: Type.Integer(),
        title: Nullable(Localized),
        purpose: Type.String(),
        published: Type.Boolean({ description: 'This very text is live.' }),
      },
      closed,
    ),
    source: oneOf(
      ['stored', 'recomputed'],
      'recomputed: nothing of it was stored, all of it was given again from history. Each decision says its own.',
    ),
    now: Type.Object(
      {
        consent: Nullable(
          Type.Object(
            {
              status: oneOf(STATUSES),
              refused: Nullable(
                Type.String({ description: 'Why a decision may not use it: a status, or a word of the policy table.' }),
              ),
              since: Nullable(Moment),
              entryId: Nullable(Type.String()),
            },
            {
              ...closed,
              description: "The person's answer about the rule's purpose; of the newest device for devices.",
            },
          ),
        ),
        stage: Nullable(Type.String({ description: 'Of this version: draft, test, shadow, live, retired.' })),
        share: Nullable(Type.Number({ description: 'Of people, 0 to 1, where the stage is live.' })),
        stopped: Nullable(oneOf(['PAUSED', 'KILLED'])),
        events: Type.Array(
          Type.Object(
            {
              name: Type.String({ description: 'Name or pattern that sets the rule off.' }),
              kept: Type.Integer({ description: "For the rule's purpose." }),
              elsewhere: Type.Integer({ description: 'For other purposes only: the rule does not see them.' }),
            },
            closed,
          ),
        ),
      },
      { ...closed, description: 'How things stand: what a rule that was never asked has for a reason.' },
    ),
    identity: Type.Object(
      {
        identifiers: Identifiers,
        mergedFrom: Type.Integer({ description: 'Former people that are this one now.' }),
        firstSeenAt: Nullable(Moment),
      },
      { ...closed, description: 'As it is now. Types and counts; values take a reveal with a reason.' },
    ),
    decisions: Type.Array(WhyDecision, { description: 'Oldest first, the last 20.' }),
    waiting: Type.Array(
      Type.Object({ startedAt: Moment, dueAt: Moment }, { ...closed, description: 'Clocks that run now.' }),
    ),
    sentence: Localized,
  },
  closed,
)
export type WhyAnswer = Static<typeof WhyAnswer>
