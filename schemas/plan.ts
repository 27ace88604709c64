/** Tracking plans: what a source may send, event by event, and what was observed against it. */
import { type Static, Type } from 'typebox'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false }

/** What happens to an event that breaks its plan. `pass`: it goes on as it is, and is counted. */
export const PLAN_MODES = ['pass', 'quarantine', 'block'] as const
export type PlanMode = (typeof PLAN_MODES)[number]

/** In the order in which a screen lists them. */
export const VIOLATION_KINDS = [
  'unplanned',
  'missing',
  'type',
  'enum',
  'pattern',
  'format',
  'range',
  'length',
  'unknown_property',
  'shape',
] as const
export type ViolationKind = (typeof VIOLATION_KINDS)[number]

const Schema = Type.Record(Type.String(), Type.Unknown(), { description: 'JSON Schema 2020-12 of an object.' })

export const PlannedEvent = Type.Object(
  {
    description: Type.Optional(Type.String()),
    mode: Type.Optional(oneOf(PLAN_MODES, "Stands before the source's and the plan's own.")),
    properties: Type.Optional(Schema),
    traits: Type.Optional(Schema),
    context: Type.Optional(Schema),
  },
  closed,
)
export type PlannedEvent = Static<typeof PlannedEvent>

export const TrackingPlan = Type.Object(
  {
    version: Type.Integer({ minimum: 1, description: 'Raise it with every change.' }),
    title: Type.Optional(Type.String()),
    mode: Type.Optional(oneOf(PLAN_MODES, 'Of events that break their schema; pass when absent.')),
    unplanned: Type.Optional(
      oneOf(
        ['allow', ...PLAN_MODES],
        'Of events the plan does not name. allow (the default): they are none of its business.',
      ),
    ),
    $defs: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Parts that events share, by $ref: "#/$defs/…".' }),
    ),
    events: Type.Record(Type.String({ minLength: 1 }), PlannedEvent, {
      description:
        'By the name of the event in the hub (Order Completed), or identify, page, screen, group, alias for the other calls.',
    }),
  },
  { $id: 'https://anuente.dev/schemas/plan.json', title: 'Tracking plan', ...closed },
)
export type TrackingPlan = Static<typeof TrackingPlan>

/** `sources.<id>.plan`: a file, or a file with what differs for this source. */
export const SourcePlan = Type.Union([
  Type.String({ minLength: 1, description: 'File with the tracking plan, YAML or JSON.' }),
  Type.Object(
    {
      file: Type.String({ minLength: 1 }),
      mode: Type.Optional(oneOf(PLAN_MODES)),
      unplanned: Type.Optional(oneOf(['allow', ...PLAN_MODES])),
    },
    closed,
  ),
])
export type SourcePlan = Static<typeof SourcePlan>

export const Violation = Type.Object(
  {
    kind: oneOf(VIOLATION_KINDS),
    path: Type.String({ description: 'JSON pointer into the event; what no schema names and looks personal is *.' }),
    expected: Type.String({ description: 'What the plan asks for. Never a value that was sent.' }),
    got: Type.Optional(Type.String({ description: 'Type of what was sent: text, number, list, …' })),
  },
  closed,
)
export type Violation = Static<typeof Violation>

export const CountedViolation = Type.Object(
  {
    source: Type.String(),
    event: Type.String(),
    kind: oneOf(VIOLATION_KINDS),
    path: Type.String({ description: 'Places in a list are *.' }),
    expected: Type.String(),
    got: Type.Optional(Type.String({ description: 'Of a wrong type: the type that came, of the newest such event.' })),
    version: Type.Integer({ description: 'The newest plan version it broke.' }),
    events: Type.Integer(),
    passed: Type.Integer(),
    quarantined: Type.Integer(),
    blocked: Type.Integer(),
    firstAt: Type.Integer(),
    lastAt: Type.Integer(),
    shape: Type.Unknown({ description: 'Names and types of the newest such event, without a value.' }),
  },
  closed,
)
export type CountedViolation = Static<typeof CountedViolation>

export const CountedViolations = Type.Object({ items: Type.Array(CountedViolation) }, closed)
export type CountedViolations = Static<typeof CountedViolations>

const Time = Type.Optional(Type.String({ format: 'date-time', description: 'ISO 8601 with zone.' }))
export const ViolationQuery = Type.Object(
  {
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    event: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    from: Time,
    to: Time,
  },
  closed,
)
export const PlanQuery = Type.Object({ version: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,5}$' })) }, closed)

export const PlanVersion = Type.Object(
  { version: Type.Integer(), hash: Type.String(), loadedAt: Type.Integer() },
  closed,
)

export const SourcePlanView = Type.Object(
  {
    source: Type.String(),
    file: Type.Union([Type.String(), Type.Null()]),
    version: Type.Union([Type.Integer(), Type.Null()]),
    mode: Type.Union([oneOf(PLAN_MODES), Type.Null()]),
    unplanned: Type.Union([Type.String(), Type.Null()]),
    versions: Type.Array(PlanVersion),
    body: Type.Unknown({ description: 'The plan, of the version asked for; null without one.' }),
  },
  closed,
)
export type SourcePlanView = Static<typeof SourcePlanView>

/**
 * One change of a quarantined event. Paths are JSON pointers below /properties, /traits, /context, and /name; `*`
 * stands for every place of a list. add, replace, remove, move are those of RFC 6902.
 */
export const Fix = Type.Union([
  Type.Object({ op: Type.Literal('move'), from: Type.String(), path: Type.String() }, closed),
  Type.Object({ op: Type.Literal('remove'), path: Type.String() }, closed),
  Type.Object({ op: Type.Literal('add'), path: Type.String(), value: Type.Unknown() }, closed),
  Type.Object({ op: Type.Literal('replace'), path: Type.String(), value: Type.Unknown() }, closed),
  Type.Object(
    {
      op: Type.Literal('coerce'),
      path: Type.String(),
      to: oneOf(['number', 'integer', 'string', 'boolean']),
    },
    { ...closed, description: 'Another type for what says the same: "19,90" is 19.9.' },
  ),
])
export type Fix = Static<typeof Fix>
