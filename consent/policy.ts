/**
 * One question of law: may this purpose, with this status, do this stage? The table is policy/lgpd.ts;
 * this file reads it and lays over it what applies to every row. Deny overrides.
 */
import { BASES, type Basis, STATUSES, type Stage, type Status } from '../schemas/consent.ts'
import { type Cell, COLUMNS, type Column, POLICY, type PolicyRow } from './policy/lgpd.ts'
import type { Purpose, SharingTarget } from './purposes.ts'

export interface Reason {
  /** Stable word, e.g. consent_unknown. */
  readonly code: string
  /** Article of the LGPD, e.g. "7 §5". */
  readonly art: string
}

export interface Question {
  readonly purpose: Purpose
  readonly status: Status
  readonly stage: Stage
  /** Approved balancing test; what the purpose says when absent. */
  readonly lia?: boolean
  /** Needed for share and transfer. */
  readonly destination?: SharingTarget
  /** Status of `share.<destination>`, for destinations that are controllers. */
  readonly shareStatus?: Status
  /** The person asked to be forgotten. */
  readonly suppressed?: boolean
  /** The browser says so now (Sec-GPC), whatever the status is. */
  readonly objected?: boolean
  readonly policyHash?: string
}

export interface Decision {
  readonly allow: boolean
  readonly effect: 'allow' | 'hold' | 'deny'
  /** Every reason; the first one is the headline. */
  readonly reasons: readonly Reason[]
  readonly policyHash: string
}

interface Resolved {
  readonly cells: Readonly<Record<Column, Cell>>
  readonly reasons: readonly Reason[]
}

const NO_POLICY: readonly Reason[] = [{ code: 'no_policy', art: '6 I' }]

// [lia][basis][status], resolved once: gates ask this for every event.
const resolved: Readonly<Record<'lia' | 'none', Readonly<Record<Basis, Readonly<Record<Status, Resolved>>>>>> = {
  lia: resolveAll(true),
  none: resolveAll(false),
}

function resolveAll(lia: boolean): Record<Basis, Record<Status, Resolved>> {
  const byBasis = {} as Record<Basis, Record<Status, Resolved>>
  for (const basis of BASES) {
    byBasis[basis] = {} as Record<Status, Resolved>
    for (const status of STATUSES) byBasis[basis][status] = resolveRow(rowFor(basis, status, lia))
  }
  return byBasis
}

function rowFor(basis: Basis, status: Status, lia: boolean): PolicyRow | undefined {
  return POLICY.rows.find((row) => row.bases.includes(basis) && row.statuses.includes(status) && (!row.lia || lia))
}

function resolveRow(row: PolicyRow | undefined): Resolved {
  const cells = Object.fromEntries(COLUMNS.map((column, index) => [column, row?.cells[index] ?? 'deny'])) as Record<
    Column,
    Cell
  >
  return { cells, reasons: row ? [row.reason] : NO_POLICY }
}

/** The cell of the table, before overlays. */
export function cellOf(basis: Basis, status: Status, column: Column, lia: boolean): Cell {
  return lookUp(basis, status, lia)?.cells[column] ?? 'deny'
}

export function rowReasons(basis: Basis, status: Status, lia: boolean): readonly Reason[] {
  return lookUp(basis, status, lia)?.reasons ?? NO_POLICY
}

/** Undefined for a word that a newer version stored: denied like everything nobody declared. */
function lookUp(basis: Basis, status: Status, lia: boolean): Resolved | undefined {
  return resolved[lia ? 'lia' : 'none'][basis]?.[status]
}

const SUPPRESSED: Reason = { code: 'suppressed', art: '18 VI' }
const UNDECLARED_STAGE: Reason = { code: 'undeclared_stage', art: '6 I' }
const UNDECLARED_DESTINATION: Reason = { code: 'undeclared_destination', art: '6 I' }
const SENSITIVE: Reason = { code: 'sensitive', art: '11' }
const OBJECTED: Reason = { code: 'objected', art: '18 §2' }
const NO_SHARE_CONSENT: Reason = { code: 'sharing_not_consented', art: '7 §5' }
const NO_COUNTRY: Reason = { code: 'country_undeclared', art: '33' }
const NO_TRANSFER_GROUND: Reason = { code: 'no_transfer_ground', art: '33' }

/** Profile goes with collect; share and transfer are declared by the destination, not by the purpose. */
function stageDeclared(purpose: Purpose, stage: Stage): boolean {
  if (stage === 'share' || stage === 'transfer') return true
  return purpose.stages.has(stage === 'profile' ? 'collect' : stage)
}

export function evaluate(question: Question): Decision {
  const { purpose, status, stage, destination, policyHash = '' } = question
  const lia = question.lia ?? purpose.lia
  const denials: Reason[] = []

  if (question.suppressed) denials.push(SUPPRESSED)
  if (!stageDeclared(purpose, stage)) denials.push(UNDECLARED_STAGE)
  if ((stage === 'share' || stage === 'transfer') && !destination?.purposes.has(purpose.id))
    denials.push(UNDECLARED_DESTINATION)
  if (purpose.sensitive && POLICY.noSensitive.includes(purpose.basis)) denials.push(SENSITIVE)
  if (
    question.objected &&
    (purpose.ads || purpose.shares !== undefined || (stage === 'share' && destination?.role === 'controller'))
  )
    denials.push(OBJECTED)

  const column = columnOf(stage, destination)
  const cell = cellOf(purpose.basis, status, column, lia)
  const why = rowReasons(purpose.basis, status, lia)
  let hold = false
  switch (cell) {
    case 'allow':
      break
    case 'hold':
      hold = true
      break
    case 'deny':
      denials.push(...why)
      break
    case 'declared':
      if (!purpose.stages.has(stage)) denials.push(UNDECLARED_STAGE)
      break
    case 'specific':
      if (question.shareStatus !== 'granted') denials.push(NO_SHARE_CONSENT)
      break
    case 'ground':
    case 'groundOr33IX': {
      const denial = destination ? transferDenial(destination, cell) : undefined
      if (denial) denials.push(denial)
      break
    }
  }
  if (denials.length > 0) return { allow: false, effect: 'deny', reasons: unique(denials), policyHash }
  return { allow: !hold, effect: hold ? 'hold' : 'allow', reasons: why, policyHash }
}

function columnOf(stage: Stage, destination: SharingTarget | undefined): Column {
  if (stage !== 'share') return stage
  return destination?.role === 'operator' ? 'shareOperator' : 'shareController'
}

function transferDenial(destination: SharingTarget, cell: 'ground' | 'groundOr33IX'): Reason | undefined {
  if (destination.country === POLICY.home) return undefined
  // Art. 33 IX covers the place whatever it is: contract, legal obligation and claims need no other ground.
  if (cell === 'groundOr33IX' || destination.transfer) return undefined
  if (destination.country === undefined) return NO_COUNTRY
  return POLICY.adequate.includes(destination.country) ? undefined : NO_TRANSFER_GROUND
}

function unique(reasons: readonly Reason[]): readonly Reason[] {
  return reasons.filter((reason, index) => reasons.findIndex((other) => other.code === reason.code) === index)
}
