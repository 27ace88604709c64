/** Two people turn out to be one and had answered differently: the hub notes it itself, with an entry of its own. */
import type { Scope } from '../schemas/consent.ts'
import { evidenceHash } from './signals.ts'
import { type Applied, conflictStatus, iso, type LedgerEntryDraft, type PurposeStatus } from './status.ts'

export interface ConflictFacts {
  readonly purpose: string
  readonly scope: Scope
  /** The statuses that disagree; the entry names theirs. */
  readonly sides: readonly PurposeStatus[]
  /** The event that showed that they are one. */
  readonly eventId: string
  /** ISO 8601. */
  readonly receivedAt: string
  readonly newId: () => string
}

/**
 * @param merged what `mergeStatuses` made of the two.
 * @returns undefined when they do not disagree, or their conflict stands in the ledger already.
 */
export function conflictOnMerge(
  merged: PurposeStatus,
  { purpose, scope, sides, eventId, receivedAt, newId }: ConflictFacts,
): Required<Applied> | undefined {
  if (merged.status !== 'conflict' || sides.some(({ status }) => status === 'conflict')) return undefined
  const raw = { eventId, entries: sides.map(({ entryId }) => entryId).sort() }
  const entry: LedgerEntryDraft = {
    id: newId(),
    effect: 'status',
    purpose,
    scope,
    action: 'conflict',
    status: 'conflict',
    basis: merged.basis,
    actor: 'system',
    evidenceClass: 'valid',
    evidence: { method: 'none', flags: [], sha256: evidenceHash(raw), raw },
    origin: { kind: 'system', ref: 'merge' },
    // An answer must be newer than what it settles, not than the moment somebody noticed.
    occurredAt: merged.occurredAt,
    receivedAt: iso(receivedAt),
    ...(merged.ends !== undefined && { ends: merged.ends }),
  }
  const next = { ...conflictStatus(entry), lastSeenAt: merged.lastSeenAt }
  return { next, entry }
}
