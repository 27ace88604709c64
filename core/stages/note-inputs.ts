/**
 * What moves a person and is no event: what history keeps of it, so that a replay gives the same input at the same
 * moment. Each row stands before what it leads to.
 */
import { newId } from '../ids.ts'
import type { Batch } from './batch.ts'
import type { PersonState } from './people.ts'

/** Time passed. */
export interface WakeInput {
  /** Epoch milliseconds up to which everything received had been processed. */
  readonly watermark: number
}

/** A slot of a rule, for a person of whom it changed something. */
export interface SlotInput {
  /** As it is decided: a shadow has a name of its own. */
  readonly rule: string
  readonly version: number
  /** Epoch milliseconds. */
  readonly slot: number
}

/** Everything measured anew: after a change of the definitions (`fill`), or when destinations were told again. */
export interface MeasuredInput {
  readonly fill: boolean
  /** Of the definitions it was measured by. */
  readonly hash: string
}

interface Bodies {
  readonly wake: WakeInput
  readonly schedule: SlotInput
  readonly measured: MeasuredInput
  /** An answer about consent changed what destinations are told of the person. */
  readonly consent: Readonly<Record<string, never>>
}

export function noteInput<Kind extends keyof Bodies>(
  person: PersonState,
  kind: Kind,
  body: Bodies[Kind],
  batch: Batch,
): void {
  const [node] = person.nodes
  if (node)
    batch.rows.historyInputs.push([newId(batch.now), node.id, person.seq, kind, batch.now, JSON.stringify(body)])
}
