/**
 * A person that was several is taken apart: edges are refused from now on, who is who follows from the edges that
 * stand, and the state of each side is derived from what belongs to its nodes: history, ledger, facts. In the caller's
 * transaction.
 */
import { afterSeparation, separationEntry } from '../../consent/separation.ts'
import type { PurposeStatus } from '../../consent/status.ts'
import type { Unmerged } from '../../schemas/identity.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { buildRuleSet } from '../decision/index.ts'
import { newId } from '../ids.ts'
import type { Keys } from '../keys.ts'
import { histories, type Step } from '../replay/history.ts'
import { replayPerson } from '../replay/person.ts'
import { heldPersons } from '../retention/holds.ts'
import { CommandError } from '../server/context.ts'
import { Batch, loadPeople } from '../stages/batch.ts'
import { personStatus, snapshotOf } from '../stages/identify.ts'
import { writeEntry } from '../stages/ledger-entry.ts'
import type { NodeState, PersonState } from '../stages/people.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { insertMany, type StateStore } from '../stores/open.ts'
import type { Tie } from './components.ts'
import { mergeProfiles } from './merge-profiles.ts'
import { sidesWithout } from './sides.ts'
import { snapshotHash } from './snapshot.ts'
import { measuredOfSide, moveAudiences, stayNodes } from './unmerge-audiences.ts'

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

interface Whole {
  readonly one: PersonState
  /** What counted for each purpose while they were one. */
  readonly asOneOf: ReadonlyMap<string, PurposeStatus>
  readonly batch: Batch
  readonly act: string
  /** When the first of the edges taken back joined them. */
  readonly joinedAt: number
  /** Audience -> node whose event began the open stay. */
  readonly begunBy: ReadonlyMap<string, string>
  readonly merges: readonly {
    readonly from_person: string
    readonly into_person: string
    readonly before_hash?: string | null | undefined
  }[]
}

const NO_RULES = buildRuleSet([])

/** The state of one side, from what belongs to its nodes; written, with the entries its answers need. */
async function rederive(
  { id, own, keeps }: { readonly id: string; readonly own: readonly NodeState[]; readonly keeps: boolean },
  { one, asOneOf, batch, act, joinedAt, merges, begunBy }: Whole,
  { state, keys, settings, now }: UnmergeContext,
): Promise<Side> {
  const { db } = state
  const nodeIds = own.map((node) => node.id)
  const mine = new Set(nodeIds)
  const at = new Date(now).toISOString()
  const first = Math.min(...own.map(({ foundedAt }) => foundedAt))
  let profile = emptyProfile(new Date(first).toISOString())
  const said = new Batch(now, keys)
  let entries: readonly Extract<Step, { kind: 'entry' }>[] = []
  let people: readonly PersonState[] = []
  const events = new Set<string>()
  for await (const history of histories(now, { state, keys, now }, [id])) {
    entries = history.steps.filter((step) => step.kind === 'entry')
    // A conflict between the two is none any more; one among the answers of this side stays.
    const known = new Set(entries.map(({ entry }) => entry.id))
    const steps = history.steps.filter((step) => step.kind !== 'entry' || !isForeignConflict(step, known))
    for (const step of steps) if (step.kind === 'event') events.add(step.row.id)
    const bare = { ...settings, rules: NO_RULES, destinations: new Map() }
    delete (bare as { measures?: unknown }).measures
    const replayed = replayPerson({ ...history, steps }, { settings: bare, keys, clock: 'noted', until: now })
    people = replayed.people
    for (const [nodeId, statuses] of replayed.batch.statuses) said.statuses.set(nodeId, statuses)
    const [head, ...rest] = people
    if (head) profile = rest.reduce((all, next) => mergeProfiles(all, next.profile), head.profile)
  }

  const starts = await db
    .selectFrom('history')
    .select('id')
    .where('node_id', 'in', nodeIds)
    .where('id', 'in', ['', ...one.profile.timers.map(({ startEventId }) => startEventId)])
    .execute()
  const started = new Set(starts.map((row) => row.id))
  const seq = one.seq + 1
  const written: OpenProfile = {
    ...profile,
    seq,
    ...(one.profile.age && { age: one.profile.age }),
    // Clocks go on for whose event started them; what entered a rule counts for both, so that nobody gets more for it.
    timers: one.profile.timers.filter(({ startEventId }) => started.has(startEventId)),
    entries: one.profile.entries,
    ...(await exposures(nodeIds, state)),
    ...(one.profile.closings && { closings: one.profile.closings }),
    ...(one.profile.crossed && { crossed: one.profile.crossed }),
    ...measuredOfSide(one.profile, begunBy, mine, keeps),
    // Audiences and scores are asked again at once, where there are any.
    ...(settings.measures && !settings.measures.empty && { measuresDueAt: 0 }),
  }
  await db
    .updateTable('persons')
    .set({ seq, profile: JSON.stringify(written), updated_at: now })
    .where('id', '=', id)
    .execute()
  await wakeAt(id, written, state)

  const statuses = await settleStatuses(
    { own, said, entries, mine },
    { asOneOf, batch, act, joinedAt },
    { state, settings, at, now },
  )
  const deliveries = await db
    .selectFrom('deliveries')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('person_id', '=', id)
    .where('settled_at', 'is', null)
    .executeTakeFirstOrThrow()
  const hash = snapshotHash(snapshotOf({ nodes: [...own], profile: written }, batch, settings.purposes))
  return {
    personId: id,
    nodes: nodeIds,
    events: events.size,
    orders: Math.max(0, ...Object.values(written.counters).map((sums) => sums['orders'] ?? 0)),
    deliveries: Number(deliveries.n),
    restored: merges.some(({ before_hash }) => before_hash?.split('.').includes(hash) === true),
    statuses,
  }
}

