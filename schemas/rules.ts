/** Rules as the admin API and the command line show and change them. */
import { type Static, type TSchema, Type } from 'typebox'
import { oneOf } from './one-of.ts'
import { TestRecipient } from './rule.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })
const Share = Type.Number({ minimum: 0, maximum: 1 })

export const RULE_STAGES = ['draft', 'test', 'shadow', 'live', 'retired'] as const
export const RULE_STATES = ['running', 'paused', 'killed'] as const
export type RuleState = (typeof RULE_STATES)[number]

const Reason = Type.String({ minLength: 5, maxLength: 500, description: 'Why, for whoever asks later.' })

export const RuleSwitch = Type.Object(
  { state: oneOf(RULE_STATES), at: Nullable(Time), actor: Nullable(Type.String()), reason: Nullable(Type.String()) },
  closed,
)
export type RuleSwitch = Static<typeof RuleSwitch>

export const RuleCounts = Type.Object(
  {
    fired: Type.Integer({ description: 'How often the trigger fired or a wait ended.' }),
    matched: Type.Integer({ description: 'Of these, how often the person fitted.' }),
    decided: Type.Integer({ description: 'Decisions to act.' }),
    sent: Type.Integer({ description: 'Deliveries the vendor took.' }),
    heldOut: Type.Integer({ description: 'Held out for measuring.' }),
    blocked: Type.Array(Type.Object({ code: Type.String(), count: Type.Integer() }, closed), {
      description: 'By exit, most frequent first.',
    }),
    clauses: Type.Array(Type.Object({ clause: Type.String(), count: Type.Integer() }, closed), {
      description: 'Clauses that were the reason, most frequent first.',
    }),
  },
  closed,
)
export type RuleCounts = Static<typeof RuleCounts>

const StandingVersion = Type.Object(
  { version: Type.Integer(), stage: oneOf(RULE_STAGES), share: Share, since: Time },
  closed,
)

export const RuleBudgetUse = Type.Object(
  {
    kind: oneOf(['sends', 'money']),
    period: oneOf(['hour', 'day', 'total']),
    used: Type.Integer(),
    max: Type.Integer(),
  },
  closed,
)

export const RuleSummary = Type.Object(
  {
    id: Type.String(),
    version: Type.Integer({ description: 'The newest known.' }),
    title: Nullable(Type.Object({ pt: Type.String(), en: Type.String() }, closed)),
    hash: Type.String(),
    loadedAt: Time,
    body: Type.Unknown({ description: 'The rule of that version.' }),
    purpose: Nullable(Type.String()),
    live: Nullable(StandingVersion),
    trial: Nullable(StandingVersion),
    shadow: Nullable(StandingVersion),
    switch: RuleSwitch,
    priority: Type.Integer(),
    group: Nullable(Type.String()),
    budget: Type.Array(RuleBudgetUse),
    schedule: Nullable(
      Type.Object(
        { text: Type.String(), next: Nullable(Time), last: Nullable(Time), state: Nullable(Type.String()) },
        closed,
      ),
    ),
    counts: RuleCounts,
  },
  closed,
)
export type RuleSummary = Static<typeof RuleSummary>

export const RuleList = Type.Object(
  {
    items: Type.Array(RuleSummary),
    all: RuleSwitch,
    days: Type.Integer({ description: 'How many days the counts are of.' }),
  },
  closed,
)
export type RuleList = Static<typeof RuleList>

export const RuleVersionView = Type.Object(
  {
    version: Type.Integer(),
    hash: Type.String(),
    stage: oneOf(RULE_STAGES),
    share: Share,
    since: Time,
    actor: Type.String(),
    reason: Type.String(),
    origin: Nullable(Type.String()),
    addedAt: Time,
    text: Type.String({ description: 'The version as YAML.' }),
    recipients: Type.Integer({ description: 'How many test recipients the version names itself.' }),
    counts: RuleCounts,
  },
  closed,
)
export type RuleVersionView = Static<typeof RuleVersionView>

export const RuleLogLine = Type.Object(
  {
    at: Time,
    actor: Type.String(),
    act: Type.String({ description: 'add, publish, retire, revert, pause, resume or kill.' }),
    version: Nullable(Type.Integer()),
    stage: Nullable(oneOf(RULE_STAGES)),
    share: Nullable(Share),
    reason: Type.String(),
    everyRule: Type.Boolean({ description: 'An act on all rules at once.' }),
  },
  closed,
)
export type RuleLogLine = Static<typeof RuleLogLine>

