/**
 * One question of law: may this purpose, with this status, do this stage? The table is policy/lgpd.ts;
 * this file reads it and lays over it what applies to every row. Deny overrides.
 */
import { type AgeBand, BASES, type Basis, STATUSES, type Stage, type Status } from '../schemas/consent.ts'
import { type Cell, COLUMNS, type Column, POLICY, type PolicyRow } from './policy/lgpd.ts'
import type { Purpose, SharingTarget } from './purposes.ts'

export interface Reason {
  /** Stable word, e.g. consent_unknown. */
  readonly code: string
  /** Article of the LGPD, e.g. "7 §5"; of another law with its name. */
  readonly art: string
}

/** What is known of the person besides their answers: the overlays O1, O4, O6 and O7 of every row. */
export interface PersonFacts {
  /** The person asked to be forgotten. */
  readonly suppressed?: boolean | undefined
  /** The browser says so now (Sec-GPC), or the person opposed (art. 18 §2), whatever the status is. */
  readonly objected?: boolean | undefined
  /** Kept for a proceeding and blocked (art. 5 XIII): no deletion and no use. */
  readonly legalHold?: boolean | undefined
  /** Unknown when absent. */
  readonly age?: AgeBand | undefined
}

export interface Question extends PersonFacts {
  readonly purpose: Purpose
  readonly status: Status
  readonly stage: Stage
  /** Needed for share and transfer. */
  readonly destination?: SharingTarget
  /** Status of `share.<destination>`, for destinations that are controllers. */
  readonly shareStatus?: Status
  /** The answer came from the person's guardian (art. 14 §1). */
  readonly guardian?: boolean
  /** The product is likely to be used by minors: an unknown age counts as theirs. */
  readonly childAudience?: boolean
  /** For stale: the purpose itself is another one now (art. 9 I). */
  readonly purposeChanged?: boolean
  /** Sensitive fields (art. 5 II) among those asked for. */
  readonly sensitiveFields?: readonly string[]
  readonly policyHash?: string
}

export interface Decision {
  readonly allow: boolean
  /** redact: allowed, without the fields of `redact`. */
  readonly effect: 'allow' | 'redact' | 'hold' | 'deny'
  /** Every reason; the first one is the headline. */
  readonly reasons: readonly Reason[]
  readonly redact?: readonly string[]
  /** Allowed to keep, and for nothing else. */
  readonly only?: 'store'
  readonly policyHash: string
}

interface Resolved {
  readonly cells: Readonly<Record<Column, Cell>>
  readonly reasons: readonly Reason[]
}

const NO_POLICY: readonly Reason[] = [{ code: 'no_policy', art: '6 I' }]

// [written][basis][status], resolved once: gates ask this for every event.
const resolved: Readonly<Record<'written' | 'none', Readonly<Record<Basis, Readonly<Record<Status, Resolved>>>>>> = {
  written: resolveAll(true),
  none: resolveAll(false),
}

function resolveAll(written: boolean): Record<Basis, Record<Status, Resolved>> {
  const byBasis = {} as Record<Basis, Record<Status, Resolved>>
  for (const basis of BASES) {
    byBasis[basis] = {} as Record<Status, Resolved>
    for (const status of STATUSES) byBasis[basis][status] = resolveRow(rowFor(basis, status, written))
  }
  return byBasis
}

function rowFor(basis: Basis, status: Status, written: boolean): PolicyRow | undefined {
  return POLICY.rows.find(
    (row) => row.bases.includes(basis) && row.statuses.includes(status) && (!row.written || written),
  )
}

function resolveRow(row: PolicyRow | undefined): Resolved {
  const cells = Object.fromEntries(COLUMNS.map((column, index) => [column, row?.cells[index] ?? 'deny'])) as Record<
    Column,
    Cell
  >
  return { cells, reasons: row ? [row.reason] : NO_POLICY }
}

/**
 * The cell of the table, before overlays. Denied for a word that a newer version stored, like
 * everything nobody declared.
 */
export function cellOf(basis: Basis, status: Status, column: Column, written: boolean): Cell {
  return lookUp(basis, status, written)?.cells[column] ?? 'deny'
}

function lookUp(basis: Basis, status: Status, written: boolean): Resolved | undefined {
  return resolved[written ? 'written' : 'none'][basis]?.[status]
}

const SUPPRESSED: Reason = { code: 'suppressed', art: '18 VI' }
const LEGAL_HOLD: Reason = { code: 'legal_hold', art: '5 XIII' }
const UNDECLARED_STAGE: Reason = { code: 'undeclared_stage', art: '6 I' }
const UNDECLARED_DESTINATION: Reason = { code: 'undeclared_destination', art: '6 I' }
const SENSITIVE: Reason = { code: 'sensitive', art: '11' }
const MINOR: Reason = { code: 'minor_ads', art: 'ECA Digital 22' }
const NO_GUARDIAN: Reason = { code: 'guardian_missing', art: '14 §1' }
const OBJECTED: Reason = { code: 'objected', art: '18 §2' }
const PURPOSE_CHANGED: Reason = { code: 'purpose_changed', art: '9 §2' }
const HARMFUL: Reason = { code: 'automated_harmful', art: '20' }
const NOT_NEEDED: Reason = { code: 'not_needed_for_contract', art: '7 V' }
const NEVER_ADS: Reason = { code: 'basis_never_ads', art: '6 I' }
const NO_SHARE_CONSENT: Reason = { code: 'sharing_not_consented', art: '7 §5' }
const NOT_NAMED: Reason = { code: 'sharing_not_named', art: '9 V' }
const NOT_AUTHORITY: Reason = { code: 'authority_only', art: '7 II' }
const NOT_COUNSEL: Reason = { code: 'counsel_only', art: '7 VI' }
const NO_COUNTRY: Reason = { code: 'country_undeclared', art: '33' }
const NO_TRANSFER_GROUND: Reason = { code: 'no_transfer_ground', art: '33' }

