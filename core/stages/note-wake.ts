/** Time passed for a person: what history keeps of it, so that a replay wakes them at the same moment. */
import { newId } from '../ids.ts'
import type { Batch } from './batch.ts'
import type { PersonState } from './people.ts'

/** What `history_inputs` holds of kind `wake`. */
export interface WakeInput {
  /** Epoch milliseconds up to which everything received had been processed. */
  readonly watermark: number
}

export function noteWake(person: PersonState, watermark: number, batch: Batch): void {
  batch.rows.historyInputs.push([
    newId(batch.now),
    person.nodes[0]!.id,
    person.seq,
    'wake',
    batch.now,
    JSON.stringify({ watermark } satisfies WakeInput),
  ])
}
