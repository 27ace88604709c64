/** When inputs came, as far as history tells: a hub that is never late takes each at that moment. */
import type { Step } from './history.ts'

/** What the hub did when it looked: under another clock it looks at other times. */
export const OF_THE_CLOCK: ReadonlySet<Step['kind']> = new Set(['wake', 'schedule', 'measured', 'separated'])

/**
 * When the input came, or an answer or a re-drive released it, in epoch milliseconds; `at` says when the hub took it. What came with an
 * event came then.
 */
export function cameAt(step: Step, beside: ReadonlyMap<Step, number>): number {
  if (step.kind === 'event') return step.sealed.releasedAt ?? step.sealed.redrivenAt ?? step.row.received_at
  if (step.kind === 'passing') return step.row.received_at
  if (step.kind === 'entry' && step.entry.draft) return Math.min(step.at, Date.parse(step.entry.draft.receivedAt))
  return beside.get(step) ?? step.at
}

/** Inputs that were written in the transaction of an event after them, and when that came. */
export function besideEvents(steps: readonly Step[]): ReadonlyMap<Step, number> {
  const beside = new Map<Step, number>()
  let event: { readonly at: number; readonly came: number } | undefined
  for (const step of steps.toReversed()) {
    if (step.kind === 'event' || step.kind === 'passing')
      event = { at: step.at, came: Math.min(step.at, cameAt(step, beside)) }
    else if (event?.at === step.at && step.kind !== 'entry') beside.set(step, event.came)
  }
  return beside
}
