/** How long each kind of personal data is kept, and what the officer sees and approves of it. */
import { type Static, type TSchema, Type } from 'typebox'
import { oneOf } from './one-of.ts'
import { Duration } from './rule.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })
const Text = Type.Object({ pt: Type.String(), en: Type.String() }, closed)

/** Kinds of data a policy is about. What lives only minutes or hours (log, held, quarantine) has its clock in the code. */
export const DATA_CLASSES = [
  'history',
  'unidentified',
  'profile',
  'facts',
  'deliveries',
  'decisions',
  'access_log',
  'consent_proof',
  'blocked',
  'incidents',
  'requests',
  'audiences',
] as const
export type DataClass = (typeof DATA_CLASSES)[number]

/** What starts the clock. `ended`: the purpose ended for this person (LGPD art. 15): revoked, expired, contract over. */
export const RETENTION_TRIGGERS = [
  'occurred',
  'ended',
  'last_seen',
  'settled',
  'decided',
  'erased',
  'blocked',
  'registered',
  'answered',
  'exit',
] as const
export type RetentionTrigger = (typeof RETENTION_TRIGGERS)[number]

/** Until the period is over the data rest on: processing that goes on (art. 15), or one of the four grounds of art. 16. */
export const RETENTION_GROUNDS = ['processing', '16.I', '16.II', '16.III', '16.IV'] as const
export type RetentionGround = (typeof RETENTION_GROUNDS)[number]

export const RETENTION_ACTIONS = ['erase', 'anonymise', 'block'] as const
export type RetentionAction = (typeof RETENTION_ACTIONS)[number]

