/**
 * The status of one purpose for one person or device, as a pure fold over consent signals. Nothing
 * overwrites: each change is a ledger entry, and folding the entries again gives the same status.
 */
import { DateTime, Duration } from 'luxon'
import type { Basis, ConsentSignal, EvidenceFlag, Notice, Status } from '../schemas/consent.ts'

export type Actor = ConsentSignal['actor']

/** JSON-safe: stores keep it as is. Times are ISO 8601 UTC with milliseconds and compare as text. */
export interface PurposeStatus {
  readonly status: Status
  readonly basis: Basis
  /** ULID of the ledger entry this rests on. */
  readonly entryId: string
  readonly actor: Actor
  readonly evidenceClass: 'valid' | 'invalid'
  readonly notice?: { readonly id: string; readonly version: number }
  /** When the person acted, never later than `receivedAt`. */
  readonly occurredAt: string
  readonly receivedAt: string
  readonly originKind: string
  readonly originRef: string
  /** How often the same answer came. Counted outside the ledger, as the next two. */
  readonly seen: number
  /** Newest occurrence of the same answer, and whose clock said so. */
  readonly lastSeenAt: string
  readonly lastSeenOrigin: string
  /** Contract only. */
  readonly expiresAt?: string
  /** ISO 8601 duration by which a new opening prolongs a contract. */
  readonly ends?: string
  /** The identity of who answered was verified. */
  readonly verified?: true
  /** Newest worthless evidence that was recorded beside this status and changed nothing. */
  readonly setAside?: {
    readonly key: string
    readonly entryId: string
    readonly seen: number
    readonly lastSeenAt: string
  }
}

/** What a ledger entry is built from (ledger/entry.ts). Holds personal data in `evidence.raw`. */
export interface LedgerEntryDraft {
  readonly id: string
  /** record: evidence that was kept and changed nothing. */
  readonly effect: 'status' | 'record'
  readonly purpose: string
  readonly scope: ConsentSignal['scope']
  /**
   * No acts of anybody: `conflict`, two people that turned out to be one had answered differently; `separate`, they were
   * taken apart again, and this is what the answers of one of them add up to.
   */
  readonly action: ConsentSignal['action'] | 'conflict' | 'separate'
  /** Status after this entry; `invalid` for a record. */
  readonly status: Status
  readonly basis: Basis
  readonly actor: Actor
  readonly evidenceClass: 'valid' | 'invalid'
  readonly evidence: ConsentSignal['evidence']
  readonly notice?: Notice
  readonly origin: ConsentSignal['origin']
  readonly occurredAt: string
  readonly receivedAt: string
  readonly expiresAt?: string
  readonly ends?: string
  readonly verified?: true
}

export interface SignalContext {
  /** ISO 8601. */
  readonly receivedAt: string
  /** Makes the ULID of a new entry; called at most once. */
  readonly newId: () => string
  /** The purpose's `ends`: how long an opened contract lasts. */
  readonly ends?: string | undefined
  /** The identity of who acted was verified (a session, a signed link, an authenticated source). */
  readonly verified?: boolean | undefined
}

export interface Applied {
  readonly next: PurposeStatus
  /** Present when the ledger must remember this. */
  readonly entry?: LedgerEntryDraft
}

/** Two clocks that disagree by less than this cannot order two acts (our own rule: an anonymous yes never overrides a verified no). */
const CLOCK_SLACK_MS = 5 * 60_000

/** Statuses that a permission must overcome, weakest first. */
const REFUSALS: readonly Status[] = ['expired', 'denied', 'revoked', 'conflict']

const RESTRICTIVE: ReadonlySet<ConsentSignal['action']> = new Set(['deny', 'revoke', 'object', 'end'])
export function isRestrictive(action: ConsentSignal['action']): boolean {
  return RESTRICTIVE.has(action)
}

/**
 * Refusing needs no form (art. 8 §5), so the defects of art. 8 §3 and §4 only make permissions
 * worthless; but a default that nobody answered is nobody's refusal either.
 */
