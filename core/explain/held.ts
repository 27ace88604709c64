/** An event that no purpose could keep at once: is it still held, was it released, or destroyed? */
import type { Purposes } from '../../consent/purposes.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Keys } from '../keys.ts'
import { unsealJson } from '../seal.ts'
import type { StateStore } from '../stores/open.ts'

export interface StillHeld {
  /** ISO 8601: when it is destroyed if nobody answers. */
  readonly until: string
  /** Purposes that want it; an answer about any of them would decide. */
  readonly purposes: readonly string[]
}

/** @returns undefined: it is not held any more. */
export async function stillHeld(
  eventId: string,
  { state, keys, purposes }: { readonly state: StateStore; readonly keys: Keys; readonly purposes: Purposes },
): Promise<StillHeld | undefined> {
  const row = await state.db
    .selectFrom('held')
    .innerJoin('seal_keys', 'seal_keys.id', 'held.key_id')
    .select(['held.sealed', 'held.expires_at', 'seal_keys.wrapped'])
    .where('held.id', '=', eventId)
    .executeTakeFirst()
  if (!row) return undefined
  const event = unsealJson<CanonicalEvent>(keys.unwrap(row.wrapped), row.sealed)
  return {
    until: new Date(row.expires_at).toISOString(),
    purposes: purposes.wanting(event).purposes.map(({ id }) => id),
  }
}
