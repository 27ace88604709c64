/** What the retention engine works with. */

import type { Purposes } from '../../consent/purposes.ts'
import type { ResolvedPolicy } from '../../consent/retention/policies.ts'
import type { Keys } from '../keys.ts'
import type { Db, StateStore } from '../stores/open.ts'

export interface RetentionContext {
  readonly db: Db
  readonly dialect: StateStore['dialect']
  readonly keys: Keys
  readonly purposes: Purposes
  /** All that are in force: which one governs a row may depend on the others. */
  readonly policies: readonly ResolvedPolicy[]
  /** Rows of one batch, and so of one transaction. */
  readonly batchRows: number
  /** Epoch milliseconds: what is due is due as of then, through all batches of a run. */
  readonly asOf: number
}

export interface DueRow {
  readonly id: string
  readonly node_id: string | null
  readonly person_id: string | null
  readonly at: number
}

export interface DueCount {
  readonly count: number
  readonly people: number
  readonly oldest: number | null
  readonly held: number
}
