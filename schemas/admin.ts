/** What the admin API takes and answers. Requests are validated against these; the OpenAPI document and the cockpit's types come from them. */
import { type Static, type TSchema, Type } from 'typebox'
import { DELIVERY_STATUSES } from './delivery.ts'
import { STAGE_NAMES } from './exits.ts'
import { ExplainedClause, SkippedAction } from './explain.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })
const TimeText = Type.String({ format: 'date-time', description: 'ISO 8601 with zone.' })
/** Query strings are text: nothing is coerced, so a number is a pattern here and parsed by the route. */
const LimitText = Type.String({
  pattern: '^([1-9]|[1-9][0-9]|1[0-9]{2}|200)$',
  description: 'Rows per page, 1 to 200; 50 when absent.',
})
const Cursor = Type.String({ minLength: 1, maxLength: 200, description: 'The `next` of the page before.' })
const Id = Type.String({ minLength: 1, maxLength: 128 })
const Localized = Type.Object({ pt: Type.String(), en: Type.String() }, closed)

export const ROLES = ['admin', 'marketing', 'compliance', 'auditor', 'integrator', 'viewer'] as const
export const Role = oneOf(ROLES)
export type Role = Static<typeof Role>

export const PERMISSIONS = [
  'overview.read',
  'events.read',
  'deliveries.read',
  'deliveries.redrive',
  'quarantine.read',
  'quarantine.write',
  'connectors.read',
  'connectors.write',
  'sources.write',
  'ledger.read',
  'ledger.checkpoint',
  'accounts.manage',
  'rules.read',
  'rules.write',
  'retention.read',
  'retention.write',
  'records.read',
  'incidents.read',
  'incidents.write',
  'people.reveal',
  'access.read',
  'keys.shred',
  'consent.read',
  'consent.write',
  'requests.read',
  'requests.write',
] as const
export type Permission = (typeof PERMISSIONS)[number]

export const ApiError = Type.Object(
  {
    error: Type.Object(
      {
        code: Type.String({ description: 'Stable, upper case.' }),
        message: Type.String({ description: 'What happened and what to do. Never personal data.' }),
        path: Type.Optional(Type.String({ description: 'JSON pointer to the field at fault.' })),
      },
      closed,
    ),
  },
  closed,
)
export type ApiError = Static<typeof ApiError>

export const Done = Type.Object({ ok: Type.Literal(true) }, closed)

// ---------------------------------------------------------------- accounts

const Email = Type.String({ format: 'email', maxLength: 254 })
const Name = Type.String({ minLength: 1, maxLength: 120, pattern: '\\S' })
const Password = Type.String({ minLength: 12, maxLength: 256, description: 'At least 12 characters.' })

export const SetupRequest = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: 128 }), email: Email, name: Name, password: Password },
  closed,
)
export type SetupRequest = Static<typeof SetupRequest>

export const LoginRequest = Type.Object(
  { email: Type.String({ minLength: 1, maxLength: 254 }), password: Type.String({ minLength: 1, maxLength: 256 }) },
  closed,
)
export type LoginRequest = Static<typeof LoginRequest>

export const PasswordRequest = Type.Object(
  { current: Type.String({ minLength: 1, maxLength: 256 }), next: Password },
  closed,
)

export const Me = Type.Object(
  {
    user: Type.Object(
      {
        id: Type.String(),
        name: Type.String(),
        email: Nullable(Type.String()),
        kind: oneOf(['user', 'token']),
      },
      closed,
    ),
    role: Role,
    permissions: Type.Array(oneOf(PERMISSIONS)),
    csrf: Nullable(
      Type.String({
        description: 'Send as x-csrf-token on every write made with the session cookie. Null for API tokens.',
      }),
    ),
    simulated: Type.Boolean({ description: 'True when everything this hub shows is simulated.' }),
    organization: Type.Object({ name: Type.String(), timezone: Type.String(), currency: Type.String() }, closed),
    languages: Type.Array(oneOf(['pt-BR', 'en'])),
  },
  closed,
)
export type Me = Static<typeof Me>

export const User = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    name: Type.String(),
    role: Role,
    createdAt: Time,
    disabledAt: Nullable(Time),
  },
  closed,
)
export type User = Static<typeof User>
export const Users = Type.Object({ items: Type.Array(User) }, closed)
export type Users = Static<typeof Users>
export const NewUser = Type.Object({ email: Email, name: Name, role: Role, password: Password }, closed)
export const UserChange = Type.Object(
  { role: Type.Optional(Role), disabled: Type.Optional(Type.Boolean()) },
  { ...closed, minProperties: 1 },
)

