/** Overlay O1 of the policy: nothing of an erased person is taken in again, whoever names them. */
import { liftsSuppression } from '../requests/suppression.ts'
import type { Batch } from './batch.ts'
import type { Identified } from './identify.ts'

/** Somebody erased, named again: not even an answer about consent is noted, unless it is the one that lifts it. */
export function staysSuppressed({ event, named }: Identified, batch: Batch): boolean {
  if (batch.suppressed.size === 0) return false
  const theirs = named.filter(({ hmac }) => batch.suppressed.has(hmac))
  if (theirs.length === 0) return false
  if (!theirs.every(({ hmac }) => liftsSuppression(event, batch.suppressed.get(hmac)!))) return true
  for (const { hmac } of theirs) {
    batch.suppressed.delete(hmac)
    batch.liftedSuppressions.set(hmac, event.id)
  }
  return false
}
