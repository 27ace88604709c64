/** Records of processing (art. 37), impact report (art. 38), incidents (art. 48), automated decisions (art. 20), who looked at whom. */
import { type Static, type TSchema, Type } from 'typebox'
import { BASES, SCOPES, STAGES } from './consent.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })
const Text = Type.Object({ pt: Type.String(), en: Type.String() }, closed)
const Language = oneOf(['pt', 'en'])
export const LimitText = Type.String({
  pattern: '^([1-9]|[1-9][0-9]|1[0-9]{2}|200)$',
  description: 'Rows per page, 1 to 200; 50 when absent.',
})
const Cursor = Type.String({ minLength: 1, maxLength: 200, description: 'The `next` of the page before.' })

// ---------------------------------------------------------------- ROPA

export const RopaRecipient = Type.Object(
  {
    destination: Type.String(),
    name: Type.String(),
    role: oneOf(['operator', 'controller']),
    country: Nullable(Type.String()),
    transfer: Nullable(Type.String({ description: 'Ground of art. 33 with its reference.' })),
    delivered: Type.Integer(),
    blocked: Type.Integer(),
    firstAt: Nullable(Time),
    lastAt: Nullable(Time),
  },
  closed,
)
export type RopaRecipient = Static<typeof RopaRecipient>

/** One activity; the eight blocks of the ANPD's model (June 2023) are named in the order of the model. */
export const RopaActivity = Type.Object(
  {
    purpose: Type.String(),
    contact: Type.Object(
      {
        controller: Type.String(),
        cnpj: Nullable(Type.String()),
        dpo: Nullable(Type.String()),
        dpoEmail: Nullable(Type.String()),
      },
      { ...closed, description: '1. Contact.' },
    ),
    subjects: Type.Array(Text, { description: '2. Categories of subjects.' }),
    data: Type.Object(
      {
        declared: Type.Array(Type.String(), { description: 'Events and fields the purpose collects.' }),
        seen: Type.Array(Type.String(), { description: 'Paths found in a sample of what was kept.' }),
        sensitive: Type.Boolean(),
        events: Type.Integer(),
        people: Type.Integer(),
        sources: Type.Array(Type.String()),
        firstAt: Nullable(Time),
        lastAt: Nullable(Time),
      },
      { ...closed, description: '3. Personal data.' },
    ),
    sharing: Type.Array(RopaRecipient, { description: '4. Sharing, and transfer abroad.' }),
    security: Type.Array(Text, { description: '5. Security measures.' }),
    retention: Type.Array(Text, { description: '6. Retention.' }),
    process: Type.Object(
      {
        title: Text,
        description: Nullable(Text),
        basis: oneOf(BASES),
        article: Type.String(),
        scope: oneOf(SCOPES),
        stages: Type.Array(oneOf(STAGES)),
        rules: Type.Array(Type.String(), { description: 'Rules that act under it.' }),
        automated: Nullable(oneOf(['harmless', 'harmful'])),
      },
      { ...closed, description: '7. Process, purpose, legal basis.' },
    ),
    remarks: Type.Array(Text, { description: '8. Remarks: balancing test, notices, what drifted.' }),
  },
  closed,
)
export type RopaActivity = Static<typeof RopaActivity>

export const DRIFT_KINDS = [
  'observed_not_declared',
  'declared_never_observed',
  'field_outside_declared',
  'personal_value_in_plain_field',
  'sensitive_value_in_plain_field',
] as const
export const Drift = Type.Object(
  {
    kind: oneOf(DRIFT_KINDS),
    subject: Type.String({
      description: 'What it is about: source:site, destination:ads, purpose:x, Order Completed properties.note.',
    }),
    detail: Text,
    count: Type.Integer(),
    denied: Type.Boolean({ description: 'The gate stopped it.' }),
    firstSeenAt: Time,
    lastSeenAt: Time,
  },
  closed,
)
export type Drift = Static<typeof Drift>

export const Ropa = Type.Object(
  {
    at: Time,
    hash: Type.String({ description: 'SHA-256 (hex) over the declared part: what a diff compares.' }),
    policyHash: Type.String(),
    organization: Type.String(),
    activities: Type.Array(RopaActivity),
    drift: Type.Array(Drift),
    checkpoint: Nullable(
      Type.Object(
        { size: Type.Integer(), root: Type.String(), note: Type.String() },
        {
          ...closed,
          description: 'Newest signed checkpoint of the ledger when this was written.',
        },
      ),
    ),
  },
  closed,
)
export type Ropa = Static<typeof Ropa>

export const RopaSnapshots = Type.Object(
  { items: Type.Array(Type.Object({ at: Time, hash: Type.String() }, closed)) },
  closed,
)
export type RopaSnapshots = Static<typeof RopaSnapshots>