export const RetentionPolicy = Type.Object(
  {
    class: oneOf(DATA_CLASSES),
    purpose: Type.Optional(Type.String({ description: 'A purpose of the configuration; all of them when absent.' })),
    trigger: oneOf(RETENTION_TRIGGERS),
    period: Duration,
    ground: oneOf(RETENTION_GROUNDS),
    reason: Type.Optional(
      Type.String({
        minLength: 10,
        description: 'Why so long: the duty, the proceeding, the balancing. For the record of art. 37.',
      }),
    ),
    action: oneOf(RETENTION_ACTIONS),
    anonymise: Type.Optional(
      Type.Object(
        {
          method: Type.String({
            description:
              'aggregate: only counts per day, event and source remain. A hash is a pseudonym and is refused.',
          }),
          k: Type.Integer({ minimum: 5, description: 'Counts about fewer people than this are not kept.' }),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type RetentionPolicy = Static<typeof RetentionPolicy>

export const RetentionConfig = Type.Object(
  {
    policies: Type.Optional(
      Type.Array(RetentionPolicy, {
        description: 'Each replaces the default of the same class, purpose and trigger, or stands beside it.',
      }),
    ),
    unusual: Type.Optional(
      Type.Object(
        {
          times: Type.Optional(
            Type.Number({ minimum: 1, description: 'So many times the usual count; 3 when absent.' }),
          ),
          atLeast: Type.Optional(
            Type.Integer({ minimum: 0, description: 'Fewer rows than this are never unusual; 1000 when absent.' }),
          ),
        },
        { ...closed, description: 'When an approved policy stops and asks again.' },
      ),
    ),
  },
  { ...closed, description: 'Periods per kind of data (LGPD art. 15, 16, 40). Defaults apply where nothing is said.' },
)
export type RetentionConfig = Static<typeof RetentionConfig>

// ---------------------------------------------------------------- what the officer sees

export const RetentionFinding = Type.Object(
  {
    code: oneOf([
      'CLASS_WITHOUT_POLICY',
      'UNDER_LEGAL_MINIMUM',
      'KEPT_AFTER_REVOCATION',
      'NOT_ANONYMOUS',
      'UNKNOWN_METHOD',
      'ACTION_NOT_POSSIBLE',
      'TRIGGER_NOT_POSSIBLE',
      'UNKNOWN_PURPOSE',
      'GROUND_WITHOUT_REASON',
      'DUPLICATE',
    ]),
    severity: oneOf(['error', 'warning']),
    path: Type.String({ description: 'JSON pointer into anuente.yaml.' }),
    message: Text,
  },
  closed,
)
export type RetentionFinding = Static<typeof RetentionFinding>

export const POLICY_STATES = ['approved', 'new', 'changed', 'unusual'] as const
export type PolicyState = (typeof POLICY_STATES)[number]

export const RetentionPolicyView = Type.Object(
  {
    id: Type.String({ description: 'class/purpose/trigger; * for all purposes.' }),
    policy: RetentionPolicy,
    hash: Type.String({ description: 'SHA-256 (hex) over the policy: an approval holds for this hash alone.' }),
    origin: oneOf(['default', 'config']),
    state: oneOf(POLICY_STATES, 'unusual: approved, and waiting because far more is due than usual.'),
    approvedBy: Nullable(Type.String()),
    approvedAt: Nullable(Time),
    approvedCount: Nullable(Type.Integer()),
  },
  closed,
)
export type RetentionPolicyView = Static<typeof RetentionPolicyView>

export const RetentionPlanItem = Type.Object(
  {
    policyId: Type.String(),
    policyHash: Type.String(),
    class: oneOf(DATA_CLASSES),
    action: oneOf(RETENTION_ACTIONS),
    count: Type.Integer({ minimum: 0, description: 'Rows it would act on now.' }),
    people: Type.Integer({
      minimum: 0,
      description: 'People or devices they belong to; 0 for kinds that name nobody.',
    }),
    oldest: Nullable(Time),
    held: Type.Integer({ minimum: 0, description: 'Rows that are due and stay because of a legal hold.' }),
    holds: Type.Array(Type.String(), { description: 'Ids of those holds.' }),
    samples: Type.Array(Type.Object({ id: Type.String(), subject: Nullable(Type.String()), at: Time }, closed), {
      description: 'Up to five, by row id and ledger subject: pseudonyms.',
    }),
    unusual: Type.Boolean(),
  },
  closed,
)
export type RetentionPlanItem = Static<typeof RetentionPlanItem>

export const RetentionPlan = Type.Object(
  {
    hash: Type.String({ description: 'SHA-256 (hex) over policies, counts and conflicts: what is approved.' }),
    at: Time,
    by: Type.String(),
    items: Type.Array(RetentionPlanItem),
    findings: Type.Array(RetentionFinding),
    approvedBy: Nullable(Type.String()),
    approvedAt: Nullable(Time),
  },
  closed,
)
export type RetentionPlan = Static<typeof RetentionPlan>

export const RUN_STATES = ['running', 'done', 'incomplete'] as const
export const RetentionRun = Type.Object(
  {
    id: Type.String(),
    policyId: Type.String(),
    policyHash: Type.String(),
    class: oneOf(DATA_CLASSES),
    action: oneOf(RETENTION_ACTIONS),
    state: oneOf(RUN_STATES, 'incomplete: the verification pass still found something.'),
    startedAt: Time,
    finishedAt: Nullable(Time),
    asOf: Time,
    due: Type.Integer({ description: 'Counted at the start.' }),
    done: Type.Integer(),
    held: Type.Integer(),
    root: Nullable(Type.String({ description: 'Merkle root over the ids of each batch, hex.' })),
    entryId: Nullable(Type.String({ description: 'The ledger entry that says so.' })),
    remaining: Nullable(Type.Integer({ description: 'What the verification pass found; 0 is right.' })),
    method: Nullable(Type.String({ description: 'Anonymisation: method, k, cells kept and suppressed.' })),
  },
  closed,
)
export type RetentionRun = Static<typeof RetentionRun>

export const LegalHold = Type.Object(
  {
    id: Type.String(),
    kind: oneOf(['person', 'range']),
    subject: Nullable(Type.String({ description: 'person: a ledger subject of that person.' })),
    class: Nullable(oneOf(DATA_CLASSES, 'range: only this kind; every kind when null.')),
    from: Nullable(Time),
    to: Nullable(Time),
    ref: Type.String({ description: 'The proceeding or order it rests on.' }),
    reason: Type.String(),
    setBy: Type.String(),
    setAt: Time,
    releasedBy: Nullable(Type.String()),
    releasedAt: Nullable(Time),
    releaseReason: Nullable(Type.String()),
  },
  closed,
)
export type LegalHold = Static<typeof LegalHold>

export const RetentionOverview = Type.Object(
  {
    policies: Type.Array(RetentionPolicyView),
    findings: Type.Array(RetentionFinding),
    runs: Type.Array(RetentionRun, { description: 'The newest 50.' }),
    holds: Type.Array(LegalHold, { description: 'Those in force.' }),
    latestPlan: Nullable(RetentionPlan),
    unusualRule: Text,
    places: Type.Array(Type.Object({ place: Type.String(), holds: Text, key: Text, clock: Text }, closed), {
      description: 'Every place where personal data can lie.',
    }),
  },
  closed,
)
export type RetentionOverview = Static<typeof RetentionOverview>

export const ApproveRequest = Type.Object(
  {
    hash: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the plan that was looked at.' }),
    policies: Type.Optional(Type.Array(Type.String(), { description: 'Ids; all of the plan when absent.' })),
  },
  closed,
)
export type ApproveRequest = Static<typeof ApproveRequest>

export const RunRequest = Type.Object({ policies: Type.Optional(Type.Array(Type.String())) }, closed)
export type RunRequest = Static<typeof RunRequest>

export const RunAnswer = Type.Object(
  {
    started: Type.Array(RetentionRun),
    waiting: Type.Array(Type.Object({ policyId: Type.String(), why: oneOf(POLICY_STATES) }, closed)),
  },
  closed,
)
export type RunAnswer = Static<typeof RunAnswer>

export const HoldRequest = Type.Object(
  {
    subject: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Ledger subject or person id.' })),
    class: Type.Optional(oneOf(DATA_CLASSES)),
    from: Type.Optional(Type.String({ format: 'date-time' })),
    to: Type.Optional(Type.String({ format: 'date-time' })),
    ref: Type.String({ minLength: 1, maxLength: 200 }),
    reason: Type.String({ minLength: 10, maxLength: 1000 }),
  },
  closed,
)
export type HoldRequest = Static<typeof HoldRequest>

export const ReleaseRequest = Type.Object({ reason: Type.String({ minLength: 10, maxLength: 1000 }) }, closed)
export type ReleaseRequest = Static<typeof ReleaseRequest>

export const RetentionRuns = Type.Object({ items: Type.Array(RetentionRun), next: Nullable(Type.String()) }, closed)
export const Holds = Type.Object({ items: Type.Array(LegalHold) }, closed)
