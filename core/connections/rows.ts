/**
 * Connected accounts as they lie in the state. Who writes a token must have read the version before it; who asks the
 * vendor for a new one must hold the claim: of many processes one asks and the others wait and read.
 */
import { randomBytes } from 'node:crypto'
import type { Keys } from '../keys.ts'
import { box, connectionPlace, unbox } from '../secrets/box.ts'
import type { Db } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'

export type ConnectionRow = Tables['oauth_connections']

export interface TokenPair {
  readonly accessToken: string
  readonly refreshToken?: string | undefined
}

export interface Tokens extends TokenPair {
  /** Epoch milliseconds. */
  readonly expiresAt: number | null
  readonly refreshExpiresAt: number | null
}

/** Longer than a request for a token may take: a claim that ran out belonged to a process that died. */
export const CLAIM_MS = 45_000

export const readConnection = (db: Db, destination: string): Promise<ConnectionRow | undefined> =>
  db.selectFrom('oauth_connections').selectAll().where('destination', '=', destination).executeTakeFirst()

export async function openTokens(db: Db, keys: Keys, row: ConnectionRow): Promise<TokenPair> {
  return JSON.parse(await unbox(db, keys, connectionPlace(row.destination), row)) as TokenPair
}

/** @returns the claim, or undefined when the row is a newer one or somebody else asks already. */
export async function claimRefresh(
  db: Db,
  { destination, version }: Pick<ConnectionRow, 'destination' | 'version'>,
  now: number,
): Promise<string | undefined> {
  const claim = randomBytes(8).toString('hex')
  const taken = await db
    .updateTable('oauth_connections')
    .set({ claim, claim_until: now + CLAIM_MS })
    .where('destination', '=', destination)
    .where('version', '=', version)
    .where('state', '=', 'connected')
    .where(({ or, eb }) => or([eb('claim', 'is', null), eb('claim_until', '<', now)]))
    .returning('destination')
    .executeTakeFirst()
  return taken && claim
}

/** @returns false when the claim was lost: somebody else has newer tokens. */
export async function storeRefreshed(
  db: Db,
  keys: Keys,
  { destination, version }: Pick<ConnectionRow, 'destination' | 'version'>,
  claim: string,
  { accessToken, refreshToken, expiresAt, refreshExpiresAt }: Tokens,
  now: number,
): Promise<boolean> {
  const sealed = await box(db, keys, connectionPlace(destination), JSON.stringify({ accessToken, refreshToken }), now)
  const stored = await db
    .updateTable('oauth_connections')
    .set({
      ...sealed,
      version: version + 1,
      expires_at: expiresAt,
      refresh_expires_at: refreshExpiresAt,
      claim: null,
      claim_until: null,
      retry_at: null,
      problem: null,
      refreshed_at: now,
    })
    .where('destination', '=', destination)
    .where('version', '=', version)
    .where('claim', '=', claim)
    .returning('destination')
    .executeTakeFirst()
  return stored !== undefined
}

/** The vendor gave no token for the moment: nobody asks again before `retryAt`. */
export async function postpone(
  db: Db,
  destination: string,
  claim: string,
  problem: string,
  retryAt: number,
): Promise<void> {
  await db
    .updateTable('oauth_connections')
    .set({ claim: null, claim_until: null, retry_at: retryAt, problem })
    .where('destination', '=', destination)
    .where('claim', '=', claim)
    .execute()
}

/** From here on deliveries wait until somebody connects the account again. Only while the row is the one that was read. */
export async function markUnconnected(
  db: Db,
  { destination, version }: Pick<ConnectionRow, 'destination' | 'version'>,
  problem: string,
): Promise<void> {
  await db
    .updateTable('oauth_connections')
    .set({ state: 'needs_connection', problem, claim: null, claim_until: null, retry_at: null })
    .where('destination', '=', destination)
    .where('version', '=', version)
    .execute()
}

/** A person agreed at the vendor: what was there before is replaced, whatever its state. */
export async function storeConnected(
  db: Db,
  keys: Keys,
  destination: string,
  client: string,
  { accessToken, refreshToken, expiresAt, refreshExpiresAt }: Tokens,
  actor: string,
  now: number,
): Promise<void> {
  const before = await readConnection(db, destination)
  const row = {
    client,
    state: 'connected',
    version: (before?.version ?? 0) + 1,
    ...(await box(db, keys, connectionPlace(destination), JSON.stringify({ accessToken, refreshToken }), now)),
    expires_at: expiresAt,
    refresh_expires_at: refreshExpiresAt,
    claim: null,
    claim_until: null,
    retry_at: null,
    problem: null,
    connected_by: actor,
    connected_at: now,
    refreshed_at: null,
  }
  await db
    .insertInto('oauth_connections')
    .values({ destination, ...row })
    .onConflict((conflict) => conflict.column('destination').doUpdateSet(row))
    .execute()
}
