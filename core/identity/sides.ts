/** Who a person becomes when evidence is taken back. Pure. */
import { components, type Tie, wayBetween } from './components.ts'

export interface Sides {
  /** Node ids; the side that keeps the id of the person first. Fewer than two: nobody is taken apart. */
  readonly sides: readonly (readonly string[])[]
  /** What still holds both ends of the first taken edge together. */
  readonly stillBy: readonly Tie[]
}

/**
 * @param standing the edges that are not refused.
 * Nodes that no edge ever held, such as those that outlive an erasure, stay where the id stays.
 */
export function sidesWithout(
  personId: string,
  nodeIds: readonly string[],
  standing: readonly Tie[],
  gone: readonly Tie[],
): Sides {
  const isGone = ({ a, b }: Tie) => gone.some((edge) => edge.a === a && edge.b === b)
  const left = standing.filter((edge) => !isGone(edge))
  const before = components(nodeIds, standing)
  const after = components(nodeIds, left)
  const ends = new Set(gone.flatMap(({ a, b }) => [a, b]))
  const touched = before.filter((component) => component.some((id) => ends.has(id)))
  const parts = after.filter((part) => touched.some((component) => component.includes(part[0]!)))
  const rest = after.filter((part) => !parts.includes(part)).flat()
  if (parts.length <= touched.length)
    return { sides: [[...nodeIds]], stillBy: gone[0] ? wayBetween(gone[0].a, gone[0].b, left) : [] }
  const keeps = parts.find((part) => part.includes(personId)) ?? parts[0]!
  return { sides: [[...keeps, ...rest].sort(), ...parts.filter((part) => part !== keeps)], stillBy: [] }
}
