/** The one reader of dotted paths. */

/** Reads a dotted path; numeric segments index arrays. Undefined when any step is missing. */
export function readPath(root: unknown, path: string): unknown {
  let value: unknown = root
  for (const step of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return value
}