export function evidenceClassOf(signal: Pick<ConsentSignal, 'action' | 'basis' | 'evidence'>): 'valid' | 'invalid' {
  const { flags } = signal.evidence
  if (flags.length === 0) return 'valid'
  const worthless: (flag: EvidenceFlag) => boolean = isRestrictive(signal.action)
    ? (flag) => flag === 'preticked'
    : () => true
  return signal.basis === 'consent' || flags.includes('preticked')
    ? flags.some(worthless)
      ? 'invalid'
      : 'valid'
    : 'valid'
}

/** Status as it stands at a moment: a contract that lapsed is expired. */
export function statusAt(current: PurposeStatus | undefined, now: string): Status {
  if (!current) return 'unknown'
  if (
    current.expiresAt !== undefined &&
    current.expiresAt <= now &&
    (current.status === 'granted' || current.status === 'stale')
  )
    return 'expired'
  return current.status
}

export function applySignal(
  current: PurposeStatus | undefined,
  signal: ConsentSignal,
  context: SignalContext,
): Applied {
  const receivedAt = iso(context.receivedAt)
  const claimed = iso(signal.occurredAt)
  const at = earlier(claimed, receivedAt)
  const act: Act = { signal, at, receivedAt, evidenceClass: evidenceClassOf(signal), context }

  if (act.evidenceClass === 'invalid') return withoutForce(current, act)
  if (!current || current.status === 'unknown' || current.status === 'invalid')
    return change(current, act, firstStatus(signal))
  return isRestrictive(signal.action) ? restrict(current, act) : permit(current, act)
}

interface Act {
  readonly signal: ConsentSignal
  /** When it counts as done: never after its receipt. */
  readonly at: string
  readonly receivedAt: string
  readonly evidenceClass: 'valid' | 'invalid'
  readonly context: SignalContext
}

function firstStatus({ action }: ConsentSignal): Status {
  if (action === 'revoke') return 'revoked'
  if (action === 'end') return 'expired'
  return action === 'grant' || action === 'open' ? 'granted' : 'denied'
}

/** Worthless evidence is a record. It becomes the status only where nobody ever answered. */
function withoutForce(current: PurposeStatus | undefined, act: Act): Applied {
  const { signal, at } = act
  if (!current || current.status === 'unknown') return change(current, act, 'invalid')
  if (current.status === 'invalid')
    return differs(current, signal) && at > current.occurredAt ? change(current, act, 'invalid') : repeat(current, act)
  const key = `${signal.action}|${signal.basis}|${signal.actor}|${signal.origin.kind}|${signal.notice ? `${signal.notice.id}:${signal.notice.version}` : ''}`
  const aside = current.setAside
  if (aside?.key === key) {
    const lastSeenAt = later(at, aside.lastSeenAt)
    return { next: { ...current, setAside: { ...aside, seen: aside.seen + 1, lastSeenAt } } }
  }
  const entry = draft(act, 'record', 'invalid', undefined)
  return { next: { ...current, setAside: { key, entryId: entry.id, seen: 1, lastSeenAt: at } }, entry }
}

function permit(current: PurposeStatus, act: Act): Applied {
  const { signal, at, context } = act
  if (current.status === 'granted' || current.status === 'stale') {
    if (statusAt(current, at) === 'expired') return change(current, act, 'granted')
    // A stale answer is renewed by an answer to another notice, not by the same one again.
    if (current.status === 'stale' && !newNotice(current, signal)) return repeat(current, act)
    return at > current.occurredAt && (current.status === 'stale' || differs(current, signal))
      ? change(current, act, 'granted')
      : repeat(current, act)
  }
  // What is a conflict, or was refused by somebody known, is opened again by somebody known only (our own rule: an anonymous yes never overrides a verified no).
  if ((current.status === 'conflict' || refusedByVerified(current)) && context.verified !== true)
    return { next: current }
  const origin = clockOf(signal)
  // The refusal may have been repeated since; a permission must be newer than its newest repetition.
  const newer =
    isAfter(at, origin, current.occurredAt, `${current.originKind}/${current.originRef}`) &&
    isAfter(at, origin, current.lastSeenAt, current.lastSeenOrigin)
  return newer ? change(current, act, 'granted') : { next: current }
}

