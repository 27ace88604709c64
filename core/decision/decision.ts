/** What goes into a decision and what comes out. Plain data; `evaluate.ts` is the function between. */
import type { Arm, LaneKind } from '../../schemas/delivery.ts'
import type { CanonicalEvent, IdentifierType } from '../../schemas/event.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { Closing, EnteredSessions, OpenSequence, OpenTimer } from '../../schemas/profile.ts'
import type { BudgetBook, BudgetUse } from './budget.ts'
import type { Clause } from './compile.ts'
import type { OfferBook } from './offers.ts'

export type DecisionInput =
  | { readonly kind: 'event'; readonly event: CanonicalEvent; readonly seq: number }
  | {
      readonly kind: 'timer'
      readonly rule: string
      readonly correlation: string
      readonly dueAt: string
      readonly seq?: number
      /** The start event, when the rule `readsStartEvent`; without it its fields count as missing. */
      readonly event?: CanonicalEvent
    }
  | OtherInput

/** A person came into an audience or left it. */
export interface AudienceInput {
  readonly kind: 'audience'
  readonly audience: string
  readonly change: 'entered' | 'left'
  /** ISO 8601, UTC. */
  readonly at: string
  readonly seq: number
  /** What caused it, if an event did. */
  readonly event?: CanonicalEvent
}

export interface ScoreInput {
  readonly kind: 'score'
  readonly score: string
  /** Undefined: there was none. */
  readonly from: number | undefined
  readonly to: number
  readonly at: string
  readonly seq: number
  readonly event?: CanonicalEvent
}

/** It is time for one rule. */
export interface ScheduleInput {
  readonly kind: 'schedule'
  readonly rule: string
  /** Every version when absent. */
  readonly version?: number
  /** The moment it was for, ISO 8601, UTC. */
  readonly slot: string
  readonly seq: number
}

/** Somebody asks what to do for this person now. */
export interface RequestInput {
  readonly kind: 'request'
  /** The name in `when.request`. */
  readonly request: string
  readonly at: string
  readonly seq: number
}

/** What is neither an event nor a timer. */
export type OtherInput = AudienceInput | ScoreInput | ScheduleInput | RequestInput

export interface ConsentAnswer {
  readonly granted: boolean
  /** Ledger entry the answer rests on. */
  readonly entryId?: string
  /** Why not, when not granted. */
  readonly code?: ExitCode
  /** The word of the policy table for it, e.g. consent_revoked. */
  readonly reason?: string
}

export interface ActionFacts {
  readonly channel?: string
  readonly kind: LaneKind
  /** Any one of these must be known; empty: none is needed. */
  readonly identifier: readonly IdentifierType[]
}

export interface DecisionContext {
  /** ISO 8601, UTC. */
  readonly now: string
  /** Canonical person id. */
  readonly personKey: string
  readonly holdout: { readonly globalHoldout: number; readonly globalSeed: string }
  /** The arm of this person's first exposure to the rule, which stays; `multiple` after a merge of two. */
  armOf?(rule: string): Arm | 'multiple' | undefined
  consent(purpose: string): ConsentAnswer
  reachable(identifiers: readonly IdentifierType[]): boolean
  /**
   * Times (ISO) this person's cap of that key was used: "person", "channel:<channel>", "rule:<id>".
   * Reservations of earlier decisions in the same transaction included.
   */
  capUses(key: string): readonly string[]
  /**
   * Why this version does nothing for this person now: paused, killed, not published to them. Nothing is refused
   * when absent. @param running an instance that began earlier.
   */
  refusal?(rule: string, version: number, running: boolean): ExitCode | undefined
  /** The variant of this person's first exposure to the rule, which stays. */
  variantOf?(rule: string): string | undefined
  /** The purpose is a contract: what it sends is owed to the person. */
  transactional?(purpose: string): boolean
  /** Offers as they are given out; there are none when absent. */
  readonly offers?: OfferBook
  /** Budgets as they are spent; rules have none when absent. */
  readonly budgets?: BudgetBook
  /** IANA name: the clock of the organization; America/Sao_Paulo when absent. The person's own is in the profile. */
  readonly zones?: { readonly organization: string }
  /** Undefined when the destination or action does not exist. */
  actionOf(destination: string, action: string): ActionFacts | undefined
}

