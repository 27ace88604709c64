import { type Static, Type } from 'typebox'
import {
  Conditions,
  conditionDefs,
  Duration,
  durationAs,
  EventPattern as EventName,
  MeasureCondition,
} from './conditions.ts'
import { oneOf } from './one-of.ts'
import { Experiment, Then, Unless } from './rule-gates.ts'

export {
  type AudienceCondition,
  type Condition,
  Conditions,
  type CountCondition,
  Duration,
  type FieldCondition,
  type MeasureCondition,
  OPERATORS,
  type Operator,
} from './conditions.ts'

/** An event, with conditions on its properties and on the person at that moment. */
const EventMatch = Type.Object({ event: EventName, where: Type.Optional(Conditions) }, { additionalProperties: false })

const Correlate = Type.String({
  minLength: 1,
  description: 'Property that tells instances apart, e.g. cart_id.',
})

const AbsenceTrigger = Type.Object(
  {
    absence: Type.Object(
      {
        start: Type.Object(EventMatch.properties, {
          additionalProperties: false,
          description: 'Starts the clock. Each repeat resets it and replaces the context.',
        }),
        unless: Type.Object(
          {
            any: Type.Array(
              Type.Union([
                EventMatch,
                Type.Object(
                  { cart: Type.Literal('emptied', { description: 'Nothing is left in the cart.' }) },
                  { additionalProperties: false },
                ),
              ]),
              { minItems: 1, description: 'What ends the wait: then nothing is done.' },
            ),
          },
          { additionalProperties: false, description: 'What ends the wait.' },
        ),
        within: durationAs('How long to wait for it, at most P182D.'),
        correlate: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Property that names the instance, e.g. cart_id; the derived cart when missing.',
          }),
        ),
        grace: Type.Optional(durationAs('How much longer to wait for events that arrive late.')),
      },
      { additionalProperties: false, description: 'Something happened, and what should have followed did not.' },
    ),
  },
  { additionalProperties: false },
)

const SequenceTrigger = Type.Object(
  {
    sequence: Type.Object(
      {
        steps: Type.Array(EventMatch, { minItems: 2, maxItems: 8, description: 'Each step is an event of its own.' }),
        order: Type.Optional(
          oneOf(
            ['strict', 'any'],
            'strict: in the order written (other events may come between), the default; any: in any order.',
          ),
        ),
        within: durationAs('All steps happen within this time of each other, e.g. PT1H.'),
        correlate: Type.Optional(Correlate),
      },
      { additionalProperties: false, description: 'Several events, all of them, within a time.' },
    ),
  },
  { additionalProperties: false },
)

const AudienceTrigger = Type.Object(
  {
    audience: Type.Union(
      [
        Type.Object(
          { enters: Type.String({ minLength: 1, description: 'Id of the audience the person came into.' }) },
          { additionalProperties: false },
        ),
        Type.Object(
          { leaves: Type.String({ minLength: 1, description: 'Id of the audience the person left.' }) },
          { additionalProperties: false },
        ),
      ],
      { description: 'The person comes into an audience, {enters: id}, or leaves it, {leaves: id}.' },
    ),
  },
  { additionalProperties: false },
)

/** When it is time, by the clock of a zone. */
export const Schedule = Type.Union(
  [
    Type.String({
      minLength: 1,
      description: 'Every so many days at a time of day: "P1D@09:00 America/Sao_Paulo".',
      examples: ['P1D@09:00 America/Sao_Paulo', 'P7D@10:00'],
    }),
    Type.Object(
      {
        cron: Type.String({ minLength: 1, description: 'Five fields, e.g. "0 9 * * 1" for Mondays at nine.' }),
        timezone: Type.Optional(
          Type.String({ minLength: 1, description: 'IANA name; the one of the organization when left out.' }),
        ),
      },
      { additionalProperties: false },
    ),
  ],
  { description: 'When it is time: "P1D@09:00 America/Sao_Paulo", or {cron: "0 9 * * 1", timezone: …}.' },
)
export type Schedule = Static<typeof Schedule>

const ScheduleTrigger = Type.Object({ schedule: Schedule }, { additionalProperties: false })

