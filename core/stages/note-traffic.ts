/** What a source page shows besides exits: how far clocks were off, and how many events each purpose wanted. */
import { SKEW_STEPS, type SkewStep } from '../../schemas/sources.ts'
import type { Batch } from './batch.ts'
import type { Fresh } from './deduplicate.ts'

export const skewStep = (skewMs: number): SkewStep => {
  const size = Math.abs(skewMs)
  const step = SKEW_STEPS.find(({ below }) => size < below)!
  return step.id
}

/** Counted by the size of the correction: a clock that runs ahead is as wrong as one that lags. */
export function noteSkew({ input: { record } }: Fresh, batch: Batch): void {
  if (record.skewMs !== undefined) batch.count(`skew:${record.event.source.id}`, skewStep(record.skewMs))
}

/** Beside the events nobody answered for (`consent_gaps`): what those are a part of. */
export function noteWanted(
  sourceId: string,
  purposes: readonly { readonly id: string; readonly basis: string }[],
  batch: Batch,
): void {
  for (const { id, basis } of purposes) if (basis === 'consent') batch.count(`wanted:${sourceId}`, id)
}