export const RopaChange = Type.Object(
  { purpose: Type.String(), path: Type.String(), before: Type.Unknown(), after: Type.Unknown() },
  closed,
)
export type RopaChange = Static<typeof RopaChange>
export const RopaDiff = Type.Object(
  {
    from: Time,
    to: Time,
    added: Type.Array(Type.String()),
    removed: Type.Array(Type.String()),
    changed: Type.Array(RopaChange),
  },
  closed,
)
export type RopaDiff = Static<typeof RopaDiff>

export const RopaQuery = Type.Object(
  {
    at: Type.Optional(Type.String({ format: 'date-time', description: 'The record as it was then; now when absent.' })),
  },
  closed,
)
export const RopaDiffQuery = Type.Object(
  { from: Type.String({ format: 'date-time' }), to: Type.Optional(Type.String({ format: 'date-time' })) },
  closed,
)
export const RopaExportQuery = Type.Object(
  {
    format: oneOf(['csv', 'json', 'html']),
    language: Type.Optional(Language),
    at: Type.Optional(Type.String({ format: 'date-time' })),
  },
  closed,
)
export const Document = Type.Object(
  { name: Type.String(), type: Type.String({ description: 'Media type.' }), text: Type.String() },
  closed,
)
export type Document = Static<typeof Document>
export const DriftList = Type.Object({ items: Type.Array(Drift) }, closed)

export const RipdQuery = Type.Object(
  { purpose: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })), language: Type.Optional(Language) },
  closed,
)

// ---------------------------------------------------------------- incidents

export const INCIDENT_STATES = ['open', 'notified', 'closed'] as const
export const AffectedQuery = Type.Object(
  {
    sources: Type.Optional(Type.Array(Type.String())),
    destinations: Type.Optional(Type.Array(Type.String())),
    purposes: Type.Optional(Type.Array(Type.String())),
    events: Type.Optional(Type.Array(Type.String())),
    from: Type.Optional(Type.String({ format: 'date-time' })),
    to: Type.Optional(Type.String({ format: 'date-time' })),
  },
  { ...closed, description: 'People with kept events, or deliveries, that fit all of it.' },
)
export type AffectedQuery = Static<typeof AffectedQuery>

export const IncidentFacts = Type.Object(
  {
    title: Type.String({ minLength: 3, maxLength: 200 }),
    description: Type.String({ minLength: 3, maxLength: 5000 }),
    /** Knowledge that personal data was affected starts the clock (Res. CD/ANPD 15/2024 art. 6). */
    knownAt: Type.String({ format: 'date-time' }),
    occurredAt: Type.Optional(Type.String({ format: 'date-time' })),
    dataCategories: Type.Optional(Type.Array(Type.String())),
    sensitive: Type.Optional(Type.Boolean()),
    minors: Type.Optional(Type.Boolean()),
    measuresBefore: Type.Optional(Type.String({ maxLength: 5000 })),
    measuresAfter: Type.Optional(Type.String({ maxLength: 5000 })),
    risks: Type.Optional(Type.String({ maxLength: 5000 })),
    notifiable: Type.Optional(
      Type.Boolean({
        description: 'May cause relevant risk or harm (art. 48). False: registered all the same, with the reason.',
      }),
    ),
    whyNot: Type.Optional(Type.String({ minLength: 10, maxLength: 2000 })),
    affected: Type.Optional(AffectedQuery),
  },
  closed,
)
export type IncidentFacts = Static<typeof IncidentFacts>

export const IncidentClock = Type.Object(
  {
    what: oneOf(['authority', 'subjects', 'supplement']),
    due: Type.String({ format: 'date-time', description: 'End of the last day, São Paulo.' }),
    businessDays: Type.Integer(),
    done: Nullable(Time),
    overdue: Type.Boolean(),
    daysLeft: Type.Integer({ description: 'Business days, today not counted; negative when overdue.' }),
    ground: Type.String(),
  },
  closed,
)
export type IncidentClock = Static<typeof IncidentClock>

export const Incident = Type.Object(
  {
    id: Type.String(),
    state: oneOf(INCIDENT_STATES),
    facts: IncidentFacts,
    registeredAt: Time,
    registeredBy: Type.String(),
    authorityAt: Nullable(Time),
    subjectsAt: Nullable(Time),
    supplementAt: Nullable(Time),
    closedAt: Nullable(Time),
    keptUntil: Time,
    smallAgent: Type.Boolean({ description: 'Deadlines doubled (Res. CD/ANPD 2/2022).' }),
    clocks: Type.Array(IncidentClock),
    affectedPeople: Nullable(Type.Integer({ description: 'By the query, as counted last.' })),
    log: Type.Array(Type.Object({ at: Time, actor: Type.String(), what: Type.String() }, closed)),
  },
  closed,
)
export type Incident = Static<typeof Incident>
export const Incidents = Type.Object({ items: Type.Array(Incident) }, closed)

