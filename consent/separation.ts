/** Two people that were one by mistake are taken apart: what the answers of each add up to is an entry of its own. */
import type { Scope } from '../schemas/consent.ts'
import { evidenceHash } from './signals.ts'
import { type Applied, conflictStatus, iso, type LedgerEntryDraft, type PurposeStatus } from './status.ts'

export interface SeparationFacts {
  readonly purpose: string
  readonly scope: Scope
  /** Of the act in the log of identities. */
  readonly act: string
  /** ISO 8601. */
  readonly at: string
  readonly newId: () => string
}

/**
 * @param own what the answers of this side add up to.
 * @param asOne what counted while they were one person.
 * @param foreign the newest refusal was given on the other side, while they were one.
 * @returns a refusal given while they were one stays with both, as a conflict: nobody can tell whose it was, and only
 *   who is known may settle it. Otherwise what is their own.
 */
export function afterSeparation(
  own: PurposeStatus | undefined,
  asOne: PurposeStatus | undefined,
  foreign: boolean,
): PurposeStatus | undefined {
  const permits = own?.status === 'granted' || own?.status === 'stale'
  const refused = asOne?.status === 'denied' || asOne?.status === 'revoked' || asOne?.status === 'conflict'
  if (permits && refused && foreign) return { ...own, status: 'conflict', occurredAt: asOne.occurredAt }
  return own
}

export function separationEntry(
  status: PurposeStatus,
  { purpose, scope, act, at, newId }: SeparationFacts,
): Required<Applied> {
  const raw = { act, entries: [status.entryId] }
  const entry: LedgerEntryDraft = {
    id: newId(),
    effect: 'status',
    purpose,
    scope,
    action: status.status === 'conflict' ? 'conflict' : 'separate',
    status: status.status,
    basis: status.basis,
    actor: 'system',
    evidenceClass: status.evidenceClass,
    evidence: { method: 'none', flags: [], sha256: evidenceHash(raw), raw },
    ...(status.notice && { notice: status.notice }),
    origin: { kind: 'system', ref: 'unmerge' },
    occurredAt: status.occurredAt,
    receivedAt: iso(at),
    ...(status.expiresAt !== undefined && { expiresAt: status.expiresAt }),
    ...(status.ends !== undefined && { ends: status.ends }),
    ...(status.verified && { verified: true as const }),
  }
  return { next: { ...conflictStatus(entry), lastSeenAt: status.lastSeenAt }, entry }
}
