/**
 * The gates of the pipeline: collect, decide, permit. A refusal is a value with a code. Unknown is
 * denied. Only this file can make a Permit.
 */
import type { Status } from '../schemas/consent.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { ExitCode } from '../schemas/exits.ts'
import { type Fence, fenceBlocks } from './fence.ts'
import { POLICY } from './policy/lgpd.ts'
import { cellOf, type Decision, evaluate, type Reason } from './policy.ts'
import type { Purpose, Purposes } from './purposes.ts'
import { type StatusOf, standingStatus } from './signals.ts'
import { iso } from './status.ts'

export type { StatusOf } from './signals.ts'

export interface Halt {
  readonly code: ExitCode
  readonly reasons: readonly Reason[]
  /** The ledger entry the refusal rests on, when there is one. */
  readonly entryId?: string
}

// ---------------------------------------------------------------- collect

export type Collected =
  | {
      readonly effect: 'keep'
      /** The same array for the same set of purposes and kind of event: keepFields remembers by it. */
      readonly allowed: readonly Purpose[]
      /** Purpose -> ledger entry that allows it. Legitimate interest needs none. */
      readonly entries: Readonly<Record<string, string>>
    }
  | { readonly effect: 'hold' }
  | { readonly effect: 'drop'; readonly code: 'NO_PURPOSE' | 'CONSENT_DENIED' | 'SUBJECT_SUPPRESSED' }

const HOLD: Collected = { effect: 'hold' }
const NO_PURPOSE: Collected = { effect: 'drop', code: 'NO_PURPOSE' }
const DENIED: Collected = { effect: 'drop', code: 'CONSENT_DENIED' }
const SUPPRESSED: Collected = { effect: 'drop', code: 'SUBJECT_SUPPRESSED' }

/**
 * @param statusOf status of the event's person, or of its device for device-scoped purposes.
 * @param now ISO 8601 UTC.
 */
export function collect(
  event: Pick<CanonicalEvent, 'type' | 'name'>,
  statusOf: StatusOf,
  purposes: Purposes,
  now: string,
  suppressed = false,
): Collected {
  if (suppressed) return SUPPRESSED
  const wanting = purposes.wanting(event)
  const list = wanting.purposes
  if (list.length === 0) return NO_PURPOSE
  let mask = 0
  let hold = false
  let entries: Record<string, string> | undefined
  const at = iso(now)
  for (let index = 0; index < list.length; index++) {
    const purpose = list[index]!
    const current = statusOf(purpose)
    const cell = cellOf(purpose.basis, standingStatus(purpose, current, at), 'collect', purpose.lia)
    if (purpose.sensitive && POLICY.noSensitive.includes(purpose.basis)) continue
    if (cell === 'hold') hold = true
    // `declared` asks for the stage, which every wanting purpose lists.
    if (cell !== 'allow' && cell !== 'declared') continue
    // Bits above 30 would collide; so many purposes on one event are counted without the memory of sets.
    mask = list.length <= 30 ? mask | (1 << index) : -1
    entries ??= {}
    if (current) entries[purpose.id] = current.entryId
  }
  if (!entries) return hold ? HOLD : DENIED
  return { effect: 'keep', allowed: allowedSet(wanting, mask, statusOf, at), entries }
}

function allowedSet(
  { purposes, allowedSets }: ReturnType<Purposes['wanting']>,
  mask: number,
  statusOf: StatusOf,
  at: string,
): readonly Purpose[] {
  if (mask === -1) {
    return purposes.filter(
      (purpose) =>
        evaluate({ purpose, status: standingStatus(purpose, statusOf(purpose), at), stage: 'collect' }).allow,
    )
  }
  let allowed = allowedSets.get(mask)
  if (!allowed) {
    allowed = Object.freeze(purposes.filter((_, index) => mask & (1 << index)))
    allowedSets.set(mask, allowed)
  }
  return allowed
}

// ---------------------------------------------------------------- decide

export interface Granted {
  readonly granted: true
  readonly purpose: string
  /** Absent where the basis needs no entry (legitimate interest without opposition). */
  readonly entryId?: string
  readonly reasons: readonly Reason[]
}

export interface GateFacts {
  readonly suppressed?: boolean
  readonly objected?: boolean
}

/** May a rule act for this purpose at all? Asked again, harder, by `permit`. */
export function decide(purpose: Purpose, statusOf: StatusOf, now: string, facts: GateFacts = {}): Granted | Halt {
  const current = statusOf(purpose)
  const answer = evaluate({ ...facts, purpose, status: standingStatus(purpose, current, iso(now)), stage: 'decide' })
  if (!answer.allow)
    return halt(facts.suppressed ? 'SUBJECT_SUPPRESSED' : 'NO_CONSENT', answer.reasons, current?.entryId)
  return { granted: true, purpose: purpose.id, reasons: answer.reasons, ...(current && { entryId: current.entryId }) }
}

