/** An entry on its way into the ledger: its row counts at once, the sequencer numbers it afterwards. */
import { consentEntry } from '../../consent/ledger/entry.ts'
import type { LedgerEntryDraft } from '../../consent/status.ts'
import type { Identifier } from '../../schemas/event.ts'
import { seal } from '../seal.ts'
import type { Batch } from './batch.ts'
import type { NodeState } from './people.ts'

export function writeEntry(
  entry: LedgerEntryDraft,
  node: NodeState,
  identifiers: readonly Identifier[],
  batch: Batch,
): void {
  const pending = consentEntry(entry, node.subject, identifiers, undefined, batch.privacy)
  batch.rows.ledger.push([
    entry.id,
    node.id,
    node.subject,
    entry.purpose,
    Date.parse(entry.receivedAt),
    pending.publicBytes.toString('utf8'),
    seal(batch.keys.unwrap(node.proofKey), Buffer.concat([pending.salt, pending.payload])),
  ])
}
