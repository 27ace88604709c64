/** What of a rule forbids, chooses and sends: `unless`, `then` and `experiment`. */
import { type Static, Type } from 'typebox'
import { Conditions, durationAs } from './conditions.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const

const TimeOfDay = (description: string) =>
  Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$|^24:00$', description: `${description} HH:MM, in quotes.` })

const Zone = Type.Optional(
  Type.String({
    minLength: 1,
    description:
      'person (the default): the zone of the person, from a stated time zone, the state or the area code; organization; or an IANA name.',
  }),
)
const DefaultZone = Type.Optional(
  Type.String({
    minLength: 1,
    description: 'IANA name, where the person’s zone is not known; the organization’s when absent.',
  }),
)

export const CAP_PER = ['person', 'person+channel', 'person+rule'] as const
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

const Cap = Type.Object(
  {
    per: oneOf(CAP_PER, 'What is counted: all messages of the person, those on the channel, those of this rule.'),
    max: Type.Integer({ minimum: 1, description: 'How many at most.' }),
    window: durationAs('In which time: PT24H, P7D. With count: calendar one of P1D (day), P7D (week), P1M (month).'),
    count: Type.Optional(
      oneOf(
        ['rolling', 'calendar'],
        'rolling, the default: any stretch of that length. calendar: days, weeks (from Monday) and months by the clock of the person.',
      ),
    ),
    zone: Zone,
    default_zone: DefaultZone,
  },
  { ...closed, description: 'How much one person may receive.' },
)

const QuietHours = Type.Object(
  {
    from: Type.Optional(TimeOfDay('When the silence begins.')),
    to: Type.Optional(TimeOfDay('When it ends; earlier than from: on the next day.')),
    zone: Zone,
    default_zone: DefaultZone,
    holidays: Type.Optional(
      Type.Union(
        [
          Type.Literal('BR'),
          Type.Array(
            Type.String({
              pattern: '^(BR(-(A[CLMP]|BA|CE|DF|ES|GO|M[AGST]|P[ABEIR]|R[JNORS]|S[CEP]|TO))?|\\d{4}-\\d{2}-\\d{2})$',
              description: 'BR, a state such as BR-SP, or a date.',
            }),
            { minItems: 1 },
          ),
        ],
        {
          description:
            'Whole days of silence: BR, the national holidays; a list may add those of states and local ones, e.g. [BR, BR-SP, 2026-01-25].',
        },
      ),
    ),
    on_hit: Type.Optional(
      oneOf(['hold', 'skip'], 'hold, the default: it leaves when the silence is over. skip: it is not sent at all.'),
    ),
  },
  {
    ...closed,
    description: 'When nobody is to be disturbed. Channels that disturb nobody (ads, onsite, task) are exempt.',
  },
)

const SendWindow = Type.Object(
  {
    days: Type.Optional(Type.Array(oneOf(WEEKDAYS), { minItems: 1, description: 'Every day when absent.' })),
    from: TimeOfDay('From.'),
    to: TimeOfDay('To, later on the same day.'),
  },
  closed,
)

export const SUPPRESSIONS = ['complained', 'bounced', 'open_ticket'] as const

const Suppress = Type.Union([
  oneOf(
    SUPPRESSIONS,
    'complained: marked a message as spam; bounced: the last message on the channel came back; open_ticket: has a ticket that is not closed.',
  ),
  Type.Object(
    { audience: Type.String({ minLength: 1, description: 'Id of an audience nobody of whom gets this.' }) },
    closed,
  ),
])

export const Unless = Type.Object(
  {
    purpose: Type.String({ description: 'Purpose of the configuration this rule acts under.' }),
    caps: Type.Optional(Type.Array(Cap, { description: 'How much one person may receive.' })),
    quiet_hours: Type.Optional(QuietHours),
    send_windows: Type.Optional(
      Type.Array(SendWindow, {
        minItems: 1,
        description: 'Only then may it leave, by the clock of quiet_hours (the person’s when there is none).',
      }),
    ),
    reentry: Type.Optional(
      Type.Object(
        {
          max: Type.Optional(Type.Integer({ minimum: 1, description: 'How often one person may enter.' })),
          per: Type.Optional(
            oneOf(
              ['person', 'session'],
              'Where max counts. person, the default: ever. session: in one visit, as the source counts them, else without a pause of 30 minutes.',
            ),
          ),
          min_interval: Type.Optional(durationAs('How far apart, e.g. P2D.')),
        },
        { ...closed, description: 'How often one person may enter this rule.' },
      ),
    ),
    suppress: Type.Optional(Type.Array(Suppress, { minItems: 1, description: 'Who gets nothing, whatever matched.' })),
  },
  { ...closed, description: 'What forbids it: the purpose without consent, caps, quiet hours, re-entry, suppression.' },
)