// ---------------------------------------------------------------- permit

const permitted: unique symbol = Symbol('permit')

/** What `map` and `send` demand. It cannot be made by hand. */
export interface Permit {
  readonly [permitted]: true
  readonly purpose: string
  readonly destination: string
  readonly entryId?: string
  /** Entry of `share.<destination>`, for controllers. */
  readonly shareEntryId?: string
  readonly reasons: readonly Reason[]
  readonly policyHash: string
  /** ISO 8601: when it was asked. */
  readonly asOf: string
}

export interface PermitRequest extends GateFacts {
  /** The configured purpose: `purposes.resolve(destination, action.purpose)`. Undefined: undeclared. */
  readonly purpose: Purpose | undefined
  readonly destinationId: string
  readonly statusOf: StatusOf
  readonly purposes: Purposes
  /** Every fence standing on one of the person's identifiers. */
  readonly fences: readonly Fence[]
  /** ISO 8601 UTC. */
  readonly now: string
}

const NOT_DECLARED: readonly Reason[] = [{ code: 'undeclared_destination', art: '6 I' }]
const FENCED: readonly Reason[] = [{ code: 'withdrawal_pending', art: '8 §5' }]

/** Activate + share + transfer, asked at delivery and again at the last look. Fences first, status second. */
export function permit(request: PermitRequest): Permit | Halt {
  const { purpose, statusOf, purposes, fences, suppressed, objected } = request
  const destination = purposes.destinations.get(request.destinationId)
  if (!purpose || !destination) return halt('UNDECLARED', NOT_DECLARED)
  const share = destination.sharePurpose
  if (fenceBlocks(fences, purpose.id) || (share && fenceBlocks(fences, share.id)))
    return halt('BLOCKED_BY_FENCE', FENCED, statusOf(purpose)?.entryId)

  const at = iso(request.now)
  const current = statusOf(purpose)
  const shareCurrent = share && statusOf(share)
  const question = {
    purpose,
    status: standingStatus(purpose, current, at),
    ...(share && { shareStatus: shareStatusOf(share, shareCurrent, at) }),
    destination,
    ...(suppressed !== undefined && { suppressed }),
    ...(objected !== undefined && { objected }),
    policyHash: purposes.policyHash,
  }
  const activate = evaluate({ ...question, stage: 'activate' })
  const shared = evaluate({ ...question, stage: 'share' })
  const transferred = evaluate({ ...question, stage: 'transfer' })
  if (!activate.allow || !shared.allow || !transferred.allow) {
    const reasons = allReasons(activate, shared, transferred)
    if (suppressed) return halt('SUBJECT_SUPPRESSED', reasons, current?.entryId)
    if (!destination.purposes.has(purpose.id)) return halt('UNDECLARED', NOT_DECLARED, current?.entryId)
    if (!activate.allow) return halt('BLOCKED_BY_CONSENT', reasons, current?.entryId)
    if (!shared.allow) return halt('BLOCKED_BY_SHARING', reasons, (shareCurrent ?? current)?.entryId)
    return halt('BLOCKED_BY_TRANSFER', reasons, current?.entryId)
  }
  return {
    [permitted]: true,
    purpose: purpose.id,
    destination: destination.id,
    ...(current && { entryId: current.entryId }),
    ...(shareCurrent && { shareEntryId: shareCurrent.entryId }),
    reasons: activate.reasons,
    policyHash: purposes.policyHash,
    asOf: at,
  }
}

function shareStatusOf(share: Purpose, current: ReturnType<StatusOf>, at: string): Status {
  // Art. 7 §5 asks for consent, whatever basis somebody configured for this purpose.
  return share.basis === 'consent' ? standingStatus(share, current, at) : 'unknown'
}

function allReasons(...decisions: readonly Decision[]): readonly Reason[] {
  const reasons: Reason[] = []
  for (const decision of decisions) {
    if (decision.allow) continue
    for (const reason of decision.reasons) if (!reasons.some(({ code }) => code === reason.code)) reasons.push(reason)
  }
  return reasons
}

function halt(code: ExitCode, reasons: readonly Reason[], entryId?: string): Halt {
  return { code, reasons, ...(entryId !== undefined && { entryId }) }
}

export function isHalt(answer: Granted | Permit | Halt): answer is Halt {
  return 'code' in answer
}
