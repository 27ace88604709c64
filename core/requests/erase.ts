/**
 * Erasure (LGPD art. 18 VI, art. 16): the data keys of all nodes of the person are destroyed and every row under
 * them goes. What a statute or a contract in force has us keep is sealed anew under the proof key and blocked
 * (art. 5 XIII). Runs in the caller's transaction, between two batches of the process role.
 */

import { keepFields } from '../../consent/collects.ts'
import type { Purposes } from '../../consent/purposes.ts'
import type { OpenProfile, SealedTraits } from '../../schemas/profile.ts'
import type { RequestScope } from '../../schemas/requests.ts'
import { measuresName } from '../decision/measures.ts'
import type { Keys } from '../keys.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import { isShredded, shredNodes } from '../ledger/shred.ts'
import { forgetPerson } from '../retention/erase.ts'
import { seal, sealJson, unseal, unsealJson } from '../seal.ts'
import type { SealedEvent } from '../stages/apply.ts'
import { eventOf } from '../stages/load.ts'
import { chunks, type Db } from '../stores/open.ts'
import type { Holdings } from './holdings.ts'
import type { KnownNode, KnownPeople } from './people.ts'
import { suppress } from './suppression.ts'

export interface ErasureContext {
  readonly db: Db
  readonly keys: Keys
  readonly requestId: string
  readonly purposes: Purposes
  /** Of the configuration: which purpose each audience has. */
  readonly audiences: Readonly<Record<string, { readonly purpose: string }>>
  /** Epoch milliseconds. */
  readonly now: number
}

/** @param hmacs of every identifier the request and the person are known by. */
export async function eraseEverything(
  people: KnownPeople | undefined,
  hmacs: readonly Uint8Array[],
  holdings: Holdings,
  context: ErasureContext,
): Promise<{ readonly entryId: string }> {
  const { db, keys, requestId, now } = context
  await suppress(db, keys, hmacs, { requestId, at: now })
  await deleteHeld(holdings.heldEvents, db)
  for (const part of chunks(holdings.quarantined))
    await db
      .updateTable('quarantine')
      .set({ status: 'dismissed', sealed: Buffer.alloc(0), path: '', message: '' })
      .where('id', 'in', part)
      .execute()
  const nodes = people?.nodes ?? []
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const nodeIds = [...byId.keys()]
  await blockUnderProof([...holdings.historyKept.keys()], byId, context)
  await resealBlocked(byId, context)
  const deliveries: string[] = []
  for (const part of chunks(nodeIds)) {
    for (const table of ['history', 'history_inputs', 'node_traits', 'facts', 'consent_status'] as const)
      await db.deleteFrom(table).where('node_id', 'in', part).execute()
    for (const { id } of await db.selectFrom('deliveries').select('id').where('node_id', 'in', part).execute())
      deliveries.push(id)
    await db.updateTable('deliveries').set({ input: null, payload: null }).where('node_id', 'in', part).execute()
    // What is on its way right now settles by itself; its next look finds nobody.
    await db
      .updateTable('deliveries')
      .set({ status: 'suppressed', reason: 'SUBJECT_SUPPRESSED', settled_at: now })
      .where('node_id', 'in', part)
      .where('settled_at', 'is', null)
      .where('status', 'in', ['queued', 'retry'])
      .execute()
    await db.deleteFrom('identifiers').where('node_id', 'in', part).execute()
    await db
      .deleteFrom('edges')
      .where((eb) => eb.or([eb('node_a', 'in', part), eb('node_b', 'in', part)]))
      .execute()
  }
  for (const part of chunks(deliveries)) await db.deleteFrom('echoes').where('delivery_id', 'in', part).execute()
  // Ids that were merged away keep rows of their own.
  for (const personId of people?.personIds ?? []) await forgetPerson(personId, now, db)
  await shredNodes(db, nodeIds, ['data'], { at: now, reason: 'erasure', actor: 'agent', request: requestId })
  const entryId = await hubEntry(db, {
    type: 'erasure',
    at: now,
    actor: 'agent',
    source: 'hub/requests',
    facts: {
      request: requestId,
      nodes: nodeIds.length,
      events: holdings.historyGone.length,
      kept: holdings.historyKept.size,
      article: 'LGPD art. 18 VI',
    },
  })
  return { entryId }
}

