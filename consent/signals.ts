/**
 * From each vendor's words to acts about purposes, and back. Absence says nothing: only what a
 * vendor states changes anything, and only a purpose the configuration names is reached.
 */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type {
  Basis,
  ConsentAction,
  ConsentSignal,
  EvidenceFlag,
  EvidenceMethod,
  Notice,
  Status,
} from '../schemas/consent.ts'
import { isMinor, type PersonFacts } from './policy.ts'
import type { CmpVendor, Purpose, Purposes } from './purposes.ts'
import { type Actor, iso, isRestrictive, type PurposeStatus, statusAt } from './status.ts'

/** Same shape as ConsentEvidence of core/kit/define.ts. */
export interface VendorEvidence {
  readonly vendor: CmpVendor | 'rd' | 'gpc' | 'mapped'
  /** The vendor's category (`mapped`: the purpose) -> what was stated about it. */
  readonly answers: Readonly<Record<string, VendorAnswer>>
  readonly method: EvidenceMethod
  readonly actor: Actor
  /** As received. */
  readonly raw: unknown
}

export interface VendorAnswer {
  readonly answer: 'granted' | 'denied'
  readonly flags?: readonly EvidenceFlag[]
  /** RD Station names one; the others speak of consent. */
  readonly basis?: Basis
}

export interface SignalReading {
  readonly purposes: Purposes
  readonly sourceId: string
  /** The notice the source declares. */
  readonly notice?: Notice | undefined
  /** ISO 8601. */
  readonly occurredAt: string
  /** A device's answer may speak for a person only then, and only where the purpose says `person: true`. */
  readonly verified?: boolean | undefined
}

export interface ReadSignals {
  readonly signals: ConsentSignal[]
  /** What was stated and changes nothing, with the reason. No personal data. */
  readonly diagnoses: string[]
  /** Somewhere a refusal stood by default that nobody answered: it is nobody's act, so no signal. */
  readonly unanswered?: true
}

/** @param evidence all that one event carries: of several statements about a purpose the strictest counts. */
export function readSignals(evidence: VendorEvidence | readonly VendorEvidence[], reading: SignalReading): ReadSignals {
  const diagnoses: string[] = []
  const signals: ConsentSignal[] = []
  let unanswered = false
  for (const statement of Array.isArray(evidence)
    ? (evidence as readonly VendorEvidence[])
    : [evidence as VendorEvidence]) {
    const make = signalMaker(statement, reading)
    if (statement.vendor === 'gpc') readGpc(statement, reading, make, signals)
    else if (statement.vendor === 'rd') readRd(statement, reading, make, signals, diagnoses)
    else if (statement.vendor === 'mapped') readMapped(statement, reading, make, signals, diagnoses)
    else unanswered = readCategories(statement.vendor, statement, reading, make, signals, diagnoses) || unanswered
  }
  return { signals: strictest(signals), diagnoses, ...(unanswered && { unanswered }) }
}

type SignalMaker = (purpose: Purpose, action: ConsentAction, flags: readonly EvidenceFlag[]) => ConsentSignal

function signalMaker(statement: VendorEvidence, { notice, occurredAt, sourceId }: SignalReading): SignalMaker {
  const at = iso(occurredAt)
  const rests = notice !== undefined && (notice.since === undefined || notice.since <= at.slice(0, 10))
  let sha256: string | undefined
  return (purpose, action, flags) => {
    sha256 ??= evidenceHash(statement.raw)
    return {
      purpose: purpose.id,
      scope: purpose.scope,
      action,
      basis: purpose.basis,
      origin: { kind: statement.vendor, ref: sourceId },
      actor: statement.actor,
      evidence: {
        method: statement.method,
        flags: rests || flags.includes('no_notice') ? [...flags] : [...flags, 'no_notice'],
        sha256,
        raw: statement.raw,
      },
      ...(rests && { notice }),
      occurredAt: at,
    }
  }
}

