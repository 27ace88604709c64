/** What changed between two texts, line by line: the longest common run of lines stays, the rest left or came. */

export interface DiffLine {
  readonly kind: 'same' | 'taken' | 'put'
  readonly text: string
}

/** Texts of some hundred lines: time and memory grow with the product of both lengths. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const old = before.trimEnd().split('\n')
  const fresh = after.trimEnd().split('\n')
  // common[i][j]: the most lines that old from i and fresh from j have in common, in order.
  const common = Array.from({ length: old.length + 1 }, () => new Array<number>(fresh.length + 1).fill(0))
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = fresh.length - 1; j >= 0; j--)
      common[i]![j] =
        old[i] === fresh[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
  const lines: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      lines.push({ kind: 'same', text: old[i]! })
      i++
      j++
    } else if (i < old.length && (j >= fresh.length || common[i + 1]![j]! >= common[i]![j + 1]!)) {
      lines.push({ kind: 'taken', text: old[i]! })
      i++
    } else {
      lines.push({ kind: 'put', text: fresh[j]! })
      j++
    }
  }
  return lines
}

/** Only what changed, each with the lines around it; undefined stands for lines left out. */
export function changedParts(lines: readonly DiffLine[], around = 2): (DiffLine | undefined)[] {
  const shown = lines.map((_, index) =>
    lines.slice(Math.max(0, index - around), index + around + 1).some(({ kind }) => kind !== 'same'),
  )
  return lines.flatMap((line, index) => (shown[index] ? [line] : index === 0 || shown[index - 1] ? [undefined] : []))
}