const CrossingTrigger = Type.Object(
  {
    crosses: Type.Object(
      {
        score: Type.String({ minLength: 1, description: 'Id of the score, e.g. churn_risk.' }),
        above: Type.Optional(Type.Number({ description: 'It rises above this.' })),
        below: Type.Optional(Type.Number({ description: 'It falls below this.' })),
        rearm_below: Type.Optional(
          Type.Number({ description: 'With above: it counts again only after the score was below this.' }),
        ),
        rearm_above: Type.Optional(
          Type.Number({ description: 'With below: it counts again only after the score was above this.' }),
        ),
      },
      {
        additionalProperties: false,
        description: 'A score passes a line; a score that trembles about it counts once.',
      },
    ),
    schedule: Type.Optional(Schedule),
  },
  { additionalProperties: false },
)

const RequestTrigger = Type.Object(
  {
    request: Type.String({ minLength: 1, description: 'Name that the decision API is asked by.' }),
    timeout_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10000, description: 'How long an answer may take.' }),
    ),
  },
  { additionalProperties: false },
)

/** `event` first: of a document that fits none, the alternative with most of its words is told about. */
const Trigger = Type.Union(
  [
    EventMatch,
    AbsenceTrigger,
    SequenceTrigger,
    AudienceTrigger,
    CrossingTrigger,
    ScheduleTrigger,
    RequestTrigger,
    MeasureCondition,
  ],
  {
    description:
      'What sets the rule off, one of: event, absence, sequence, a measure such as count, audience, crosses, schedule, request.',
  },
)
export type Trigger = Static<typeof Trigger>

const BudgetLimit = (per: string) => Type.Integer({ minimum: 1, description: `At most so much ${per}.` })

/** A person named by an identifier, as people write it. The hub keeps its HMAC alone. */
export const TestRecipient = Type.Object(
  {
    email: Type.Optional(Type.String({ minLength: 3, description: 'E-mail address.' })),
    phone: Type.Optional(Type.String({ minLength: 8, description: 'Phone number, e.g. +55 11 98888-7777.' })),
    userId: Type.Optional(Type.String({ minLength: 1, description: 'Id of the person in your own systems.' })),
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
        minimum: 0.0001,
        maximum: 1,
        description: 'live only: the share of people who get this version, e.g. 0.01, 0.1; 1 when absent.',
      }),
    ),
    recipients: Type.Optional(
      Type.Array(TestRecipient, { description: 'Test recipients of this rule besides those of the configuration.' }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'How far this version is published; live for everybody when left out. May change without a new version.',
  },
)
export type Rollout = Static<typeof Rollout>

export const Rule = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      description: 'Names the rule everywhere: small letters, digits, - and _, e.g. carrinho-abandonado.',
    }),
    version: Type.Integer({ minimum: 1, description: 'Raise it whenever what the rule does changes.' }),
    title: Type.Optional(
      Type.Object(
        {
          pt: Type.String({ description: 'In Portuguese, e.g. Carrinho abandonado.' }),
          en: Type.String({ description: 'In English, e.g. Abandoned cart.' }),
        },
        { additionalProperties: false, description: 'What people call it.' },
      ),
    ),
    when: Trigger,
    who: Type.Optional(Conditions),
    unless: Unless,
    // biome-ignore lint/suspicious/noThenProperty: "then" is the word of the rule language, and rules are never awaited.
    then: Then,
    experiment: Type.Optional(Experiment),
    exit_on: Type.Optional(
      Type.Array(EventName, {
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
          id: Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$', description: 'Names the group, e.g. promo.' }),
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
                hour: Type.Optional(BudgetLimit('in an hour')),
                day: Type.Optional(BudgetLimit('in a day')),
                total: Type.Optional(BudgetLimit('ever')),
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
                hour: Type.Optional(BudgetLimit('in an hour')),
                day: Type.Optional(BudgetLimit('in a day')),
                total: Type.Optional(BudgetLimit('ever')),
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
  { $id: 'https://anuente.dev/schemas/rule.json', title: 'Rule', additionalProperties: false, $defs: conditionDefs },
)
export type Rule = Static<typeof Rule>