export const NewInvitation = Type.Object({ role: Role }, closed)
export const Invitation = Type.Object(
  { url: Type.String({ description: 'Works once. Shown only here.' }), role: Role, expiresAt: Time },
  closed,
)
export type Invitation = Static<typeof Invitation>

export const Token = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    role: Role,
    createdBy: Type.String(),
    createdAt: Time,
    expiresAt: Nullable(Time),
    lastUsedAt: Nullable(Time),
  },
  closed,
)
export type Token = Static<typeof Token>
export const Tokens = Type.Object({ items: Type.Array(Token) }, closed)
export type Tokens = Static<typeof Tokens>
export const NewToken = Type.Object(
  { name: Name, role: Role, expiresInDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 })) },
  closed,
)
export const CreatedToken = Type.Object(
  { token: Token, value: Type.String({ description: 'Shown only here; the hub keeps its SHA-256.' }) },
  closed,
)
export type CreatedToken = Static<typeof CreatedToken>

export const IdParams = Type.Object({ id: Id }, closed)

// ---------------------------------------------------------------- pipeline strip

/**
 * Steps of the strip, in the order shown: events at the sources, then deliveries at the destinations, each with its
 * own unit; the others never hide behind them.
 */
export const STRIP_STEPS = [
  'received',
  'quarantined',
  'consent',
  'created',
  'blocked',
  'held_out',
  'delivered',
  'failed',
  'refused',
  'duplicate',
  'no_purpose',
  'waiting',
  'rule',
  'retried',
] as const
export type StripStep = (typeof STRIP_STEPS)[number]

export const RangeQuery = Type.Object({ from: Type.Optional(TimeText), to: Type.Optional(TimeText) }, closed)

export const Pipeline = Type.Object(
  {
    from: Time,
    to: Time,
    asOf: Time,
    bucketMs: Type.Integer(),
    steps: Type.Array(
      Type.Object(
        {
          step: oneOf(STRIP_STEPS),
          count: Type.Integer(),
          previous: Nullable(
            Type.Integer({
              description: 'The period of the same length just before. Null when the hub has nothing that old.',
            }),
          ),
          events: Type.Integer({ description: 'Part counted at sources.' }),
          deliveries: Type.Integer({ description: 'Part counted at destinations.' }),
          byOrigin: Type.Array(
            Type.Object(
              { origin: Type.String({ description: 'source:<id> or destination:<id>.' }), count: Type.Integer() },
              closed,
            ),
          ),
          byCode: Type.Array(Type.Object({ code: Type.String(), count: Type.Integer() }, closed)),
        },
        closed,
      ),
    ),
    series: Type.Object(
      {
        at: Type.Array(Time, { description: 'Start of each bucket.' }),
        steps: Type.Record(Type.String(), Type.Array(Nullable(Type.Integer())), {
          description: 'Step -> count per bucket; null where the hub has no data.',
        }),
        sources: Type.Record(Type.String(), Type.Array(Nullable(Type.Integer())), {
          description: 'Source id -> received per bucket.',
        }),
      },
      closed,
    ),
  },
  closed,
)
export type Pipeline = Static<typeof Pipeline>

// ---------------------------------------------------------------- live view and journeys

export const LiveLine = Type.Object(
  {
    id: Type.String(),
    at: Time,
    kind: oneOf(['event', 'delivery']),
    origin: Type.String(),
    type: Type.String(),
    name: Type.String(),
    stage: oneOf(STAGE_NAMES),
    code: Type.String(),
    personId: Type.Optional(Type.String()),
    detail: Type.Optional(Type.String()),
  },
  closed,
)
export type LiveLine = Static<typeof LiveLine>

export const ExitText = Type.Object(
  { code: Type.String(), stage: oneOf(STAGE_NAMES), group: Type.String(), pt: Type.String(), en: Type.String() },
  closed,
)
export const Exits = Type.Object({ items: Type.Array(ExitText) }, closed)
export type Exits = Static<typeof Exits>

export const Attempt = Type.Object(
  { n: Type.Integer(), at: Time, outcome: Type.String(), reason: Type.String() },
  closed,
)

