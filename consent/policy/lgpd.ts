/**
 * LGPD (Lei 13.709/2018) as data: per legal basis and status, what each stage may do. Hashed into
 * every decision. Deny is the default: a pair that no row names is denied everywhere.
 */
import type { Basis, Status } from '../../schemas/consent.ts'

/** `share` has two columns, because art. 7 §5 asks more of another controller than of an operator. */
export const COLUMNS = [
  'collect',
  'profile',
  'decide',
  'activate',
  'shareOperator',
  'shareController',
  'transfer',
  'export',
] as const
export type Column = (typeof COLUMNS)[number]

/**
 * - allow, deny: as they say.
 * - store: may be kept, and nothing else done with it.
 * - hold: sealed and untouched until the person answers, at most 24 h.
 * - needed: only what the contract itself needs: no promotion.
 * - specific: only with the person's own consent to share with this controller (art. 7 §5).
 * - named: only with controllers that the balancing test or the contract names.
 * - authority, counsel: only with a destination that is one.
 * - declared: only where the purpose itself lists this stage, and never for ads.
 * - ground: inside Brazil, or abroad with a ground of art. 33 on file.
 * - groundOr33IX: as ground; art. 33 IX (= art. 7 II, V, VI) is itself one.
 * - declaredGround: declared and ground.
 */
export type Cell =
  | 'allow'
  | 'deny'
  | 'store'
  | 'hold'
  | 'needed'
  | 'specific'
  | 'named'
  | 'authority'
  | 'counsel'
  | 'declared'
  | 'ground'
  | 'groundOr33IX'
  | 'declaredGround'

export interface PolicyRow {
  readonly bases: readonly Basis[]
  readonly statuses: readonly Status[]
  /** The row needs a document: the approved balancing test (art. 10), or the written ground of the basis. */
  readonly written?: true
  readonly cells: readonly Cell[]
  /** Why this row says what it says. */
  readonly reason: { readonly code: string; readonly art: string }
}

const ANY: readonly Status[] = ['unknown', 'granted', 'denied', 'revoked', 'expired', 'stale', 'conflict', 'invalid']
const ALL_DENY: readonly Cell[] = ['deny', 'deny', 'deny', 'deny', 'deny', 'deny', 'deny', 'deny']

const refusal = (bases: readonly Basis[], status: Status, code: string, art: string): PolicyRow => ({
  bases,
  statuses: [status],
  cells: ALL_DENY,
  reason: { code, art },
})

/** First row that matches decides. Columns in the order of COLUMNS. */
const rows: readonly PolicyRow[] = [
  // collect  profile  decide  activate  share: operator  controller  transfer  export
  {
    bases: ['consent'],
    statuses: ['unknown'],
    cells: ['hold', 'deny', 'deny', 'deny', 'deny', 'deny', 'deny', 'deny'],
    reason: { code: 'consent_unknown', art: '7 I' },
  },
  {
    bases: ['consent'],
    statuses: ['granted'],
    cells: ['allow', 'allow', 'allow', 'allow', 'allow', 'specific', 'ground', 'declared'],
    reason: { code: 'consent_granted', art: '7 I' },
  },
  {
    bases: ['consent'],
    statuses: ['stale'],
    cells: ['allow', 'allow', 'deny', 'deny', 'deny', 'deny', 'deny', 'deny'],
    reason: { code: 'consent_stale', art: '8 §6' },
  },
  refusal(['consent'], 'denied', 'consent_denied', '7 I'),
  refusal(['consent'], 'revoked', 'consent_revoked', '8 §5'),
  refusal(['consent'], 'expired', 'consent_expired', '15 I'),
  refusal(['consent'], 'conflict', 'consent_conflict', '5 XII'),
  refusal(['consent'], 'invalid', 'consent_invalid', '8 §3'),
  {
    bases: ['legitimate_interest'],
    statuses: ['unknown', 'granted'],
    written: true,
    cells: ['allow', 'allow', 'allow', 'allow', 'allow', 'named', 'ground', 'declared'],
    reason: { code: 'legitimate_interest', art: '7 IX' },
  },
  {
    bases: ['legitimate_interest'],
    statuses: ['unknown', 'granted'],
    cells: ALL_DENY,
    reason: { code: 'no_balancing_test', art: '10' },
  },
  { bases: ['legitimate_interest'], statuses: ANY, cells: ALL_DENY, reason: { code: 'objected', art: '18 §2' } },
  {
    bases: ['contract'],
    statuses: ['granted'],
    cells: ['allow', 'allow', 'needed', 'needed', 'allow', 'named', 'groundOr33IX', 'declared'],
    reason: { code: 'contract_open', art: '7 V' },
  },
  { bases: ['contract'], statuses: ['denied', 'revoked'], cells: ALL_DENY, reason: { code: 'objected', art: '18 §2' } },
  { bases: ['contract'], statuses: ANY, cells: ALL_DENY, reason: { code: 'contract_not_open', art: '7 V' } },
  {
    bases: ['legal_obligation'],
    statuses: ANY,
    cells: ['allow', 'store', 'deny', 'deny', 'authority', 'authority', 'groundOr33IX', 'declared'],
    reason: { code: 'legal_obligation', art: '7 II' },
  },
  {
    bases: ['legal_claims'],
    statuses: ANY,
    cells: ['store', 'deny', 'deny', 'deny', 'counsel', 'counsel', 'groundOr33IX', 'declared'],
    reason: { code: 'legal_claims', art: '7 VI' },
  },
  {
    bases: ['vital_interest', 'health', 'public_policy', 'research', 'credit'],
    statuses: ANY,
    written: true,
    cells: ['declared', 'declared', 'declared', 'deny', 'declared', 'declared', 'declaredGround', 'declared'],
    reason: { code: 'declared_ground', art: '7' },
  },
  {
    bases: ['vital_interest', 'health', 'public_policy', 'research', 'credit'],
    statuses: ANY,
    cells: ALL_DENY,
    reason: { code: 'ground_undeclared', art: '6 I' },
  },
]

/** Countries and organisations with an adequate level of protection: EU and EEA (CD/ANPD Res. 32/2026). */
const adequate: readonly string[] = [
  ...['AT', 'BE', 'BG', 'CY', 'CZ', 'DE', 'DK', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'HU', 'IE', 'IT', 'LT', 'LU', 'LV'],
  ...['MT', 'NL', 'PL', 'PT', 'RO', 'SE', 'SI', 'SK'],
  ...['IS', 'LI', 'NO'],
]

export const POLICY = {
  version: 2,
  columns: COLUMNS,
  rows,
  home: 'BR',
  adequate,
  noSensitive: ['legitimate_interest', 'contract', 'credit'] as readonly Basis[],
} as const
