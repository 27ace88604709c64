/** Payloads against the commitments of their entries. */
import type { Keys } from '../keys.ts'
import { unseal } from '../seal.ts'
import type { Db } from '../stores/open.ts'
import type { Findings } from './findings.ts'
import { HUB } from './hub-entry.ts'
import { fitsCommitment, splitCapsule } from './prove.ts'
import { isShredded } from './shred.ts'

const PAGE = 2_000

/**
 * @param open opens every capsule; otherwise only what is missing is looked for.
 * @returns payloads that fit, and payloads that nobody can read any more because an entry destroyed their key.
 */
export async function verifyPayloads(
  db: Db,
  keys: Keys,
  open: boolean,
  findings: Findings,
): Promise<{ readonly fit: number; readonly destroyed: number }> {
  const destroyed = await destroyedNodes(db)
  let [fit, gone, after] = [0, 0, -1]
  for (;;) {
    const rows = await db
      .selectFrom('ledger_entries')
      .leftJoin('ledger_payloads', 'ledger_payloads.id', 'ledger_entries.id')
      .leftJoin('nodes', 'nodes.id', 'ledger_entries.node_id')
      .select([
        'ledger_entries.seq',
        'ledger_entries.id',
        'ledger_entries.node_id',
        'ledger_entries.bytes',
        'ledger_payloads.sealed',
        'nodes.proof_key',
      ])
      .where('ledger_entries.seq', '>', after)
      .orderBy('ledger_entries.seq')
      .limit(PAGE)
      .execute()
    if (rows.length === 0) return { fit, destroyed: gone }
    for (const { seq, id, node_id, bytes, sealed, proof_key } of rows) {
      if (node_id !== HUB && destroyed.has(node_id)) gone += 1
      else if (sealed === null || (node_id !== HUB && (proof_key === null || isShredded(proof_key))))
        findings.add('PAYLOAD_MISSING', id, seq)
      else if (open) {
        if (fits(bytes, sealed, node_id === HUB ? undefined : keys.unwrap(proof_key!))) fit += 1
        else findings.add('PAYLOAD_ALTERED', id, seq)
      }
    }
    after = rows.at(-1)!.seq
  }
}

function fits(bytes: string, sealed: Uint8Array, key: ReturnType<Keys['unwrap']> | undefined): boolean {
  try {
    const { commit } = JSON.parse(bytes) as { commit?: unknown }
    return fitsCommitment(splitCapsule(key ? unseal(key, sealed) : sealed), commit)
  } catch {
    return false
  }
}

/** Nodes whose proof key an entry of the ledger says was destroyed: the entry's word, not the table's. */
async function destroyedNodes(db: Db): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('ledger_shredded').selectAll().execute()
  const said = new Set<string>()
  for (const table of ['ledger_entries', 'ledger_pending'] as const) {
    const entries =
      table === 'ledger_entries'
        ? await db.selectFrom(table).select(['id', 'bytes']).where('type', '=', 'key.destroyed').execute()
        : await db.selectFrom(table).select(['id', 'public as bytes']).where('subject', '=', HUB).execute()
    for (const { id, bytes } of entries) {
      const { type, key_ids } = JSON.parse(bytes) as { type: string; key_ids?: readonly string[] }
      if (type === 'key.destroyed') for (const keyId of key_ids ?? []) said.add(`${id} ${keyId}`)
    }
  }
  return new Set(
    rows
      .filter(({ key_id, entry_id }) => key_id.endsWith('.proof') && said.has(`${entry_id} ${key_id}`))
      .map(({ node_id }) => node_id),
  )
}
