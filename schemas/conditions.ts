/**
 * What rules and audiences may ask about a person. Groups nest, so these schemas point at each other: a schema that
 * uses `Conditions` carries `$defs: conditionDefs`.
 */
import { type Static, Type } from 'typebox'
import { oneOf } from './one-of.ts'

/** Operators of a field condition. A missing field satisfies only `absent` and `ne`. */
export const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'contains', 'exists', 'absent'] as const
export type Operator = (typeof OPERATORS)[number]

/** ISO 8601 duration, e.g. PT30M, P1D. */
export const durationAs = (description: string) =>
  Type.String({
    pattern: '^P(?!$)(\\d+Y)?(\\d+M)?(\\d+W)?(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?(\\d+S)?)?$',
    description,
    examples: ['PT30M', 'PT24H', 'P1D', 'P7D', 'P30D'],
  })
export const Duration = durationAs('ISO 8601 duration such as PT30M or P1D.')

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()])
const Value = Type.Union([Scalar, Type.Array(Scalar)], {
  description: 'What to compare with; a list for "in". Left out for exists and absent.',
})

export const FieldCondition = Type.Object(
  {
    field: Type.String({
      description:
        'Dotted path: cart.total (minor units), cart.items, cart.url, traits.<open trait>, event.<property>, counters.<purpose>.<name>, scores.<id>, computed.<id>, person.known.',
      minLength: 1,
      examples: ['cart.total', 'cart.items', 'event.total', 'traits.plan', 'scores.churn_risk', 'person.known'],
    }),
    op: oneOf(OPERATORS, 'How to compare. A missing field satisfies only absent and ne.'),
    value: Type.Optional(Value),
  },
  { additionalProperties: false },
)
export type FieldCondition = Static<typeof FieldCondition>

/** What a measure adds up, and over which time. Exactly one of `window` and `from` says the time. */
export interface Measured {
  event: string
  property?: string
  where?: Conditions
  window?: string
  calendar?: 'person' | 'organization'
  from?: string
  to?: string
}

/** By the names of Segment's spec, whatever source they came from. */
const EVENT_NAMES = [
  'Product Viewed',
  'Product Added',
  'Product Removed',
  'Cart Viewed',
  'Checkout Started',
  'Order Completed',
  'Order Refunded',
  'Signed Up',
  'Message Opened',
  'Ticket Opened',
]

export const EventPattern = Type.String({
  minLength: 1,
  description: 'Event name or glob, e.g. Order Completed, Product *.',
  examples: EVENT_NAMES,
})
const ISO_DATE = '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d+)?)?(Z|[+-]\\d{2}:\\d{2}))?$'

const measured = (property: 'none' | 'needed') =>
  Type.Unsafe<Measured>(
    Type.Object(
      {
        event: EventPattern,
        ...(property === 'needed' && {
          property: Type.String({ minLength: 1, description: 'Property of the event, e.g. total.' }),
        }),
        where: Type.Optional(Type.Unsafe<Conditions>({ $ref: '#/$defs/Conditions' })),
        window: Type.Optional(
          durationAs(
            'How far back: a rolling time such as PT30M or P30D. With calendar, whole days or months that include the current one: P1D is today, P7D today and the six days before, P1M this month.',
          ),
        ),
        calendar: Type.Optional(
          oneOf(
            ['person', 'organization'],
            "Count days of the calendar, by the clock of the person (the organization's where it is not known) or of the organization.",
          ),
        ),
        from: Type.Optional(
          Type.String({ pattern: ISO_DATE, description: 'Instead of a window: from this date or instant on.' }),
        ),
        to: Type.Optional(Type.String({ pattern: ISO_DATE, description: 'With from: before this date or instant.' })),
      },
      { additionalProperties: false },
    ),
  )

const NUMBER_OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'] as const
const numberOperator = () => oneOf(NUMBER_OPERATORS, 'How to compare: eq =, ne ≠, gt >, gte ≥, lt <, lte ≤.')
const numberOf = <const F extends string>(fn: F, property: 'none' | 'needed', description: string) =>
  Type.Object(
    {
      [fn]: Type.Unsafe<Measured>({ ...measured(property), description }),
      op: numberOperator(),
      value: Type.Number({ description: 'What to compare with.' }),
    } as Record<F, ReturnType<typeof measured>> & {
      op: ReturnType<typeof oneOf<(typeof NUMBER_OPERATORS)[number]>>
      value: ReturnType<typeof Type.Number>
    },
    { additionalProperties: false },
  )
const anyValueOf = <const F extends string>(fn: F, description: string) =>
  Type.Object(
    {
      [fn]: Type.Unsafe<Measured>({ ...measured('needed'), description }),
      op: oneOf(OPERATORS, 'Without any event in the window only absent and ne hold.'),
      value: Type.Optional(Value),
    } as Record<F, ReturnType<typeof measured>> & {
      op: ReturnType<typeof oneOf<Operator>>
      value: ReturnType<typeof Type.Optional<typeof Value>>
    },
    { additionalProperties: false },
  )

export const CountCondition = numberOf('count', 'none', 'How many events.')
export type CountCondition = Static<typeof CountCondition>

const MeasureConditions = [
  CountCondition,
  numberOf('sum', 'needed', 'The sum of a property; 0 without events.'),
  anyValueOf('avg', 'The mean of a property.'),
  anyValueOf('min', 'The smallest value of a property.'),
  anyValueOf('max', 'The largest value of a property.'),
  anyValueOf('first', 'The value of the oldest event in the window.'),
  anyValueOf('last', 'The value of the newest event in the window.'),
  numberOf('distinct', 'needed', 'How many different values of a property.'),
] as const

export const MEASURES = ['count', 'sum', 'avg', 'min', 'max', 'first', 'last', 'distinct'] as const
export type MeasureName = (typeof MEASURES)[number]
export const MeasureCondition = Type.Union([...MeasureConditions])
export type MeasureCondition = Static<typeof MeasureCondition>

export const AudienceCondition = Type.Object(
  {
    audience: Type.String({ minLength: 1, description: 'Id under audiences in anuente.yaml.' }),
    in: Type.Boolean({ description: 'true: the person is in it now; false: is not.' }),
  },
  { additionalProperties: false },
)
export type AudienceCondition = Static<typeof AudienceCondition>

export interface Conditions {
  all?: Condition[]
  any?: Condition[]
  none?: Condition[]
}
/** A condition, or a group of conditions inside a group. */
export type Condition = FieldCondition | MeasureCondition | AudienceCondition | Conditions

const Items = Type.Array(Type.Unsafe<Condition>({ $ref: '#/$defs/Condition' }))
const Group = Type.Object(
  {
    all: Type.Optional(Type.Array(Items.items, { description: 'Each of these holds.' })),
    any: Type.Optional(Type.Array(Items.items, { description: 'At least one of these holds.' })),
    none: Type.Optional(Type.Array(Items.items, { description: 'None of these holds.' })),
  },
  {
    additionalProperties: false,
    description: 'Conditions on the person, the cart, the event, the past: all, any, none.',
  },
)

/** Under `$defs` of every schema that uses conditions. */
export const conditionDefs = {
  Condition: {
    anyOf: [FieldCondition, ...MeasureConditions, AudienceCondition, { ...Group, minProperties: 1 }],
  },
  Conditions: Group,
} as const

export const Conditions = Type.Unsafe<Conditions>({ $ref: '#/$defs/Conditions' })
