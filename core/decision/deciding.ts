/** One decision under way: what it was asked, and what has come of it so far. Shared by clocks, gates and explanations. */
import { createHash } from 'node:crypto'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Closing, EnteredSessions, OpenProfile, OpenSequence, OpenTimer } from '../../schemas/profile.ts'
import type { BudgetUse } from './budget.ts'
import type { RuleView } from './compile.ts'
import type {
  CapUse,
  DecisionContext,
  DecisionResult,
  DeliveryDraft,
  DroppedTimer,
  Explanation,
  GoalCancel,
} from './decision.ts'
import type { CompiledRule, RuleSet } from './ruleset.ts'
import { DEFAULT_ZONE } from './windows.ts'

export interface Deciding {
  readonly state: OpenProfile
  readonly rules: RuleSet
  readonly context: DecisionContext
  readonly seq: number | undefined
  readonly nowMs: number
  timers: OpenTimer[]
  sequences: OpenSequence[]
  readonly crossed: Record<string, string>
  /** What conditions see, by purpose: made once for all rules of that purpose. */
  readonly views: Map<string, RuleView>
  readonly entries: Record<string, string[]>
  readonly sessions: EnteredSessions
  readonly closings: Record<string, Closing[]>
  readonly deliveries: DeliveryDraft[]
  readonly capUses: CapUse[]
  readonly budgetUses: BudgetUse[]
  readonly cancels: GoalCancel[]
  readonly explanations: Explanation[]
  readonly dropped: DroppedTimer[]
}

/** One instance of a rule about to be judged. */
export interface Instance {
  readonly compiled: CompiledRule
  readonly correlation: string
  readonly eventId: string
  /** Epoch ms of the trigger, or of the start of the clock. */
  readonly sinceMs: number
  /** Epoch ms from which `then.expires` says the action is not worth it any more. */
  readonly ripeMs: number
  readonly startedAt?: string
  /** The entry of `unless` that ended the wait, as written, where a branch answers to it. */
  readonly endedBy?: string
}

export function beginDecision(
  state: OpenProfile,
  rules: RuleSet,
  context: DecisionContext,
  seq: number | undefined,
): Deciding {
  return {
    state,
    rules,
    context,
    seq,
    nowMs: Date.parse(context.now),
    timers: [...state.timers],
    sequences: [...(state.sequences ?? [])],
    crossed: { ...state.crossed },
    views: new Map(),
    entries: { ...state.entries },
    sessions: { ...state.sessions },
    closings: { ...state.closings },
    deliveries: [],
    capUses: [],
    budgetUses: [],
    cancels: [],
    explanations: [],
    dropped: [],
  }
}

export function resultOf(deciding: Deciding): DecisionResult {
  const {
    timers,
    sequences,
    crossed,
    entries,
    sessions,
    closings,
    deliveries,
    capUses,
    budgetUses,
    cancels,
    explanations,
    dropped,
  } = deciding
  const wakeAt = timers.map((timer) => timer.graceUntil).sort()[0]
  return {
    timers,
    sequences,
    crossed,
    entries,
    sessions,
    closings,
    deliveries,
    capUses,
    budgetUses,
    cancels,
    explanations,
    dropped,
    ...(wakeAt !== undefined && { wakeAt }),
  }
}

/**
 * A rule sees the cart only when everything in it was collected for the rule's own purpose, and counts and traits of
 * that purpose alone. Of one decision there is one event, so that rules of the same purpose see the same.
 */
export function viewOf(deciding: Deciding, compiled: CompiledRule, event: CanonicalEvent | undefined): RuleView {
  const { purpose } = compiled.rule.unless
  const known = deciding.views.get(purpose)
  if (known) return known
  const { state, context, nowMs } = deciding
  const view = {
    now: nowMs,
    profile: seesCart(state, purpose) ? state : withoutCart(state),
    purpose,
    measuredAlready: new Map(),
    counted: state.counted?.[purpose] ?? {},
    measured: state.measured?.[purpose] ?? {},
    known: context.reachable(['userId', 'email', 'phone']),
    zones: {
      organization: context.zones?.organization ?? DEFAULT_ZONE,
      ...(state.zone?.purposes.includes(purpose) && { person: state.zone.name }),
    },
    ...(event && { event }),
  }
  deciding.views.set(purpose, view)
  return view
}

const seesCart = ({ cart }: OpenProfile, purpose: string) => !cart?.purposes || cart.purposes.includes(purpose)
const withoutCart = ({ cart: _, ...others }: OpenProfile): OpenProfile => others

export const cartIsEmpty = ({ state }: Pick<Deciding, 'state'>): boolean => (state.cart?.lines.length ?? 0) === 0

/** The last moments that were written out: rules that answer to one event write the same ones. */
const written: { readonly ms: number; readonly text: string }[] = []
/** A prime: moments of one event lie whole minutes apart. */
const WRITTEN = 61

export function iso(ms: number): string {
  const place = Math.trunc(Math.abs(ms)) % WRITTEN
  const known = written[place]
  if (known?.ms === ms) return known.text
  const text = new Date(ms).toISOString()
  written[place] = { ms, text }
  return text
}

/** 128 bits of SHA-256, hex. */
export const digest = (...parts: readonly (string | number)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