export const ShadowComparison = Type.Object(
  {
    version: Type.Integer(),
    liveVersion: Nullable(Type.Integer()),
    shadow: RuleCounts,
    live: Nullable(RuleCounts),
    overlap: Type.Array(Type.Object({ rule: Type.String(), people: Type.Integer() }, closed), {
      description: 'Other rules that sent something to the same people within a day.',
    }),
    examined: Type.Integer({ description: 'Decisions of the shadow that the overlap was counted in, newest first.' }),
  },
  closed,
)
export type ShadowComparison = Static<typeof ShadowComparison>

export const RuleSlot = Type.Object(
  {
    version: Type.Integer(),
    slot: Time,
    state: oneOf(['running', 'done', 'skipped', 'cut']),
    people: Type.Integer(),
    decided: Type.Integer(),
    finishedAt: Nullable(Time),
    reason: Nullable(Type.String()),
  },
  closed,
)
export type RuleSlot = Static<typeof RuleSlot>

export const RuleDetail = Type.Object(
  {
    rule: RuleSummary,
    versions: Type.Array(RuleVersionView, { description: 'Newest first.' }),
    log: Type.Array(RuleLogLine, { description: 'Newest first.' }),
    comparison: Nullable(ShadowComparison),
    slots: Type.Array(RuleSlot),
    days: Type.Integer(),
  },
  closed,
)
export type RuleDetail = Static<typeof RuleDetail>

export const RuleParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) }, closed)

export const RuleText = Type.Object(
  {
    text: Type.String({ minLength: 1, maxLength: 500_000, description: 'Rules as YAML or JSON; several by ---.' }),
    file: Type.Optional(Type.String({ maxLength: 200, description: 'A name for messages.' })),
    reason: Type.Optional(Type.String({ maxLength: 500 })),
    dryRun: Type.Optional(Type.Boolean({ description: 'Check only.' })),
  },
  closed,
)
export type RuleText = Static<typeof RuleText>

export const RuleProblemView = Type.Object(
  {
    file: Type.String(),
    line: Type.Integer(),
    column: Type.Integer(),
    message: Type.String({ description: 'In English.' }),
    pt: Type.String({ description: 'Em português.' }),
  },
  closed,
)
export type RuleProblemView = Static<typeof RuleProblemView>

const RuleAdded = Type.Object(
  { rule: Type.String(), version: Type.Integer(), isNew: Type.Boolean(), stage: oneOf(RULE_STAGES) },
  closed,
)
export type RuleAdded = Static<typeof RuleAdded>
export const RuleVersionsAdded = Type.Object({ versions: Type.Array(RuleAdded) }, closed)
export type RuleVersionsAdded = Static<typeof RuleVersionsAdded>

export const RuleValidation = Type.Object(
  { valid: Type.Boolean(), problems: Type.Array(RuleProblemView), versions: Type.Array(RuleAdded) },
  closed,
)
export type RuleValidation = Static<typeof RuleValidation>

export const PublishRequest = Type.Object(
  {
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'The newest when absent.' })),
    stage: oneOf(['draft', 'test', 'shadow', 'live']),
    share: Type.Optional(Type.Number({ minimum: 0.0001, maximum: 1, description: 'live only; 1 when absent.' })),
    recipients: Type.Optional(
      Type.Array(TestRecipient, { maxItems: 100, description: 'Test recipients of this version; kept as HMACs.' }),
    ),
    reason: Reason,
  },
  closed,
)
export type PublishRequest = Static<typeof PublishRequest>

export const RevertRequest = Type.Object(
  {
    version: Type.Optional(
      Type.Integer({ minimum: 1, description: 'When absent, the one that was live for everybody before.' }),
    ),
    reason: Reason,
  },
  closed,
)
export const RuleReason = Type.Object({ reason: Reason }, closed)
export const Reverted = Type.Object({ version: Type.Integer() }, closed)
export const Held = Type.Object(
  { held: Type.Integer({ description: 'Deliveries that wait until it is resumed.' }) },
  closed,
)
export const Released = Type.Object(
  { released: Type.Integer({ description: 'Deliveries that are due again.' }) },
  closed,
)
export const Cancelled = Type.Object(
  { cancelled: Type.Integer({ description: 'Deliveries that were waiting.' }) },
  closed,
)
