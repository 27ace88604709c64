/**
 * Erased people stay erased: their identifiers are remembered by an HMAC under a key of its own, nothing else, and
 * whatever names one of them again is dropped, also from a replayed source (LGPD art. 18 VI, overlay O1). Only a grant that the
 * person gave after the erasure, with their identity checked, lifts it.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Keys } from '../keys.ts'
import { chunks, type Db } from '../stores/open.ts'

/** @param identifiers HMACs under the index key, hex. @returns those that are suppressed -> since when. */
export async function loadSuppressed(
  db: Db,
  keys: Pick<Keys, 'suppression'>,
  identifiers: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  // Almost every hub has none: one question instead of one HMAC per identifier.
  if (identifiers.length === 0 || !(await db.selectFrom('suppressions').select('at').limit(1).executeTakeFirst()))
    return NOBODY
  const byName = new Map<string, string>()
  for (const hmac of identifiers) byName.set(keys.suppression(Buffer.from(hmac, 'hex')).toString('hex'), hmac)
  const found = new Map<string, number>()
  for (const part of chunks([...byName.keys()]))
    for (const row of await db
      .selectFrom('suppressions')
      .select(['hmac', 'at'])
      .where(
        'hmac',
        'in',
        part.map((name) => Buffer.from(name, 'hex')),
      )
      .where('lifted_at', 'is', null)
      .execute())
      found.set(byName.get(Buffer.from(row.hmac).toString('hex'))!, row.at)
  return found
}

const NOBODY: ReadonlyMap<string, number> = new Map()

/**
 * Whether an event carries the new verified grant that lifts a suppression. Only the hub itself says so of a
 * person whose identity it checked: a source can be replayed, and its clock set to anything.
 */
export function liftsSuppression(event: Pick<CanonicalEvent, 'consent' | 'source'>, since: number): boolean {
  return (
    event.source.connector === 'anuente' &&
    event.consent.some(
      ({ action, actor, origin, evidence, occurredAt }) =>
        action === 'grant' &&
        (actor === 'subject' || actor === 'guardian') &&
        origin.kind === 'portal' &&
        evidence.flags.length === 0 &&
        Date.parse(occurredAt) > since,
    )
  )
}

export async function suppress(
  db: Db,
  keys: Pick<Keys, 'suppression'>,
  identifiers: readonly Uint8Array[],
  act: { readonly requestId: string; readonly at: number },
): Promise<void> {
  for (const hmac of identifiers)
    await db
      .insertInto('suppressions')
      .values({ hmac: keys.suppression(hmac), request_id: act.requestId, at: act.at, lifted_at: null, lifted_by: null })
      .onConflict((conflict) =>
        conflict
          .column('hmac')
          .doUpdateSet({ request_id: act.requestId, at: act.at, lifted_at: null, lifted_by: null }),
      )
      .execute()
}

/** @param identifiers HMACs under the index key, hex. */
export async function liftSuppressions(
  db: Db,
  keys: Pick<Keys, 'suppression'>,
  identifiers: Iterable<string>,
  act: { readonly eventId: string; readonly at: number },
): Promise<void> {
  for (const hmac of identifiers)
    await db
      .updateTable('suppressions')
      .set({ lifted_at: act.at, lifted_by: act.eventId })
      .where('hmac', '=', keys.suppression(Buffer.from(hmac, 'hex')))
      .where('lifted_at', 'is', null)
      .execute()
}
