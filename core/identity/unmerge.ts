/**
 * A person that was several is taken apart: edges are refused from now on, who is who follows from the edges that
 * stand, and the state of each side is derived anew (rederive.ts). In the caller's transaction.
 */
import type { PurposeStatus } from '../../consent/status.ts'
import type { Unmerged } from '../../schemas/identity.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { heldPersons } from '../retention/holds.ts'
import { CommandError } from '../server/context.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { personStatus } from '../stages/identify.ts'
import type { PersonState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import type { StateStore } from '../stores/open.ts'
import type { Tie } from './components.ts'
import { rederive } from './rederive.ts'
import { sidesWithout } from './sides.ts'
import { moveAudiences, stayNodes } from './unmerge-audiences.ts'

export interface UnmergeContext {
  readonly state: StateStore
  readonly keys: Keys
  readonly settings: ProcessPorts['settings']
  readonly actor: string
  /** Epoch milliseconds. */
  readonly now: number
}

/** What an edge says when an officer took it back. */
export const TAKEN_BACK = 'unmerged'

type Side = Unmerged['sides'][number]

/** @throws CommandError NOT_FOUND, CONFLICT. */
export async function unmerge(given: readonly Tie[], reason: string, context: UnmergeContext): Promise<Unmerged> {
  const { state, keys, now, actor } = context
  const { db } = state
  const gone = given.map(({ a, b }): Tie => (a < b ? { a, b } : { a: b, b: a }))
  const person = await personOfEdges(gone, context)
  const batch = new Batch(now, keys, context.settings.privacy)
  await loadPeople(batch, state, [], [person])
  const one = batch.persons.get(person)
  if (!one) throw new CommandError('NOT_FOUND', 'Nobody has these nodes any more.')
  await refuseWhere(one, context)

  const asOneOf = new Map<string, PurposeStatus>()
  for (const { id, scope } of context.settings.purposes.all) {
    const status = scope === 'person' && personStatus(one.nodes, id, batch)?.row.status
    if (status) asOneOf.set(id, status)
  }
  const ids = one.nodes.map(({ id }) => id)
  const rows = await db
    .selectFrom('edges')
    .selectAll()
    .where('refused', 'is', null)
    .where('node_a', 'in', ids)
    .execute()
  const standing = rows.map(({ node_a: a, node_b: b, at }) => ({ a, b, at }))
  const { sides, stillBy } = sidesWithout(person, ids, standing, gone)
  if (sides.length < 2)
    throw new CommandError(
      'STILL_ONE',
      `Other evidence holds them together: ${stillBy.map(({ a, b }) => `${a}:${b}`).join(' ')}. Take it back in the same act, or choose another edge.`,
    )

  const act = newId(now)
  for (const { a, b } of gone)
    await db.updateTable('edges').set({ refused: TAKEN_BACK }).where('node_a', '=', a).where('node_b', '=', b).execute()
  await setApart(gone, sides, one, context)
  const merges = await undoMerges(sides, ids, context)
  const joinedAt = Math.min(
    ...standing.filter(({ a, b }) => gone.some((edge) => edge.a === a && edge.b === b)).map(({ at }) => at),
  )
  const begunBy = await stayNodes(person, db)
  const told: Side[] = []
  for (const nodes of sides.slice(1)) await moveRows(person, nodes[0]!, nodes, context)
  for (const [place, nodes] of sides.entries()) {
    const side = {
      id: place === 0 ? person : nodes[0]!,
      own: one.nodes.filter((node) => nodes.includes(node.id)),
      keeps: place === 0,
    }
    told.push(await rederive(side, { one, asOneOf, batch, act, joinedAt, merges, begunBy }, context))
  }
  await db
    .insertInto('identity_acts')
    .values({
      id: act,
      kind: 'unmerge',
      person_id: person,
      at: now,
      actor,
      reason,
      body: JSON.stringify({ edges: gone, sides: told.map(({ personId, nodes }) => ({ personId, nodes })) }),
    })
    .execute()
  await db
    .insertInto('access_log')
    .values({
      id: newId(now),
      at: now,
      actor,
      act: 'identity.unmerge',
      target: told.map(({ personId }) => personId).join(' '),
      reason,
    })
    .execute()
  return { dryRun: false, act, sides: told }
}

async function personOfEdges(gone: readonly Tie[], { state: { db } }: UnmergeContext): Promise<string> {
  const people = new Set<string>()
  for (const { a, b } of gone) {
    const edge = await db
      .selectFrom('edges')
      .innerJoin('nodes', 'nodes.id', 'edges.node_a')
      .select(['nodes.person_id', 'edges.refused'])
      .where('node_a', '=', a)
      .where('node_b', '=', b)
      .executeTakeFirst()
    if (!edge) throw new CommandError('NOT_FOUND', `There is no edge ${a}:${b}. See: anuente identity edges <person>`)
    if (edge.refused !== null)
      throw new CommandError(
        'CONFLICT',
        `The edge ${a}:${b} joins nobody: ${edge.refused}. There is nothing to take back.`,
      )
    people.add(edge.person_id)
  }
  if (people.size !== 1)
    throw new CommandError('CONFLICT', 'These edges belong to several people. Take one person at a time.')
  return [...people][0]!
}

/** What an unmerge would contradict. */
async function refuseWhere({ id, nodes }: PersonState, { state: { db } }: UnmergeContext): Promise<void> {
  if ((await heldPersons(db, [id])).size > 0)
    throw new CommandError(
      'LEGAL_HOLD',
      'The person is under a legal hold: what is known of them stays as it is until it is released.',
    )
  const ids = [id, ...nodes.map((node) => node.id)]
  const request = await db
    .selectFrom('requests')
    .select('id')
    .where('closed_at', 'is', null)
    .where('person_id', 'in', ids)
    .executeTakeFirst()
  if (request)
    throw new CommandError(
      'OPEN_REQUEST',
      `The request ${request.id} of this person is open: answer it first, or its answer would be about somebody else.`,
    )
  const leaving = await db
    .selectFrom('deliveries')
    .select('id')
    .where('person_id', '=', id)
    .where('settled_at', 'is', null)
    .where('status', 'in', ['leased', 'attempted'])
    .executeTakeFirst()
  if (leaving) throw new CommandError('DELIVERING', 'A delivery of this person is on its way. Try again in a minute.')
}

/** The ends of what was taken back are never again one person, by whatever evidence. */
async function setApart(
  gone: readonly Tie[],
  sides: readonly (readonly string[])[],
  one: PersonState,
  { state: { db } }: UnmergeContext,
) {
  const sideOf = (id: string) => sides.findIndex((side) => side.includes(id))
  const apart = new Map<string, Set<string>>()
  const add = (from: string, to: string) => {
    const known = apart.get(from) ?? new Set(one.nodes.find(({ id }) => id === from)?.apart)
    apart.set(from, known.add(to))
  }
  for (const { a, b } of gone)
    if (sideOf(a) !== sideOf(b)) {
      add(a, b)
      add(b, a)
    }
  for (const [id, others] of apart)
    await db
      .updateTable('nodes')
      .set({ apart: JSON.stringify([...others].sort()) })
      .where('id', '=', id)
      .execute()
}

async function undoMerges(
  sides: readonly (readonly string[])[],
  ids: readonly string[],
  { state: { db }, now }: UnmergeContext,
) {
  const sideOf = (id: string) => sides.findIndex((side) => side.includes(id))
  const rows = await db
    .selectFrom('merge_log')
    .selectAll()
    .where('undone_at', 'is', null)
    .where((eb) => eb.or([eb('into_person', 'in', ids), eb('from_person', 'in', ids)]))
    .execute()
  const undone = rows.filter((row) => sideOf(row.from_person) !== sideOf(row.into_person))
  for (const { id } of undone) await db.updateTable('merge_log').set({ undone_at: now }).where('id', '=', id).execute()
  return undone
}

/** Rows that name a person: what belongs to nodes of this side is this side's. */
async function moveRows(
  from: string,
  to: string,
  nodes: readonly string[],
  { state: { db }, now }: UnmergeContext,
): Promise<void> {
  await db.updateTable('nodes').set({ person_id: to }).where('id', 'in', nodes).execute()
  // Its profile is written with its state; old ids of this side lead here again.
  await db
    .insertInto('persons')
    .values({
      id: to,
      seq: 0,
      profile: JSON.stringify(emptyProfile(new Date(now).toISOString())),
      merged_into: null,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ merged_into: null }))
    .execute()
  await db
    .updateTable('persons')
    .set({ merged_into: to })
    .where('merged_into', '=', from)
    .where('id', 'in', nodes)
    .where('id', '<>', to)
    .execute()
  const theirs = [from, ...nodes]
  await db
    .updateTable('deliveries')
    .set({ person_id: to })
    .where('person_id', 'in', theirs)
    .where('node_id', 'in', nodes)
    .execute()
  await db
    .updateTable('caps')
    .set({ person_id: to })
    .where('person_id', '=', from)
    .where('delivery_id', 'in', (eb) => eb.selectFrom('deliveries').select('id').where('person_id', '=', to))
    .execute()
  await db
    .updateTable('explanations')
    .set({ person_id: to })
    .where('person_id', 'in', theirs)
    .where('event_id', 'in', (eb) => eb.selectFrom('history').select('id').where('node_id', 'in', nodes))
    .execute()
  await moveAudiences(from, to, nodes, db)
}
