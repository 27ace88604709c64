/**
 * Runs one action of a connector over frozen payloads and says what became of each. Knows
 * nothing of storage, leases or clocks: the deliver stage, previews and contract tests share it.
 */
import type { AnyDestination, ItemContext, Outcome } from '../kit/define.ts'
import { AuthenticationError, RejectedError, RetryableError } from '../kit/errors.ts'
import {
  type ChangingHeaders,
  createHttp,
  HandOverRefused,
  type Http,
  type HttpOptions,
  type HttpResponse,
  judge,
} from '../kit/http.ts'

export type Item = ItemContext<Record<string, unknown>>

/**
 * `uncertain`: bytes may have reached the vendor and its answer was lost.
 * `refused`: the last look said no, nothing of this item's request left.
 */
export type ItemResult = (Outcome & { readonly uncertain?: true }) | { readonly status: 'refused' }

/** The token of a connected account. Each may throw CredentialsMissing: nothing was sent, and it waits. */
export interface Credentials {
  /** The one to use now. */
  token(): Promise<string>
  /** Another, after the vendor answered 401 to this one. */
  renewed(refused: string): Promise<string>
  /** The vendor refused a token that was just renewed: the account must be connected again. */
  refused(token: string): Promise<never>
}

/**
 * The connector's HTTP: its address, credentials and verdict over the given slot, last look and transport.
 * @param credentials of a connected account; absent: the settings hold what `authenticate` needs.
 */
export function connect(
  definition: AnyDestination,
  settings: unknown,
  {
    credentials,
    ...wires
  }: Pick<HttpOptions, 'slot' | 'lastLook' | 'transport'> & {
    readonly credentials?: Credentials | undefined
  },
): Http {
  return createHttp({
    baseUrl: typeof definition.baseUrl === 'string' ? definition.baseUrl : definition.baseUrl(settings),
    headers: credentials ? headersOf(definition, settings, credentials) : (definition.authenticate?.(settings) ?? {}),
    verdict: definition.verdict,
    ...wires,
  })
}

function headersOf(definition: AnyDestination, settings: unknown, credentials: Credentials): ChangingHeaders {
  // Requests of one batch may be on their way side by side.
  const tokens = new WeakMap<object, string>()
  const withToken = (token: string) => {
    const headers = { ...definition.authenticate?.({ ...(settings as object), accessToken: token }) }
    tokens.set(headers, token)
    return headers
  }
  return {
    next: async () => withToken(await credentials.token()),
    afterRefusal: async (refused) => withToken(await credentials.renewed(tokens.get(refused) ?? '')),
    refusedAgain: (refused) => credentials.refused(tokens.get(refused) ?? ''),
  }
}

/** Where a destination may send: its base address, and every host it declares. */
export function reachOf(definition: AnyDestination, settings: unknown): { origin: URL; hosts: readonly string[] } {
  const origin = new URL(typeof definition.baseUrl === 'string' ? definition.baseUrl : definition.baseUrl(settings))
  return { origin, hosts: [origin.host, ...(definition.hosts ?? [])] }
}

export interface Performance {
  readonly definition: AnyDestination
  readonly action: string
  /** Checked against the definition, defaults filled. */
  readonly settings: unknown
  readonly now: Date
  readonly items: readonly Item[]
  /** One Http per request group, so that its last look can ask for each item in it. */
  readonly http: (items: readonly Item[]) => Http
}

/**
 * Items of a batch action go in groups of at most `batch.max` items and `batch.maxBytes` of
 * JSON; those of a single action one after the other, in order.
 * @returns one result per item, in order. Never throws for what a vendor or a connector did.
 */
export async function performAction(performance: Performance): Promise<readonly ItemResult[]> {
  const { definition, settings, now, items } = performance
  const action = definition.actions[performance.action]
  if (!action) throw new Error(`${definition.id} has no action ${performance.action}`)
  const results: ItemResult[] = []
  for (const group of action.batch ? groups(items, action.batch) : items.map((item) => [item])) {
    const context = { http: performance.http(group), settings, now }
    try {
      if (action.performBatch) {
        const outcomes = await action.performBatch({ ...context, items: group })
        results.push(...(outcomes.length === group.length ? outcomes : group.map(() => MISCOUNTED)))
      } else {
        const answer = await action.perform({ ...context, ...group[0]! })
        results.push(isResponse(answer) ? (definition.verdict?.(answer) ?? judge(answer)) : answer)
      }
    } catch (error) {
      const result = resultOf(error)
      results.push(...group.map(() => result))
    }
  }
  return results
}

// Some may have been sent, and nobody knows which: by hand rather than twice.
const MISCOUNTED: ItemResult = { status: 'rejected', reason: 'connector fault (outcomes do not match items)' }

/** What a thrown error means for the items of its request. Only the kit's own errors carry a message on. */
export function resultOf(error: unknown): ItemResult {
  if (error instanceof HandOverRefused) return { status: 'refused' }
  if (error instanceof RetryableError)
    return {
      status: 'retry',
      reason: error.message,
      ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
      ...(error.uncertain && { uncertain: true as const }),
    }
  if (error instanceof AuthenticationError) return { status: 'authentication', reason: error.message }
  if (error instanceof RejectedError) return { status: 'rejected', reason: error.message }
  // A bug of the connector: its message may quote the payload, its class does not.
  return { status: 'rejected', reason: `connector fault (${error instanceof Error ? error.name : typeof error})` }
}

const isResponse = (answer: HttpResponse | Outcome): answer is HttpResponse => typeof answer.status === 'number'

function groups(items: readonly Item[], batch: { readonly max: number; readonly maxBytes?: number }): Item[][] {
  const all: Item[][] = []
  let bytes = 0
  for (const item of items) {
    const size = batch.maxBytes === undefined ? 0 : Buffer.byteLength(JSON.stringify(item.payload)) + 1
    const open = all.at(-1)
    if (open && open.length < batch.max && bytes + size <= (batch.maxBytes ?? 0)) {
      open.push(item)
      bytes += size
    } else {
      all.push([item])
      bytes = size
    }
  }
  return all
}
