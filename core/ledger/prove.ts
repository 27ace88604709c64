/** Proofs: one entry with its receipt, the last word of a subject or that it has none, and that one checkpoint continues another. */
import { type ConsentFacts, commitment, type PublicEntry } from '../../consent/ledger/entry.ts'
import { textLeafHash } from '../../consent/ledger/merkle.ts'
import { formatReceipt, type ReceiptContents } from '../../consent/ledger/receipt.ts'
import {
  createStateFold,
  keyedHead,
  type SubjectHead,
  stateProof,
  subjectKey,
} from '../../consent/ledger/state-tree.ts'
import { viewTree } from '../../consent/ledger/tiles.ts'
import type { LedgerProof } from '../../schemas/ledger.ts'
import type { Keys } from '../keys.ts'
import { unseal } from '../seal.ts'
import type { Db } from '../stores/open.ts'
import { asCheckpoint, newestCheckpoint } from './checkpoint.ts'
import { HUB } from './hub-entry.ts'
import { asLedgerEntry, type FoundEntry, findEntry, parseEntry, tileReader } from './rows.ts'
import { isShredded } from './shred.ts'

/** @param keys given only when the payload may be shown: then the receipt holds it. @returns undefined when there is no such entry. */
export async function proveEntry(db: Db, id: string, keys?: Keys): Promise<LedgerProof | undefined> {
  const found = await findEntry(db, id)
  if (!found) return undefined
  const entry = asLedgerEntry(found)
  const payload = await payloadState(db, id, found.nodeId)
  const checkpoint = await newestCheckpoint(db)
  const later = await db
    .selectFrom('ledger_subjects')
    .select('last_seq')
    .where('subject', '=', entry.subject)
    .executeTakeFirst()
  const waiting = await db
    .selectFrom('ledger_pending')
    .select('id')
    .where('subject', '=', entry.subject)
    .where('id', '<>', id)
    .limit(1)
    .executeTakeFirst()
  const common = {
    entry,
    payload,
    lastWord: !waiting && (found.seq === null || later?.last_seq === found.seq),
  }
  if (found.seq === null || !checkpoint || checkpoint.size <= found.seq)
    return { ...common, state: 'pending', leaf: null, checkpoint: null, receipt: null }
  const proof = await viewTree(tileReader(db)).inclusion(found.seq, checkpoint.size)
  const opened = keys && payload.state === 'kept' ? await openPayload(db, id, keys) : undefined
  const contents: ReceiptContents = {
    entry: parseEntry(found.bytes),
    ...(opened && { payload: opened.payload, salt: opened.salt.toString('base64') }),
  }
  return {
    ...common,
    state: 'proven',
    leaf: textLeafHash(found.bytes).toString('hex'),
    checkpoint: asCheckpoint(checkpoint),
    receipt: formatReceipt({ contents, index: found.seq, proof, checkpoint: checkpoint.note }),
  }
}

async function payloadState(db: Db, id: string, nodeId: string): Promise<LedgerProof['payload']> {
  if (nodeId === HUB) return { state: 'none', destroyedBy: null }
  const node = await db.selectFrom('nodes').select(['subject', 'proof_key']).where('id', '=', nodeId).executeTakeFirst()
  const shredded = await db
    .selectFrom('ledger_shredded')
    .select(['key_id', 'entry_id', 'at'])
    .where('node_id', '=', nodeId)
    .execute()
  const proof = shredded.find(({ key_id }) => key_id.endsWith('.proof'))
  if (proof) return { state: 'destroyed', destroyedBy: { entryId: proof.entry_id, at: proof.at } }
  const sealed = await sealedPayload(db, id)
  if (!node || isShredded(node.proof_key) || !sealed) return { state: 'missing', destroyedBy: null }
  return { state: 'kept', destroyedBy: null }
}

async function sealedPayload(db: Db, id: string): Promise<Uint8Array | undefined> {
  // In this order: it may move from one to the other in between.
  const pending = await db.selectFrom('ledger_pending').select('sealed').where('id', '=', id).executeTakeFirst()
  if (pending) return pending.sealed
  return (await db.selectFrom('ledger_payloads').select('sealed').where('id', '=', id).executeTakeFirst())?.sealed
}

export interface OpenedPayload {
  readonly salt: Buffer
  /** Personal data. */
  readonly payload: unknown
  /** As committed to. */
  readonly bytes: Buffer
}

