/**
 * How a decision is stored: rule, version, result, and of each clause its id, whether it held and the value found. What
 * the clauses say is not stored where the version of the rule says it; it is taken from there when the decision is read
 * (`wordsOf`). Rows of before held whole explanations, words included: they are read as they are.
 */
import type { Arm } from '../../schemas/delivery.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { Clause, ClauseValue } from './compile.ts'
import type { DecisionOutcome, Explanation } from './decision.ts'
import type { CompiledRule } from './ruleset.ts'
import { type ClauseWords, wordsOf } from './version-words.ts'

/** Bits of the number that follows the id of a clause. */
const OK = 1
/** Its words follow, in English and Portuguese, because the version does not say them. */
const WORDED = 2
const CENTS = 4

/** Rule, version, result, seq, correlation, clauses one after the other, and what only some decisions have. */
export type PackedDecision = [
  rule: string,
  version: number,
  result: DecisionOutcome,
  seq: number | null,
  correlation: string,
  clauses: (string | number | ClauseValue)[],
  more?: PackedMore,
]

interface PackedMore {
  /** When the clock or the sequence began. */
  s?: string
  /** What a shadow would have led to. */
  w?: DecisionOutcome
  /** Arm, variant, offer. */
  a?: Arm
  v?: string
  o?: string
  /** Held until. */
  h?: string
  /** Entry of the ledger. */
  n?: string
  d?: readonly string[]
  /** Actions that were left out: destination, action, code. */
  k?: [string, string, ExitCode][]
  /** Hash of the text, where it is not that of the stored version. */
  x?: string
}

/** @param compiled the version that decided; without it every word is stored. */
export function pack(explanation: Explanation, compiled: CompiledRule | undefined): PackedDecision {
  const { rule, version, result, seq, correlation, clauses } = explanation
  const packed: PackedDecision = [
    rule,
    version,
    result,
    seq ?? null,
    correlation,
    packClauses(clauses, compiled && wordsOf(compiled)),
  ]
  const more = packMore(explanation, compiled?.hash)
  if (hasAny(more)) packed.push(more)
  return packed
}

function packClauses(clauses: readonly Clause[], words: ReadonlyMap<string, ClauseWords> | undefined) {
  const packed: PackedDecision[5] = []
  for (const { id, clause, pt, ok, value, unit } of clauses) {
    const known = words?.get(id)
    const follows = known !== undefined && known.clause === clause && known.pt === pt && known.unit === unit
    if (follows) packed.push(id, ok ? OK : 0, value)
    else packed.push(id, (ok ? OK : 0) | WORDED | (unit ? CENTS : 0), value, clause, pt)
  }
  return packed
}

function packMore(explanation: Explanation, known: string | undefined): PackedMore {
  const { startedAt, would, arm, variant, offer, heldUntil, entryId, deliveryIds, skipped, hash } = explanation
  const more: PackedMore = {}
  if (startedAt !== undefined) more.s = startedAt
  if (would !== undefined) more.w = would
  if (arm !== undefined) more.a = arm
  if (variant !== undefined) more.v = variant
  if (offer !== undefined) more.o = offer
  if (heldUntil !== undefined) more.h = heldUntil
  if (entryId !== undefined) more.n = entryId
  if (deliveryIds.length > 0) more.d = deliveryIds
  if (skipped.length > 0) more.k = skipped.map(({ destination, action, code }) => [destination, action, code])
  if (hash !== known) more.x = hash
  return more
}

function hasAny(more: PackedMore): boolean {
  for (const _ in more) return true
  return false
}

/** What the row around a decision holds of it. `at` is ISO 8601. */
export interface PackedAbout {
  readonly eventId: string
  readonly at: string
  /** It is of those of which only the newest per person and rule is kept. */
  readonly latestOnly: boolean
}

/** @param compiled the version that decided, from what is stored of rules. */
export function unpack(
  [rule, version, result, seq, correlation, packed, more = {}]: PackedDecision,
  { eventId, at, latestOnly }: PackedAbout,
  compiled: CompiledRule | undefined,
): Explanation {
  const clauses = unpackClauses(packed, compiled && wordsOf(compiled))
  return {
    rule,
    version,
    hash: more.x ?? compiled?.hash ?? '',
    eventId,
    correlation,
    ...(seq !== null && { seq }),
    at,
    ...(more.s !== undefined && { startedAt: more.s }),
    result,
    clauses,
    ...(more.a !== undefined && { arm: more.a }),
    ...(more.v !== undefined && { variant: more.v }),
    ...(more.o !== undefined && { offer: more.o }),
    ...(more.h !== undefined && { heldUntil: more.h }),
    ...(more.n !== undefined && { entryId: more.n }),
    deliveryIds: more.d ?? [],
    skipped: (more.k ?? []).map(([destination, action, code]) => ({ destination, action, code })),
    latestOnly,
    failed: clauses.filter(({ ok }) => !ok).map(({ id }) => id),
    ...(more.w !== undefined && { would: more.w }),
  }
}

function unpackClauses(packed: PackedDecision[5], words: ReadonlyMap<string, ClauseWords> | undefined): Clause[] {
  const clauses: Clause[] = []
  for (let at = 0; at < packed.length; ) {
    const id = packed[at++] as string
    const bits = packed[at++] as number
    const value = packed[at++] as ClauseValue
    const ok = (bits & OK) !== 0
    if (bits & WORDED) {
      const [clause, pt] = [packed[at++] as string, packed[at++] as string]
      clauses.push({ id, clause, pt, ok, value, ...(bits & CENTS && { unit: 'cents' as const }) })
    } else {
      // An id that no code knows any more still says which place of the rule it was.
      const { clause = id, pt = id, unit } = words?.get(id) ?? {}
      clauses.push({ id, clause, pt, ok, value, ...(unit && { unit }) })
    }
  }
  return clauses
}
