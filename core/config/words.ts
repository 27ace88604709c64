/** How a place in the configuration and a mistyped name are spelled to the operator. */

export type Path = readonly (string | number)[]

export const pointer = (path: Path) =>
  path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
export const parsePointer = (text: string): string[] =>
  text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
export const dotted = (path: Path) => (path.length === 0 ? '' : `${path.join('.')}: `)

export function unknownName(kind: string, name: string, known: Iterable<string>): string {
  const names = [...known].sort()
  const near = nearest(name, names)
  const hint =
    near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : names.length > 0 ? ` Known: ${names.join(', ')}.` : ''
  return `unknown ${kind} ${JSON.stringify(name)}.${hint}`
}

/** Those of the known names that somebody may have meant, the likeliest first: one slip in a short name, two in a longer one. */
export function nearest(name: string, known: readonly string[]): string[] {
  const most = name.length <= 4 ? 1 : 2
  return known
    .map((other) => ({ other, far: distance(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)
    .map(({ other }) => other)
}

/** Levenshtein, two letters that changed places being one slip (optimal string alignment). */
function distance(a: string, b: string): number {
  let above: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? (above[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    above = row
    row = next
  }
  return row[b.length] ?? 0
}
