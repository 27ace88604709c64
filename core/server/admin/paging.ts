/** Pages by key, not by offset: rows that arrive meanwhile neither repeat nor hide others. */
import { Refusal } from './route.ts'

export interface PageKey {
  readonly at: number
  readonly id: string
}

export function pageLimit(limit: string | undefined): number {
  return limit === undefined ? 50 : Number(limit)
}

export function encodeCursor(key: PageKey): string {
  return Buffer.from(JSON.stringify([key.at, key.id])).toString('base64url')
}

export function decodeCursor(cursor: string | undefined): PageKey | undefined {
  if (cursor === undefined) return undefined
  try {
    const [at, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    if (Number.isSafeInteger(at) && typeof id === 'string') return { at: at as number, id }
  } catch {
    // Refused below.
  }
  throw new Refusal(400, 'INVALID', 'The cursor is not one this hub gave. Start again without "after".', {
    path: '/after',
  })
}

/** One row more than asked for tells whether there is a next page. */
export function page<T>(
  rows: readonly T[],
  limit: number,
  key: (row: T) => PageKey,
): { items: T[]; next: string | null } {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? encodeCursor(key(last)) : null }
}

/** Milliseconds of an ISO time, or the fallback. */
export function timeOf(value: string | undefined, fallback: number): number {
  return value === undefined ? fallback : Date.parse(value)
}
