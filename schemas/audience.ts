/** Audiences, computed traits and scores as anuente.yaml words them, and as the admin API shows them. */
import { type Static, Type } from 'typebox'
import { Conditions, durationAs } from './conditions.ts'
import { oneOf } from './one-of.ts'

/** Also the key of an audience at Segment and RudderStack, so it never changes. */
export const MEASURE_ID = '^[a-z][a-z0-9_]{0,62}$'
const Id = Type.String({ pattern: MEASURE_ID })
const Text = Type.Object({ pt: Type.String(), en: Type.String() }, { additionalProperties: false })

export const AudienceDestination = Type.Object(
  {
    destination: Type.String({ description: 'Instance name under destinations.' }),
    add: Type.Optional(
      Type.String({ description: 'Action that takes a person in; addToAudience or sendAudience when absent.' }),
    ),
    remove: Type.Optional(
      Type.String({ description: 'Action that takes a person out; removeFromAudience or sendAudience when absent.' }),
    ),
    with: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'Fields of the payload, such as the id of the list: {audience: "120330001"}.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type AudienceDestination = Static<typeof AudienceDestination>

/** Where a computed trait or a score is told as it changes. */
const TraitDestinations = Type.Optional(
  Type.Array(
    Type.Union([
      Type.String(),
      Type.Object(
        {
          destination: Type.String({ description: 'Instance name under destinations.' }),
          action: Type.Optional(
            Type.String({ description: 'Action whose payload has traits; sendTraits when absent.' }),
          ),
          as: Type.Optional(Type.String({ minLength: 1, description: 'Name of the trait there; its id when absent.' })),
        },
        { additionalProperties: false },
      ),
    ]),
    { description: 'Destinations that are told the value whenever it becomes another one.' },
  ),
)

export const HeldOut = Type.Union(
  [
    Type.Object(
      { rule: Type.String() },
      { additionalProperties: false, description: 'Control and holdout of a rule.' },
    ),
    Type.Object({ audience: Id }, { additionalProperties: false, description: "Control of an audience's experiment." }),
    Type.Object({ global: Type.Literal(true) }, { additionalProperties: false, description: 'The global holdout.' }),
  ],
  { description: 'Whom something is held back from, so that a tool can leave them out too.' },
)
export type HeldOut = Static<typeof HeldOut>

export const AudienceConfig = Type.Object(
  {
    title: Text,
    description: Type.Optional(Text),
    purpose: Type.String({ description: 'Purpose under which people are in it and are told to destinations.' }),
    who: Type.Optional(Conditions),
    held_out: Type.Optional(
      Type.Array(HeldOut, { minItems: 1, description: 'An exclusion list: whoever is held out of one of these.' }),
    ),
    stay: Type.Optional(durationAs('Nobody leaves sooner than this after entering.')),
    experiment: Type.Optional(
      Type.Object(
        {
          holdout: Type.Optional(Type.Literal('global')),
          control: Type.Optional(
            Type.Number({
              minimum: 0,
              exclusiveMaximum: 1,
              description: 'Share of members that no destination hears of.',
            }),
          ),
          seed: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
    ),
    destinations: Type.Optional(Type.Array(Type.Union([Type.String(), AudienceDestination]))),
  },
  { additionalProperties: false },
)
export type AudienceConfig = Static<typeof AudienceConfig>

const EventName = Type.String({ minLength: 1, description: 'Event name or glob, e.g. Order Completed, Product *.' })
const Where = Type.Optional(Conditions)
const Window = Type.Optional(durationAs('How far back, e.g. P90D; all that was seen when absent.'))
const Property = Type.String({ minLength: 1, description: 'Property of the event, e.g. total.' })
const counting = Type.Object({ event: EventName, where: Where, window: Window }, { additionalProperties: false })
const summing = Type.Object(
  { event: EventName, property: Property, where: Where, window: Window },
  { additionalProperties: false },
)
export const MEASURING = ['count', 'sum', 'avg', 'min', 'max', 'first', 'last', 'distinct'] as const
export type Measuring = (typeof MEASURING)[number]

export const ComputedConfig = Type.Object(
  {
    title: Text,
    purpose: Type.String({ description: 'Purpose whose events feed it, and for which it may be read.' }),
    destinations: TraitDestinations,
    count: Type.Optional(counting),
    sum: Type.Optional(summing),
    avg: Type.Optional(summing),
    min: Type.Optional(summing),
    max: Type.Optional(summing),
    first: Type.Optional(summing),
    last: Type.Optional(summing),
    distinct: Type.Optional(summing),
    days_since: Type.Optional(
      Type.Object(
        { event: EventName, where: Where },
        { additionalProperties: false, description: 'Whole days since the newest such event.' },
      ),
    ),
    ratio: Type.Optional(
      Type.Object(
        { of: Id, to: Id },
        { additionalProperties: false, description: 'One computed trait divided by another; missing when that is 0.' },
      ),
    ),
    bucket: Type.Optional(
      Type.Object(
        {
          of: Id,
          limits: Type.Array(Type.Number(), { minItems: 1, maxItems: 20, description: 'Ascending.' }),
          descending: Type.Optional(
            Type.Boolean({ description: 'The smallest values get the highest number, as for recency.' }),
          ),
        },
        {
          additionalProperties: false,
          description: 'A number from 1 to limits + 1: how many limits the other trait has reached, plus one (RFM).',
        },
      ),
    ),
  },
  { additionalProperties: false, minProperties: 3, maxProperties: 4 },
)
export type ComputedConfig = Static<typeof ComputedConfig>

export const ScoreConfig = Type.Object(
  {
    title: Text,
    purpose: Type.String(),
    destinations: TraitDestinations,
    scorecard: Type.Optional(
      Type.Object(
        {
          base: Type.Optional(Type.Number()),
          points: Type.Array(Type.Object({ if: Conditions, points: Type.Number() }, { additionalProperties: false }), {
            minItems: 1,
            maxItems: 200,
          }),
          max: Type.Number({ exclusiveMinimum: 0, description: 'Points that make a score of 1.' }),
        },
        { additionalProperties: false },
      ),
    ),
    logistic: Type.Optional(
      Type.Object(
        {
          intercept: Type.Number(),
          features: Type.Array(
            Type.Object(
              {
                field: Type.String({
                  description: 'A field of conditions: computed.<id>, traits.<trait>, cart.total.',
                }),
                weight: Type.Number(),
                mean: Type.Optional(Type.Number({ description: 'Subtracted before weighing.' })),
                scale: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Divided by before weighing.' })),
                missing: Type.Optional(Type.Number({ description: 'What stands for a missing value; 0 when absent.' })),
              },
              { additionalProperties: false },
            ),
            { minItems: 1, maxItems: 500 },
          ),
          platt: Type.Optional(
            Type.Object(
              { slope: Type.Number(), intercept: Type.Number() },
              { additionalProperties: false, description: 'Calibration of the log-odds, after Platt.' },
            ),
          ),
          training: Type.Optional(
            Type.Object(
              {
                sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the data it was trained on.' }),
                at: Type.String({ format: 'date' }),
                rows: Type.Integer({ minimum: 1 }),
              },
              { additionalProperties: false },
            ),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    calibration: Type.Object(
      { pt: Type.String({ minLength: 1 }), en: Type.String({ minLength: 1 }) },
      { additionalProperties: false, description: 'What the number means, and how that was checked.' },
    ),
  },
  { additionalProperties: false },
)
export type ScoreConfig = Static<typeof ScoreConfig>

const byId = <T extends Parameters<typeof Type.Record>[1]>(value: T, description: string) =>
  Type.Optional(Type.Record(Id, value, { additionalProperties: false, description }))

/** What `Config` holds of them. */
export const measuresConfig = {
  audiences: byId(AudienceConfig, 'Groups of people, kept up to date with every event and as time passes.'),
  computed: byId(ComputedConfig, 'Traits computed from events.'),
  scores: byId(ScoreConfig, 'Numbers from 0 to 1, from a scorecard or a logistic model.'),
}

// ---------------------------------------------------------------- what the admin API shows

/** How a destination stands with one member. */
export const PUSH_STATES = [
  'in',
  'pending',
  'failed',
  'blocked',
  'removing',
  'held_out',
  'no_consent',
  'not_reachable',
  'waiting',
] as const
/** Why a destination was not told of a member; `waiting`: it is told at the next look at the person. */
export type NotTold = Extract<PushState, 'held_out' | 'no_consent' | 'not_reachable' | 'waiting'>
export type PushState = (typeof PUSH_STATES)[number]

const Counts = Type.Object(
  {
    in: Type.Integer(),
    pending: Type.Integer(),
    removing: Type.Integer(),
    failed: Type.Array(Type.Object({ reason: Type.String(), count: Type.Integer() }, { additionalProperties: false })),
    blocked: Type.Integer({ description: 'Held back at the last look: consent, sharing or transfer.' }),
    notTold: Type.Integer({ description: 'Members it is not asked to have: no consent, no address, or held out.' }),
    notToldWhy: Type.Object(
      {
        noConsent: Type.Integer(),
        notReachable: Type.Integer({ description: 'No address of a type the action knows.' }),
        heldOut: Type.Integer(),
        waiting: Type.Integer({ description: 'Told at the next look at the person.' }),
      },
      { additionalProperties: false, description: 'Of the newest 500 that are not told.' },
    ),
  },
  { additionalProperties: false },
)

export const AudienceSummary = Type.Object(
  {
    id: Type.String(),
    title: Text,
    description: Type.Union([Text, Type.Null()]),
    purpose: Type.String(),
    words: Type.Object(
      { pt: Type.Array(Type.String()), en: Type.Array(Type.String()) },
      { additionalProperties: false },
    ),
    size: Type.Integer(),
    /** Filling in after a change of the definition: how far it is. */
    filling: Type.Boolean(),
    days: Type.Array(
      Type.Object(
        { day: Type.String(), entered: Type.Integer(), left: Type.Integer() },
        { additionalProperties: false },
      ),
    ),
    destinations: Type.Array(
      Type.Object(
        { destination: Type.String(), add: Type.String(), remove: Type.String(), counts: Counts },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type AudienceSummary = Static<typeof AudienceSummary>

const ClauseShown = Type.Object(
  {
    id: Type.String(),
    clause: Type.String(),
    pt: Type.String(),
    ok: Type.Boolean(),
    value: Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
    unit: Type.Optional(oneOf(['cents'])),
  },
  { additionalProperties: true },
)

export const AudienceMember = Type.Object(
  {
    personId: Type.String(),
    since: Type.String(),
    why: Type.Array(ClauseShown),
    destinations: Type.Array(
      Type.Object(
        { destination: Type.String(), state: oneOf(PUSH_STATES), reason: Type.Union([Type.String(), Type.Null()]) },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type AudienceMember = Static<typeof AudienceMember>

export const AudienceStay = Type.Object(
  {
    audience: Type.String(),
    enteredAt: Type.String(),
    leftAt: Type.Union([Type.String(), Type.Null()]),
    whyEntered: Type.Array(ClauseShown),
    whyLeft: Type.Array(ClauseShown),
    eventId: Type.Union([Type.String(), Type.Null()]),
  },
  { additionalProperties: false },
)
export type AudienceStay = Static<typeof AudienceStay>

/** People on a list at a vendor that no audience keeps any more. */
export const AudienceLeft = Type.Object(
  {
    audience: Type.String(),
    destination: Type.String(),
    state: oneOf(['leaving', 'failed', 'no_destination']),
    people: Type.Integer(),
    since: Type.String({ description: 'When the first of them was told of; UTC.' }),
  },
  {
    additionalProperties: false,
    description:
      'leaving: they are being taken out. failed: the vendor refused. no_destination: the configuration no longer has the destination, so nobody can be taken out until it is put back.',
  },
)
export type AudienceLeft = Static<typeof AudienceLeft>

/** Who is in it, or was at a moment. */
export const AudienceMembers = Type.Object(
  {
    total: Type.Integer({ description: 'All of them; items are the newest 100.' }),
    at: Type.Union([Type.String(), Type.Null()], { description: 'Null: now.' }),
    items: Type.Array(AudienceMember),
  },
  { additionalProperties: false },
)
export type AudienceMembers = Static<typeof AudienceMembers>

/** How many members two audiences share now. */
export const AudienceOverlap = Type.Object(
  { audience: Type.String(), size: Type.Integer(), both: Type.Integer() },
  { additionalProperties: false },
)
export type AudienceOverlap = Static<typeof AudienceOverlap>

/** How large an audience would be, from people drawn evenly. */
export const AudiencePreview = Type.Object(
  {
    audience: Type.String(),
    people: Type.Integer({ description: 'Everybody the hub knows.' }),
    looked: Type.Integer({ description: 'How many of them were looked at.' }),
    members: Type.Integer({ description: 'How many of those would be in it now.' }),
    size: Type.Object(
      { about: Type.Integer(), low: Type.Integer(), high: Type.Integer() },
      { additionalProperties: false, description: 'Estimated for everybody, with the 95 % interval.' },
    ),
    destinations: Type.Array(
      Type.Object(
        {
          destination: Type.String(),
          told: Type.Integer({ description: 'Members looked at who would be sent.' }),
          noConsent: Type.Integer(),
          notReachable: Type.Integer(),
          heldOut: Type.Integer(),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
export type AudiencePreview = Static<typeof AudiencePreview>

export const AudienceSync = Type.Object(
  {
    audience: Type.Union([Type.String(), Type.Null()]),
    full: Type.Boolean(),
    state: oneOf(['running', 'done']),
    people: Type.Integer({ description: 'People gone through so far.' }),
  },
  { additionalProperties: false },
)
export type AudienceSync = Static<typeof AudienceSync>
