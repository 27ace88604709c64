/**
 * hold: an event whose purposes have no answer yet waits sealed, at most 24 h, found by identifier
 * HMAC, touching no profile, counter or rule. A grant makes it an input of the person's next
 * transaction with its original times; a denial deletes it.
 */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Keys } from '../keys.ts'
import { sealJson, unsealJson } from '../seal.ts'
import { runIn, type StateStore } from '../stores/open.ts'
import type { Batch } from './batch.ts'
import type { Identified } from './identify.ts'

export const HOLD_MS = 24 * 3_600_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Keys of held and quarantined bodies, by id; made when first needed, destroyed when their last row expires. */
export interface SealKeys {
  held(now: number): Promise<{ id: string; wrapped: Uint8Array }>
  quarantine(now: number): Promise<{ id: string; wrapped: Uint8Array }>
}

export function createSealKeys(state: StateStore, keys: Keys): SealKeys {
  const known = new Map<string, Uint8Array>()
  const ensure = async (id: string, expiresAt: number) => {
    let wrapped = known.get(id)
    if (!wrapped) {
      await state.db
        .insertInto('seal_keys')
        .values({ id, wrapped: keys.create().wrapped, expires_at: expiresAt })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
      wrapped = (
        await state.db.selectFrom('seal_keys').select('wrapped').where('id', '=', id).executeTakeFirstOrThrow()
      ).wrapped
      known.clear()
      known.set(id, wrapped)
    }
    return { id, wrapped }
  }
  return {
    held: (now) => ensure(`held-${Math.floor(now / HOUR_MS)}`, (Math.floor(now / HOUR_MS) + 1) * HOUR_MS + HOLD_MS),
    quarantine: (now) =>
      ensure(`quarantine-${Math.floor(now / DAY_MS)}`, (Math.floor(now / DAY_MS) + 1) * DAY_MS + QUARANTINE_MS),
  }
}

export const QUARANTINE_MS = 30 * DAY_MS

/** What is sealed of a held event. */
export interface HeldEvent {
  readonly id: string
  readonly event: CanonicalEvent
}

export function hold(identified: Identified, batch: Batch, key: { id: string; wrapped: Uint8Array }): void {
  const { event } = identified
  batch.rows.held.push([
    event.id,
    key.id,
    sealJson(batch.keys.unwrap(key.wrapped), event),
    batch.now,
    batch.now + HOLD_MS,
  ])
  for (const { hmac } of identified.named) batch.rows.heldIdentifiers.push([Buffer.from(hmac, 'hex'), event.id])
}

const HELD = `select held.id, held.sealed, seal_keys.wrapped from held_identifiers
    join held on held.id = held_identifiers.held_id
    join seal_keys on seal_keys.id = held.key_id
  where held_identifiers.hmac in ({list}) and held.expires_at > ?`

/** Events held for anybody with one of these identifiers, oldest first. */
export async function loadHeld(
  identifiers: readonly Buffer[],
  now: number,
  keys: Keys,
  state: StateStore,
): Promise<HeldEvent[]> {
  const found = new Map<string, HeldEvent>()
  for (const row of await runIn<{ id: string; sealed: Uint8Array; wrapped: Uint8Array }>(
    state.db,
    state.dialect,
    HELD,
    identifiers,
    [],
    [now],
  ))
    if (!found.has(row.id))
      found.set(row.id, { id: row.id, event: unsealJson<CanonicalEvent>(keys.unwrap(row.wrapped), row.sealed) })
  return [...found.values()].sort((a, b) =>
    a.event.occurredAt < b.event.occurredAt ? -1 : a.event.occurredAt > b.event.occurredAt ? 1 : a.id < b.id ? -1 : 1,
  )
}

/**
 * Deletes what waited too long, in held and in quarantine, and destroys the keys nothing needs any more. A withdrawal
 * among what expires stays in force: its body goes, the row and its fence stay, `expired`, until somebody dismisses
 * them (our choice; DESIGN names re-drive and dismissal alone as the end of a fence).
 */
export async function expireSealed(state: StateStore, now: number): Promise<{ held: number; quarantined: number }> {
  const counts = await state.transaction(async (trx) => {
    const held = await trx.deleteFrom('held').where('expires_at', '<=', now).executeTakeFirst()
    await trx
      .deleteFrom('held_identifiers')
      .where('held_id', 'not in', (eb) => eb.selectFrom('held').select('id'))
      .execute()
    const withdrawals = await trx
      .updateTable('quarantine')
      .set({ status: 'expired', sealed: Buffer.alloc(0), key_id: '' })
      .where('expires_at', '<=', now)
      .where('status', '=', 'open')
      .where('fences', '<>', '[]')
      .executeTakeFirst()
    const quarantined = await trx
      .deleteFrom('quarantine')
      .where('expires_at', '<=', now)
      .where('status', '<>', 'expired')
      .executeTakeFirst()
    await trx
      .deleteFrom('seal_keys')
      .where('expires_at', '<=', now)
      .where('id', 'not in', (eb) => eb.selectFrom('held').select('key_id'))
      .where('id', 'not in', (eb) => eb.selectFrom('quarantine').select('key_id'))
      .execute()
    return {
      held: Number(held.numDeletedRows),
      quarantined: Number(quarantined.numDeletedRows) + Number(withdrawals.numUpdatedRows),
    }
  })
  state.checkpoint()
  return counts
}
