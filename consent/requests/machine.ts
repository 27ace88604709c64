/**
 * The states of a request, as a pure function. An act that is not possible is answered with why; it
 * never throws and never changes anything.
 */
import type { Assurance, RefusalGround, RequestKind, RequestState, Right } from '../../schemas/requests.ts'
import { isAssured, RIGHT_RULES } from './rights.ts'

export interface RequestFacts {
  readonly kind: RequestKind
  readonly right: Right | null
  readonly state: RequestState
  readonly assurance: Assurance
  readonly ground: RefusalGround | null
  readonly outcome: 'done' | 'nothing_held' | 'partly_kept' | null
}

export type RequestAct =
  /** Somebody is asked to prove who they are. */
  | { readonly act: 'ask_identity' }
  | { readonly act: 'identify'; readonly assurance: Assurance }
  /** The person was told that it arrived, and until when. */
  | { readonly act: 'acknowledge' }
  | { readonly act: 'collect' }
  /** A plan lies ready: what would be done, what kept, who is told. */
  | { readonly act: 'plan' }
  | { readonly act: 'execute'; readonly approved: boolean }
  /** The hub has done its part; `open` recipients have not answered yet. */
  | { readonly act: 'progress'; readonly open: number }
  | { readonly act: 'answer'; readonly outcome: 'done' | 'nothing_held' | 'partly_kept'; readonly open: number }
  | { readonly act: 'refuse'; readonly ground: RefusalGround }
  | { readonly act: 'withdraw' }

export type Moved =
  | { readonly ok: true; readonly facts: RequestFacts; readonly changed: boolean }
  | {
      readonly ok: false
      readonly code: 'CLOSED' | 'IDENTITY_NEEDED' | 'NOT_APPROVED' | 'OUT_OF_ORDER' | 'RECIPIENTS_OPEN'
    }

export const CLOSED: ReadonlySet<RequestState> = new Set(['answered', 'refused', 'withdrawn'])
export const isClosed = (state: RequestState): boolean => CLOSED.has(state)

const FROM: Readonly<Record<RequestAct['act'], readonly RequestState[]>> = {
  ask_identity: ['received', 'identity'],
  identify: ['received', 'identity', 'acknowledged', 'collecting', 'approval'],
  acknowledge: ['received', 'identity', 'acknowledged'],
  collect: ['acknowledged', 'approval', 'collecting'],
  plan: ['acknowledged', 'collecting', 'approval'],
  execute: ['acknowledged', 'collecting', 'approval', 'executing', 'partially_done'],
  progress: ['executing', 'partially_done'],
  answer: ['received', 'identity', 'acknowledged', 'collecting', 'approval', 'executing', 'partially_done'],
  refuse: ['received', 'identity', 'acknowledged', 'collecting', 'approval'],
  // What was carried out cannot be taken back.
  withdraw: ['received', 'identity', 'acknowledged', 'collecting', 'approval'],
}

/** @param approval whether this right waits for an officer (configuration). */
export function move(facts: RequestFacts, act: RequestAct, approval: boolean): Moved {
  if (isClosed(facts.state)) {
    // The same end a second time is no error and no news.
    const again =
      (act.act === 'answer' && facts.state === 'answered') ||
      (act.act === 'refuse' && facts.state === 'refused' && facts.ground === act.ground) ||
      (act.act === 'withdraw' && facts.state === 'withdrawn')
    return again ? { ok: true, facts, changed: false } : { ok: false, code: 'CLOSED' }
  }
  if (!FROM[act.act].includes(facts.state)) return { ok: false, code: 'OUT_OF_ORDER' }
  const to = (state: RequestState, more: Partial<RequestFacts> = {}): Moved => {
    const next = { ...facts, state, ...more }
    return { ok: true, facts: next, changed: JSON.stringify(next) !== JSON.stringify(facts) }
  }
  const known = facts.kind === 'authority' || (facts.right !== null && isAssured(facts.right, facts.assurance))
  switch (act.act) {
    case 'ask_identity':
      return to('identity')
    case 'identify':
      return to(facts.state === 'received' ? 'identity' : facts.state, { assurance: act.assurance })
    case 'acknowledge':
      return known ? to('acknowledged') : { ok: false, code: 'IDENTITY_NEEDED' }
    case 'collect':
      return to('collecting')
    case 'plan':
      return to('approval')
    case 'execute':
      if (!known) return { ok: false, code: 'IDENTITY_NEEDED' }
      if (facts.state === 'executing' || facts.state === 'partially_done') return to(facts.state)
      return approval && !act.approved ? { ok: false, code: 'NOT_APPROVED' } : to('executing')
    case 'progress':
      return act.open > 0 ? to('partially_done') : to('executing')
    case 'answer':
      // To strangers nothing is confirmed, not even that nothing is there.
      if (!known) return { ok: false, code: 'IDENTITY_NEEDED' }
      if (act.open > 0) return { ok: false, code: 'RECIPIENTS_OPEN' }
      if (act.outcome !== 'nothing_held' && needsExecution(facts) && !started(facts.state))
        return { ok: false, code: 'OUT_OF_ORDER' }
      return to('answered', { outcome: act.outcome })
    case 'refuse':
      return to('refused', { ground: act.ground })
    case 'withdraw':
      return to('withdrawn')
  }
}

const started = (state: RequestState) => state === 'executing' || state === 'partially_done'

/** Erasure, correction and the like are not answered by words alone. */
function needsExecution({ kind, right }: RequestFacts): boolean {
  return kind === 'subject' && right !== null && RIGHT_RULES[right].approval !== 'none' && right !== 'review'
}

/** Acts a person may choose from now. */
export function possibleActs(facts: RequestFacts): RequestAct['act'][] {
  if (isClosed(facts.state)) return []
  return (Object.keys(FROM) as RequestAct['act'][]).filter((act) => FROM[act].includes(facts.state))
}
