/**
 * Computed traits and scores that destinations are told of: whenever a value becomes another one, all values of that
 * destination and purpose, so that of what waits only the newest is needed.
 */
import type { Config } from '../../schemas/config.ts'
import type { OpenProfile } from '../../schemas/profile.ts'

export interface TraitPush {
  readonly destination: string
  readonly action: string
  readonly purpose: string
  readonly of: readonly { readonly from: 'computed' | 'scores'; readonly id: string; readonly as: string }[]
}

/** What stands for an action that the configuration does not name. */
const TRAITS_ACTION = 'sendTraits'

const MARK = 'traits:'
/** The `event_id` of a delivery that tells values: of one purpose, in a lane of its own. */
export const traitsMark = (purpose: string): string => `${MARK}${purpose}`
export const tellsTraits = ({ event_id }: { readonly event_id: string }): boolean => event_id.startsWith(MARK)

type Named = NonNullable<NonNullable<Config['computed']>[string]['destinations']>[number]

/** Where a value is told, by which action, under which name there, as the configuration writes it in full or in short. */
export function named(given: Named, id: string): { destination: string; action: string; as: string } {
  const { destination, action = TRAITS_ACTION, as = id } = typeof given === 'string' ? { destination: given } : given
  return { destination, action, as }
}

export function compileTraitPushes({ computed = {}, scores = {} }: Pick<Config, 'computed' | 'scores'>): TraitPush[] {
  const found = new Map<string, Omit<TraitPush, 'of'> & { readonly of: TraitPush['of'][number][] }>()
  for (const [from, all] of [
    ['computed', computed],
    ['scores', scores],
  ] as const)
    for (const [id, { purpose, destinations = [] }] of Object.entries(all))
      for (const given of destinations) {
        const { destination, action, as } = named(given, id)
        const key = `${destination}\0${action}\0${purpose}`
        const push = found.get(key) ?? { destination, action, purpose, of: [] as TraitPush['of'][number][] }
        push.of.push({ from, id, as })
        found.set(key, push)
      }
  return [...found.values()]
}

/** The values one push tells now; undefined when there are none. */
export function traitsOf(profile: OpenProfile, { of }: TraitPush): Record<string, unknown> | undefined {
  const values = of.flatMap(({ from, id, as }) => {
    const value = profile[from]?.[id]?.value
    return value === undefined ? [] : [[as, value] as const]
  })
  return values.length > 0 ? Object.fromEntries(values) : undefined
}
