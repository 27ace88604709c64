import { type Static, Type } from 'typebox'
import { oneOf } from './one-of.ts'
import { Experiment, Then, Unless } from './rule-gates.ts'

/** Operators of a field condition. A missing field satisfies only `absent` and `ne`. */
export const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'contains', 'exists', 'absent'] as const
export type Operator = (typeof OPERATORS)[number]

/** ISO 8601 duration, e.g. PT30M, P1D. */
export const Duration = Type.String({
  pattern: '^P(?!$)(\\d+Y)?(\\d+M)?(\\d+W)?(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?(\\d+S)?)?$',
  description: 'ISO 8601 duration such as PT30M or P1D.',
})

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()])

export const FieldCondition = Type.Object(
  {
    field: Type.String({
      description:
        'Dotted path: cart.total (minor units), cart.items, traits.<open trait>, event.<property>, person.known.',
      minLength: 1,
    }),
    op: oneOf(OPERATORS),
    value: Type.Optional(Type.Union([Scalar, Type.Array(Scalar)])),
  },
  { additionalProperties: false },
)
export type FieldCondition = Static<typeof FieldCondition>

export const CountCondition = Type.Object(
  {
    count: Type.Object({ event: Type.String(), window: Duration }, { additionalProperties: false }),
    op: oneOf(['eq', 'ne', 'gt', 'gte', 'lt', 'lte']),
    value: Type.Number(),
  },
  { additionalProperties: false },
)
export type CountCondition = Static<typeof CountCondition>

export const Condition = Type.Union([FieldCondition, CountCondition])
export type Condition = Static<typeof Condition>

export const Conditions = Type.Object(
  {
    all: Type.Optional(Type.Array(Condition)),
    any: Type.Optional(Type.Array(Condition)),
    none: Type.Optional(Type.Array(Condition)),
  },
  { additionalProperties: false },
)
export type Conditions = Static<typeof Conditions>

const EventTrigger = Type.Object(
  {
    event: Type.String({ description: 'Event name or glob, e.g. Order Completed, Product *.' }),
    where: Type.Optional(Conditions),
  },
  { additionalProperties: false },
)

const AbsenceTrigger = Type.Object(
  {
    absence: Type.Object(
      {
        start: Type.Object(
          { event: Type.String() },
          { additionalProperties: false, description: 'Each repeat resets the clock and replaces the context.' },
        ),
        unless: Type.Object(
          {
            any: Type.Array(
              Type.Union([
                Type.Object({ event: Type.String() }, { additionalProperties: false }),
                Type.Object({ cart: Type.Literal('emptied') }, { additionalProperties: false }),
              ]),
              { minItems: 1 },
            ),
          },
          { additionalProperties: false },
        ),
        within: Duration,
        correlate: Type.Optional(
          Type.String({
            description: 'Property that names the instance, e.g. cart_id; the derived cart when missing.',
          }),
        ),
        grace: Type.Optional(Duration),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
)

const BudgetLimit = Type.Integer({ minimum: 1 })

/** A person named by an identifier, as people write it. The hub keeps its HMAC alone. */
export const TestRecipient = Type.Object(
  {
    email: Type.Optional(Type.String({ minLength: 3 })),
    phone: Type.Optional(Type.String({ minLength: 8 })),
    userId: Type.Optional(Type.String({ minLength: 1 })),
  },
  { additionalProperties: false, minProperties: 1, maxProperties: 1 },
)
export type TestRecipient = Static<typeof TestRecipient>

/** How far a version is published, when its document says so. Not part of the version: it may change without a new one. */
export const Rollout = Type.Object(
  {
    stage: oneOf(['draft', 'test', 'shadow', 'live'], 'live when absent.'),
    share: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1,
        description: 'live only: the share of people who get this version, e.g. 0.01, 0.1; 1 when absent.',
      }),
    ),
    recipients: Type.Optional(
      Type.Array(TestRecipient, { description: 'Test recipients of this rule besides those of the configuration.' }),
    ),
  },
  { additionalProperties: false },
)
export type Rollout = Static<typeof Rollout>

export const Rule = Type.Object(
  {
    id: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }),
    version: Type.Integer({ minimum: 1 }),
    title: Type.Optional(Type.Object({ pt: Type.String(), en: Type.String() }, { additionalProperties: false })),
    when: Type.Union([EventTrigger, AbsenceTrigger]),
    who: Type.Optional(Conditions),
    unless: Unless,
    // biome-ignore lint/suspicious/noThenProperty: "then" is the word of the rule language, and rules are never awaited.
    then: Then,
    experiment: Type.Optional(Experiment),
    exit_on: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Goal events: they cancel what waits, and are checked again just before sending.',
      }),
    ),
    priority: Type.Optional(
      Type.Integer({
        minimum: -1000,
        maximum: 1000,
        description: 'Of rules that are due at the same time the highest number goes first; 0 when absent.',
      }),
    ),
    group: Type.Optional(
      Type.Object(
        {
          id: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' }),
          window: Duration,
        },
        {
          additionalProperties: false,
          description: 'Exclusion group: a person gets one message of all its rules within the window.',
        },
      ),
    ),
    budget: Type.Optional(
      Type.Object(
        {
          sends: Type.Optional(
            Type.Object(
              {
                hour: Type.Optional(BudgetLimit),
                day: Type.Optional(BudgetLimit),
                total: Type.Optional(BudgetLimit),
              },
              { additionalProperties: false, minProperties: 1, description: 'How many deliveries this rule may make.' },
            ),
          ),
          money: Type.Optional(
            Type.Object(
              {
                cost: Type.Integer({
                  minimum: 1,
                  description: 'What one delivery costs, in minor units (12 is 0.12).',
                }),
                hour: Type.Optional(BudgetLimit),
                day: Type.Optional(BudgetLimit),
                total: Type.Optional(BudgetLimit),
              },
              { additionalProperties: false, description: 'What this rule may spend, in minor units of the currency.' },
            ),
          ),
        },
        {
          additionalProperties: false,
          minProperties: 1,
          description: 'Hours and days are those of the organisation; total is over all versions of the rule.',
        },
      ),
    ),
    rollout: Type.Optional(Rollout),
  },
  { $id: 'https://anuente.dev/schemas/rule.json', title: 'Rule', additionalProperties: false },
)
export type Rule = Static<typeof Rule>