function refusedByVerified({ status, verified }: PurposeStatus): boolean {
  return verified === true && (status === 'denied' || status === 'revoked')
}

function restrict(current: PurposeStatus, act: Act): Applied {
  const { signal, at } = act
  if (current.status === 'granted' || current.status === 'stale') {
    // Repetitions of a permission are left out on purpose: a refusal that comes late still wins over them.
    const before = isAfter(current.occurredAt, `${current.originKind}/${current.originRef}`, at, clockOf(signal), false)
    return before ? { next: current } : change(current, act, signal.action === 'end' ? 'expired' : 'revoked')
  }
  const status = harder(current.status, firstStatus(signal))
  return at >= current.occurredAt && (status !== current.status || differs(current, signal))
    ? change(current, act, status)
    : repeat(current, act)
}

/** From one refusal to another: a revocation stays one, and an ended contract does not undo an objection. */
function harder(current: Status, next: Status): Status {
  if (current === 'revoked') return 'revoked'
  if (next === 'expired' && current === 'denied') return 'denied'
  return next
}

/** @param tie what equal times of one clock mean. */
function isAfter(at: string, clock: string, other: string, otherClock: string, tie = true): boolean {
  if (clock === otherClock) return tie ? at >= other : at > other
  return Date.parse(at) - Date.parse(other) > CLOCK_SLACK_MS
}

function clockOf({ origin }: Pick<ConsentSignal, 'origin'>): string {
  return `${origin.kind}/${origin.ref}`
}

function newNotice(current: PurposeStatus, { notice }: ConsentSignal): boolean {
  return notice !== undefined && (notice.id !== current.notice?.id || notice.version !== current.notice.version)
}

function differs(current: PurposeStatus, signal: ConsentSignal): boolean {
  return signal.basis !== current.basis || newNotice(current, signal) || otherActor(current.actor, signal.actor)
}

/** A browser or the hub saying again what a human being said is no new act. */
function otherActor(current: Actor, next: Actor): boolean {
  if (next === current) return false
  return !(
    (next === 'browser_signal' || next === 'system') &&
    (current === 'subject' || current === 'guardian' || current === 'agent')
  )
}

function repeat(current: PurposeStatus, act: Act): Applied {
  const { signal, at, context } = act
  const newer = at > current.lastSeenAt
  const next: PurposeStatus = {
    ...current,
    seen: current.seen + 1,
    lastSeenAt: newer ? at : current.lastSeenAt,
    lastSeenOrigin: newer ? clockOf(signal) : current.lastSeenOrigin,
  }
  const expiresAt =
    signal.action === 'open' && current.status === 'granted' ? endOf(current, at, context.ends) : undefined
  return { next: expiresAt === undefined ? next : { ...next, expiresAt } }
}

function change(current: PurposeStatus | undefined, act: Act, status: Status): Applied {
  const { signal, at, receivedAt, context } = act
  const expiresAt =
    status === 'expired'
      ? at
      : signal.action === 'open' && status === 'granted'
        ? endOf(current, at, context.ends)
        : undefined
  const entry = draft(act, 'status', status, expiresAt)
  // One refusal after another keeps the newest repetition: a permission must be newer than all of them.
  const repeated =
    current !== undefined &&
    (current.status === status || (REFUSALS.includes(current.status) && REFUSALS.includes(status)))
  const lastSeenAt = repeated && current.lastSeenAt > at ? current.lastSeenAt : at
  const next: PurposeStatus = {
    status,
    basis: signal.basis,
    entryId: entry.id,
    actor: signal.actor,
    evidenceClass: act.evidenceClass,
    ...(signal.notice && { notice: { id: signal.notice.id, version: signal.notice.version } }),
    occurredAt: at,
    receivedAt,
    originKind: signal.origin.kind,
    originRef: signal.origin.ref,
    seen: 1,
    lastSeenAt,
    lastSeenOrigin: lastSeenAt === at ? clockOf(signal) : current!.lastSeenOrigin,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(context.ends !== undefined && { ends: context.ends }),
    ...(context.verified && { verified: true as const }),
  }
  return { next, entry }
}

