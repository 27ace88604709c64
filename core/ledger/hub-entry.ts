/**
 * Entries of the hub itself, with the fixed subject `hub`: retention runs, erasures, destroyed keys,
 * legal holds, roots of deliveries. They are written in the caller's transaction, so that the act and its entry
 * exist together or not at all.
 */
import { pendingEntry } from '../../consent/ledger/entry.ts'
import { rootOf, textLeafHash } from '../../consent/ledger/merkle.ts'
import { newId } from '../ids.ts'
import { chunks, type Db } from '../stores/open.ts'

/** The subject of everything the hub says about itself, and the node of its capsules. */
export const HUB = 'hub'

export interface HubAct {
  /** e.g. retention.run, erasure, key.destroyed, hold.set. Dotted lower case. */
  readonly type: string
  /** In the open and for ever: counts, ids, hashes, articles. Never personal data. */
  readonly facts?: Readonly<Record<string, unknown>>
  /** Epoch milliseconds. */
  readonly at: number
  /** `system`, or `agent` when a person of the organization did it. */
  readonly actor?: 'system' | 'agent'
  /** Part of the hub or command: `hub/retention`. */
  readonly source?: string
  /**
   * Settled deliveries that this act deletes, reopens or changes. Their recorded hashes stay, marked with
   * this entry, and the entry holds the number of them and the root over their ids: verify then knows why the rows
   * differ, and that no others were marked.
   */
  readonly deliveries?: readonly string[]
}

const FIXED = new Set([
  'v',
  'id',
  'ts',
  'type',
  'subject',
  'commit',
  'seq',
  'subject_seq',
  'prev_subject_leaf',
  'logged_at',
])

/**
 * Writes one pending entry; the sequencer numbers it.
 * @returns its ULID.
 * @throws TypeError when a fact has no canonical JSON or takes the name of a fixed field.
 */
export async function hubEntry(db: Db, act: HubAct): Promise<string> {
  const id = newId(act.at)
  const facts = { ...act.facts }
  for (const name of Object.keys(facts))
    if (FIXED.has(name)) throw new TypeError(`a hub entry may not set ${name} itself`)
  const recorded = await recordedOf(db, act.deliveries ?? [])
  if (act.deliveries) facts['deliveries'] = idsRoot(recorded)
  const entry = pendingEntry(
    {
      ...facts,
      id,
      ts: new Date(act.at).toISOString(),
      type: act.type,
      subject: HUB,
      actor_kind: act.actor ?? 'system',
      source: act.source ?? HUB,
    },
    {},
  )
  await db
    .insertInto('ledger_pending')
    .values({
      id,
      node_id: HUB,
      subject: HUB,
      purpose: '',
      at: act.at,
      public: entry.publicBytes.toString('utf8'),
      sealed: Buffer.concat([entry.salt, entry.payload]),
    })
    .execute()
  for (const part of chunks(recorded))
    await db
      .updateTable('ledger_deliveries')
      .set({ ended_by: id })
      .where('delivery_id', 'in', part)
      .where('ended_by', 'is', null)
      .execute()
  return id
}

/** Those that a deliveries.root holds and no other act has ended. */
async function recordedOf(db: Db, ids: readonly string[]): Promise<string[]> {
  const recorded = new Set<string>()
  for (const part of chunks(ids)) {
    const rows = await db
      .selectFrom('ledger_deliveries')
      .select('delivery_id')
      .where('delivery_id', 'in', part)
      .where('ended_by', 'is', null)
      .execute()
    for (const { delivery_id } of rows) recorded.add(delivery_id)
  }
  return [...recorded]
}

/** How an entry names many ids: their number, and the Merkle root over them in order of their text. */
export function idsRoot(ids: readonly string[]): { readonly count: number; readonly root: string } {
  const sorted = [...new Set(ids)].sort()
  return { count: sorted.length, root: rootOf(sorted.map(textLeafHash)).toString('hex') }
}
