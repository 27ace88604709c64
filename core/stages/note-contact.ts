/**
 * note contact: a vendor's word that its message came back, was marked as spam or arrived is remembered of people who
 * are known, whatever was kept of the event and under whichever purpose. Our choice: it serves nothing but not writing
 * to somebody (an opposition, LGPD art. 18 §2, and an address that is wrong, art. 6 V), so it must not depend on a
 * consent that the same complaint takes back. Only the newest time per channel is kept, and only what comes from a
 * destination, with its credentials, counts here: what a source says counts as far as it is kept.
 */
import { newId } from '../ids.ts'
import type { Batch } from './batch.ts'
import { type ContactReport, rememberReport, reportOf } from './contact-facts.ts'
import type { Identified } from './identify.ts'

/** What `history_inputs` holds of kind `contact`. */
export type ContactInput = ContactReport

export function noteContact({ event, people }: Identified, batch: Batch): void {
  if (!event.source.feedback) return
  const report = reportOf(event)
  if (!report) return
  for (const person of people) {
    if (!rememberReport(person.profile, report)) continue
    person.dirty = true
    batch.rows.historyInputs.push([
      newId(batch.now),
      person.nodes[0]!.id,
      person.seq,
      'contact',
      batch.now,
      JSON.stringify(report satisfies ContactInput),
    ])
  }
}
