/**
 * A withdrawal counts from the moment it is answered 200, before it is processed: a fence row stands
 * in for it until then. Permit reads fences first, status second.
 */
import type { ConsentSignal } from '../schemas/consent.ts'
import { evidenceClassOf, isRestrictive } from './status.ts'

/** Purpose ids, or all of them. */
export type FencedPurposes = readonly string[] | '*'

/**
 * @returns the purposes these signals withdraw; undefined: nothing to fence. A default that nobody
 * answered withdraws nothing (status.ts gives it no force either).
 */
export function fenceOf(signals: readonly ConsentSignal[]): FencedPurposes | undefined {
  let purposes: string[] | undefined
  for (const signal of signals) {
    if (!isRestrictive(signal.action) || evidenceClassOf(signal) === 'invalid') continue
    if (signal.purpose === '*') return '*'
    if (!purposes) purposes = [signal.purpose]
    else if (!purposes.includes(signal.purpose)) purposes.push(signal.purpose)
  }
  return purposes
}

/** The part of a fence row that a gate reads; rows are found by identifier HMAC. */
export interface Fence {
  readonly purposes: FencedPurposes
}

export function fenceBlocks(fences: readonly Fence[], purpose: string): boolean {
  for (const { purposes } of fences) if (purposes === '*' || purposes.includes(purpose)) return true
  return false
}
