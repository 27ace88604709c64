/** Batches whose items do not share one fate. */
import type { Outcome } from './define.ts'
import { AuthenticationError, RejectedError, RetryableError } from './errors.ts'

/**
 * One request per group, for vendors whose request is about one list. Groups do not share their errors.
 * Use this only where a repeat of what was taken does no harm.
 * @returns one outcome per item, in the order of the items.
 */
export async function inGroups<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  send: (items: readonly T[], key: string) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const groups = Map.groupBy(items, keyOf)
  const [only] = groups.keys()
  if (groups.size === 1) return send(items, only!)
  const outcomes = new Map<T, Outcome>()
  for (const [key, group] of groups) {
    const answers = await send(group, key).catch((error: unknown) => group.map(() => outcomeOf(error)))
    group.forEach((item, index) => {
      outcomes.set(item, answers[index] ?? { status: 'rejected', reason: 'no outcome of this item' })
    })
  }
  return items.map((item) => outcomes.get(item)!)
}

function outcomeOf(error: unknown): Outcome {
  const reason = error instanceof Error ? error.message : ''
  if (error instanceof RetryableError)
    return {
      status: 'retry',
      reason,
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
    }
  if (error instanceof AuthenticationError) return { status: 'authentication', reason }
  if (error instanceof RejectedError) return { status: 'rejected', reason }
  throw error
}

/**
 * For vendors that refuse a whole request for one item of it: halves, until the item that is wrong stands alone.
 * @param send one request; throws RejectedError when the vendor refused it.
 * @param divisible whether the refusal may be due to one item. Absent: every RejectedError.
 * @returns one outcome per item, in order. The first request's other errors are thrown; those of a half are
 * the outcome of that half, because its sibling may have been taken. A retryable error of a half is thrown:
 * use this only where a repeat of what was taken does no harm.
 */
export async function bisect<T>(
  items: readonly T[],
  send: (items: readonly T[]) => Promise<readonly Outcome[]>,
  divisible: (error: RejectedError) => boolean = () => true,
): Promise<readonly Outcome[]> {
  try {
    return await send(items)
  } catch (error) {
    if (!(error instanceof RejectedError) || !divisible(error)) throw error
    if (items.length === 1) return [{ status: 'rejected', reason: error.message }]
    const half = Math.ceil(items.length / 2)
    const settled = async (part: readonly T[]): Promise<readonly Outcome[]> => {
      try {
        return await bisect(part, send, divisible)
      } catch (fault) {
        if (fault instanceof RetryableError) throw fault
        const outcome = outcomeOf(fault)
        return part.map(() => outcome)
      }
    }
    return [...(await settled(items.slice(0, half))), ...(await settled(items.slice(half)))]
  }
}
