/** What the admin API tells about consent: what unknown costs, and how withdrawals reach the tools. */
import { type Static, Type } from 'typebox'
import { EVIDENCE_METHODS, Notice } from './consent.ts'
import { oneOf } from './one-of.ts'

const closed = { additionalProperties: false } as const
const Localized = Type.Object({ pt: Type.String(), en: Type.String() }, closed)
const Time = Type.Integer({ description: 'Epoch milliseconds.' })

export const UnlockQuery = Type.Object(
  { days: Type.Optional(Type.String({ pattern: '^\\d{1,3}$', description: 'So many days back; 30 when absent.' })) },
  closed,
)

export const Unlock = Type.Object(
  {
    from: Time,
    items: Type.Array(
      Type.Object(
        {
          source: Type.String(),
          connector: Type.String(),
          purpose: Type.String(),
          title: Localized,
          reason: oneOf([
            'consent_mode_off',
            'absent',
            'not_asked',
            'never_asked',
            'no_notice',
            'preticked',
            'worthless',
          ]),
          events: Type.Integer({ description: 'Events this purpose wanted and may not use.' }),
          people: Type.Integer({ description: 'Different people or devices, about: off by some 3 %.' }),
          share: Type.Number({ description: 'Of the events of this source, 0 to 1.' }),
          sample: Type.Union([Type.String(), Type.Null()], { description: 'The consent string as sent.' }),
          sentence: Localized,
          remedy: Localized,
        },
        closed,
      ),
      { description: 'Most people first.' },
    ),
  },
  closed,
)
export type Unlock = Static<typeof Unlock>

export const ImportRequest = Type.Object(
  {
    file: Type.String({ minLength: 1, maxLength: 200, description: 'Name of the file, kept as evidence.' }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the whole file: rows are known again by it.' }),
    firstRow: Type.Integer({ minimum: 1, description: 'Place of the first of these rows in the file.' }),
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown()), { minItems: 1, maxItems: 200 }),
    notice: Type.Optional(Notice),
    purpose: Type.Optional(Type.String({ maxLength: 100 })),
    method: Type.Optional(oneOf(EVIDENCE_METHODS)),
    dryRun: Type.Boolean(),
  },
  closed,
)

export const ImportAnswer = Type.Object(
  {
    rows: Type.Array(
      Type.Object(
        {
          row: Type.Integer(),
          verdict: oneOf(['grants', 'withdraws', 'no_change', 'recorded', 'outweighed', 'error']),
          purpose: Type.Optional(Type.String()),
          flags: Type.Optional(Type.Array(Type.String())),
          message: Type.Optional(Type.String()),
          path: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type ImportAnswer = Static<typeof ImportAnswer>

export const PropagationQuery = Type.Object(
  {
    days: Type.Optional(Type.String({ pattern: '^\\d{1,3}$', description: 'So many days back; 30 when absent.' })),
    withdrawal: Type.Optional(Type.String({ maxLength: 64, description: 'Of one withdrawal, by its ledger entry.' })),
  },
  closed,
)

export const Propagation = Type.Object(
  {
    from: Time,
    tools: Type.Array(
      Type.Object(
        {
          destination: Type.String(),
          withdrawals: Type.Integer(),
          confirmed: Type.Integer(),
          waiting: Type.Integer({ description: 'Told or to be told, without an answer yet.' }),
          failed: Type.Integer({ description: 'Given up; a person must do it at the tool.' }),
          noCall: Type.Integer({
            description: 'Nothing more is sent; the tool has no call that takes back what it has.',
          }),
          p50Ms: Type.Union([Type.Integer(), Type.Null()], {
            description: 'Half of the confirmed ones took at most this long from receipt to confirmation.',
          }),
          p99Ms: Type.Union([Type.Integer(), Type.Null()]),
        },
        closed,
      ),
    ),
    recent: Type.Array(
      Type.Object(
        {
          withdrawal: Type.String({ description: 'Ledger entry.' }),
          purpose: Type.String(),
          destination: Type.String(),
          how: oneOf(['action', 'origin', 'stop']),
          receivedAt: Time,
          askedAt: Time,
          confirmedAt: Type.Union([Time, Type.Null()]),
          state: oneOf(['confirmed', 'waiting', 'failed', 'no_call', 'granted_again']),
          deliveryId: Type.Union([Type.String(), Type.Null()]),
        },
        closed,
      ),
      { description: 'Newest first, at most 200.' },
    ),
  },
  closed,
)
export type Propagation = Static<typeof Propagation>
