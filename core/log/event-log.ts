/**
 * The event log is transport, not history: sealed on the way in, purged by committed position,
 * its keys destroyed minutes after processing.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { PlanFinding } from '../plans/plan.ts'

/** One input, as `record` writes it. */
export type LogRecord =
  | {
      readonly kind: 'event'
      readonly event: CanonicalEvent
      /** Keys the sender will be recognised by when the hub hears itself. */
      readonly echo?: string
      /** It carries a refusal by default that nobody answered: counted, and no signal. */
      readonly unanswered?: true
      /** ULIDs of the fences this record raised. */
      readonly fences: readonly string[]
      /** Set when re-driven: deduplicated by this id instead of the message id. */
      readonly quarantineId?: string
      /** It breaks its source's tracking plan. Blocked: only what it says of consent is here. */
      readonly plan?: PlanFinding
      /** How many milliseconds the client's clock was corrected by, where it told the time it sent. */
      readonly skewMs?: number
    }
  | {
      readonly kind: 'quarantine'
      readonly id: string
      readonly sourceId: string
      readonly connector: string
      readonly code: ExitCode
      readonly path: string
      readonly message: string
      readonly receivedAt: string
      /** The raw event as JSON text. */
      readonly raw: string
      readonly fences: readonly string[]
    }

/** Stops deliveries to whoever has one of these identifiers, from the moment its request is answered. */
export interface Fence {
  readonly id: string
  /** Purposes denied or withdrawn; '*' is all. */
  readonly purposes: readonly string[]
  /** HMACs of every identifier on the request. */
  readonly identifiers: readonly Buffer[]
  /** Epoch milliseconds. */
  readonly at: number
}

export interface Positioned {
  readonly position: number
  readonly record: LogRecord
}

/** The side that takes events in. One writer per log. */
export interface LogWriter {
  /** Resolves once records and fences are on disk, in one group commit with whatever else waited. */
  append(records: readonly LogRecord[], fences: readonly Fence[]): Promise<void>
  /** The state has committed everything below `position`; these fences have done their work. */
  committed(position: number, fences: readonly string[]): void
  /** Removes fences of records that were re-driven or dismissed; expiry alone removes none. */
  releaseFences(fences: readonly string[]): void
  /** Bytes not yet purged. */
  size(): number
  /** Records not yet processed. */
  backlog(): number
  close(): void
}

/** The side that processes and delivers. Reads only. */
export interface LogReader {
  readonly logId: string
  /** Up to about `max` records from `position` on, in order. */
  read(position: number, max: number): Positioned[]
  /** The next position that will be written. */
  end(): number
  /** Fences that name one of these identifiers. */
  fencesFor(identifiers: readonly Uint8Array[]): Pick<Fence, 'id' | 'purposes'>[]
  close(): void
}
