/** What history makes of somebody, taken over where nobody kept it until now. */
import type { OpenProfile } from '../../schemas/profile.ts'

/** History may be shorter than what is known, where a period ended: whatever holds more stays. */
export function graft(profile: OpenProfile, from: OpenProfile): void {
  const longer = <T>(
    known: Record<string, Record<string, T[]>> | undefined,
    made: Record<string, Record<string, T[]>> | undefined,
  ): Record<string, Record<string, T[]>> | undefined => {
    if (!made) return known
    const merged = { ...known }
    for (const [purpose, lists] of Object.entries(made))
      for (const [name, list] of Object.entries(lists))
        if (list.length > (merged[purpose]?.[name]?.length ?? 0)) merged[purpose] = { ...merged[purpose], [name]: list }
    return Object.keys(merged).length > 0 ? merged : undefined
  }
  const counted = longer(profile.counted, from.counted)
  if (counted) profile.counted = counted
  const measured = longer(profile.measured, from.measured)
  if (measured) profile.measured = measured
  for (const [id, made] of Object.entries(from.computed ?? {})) {
    const known = profile.computed?.[id]
    if (known?.hash !== made.hash || size(made) > size(known)) profile.computed = { ...profile.computed, [id]: made }
  }
}

const size = ({ n = 0, samples = [] }: { readonly n?: number; readonly samples?: readonly unknown[] }) =>
  n + samples.length