/** @returns whether a purpose was refused by nothing but a default. */
function readCategories(
  vendor: CmpVendor,
  { answers }: VendorEvidence,
  { purposes, verified }: SignalReading,
  make: SignalMaker,
  signals: ConsentSignal[],
  diagnoses: string[],
): boolean {
  const index = purposes.byCategory[vendor]
  const reached = new Set<Purpose>()
  let unanswered = false
  for (const category of Object.keys(answers)) {
    const mapped = index.get(category)
    if (mapped) for (const purpose of mapped) reached.add(purpose)
    else diagnoses.push(`${vendor} category ${quoted(category)} is mapped to no purpose`)
  }
  for (const purpose of reached) {
    if (purpose.scope === 'person') {
      if (!purpose.signals.person) {
        diagnoses.push(`${vendor} speaks about a device and never about the person-scoped purpose ${purpose.id}`)
        continue
      }
      if (!verified) {
        diagnoses.push(`${vendor} speaks for the person on ${purpose.id} only with a verified identity`)
        continue
      }
    }
    const stated = (purpose.signals[vendor] ?? []).map((category) =>
      Object.hasOwn(answers, category) ? answers[category] : undefined,
    )
    const denials = stated.filter((answer) => answer?.answer === 'denied')
    if (denials.length > 0 && denials.every((answer) => answer?.flags?.includes('preticked'))) {
      diagnoses.push(`${vendor} denies ${purpose.id} by a default that nobody answered: nothing changed`)
      unanswered = true
    } else if (denials.length > 0) {
      // One real refusal among defaults is a real refusal.
      const flags = denials
        .map((answer) => answer?.flags ?? [])
        .reduce((common, own) => common.filter((flag) => own.includes(flag)))
      refuse(purpose, 'consent', flags, make, signals, diagnoses, vendor)
    } else if (stated.every((answer) => answer?.answer === 'granted')) {
      const flags = [...new Set(stated.flatMap((answer) => answer?.flags ?? []))]
      agree(purpose, 'consent', flags, make, signals, diagnoses, vendor)
    }
  }
  return unanswered
}

function readRd(
  { answers }: VendorEvidence,
  { purposes }: SignalReading,
  make: SignalMaker,
  signals: ConsentSignal[],
  diagnoses: string[],
): void {
  for (const [category, { answer, basis = 'consent', flags = [] }] of Object.entries(answers)) {
    const reached = purposes.all.filter((purpose) => purpose.signals.rd === category)
    if (reached.length === 0) diagnoses.push(`rd category ${quoted(category)} is mapped to no purpose`)
    for (const purpose of reached)
      (answer === 'denied' ? refuse : agree)(purpose, basis, flags, make, signals, diagnoses, 'rd')
  }
}

/** Answers named by purpose: the configuration of the source says which field speaks about which. */
function readMapped(
  { answers }: VendorEvidence,
  { purposes }: SignalReading,
  make: SignalMaker,
  signals: ConsentSignal[],
  diagnoses: string[],
): void {
  for (const [name, { answer, flags = [] }] of Object.entries(answers)) {
    const purpose = purposes.all.find(({ id }) => id === name)
    if (!purpose) diagnoses.push(`the mapping names the purpose ${quoted(name)}, which is not configured`)
    else (answer === 'denied' ? refuse : agree)(purpose, 'consent', flags, make, signals, diagnoses, 'the mapping')
  }
}

function readGpc(
  { answers }: VendorEvidence,
  { purposes }: SignalReading,
  make: SignalMaker,
  signals: ConsentSignal[],
): void {
  if (Object.values(answers).some(({ answer }) => answer === 'granted')) return
  for (const purpose of purposes.all)
    if (purpose.ads || purpose.shares !== undefined) signals.push(make(purpose, 'object', []))
}

function agree(
  purpose: Purpose,
  basis: Basis,
  flags: readonly EvidenceFlag[],
  make: SignalMaker,
  signals: ConsentSignal[],
  diagnoses: string[],
  vendor: string,
): void {
  if (basis !== purpose.basis)
    diagnoses.push(`${vendor} states ${basis}, but ${purpose.id} rests on ${purpose.basis}: nothing changed`)
  else if (basis === 'consent') signals.push(make(purpose, 'grant', flags))
  else if (basis === 'contract') signals.push(make(purpose, 'open', flags))
  else if (basis !== 'legitimate_interest')
    diagnoses.push(`${vendor} cannot grant ${basis}: it follows from the law, not from a statement`)
  // A vendor's word "legitimate interest" is no act of the person and must not undo an opposition.
}

