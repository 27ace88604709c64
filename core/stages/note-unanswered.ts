/** What nobody answered for is counted per source and reason: what unknown consent costs, and who would be unlocked. */
import type { Transaction } from 'kysely'
import { gapOf } from '../../consent/gaps.ts'
import type { Unanswered } from '../../consent/gate.ts'
import { addToSketch, emptySketch, mergeSketches } from '../../consent/sketch.ts'
import type { StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { Batch } from './batch.ts'
import type { Identified } from './identify.ts'

const DAY_MS = 86_400_000

export interface GapCount {
  events: number
  readonly people: Uint8Array
  sample: string | null
}

/** Counted by HMAC into a sketch: how many, never who. */
export function noteUnanswered(identified: Identified, unanswered: readonly Unanswered[], batch: Batch): void {
  if (unanswered.length === 0) return
  const { event } = identified
  const day = Math.floor(batch.now / DAY_MS)
  for (const one of unanswered) {
    const { reason, sample } = gapOf(one, event)
    const key = `${event.source.id}\0${reason}\0${one.purpose.id}\0${day}`
    let gap = batch.gaps.get(key)
    if (!gap) {
      gap = { events: 0, people: emptySketch(), sample: sample ?? null }
      batch.gaps.set(key, gap)
    }
    gap.events += 1
    const who = one.purpose.scope === 'device' ? identified.device : identified.named[0]!
    addToSketch(gap.people, Buffer.from(who.hmac.slice(0, 16), 'hex'))
  }
}

export async function writeGaps(trx: Transaction<Tables>, { dialect }: StateStore, batch: Batch): Promise<void> {
  for (const [key, { events, people, sample }] of batch.gaps) {
    const [source, reason, purpose, day] = key.split('\0') as [string, string, string, string]
    const known = await trx
      .selectFrom('consent_gaps')
      .select(['events', 'people'])
      .where('source_id', '=', source)
      .where('reason', '=', reason)
      .where('purpose', '=', purpose)
      .where('day', '=', Number(day))
      .$if(dialect === 'postgres', (query) => query.forUpdate())
      .executeTakeFirst()
    await trx
      .insertInto('consent_gaps')
      .values({
        source_id: source,
        reason,
        purpose,
        day: Number(day),
        events: (known?.events ?? 0) + events,
        people: Buffer.from(known ? mergeSketches(people, known.people) : people),
        sample,
      })
      .onConflict((conflict) =>
        conflict.columns(['source_id', 'reason', 'purpose', 'day']).doUpdateSet((eb) => ({
          events: eb.ref('excluded.events'),
          people: eb.ref('excluded.people'),
          sample: eb.ref('excluded.sample'),
        })),
      )
      .execute()
  }
}
