/** When to try again. Jittered exponential back-off; a vendor's Retry-After is obeyed. Pure. */

const FIRST_MS = 2_000
const LONGEST_MS = 60 * 60_000
/** A daily quota may ask for almost a day; more than that is a mistake of the vendor. */
const LONGEST_RETRY_AFTER_MS = 25 * 60 * 60_000

export const MAX_ATTEMPTS = 15
/** A wait that a vendor asks for, of this length or more, uses up no attempt of those. */
export const PATIENT_MS = 10 * 60_000
/** A delivery that could not be made for this long becomes a dead letter whatever its attempts. */
export const MAX_AGE_MS = 3 * 86_400_000

/**
 * @param attempt attempts made so far, at least 1.
 * @returns milliseconds from now.
 */
export function backoffMs(
  attempt: number,
  retryAfterMs: number | undefined,
  random: () => number = Math.random,
): number {
  if (retryAfterMs !== undefined) {
    const asked = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS)
    // Later than asked, never earlier: many deliveries wait for the same moment.
    return Math.round(asked + random() * Math.max(1_000, asked * 0.05))
  }
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1))
  return Math.round(ceiling / 2 + (random() * ceiling) / 2)
}
