/**
 * The gates of the pipeline: collect, decide, permit. A refusal is a value with a code. Unknown is
 * denied. Only this file can make a Permit.
 */
import type { Stage, Status } from '../schemas/consent.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { ExitCode } from '../schemas/exits.ts'
import { type Fence, fenceBlocks } from './fence.ts'
import { cellOf, type Decision, evaluate, isMinor, type PersonFacts, type Reason } from './policy.ts'
import type { Purpose, Purposes } from './purposes.ts'
import { type StatusOf, standing } from './signals.ts'
import { iso, type PurposeStatus } from './status.ts'

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
      readonly unanswered: readonly Unanswered[]
    }
  | { readonly effect: 'hold'; readonly unanswered: readonly Unanswered[] }
  | {
      readonly effect: 'drop'
      readonly code: 'NO_PURPOSE' | 'CONSENT_DENIED' | 'SUBJECT_SUPPRESSED'
      readonly unanswered: readonly Unanswered[]
    }

/** A purpose that wanted the event and has no answer that counts: what unknown consent costs. */
export interface Unanswered {
  readonly purpose: Purpose
  /** invalid: there was an answer, and its evidence is worthless (art. 8 §3). */
  readonly status: 'unknown' | 'invalid'
}

const ANSWERED: readonly Unanswered[] = []

/**
 * @param statusOf status of the event's person, or of its device for device-scoped purposes.
 * @param now ISO 8601 UTC.
 */
export function collect(
  event: Pick<CanonicalEvent, 'type' | 'name'>,
  statusOf: StatusOf,
  purposes: Purposes,
  now: string,
  facts: PersonFacts = {},
): Collected {
  if (facts.suppressed) return { effect: 'drop', code: 'SUBJECT_SUPPRESSED', unanswered: ANSWERED }
  const wanting = purposes.wanting(event)
  const list = wanting.purposes
  if (list.length === 0) return { effect: 'drop', code: 'NO_PURPOSE', unanswered: ANSWERED }
  const minor = isMinor(facts.age, purposes.childAudience)
  let mask = 0
  let hold = false
  let entries: Record<string, string> | undefined
  let unanswered: Unanswered[] | undefined
  let many: Purpose[] | undefined
  const at = iso(now)
  for (let index = 0; index < list.length; index++) {
    const purpose = list[index]!
    const current = statusOf(purpose)
    const { status, purposeChanged } = standing(purpose, current, at)
    if ((status === 'unknown' || status === 'invalid') && purpose.basis === 'consent') {
      unanswered ??= []
      unanswered.push({ purpose, status })
    }
    const cell = cellOf(purpose.basis, status, 'collect', purpose.written)
    if (cell === 'deny') continue
    // The overlays of evaluate, asked only where one can bite: this runs for every purpose of every event.
    if (
      facts.objected ||
      (minor && (purpose.ads || facts.age === 'child')) ||
      purposeChanged ||
      purpose.sensitive ||
      (cell === 'declared' && purpose.ads)
    ) {
      const answer = evaluate(
        questionOf(purpose, current, at, facts, purposes, { status, purposeChanged, stage: 'collect' }),
      )
      if (answer.effect === 'deny') continue
    }
    if (cell === 'hold') {
      hold = true
      continue
    }
    // Bits above 30 would collide; so many purposes on one event are counted without the memory of sets.
    mask = list.length <= 30 ? mask | (1 << index) : -1
    entries ??= {}
    if (current) entries[purpose.id] = current.entryId
    if (mask !== -1) continue
    many ??= []
    many.push(purpose)
  }
  const left = unanswered ?? ANSWERED
  if (!entries)
    return hold ? { effect: 'hold', unanswered: left } : { effect: 'drop', code: 'CONSENT_DENIED', unanswered: left }
  return { effect: 'keep', allowed: many ?? allowedSet(wanting, mask), entries, unanswered: left }
}

function allowedSet({ purposes, allowedSets }: ReturnType<Purposes['wanting']>, mask: number): readonly Purpose[] {
  let allowed = allowedSets.get(mask)
  if (!allowed) {
    allowed = Object.freeze(purposes.filter((_, index) => mask & (1 << index)))
    allowedSets.set(mask, allowed)
  }
  return allowed
}

/** The question a gate asks about one purpose of one person. */
export function questionOf(
  purpose: Purpose,
  current: PurposeStatus | undefined,
  at: string,
  facts: PersonFacts,
  purposes: Purposes,
  known: { readonly stage: Stage; readonly status?: Status; readonly purposeChanged?: boolean },
) {
  const { status, purposeChanged } =
    known.status === undefined
      ? standing(purpose, current, at)
      : { status: known.status, purposeChanged: known.purposeChanged ?? false }
  return {
    ...facts,
    purpose,
    status,
    stage: known.stage,
    purposeChanged,
    guardian: current?.actor === 'guardian',
    childAudience: purposes.childAudience,
    policyHash: purposes.policyHash,
  }
}