/** Splits a capsule in the clear. */
export function splitCapsule(capsule: Uint8Array): OpenedPayload {
  const bytes = Buffer.from(capsule.subarray(32))
  return { salt: Buffer.from(capsule.subarray(0, 32)), payload: JSON.parse(bytes.toString('utf8')) as unknown, bytes }
}

/** @returns undefined when it cannot be read any more. @throws when the capsule was changed. */
export async function openPayload(db: Db, id: string, keys: Keys): Promise<OpenedPayload | undefined> {
  const found = await findEntry(db, id)
  const sealed = found && (await sealedPayload(db, id))
  if (!sealed) return undefined
  if (found.nodeId === HUB) return splitCapsule(sealed)
  const node = await db.selectFrom('nodes').select('proof_key').where('id', '=', found.nodeId).executeTakeFirst()
  if (!node || isShredded(node.proof_key)) return undefined
  return splitCapsule(unseal(keys.unwrap(node.proof_key), sealed))
}

/** What an entry says about consent; where privacy is strict it is read from the payload, and unknown once that is destroyed. */
export async function consentFacts(
  db: Db,
  found: FoundEntry,
  keys: Keys,
): Promise<ConsentFacts & Pick<PublicEntry, 'ts' | 'source'>> {
  const entry = JSON.parse(found.bytes) as PublicEntry
  if (entry.type !== STRICT) return entry
  const opened = await openPayload(db, found.id, keys)
  return { ...entry, ...(opened?.payload as { facts?: ConsentFacts } | undefined)?.facts }
}

/** Type of an entry about consent where privacy is strict. */
const STRICT = 'consent'

/** Whether a capsule is the one its entry commits to. */
export const fitsCommitment = ({ salt, bytes }: OpenedPayload, commit: unknown): boolean =>
  commitment(salt, bytes) === commit

export interface StateProof {
  /** The state.root entry it holds against. */
  readonly rootEntry: { readonly id: string; readonly seq: number; readonly size: number; readonly root: string }
  readonly subject: string
  readonly says: 'last' | 'absent'
  /** The subject's head, or whose place shows that it has none; null where nobody is. */
  readonly head: SubjectHead | null
  readonly steps: readonly { readonly bit: number; readonly hash: string }[]
}

/**
 * The last word of a subject, or its absence, under the newest state.root of at most `size` entries.
 * Reads all entries up to it: seconds per million.
 * @returns undefined when there is no state.root yet.
 */
export async function proveSubjects(
  db: Db,
  subjects: readonly string[],
  size = Number.MAX_SAFE_INTEGER,
): Promise<StateProof[] | undefined> {
  const row = await db
    .selectFrom('ledger_entries')
    .select(['id', 'seq', 'bytes'])
    .where('type', '=', 'state.root')
    .where('seq', '<', size)
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row) return undefined
  const facts = JSON.parse(row.bytes) as { size: number; root: string }
  const fold = createStateFold(HUB)
  await eachEntry(db, 0, facts.size, (entry) => {
    fold.add(parseEntry(entry.bytes), textLeafHash(entry.bytes))
  })
  const heads = [...fold.heads.values()].filter(({ subject }) => subject !== HUB)
  const keyed = heads.map(keyedHead)
  const byKey = new Map(heads.map((head) => [subjectKey(head.subject).toString('hex'), head]))
  return subjects.map((subject) => {
    const proof = stateProof(keyed, subjectKey(subject))
    const head = proof ? byKey.get(Buffer.from(proof.found.key).toString('hex'))! : null
    return {
      rootEntry: { id: row.id, seq: row.seq, size: facts.size, root: facts.root },
      subject,
      says: head?.subject === subject ? 'last' : 'absent',
      head,
      steps: (proof?.steps ?? []).map(({ bit, hash }) => ({ bit, hash: Buffer.from(hash).toString('base64') })),
    }
  })
}

/** In order, a few thousand at a time. */
export async function eachEntry(
  db: Db,
  from: number,
  to: number,
  take: (entry: { readonly seq: number; readonly id: string; readonly bytes: string }) => void,
): Promise<void> {
  for (let next = from; next < to; ) {
    const rows = await db
      .selectFrom('ledger_entries')
      .select(['seq', 'id', 'bytes'])
      .where('seq', '>=', next)
      .where('seq', '<', to)
      .orderBy('seq')
      .limit(5_000)
      .execute()
    if (rows.length === 0) return
    for (const row of rows) take(row)
    next = rows.at(-1)!.seq + 1
  }
}
