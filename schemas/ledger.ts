/** What the admin API and the command line say about the consent ledger. */
import { type Static, type TSchema, Type } from 'typebox'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.Integer({ description: 'Epoch milliseconds, UTC.' })
const Seq = Type.Integer({ minimum: 0, description: 'Place in the ledger, from 0.' })
const Hash = Type.String({ description: 'SHA-256, lower-case hex.' })

export const LEDGER_PRIVACY = ['open', 'strict'] as const
export type LedgerPrivacy = (typeof LEDGER_PRIVACY)[number]

export const LedgerCheckpoint = Type.Object(
  {
    size: Type.Integer({ minimum: 0 }),
    root: Hash,
    at: Time,
    note: Type.String({ description: 'The signed note (C2SP tlog-checkpoint), as printed and copied.' }),
  },
  closed,
)
export type LedgerCheckpoint = Static<typeof LedgerCheckpoint>

export const LedgerProblem = Type.Object(
  {
    what: oneOf(['signing', 'anchoring']),
    code: Type.String({ description: 'LEDGER_FORKED, LEDGER_SHORTENED, LEDGER_DAMAGED, or that of the file system.' }),
    message: Type.String(),
    at: Time,
  },
  closed,
)
export type LedgerProblem = Static<typeof LedgerProblem>

export const LedgerStatus = Type.Object(
  {
    origin: Type.String({ description: 'Name of this ledger in its checkpoints.' }),
    size: Type.Integer({ minimum: 0, description: 'Numbered entries.' }),
    pending: Type.Integer({ minimum: 0, description: 'Entries that count already and wait for their number.' }),
    newestAt: Nullable(Time),
    checkpoint: Nullable(LedgerCheckpoint),
    unanchoredSince: Nullable(
      Type.Integer({
        description:
          'Time of the oldest entry that no copy outside the database covers; null when all are covered. From then on somebody with the database and the key could rewrite.',
      }),
    ),
    anchors: Type.Array(
      Type.Object({ kind: oneOf(['folder', 'minutes']), size: Type.Integer(), at: Time, ref: Type.String() }, closed),
      { description: 'The newest of each kind.' },
    ),
    anchorFolder: Nullable(Type.String()),
    privacy: oneOf(LEDGER_PRIVACY),
    key: Type.Object(
      {
        id: Type.String(),
        verifier: Type.String({ description: 'The public key as a C2SP verifier key: name+hash+base64.' }),
        fingerprint: Hash,
        createdAt: Time,
      },
      closed,
    ),
    stateRoot: Nullable(
      Type.Object(
        { at: Time, size: Type.Integer({ description: 'Entries it covers: the last word of every subject then.' }) },
        closed,
      ),
    ),
    problems: Type.Array(LedgerProblem, {
      description: 'What keeps it from being signed or copied; empty when all is well.',
    }),
  },
  closed,
)
export type LedgerStatus = Static<typeof LedgerStatus>

export const LedgerEntry = Type.Object(
  {
    seq: Nullable(Seq),
    id: Type.String(),
    at: Time,
    type: Type.String({ description: 'consent.<action>, consent.record, or an act of the hub: retention.run, …' }),
    subject: Type.String({ description: 'Random id of a person or device, or `hub`.' }),
    subjectSeq: Nullable(Type.Integer({ minimum: 0 })),
    purpose: Nullable(Type.String()),
    status: Nullable(Type.String({ description: 'Null for acts of the hub, and where privacy is strict.' })),
    basis: Nullable(Type.String()),
    actor: Type.String(),
    source: Type.String(),
    public: Type.Record(Type.String(), Type.Unknown(), { description: 'The entry as it stands in the tree.' }),
  },
  closed,
)
export type LedgerEntry = Static<typeof LedgerEntry>

export const LedgerEntryQuery = Type.Object(
  {
    subject: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    purpose: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    from: Type.Optional(Type.String({ format: 'date-time', description: 'ISO 8601 with zone.' })),
    to: Type.Optional(Type.String({ format: 'date-time', description: 'ISO 8601 with zone.' })),
    limit: Type.Optional(
      Type.String({
        pattern: '^([1-9]|[1-9][0-9]|1[0-9]{2}|200)$',
        description: 'Rows per page, 1 to 200; 50 when absent.',
      }),
    ),
    after: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'The `next` of the page before.' })),
  },
  closed,
)
export type LedgerEntryQuery = Static<typeof LedgerEntryQuery>

export const LedgerEntryPage = Type.Object({ items: Type.Array(LedgerEntry), next: Nullable(Type.String()) }, closed)
export type LedgerEntryPage = Static<typeof LedgerEntryPage>

export const LedgerProof = Type.Object(
  {
    entry: LedgerEntry,
    /** pending: no checkpoint covers it yet; POST /api/ledger/checkpoint signs one. */
    state: oneOf(['pending', 'proven']),
    leaf: Nullable(Hash),
    checkpoint: Nullable(LedgerCheckpoint),
    receipt: Nullable(
      Type.String({
        description: 'A c2sp.org/tlog-proof@v1 file that verify.html and verify.mjs check offline. Holds no payload.',
      }),
    ),
    payload: Type.Object(
      {
        /** none: the hub itself said this and there is nothing personal behind it. */
        state: oneOf(['kept', 'destroyed', 'missing', 'none']),
        destroyedBy: Nullable(Type.Object({ entryId: Type.String(), at: Time }, closed)),
      },
      closed,
    ),
    lastWord: Type.Boolean({ description: 'No later entry of this subject is in the ledger.' }),
  },
  closed,
)
export type LedgerProof = Static<typeof LedgerProof>

export const CheckpointAnswer = Type.Object(
  {
    checkpoint: LedgerCheckpoint,
    anchored: Type.Array(Type.String(), { description: 'Files that were written.' }),
  },
  closed,
)
export type CheckpointAnswer = Static<typeof CheckpointAnswer>
