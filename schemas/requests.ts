/** Requests of data subjects (LGPD art. 18 to 20) and inquiries of the authority, as the admin API, the command line and the portal know them. */
import { type Static, type TSchema, Type } from 'typebox'
import { IDENTIFIER_TYPES } from './event.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })
const TimeText = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}(T.+)?$',
  description: 'A day, read in the time zone of the organization, or ISO 8601 with zone.',
})
const Text = Type.Object({ pt: Type.String(), en: Type.String() }, closed)
const Long = Type.String({ minLength: 1, maxLength: 4000 })
const Short = Type.String({ minLength: 1, maxLength: 200 })

/** The nine rights of art. 18 in their order, opposition (§2), review of automated decisions (art. 20). */
export const RIGHTS = [
  'confirmation',
  'access',
  'correction',
  'restriction',
  'portability',
  'erasure',
  'sharing',
  'consent_information',
  'revocation',
  'opposition',
  'review',
] as const
export type Right = (typeof RIGHTS)[number]

export const REQUEST_STATES = [
  'received',
  'identity',
  'acknowledged',
  'collecting',
  'approval',
  'executing',
  'partially_done',
  'answered',
  'refused',
  'withdrawn',
] as const
export type RequestState = (typeof REQUEST_STATES)[number]

export const REQUEST_KINDS = ['subject', 'authority'] as const
export type RequestKind = (typeof REQUEST_KINDS)[number]

export const REQUEST_CHANNELS = [
  'portal',
  'email',
  'letter',
  'phone',
  'in_person',
  'chat',
  'opendsr',
  'authority',
  'other',
] as const
export type RequestChannel = (typeof REQUEST_CHANNELS)[number]

/** How sure it is that the person is who they say. `contact_code`: a code sent to a contact on file was typed back. */
export const ASSURANCES = ['none', 'claimed', 'contact_code', 'session', 'document'] as const
export type Assurance = (typeof ASSURANCES)[number]

/** Why a request is refused, each with the article it rests on. */
export const REFUSAL_GROUNDS = [
  'not_agent',
  'identity_not_proven',
  'not_the_subject',
  'legal_obligation',
  'legal_claims',
  'fact_or_law',
  'trade_secret',
] as const
export type RefusalGround = (typeof REFUSAL_GROUNDS)[number]

/** What happens to data under art. 18 IV. */
export const RESTRICTION_ACTIONS = ['erase', 'block', 'anonymise'] as const
export type RestrictionAction = (typeof RESTRICTION_ACTIONS)[number]

export const RECIPIENT_OPERATIONS = ['delete', 'export', 'correct'] as const
export type RecipientOperation = (typeof RECIPIENT_OPERATIONS)[number]

/** manual: somebody must do it by hand and say so; impossible: the vendor has no way, with the reason. */
export const RECIPIENT_STATUSES = ['pending', 'retry', 'done', 'manual', 'impossible', 'failed'] as const
export type RecipientStatus = (typeof RECIPIENT_STATUSES)[number]

/** What requests of many people have in common: the words of a form letter, where answers go, who acts for them. */
export const REQUEST_GROUP_KINDS = ['text', 'contact', 'representative'] as const
export type RequestGroupKind = (typeof REQUEST_GROUP_KINDS)[number]

export const RequestGroup = Type.Object(
  {
    id: Type.String(),
    kind: oneOf(REQUEST_GROUP_KINDS),
    people: Type.Integer(),
    requests: Type.Integer(),
    open: Type.Integer(),
    firstAt: Time,
    lastAt: Time,
  },
  {
    ...closed,
    description:
      'Many people asked alike within days (own choice: requests.mass). Each request keeps its clock and its proof of identity.',
  },
)
export type RequestGroup = Static<typeof RequestGroup>

export const RequestIdentifier = Type.Object(
  { type: oneOf(IDENTIFIER_TYPES), value: Type.String({ minLength: 1, maxLength: 512 }) },
  closed,
)
export type RequestIdentifier = Static<typeof RequestIdentifier>

