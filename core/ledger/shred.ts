/**
 * Destroying the keys of a node. `data` opens profile, history and deliveries; `proof` opens the
 * capsules of the ledger, which are kept *blocked* (LGPD art. 5 XIII) after an erasure while they may be needed as
 * proof (art. 7 VI, art. 16 I; how long is doctrine, not statute). Proofs over old leaves verify without either.
 */
import type { Db } from '../stores/open.ts'
import { hubEntry } from './hub-entry.ts'

export type NodeKey = 'data' | 'proof'

/** What remains in the place of a destroyed key. */
const DESTROYED = Buffer.alloc(0)

export const isShredded = (wrapped: Uint8Array): boolean => wrapped.length === 0

/** How entries name a key: each node has one of each kind for ever. */
export const keyId = (subject: string, which: NodeKey): string => `${subject}.${which}`

/**
 * Destroys keys of nodes and writes one `key.destroyed` entry naming them, in the caller's transaction.
 * Copies in memory are gone with the next restart or when they fall out of the cache; backups hold only wrapped keys.
 * @param reason e.g. `erasure`, `proof_expired`; a word, never free text.
 * @returns ULID of the entry, undefined when all of them were destroyed before.
 */
export async function shredNodes(
  db: Db,
  nodeIds: readonly string[],
  which: readonly NodeKey[],
  act: { readonly at: number; readonly reason: string; readonly actor?: 'system' | 'agent'; readonly request?: string },
): Promise<string | undefined> {
  const keyIds: { id: string; node: string }[] = []
  for (const nodeId of new Set(nodeIds)) {
    const node = await db
      .selectFrom('nodes')
      .select(['subject', 'data_key', 'proof_key'])
      .where('id', '=', nodeId)
      .executeTakeFirst()
    if (!node) continue
    const data = which.includes('data') && !isShredded(node.data_key)
    const proof = which.includes('proof') && !isShredded(node.proof_key)
    if (data) keyIds.push({ id: keyId(node.subject, 'data'), node: nodeId })
    if (proof) keyIds.push({ id: keyId(node.subject, 'proof'), node: nodeId })
    if (!data && !proof) continue
    await db
      .updateTable('nodes')
      .set({ ...(data && { data_key: DESTROYED }), ...(proof && { proof_key: DESTROYED }) })
      .where('id', '=', nodeId)
      .execute()
  }
  if (keyIds.length === 0) return undefined
  const entryId = await hubEntry(db, {
    type: 'key.destroyed',
    at: act.at,
    facts: {
      key_ids: keyIds.map(({ id }) => id).sort(),
      reason: act.reason,
      ...(act.request !== undefined && { request: act.request }),
    },
    ...(act.actor && { actor: act.actor }),
  })
  for (const { id, node } of keyIds)
    await db
      .insertInto('ledger_shredded')
      .values({ key_id: id, node_id: node, entry_id: entryId, at: act.at })
      .onConflict((conflict) => conflict.column('key_id').doNothing())
      .execute()
  return entryId
}

/** One node. */
export const shredNode = (
  db: Db,
  nodeId: string,
  which: NodeKey | 'both',
  act: Parameters<typeof shredNodes>[3],
): Promise<string | undefined> => shredNodes(db, [nodeId], which === 'both' ? ['data', 'proof'] : [which], act)
