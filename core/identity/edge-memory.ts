/**
 * Which edges are written already, so that evidence that comes with every event costs no row each time. Forgetting is
 * harmless: the edge is offered to the table once more, and the table keeps the first.
 */
export interface EdgeMemory {
  /** Strength and refusal belong to it: a login says more than an event, and a join more than a refusal. */
  has(key: string): boolean
  add(key: string): void
}

const GENERATION = 50_000

/** The newer half survives: two generations, the older of which is dropped when the newer one is full. */
export function createEdgeMemory(generation = GENERATION): EdgeMemory {
  let fresh = new Set<string>()
  let old = new Set<string>()
  return {
    has: (key) => fresh.has(key) || old.has(key),
    add(key) {
      if (fresh.size >= generation) {
        old = fresh
        fresh = new Set()
      }
      fresh.add(key)
    },
  }
}

/** @param a smaller node id. */
export const edgeKey = (a: string, b: string, strength: string, refused: string | null): string =>
  `${a}${b}${refused === null ? strength : '!'}`