function isForeignConflict({ entry }: Extract<Step, { kind: 'entry' }>, known: ReadonlySet<string>): boolean {
  if (entry.draft?.action !== 'conflict') return false
  const { entries } = (entry.draft.evidence.raw ?? {}) as { readonly entries?: readonly string[] }
  return !entries?.every((id) => known.has(id))
}

/** Arm and variant are fixed at first exposure: those of the first delivery of this side. */
async function exposures(
  nodeIds: readonly string[],
  { db }: StateStore,
): Promise<Pick<OpenProfile, 'arms' | 'variants'>> {
  const rows = await db
    .selectFrom('deliveries')
    .select(['rule', 'arm', 'variant'])
    .where('node_id', 'in', nodeIds)
    .where('rule', 'is not', null)
    .orderBy('created_at')
    .orderBy('ord')
    .execute()
  const arms: NonNullable<OpenProfile['arms']> = {}
  const variants: NonNullable<OpenProfile['variants']> = {}
  for (const { rule, arm, variant } of rows) {
    arms[rule!] ??= arm as NonNullable<OpenProfile['arms']>[string]
    if (variant) variants[rule!] ??= variant
  }
  return { arms, ...(Object.keys(variants).length > 0 && { variants }) }
}

async function wakeAt(id: string, profile: OpenProfile, { db }: StateStore): Promise<void> {
  const due = Math.min(
    ...profile.timers.map(({ graceUntil }) => Date.parse(graceUntil)),
    profile.measuresDueAt ?? Number.POSITIVE_INFINITY,
  )
  await db.deleteFrom('wakeups').where('person_id', '=', id).execute()
  if (Number.isFinite(due)) await db.insertInto('wakeups').values({ person_id: id, due_at: due }).execute()
}

async function settleStatuses(
  {
    own,
    said,
    entries,
    mine,
  }: {
    readonly own: readonly NodeState[]
    readonly said: Batch
    readonly entries: readonly Extract<Step, { kind: 'entry' }>[]
    readonly mine: ReadonlySet<string>
  },
  { asOneOf, batch, act, joinedAt }: Omit<Whole, 'merges' | 'one' | 'begunBy'>,
  {
    state,
    settings,
    at,
    now,
  }: {
    readonly state: StateStore
    readonly settings: ProcessPorts['settings']
    readonly at: string
    readonly now: number
  },
): Promise<Side['statuses']> {
  const { db, dialect } = state
  const told: Side['statuses'] = []
  const ledger = new Batch(now, batch.keys, batch.privacy)
  let tick = now * 1000
  for (const purpose of settings.purposes.all) {
    if (purpose.scope !== 'person') continue
    const asOne = asOneOf.get(purpose.id)
    if (!asOne) continue
    const derived = personStatus(own, purpose.id, said)?.row.status
    const ownEntries = new Set(entries.filter(({ entry }) => mine.has(entry.nodeId)).map(({ entry }) => entry.id))
    // A conflict of the merge rests on an entry of its own, and is gone with it; another refusal was somebody's word.
    const foreign =
      !ownEntries.has(asOne.entryId) && asOne.originRef !== 'merge' && Date.parse(asOne.receivedAt) > joinedAt
    const next = afterSeparation(derived, asOne, foreign)
    told.push({ purpose: purpose.id, before: asOne.status, after: next?.status ?? 'unknown' })
    const stored = personStatus(own, purpose.id, batch)?.row.status
    if (next?.status === stored?.status && next?.entryId === stored?.entryId) continue
    const node = own[0]!
    let status: PurposeStatus | undefined = next
    const folds = entries.some(({ entry }) => entry.purpose === purpose.id && entry.draft?.action === 'conflict')
    if (next && (folds || next.status !== derived?.status)) {
      const noted = separationEntry(next, {
        purpose: purpose.id,
        scope: purpose.scope,
        act,
        at,
        newId: () => newId(now),
      })
      writeEntry(noted.entry, node, [], ledger)
      status = noted.next
    }
    await db
      .deleteFrom('consent_status')
      .where('purpose', '=', purpose.id)
      .where('node_id', 'in', [...mine])
      .execute()
    batch.statuses.set(node.id, new Map(batch.statuses.get(node.id)))
    for (const id of mine) batch.statuses.get(id)?.delete(purpose.id)
    if (!status) continue
    tick += 1
    batch.statuses.get(node.id)!.set(purpose.id, { status, updatedAt: tick })
    await db
      .insertInto('consent_status')
      .values({
        node_id: node.id,
        purpose: purpose.id,
        status: status.status,
        body: JSON.stringify(status),
        updated_at: tick,
      })
      .execute()
  }
  await insertMany(
    db,
    dialect,
    'ledger_pending',
    ['id', 'node_id', 'subject', 'purpose', 'at', 'public', 'sealed'],
    ledger.rows.ledger,
  )
  return told
}
