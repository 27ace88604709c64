/** A status that takes a purpose back, whether somebody said so or two people turned out to be one: the tools are told. */
import type { Purpose } from '../../consent/purposes.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Status } from '../../schemas/consent.ts'
import { newId } from '../ids.ts'
import type { Batch } from './batch.ts'
import type { NodeState } from './people.ts'

const TAKEN_BACK: ReadonlySet<Status> = new Set(['denied', 'revoked', 'conflict'])

/** There may be tools that have the person for this purpose: it was granted, or needed no grant. */
export function takesBack({ basis }: Purpose, current: PurposeStatus | undefined, next: PurposeStatus): boolean {
  if (!TAKEN_BACK.has(next.status)) return false
  return basis !== 'consent' || current?.status === 'granted' || current?.status === 'stale'
}

/** The same for two people that became one: one of them may be known to tools that were never told the answer of both. */
export function mergeTakesBack(
  purpose: Purpose,
  sides: readonly (PurposeStatus | undefined)[],
  merged: PurposeStatus,
): boolean {
  return sides.some((side) => !(side && TAKEN_BACK.has(side.status)) && takesBack(purpose, side, merged))
}

/** @param receivedAt ISO 8601. */
export function withdraw(
  node: NodeState,
  purpose: Purpose,
  entryId: string,
  receivedAt: string,
  origin: { readonly kind: string; readonly ref: string },
  batch: Batch,
): void {
  batch.rows.withdrawals.push([entryId, node.id, purpose.id, Date.parse(receivedAt), origin.kind, origin.ref, null])
}

/**
 * A merge ends in an answer whose entry stands already, and may have been passed on when it was given: for the one who
 * gave it. The row has an id of its own, so that the tools of the other one are told too.
 */
export function withdrawAgain(
  node: NodeState,
  purpose: Purpose,
  { entryId }: PurposeStatus,
  receivedAt: string,
  batch: Batch,
): void {
  const id = newId(batch.now)
  batch.rows.withdrawals.push([id, node.id, purpose.id, Date.parse(receivedAt), 'system', 'merge', entryId])
}
