/** How the configuration names purposes: read by the model (purposes.ts) and by the lint. */
import type { Config, DestinationConfig } from '../schemas/config.ts'

export type PurposesConfig = Pick<Config, 'purposes' | 'destinations' | 'notices' | 'sensitiveFields' | 'minors'> &
  Partial<Pick<Config, 'sources' | 'organization'>>

/** Vendors whose consent words are categories of a cookie banner: they speak about a device. */
export const CMP_VENDORS = ['google', 'segment', 'rudder'] as const
export type CmpVendor = (typeof CMP_VENDORS)[number]

/** `[starter, configured]`; a list names each purpose as its own starter. */
export function pairsOf(purposes: DestinationConfig['purposes']): readonly (readonly [string, string])[] {
  return Array.isArray(purposes)
    ? purposes.map((id) => [id, id] as const)
    : Object.entries(purposes as Record<string, string>)
}