/** Only part of the person: art. 18 IV, or an erasure that names purposes. */
export async function restrict(
  people: KnownPeople,
  holdings: Holdings,
  action: 'erase' | 'block' | 'anonymise',
  scope: RequestScope,
  context: ErasureContext,
): Promise<{ readonly entryId: string }> {
  const { db, now, requestId } = context
  const byId = new Map(people.nodes.map((node) => [node.id, node]))
  if (action === 'block')
    await blockUnderProof([...holdings.historyGone, ...holdings.historyKept.keys()], byId, context)
  else {
    // One person's rows cannot be made anonymous one by one: what remains are the counts that never named anybody.
    for (const part of chunks(holdings.historyGone)) await db.deleteFrom('history').where('id', 'in', part).execute()
    await blockUnderProof([...holdings.historyKept.keys()], byId, context)
  }
  if (scope.purposes && action !== 'block') await narrowRows(people, byId, new Set(scope.purposes), context)
  if (scope.purposes) await forgetPurposes(people, new Set(scope.purposes), context)
  if (scope.events) await forgetNames(people, new Set(scope.events), context)
  const entryId = await hubEntry(db, {
    type: 'restriction',
    at: now,
    actor: 'agent',
    source: 'hub/requests',
    facts: {
      request: requestId,
      action,
      events: holdings.historyGone.length,
      kept: holdings.historyKept.size,
      article: 'LGPD art. 18 IV',
    },
  })
  return { entryId }
}

async function deleteHeld(ids: readonly string[], db: Db): Promise<void> {
  for (const part of chunks(ids)) {
    await db.deleteFrom('held').where('id', 'in', part).execute()
    await db.deleteFrom('held_identifiers').where('held_id', 'in', part).execute()
  }
}

