import { type Static, Type } from 'typebox'
import { oneOf } from './one-of.ts'

/** Status of one purpose for one person or device. Nobody's entry is `unknown`, and unknown is denied. */
export const STATUSES = ['unknown', 'granted', 'denied', 'revoked', 'expired', 'stale', 'conflict', 'invalid'] as const
export type Status = (typeof STATUSES)[number]

/** The ten legal bases of LGPD art. 7, I to X, in the order of the article. */
export const BASES = [
  'consent',
  'legal_obligation',
  'public_policy',
  'research',
  'contract',
  'legal_claims',
  'vital_interest',
  'health',
  'legitimate_interest',
  'credit',
] as const
export type Basis = (typeof BASES)[number]

/** Grounds of LGPD art. 11 for sensitive data: specific consent (I), or II a to g. */
export const SENSITIVE_GROUNDS = [
  '11.I',
  '11.II.a',
  '11.II.b',
  '11.II.c',
  '11.II.d',
  '11.II.e',
  '11.II.f',
  '11.II.g',
] as const
export type SensitiveGround = (typeof SENSITIVE_GROUNDS)[number]

/** What LGPD art. 9 I to VII has a notice say. */
export const ART9_ITEMS = ['purpose', 'duration', 'controller', 'contact', 'sharing', 'duties', 'rights'] as const
export type Art9Item = (typeof ART9_ITEMS)[number]

/** Changes of which art. 8 §6 makes the controller tell again: purpose, form and duration, controller, sharing. */
export const MATERIAL_ITEMS = ['9.I', '9.II', '9.III', '9.V'] as const
export type MaterialItem = (typeof MATERIAL_ITEMS)[number]

/** child: under 12 (ECA art. 2); teen: 12 to 17; adult: 18 and more. */
export const AGE_BANDS = ['unknown', 'child', 'teen', 'adult'] as const
export type AgeBand = (typeof AGE_BANDS)[number]

export const SCOPES = ['person', 'device'] as const
export type Scope = (typeof SCOPES)[number]

/** What makes evidence worthless as permission; it is kept as a record all the same (LGPD art. 8 §3, §4). */
export const EVIDENCE_FLAGS = ['preticked', 'bundled', 'forced', 'dark_pattern', 'no_notice'] as const
export type EvidenceFlag = (typeof EVIDENCE_FLAGS)[number]

export const EVIDENCE_METHODS = [
  'checkbox',
  'button',
  'double_opt_in',
  'signed_doc',
  'voice',
  'gpc',
  'cmp_string',
  'link',
  'none',
] as const
export type EvidenceMethod = (typeof EVIDENCE_METHODS)[number]

export const CONSENT_ACTIONS = ['grant', 'deny', 'revoke', 'object', 'open', 'end'] as const
export type ConsentAction = (typeof CONSENT_ACTIONS)[number]

export const Notice = Type.Object(
  {
    id: Type.String({ minLength: 1 }),
    version: Type.Integer({ minimum: 1 }),
    since: Type.Optional(
      Type.String({ format: 'date', description: 'Signals before this day do not rest on this notice.' }),
    ),
  },
  { additionalProperties: false, description: 'The privacy notice a signal rests on (LGPD art. 9).' },
)
export type Notice = Static<typeof Notice>

/** One act about one purpose, in the words of this schema, with the raw evidence beside it. */
export const ConsentSignal = Type.Object(
  {
    purpose: Type.String(),
    scope: oneOf(SCOPES),
    action: oneOf(CONSENT_ACTIONS),
    basis: oneOf(BASES),
    origin: Type.Object(
      {
        kind: Type.String({ description: 'segment, rudder, google, rd, gpc, mapped, portal, link, api, system.' }),
        ref: Type.String({ description: 'Source id, link id or command that brought it.' }),
      },
      { additionalProperties: false },
    ),
    actor: oneOf(['subject', 'guardian', 'agent', 'system', 'browser_signal']),
    evidence: Type.Object(
      {
        method: oneOf(EVIDENCE_METHODS),
        flags: Type.Array(oneOf(EVIDENCE_FLAGS)),
        sha256: Type.String({ description: 'SHA-256 (hex) of the raw evidence.' }),
        raw: Type.Optional(Type.Unknown({ description: 'As received; sealed wherever it is stored.' })),
      },
      { additionalProperties: false },
    ),
    notice: Type.Optional(Notice),
    occurredAt: Type.String({ format: 'date-time' }),
  },
  { additionalProperties: false },
)
export type ConsentSignal = Static<typeof ConsentSignal>

/** Where the gate is asked. `permit` at delivery is activate + share + transfer. */
export const STAGES = ['collect', 'profile', 'decide', 'activate', 'share', 'transfer', 'export'] as const
export type Stage = (typeof STAGES)[number]

/** The body of POST /consent. Purposes that are not configured, and permissions nobody can give, are refused. */
export const ConsentRequest = Type.Object(
  {
    id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'Sent again with the same id, it is one answer.' }),
    ),
    subject: Type.Object(
      {
        userId: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
        email: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
        phone: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
        cpf: Type.Optional(Type.String({ minLength: 1, maxLength: 20 })),
        anonymousId: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
        gaClientId: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
        deviceId: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
      },
      { additionalProperties: false, minProperties: 1, description: 'Whose answer this is: all that is known.' },
    ),
    consents: Type.Array(
      Type.Object(
        {
          purpose: Type.String({
            minLength: 1,
            maxLength: 100,
            description: 'A configured purpose; * with revoke or object means all that rest on consent or interest.',
          }),
          action: oneOf(['grant', 'deny', 'revoke', 'object']),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 100 },
    ),
    notice: Type.Optional(Notice),
    method: Type.Optional(oneOf(EVIDENCE_METHODS, 'How the answer was given. Required for a grant.')),
    actor: Type.Optional(oneOf(['subject', 'guardian', 'agent'], 'Server token only; subject otherwise.')),
    flags: Type.Optional(
      Type.Array(oneOf(EVIDENCE_FLAGS), {
        maxItems: 5,
        description: 'What is wrong with the evidence; it then never counts.',
      }),
    ),
    occurredAt: Type.Optional(Type.String({ format: 'date-time' })),
    evidence: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'What was shown and clicked, as is: form, address, tcf or gpp string. Sealed; at most 16 KB.',
      }),
    ),
    writeKey: Type.Optional(
      Type.String({ maxLength: 200, description: 'Browsers: the write key of a source, instead of a server token.' }),
    ),
  },
  { additionalProperties: false, title: 'ConsentRequest' },
)
export type ConsentRequest = Static<typeof ConsentRequest>

/** The status of one purpose for one person or device, as GET /consent tells it. */
export const PurposeAnswer = Type.Object(
  {
    purpose: Type.String(),
    title: Type.Object({ pt: Type.String(), en: Type.String() }, { additionalProperties: false }),
    basis: oneOf(BASES),
    scope: oneOf(SCOPES),
    status: oneOf(STATUSES),
    since: Type.Union([Type.String(), Type.Null()], { description: 'When the answer was given, ISO 8601.' }),
    entryId: Type.Union([Type.String(), Type.Null()], { description: 'Entry of the ledger it rests on.' }),
    notice: Type.Union([
      Type.Object({ id: Type.String(), version: Type.Integer() }, { additionalProperties: false }),
      Type.Null(),
    ]),
    expiresAt: Type.Union([Type.String(), Type.Null()]),
    pending: Type.Boolean({
      description: 'A withdrawal was answered and is being processed: nothing leaves meanwhile.',
    }),
  },
  { additionalProperties: false },
)
export type PurposeAnswer = Static<typeof PurposeAnswer>
