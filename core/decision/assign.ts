/**
 * Who is held out. Assignment is GrowthBook's hash, version 2, so that anybody can recompute an arm
 * from the person's id, the seed and the shares:
 * https://docs.growthbook.io/lib/build-your-own#hashing (10,000 buckets: shares finer than 0.01 % are rounded).
 */
import type { Arm } from '../../schemas/delivery.ts'

/** FNV-1a, 32 bits, over UTF-16 code units as GrowthBook does: hash ASCII ids only. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** A number in [0, 1) that is the same for ever for this seed and value. */
export function bucketOf(seed: string, value: string): number {
  return (fnv1a32(`${fnv1a32(seed + value)}`) % 10_000) / 10_000
}

export interface AssignmentSettings {
  /** Share of people who get nothing from any rule with `holdout: global`; 0 when the rule does not ask for it. */
  readonly globalHoldout: number
  readonly globalSeed: string
  /** Share of the rest who are this rule's control. */
  readonly control: number
  readonly seed: string
}

/**
 * The two questions are hashed as `holdout:<globalSeed>` and `control:<seed>`, so that they are
 * independent even when somebody configures the same word for both.
 */
export function assignArm(personKey: string, settings: AssignmentSettings): Arm {
  if (settings.globalHoldout > 0 && bucketOf(`holdout:${settings.globalSeed}`, personKey) < settings.globalHoldout)
    return 'holdout'
  if (settings.control > 0 && bucketOf(`control:${settings.seed}`, personKey) < settings.control) return 'control'
  return 'treated'
}
