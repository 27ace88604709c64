/** Where secrets and tokens lie sealed: AES-256-GCM under a data key that the master key wraps. */
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { seal, unseal } from '../seal.ts'
import type { Db } from '../stores/open.ts'

export interface Boxed {
  readonly key_id: string
  readonly sealed: Uint8Array
}

/**
 * Seals under the newest key; the first one is made here.
 * @param belongs which row it is for: in another row it opens no more.
 */
export async function box(db: Db, keys: Keys, belongs: string, plain: string, now: number): Promise<Boxed> {
  const newest = await db.selectFrom('secret_keys').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirst()
  const { id, wrapped } = newest ?? (await addKey(db, keys, now))
  return { key_id: id, sealed: seal(keys.unwrap(wrapped), plain, belongs) }
}

/** @throws when the master key is another one than it was sealed with, or the row was tampered with. */
export async function unbox(db: Db, keys: Keys, belongs: string, { key_id, sealed }: Boxed): Promise<string> {
  const { wrapped } = await db
    .selectFrom('secret_keys')
    .select('wrapped')
    .where('id', '=', key_id)
    .executeTakeFirstOrThrow()
  return unseal(keys.unwrap(wrapped), sealed, belongs).toString('utf8')
}

async function addKey(db: Db, keys: Keys, now: number): Promise<{ id: string; wrapped: Uint8Array }> {
  const { wrapped } = keys.create()
  const id = newId(now)
  await db.insertInto('secret_keys').values({ id, wrapped, created_at: now }).execute()
  return { id, wrapped }
}

export const secretPlace = (name: string): string => `secret\0${name}`
export const connectionPlace = (destination: string): string => `oauth\0${destination}`
export const flowPlace = (hash: Uint8Array): string => `flow\0${Buffer.from(hash).toString('hex')}`

/**
 * Seals everything anew under a fresh key and forgets the old ones. Call inside a transaction, and truncate the
 * write-ahead file after it.
 */
export async function rotate(db: Db, keys: Keys, now: number): Promise<{ secrets: number; connections: number }> {
  const old = await db.selectFrom('secret_keys').select('id').execute()
  // Ids are ordered by time; a second rotation within one millisecond still gets a newer one.
  const fresh = await addKey(db, keys, now)
  const key = keys.unwrap(fresh.wrapped)
  const again = async (belongs: string, row: Boxed) => ({
    key_id: fresh.id,
    sealed: seal(key, await unbox(db, keys, belongs, row), belongs),
  })
  const secrets = await db.selectFrom('secrets').select(['name', 'key_id', 'sealed']).execute()
  for (const row of secrets)
    await db
      .updateTable('secrets')
      .set(await again(secretPlace(row.name), row))
      .where('name', '=', row.name)
      .execute()
  const connections = await db.selectFrom('oauth_connections').select(['destination', 'key_id', 'sealed']).execute()
  for (const row of connections)
    await db
      .updateTable('oauth_connections')
      .set(await again(connectionPlace(row.destination), row))
      .where('destination', '=', row.destination)
      .execute()
  // Whoever is about to come back from a vendor begins again.
  await db.deleteFrom('oauth_flows').execute()
  if (old.length > 0)
    await db
      .deleteFrom('secret_keys')
      .where(
        'id',
        'in',
        old.map(({ id }) => id),
      )
      .execute()
  return { secrets: secrets.length, connections: connections.length }
}
