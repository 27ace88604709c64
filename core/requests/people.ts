/** Whom a request is about: from identifiers to nodes, found by HMAC, by exact match only. */
import type { Identifier, IdentifierType } from '../../schemas/event.ts'
import type { Keys } from '../keys.ts'
import { isShredded } from '../ledger/shred.ts'
import { unseal } from '../seal.ts'
import { chunks, type Db } from '../stores/open.ts'

export interface KnownNode {
  readonly id: string
  readonly subject: string
  readonly personId: string
  readonly type: IdentifierType
  /** Of the identifier, under the index key. */
  readonly hmac: Uint8Array
  readonly dataKey: Uint8Array
  readonly proofKey: Uint8Array
  /** The identifier's value, where a purpose needed it. */
  readonly value: string | undefined
  readonly firstSeenAt: number
}

export interface KnownPeople {
  /** Canonical ids and those that were merged into them. */
  readonly personIds: readonly string[]
  readonly nodes: readonly KnownNode[]
}

/** @returns undefined when nobody is known by any of them. */
export async function findPeople(
  db: Db,
  keys: Keys,
  identifiers: readonly Identifier[],
): Promise<KnownPeople | undefined> {
  const hmacs = identifiers.map(({ type, value }) => keys.identifier(type, value))
  if (hmacs.length === 0) return undefined
  const reached = await db
    .selectFrom('identifiers')
    .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
    .select('nodes.person_id')
    .where('identifiers.hmac', 'in', hmacs)
    .execute()
  const canonical = [...new Set(reached.map(({ person_id }) => person_id))].sort()
  return canonical.length === 0 ? undefined : loadPeopleKnown(db, keys, canonical)
}

export async function loadPeopleKnown(db: Db, keys: Keys, canonical: readonly string[]): Promise<KnownPeople> {
  const merged: string[] = []
  const nodes: KnownNode[] = []
  for (const part of chunks(canonical)) {
    for (const row of await db.selectFrom('persons').select('id').where('merged_into', 'in', part).execute())
      merged.push(row.id)
    const rows = await db
      .selectFrom('nodes')
      .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
      .select([
        'nodes.id',
        'nodes.subject',
        'nodes.person_id',
        'nodes.data_key',
        'nodes.proof_key',
        'identifiers.type',
        'identifiers.hmac',
        'identifiers.sealed',
        'identifiers.first_seen_at',
      ])
      .where('nodes.person_id', 'in', part)
      .orderBy('nodes.id')
      .execute()
    for (const row of rows)
      nodes.push({
        id: row.id,
        subject: row.subject,
        personId: row.person_id,
        type: row.type as IdentifierType,
        hmac: row.hmac,
        dataKey: row.data_key,
        proofKey: row.proof_key,
        value:
          row.sealed && !isShredded(row.data_key)
            ? unseal(keys.unwrap(row.data_key), row.sealed).toString('utf8')
            : undefined,
        firstSeenAt: row.first_seen_at,
      })
  }
  return { personIds: [...canonical, ...merged], nodes }
}

/** One value per type, as a vendor wants to hear it: the newest of each. */
export function vendorIdentifiers(
  people: KnownPeople | undefined,
  given: readonly Identifier[],
): Partial<Record<IdentifierType, string>> {
  const found: Partial<Record<IdentifierType, string>> = {}
  for (const { type, value } of people?.nodes ?? []) if (value !== undefined) found[type] = value
  for (const { type, value } of given) found[type] ??= value
  return found
}
