/** When a person has to be looked at again though nothing happens: one moment for everything that waits for time. */
import type { OpenProfile } from '../../schemas/profile.ts'
import { earliest } from './compile.ts'

/**
 * Steps of a sequence are no reason: too old ones are forgotten when the next event comes, and until then do nothing.
 * @param extra further moments, epoch ms; undefined for none
 * @returns epoch ms; undefined when nothing waits.
 */
export function nextWake(
  profile: Pick<OpenProfile, 'timers'>,
  ...extra: readonly (number | undefined)[]
): number | undefined {
  return earliest([...profile.timers.map(({ graceUntil }) => Date.parse(graceUntil)), ...extra])
}
