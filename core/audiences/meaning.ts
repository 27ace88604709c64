/** What a definition means, apart from how it is called: only another meaning makes anybody be looked at again. */
import { createHash } from 'node:crypto'

/** Words for people, and where a model comes from. */
const WORDS: ReadonlySet<string> = new Set(['title', 'description', 'calibration', 'training'])

/** SHA-256 in hex; the same for definitions that differ in their words or in the order of their fields. */
export const meaningHash = (definitions: readonly Readonly<Record<string, object>>[]): string =>
  createHash('sha256')
    .update(JSON.stringify(definitions.map((of) => mapped(of, (one) => ordered(wordless(one))))))
    .digest('hex')

const wordless = (one: object) => Object.fromEntries(Object.entries(one).filter(([name]) => !WORDS.has(name)))

/** Fields by name at every depth; what stands in a list keeps its place. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  return typeof value === 'object' && value !== null ? mapped(value, ordered) : value
}

const mapped = <T>(of: Readonly<Record<string, T>> | object, change: (one: T) => unknown) =>
  Object.fromEntries(
    Object.entries(of as Record<string, T>)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, change(one)]),
  )
