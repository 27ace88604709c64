/** What the HTTP side of the hub is given. It reads the state; writes go as commands to the process role. */
import type { Config } from '../../schemas/config.ts'
import type { ExitCode, StageName } from '../../schemas/exits.ts'
import type { WhyAnswer } from '../../schemas/why.ts'
import type { BacktestDesk } from '../backtests/jobs.ts'
import type { ExplainedJourney } from '../explain.ts'
import type { Registry } from '../kit/define.ts'
import type { LedgerSettings } from '../ledger/settings.ts'
import type { StateStore } from '../stores/open.ts'

/** One line of the live view: no identifier and no content of the event, only what happened to it. */
export interface LiveEvent {
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly kind: 'event' | 'delivery'
  /** Source id, or destination id for a delivery. */
  readonly origin: string
  readonly type: string
  readonly name: string
  readonly stage: StageName
  readonly code: ExitCode
  /** Canonical person id, when the event was kept. */
  readonly personId?: string
  readonly detail?: string
}

export interface LiveFeed {
  /** Newest last, at most 500. */
  recent(): readonly LiveEvent[]
  /** @returns a function that ends the subscription. */
  subscribe(listener: (events: readonly LiveEvent[]) => void): () => void
}

/** An admin act, run between batches by the process role and answered after its commit. */
export interface Command {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  /** Who acts: a user id, a token id or "cli". Goes to the access log. */
  readonly actor: string
}
/** The values commands may answer with cross a message port: plain data only. */
export type CommandResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string }

export interface ServerContext {
  readonly config: Config
  readonly registry: Registry
  readonly state: StateStore
  readonly ledger: LedgerSettings
  readonly live: LiveFeed
  /** By message id, event id, delivery id or quarantine id; undefined when nothing kept knows it. */
  explain(id: string): Promise<ExplainedJourney | undefined>
  /** One person and one published rule, by `id` or `id@version`. */
  why(person: string, rule: string): Promise<WhyAnswer | 'NOBODY' | 'NO_RULE'>
  readonly backtests: BacktestDesk
  run(command: Command): Promise<CommandResult>
}

/** A command's implementation; each admin area exports a map of these, which the process role merges. */
export type CommandHandlers = Readonly<
  Record<
    string,
    (
      args: Readonly<Record<string, unknown>>,
      context: { readonly state: StateStore; readonly actor: string; readonly now: number },
    ) => Promise<unknown>
  >
>

/** Thrown by a command handler: an answer for the person who asked, not a bug. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
