/** Codes and sessions of the portal. Only hashes are stored; the address is sealed under a key of the row. */
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto'
import type { Identifier } from '../../schemas/event.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { sealJson, unsealJson } from '../seal.ts'
import { hashSecret, newSecret } from '../server/accounts/secrets.ts'
import { CommandError, type CommandHandlers } from '../server/context.ts'
import type { Db } from '../stores/open.ts'

export const CODE_MS = 15 * 60_000
export const PORTAL_SESSION_MS = 30 * 60_000
const TRIES = 5

export interface PortalSession {
  readonly contact: Identifier
  readonly csrf: string
}

const codeHash = (keys: Keys, ref: string, code: string) =>
  createHmac('sha256', keys.link).update(`portal-code.${ref}.${code}`).digest()

export function portalCommands(keys: Keys): CommandHandlers {
  return {
    /** A new code, valid once and for a quarter of an hour. The caller sends it; nothing here depends on who it is. */
    async createPortalCode(args, { state, now }) {
      const contact = args['contact'] as Identifier | undefined
      if (!contact) throw new CommandError('INVALID', 'No contact.')
      await state.db.deleteFrom('portal_codes').where('expires_at', '<=', now).execute()
      await state.db.deleteFrom('portal_sessions').where('expires_at', '<=', now).execute()
      const ref = newId(now)
      const code = String(randomInt(1_000_000)).padStart(6, '0')
      const { key, wrapped } = keys.create()
      await state.db
        .insertInto('portal_codes')
        .values({
          id: ref,
          hash: codeHash(keys, ref, code),
          data_key: wrapped,
          sealed: sealJson(key, contact),
          tries: 0,
          expires_at: now + CODE_MS,
        })
        .execute()
      return { ref, code }
    },

    /** @returns null for every kind of wrong code alike. */
    async enterPortal(args, { state, now }): Promise<{ session: string } | null> {
      const ref = String(args['ref'] ?? '')
      const row = await state.db.selectFrom('portal_codes').selectAll().where('id', '=', ref).executeTakeFirst()
      const given = codeHash(keys, ref, String(args['code'] ?? ''))
      const right = row !== undefined && timingSafeEqual(given, Buffer.from(row.hash))
      if (!row || row.expires_at <= now || row.tries >= TRIES) return null
      if (!right) {
        await state.db
          .updateTable('portal_codes')
          .set({ tries: row.tries + 1 })
          .where('id', '=', ref)
          .execute()
        return null
      }
      await state.db.deleteFrom('portal_codes').where('id', '=', ref).execute()
      const session = newSecret()
      await state.db
        .insertInto('portal_sessions')
        .values({
          hash: hashSecret(session),
          csrf: newSecret(),
          data_key: row.data_key,
          sealed: row.sealed,
          expires_at: now + PORTAL_SESSION_MS,
        })
        .execute()
      return { session }
    },

    async leavePortal(args, { state }) {
      await state.db
        .deleteFrom('portal_sessions')
        .where('hash', '=', hashSecret(String(args['session'] ?? '')))
        .execute()
      return null
    },
  }
}

export async function portalSession(
  session: string | undefined,
  { db, keys, now }: { readonly db: Db; readonly keys: Keys; readonly now: number },
): Promise<PortalSession | undefined> {
  if (!session) return undefined
  const row = await db
    .selectFrom('portal_sessions')
    .selectAll()
    .where('hash', '=', hashSecret(session))
    .where('expires_at', '>', now)
    .executeTakeFirst()
  return row && { contact: unsealJson<Identifier>(keys.unwrap(row.data_key), row.sealed), csrf: row.csrf }
}