function draft(
  { signal, at, receivedAt, evidenceClass, context }: Act,
  effect: LedgerEntryDraft['effect'],
  status: Status,
  expiresAt: string | undefined,
): LedgerEntryDraft {
  return {
    id: context.newId(),
    effect,
    purpose: signal.purpose,
    scope: signal.scope,
    action: signal.action,
    status,
    basis: signal.basis,
    actor: signal.actor,
    evidenceClass,
    evidence: signal.evidence,
    ...(signal.notice && { notice: signal.notice }),
    origin: signal.origin,
    occurredAt: at,
    receivedAt,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(context.ends !== undefined && { ends: context.ends }),
    ...(context.verified && { verified: true as const }),
  }
}

/** A later opening prolongs, never shortens. */
function endOf(current: PurposeStatus | undefined, at: string, ends: string | undefined): string | undefined {
  if (ends === undefined) return undefined
  const end = addDuration(at, ends)
  return current?.status === 'granted' && current.expiresAt !== undefined && current.expiresAt > end
    ? current.expiresAt
    : end
}

export function addDuration(at: string, duration: string): string {
  let known = durations.get(duration)
  if (!known) {
    if (durations.size >= MOST_DURATIONS) durations.clear()
    known = Duration.fromISO(duration)
    durations.set(duration, known)
  }
  return DateTime.fromMillis(Date.parse(at), UTC).plus(known).toJSDate().toISOString()
}

/** Those of purposes: few, and asked with every answer. */
const durations = new Map<string, Duration>()
const MOST_DURATIONS = 1000
const UTC = { zone: 'utc' }

function later(a: string, b: string): string {
  if (a < b) return b
  return a
}

function earlier(a: string, b: string): string {
  if (a < b) return a
  return b
}

/** Text that compares in the order of time. The common form is taken as it is. */
export function iso(time: string): string {
  return time.length === 24 && time.endsWith('Z') ? time : new Date(time).toISOString()
}

// ---------------------------------------------------------------- replay

/**
 * The status at a moment from the ledger alone.
 * @param entries of one purpose and node, in the order they were written.
 * @param asOf what the hub had received by then counts.
 * @param seen the counter kept outside the ledger: repeated openings prolong a contract without an entry.
 */
export function deriveStatus(
  entries: Iterable<LedgerEntryDraft>,
  asOf: string,
  seen?: { readonly lastSeenAt: string },
): PurposeStatus | undefined {
  const until = iso(asOf)
  let current: PurposeStatus | undefined
  for (const entry of entries) {
    if (entry.receivedAt > until) continue
    if (isNoted(entry)) {
      current = conflictStatus(entry)
      continue
    }
    current = applySignal(current, signalOf(entry as ActEntry), {
      receivedAt: entry.receivedAt,
      newId: () => entry.id,
      ends: entry.ends,
      verified: entry.verified,
    }).next
  }
  if (!current) return undefined
  if (
    seen &&
    current.status === 'granted' &&
    current.ends !== undefined &&
    current.expiresAt !== undefined &&
    seen.lastSeenAt > current.lastSeenAt &&
    seen.lastSeenAt <= until
  ) {
    const end = addDuration(seen.lastSeenAt, current.ends)
    current = { ...current, lastSeenAt: seen.lastSeenAt, expiresAt: later(end, current.expiresAt) }
  }
  const status = statusAt(current, until)
  return status === current.status ? current : { ...current, status }
}

type NotedEntry = LedgerEntryDraft & { readonly action: 'conflict' | 'separate' }
type ActEntry = LedgerEntryDraft & { readonly action: ConsentSignal['action'] }

/** The hub noted it itself: it says what the status is, and is no answer to be weighed against others. */
export function isNoted(entry: LedgerEntryDraft): entry is NotedEntry {
  return entry.action === 'conflict' || entry.action === 'separate'
}

