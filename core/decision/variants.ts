/** Which variant of a message somebody gets. Pure. */
import type { Static } from 'typebox'
import type { Experiment } from '../../schemas/rule-gates.ts'
import { bucketOf } from './assign.ts'

export type Variant = NonNullable<Static<typeof Experiment>['variants']>[number]

/**
 * By a hash of its own (`variant:<seed>`), so that nobody's variant has to do with their arm. Shares are finer than
 * 0.01 % only in the sum: 10,000 buckets.
 */
export function assignVariant(personKey: string, variants: readonly Variant[], seed: string): Variant | undefined {
  const total = variants.reduce((sum, { weight }) => sum + weight, 0)
  const bucket = bucketOf(`variant:${seed}`, personKey) * total
  let start = 0
  for (const variant of variants) {
    start += variant.weight
    if (bucket < start) return variant
  }
  return variants.at(-1)
}

/** @param exposed the variant of the first exposure, which stays while the rule has it. */
export function variantOf(
  personKey: string,
  experiment: Static<typeof Experiment> | undefined,
  ruleId: string,
  exposed: string | undefined,
): Variant | undefined {
  const variants = experiment?.variants
  if (!variants) return undefined
  return variants.find(({ id }) => id === exposed) ?? assignVariant(personKey, variants, experiment.seed ?? ruleId)
}