export const Representative = Type.Object(
  {
    name: Short,
    kind: oneOf(['guardian', 'lawyer', 'proxy', 'other']),
    proof: Type.String({
      minLength: 1,
      maxLength: 500,
      description: 'What shows the power to act: a document, its place.',
    }),
  },
  closed,
)
export type Representative = Static<typeof Representative>

export const RequestScope = Type.Object(
  {
    purposes: Type.Optional(Type.Array(Type.String(), { description: 'Only data of these purposes.' })),
    events: Type.Optional(Type.Array(Type.String(), { description: 'Only events of these names.' })),
    from: Type.Optional(TimeText),
    to: Type.Optional(TimeText),
    corrections: Type.Optional(
      Type.Record(
        Type.String({ maxLength: 100 }),
        Type.Union([Type.String({ maxLength: 500 }), Type.Number(), Type.Boolean()]),
        {
          description: 'Trait or contact -> right value.',
        },
      ),
    ),
    restriction: Type.Optional(oneOf(RESTRICTION_ACTIONS)),
    simplified: Type.Optional(Type.Boolean({ description: 'Access in simplified form (art. 19 I).' })),
    decision: Type.Optional(
      Type.String({ maxLength: 128, description: 'Delivery or decision to be reviewed (art. 20).' }),
    ),
  },
  closed,
)
export type RequestScope = Static<typeof RequestScope>

/** What is entered by hand, by CSV, by the portal and by OpenDSR. */
export const NewRequest = Type.Object(
  {
    kind: Type.Optional(oneOf(REQUEST_KINDS)),
    right: Type.Optional(oneOf(RIGHTS)),
    channel: oneOf(REQUEST_CHANNELS),
    receivedAt: TimeText,
    identifiers: Type.Optional(Type.Array(RequestIdentifier, { maxItems: 20 })),
    name: Type.Optional(Short),
    contact: Type.Optional(Type.String({ maxLength: 254, description: 'Where the answer goes.' })),
    text: Type.Optional(Long),
    language: Type.Optional(oneOf(['pt', 'en'])),
    assurance: Type.Optional(oneOf(ASSURANCES)),
    identityCheck: Type.Optional(Type.String({ maxLength: 500, description: 'How the identity was checked.' })),
    representative: Type.Optional(Representative),
    scope: Type.Optional(RequestScope),
    reference: Type.Optional(
      Type.String({
        maxLength: 200,
        description: 'Number of the letter or ticket. The same one twice is the same request.',
      }),
    ),
    dueAt: Type.Optional(Type.String({ description: 'Inquiry of the authority: the day it set.' })),
  },
  { ...closed, description: 'A request; its clock starts on the day it arrived.' },
)
export type NewRequest = Static<typeof NewRequest>

export const RequestClock = Type.Object(
  {
    id: oneOf(['immediate', 'complete', 'own', 'authority']),
    dueAt: Time,
    law: Nullable(Type.String({ description: 'The article that sets it; null: our own promise, no statute.' })),
    label: Text,
    doneAt: Nullable(Time),
    overdue: Type.Boolean(),
  },
  closed,
)
export type RequestClock = Static<typeof RequestClock>

export const RequestPause = Type.Object(
  {
    from: Time,
    to: Nullable(Time),
    reason: Type.String(),
  },
  {
    ...closed,
    description: 'A wait that was written down. It moves own promises; it never moves a deadline of the statute.',
  },
)
export type RequestPause = Static<typeof RequestPause>