function refuse(
  purpose: Purpose,
  basis: Basis,
  flags: readonly EvidenceFlag[],
  make: SignalMaker,
  signals: ConsentSignal[],
  diagnoses: string[],
  vendor: string,
): void {
  if (purpose.basis === 'legitimate_interest') {
    // Whatever the vendor calls it, a refusal reaches legitimate interest as an opposition (art. 18 §2).
    signals.push(make(purpose, 'object', flags))
  } else if (basis !== purpose.basis)
    diagnoses.push(`${vendor} states ${basis}, but ${purpose.id} rests on ${purpose.basis}: nothing changed`)
  else if (basis === 'consent') signals.push(make(purpose, 'deny', flags))
  else if (basis === 'contract') signals.push(make(purpose, 'end', flags))
  else diagnoses.push(`${vendor} cannot refuse ${basis}: it follows from the law, not from a statement`)
}

const ACTOR_RANK: Readonly<Record<Actor, number>> = { subject: 4, guardian: 3, agent: 2, system: 1, browser_signal: 0 }

/** One event, one act per purpose: the refusal where statements differ, the human's where they agree. */
function strictest(signals: ConsentSignal[]): ConsentSignal[] {
  if (signals.length < 2) return signals
  const byPurpose = new Map<string, ConsentSignal>()
  for (const signal of signals) {
    const known = byPurpose.get(signal.purpose)
    if (!known || weight(signal) > weight(known)) byPurpose.set(signal.purpose, signal)
  }
  return byPurpose.size === signals.length ? signals : [...byPurpose.values()]
}

function weight({ action, evidence, actor }: ConsentSignal): number {
  // A default that nobody answered must not hide a real answer, whichever it is.
  const real = evidence.flags.includes('preticked') ? 0 : 100
  return real + (isRestrictive(action) ? 10 : 0) + ACTOR_RANK[actor]
}

/** Category names come from outside: shortened, and quoted so that a log line stays one line. */
function quoted(category: string): string {
  return JSON.stringify(category.slice(0, 64))
}

// Visitors send the same few statements with every event.
const hashes = new Map<string, string>()
/** SHA-256 (hex) of the canonical JSON (RFC 8785) of evidence as received. */
export function evidenceHash(raw: unknown): string {
  const text = JSON.stringify(raw) ?? 'null'
  let hash = hashes.get(text)
  if (hash === undefined) {
    hash = createHash('sha256').update(canonicalText(raw, text)).digest('hex')
    if (hashes.size >= 1000) hashes.clear()
    if (text.length <= 2000) hashes.set(text, hash)
  }
  return hash
}

function canonicalText(raw: unknown, fallback: string): string {
  try {
    return canonicalize(raw) ?? fallback
  } catch {
    // Lone surrogates and NaN have no canonical form; the received text still has a hash.
    return fallback
  }
}

// ---------------------------------------------------------------- withdrawal by link, portal or vendor

export interface Withdrawal {
  readonly purposes: Purposes
  /** A purpose id, or `*` for all that rest on consent or legitimate interest. */
  readonly purpose: string
  readonly origin: ConsentSignal['origin']
  readonly actor: Actor
  readonly method: EvidenceMethod
  readonly raw: unknown
  /** ISO 8601. */
  readonly occurredAt: string
}

