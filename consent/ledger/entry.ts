/**
 * One ledger entry before the sequencer numbers it: the public bytes that go into the tree, and the
 * payload that stays outside, tied together by a salted commitment. The caller seals payload and salt.
 */
import { createHash, randomFillSync } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Identifier } from '../../schemas/event.ts'
import type { LedgerPrivacy } from '../../schemas/ledger.ts'
import type { LedgerEntryDraft } from '../status.ts'

const COMMIT_PREFIX = Buffer.from('lgpd-commit-v1', 'utf8')

// One call to the system's generator serves many entries; handed-out bytes are wiped here.
const pool = Buffer.alloc(128 * 32)
let used = pool.length
function newSalt(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const salt = Buffer.from(pool.subarray(used, used + 32))
  pool.fill(0, used, used + 32)
  used += 32
  return salt
}

/** What everybody may see. No identifier, no evidence; `subject` is random. Numbers of the chain are added by the sequencer. */
export interface PublicEntry {
  readonly v: 1
  /** ULID. */
  readonly id: string
  /** ISO 8601: when the hub received it. */
  readonly ts: string
  /** consent.<action>, consent.record, `consent` where privacy is strict, or a type of the hub itself (deliveries.root, …). */
  readonly type: string
  /** "s_" + random, or `hub`. */
  readonly subject: string
  readonly purpose?: string
  readonly status?: string
  readonly basis?: string
  readonly notice?: { readonly id: string; readonly version: number }
  readonly evidence_class?: 'valid' | 'invalid'
  /** SHA-256 (hex) over prefix, salt and canonical payload. */
  readonly commit: string
  readonly actor_kind: string
  readonly source: string
  /** Keys that open the payload: `<subject>.proof`. An entry key.destroyed names those that are gone. */
  readonly key_ids?: readonly string[]
  readonly [fact: string]: unknown
}

/** As it stands in the tree. `subject_seq` and `prev_subject_leaf` chain the entries of one subject; hex, null for its first. */
export interface SequencedEntry extends PublicEntry {
  readonly seq: number
  readonly subject_seq: number
  readonly prev_subject_leaf: string | null
  /** ISO 8601: when it got its number. Never earlier than the entry before it. */
  readonly logged_at: string
}

export interface PendingEntry {
  readonly id: string
  readonly entry: PublicEntry
  /** RFC 8785 bytes of `entry`. */
  readonly publicBytes: Buffer
  /** RFC 8785 bytes; personal data: seal together with `salt`. */
  readonly payload: Buffer
  /** 32 bytes. Losing it unlinks the commitment from the payload. */
  readonly salt: Buffer
}

/** What an entry says about consent, in the tree or, where privacy is strict, behind its commitment. */
export interface ConsentFacts {
  readonly type: string
  readonly purpose?: string
  readonly status?: string
  readonly basis?: string
  readonly evidence_class?: 'valid' | 'invalid'
  readonly notice?: { readonly id: string; readonly version: number }
  readonly expires_at?: string
}

/**
 * @param identifiers as given on the event: they belong to the proof of who answered.
 * @param privacy strict: the tree shows that a subject answered, and not what about.
 */
export function consentEntry(
  draft: LedgerEntryDraft,
  subject: string,
  identifiers: readonly Identifier[],
  salt: Buffer = newSalt(),
  privacy: LedgerPrivacy = 'open',
): PendingEntry {
  const { evidence } = draft
  const facts: ConsentFacts = {
    type: draft.effect === 'record' ? 'consent.record' : `consent.${draft.action}`,
    purpose: draft.purpose,
    status: draft.status,
    basis: draft.basis,
    evidence_class: draft.evidenceClass,
    ...(draft.notice && { notice: { id: draft.notice.id, version: draft.notice.version } }),
    ...(draft.expiresAt !== undefined && { expires_at: draft.expiresAt }),
  }
  const payload = {
    ...(privacy === 'strict' && { facts }),
    action: draft.action,
    scope: draft.scope,
    evidence: {
      method: evidence.method,
      flags: evidence.flags,
      sha256: evidence.sha256,
      ...(evidence.raw !== undefined && { raw: evidence.raw }),
    },
    identifiers: identifiers.map(({ type, value }) => ({ type, value })),
    origin: draft.origin,
    occurredAt: draft.occurredAt,
    receivedAt: draft.receivedAt,
    ...(draft.ends !== undefined && { ends: draft.ends }),
    ...(draft.verified && { verified: true }),
  }
  return pendingEntry(
    {
      id: draft.id,
      ts: draft.receivedAt,
      ...(privacy === 'strict' ? { type: 'consent' } : facts),
      subject,
      actor_kind: draft.actor,
      source: `${draft.origin.kind}/${draft.origin.ref}`,
      key_ids: [`${subject}.proof`],
    },
    payload,
    salt,
  )
}

/** Any entry; the hub's own have the subject `hub`. */
export function pendingEntry(
  facts: Omit<PublicEntry, 'v' | 'commit'> &
    Pick<PublicEntry, 'id' | 'ts' | 'type' | 'subject' | 'actor_kind' | 'source'>,
  payload: unknown,
  salt: Buffer = newSalt(),
): PendingEntry {
  const payloadBytes = jcs(payload)
  const entry: PublicEntry = { ...facts, v: 1, commit: commitment(salt, payloadBytes) }
  return { id: facts.id, entry, publicBytes: jcs(entry), payload: payloadBytes, salt }
}

/** @returns hex. Anybody who holds salt and payload can check it against the public entry. */
export function commitment(salt: Buffer, payload: Buffer): string {
  return createHash('sha256').update(COMMIT_PREFIX).update(salt).update(payload).digest('hex')
}

function jcs(value: unknown): Buffer {
  return Buffer.from(canonicalText(value), 'utf8')
}

function canonicalText(value: unknown): string {
  try {
    return canonicalize(value) ?? 'null'
  } catch {
    // Evidence from outside may hold what JSON cannot: lone surrogates, NaN. Made well formed first, it has a canonical form.
    return canonicalize(wellFormed(JSON.parse(JSON.stringify(value) ?? 'null'))) ?? 'null'
  }
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), wellFormed(inner)]))
}
