/**
 * What moves a person and is no event: what history keeps of it, so that a replay gives the same input at the same
 * moment. Each row stands before what it leads to.
 */
import type { OpenProfile } from '../../schemas/profile.ts'
import { newId } from '../ids.ts'
import type { Batch } from './batch.ts'
import type { CapUse, PersonState } from './people.ts'

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

/**
 * Somebody was taken apart: what of their side does not follow from what belongs to its nodes alone, as it was written
 * then. Everything else of the side is what its history makes of it.
 */
export interface SeparatedInput
  extends Pick<
    OpenProfile,
    | 'seq'
    | 'timers'
    | 'entries'
    | 'sessions'
    | 'arms'
    | 'variants'
    | 'closings'
    | 'crossed'
    | 'audiences'
    | 'scores'
    | 'pushed'
    | 'measuresDueAt'
  > {
  readonly caps: readonly Omit<CapUse, 'isNew'>[]
}

interface Bodies {
  readonly wake: WakeInput
  readonly schedule: SlotInput
  readonly measured: MeasuredInput
  /** An answer about consent changed what destinations are told of the person. */
  readonly consent: Readonly<Record<string, never>>
  readonly separated: SeparatedInput
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