/** The signals of one act of withdrawal. Empty when the purpose is not configured. */
export function withdrawalSignals({
  purposes,
  purpose,
  origin,
  actor,
  method,
  raw,
  occurredAt,
}: Withdrawal): ConsentSignal[] {
  const named = purposes.get(purpose)
  // "All" leaves running contracts alone: nobody who stops offers means to lose the order they wait for.
  const reached =
    purpose === '*'
      ? purposes.all.filter(({ basis }) => basis === 'consent' || basis === 'legitimate_interest')
      : named
        ? [named]
        : []
  const sha256 = evidenceHash(raw)
  return reached.map((one) => ({
    purpose: one.id,
    scope: one.scope,
    action: one.basis === 'consent' ? 'revoke' : 'object',
    basis: one.basis,
    origin,
    actor,
    evidence: { method, flags: [], sha256, raw },
    occurredAt: iso(occurredAt),
  }))
}

/** What opens a contract: written before `collect`, by the hub itself. */
export function openingSignal(
  purpose: Purpose,
  {
    sourceId,
    messageId,
    occurredAt,
  }: { readonly sourceId: string; readonly messageId: string; readonly occurredAt: string },
): ConsentSignal {
  const raw = { sourceId, messageId }
  return {
    purpose: purpose.id,
    scope: purpose.scope,
    action: 'open',
    basis: 'contract',
    origin: { kind: 'system', ref: sourceId },
    actor: 'system',
    evidence: { method: 'none', flags: [], sha256: evidenceHash(raw), raw },
    occurredAt: iso(occurredAt),
  }
}

// ---------------------------------------------------------------- outgoing

/** Same shape as OutgoingSignals of core/kit/define.ts, plus what could not be said. */
export interface ComputedSignals {
  readonly rd: readonly { readonly category: string; readonly type: string; readonly status?: 'granted' | 'declined' }[]
  readonly google: Readonly<Partial<Record<'ad_user_data' | 'ad_personalization', 'GRANTED' | 'DENIED'>>>
  readonly segment: Readonly<Record<string, boolean>>
  readonly rudder: { readonly allowedConsentIds: readonly string[]; readonly deniedConsentIds: readonly string[] }
  /** Ledger entry behind each purpose that was spoken of. */
  readonly entries: Readonly<Record<string, string>>
  readonly omitted: readonly { readonly purpose: string; readonly basis: Basis; readonly reason: string }[]
}

/** RD Station's `legal_bases[].type`. Four bases of art. 7 have no word there and are never mapped to the nearest. */
export const RD_TYPES: Readonly<Partial<Record<Basis, string>>> = {
  consent: 'consent',
  public_policy: 'public_interest',
  contract: 'pre_existent_contract',
  legal_claims: 'judicial_process',
  vital_interest: 'vital_interest',
  legitimate_interest: 'legitimate_interest',
}

type Standing = 'yes' | 'no' | 'unknown'

export type StatusOf = (purpose: Purpose) => PurposeStatus | undefined

/**
 * What each vendor is told of one person. Meta and TikTok get no word: their "limited use" means US states,
 * so for a person in Brazil the right act is not to send, which permit sees to.
 * @param now ISO 8601.
 * @param age nobody under 18 is advertised to (ECA Digital art. 22): their ads signals are refusals.
 */
