/** For vendors that refuse a whole request for one item of it: halves, until the item that is wrong stands alone. */
import type { Outcome } from './define.ts'
import { AuthenticationError, RejectedError } from './errors.ts'

/**
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
        const reason = fault instanceof Error ? fault.message : ''
        if (fault instanceof RejectedError) return part.map(() => ({ status: 'rejected', reason }))
        if (fault instanceof AuthenticationError) return part.map(() => ({ status: 'authentication', reason }))
        throw fault
      }
    }
    return [...(await settled(items.slice(0, half))), ...(await settled(items.slice(half)))]
  }
}