// ---------------------------------------------------------------- decide

export interface Granted {
  readonly granted: true
  readonly purpose: string
  /** Absent where the basis needs no entry (legitimate interest without opposition). */
  readonly entryId?: string
  readonly reasons: readonly Reason[]
}

/** May a rule act for this purpose at all? Asked again, harder, by `permit`. */
export function decide(
  purpose: Purpose,
  statusOf: StatusOf,
  purposes: Purposes,
  now: string,
  facts: PersonFacts = {},
): Granted | Halt {
  const current = statusOf(purpose)
  const answer = evaluate(questionOf(purpose, current, iso(now), facts, purposes, { stage: 'decide' }))
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

export interface PermitRequest extends PersonFacts {
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
  const { purpose, statusOf, purposes, fences, suppressed, objected, legalHold, age } = request
  const destination = purposes.destinations.get(request.destinationId)
  if (!purpose || !destination) return halt('UNDECLARED', NOT_DECLARED)
  const share = destination.sharePurpose
  if (fenceBlocks(fences, purpose.id) || (share && fenceBlocks(fences, share.id)))
    return halt('BLOCKED_BY_FENCE', FENCED, statusOf(purpose)?.entryId)

  const at = iso(request.now)
  const current = statusOf(purpose)
  const shareCurrent = share && statusOf(share)
  const facts: PersonFacts = { suppressed, objected, legalHold, age }
  const ask = (stage: Stage) =>
    evaluate({
      ...questionOf(purpose, current, at, facts, purposes, { stage }),
      ...(share && { shareStatus: shareStatusOf(share, shareCurrent, at, age) }),
      destination,
    })
  const activate = ask('activate')
  const shared = ask('share')
  const transferred = ask('transfer')
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

/** Statuses of a purpose that was taken back, or ended: there is something to tell the tools. */
const WITHDRAWN: ReadonlySet<Status> = new Set(['denied', 'revoked', 'expired', 'conflict'])
const PASSED_ON: readonly Reason[] = [{ code: 'withdrawal_passed_on', art: '18 §6' }]
const GRANTED_AGAIN: readonly Reason[] = [{ code: 'granted_again', art: '8 §5' }]

/**
 * Telling a destination that a purpose was withdrawn. That it may be told rests on art. 18 §6 and 7 II,
 * not on the consent that is gone; it stops only when the person has agreed again meanwhile.
 */
export function permitWithdrawal(request: Omit<PermitRequest, 'fences'>): Permit | Halt {
  const { purpose, statusOf, purposes } = request
  const destination = purposes.destinations.get(request.destinationId)
  // Consent to share with this controller was asked for by the destination itself, not declared among its purposes.
  const declared = purpose && (destination?.purposes.has(purpose.id) || destination?.sharePurpose?.id === purpose.id)
  if (!declared || !destination) return halt('UNDECLARED', NOT_DECLARED)
  const at = iso(request.now)
  const current = statusOf(purpose)
  if (!WITHDRAWN.has(standing(purpose, current, at).status))
    return halt('GRANTED_AGAIN', GRANTED_AGAIN, current?.entryId)
  return {
    [permitted]: true,
    purpose: purpose.id,
    destination: destination.id,
    ...(current && { entryId: current.entryId }),
    reasons: PASSED_ON,
    policyHash: purposes.policyHash,
    asOf: at,
  }
}

const LEFT: readonly Reason[] = [{ code: 'left_audience', art: '6 III' }]

/**
 * Taking a person out of a list they were put on: the tool has less afterwards, so no consent is asked; whoever
 * withdrew is taken out too. That it is told at all rests on art. 6 III: no more than the purpose needs.
 */
export function permitRemoval(request: Omit<PermitRequest, 'fences'>): Permit | Halt {
  const { purpose, purposes } = request
  const destination = purposes.destinations.get(request.destinationId)
  if (!purpose || !destination) return halt('UNDECLARED', NOT_DECLARED)
  const current = request.statusOf(purpose)
  return {
    [permitted]: true,
    purpose: purpose.id,
    destination: destination.id,
    ...(current && { entryId: current.entryId }),
    reasons: LEFT,
    policyHash: purposes.policyHash,
    asOf: iso(request.now),
  }
}

/** Art. 7 §5 asks for consent, whatever basis somebody configured for this purpose; a child's comes from the guardian. */
function shareStatusOf(
  share: Purpose,
  current: PurposeStatus | undefined,
  at: string,
  age: PersonFacts['age'],
): Status {
  if (share.basis !== 'consent') return 'unknown'
  const { status } = standing(share, current, at)
  return status === 'granted' && age === 'child' && current?.actor !== 'guardian' ? 'invalid' : status
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
