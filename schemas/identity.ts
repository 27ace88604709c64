/** How people are told apart: words of `identity:` in anuente.yaml, and what the admin API tells of nodes, edges and merges. */
import { type Static, type TSchema, Type } from 'typebox'
import { IDENTIFIER_TYPES } from './event.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })

export const IdentifierLimit = Type.Object(
  {
    ever: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'So many of this type, whenever.' })),
    within: Type.Optional(
      Type.Object(
        {
          max: Type.Integer({ minimum: 1, maximum: 1000 }),
          window: Type.String({ pattern: '^P(?!$)(\\d+D|\\d+W|\\d+M|\\d+Y)$', description: 'ISO 8601, such as P7D.' }),
        },
        { additionalProperties: false, description: 'So many that were first seen within this time.' },
      ),
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description: 'How many identifiers of one type a person may have. Beyond that the event does not join them.',
  },
)
export type IdentifierLimit = Static<typeof IdentifierLimit>

export const IdentityConfig = Type.Object(
  {
    limits: Type.Optional(
      Type.Object(
        Object.fromEntries(IDENTIFIER_TYPES.map((type) => [type, Type.Optional(IdentifierLimit)])) as Record<
          (typeof IDENTIFIER_TYPES)[number],
          ReturnType<typeof Type.Optional<typeof IdentifierLimit>>
        >,
        closed,
      ),
    ),
    priority: Type.Optional(
      Type.Array(oneOf(IDENTIFIER_TYPES), {
        uniqueItems: true,
        minItems: 1,
        description:
          'Types that go before the others, most trusted first. An event belongs to its highest; over a limit the lowest one of the event is left out first.',
      }),
    ),
    maxIdentifiers: Type.Optional(
      Type.Integer({
        minimum: 2,
        maximum: 1000,
        description: 'Identifiers of all types that one person may have; 100 when absent. No bad value swallows more.',
      }),
    ),
    blocked: Type.Optional(
      Type.Object(
        {
          values: Type.Optional(
            Type.Array(Type.String({ minLength: 1 }), {
              description: 'Values that join nobody, whatever their type, such as the phone number of the shop.',
            }),
          ),
          endings: Type.Optional(
            Type.Array(Type.String({ minLength: 2 }), {
              description: 'E-mail addresses that end so join nobody, such as @agency.example.',
            }),
          ),
        },
        { additionalProperties: false, description: 'Besides the built-in list (anonymous, null, 000, …).' },
      ),
    ),
  },
  { additionalProperties: false, description: 'Who is who: limits, priorities and values that join nobody.' },
)
export type IdentityConfig = Static<typeof IdentityConfig>

// ---------------------------------------------------------------- what the admin API tells

/** together: on one event. stated: a login or an alias says that they are one. */
export const EDGE_STRENGTHS = ['together', 'stated'] as const
export type EdgeStrength = (typeof EDGE_STRENGTHS)[number]

export const IdentityNode = Type.Object(
  {
    id: Type.String(),
    subject: Type.String({ description: 'Ledger subject.' }),
    type: oneOf(IDENTIFIER_TYPES),
    device: Type.Boolean(),
    foundedAt: Time,
    events: Type.Integer({ description: 'Kept events that belong to it.' }),
    known: Type.Boolean({ description: 'Its value is stored, sealed. Reading it is another act, and is logged.' }),
    apart: Type.Array(Type.String(), { description: 'Nodes it is never again one person with.' }),
  },
  closed,
)
export type IdentityNode = Static<typeof IdentityNode>

export const IdentityEdge = Type.Object(
  {
    a: Type.String(),
    b: Type.String(),
    strength: oneOf(EDGE_STRENGTHS),
    event: Type.String({ description: 'The event that shows it.' }),
    source: Type.String(),
    at: Time,
    refused: Nullable(
      Type.String({
        description:
          'Why it joins nobody: limit:<type>, limit:size, blocked, apart (set apart before), unmerged (taken back).',
      }),
    ),
  },
  closed,
)
export type IdentityEdge = Static<typeof IdentityEdge>

export const IdentityMerge = Type.Object(
  {
    id: Type.String(),
    from: Type.String(),
    into: Type.String(),
    event: Type.String(),
    a: Nullable(Type.String({ description: 'Nodes of the edge that joined them.' })),
    b: Nullable(Type.String()),
    at: Time,
    beforeHash: Nullable(Type.String({ description: 'SHA-256 of what both were before.' })),
    undoneAt: Nullable(Time),
  },
  closed,
)
export type IdentityMerge = Static<typeof IdentityMerge>

export const IdentityAct = Type.Object(
  {
    id: Type.String(),
    kind: oneOf(['unmerge', 'block', 'unblock']),
    at: Time,
    actor: Type.String(),
    reason: Type.String(),
  },
  closed,
)

export type IdentityAct = Static<typeof IdentityAct>

export const PersonIdentity = Type.Object(
  {
    personId: Type.String({ description: 'The smallest of its ids; older ones resolve to it.' }),
    olderIds: Type.Array(Type.String()),
    nodes: Type.Array(IdentityNode),
    edges: Type.Array(IdentityEdge, { description: 'Refused ones too: they join nobody.' }),
    merges: Type.Array(IdentityMerge),
    acts: Type.Array(IdentityAct),
  },
  closed,
)
export type PersonIdentity = Static<typeof PersonIdentity>

export const Unmerge = Type.Object(
  {
    edges: Type.Array(Type.Object({ a: Type.String({ maxLength: 40 }), b: Type.String({ maxLength: 40 }) }, closed), {
      minItems: 1,
      maxItems: 200,
      description: 'Evidence that is taken back, by its two nodes.',
    }),
    reason: Type.Optional(
      Type.String({ minLength: 10, maxLength: 500, description: 'Kept in the log; demanded unless `dryRun`.' }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Only say what would happen.' })),
  },
  closed,
)
export type Unmerge = Static<typeof Unmerge>

export const Unmerged = Type.Object(
  {
    dryRun: Type.Boolean(),
    act: Nullable(Type.String({ description: 'Of the log; null when nothing was done.' })),
    sides: Type.Array(
      Type.Object(
        {
          personId: Type.String(),
          nodes: Type.Array(Type.String()),
          events: Type.Integer(),
          orders: Type.Integer(),
          deliveries: Type.Integer({ description: 'That wait and go with this side.' }),
          restored: Type.Boolean({ description: 'Equal to what it was before the merge, as its hash says.' }),
          statuses: Type.Array(
            Type.Object(
              {
                purpose: Type.String(),
                before: Type.String({ description: 'Of the one person.' }),
                after: Type.String(),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
      { description: 'Who is who afterwards, the one that keeps the id first.' },
    ),
  },
  closed,
)
export type Unmerged = Static<typeof Unmerged>

export const BlockIdentifier = Type.Object(
  {
    type: oneOf(IDENTIFIER_TYPES),
    value: Type.String({ minLength: 1, maxLength: 512 }),
    reason: Type.String({ minLength: 10, maxLength: 500 }),
    lift: Type.Optional(Type.Boolean({ description: 'Takes the block back.' })),
  },
  closed,
)
export type BlockIdentifier = Static<typeof BlockIdentifier>

export const IdentifierBlocked = Type.Object(
  {
    blocked: Type.Boolean(),
    personId: Nullable(Type.String({ description: 'Who has it now, if anybody; nobody is taken apart by a block.' })),
    identifiers: Type.Integer({ description: 'How many this person has.' }),
  },
  closed,
)
export type IdentifierBlocked = Static<typeof IdentifierBlocked>