async function blockUnderProof(
  ids: readonly string[],
  nodes: ReadonlyMap<string, KnownNode>,
  { db, keys, requestId, now }: ErasureContext,
): Promise<void> {
  for (const part of chunks(ids)) {
    for (const { sealed, ...open } of await db.selectFrom('history').selectAll().where('id', 'in', part).execute()) {
      const node = nodes.get(open.node_id)
      if (!node || isShredded(node.dataKey) || isShredded(node.proofKey)) continue
      await db
        .insertInto('blocked')
        .values({
          id: open.id,
          class: 'history',
          node_id: open.node_id,
          body: JSON.stringify({ ...open, sealed_under: 'proof' }),
          sealed: seal(keys.unwrap(node.proofKey), unseal(keys.unwrap(node.dataKey), sealed)),
          at: now,
          policy_id: `request:${requestId}`,
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
    }
    await db.deleteFrom('history').where('id', 'in', part).execute()
  }
}

/** What was blocked before lies under the data key that is about to go. */
async function resealBlocked(nodes: ReadonlyMap<string, KnownNode>, { db, keys }: ErasureContext): Promise<void> {
  for (const part of chunks([...nodes.keys()]))
    for (const row of await db.selectFrom('blocked').selectAll().where('node_id', 'in', part).execute()) {
      const body = JSON.parse(row.body) as Record<string, unknown>
      const node = nodes.get(row.node_id)
      if (!node || body['sealed_under'] === 'proof' || isShredded(node.dataKey) || isShredded(node.proofKey)) continue
      await db
        .updateTable('blocked')
        .set({
          body: JSON.stringify({ ...body, sealed_under: 'proof' }),
          sealed: seal(keys.unwrap(node.proofKey), unseal(keys.unwrap(node.dataKey), row.sealed)),
        })
        .where('id', '=', row.id)
        .execute()
    }
}

/** What other purposes keep too stays for them, with the fields they declare and no others. */
async function narrowRows(
  people: KnownPeople,
  nodes: ReadonlyMap<string, KnownNode>,
  gone: ReadonlySet<string>,
  { db, keys, purposes }: ErasureContext,
): Promise<void> {
  for (const part of chunks(people.nodes.map(({ id }) => id)))
    for (const row of await db.selectFrom('history').selectAll().where('node_id', 'in', part).execute()) {
      const named = JSON.parse(row.purposes) as string[]
      const left = named.filter((id) => !gone.has(id))
      const node = nodes.get(row.node_id)
      if (left.length === named.length || left.length === 0 || !node || isShredded(node.dataKey)) continue
      const key = keys.unwrap(node.dataKey)
      const sealed = unsealJson<SealedEvent>(key, row.sealed)
      const kept = keepFields(
        eventOf(row, sealed),
        left.flatMap((id) => purposes.get(id) ?? []),
      )
      const narrowed: SealedEvent = {
        ...sealed,
        properties: kept.event.properties,
        context: kept.event.context,
        traits: kept.event.traits,
        identifiers: sealed.identifiers.filter(({ type }) => kept.sealedIdentifiers.includes(type)),
      }
      await db
        .updateTable('history')
        .set({ purposes: JSON.stringify(left), sealed: sealJson(key, narrowed) })
        .where('id', '=', row.id)
        .execute()
    }
}

/** Traits and counters that only these purposes fed. */
async function forgetPurposes(
  people: KnownPeople,
  gone: ReadonlySet<string>,
  { db, keys, now, audiences }: ErasureContext,
): Promise<void> {
  const ended = new Set(Object.keys(audiences).filter((id) => gone.has(audiences[id]!.purpose)))
  const left = (purposes: readonly string[]) => purposes.filter((id) => !gone.has(id))
  for (const node of people.nodes) {
    if (isShredded(node.dataKey)) continue
    const row = await db.selectFrom('node_traits').select('sealed').where('node_id', '=', node.id).executeTakeFirst()
    if (!row) continue
    const key = keys.unwrap(node.dataKey)
    const { traits } = unsealJson<SealedTraits>(key, row.sealed)
    for (const [path, trait] of Object.entries(traits)) {
      const purposes = left(trait.purposes)
      if (purposes.length === 0) delete traits[path]
      else traits[path] = { ...trait, purposes }
    }
    await db
      .updateTable('node_traits')
      .set({ sealed: sealJson(key, { traits }), updated_at: now })
      .where('node_id', '=', node.id)
      .execute()
  }
  await changeProfiles(people, { db, now }, (profile) => {
    for (const [path, trait] of Object.entries(profile.traits)) {
      const purposes = left(trait.purposes)
      if (purposes.length === 0) delete profile.traits[path]
      else profile.traits[path] = { ...trait, purposes }
    }
    for (const id of gone) {
      delete profile.counters[id]
      delete profile.counted?.[id]
      delete profile.measured?.[id]
      for (const kept of [profile.computed, profile.scores])
        for (const [name, { purpose }] of Object.entries(kept ?? {})) if (purpose === id) delete kept![name]
      for (const [audience, { purpose }] of Object.entries(profile.audiences ?? {}))
        if (purpose === id) {
          delete profile.audiences![audience]
          ended.add(audience)
        }
      // Destinations are told at the next look, which is at once.
      profile.measuresDueAt = 0
    }
    if (profile.cart?.purposes && left(profile.cart.purposes).length === 0) delete profile.cart
  })
  await forgetStays(people, [...ended], db)
}

/** When somebody was in an audience is known no more, and time looks at them at once. */
async function forgetStays({ personIds }: KnownPeople, audiences: readonly string[], db: Db): Promise<void> {
  for (const person of personIds) {
    const row = await db
      .selectFrom('persons')
      .select('id')
      .where('id', '=', person)
      .where('merged_into', 'is', null)
      .executeTakeFirst()
    if (audiences.length > 0)
      await db.deleteFrom('audience_stays').where('person_id', '=', person).where('audience', 'in', audiences).execute()
    if (!row) continue
    await db.deleteFrom('wakeups').where('person_id', '=', person).execute()
    await db.insertInto('wakeups').values({ person_id: person, due_at: 0 }).execute()
  }
}

const forgetNames = (people: KnownPeople, names: ReadonlySet<string>, context: ErasureContext) =>
  changeProfiles(people, context, (profile) => {
    for (const name of names) {
      for (const times of [profile.recent, ...Object.values(profile.counted ?? {})]) delete times[name]
      for (const measures of Object.values(profile.measured ?? {}))
        for (const key of Object.keys(measures)) if (measuresName(key, name)) delete measures[key]
    }
  })

export async function changeProfiles(
  people: KnownPeople,
  { db, now }: { readonly db: Db; readonly now: number },
  change: (profile: OpenProfile) => void,
): Promise<void> {
  for (const part of chunks(people.personIds))
    for (const row of await db
      .selectFrom('persons')
      .select(['id', 'profile'])
      .where('id', 'in', part)
      .where('merged_into', 'is', null)
      .execute()) {
      const profile = JSON.parse(row.profile) as OpenProfile
      change(profile)
      await db
        .updateTable('persons')
        .set({ profile: JSON.stringify(profile), updated_at: now })
        .where('id', '=', row.id)
        .execute()
    }
}
