/** Why a destination was not told of a member: control group, consent and addresses as they are now. */
import type { NotTold } from '../../schemas/audience.ts'
import type { Keys } from '../keys.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { contextOf } from '../stages/decide.ts'
import { turnOf } from '../stages/measure.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { StateStore } from '../stores/open.ts'
import { isHeldOut } from './measure.ts'
import { nodeOf } from './pushes.ts'
import type { CompiledAudience, Push } from './set.ts'

export interface StandingContext {
  readonly state: StateStore
  readonly keys: Keys
  /** Made when first asked for: most lists ask nobody. */
  readonly settings: () => ProcessPorts['settings']
  /** Epoch milliseconds. */
  readonly now: number
}

/** How each of these members stands; nothing is changed. */
export async function standings(
  audience: CompiledAudience,
  people: readonly string[],
  { state, keys, settings: made, now }: StandingContext,
): Promise<(person: string, push: Push) => NotTold> {
  if (people.length === 0) return () => 'waiting'
  const settings = made()
  const batch = new Batch(now, keys)
  await loadPeople(batch, state, [], people, { all: false })
  const granted = new Map<string, boolean>()
  return (id, push) => {
    const person = batch.persons.get(id)
    if (!person) return 'waiting'
    if (isHeldOut(audience, id, settings.holdout)) return 'held_out'
    if (!granted.has(id)) granted.set(id, contextOf(turnOf(person), batch, settings).consent(audience.purpose).granted)
    if (!granted.get(id)) return 'no_consent'
    const action = settings.destinations.get(push.destination)?.definition.actions[push.add]
    return action && nodeOf(person.nodes, action.identifier) === undefined ? 'not_reachable' : 'waiting'
  }
}