export const IncidentUpdate = Type.Object(
  {
    facts: Type.Optional(Type.Partial(IncidentFacts, closed)),
    done: Type.Optional(
      Type.Object(
        {
          what: oneOf(['authority', 'subjects', 'supplement', 'closed']),
          at: Type.Optional(Type.String({ format: 'date-time' })),
          note: Type.Optional(Type.String({ maxLength: 1000, description: 'Protocol number, channel.' })),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type IncidentUpdate = Static<typeof IncidentUpdate>

export const Affected = Type.Object(
  {
    people: Type.Integer(),
    events: Type.Integer(),
    deliveries: Type.Integer(),
    subjects: Type.Array(Type.String(), { description: 'Ledger subjects: pseudonyms. At most 1000.' }),
    truncated: Type.Boolean(),
  },
  closed,
)
export type Affected = Static<typeof Affected>

export const Letters = Type.Object({ items: Type.Array(Document), missing: Type.Array(Type.String()) }, closed)
export type Letters = Static<typeof Letters>

// ---------------------------------------------------------------- automated decisions

export const CounterfactualChange = Type.Object(
  {
    clause: Type.String({ description: 'Place in the rule.' }),
    field: Type.String(),
    found: Type.Unknown(),
    needed: Type.Unknown(),
    text: Text,
  },
  closed,
)
export type CounterfactualChange = Static<typeof CounterfactualChange>

export const Counterfactual = Type.Object(
  {
    decision: Type.String({ description: 'Id of the explanation.' }),
    rule: Type.String(),
    version: Type.Integer(),
    hash: Type.String(),
    result: Type.String(),
    flipsTo: Nullable(oneOf(['matched', 'not_matched'])),
    changes: Type.Array(CounterfactualChange, {
      description: 'The nearest change of what was known that flips the result.',
    }),
    hidden: Type.Integer({ description: 'Clauses not shown: commercial secret (LGPD art. 20 §1).' }),
    why: Nullable(Text),
    sentence: Text,
  },
  closed,
)
export type Counterfactual = Static<typeof Counterfactual>
export const CounterfactualQuery = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 128, description: 'Event, delivery, or explanation.' }) },
  closed,
)
export const Counterfactuals = Type.Object({ items: Type.Array(Counterfactual) }, closed)

// ---------------------------------------------------------------- looking at people

export const RevealRequest = Type.Object(
  {
    what: oneOf(['person', 'event', 'delivery']),
    id: Type.String({ minLength: 1, maxLength: 128, description: 'person: person id or ledger subject.' }),
    reason: Type.Optional(Type.String({ minLength: 10, maxLength: 500 })),
    request: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'A data-subject request: it is the reason.' }),
    ),
  },
  closed,
)
export type RevealRequest = Static<typeof RevealRequest>

export const Revealed = Type.Object(
  {
    what: oneOf(['person', 'event', 'delivery']),
    id: Type.String(),
    personId: Nullable(Type.String()),
    subjects: Type.Array(Type.String()),
    identifiers: Type.Array(
      Type.Object(
        {
          type: Type.String(),
          value: Nullable(Type.String()),
          node: Type.Optional(Type.String({ description: 'Of a person: the node that the value is of.' })),
        },
        closed,
      ),
    ),
    fields: Type.Record(Type.String(), Type.Unknown()),
    logged: Type.String({ description: 'Id of the line in the access log.' }),
  },
  closed,
)
export type Revealed = Static<typeof Revealed>

export const AccessLogQuery = Type.Object(
  {
    actor: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    act: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'An act, or its beginning: reveal.' })),
    target: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    from: Type.Optional(Type.String({ format: 'date-time' })),
    to: Type.Optional(Type.String({ format: 'date-time' })),
    limit: Type.Optional(LimitText),
    after: Type.Optional(Cursor),
  },
  closed,
)
export const AccessLog = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          at: Time,
          actor: Type.String(),
          actorName: Nullable(Type.String()),
          act: Type.String(),
          target: Type.String(),
          reason: Nullable(Type.String()),
          request: Nullable(Type.String()),
        },
        closed,
      ),
    ),
    next: Nullable(Type.String()),
  },
  closed,
)
export type AccessLog = Static<typeof AccessLog>

export const ShredRequest = Type.Object(
  {
    subject: Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'Ledger subject, or person id for all of its nodes.',
    }),
    which: Type.Optional(oneOf(['data', 'proof', 'both'], 'data when absent.')),
    reason: Type.String({
      pattern: '^[a-z][a-z0-9_]{2,39}$',
      description: 'One word for the ledger: erasure, court_order, key_exposed.',
    }),
  },
  closed,
)
export type ShredRequest = Static<typeof ShredRequest>
export const ShredAnswer = Type.Object(
  {
    nodes: Type.Integer(),
    entryId: Nullable(Type.String({ description: 'Null when the keys were destroyed before.' })),
    erased: Type.Record(Type.String(), Type.Integer(), { description: 'Rows deleted with the data key, by table.' }),
  },
  closed,
)
export type ShredAnswer = Static<typeof ShredAnswer>
