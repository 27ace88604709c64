/** The keys of checkpoints: made at the first start, stored wrapped, rotated with two signatures and an entry. */
import { randomBytes } from 'node:crypto'
import {
  formatVerifierKey,
  type SignerKey,
  signerKey,
  type VerifierKey,
  verifierKey,
} from '../../consent/ledger/note.ts'
import type { Keys } from '../keys.ts'
import { type Db, type StateStore, sql } from '../stores/open.ts'
import { readHead } from './rows.ts'

/**
 * Makes the head and the first key where there are none. Safe to call at every start, by any number of processes.
 * @param publicUrl where people reach the hub: its host names the ledger.
 */
export async function ensureLedger(state: StateStore, keys: Keys, publicUrl: string, now: number): Promise<void> {
  if (await readHead(state.db)) return
  const host = new URL(publicUrl).host
  // Random: a ledger that is started again from a backup must not pass for the one it came from.
  const origin = `${host}/ledger/${randomBytes(6).toString('hex')}`
  await state.transaction(async (db) => {
    if (state.dialect === 'postgres') await sql`select pg_advisory_xact_lock(7300413)`.execute(db)
    if (await readHead(db)) return
    await db
      .insertInto('ledger_head')
      .values({ id: 1, origin, size: 0, logged_at: 0, state_at: now, state_size: 0 })
      .execute()
    await addKey(db, keys, origin, now)
  })
}

/** A new key, in use from now on. */
export async function addKey(db: Db, keys: Keys, origin: string, now: number): Promise<SignerKey> {
  const { key, wrapped } = keys.create()
  const signer = signerKey(origin, key.export())
  await db
    .insertInto('ledger_keys')
    .values({ id: signer.id, public: signer.publicKey, wrapped, created_at: now, retired_at: null })
    .execute()
  return signer
}

export interface KnownKey {
  readonly key: VerifierKey
  readonly verifier: string
  readonly createdAt: number
  readonly retiredAt: number | null
}

/** Oldest first, retired ones included: they signed checkpoints that still count. */
export async function knownKeys(db: Db, origin: string): Promise<KnownKey[]> {
  const rows = await db.selectFrom('ledger_keys').selectAll().orderBy('created_at').execute()
  return rows.map((row) => {
    const key = verifierKey(origin, row.public)
    return { key, verifier: formatVerifierKey(key), createdAt: row.created_at, retiredAt: row.retired_at }
  })
}

/** The key that signs now. @throws when the master key is not the one it was wrapped with. */
export async function currentSigner(db: Db, keys: Keys, origin: string): Promise<SignerKey> {
  const row = await db
    .selectFrom('ledger_keys')
    .selectAll()
    .where('retired_at', 'is', null)
    .orderBy('created_at', 'desc')
    .executeTakeFirstOrThrow()
  return signerKey(origin, keys.unwrap(row.wrapped).export())
}
