/** What the process role works with. */
import type { LedgerPrivacy } from '../../schemas/ledger.ts'
import type { CompiledRule } from '../decision/index.ts'
import type { Keys } from '../keys.ts'
import type { StateStore } from '../stores/open.ts'
import type { ApplySettings } from './apply.ts'
import type { SealKeys } from './hold.ts'
import type { MeasureSettings } from './measure.ts'

export interface ProcessPorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly sealKeys: SealKeys
  readonly logId: string
  readonly settings: ApplySettings &
    MeasureSettings & {
      readonly privacy?: LedgerPrivacy
      /** Every rule for which something is kept of events, those that only run on included; the current ones when absent. */
      readonly kept?: readonly CompiledRule[]
    }
  /** Epoch milliseconds. */
  readonly clock: () => number
}
