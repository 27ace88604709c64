/**
 * Writes made by a vendor's own SDK. The SDK builds the request, `Http.send` carries it; what comes
 * of it travels through the SDK as the error that its per-event answer hands back.
 */
import type { Outcome } from './define.ts'
import { type Http, type HttpRequest, type HttpResponse, judge } from './http.ts'

/** An answer that is no success. Its message says nothing, because an SDK may log it. */
class NotTaken extends Error {
  override readonly name = 'NotTaken'
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    super('not taken')
    this.outcome = outcome
  }
}

export interface SdkExchange {
  /** For the SDK's transport: gives back a success and throws everything else, so that no SDK follows or waits by itself. */
  readonly exchange: (request: HttpRequest) => Promise<HttpResponse>
  /**
   * What became of one event.
   * @param error what the SDK says about it; undefined or null when nothing is wrong.
   * @throws what `Http.send` threw: HandOverRefused, RetryableError or RejectedError, for the whole batch.
   */
  readonly outcomeOf: (error: unknown) => Outcome
}

/** One per batch. */
export function sdkExchange(http: Http): SdkExchange {
  let taken: Outcome | undefined
  const thrown = new Set<unknown>()
  return {
    async exchange({ headers, ...request }) {
      let response: HttpResponse
      try {
        response = await http.send({
          ...request,
          headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
        })
      } catch (error) {
        thrown.add(error)
        throw error
      }
      const outcome = judge(response)
      if (outcome.status !== 'delivered') throw new NotTaken(outcome)
      taken = outcome
      return response
    },
    outcomeOf(error) {
      if (error instanceof NotTaken) return error.outcome
      if (thrown.has(error)) throw error
      // The SDK's own words may quote the event.
      if (error !== undefined && error !== null)
        return { status: 'rejected', reason: "the vendor's SDK refused the event" }
      return taken ?? { status: 'rejected', reason: "the vendor's SDK sent nothing" }
    },
  }
}
