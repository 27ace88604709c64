/** What the deliver role works with, and what its stages hand to each other. */

import type { TObject } from 'typebox'
import type { Permit } from '../../consent/gate.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { DestinationSettings } from '../config.ts'
import type { TokenKeeper } from '../connections/keeper.ts'
import type { RuleSet } from '../decision/index.ts'
import type { AttemptWriter } from '../delivery/attempts.ts'
import type { Breaker } from '../delivery/breaker.ts'
import type { Limiter } from '../delivery/limiter.ts'
import type { ItemResult } from '../delivery/perform.ts'
import type { Keys } from '../keys.ts'
import type { ActionDefinition, ItemContext } from '../kit/define.ts'
import type { Transport } from '../kit/http.ts'
import type { LogReader } from '../log/event-log.ts'
import type { Offers } from '../rules/offer-codes.ts'
import type { LiveEvent } from '../server/context.ts'
import type { StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import type { Fault } from './fault.ts'
import type { Looks } from './permit.ts'

export type DeliveryRow = Tables['deliveries']
export type Action = ActionDefinition<unknown, TObject>

/** One destination's wires, kept for the life of the role. */
export interface Line {
  readonly destination: DestinationSettings
  readonly transport: Transport
  readonly limiter: Limiter
  readonly breaker: Breaker
  /** Of a connected account; absent where the settings hold the credential. */
  readonly credentials?: TokenKeeper | undefined
}

export interface DeliverPorts {
  readonly state: StateStore
  readonly keys: Keys
  readonly log: LogReader
  readonly purposes: Purposes
  readonly rules: RuleSet
  /** The organisation's, IANA name; America/Sao_Paulo when absent. */
  readonly timezone?: string
  /** None when absent. */
  readonly offers?: Offers
  /** Reads them again, when there may be versions nobody here has heard of. */
  readonly freshRules?: () => Promise<unknown>
  readonly lines: ReadonlyMap<string, Line>
  readonly attempts: AttemptWriter
  readonly looks: Looks
  /** Without trailing slash. */
  readonly publicUrl: string
  /** Epoch milliseconds. */
  readonly clock: () => number
  readonly count: (counts: ReadonlyMap<string, number>) => void
  readonly tell: (events: readonly LiveEvent[]) => void
  readonly fault: (fault: Fault) => void
  /** Leases this process is working on: renewed while they are here, anybody's once they have run out. */
  readonly leases: Set<string>
  /** Aborted when the role ends: what waits for the database waits no longer. */
  readonly stop: AbortSignal
}

export interface Leased {
  readonly row: DeliveryRow
  readonly line: Line
  readonly action: Action
}

export interface Halted {
  readonly leased: Leased
  readonly code: ExitCode
  readonly entryId?: string | undefined
  /** For a delivery that is not over: when to look again, epoch milliseconds. */
  readonly retryAt?: number
  readonly detail?: string
}

export interface Permitted {
  readonly leased: Leased
  readonly permit: Permit
  readonly payload: Record<string, unknown>
  readonly item: ItemContext<Record<string, unknown>>
  /** The node's data key, wrapped: seals the frozen payload. */
  readonly dataKey: Uint8Array
}

export interface Sent {
  readonly permitted: Permitted
  readonly result: ItemResult
}