export interface DeliveryDraft {
  /** Same inputs, same id: a replay or a second worker writes the same row. */
  readonly id: string
  readonly destination: string
  readonly action: string
  readonly purpose: string
  readonly channel?: string
  readonly kind: LaneKind
  readonly rule: string
  readonly version: number
  readonly arm: Arm
  /** Of a version in `test`: whoever tries it out is sent it and is in no arm of the rule, then or later. */
  readonly trial?: true
  /** Only of whoever is treated. */
  readonly variant?: string
  /** Only of whoever is treated does it use up a code or a limit. */
  readonly offer?: string
  /** When it may leave; now when absent. */
  readonly dueAt?: string
  /** The event that triggered the rule or started its clock: what the payload is mapped from. */
  readonly eventId: string
  readonly correlation: string
  readonly with: Readonly<Record<string, unknown>>
  readonly expiresAt?: string
  readonly entryId?: string
  /** When that event happened: pass it to `goalReached`. */
  readonly since: string
}

export interface CapUse {
  readonly key: string
  readonly at: string
  readonly deliveryId: string
  /** Reserved for somebody who is held out. Counts like any other, or the arms would differ. */
  readonly shadow: boolean
}

export type DecisionOutcome = ExitCode | 'ENQUEUED' | 'ARMED' | 'RESET' | 'CANCELLED'

export interface Explanation {
  /** Of one that was read back: where it is stored. */
  readonly id?: string
  readonly rule: string
  readonly version: number
  readonly hash: string
  readonly eventId: string
  readonly correlation: string
  readonly seq?: number
  readonly at: string
  /** Absence rules: when the clock started. */
  readonly startedAt?: string
  readonly result: DecisionOutcome
  /** Of a shadow, whose result is SHADOW: what it would have been. */
  readonly would?: DecisionOutcome
  readonly clauses: readonly Clause[]
  readonly arm?: Arm
  readonly variant?: string
  /** What went with it, or would have. */
  readonly offer?: string
  /** It waits until then: quiet hours, a holiday, a window or a chosen time. */
  readonly heldUntil?: string
  readonly entryId?: string
  readonly deliveryIds: readonly string[]
  /** Actions of this decision that were left out, and why. */
  readonly skipped: readonly SkippedAction[]
  /** The trigger fired and the person did not match: keep the newest, and count `failed`. */
  readonly latestOnly: boolean
  /** Ids of clauses that did not hold. */
  readonly failed: readonly string[]
}

export interface DroppedTimer {
  readonly rule: string
  readonly version: number
  readonly correlation: string
  readonly reason: 'VERSION_NOT_LOADED'
}

export interface GoalCancel {
  readonly rule: string
  readonly reason: 'GOAL_REACHED'
  /** When the goal happened: a delivery whose `since` is later belongs to a new story and stays. */
  readonly at: string
}

export interface SkippedAction {
  readonly destination: string
  readonly action: string
  readonly code: ExitCode
}

export interface DecisionResult {
  readonly timers: OpenTimer[]
  readonly entries: Record<string, string[]>
  readonly sessions: EnteredSessions
  readonly closings: Record<string, Closing[]>
  readonly sequences: OpenSequence[]
  /** Score rules that wait for their score to come back: the time they fired. */
  readonly crossed: Record<string, string>
  readonly deliveries: DeliveryDraft[]
  /** Reservations to write; released when their delivery is blocked. */
  readonly capUses: CapUse[]
  /** Parts of budgets to take; given back when their delivery is blocked. */
  readonly budgetUses: BudgetUse[]
  /** What to cancel among this person's open deliveries; never `deliveries` of this same result. */
  readonly cancels: GoalCancel[]
  readonly explanations: Explanation[]
  readonly dropped: DroppedTimer[]
  /**
   * When the earliest timer may fire. On an event keep the stored wake-up if it is earlier; after firing
   * all that was due, store this.
   */
  readonly wakeAt?: string
}