export const DeliveryRow = Type.Object(
  {
    id: Type.String(),
    destination: Type.String(),
    action: Type.String(),
    kind: Type.String(),
    personId: Type.String(),
    purpose: Type.String(),
    channel: Nullable(Type.String()),
    rule: Nullable(Type.String()),
    ruleVersion: Nullable(Type.Integer()),
    arm: Type.String(),
    variant: Nullable(Type.String()),
    offer: Nullable(Type.String()),
    eventId: Type.String(),
    status: oneOf(DELIVERY_STATUSES),
    reason: Nullable(Type.String()),
    attempt: Type.Integer(),
    dueAt: Time,
    createdAt: Time,
    settledAt: Nullable(Time),
  },
  closed,
)
export type DeliveryRow = Static<typeof DeliveryRow>

export const Explanation = Type.Object(
  {
    id: Nullable(Type.String()),
    rule: Type.String(),
    version: Nullable(Type.Integer()),
    at: Time,
    result: Type.String(),
    clauses: Type.Array(ExplainedClause),
    arm: Nullable(Type.String()),
    entryId: Nullable(Type.String()),
    skipped: Type.Array(SkippedAction),
  },
  closed,
)
export type Explanation = Static<typeof Explanation>

export const EventJourney = Type.Object(
  {
    id: Type.String(),
    exits: Type.Array(
      Type.Object(
        {
          at: Time,
          kind: oneOf(['event', 'delivery']),
          origin: Type.String(),
          stage: Type.String(),
          code: Type.String(),
          detail: Type.Optional(Type.String()),
        },
        closed,
      ),
      { description: 'Oldest first.' },
    ),
    history: Nullable(
      Type.Object(
        {
          type: Type.String(),
          name: Type.String(),
          occurredAt: Time,
          receivedAt: Time,
          source: Type.String(),
          connector: Type.String(),
          purposes: Type.Array(Type.String()),
          amounts: Type.Unknown(),
          personSeq: Type.Integer(),
          personId: Nullable(Type.String()),
        },
        closed,
      ),
    ),
    quarantine: Nullable(
      Type.Object(
        {
          code: Type.String(),
          path: Type.String(),
          message: Type.String(),
          status: Type.String(),
          source: Type.String(),
          receivedAt: Time,
        },
        closed,
      ),
    ),
    explanations: Type.Array(Explanation),
    deliveries: Type.Array(DeliveryRow),
  },
  closed,
)
export type EventJourney = Static<typeof EventJourney>

// ---------------------------------------------------------------- quarantine

export const QuarantineQuery = Type.Object(
  {
    source: Type.Optional(Id),
    code: Type.Optional(Id),
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    status: Type.Optional(Id),
    limit: Type.Optional(LimitText),
    after: Type.Optional(Cursor),
  },
  closed,
)
export const QuarantineItem = Type.Object(
  {
    id: Type.String(),
    source: Type.String(),
    connector: Type.String(),
    code: Type.String(),
    path: Type.String(),
    message: Type.String(),
    status: Type.String(),
    receivedAt: Time,
    expiresAt: Time,
  },
  closed,
)
export type QuarantineItem = Static<typeof QuarantineItem>
export const QuarantinePage = Type.Object({ items: Type.Array(QuarantineItem), next: Nullable(Type.String()) }, closed)
export type QuarantinePage = Static<typeof QuarantinePage>

// ---------------------------------------------------------------- deliveries

const deliveryFilter = {
  destination: Type.Optional(Id),
  action: Type.Optional(Id),
  status: Type.Optional(oneOf(DELIVERY_STATUSES)),
  code: Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, description: 'The reason of the delivery, e.g. HELD_OUT.' }),
  ),
  rule: Type.Optional(Id),
  http: Type.Optional(
    Type.String({ pattern: '^[1-5][0-9]{2}$', description: "Status code of the vendor's last answer." }),
  ),
  from: Type.Optional(TimeText),
  to: Type.Optional(TimeText),
}
export const DeliveryFilter = Type.Object(deliveryFilter, closed)
export type DeliveryFilter = Static<typeof DeliveryFilter>
export const DeliveryQuery = Type.Object(
  { ...deliveryFilter, limit: Type.Optional(LimitText), after: Type.Optional(Cursor) },
  closed,
)
export type DeliveryQuery = Static<typeof DeliveryQuery>
export const DeliveryPage = Type.Object({ items: Type.Array(DeliveryRow), next: Nullable(Type.String()) }, closed)
export type DeliveryPage = Static<typeof DeliveryPage>