/** Profile goes with collect; share and transfer are declared by the destination, not by the purpose. */
function stageDeclared(purpose: Purpose, stage: Stage): boolean {
  if (stage === 'share' || stage === 'transfer') return true
  return purpose.stages.has(stage === 'profile' ? 'collect' : stage)
}

/** Under 18, or of unknown age where minors are likely. */
export function isMinor(age: AgeBand | undefined, childAudience: boolean): boolean {
  return age === 'child' || age === 'teen' || (childAudience && (age === undefined || age === 'unknown'))
}

/** Keeping for a proceeding goes on under a legal hold; every use stops. */
const HELD_STAGES: ReadonlySet<Stage> = new Set(['profile', 'decide', 'activate', 'share', 'transfer', 'export'])

export function evaluate(question: Question): Decision {
  const { purpose, status, stage, destination, policyHash = '' } = question
  const denials: Reason[] = []
  const sharing = stage === 'share' || stage === 'transfer'

  if (question.suppressed) denials.push(SUPPRESSED)
  if (question.legalHold && HELD_STAGES.has(stage)) denials.push(LEGAL_HOLD)
  if (!stageDeclared(purpose, stage)) denials.push(UNDECLARED_STAGE)
  if (sharing && !destination?.purposes.has(purpose.id)) denials.push(UNDECLARED_DESTINATION)
  if (purpose.sensitive && purpose.sensitiveGround === undefined) denials.push(SENSITIVE)
  if (purpose.ads && isMinor(question.age, question.childAudience ?? false)) denials.push(MINOR)
  if (
    question.age === 'child' &&
    purpose.basis === 'consent' &&
    (status === 'granted' || status === 'stale') &&
    !question.guardian
  )
    denials.push(NO_GUARDIAN)
  const objects = question.objected || refused(question.shareStatus)
  if (
    (question.objected && (purpose.ads || purpose.shares !== undefined)) ||
    (objects && stage === 'share' && destination?.role === 'controller')
  )
    denials.push(OBJECTED)
  if (status === 'stale' && purpose.basis === 'consent' && question.purposeChanged) denials.push(PURPOSE_CHANGED)
  if (purpose.harmful && stage === 'decide' && purpose.basis === 'legitimate_interest') denials.push(HARMFUL)

  const row = lookUp(purpose.basis, status, purpose.written)
  const cell = row?.cells[columnOf(stage, destination)] ?? 'deny'
  const why = row?.reasons ?? NO_POLICY
  if (cell === 'deny') denials.push(...why)
  else {
    const denial = cellDenial(cell, question)
    if (denial) denials.push(denial)
  }

  if (denials.length > 0) return { allow: false, effect: 'deny', reasons: unique(denials), policyHash }
  if (cell === 'hold') return { allow: false, effect: 'hold', reasons: why, policyHash }
  const only = cell === 'store' ? { only: 'store' as const } : undefined
  const redact = purpose.sensitiveGround === undefined ? question.sensitiveFields : undefined
  if (redact && redact.length > 0)
    return { allow: true, effect: 'redact', reasons: [...why, SENSITIVE], redact, ...only, policyHash }
  return { allow: true, effect: 'allow', reasons: why, ...only, policyHash }
}

function cellDenial(cell: Cell, { purpose, stage, destination, shareStatus }: Question): Reason | undefined {
  switch (cell) {
    case 'needed':
      return purpose.promotional ? NOT_NEEDED : undefined
    case 'specific':
      return shareStatus === 'granted' ? undefined : NO_SHARE_CONSENT
    case 'named':
      return destination && purpose.recipients.has(destination.id) ? undefined : NOT_NAMED
    case 'authority':
      return destination?.recipient === 'authority' ? undefined : NOT_AUTHORITY
    case 'counsel':
      return destination?.recipient === 'counsel' ? undefined : NOT_COUNSEL
    case 'declared':
    case 'declaredGround':
      if (!purpose.stages.has(stage === 'profile' ? 'collect' : stage)) return UNDECLARED_STAGE
      if (purpose.ads) return NEVER_ADS
      return cell === 'declaredGround' && destination ? transferDenial(destination) : undefined
    case 'ground':
      return destination && transferDenial(destination)
    default:
      // groundOr33IX: art. 33 IX covers the place whatever it is; contract, legal obligation and claims need no other.
      return undefined
  }
}

function refused(status: Status | undefined): boolean {
  return status === 'denied' || status === 'revoked' || status === 'conflict'
}

function columnOf(stage: Stage, destination: SharingTarget | undefined): Column {
  if (stage !== 'share') return stage
  return destination?.role === 'operator' ? 'shareOperator' : 'shareController'
}

function transferDenial(destination: SharingTarget): Reason | undefined {
  if (destination.country === POLICY.home || destination.transfer) return undefined
  if (destination.country === undefined) return NO_COUNTRY
  return POLICY.adequate.includes(destination.country) ? undefined : NO_TRANSFER_GROUND
}

function unique(reasons: readonly Reason[]): readonly Reason[] {
  return reasons.filter((reason, index) => reasons.findIndex((other) => other.code === reason.code) === index)
}
