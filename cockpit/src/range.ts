export const RANGES = {
  '15m': 15 * 60_000,
  '1h': 3_600_000,
  '6h': 6 * 3_600_000,
  '24h': 86_400_000,
  '7d': 7 * 86_400_000,
} as const
export type Range = keyof typeof RANGES

export function isRange(value: unknown): value is Range {
  return typeof value === 'string' && Object.hasOwn(RANGES, value)
}

/** Whole minutes, so that the last bar is the minute now running. */
export function rangeQuery(range: Range, now = Date.now()): { from: string; to: string } {
  const to = Math.ceil((now + 1) / 60_000) * 60_000
  return { from: new Date(to - RANGES[range]).toISOString(), to: new Date(to).toISOString() }
}