export const RequestSummary = Type.Object(
  {
    id: Type.String(),
    kind: oneOf(REQUEST_KINDS),
    right: Nullable(oneOf(RIGHTS)),
    article: Type.String(),
    title: Text,
    state: oneOf(REQUEST_STATES),
    channel: oneOf(REQUEST_CHANNELS),
    receivedAt: Time,
    enteredAt: Time,
    clocks: Type.Array(RequestClock),
    overdue: Type.Boolean(),
    dueAt: Nullable(Time),
    closedAt: Nullable(Time),
    ground: Nullable(oneOf(REFUSAL_GROUNDS)),
    outcome: Nullable(oneOf(['done', 'nothing_held', 'partly_kept'])),
    assurance: oneOf(ASSURANCES),
    subject: Nullable(
      Type.String({ description: 'Pseudonym: ledger subject. Null: nobody known by these identifiers.' }),
    ),
    duplicateOf: Nullable(Type.String()),
    groups: Type.Array(Type.String(), { description: 'Ids of the groups of like requests it belongs to.' }),
    recipients: Type.Object({ done: Type.Integer(), open: Type.Integer() }, closed),
    needs: Nullable(Text),
  },
  closed,
)
export type RequestSummary = Static<typeof RequestSummary>

export const RequestRecipient = Type.Object(
  {
    recipient: Type.String({ description: 'Destination id, or the name of a system.' }),
    kind: oneOf(['destination', 'system', 'opendsr']),
    operation: oneOf(RECIPIENT_OPERATIONS),
    status: oneOf(RECIPIENT_STATUSES),
    attempts: Type.Integer(),
    nextAt: Nullable(Time),
    answer: Nullable(Type.String()),
    instructions: Nullable(Text),
    doneAt: Nullable(Time),
    doneBy: Nullable(Type.String()),
    evidence: Nullable(Type.String({ description: 'Name of the file that was uploaded as proof.' })),
    firstAt: Nullable(Time),
    lastAt: Nullable(Time),
  },
  closed,
)
export type RequestRecipient = Static<typeof RequestRecipient>

export const KeptItem = Type.Object(
  {
    what: Text,
    count: Type.Integer(),
    ground: Type.String({ description: 'art. 16 I, a legal hold, Marco Civil art. 15 …' }),
    reason: Text,
    until: Nullable(Text),
  },
  closed,
)
export type KeptItem = Static<typeof KeptItem>

export const ErasedItem = Type.Object({ what: Text, count: Type.Integer() }, closed)
export type ErasedItem = Static<typeof ErasedItem>

