/**
 * Signing: a checkpoint is signed only when the tree of now still begins with the tree of every checkpoint
 * that was signed or copied out before. Anything else is a fork or a shortened ledger, and is refused.
 */
import { verifyConsistency } from '../../consent/ledger/merkle.ts'
import { formatCheckpoint, openCheckpoint, type SignerKey, signNote } from '../../consent/ledger/note.ts'
import { TileMissing, viewTree } from '../../consent/ledger/tiles.ts'
import type { LedgerCheckpoint } from '../../schemas/ledger.ts'
import type { Keys } from '../keys.ts'
import type { Db, StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { newestAnchor } from './anchors.ts'
import { hubEntry } from './hub-entry.ts'
import { addKey, currentSigner, knownKeys } from './keyring.ts'
import { type Head, readHead, tileReader } from './rows.ts'
import { sequence, takeLedger } from './sequence.ts'

/** The ledger does not continue what was signed. Nothing was signed. */
export class LedgerForked extends Error {
  override readonly name = 'LedgerForked'
  readonly code: 'LEDGER_SHORTENED' | 'LEDGER_FORKED' | 'LEDGER_DAMAGED'
  constructor(code: LedgerForked['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface LedgerPorts {
  readonly state: StateStore
  readonly keys: Keys
  /** Folder for copies of checkpoints, outside the data directory; undefined for none. */
  readonly anchorFolder: string | undefined
}

export const asCheckpoint = (row: Omit<Tables['ledger_checkpoints'], 'key_id'>): LedgerCheckpoint => ({
  size: row.size,
  root: Buffer.from(row.root).toString('hex'),
  at: row.at,
  note: row.note,
})

export function newestCheckpoint(db: Db): Promise<Tables['ledger_checkpoints'] | undefined> {
  return db.selectFrom('ledger_checkpoints').selectAll().orderBy('size', 'desc').limit(1).executeTakeFirst()
}

/**
 * Signs the tree as it stands. With no new entries the last checkpoint is returned.
 * @returns undefined when another process is at it, or the ledger has no entry yet.
 * @throws LedgerForked
 */
export async function signCheckpoint(ports: LedgerPorts, now: number): Promise<LedgerCheckpoint | undefined> {
  const { state, keys } = ports
  const anchored = await anchoredNote(ports)
  return state.transaction(async (db) => {
    const head = await takeLedger(db, state.dialect)
    if (!head) return undefined
    const signer = await currentSigner(db, keys, head.origin)
    return signHead(db, anchored, head, [signer], now)
  })
}

async function signHead(
  db: Db,
  anchored: string | undefined,
  head: Head,
  signers: readonly SignerKey[],
  now: number,
): Promise<LedgerCheckpoint | undefined> {
  const last = await newestCheckpoint(db)
  const root = await continuedRoot(db, anchored, head)
  if (head.size === 0) return undefined
  if (last?.size === head.size && signers.length === 1) return asCheckpoint(last)
  const note = signNote(formatCheckpoint({ origin: head.origin, size: head.size, root }), signers)
  const row = { size: head.size, root, at: Math.max(now, last?.at ?? 0), note, key_id: signers[0]!.id }
  await db
    .insertInto('ledger_checkpoints')
    .values(row)
    .onConflict((conflict) => conflict.column('size').doUpdateSet({ note, key_id: row.key_id }))
    .execute()
  return asCheckpoint(row)
}

/** Read before the transaction: a slow disk must not hold up whoever else writes. */
async function anchoredNote({ state, anchorFolder }: LedgerPorts): Promise<string | undefined> {
  const head = await readHead(state.db)
  return head && (await newestAnchor(anchorFolder, head.origin))?.note
}

/** The root of now, after it was seen to continue the last signed checkpoint and the last copy outside. */
async function continuedRoot(db: Db, anchored: string | undefined, head: Head): Promise<Buffer> {
  const tree = viewTree(tileReader(db))
  try {
    const root = await tree.root(head.size)
    const known = (await knownKeys(db, head.origin)).map(({ key }) => key)
    const last = await newestCheckpoint(db)
    for (const [what, note] of [
      ['the last signed checkpoint', last?.note],
      ['the newest copy in the folder of anchors', anchored],
    ] as const) {
      if (note === undefined) continue
      const before = openCheckpoint(note, known)
      if (before.size > head.size)
        throw new LedgerForked(
          'LEDGER_SHORTENED',
          `${what} has ${before.size} entries, the ledger has ${head.size}: entries are gone from its end`,
        )
      const proof = await tree.consistency(before.size, head.size)
      // A proof made from our own tiles shows only that they agree with themselves, so the old root is held against them too.
      const begins = await tree.root(before.size)
      if (!begins.equals(before.root) || !verifyConsistency(before.size, head.size, proof, before.root, root))
        throw new LedgerForked(
          'LEDGER_FORKED',
          `the ledger of now does not begin with ${what} (${before.size} entries): what was signed has been changed`,
        )
    }
    return root
  } catch (error) {
    if (error instanceof TileMissing) throw new LedgerForked('LEDGER_DAMAGED', error.message)
    throw error
  }
}

/**
 * A new key takes over: an entry names both, and the checkpoint that holds the entry is signed by both.
 * Later ones are signed by the new key alone. Old checkpoints go on verifying with the old key.
 * @throws LedgerForked
 */
export async function rotateKey(
  ports: LedgerPorts,
  act: { readonly now: number; readonly reason: string },
): Promise<{ readonly checkpoint: LedgerCheckpoint; readonly from: string; readonly to: string } | undefined> {
  const { state, keys } = ports
  const { now, reason } = act
  const anchored = await anchoredNote(ports)
  return state.transaction(async (db) => {
    const head = await takeLedger(db, state.dialect)
    if (!head) return undefined
    await continuedRoot(db, anchored, head)
    const old = await currentSigner(db, keys, head.origin)
    const next = await addKey(db, keys, head.origin, now)
    const known = await knownKeys(db, head.origin)
    const verifierOf = (id: string) => known.find(({ key }) => key.id === id)!.verifier
    await db.updateTable('ledger_keys').set({ retired_at: now }).where('id', '=', old.id).execute()
    await hubEntry(db, {
      type: 'key.rotated',
      at: now,
      actor: 'agent',
      facts: { from: verifierOf(old.id), to: verifierOf(next.id), reason },
    })
    const inside: StateStore = {
      ...state,
      transaction: (work) => work(db as Parameters<typeof work>[0]),
      db: db as StateStore['db'],
    }
    while ((await sequence(inside, { now })) > 0);
    const grown = await takeLedger(db, state.dialect)
    const checkpoint = await signHead(db, anchored, grown!, [next, old], now)
    return { checkpoint: checkpoint!, from: verifierOf(old.id), to: verifierOf(next.id) }
  })
}