/** The status after an entry that the hub noted itself. */
export function conflictStatus(entry: LedgerEntryDraft): PurposeStatus {
  return {
    status: entry.status,
    basis: entry.basis,
    entryId: entry.id,
    actor: entry.actor,
    evidenceClass: entry.evidenceClass,
    ...(entry.notice && { notice: { id: entry.notice.id, version: entry.notice.version } }),
    occurredAt: entry.occurredAt,
    receivedAt: entry.receivedAt,
    originKind: entry.origin.kind,
    originRef: entry.origin.ref,
    seen: 1,
    lastSeenAt: entry.occurredAt,
    lastSeenOrigin: clockOf(entry),
    ...(entry.expiresAt !== undefined && { expiresAt: entry.expiresAt }),
    ...(entry.ends !== undefined && { ends: entry.ends }),
    ...(entry.verified && { verified: true as const }),
  }
}

function signalOf(entry: ActEntry): ConsentSignal {
  const { purpose, scope, action, basis, origin, actor, evidence, notice, occurredAt } = entry
  return { purpose, scope, action, basis, origin, actor, evidence, ...(notice && { notice }), occurredAt }
}

// ---------------------------------------------------------------- merge

const NO_STATEMENT: ReadonlySet<Status> = new Set(['unknown', 'invalid'])

/**
 * Two nodes turn out to be one person: one status from both, within one scope. Order of arguments
 * does not matter. The result never permits what one of them refused.
 */
export function mergeStatuses(a: PurposeStatus | undefined, b: PurposeStatus | undefined): PurposeStatus | undefined {
  if (!a || !b) return a ?? b
  const [first, second] = sortKey(a) <= sortKey(b) ? [a, b] : [b, a]
  return counted(unite(first, second), first, second)
}

function unite(older: PurposeStatus, newer: PurposeStatus): PurposeStatus {
  if (NO_STATEMENT.has(older.status))
    return NO_STATEMENT.has(newer.status) && older.status === 'invalid' && newer.status === 'unknown' ? older : newer
  if (NO_STATEMENT.has(newer.status)) return older
  // Whether a contract runs is a fact, not an answer: it runs if it runs for one of them, unless they objected.
  if (older.basis === 'contract' && newer.basis === 'contract') {
    const facts = [older, newer].filter(({ status }) => status === 'granted' || status === 'expired')
    if (facts.length === 2)
      return (older.expiresAt ?? '9') > (newer.expiresAt ?? '9') ? longest(older, newer) : longest(newer, older)
  }
  if (older.status === newer.status && older.basis === newer.basis) return newer
  const olderRefuses = REFUSALS.includes(older.status)
  const newerRefuses = REFUSALS.includes(newer.status)
  if (olderRefuses && newerRefuses)
    return REFUSALS.indexOf(older.status) > REFUSALS.indexOf(newer.status) ? older : newer
  if (!olderRefuses && !newerRefuses && older.basis === newer.basis)
    return older.status === 'stale' && newer.status === 'granted' ? newer : older.status === 'stale' ? older : newer
  const refusal = olderRefuses ? older : newerRefuses ? newer : undefined
  const permission = refusal === older ? newer : older
  // A consent that ran out is nobody's refusal.
  if (refusal?.status === 'expired') return permission
  if (refusal?.verified && !permission.verified) return refusal
  return { ...(refusal ?? older), status: 'conflict' }
}

function longest(longer: PurposeStatus, shorter: PurposeStatus): PurposeStatus {
  return longer.status === 'granted' || shorter.status !== 'granted' ? longer : shorter
}

function counted(result: PurposeStatus, a: PurposeStatus, b: PurposeStatus): PurposeStatus {
  const [last] = a.lastSeenAt >= b.lastSeenAt ? [a] : [b]
  return {
    ...result,
    seen: a.entryId === b.entryId ? Math.max(a.seen, b.seen) : a.seen + b.seen,
    lastSeenAt: last.lastSeenAt,
    lastSeenOrigin: last.lastSeenOrigin,
  }
}

function sortKey(status: PurposeStatus): string {
  return `${status.occurredAt}|${status.entryId}|${status.status}`
}