export const RequestPlan = Type.Object(
  {
    hash: Type.String({ description: 'What an approval names: another plan needs another approval.' }),
    at: Time,
    nothingHeld: Type.Boolean(),
    summary: Text,
    warnings: Type.Array(Text, { description: 'What an officer should look at before approving.' }),
    erase: Type.Array(ErasedItem),
    keep: Type.Array(KeptItem),
    recipients: Type.Array(
      Type.Object(
        {
          recipient: Type.String(),
          kind: oneOf(['destination', 'system', 'opendsr']),
          operation: oneOf(RECIPIENT_OPERATIONS),
          how: oneOf(['implemented', 'manual', 'impossible']),
          firstAt: Nullable(Time),
          lastAt: Nullable(Time),
          instructions: Nullable(Text),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type RequestPlan = Static<typeof RequestPlan>

export const RequestFile = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    mediaType: Type.String(),
    bytes: Type.Integer(),
    sha256: Type.String(),
    at: Time,
  },
  closed,
)
export type RequestFile = Static<typeof RequestFile>

export const RequestLine = Type.Object(
  {
    at: Time,
    actor: Type.String(),
    what: Type.String({
      description: 'opened, identified, acknowledged, planned, approved, executed, recipient, answered, refused …',
    }),
    from: Nullable(oneOf(REQUEST_STATES)),
    to: Nullable(oneOf(REQUEST_STATES)),
    detail: Nullable(Type.String()),
  },
  closed,
)
export type RequestLine = Static<typeof RequestLine>

export const RequestDetail = Type.Object(
  {
    request: RequestSummary,
    person: Nullable(
      Type.Object(
        {
          name: Nullable(Type.String()),
          contact: Nullable(Type.String()),
          text: Nullable(Type.String()),
          identifiers: Type.Array(RequestIdentifier),
          representative: Nullable(Representative),
          identityCheck: Nullable(Type.String()),
        },
        {
          ...closed,
          description: 'Null for roles that see pseudonyms only. Reading it is logged; the request is the reason.',
        },
      ),
    ),
    scope: RequestScope,
    plan: Nullable(RequestPlan),
    recipients: Type.Array(RequestRecipient),
    files: Type.Array(RequestFile),
    pauses: Type.Array(RequestPause),
    log: Type.Array(RequestLine),
    answer: Nullable(Type.String()),
    may: Type.Array(Type.String(), { description: 'Acts that are possible now.' }),
  },
  closed,
)
export type RequestDetail = Static<typeof RequestDetail>

export const RequestQuery = Type.Object(
  {
    state: Type.Optional(oneOf([...REQUEST_STATES, 'open', 'closed'])),
    right: Type.Optional(oneOf(RIGHTS)),
    kind: Type.Optional(oneOf(REQUEST_KINDS)),
    overdue: Type.Optional(oneOf(['true'])),
    group: Type.Optional(Type.String({ pattern: '^[0-9a-f]{16}$' })),
    limit: Type.Optional(Type.String({ pattern: '^([1-9]|[1-9][0-9]|1[0-9]{2}|200)$' })),
    after: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  closed,
)
export type RequestQuery = Static<typeof RequestQuery>

export const RequestPage = Type.Object(
  {
    items: Type.Array(RequestSummary),
    next: Nullable(Type.String()),
    counts: Type.Object(
      {
        open: Type.Integer(),
        overdue: Type.Integer(),
        dueIn3Days: Type.Integer(),
        byState: Type.Record(Type.String(), Type.Integer()),
      },
      closed,
    ),
    groups: Type.Array(RequestGroup),
  },
  closed,
)
export type RequestPage = Static<typeof RequestPage>

export const RequestOpened = Type.Object(
  {
    id: Type.String(),
    repeated: Type.Boolean({ description: 'It was already there: nothing was entered twice.' }),
    duplicateOf: Nullable(Type.String()),
  },
  closed,
)
export type RequestOpened = Static<typeof RequestOpened>

export const RequestImport = Type.Object(
  { csv: Type.String({ minLength: 1, maxLength: 500_000 }), dryRun: Type.Optional(Type.Boolean()) },
  closed,
)
export const RequestImported = Type.Object(
  {
    dryRun: Type.Boolean(),
    opened: Type.Integer(),
    repeated: Type.Integer(),
    duplicates: Type.Integer(),
    errors: Type.Array(Type.Object({ row: Type.Integer(), column: Type.String(), message: Type.String() }, closed)),
  },
  closed,
)
export type RequestImported = Static<typeof RequestImported>

export const RequestIdentity = Type.Object(
  {
    assurance: oneOf(ASSURANCES),
    check: Type.String({ minLength: 3, maxLength: 500 }),
    identifiers: Type.Optional(Type.Array(RequestIdentifier, { maxItems: 20 })),
  },
  closed,
)
export const RequestAskIdentity = Type.Object(
  {
    missing: Type.String({
      minLength: 3,
      maxLength: 500,
      description: 'What the person is asked for; mailed to them.',
    }),
  },
  closed,
)
export const RequestRun = Type.Object(
  {
    dryRun: Type.Optional(Type.Boolean({ description: 'Plans and changes nothing else.' })),
    planHash: Type.Optional(Type.String({ description: 'The plan that is approved and carried out.' })),
    also: Type.Optional(
      Type.Array(Type.String(), { description: 'Destinations to ask besides those known to have the person.' }),
    ),
  },
  closed,
)
export const RequestAnswer = Type.Object(
  {
    text: Type.Optional(Long),
    nothingHeld: Type.Optional(Type.Boolean()),
    review: Type.Optional(
      Type.Object(
        { outcome: oneOf(['upheld', 'changed']), reviewer: Short, ruleAuthor: Short },
        { ...closed, description: 'Art. 20: who decided again, not the author of the rule (our own demand).' },
      ),
    ),
  },
  closed,
)
export const RequestRefusal = Type.Object(
  {
    ground: oneOf(REFUSAL_GROUNDS),
    text: Type.String({ minLength: 10, maxLength: 4000, description: 'Reasons of fact or of law (art. 18 §4 II).' }),
    agent: Type.Optional(
      Type.String({ maxLength: 300, description: 'not_agent: who is, where known (art. 18 §4 I).' }),
    ),
  },
  closed,
)
export const RequestPauseChange = Type.Object(
  { reason: Type.Optional(Type.String({ minLength: 3, maxLength: 500, description: 'Absent: the wait is over.' })) },
  closed,
)
export const RequestTask = Type.Object(
  {
    recipient: Type.String({ minLength: 1, maxLength: 128 }),
    operation: oneOf(RECIPIENT_OPERATIONS),
    status: oneOf(['done', 'impossible', 'retry']),
    note: Type.String({ minLength: 3, maxLength: 500 }),
    evidence: Type.Optional(
      Type.Object(
        {
          name: Type.String({ pattern: '^[\\w .()-]{1,120}$' }),
          mediaType: Type.String({ pattern: '^[a-z]+/[a-z0-9.+-]{1,80}$' }),
          base64: Type.String({ maxLength: 4_000_000 }),
        },
        closed,
      ),
    ),
  },
  closed,
)
export const RequestContent = Type.Object(
  { name: Type.String(), mediaType: Type.String(), sha256: Type.String(), base64: Type.String() },
  closed,
)
export type RequestContent = Static<typeof RequestContent>

export const RequestFileParams = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 128 }), file: Type.String({ minLength: 1, maxLength: 128 }) },
  closed,
)
export const RequestWithdrawal = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }, closed)