export const DeliveryDetail = Type.Object(
  {
    delivery: DeliveryRow,
    answer: Nullable(Type.String({ description: "The vendor's answer, as recorded." })),
    expiresAt: Nullable(Time),
    attempts: Type.Array(Attempt),
    explanation: Nullable(Explanation),
    consent: Nullable(
      Type.Object(
        {
          entryId: Type.String(),
          purpose: Type.String(),
          at: Time,
          public: Type.Unknown({ description: 'The open part of the ledger entry.' }),
        },
        closed,
      ),
    ),
    entryId: Nullable(Type.String({ description: 'The ledger entry the last decision rests on.' })),
  },
  closed,
)
export type DeliveryDetail = Static<typeof DeliveryDetail>

export const RedriveRequest = Type.Object({ filter: DeliveryFilter, dryRun: Type.Boolean() }, closed)
export const CommandAnswer = Type.Object(
  { result: Type.Unknown({ description: 'What the command answered.' }) },
  closed,
)
export type CommandAnswer = Static<typeof CommandAnswer>

// ---------------------------------------------------------------- connectors, purposes, rules, status

const Setting = Type.Object(
  {
    name: Type.String(),
    value: Type.Unknown({ description: 'Secrets appear as dots and their last four characters.' }),
    secret: Type.Boolean(),
    description: Nullable(Type.String()),
  },
  closed,
)
const Count = Type.Object({ code: Type.String(), count: Type.Integer() }, closed)

export const SourceView = Type.Object(
  {
    id: Type.String(),
    connector: Type.String(),
    name: Type.String(),
    docs: Nullable(Type.String()),
    support: Nullable(Type.String()),
    installed: Type.Boolean({ description: 'False when no connector of this name is loaded.' }),
    webhookUrl: Type.String(),
    settings: Type.Array(Setting),
    notice: Nullable(Type.Object({ id: Type.String(), version: Type.Integer() }, closed)),
    received24h: Type.Integer(),
    counts24h: Type.Array(Count),
    lastAt: Nullable(Time),
  },
  closed,
)
export const Sources = Type.Object({ items: Type.Array(SourceView) }, closed)
export type Sources = Static<typeof Sources>

export const DestinationView = Type.Object(
  {
    id: Type.String(),
    connector: Type.String(),
    name: Type.String(),
    docs: Nullable(Type.String()),
    support: Nullable(Type.String()),
    installed: Type.Boolean(),
    role: Type.String(),
    country: Nullable(Type.String()),
    purposes: Type.Array(Type.String()),
    actions: Type.Array(
      Type.Object(
        { id: Type.String(), title: Localized, purpose: Type.String(), channel: Nullable(Type.String()) },
        closed,
      ),
    ),
    settings: Type.Array(Setting),
    created24h: Type.Integer({ description: 'Deliveries made for it in 24 hours.' }),
    deletesSubject: oneOf(['implemented', 'manual', 'impossible', 'unknown']),
    counts24h: Type.Array(Count),
    open: Type.Integer(),
    oldestDueAt: Nullable(Time),
    dead: Type.Integer(),
    lastAt: Nullable(Time),
  },
  closed,
)
export const Destinations = Type.Object({ items: Type.Array(DestinationView) }, closed)
export type Destinations = Static<typeof Destinations>

export const Purposes = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          title: Localized,
          basis: Type.String(),
          scope: Type.String(),
          stages: Type.Array(Type.String()),
          destinations: Type.Array(Type.String()),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type Purposes = Static<typeof Purposes>

export const HubStatus = Type.Object(
  {
    version: Type.String(),
    startedAt: Time,
    now: Time,
    simulated: Type.Boolean(),
    queue: Type.Object(
      { open: Type.Integer(), oldestDueAt: Nullable(Time), dead: Type.Integer(), uncertain: Type.Integer() },
      closed,
    ),
    quarantined: Type.Integer({ description: 'Waiting in quarantine.' }),
    connections: Type.Object(
      {
        needed: Type.Array(Type.String(), { description: 'Destinations whose account has to be connected.' }),
        expiring: Type.Array(Type.String(), { description: 'Those whose refresh token ends within two weeks.' }),
      },
      closed,
    ),
    logBacklog: Nullable(
      Type.Integer({ description: 'Events recorded and not yet processed. Null where this role cannot see the log.' }),
    ),
  },
  closed,
)
export type HubStatus = Static<typeof HubStatus>
