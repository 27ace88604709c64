/** Making a simulated vendor fail on purpose: what was ordered by `POST /_chaos`, and what becomes of one request. */
import type { SandboxAnswer } from '../core/testing/sandbox.ts'

/**
 * A status is answered as the vendor would in trouble; `timeout` takes the request and never answers, `hang` neither
 * takes nor answers, `lie` answers 200 and has taken nothing.
 */
export const FAILURES = [429, 500, 401, 'timeout', 'hang', 'lie'] as const
export type Failure = (typeof FAILURES)[number]

export interface ChaosOrder {
  readonly connector: string
  /** Absent: only slower. */
  readonly fail?: Failure
  /** Share of requests it happens to, 0 to 1. */
  readonly rate: number
  readonly latencyMs: number
  /** Milliseconds until all is well again by itself; absent: until told. */
  readonly forMs?: number
}

export interface Chaos {
  /** @returns the order, or what is wrong with it in both languages. */
  order(body: unknown): ChaosOrder | { readonly error: string }
  /** What happens to the next request of this vendor: undefined when nothing does. */
  strike(connector: string): { readonly fail?: Failure; readonly latencyMs: number } | undefined
  standing(): readonly ChaosOrder[]
}

/** @param random numbers in [0, 1), so that a test knows which requests fail. */
export function createChaos(connectors: readonly string[], random: () => number = Math.random): Chaos {
  const orders = new Map<string, { order: ChaosOrder; until: number }>()
  const current = (connector: string) => {
    const found = orders.get(connector)
    if (found && found.until <= Date.now()) orders.delete(connector)
    return orders.get(connector)?.order
  }
  return {
    order(body) {
      const read = readOrder(body, connectors)
      if ('error' in read) return read
      if (read.fail === undefined && read.latencyMs === 0) orders.delete(read.connector)
      else orders.set(read.connector, { order: read, until: Date.now() + (read.forMs ?? Number.POSITIVE_INFINITY) })
      return read
    },
    strike(connector) {
      const order = current(connector)
      if (!order || random() >= order.rate) return undefined
      return { latencyMs: order.latencyMs, ...(order.fail !== undefined && { fail: order.fail }) }
    },
    standing: () => connectors.map(current).filter((order) => order !== undefined),
  }
}

function readOrder(body: unknown, connectors: readonly string[]): ChaosOrder | { error: string } {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    return { error: 'Envie um objeto JSON. / Send a JSON object.' }
  const { connector, fail, rate = 1, latencyMs = 0, forMs, ...unknown } = body as Record<string, unknown>
  if (typeof connector !== 'string' || !connectors.includes(connector))
    return { error: `connector: ${connectors.join(' | ')}` }
  if (fail !== undefined && fail !== null && !FAILURES.includes(fail as Failure))
    return { error: `fail: ${FAILURES.join(' | ')} | null` }
  if (typeof rate !== 'number' || !(rate >= 0 && rate <= 1)) return { error: 'rate: 0 … 1' }
  if (!isMilliseconds(latencyMs)) return { error: 'latencyMs: 0 … 600000' }
  if (forMs !== undefined && !isMilliseconds(forMs)) return { error: 'forMs: 0 … 600000' }
  const [extra] = Object.keys(unknown)
  if (extra !== undefined) return { error: `${extra.slice(0, 40)}: connector, fail, rate, latencyMs, forMs` }
  return {
    connector,
    rate,
    latencyMs,
    ...(fail !== undefined && fail !== null && { fail: fail as Failure }),
    ...(forMs !== undefined && { forMs }),
  }
}

const isMilliseconds = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 600_000

/** What a vendor that struggles says in general; its own words for its own errors are in its sandbox. */
export function troubled(fail: 429 | 500 | 401): SandboxAnswer {
  if (fail === 429)
    return { status: 429, headers: { 'retry-after': '2' }, body: { error: 'rate limit exceeded (simulated)' } }
  if (fail === 401) return { status: 401, body: { error: 'credentials are not valid (simulated)' } }
  return { status: 500, body: { error: 'internal error (simulated)' } }
}

/** 200 in the vendor's own form, with nothing taken. */
export function lie(connector: string): SandboxAnswer {
  if (connector === 'meta') return { status: 200, body: { events_received: 0, messages: [], fbtrace_id: 'simulated' } }
  return { status: 200, body: { ok: false, error: 'maintenance (simulated)' } }
}