/** `requests` of anuente.yaml. */
export const RequestsConfig = Type.Object(
  {
    ownDays: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 90,
        description: 'Own promise where the statute sets no deadline; 15 when absent. No statute.',
      }),
    ),
    approval: Type.Optional(
      Type.Array(oneOf(RIGHTS), {
        description: 'Rights that an officer approves before they are carried out. Erasure and restriction always are.',
      }),
    ),
    mass: Type.Optional(
      Type.Object(
        { count: Type.Integer({ minimum: 2 }), days: Type.Integer({ minimum: 1, maximum: 90 }) },
        {
          ...closed,
          description: 'From how many people within how many days like requests are told as one group; 10 within 7.',
        },
      ),
    ),
    codes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            channel: oneOf(['sms', 'whatsapp']),
            destination: Type.String(),
            action: Type.String(),
            with: Type.Optional(
              Type.Record(Type.String(), Type.Unknown(), {
                description: 'Fields of the action; {code} in a text stands for the code.',
              }),
            ),
          },
          closed,
        ),
        { description: 'Ways besides e-mail by which the portal sends its codes.' },
      ),
    ),
  },
  { ...closed, description: 'Requests of data subjects (LGPD art. 18).' },
)
export type RequestsConfig = Static<typeof RequestsConfig>

export const SystemConfig = Type.Object(
  {
    name: Type.String({ pattern: '^[\\w .-]{1,64}$' }),
    contact: Type.Optional(Type.String({ maxLength: 200 })),
    instructions: Type.Optional(Text),
    purposes: Type.Optional(Type.Array(Type.String())),
    opendsr: Type.Optional(
      Type.Object(
        {
          url: Type.String({ format: 'uri' }),
          token: Type.Optional(Type.String()),
          controllerId: Type.Optional(Type.String()),
        },
        { ...closed, description: 'It speaks OpenDSR 2.0: requests go there by themselves.' },
      ),
    ),
  },
  { ...closed, description: 'A system with personal data that is not connected: each request makes a task for it.' },
)
export type SystemConfig = Static<typeof SystemConfig>

/** Body of POST /api/opendsr/requests, as OpenDSR 2.0 words it. Loose: the specification allows extensions. */
export const OpenDsrRequest = Type.Record(Type.String(), Type.Unknown(), {
  description:
    'OpenDSR 2.0 request. `regulation` may be "lgpd", or gdpr/ccpa with extensions.anuente.right naming the right.',
})
export const OpenDsrAnswer = Type.Record(Type.String(), Type.Unknown())