export function outgoingSignals(
  statusOf: StatusOf,
  purposes: Purposes,
  now: string,
  { age }: PersonFacts = {},
): ComputedSignals {
  const at = iso(now)
  const minor = isMinor(age, purposes.childAudience)
  const entries: Record<string, string> = {}
  const standing = (purpose: Purpose): Standing => {
    const current = statusOf(purpose)
    if (current) entries[purpose.id] = current.entryId
    if (minor && purpose.ads) return 'no'
    const answer = standingOf(purpose, current, at)
    const byGuardian = age !== 'child' || purpose.basis !== 'consent' || current?.actor === 'guardian'
    return answer === 'yes' && !byGuardian ? 'unknown' : answer
  }
  const omitted: ComputedSignals['omitted'][number][] = []

  const rd = new Map<string, { category: string; type: string; standing: Standing }>()
  for (const purpose of purposes.all) {
    const category = purpose.signals.rd
    if (!category) continue
    const type = RD_TYPES[purpose.basis]
    if (type === undefined) {
      omitted.push({ purpose: purpose.id, basis: purpose.basis, reason: 'RD Station has no type for this legal basis' })
      continue
    }
    const key = `${category}|${type}`
    const known = rd.get(key)
    rd.set(key, { category, type, standing: known ? both(known.standing, standing(purpose)) : standing(purpose) })
  }

  const google: { ad_user_data?: 'GRANTED' | 'DENIED'; ad_personalization?: 'GRANTED' | 'DENIED' } = {}
  for (const [word, starter] of [
    ['ad_user_data', 'ads_measurement'],
    ['ad_personalization', 'ads_personalization'],
  ] as const) {
    const answer = allOf(
      purposes.all.filter((purpose) => purpose.basis === 'consent' && purpose.starters.has(starter)).map(standing),
    )
    if (answer !== 'unknown') google[word] = answer === 'yes' ? 'GRANTED' : 'DENIED'
  }

  const segment: Record<string, boolean> = {}
  for (const [category, mapped] of purposes.byCategory.segment)
    segment[category] = allOf(mapped.map(standing)) === 'yes'
  const allowedConsentIds: string[] = []
  const deniedConsentIds: string[] = []
  // RudderStack reads only the denied list and lets the rest through: unknown must stand in it.
  for (const [category, mapped] of purposes.byCategory.rudder)
    (allOf(mapped.map(standing)) === 'yes' ? allowedConsentIds : deniedConsentIds).push(category)

  return {
    rd: [...rd.values()].flatMap(rdBasis),
    google,
    segment,
    rudder: { allowedConsentIds, deniedConsentIds },
    entries,
    omitted,
  }
}

/** Status is meaningful for communications only; a basis for processing is named only while it stands. */
function rdBasis({
  category,
  type,
  standing,
}: {
  category: string
  type: string
  standing: Standing
}): ComputedSignals['rd'] {
  if (category === 'communications')
    return standing === 'unknown' ? [] : [{ category, type, status: standing === 'yes' ? 'granted' : 'declined' }]
  return standing === 'yes' ? [{ category, type }] : []
}

function standingOf(purpose: Purpose, current: PurposeStatus | undefined, at: string): Standing {
  const status = standingStatus(purpose, current, at)
  if (status === 'denied' || status === 'revoked' || status === 'expired' || status === 'conflict') return 'no'
  if (purpose.basis === 'consent' || purpose.basis === 'contract') return status === 'granted' ? 'yes' : 'unknown'
  if (purpose.basis === 'legitimate_interest')
    return purpose.lia && (status === 'granted' || status === 'unknown') ? 'yes' : 'unknown'
  return 'yes'
}

/** What a status is worth for its purpose now. @param at ISO 8601 UTC. */
export function standing(
  purpose: Purpose,
  current: PurposeStatus | undefined,
  at: string,
): { readonly status: Status; readonly purposeChanged: boolean } {
  const status = statusAt(current, at)
  if (!current || (status !== 'granted' && status !== 'stale')) return { status, purposeChanged: false }
  // A permission given on another legal basis is none; a refusal stays one.
  if (current.basis !== purpose.basis) return { status: 'unknown', purposeChanged: false }
  const { notice } = current
  if (purpose.basis !== 'consent' || !notice || purpose.changes.size === 0) return { status, purposeChanged: false }
  // Art. 8 §6: what was agreed to under an older text does not cover what has materially changed since.
  let changed = false
  let purposeChanged = false
  for (const change of purpose.changes.get(notice.id) ?? []) {
    if (change.version <= notice.version || change.since > at.slice(0, 10)) continue
    changed = true
    purposeChanged ||= change.purpose
  }
  return { status: changed ? 'stale' : status, purposeChanged }
}

export function standingStatus(purpose: Purpose, current: PurposeStatus | undefined, at: string): Status {
  return standing(purpose, current, at).status
}

function both(a: Standing, b: Standing): Standing {
  return a === 'no' || b === 'no' ? 'no' : a === 'yes' && b === 'yes' ? 'yes' : 'unknown'
}

function allOf(standings: readonly Standing[]): Standing {
  return standings.length === 0 ? 'unknown' : standings.reduce(both)
}