export const RuleAction = Type.Object(
  {
    destination: Type.String({ description: 'Instance name under destinations in anuente.yaml.' }),
    action: Type.String({ description: 'Action of that connector, e.g. sendConversion.' }),
    purpose: Type.Optional(
      Type.String({
        description: "This action's own purpose, asked besides that of the rule, e.g. whatsapp_marketing.",
      }),
    ),
    with: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          'Fields of the payload set by the rule; the rest come from the default mapping. {from: offer.code} reads a value when it is sent.',
      }),
    ),
  },
  closed,
)
export type RuleAction = Static<typeof RuleAction>

const Channels = (description: string) => Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description })

const ChannelChoice = Type.Object(
  {
    order: Type.Union([Type.Literal('preferred'), Channels('Channels, the first one that works is taken.')], {
      description:
        'preferred: what the person prefers, by the trait preferred_channel, else the channel they last clicked or opened something on. Or a list.',
    }),
    fallback: Type.Optional(Channels('Tried after order. All channels under send, as written, when absent.')),
    require: Type.Optional(
      Type.Array(oneOf(['consent', 'reachable']), {
        description: 'Both are always required; written out for the reader.',
      }),
    ),
  },
  { ...closed, description: 'Of the actions under send one is taken: the first whose channel may and can be used.' },
)

const OfferChoice = Type.Union([
  Type.String({ minLength: 1 }),
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
])

const actions = {
  all: Type.Optional(Type.Array(RuleAction, { minItems: 1, description: 'Actions, all of them.' })),
  channel: Type.Optional(ChannelChoice),
  send: Type.Optional(
    Type.Record(Type.String({ pattern: '^[a-z][a-z0-9_-]*$' }), RuleAction, {
      minProperties: 1,
      description: 'Channel → action, of which channel chooses one.',
    }),
  ),
  offer: Type.Optional({
    ...OfferChoice,
    description: 'Offer of the configuration that goes with it; of a list the first the person may have.',
  } as typeof OfferChoice),
}

const Branch = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      description: 'Names the branch in explanations, e.g. vip.',
    }),
    on: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'An event of when.absence.unless, as written there: the branch is for when that ended the wait. Without it: for when nothing did.',
      }),
    ),
    who: Type.Optional(Conditions),
    ...actions,
  },
  { ...closed, description: 'Without "who" it fits everybody, which makes the last branch the else.' },
)
export type Branch = Static<typeof Branch>

export const Then = Type.Object(
  {
    ...actions,
    branches: Type.Optional(
      Type.Array(Branch, {
        minItems: 1,
        maxItems: 10,
        description: 'Tried from the top; the first that fits is taken, and no other. Instead of "all" and "send".',
      }),
    ),
    send_at: Type.Optional(
      Type.Object(
        {
          time: TimeOfDay('The next time it is that late by the clock of the person.'),
          learn: Type.Optional(
            Type.Boolean({ description: 'The hour at which the person opens messages, where it is known.' }),
          ),
        },
        {
          ...closed,
          description: 'When it is to leave. Inside quiet hours it moves to their nearest edge.',
        },
      ),
    ),
    expires: Type.Optional(durationAs('After this time it is not worth sending any more, e.g. PT24H.')),
  },
  { ...closed, description: 'What is done: all actions, one by channel, or one of several branches.' },
)

const Variant = Type.Object(
  {
    id: Type.String({
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      description: 'Names the variant in reports and payloads, e.g. frete_gratis.',
    }),
    weight: Type.Number({ exclusiveMinimum: 0, description: 'Share against the other variants.' }),
    with: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Fields of the payload, over those of the action.' }),
    ),
    offer: Type.Optional({ ...OfferChoice, description: 'Instead of then.offer.' } as typeof OfferChoice),
  },
  closed,
)

export const Experiment = Type.Object(
  {
    holdout: Type.Optional(Type.Literal('global', { description: 'Respects the share held out of every rule.' })),
    control: Type.Optional(
      Type.Number({
        minimum: 0,
        exclusiveMaximum: 1,
        description: 'Share of people who would have been sent and are not.',
      }),
    ),
    variants: Type.Optional(
      Type.Array(Variant, { minItems: 2, description: 'Whoever is treated gets one of these, always the same one.' }),
    ),
    seed: Type.Optional(Type.String({ description: 'Who falls where hangs on it; the id of the rule when absent.' })),
  },
  { ...closed, description: 'Who gets nothing by lot, and who gets which of several texts.' },
)
