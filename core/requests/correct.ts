/** Correction (LGPD art. 18 III) in the profile; recipients are told afterwards (art. 18 §6). Runs in the caller's transaction. */
import { randomBytes } from 'node:crypto'
import type { SealedTraits } from '../../schemas/profile.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { normalizeIdentifier } from '../kit/identifiers.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { isShredded } from '../ledger/shred.ts'
import { seal, sealJson, unsealJson } from '../seal.ts'
import { CommandError } from '../server/context.ts'
import type { Db } from '../stores/open.ts'
import { changeProfiles } from './erase.ts'
import type { KnownPeople } from './people.ts'

export type Corrections = Readonly<Record<string, string | number | boolean>>

const CONTACTS = ['email', 'phone'] as const

/** Normal forms of corrected contacts. @throws CommandError naming the field that is none. */
export function checkCorrections(corrections: Corrections): Corrections {
  const checked: Record<string, string | number | boolean> = { ...corrections }
  if (Object.keys(checked).length === 0)
    throw new CommandError('INVALID', 'Say what is to be corrected, and the right value.')
  for (const type of CONTACTS) {
    if (checked[type] === undefined) continue
    const value = normalizeIdentifier(type, checked[type])
    if (value === undefined) throw new CommandError('INVALID', `The corrected ${type} is not one.`)
    checked[type] = value
  }
  return checked
}

/** @returns how many stored values changed. */
export async function correct(
  people: KnownPeople,
  given: Corrections,
  {
    db,
    keys,
    requestId,
    now,
  }: { readonly db: Db; readonly keys: Keys; readonly requestId: string; readonly now: number },
): Promise<{ readonly changed: number; readonly entryId: string }> {
  const corrections = checkCorrections(given)
  const at = new Date(now).toISOString()
  let changed = 0
  const seen = new Set<string>()
  for (const node of people.nodes) {
    if (isShredded(node.dataKey)) continue
    const row = await db.selectFrom('node_traits').select('sealed').where('node_id', '=', node.id).executeTakeFirst()
    if (!row) continue
    const key = keys.unwrap(node.dataKey)
    const { traits } = unsealJson<SealedTraits>(key, row.sealed)
    let own = 0
    for (const [path, value] of Object.entries(corrections)) {
      const known = traits[path]
      if (!known) continue
      seen.add(path)
      if (known.value === value) continue
      traits[path] = { ...known, value, at }
      own += 1
    }
    if (own === 0) continue
    changed += own
    await db
      .updateTable('node_traits')
      .set({ sealed: sealJson(key, { traits }), updated_at: now })
      .where('node_id', '=', node.id)
      .execute()
  }
  await changeProfiles(people, { db, now }, (profile) => {
    for (const [path, value] of Object.entries(corrections)) {
      const known = profile.traits[path]
      if (!known) continue
      seen.add(path)
      if (known.value === value) continue
      profile.traits[path] = { ...known, value, at }
      changed += 1
    }
  })
  for (const type of CONTACTS) {
    const value = corrections[type]
    if (typeof value === 'string') changed += await correctContact(people, type, value, { db, keys, requestId, now })
  }
  // What waits was made from the old values: it is made anew.
  for (const { id } of people.nodes)
    await db
      .updateTable('deliveries')
      .set({ payload: null })
      .where('node_id', '=', id)
      .where('settled_at', 'is', null)
      .where('status', 'in', ['queued', 'retry'])
      .execute()
  const entryId = await hubEntry(db, {
    type: 'correction',
    at: now,
    actor: 'agent',
    source: 'hub/requests',
    facts: { request: requestId, fields: Object.keys(corrections).length, changed, article: 'LGPD art. 18 III' },
  })
  return { changed, entryId }
}

/** The old address is no longer used; the new one is a node of its own, as every identifier is. */
async function correctContact(
  people: KnownPeople,
  type: (typeof CONTACTS)[number],
  value: string,
  {
    db,
    keys,
    requestId,
    now,
  }: { readonly db: Db; readonly keys: Keys; readonly requestId: string; readonly now: number },
): Promise<number> {
  const hmac = keys.identifier(type, value)
  const owner = await db
    .selectFrom('identifiers')
    .innerJoin('nodes', 'nodes.id', 'identifiers.node_id')
    .select(['nodes.id', 'nodes.person_id', 'nodes.data_key'])
    .where('identifiers.hmac', '=', hmac)
    .executeTakeFirst()
  if (owner && !people.personIds.includes(owner.person_id))
    throw new CommandError(
      'CONFLICT',
      `The corrected ${type} already belongs to somebody else the hub knows. Find out whether they are one person first.`,
    )
  let changed = 0
  for (const node of people.nodes)
    if (node.type === type && node.value !== undefined && node.value !== value) {
      await db.updateTable('identifiers').set({ sealed: null }).where('node_id', '=', node.id).execute()
      changed += 1
    }
  if (owner) {
    if (!isShredded(owner.data_key))
      await db
        .updateTable('identifiers')
        .set({ sealed: seal(keys.unwrap(owner.data_key), value) })
        .where('hmac', '=', hmac)
        .execute()
    return changed
  }
  const personId = people.nodes[0]?.personId
  if (personId === undefined) return changed
  const id = newId(now)
  const data = keys.create()
  await db
    .insertInto('nodes')
    .values({
      id,
      person_id: personId,
      subject: `s_${randomBytes(16).toString('hex')}`,
      device: 0,
      data_key: data.wrapped,
      proof_key: keys.create().wrapped,
      founded_at: now,
    })
    .execute()
  await db
    .insertInto('identifiers')
    .values({ hmac, type, node_id: id, sealed: seal(data.key, value), first_seen_at: now })
    .execute()
  const [low, high] = [people.nodes[0]!.id, id].sort() as [string, string]
  await db
    .insertInto('edges')
    .values({ node_a: low, node_b: high, event_id: requestId, source_id: 'requests', at: now, refused: null })
    .execute()
  return changed + 1
}
