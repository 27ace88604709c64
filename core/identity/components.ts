/** Which nodes are one person by the edges that stand. Breadth first: what was joined by union cannot be parted by it. */
export interface Tie {
  readonly a: string
  readonly b: string
}

/** @returns node ids, each component sorted, the component with the smallest id first. */
export function components(nodeIds: readonly string[], edges: readonly Tie[]): string[][] {
  const neighbours = new Map<string, string[]>(nodeIds.map((id) => [id, []]))
  for (const { a, b } of edges) {
    // An edge to somebody outside ties nobody inside.
    if (!neighbours.has(a) || !neighbours.has(b)) continue
    neighbours.get(a)!.push(b)
    neighbours.get(b)!.push(a)
  }
  const reached = new Set<string>()
  const found: string[][] = []
  for (const start of [...nodeIds].sort()) {
    if (reached.has(start)) continue
    const component = [start]
    reached.add(start)
    for (const id of component)
      for (const next of neighbours.get(id)!)
        if (!reached.has(next)) {
          reached.add(next)
          component.push(next)
        }
    found.push(component.sort())
  }
  return found
}

/** The edges of a shortest way from one node to another; empty when there is none. */
export function wayBetween(from: string, to: string, edges: readonly Tie[]): Tie[] {
  const cameBy = new Map<string, Tie | undefined>([[from, undefined]])
  const queue = [from]
  for (const id of queue) {
    if (id === to) break
    for (const edge of edges) {
      const next = edge.a === id ? edge.b : edge.b === id ? edge.a : undefined
      if (next === undefined || cameBy.has(next)) continue
      cameBy.set(next, edge)
      queue.push(next)
    }
  }
  const way: Tie[] = []
  let id = to
  for (let edge = cameBy.get(id); edge; edge = cameBy.get(id)) {
    way.unshift(edge)
    id = edge.a === id ? edge.b : edge.a
  }
  return way
}
