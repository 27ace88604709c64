/** What one side of a person who was taken apart is now: derived from what belongs to its nodes, history, ledger, facts. */
import type { PurposeStatus } from '../../consent/status.ts'
import type { Unmerged } from '../../schemas/identity.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { buildRuleSet, nextWake } from '../decision/index.ts'
import { newId } from '../ids.ts'
import { histories, type Step } from '../replay/history.ts'
import { replayPerson } from '../replay/person.ts'
import { Batch } from '../stages/batch.ts'
import { snapshotOf } from '../stages/identify.ts'
import type { SeparatedInput } from '../stages/note-inputs.ts'
import type { NodeState, PersonState } from '../stages/people.ts'
import type { StateStore } from '../stores/open.ts'
import { mergeProfiles } from './merge-profiles.ts'
import { settleStatuses } from './side-statuses.ts'
import { snapshotHash } from './snapshot.ts'
import type { UnmergeContext } from './unmerge.ts'
import { measuredOfSide } from './unmerge-audiences.ts'

type Side = Unmerged['sides'][number]

export interface Whole {
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
export async function rederive(
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
  const { audiences: _, scores: __, pushed: ___, measuresDueAt: ____, ...derived } = profile
  const written: OpenProfile = {
    ...derived,
    seq,
    ...(one.profile.age && { age: one.profile.age }),
    // Clocks go on for whose event started them; what entered a rule counts for both, so that nobody gets more for it.
    timers: one.profile.timers.filter(({ startEventId }) => started.has(startEventId)),
    entries: one.profile.entries,
    ...(one.profile.sessions && { sessions: one.profile.sessions }),
    ...(await exposures(nodeIds, one.profile, state)),
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
  await noteSeparation(id, nodeIds[0]!, written, { state, now })

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

/**
 * Arm and variant are fixed at first exposure: those of the first delivery of this side. Which side tried a rule out is
 * not known of the two, so neither counts for it.
 */
async function exposures(
  nodeIds: readonly string[],
  before: OpenProfile,
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
    const isTester = before.arms?.[rule!] === 'test'
    arms[rule!] ??= isTester ? 'test' : (arm as NonNullable<OpenProfile['arms']>[string])
    if (variant && !isTester) variants[rule!] ??= variant
  }
  return { arms, ...(Object.keys(variants).length > 0 && { variants }) }
}

/** A replay of the side goes on from here as the side did. */
async function noteSeparation(
  id: string,
  nodeId: string,
  profile: OpenProfile,
  { state: { db }, now }: { readonly state: StateStore; readonly now: number },
): Promise<void> {
  const caps = await db
    .selectFrom('caps')
    .select(['key', 'at', 'delivery_id'])
    .where('person_id', '=', id)
    .orderBy('at')
    .execute()
  const {
    seq,
    timers,
    entries,
    sessions,
    arms,
    variants,
    closings,
    crossed,
    audiences,
    scores,
    pushed,
    measuresDueAt,
  } = profile
  const body: SeparatedInput = {
    seq,
    timers,
    entries,
    ...(sessions && { sessions }),
    ...(arms && { arms }),
    ...(variants && { variants }),
    ...(closings && { closings }),
    ...(crossed && { crossed }),
    ...(audiences && { audiences }),
    ...(scores && { scores }),
    ...(pushed && { pushed }),
    ...(measuresDueAt !== undefined && { measuresDueAt }),
    caps: caps.map(({ key, at, delivery_id: deliveryId }) => ({ key, at, deliveryId })),
  }
  await db
    .insertInto('history_inputs')
    .values({
      id: newId(now),
      node_id: nodeId,
      person_seq: seq,
      kind: 'separated',
      at: now,
      body: JSON.stringify(body),
    })
    .execute()
}

async function wakeAt(id: string, profile: OpenProfile, { db }: StateStore): Promise<void> {
  const due = nextWake(profile, profile.measuresDueAt)
  await db.deleteFrom('wakeups').where('person_id', '=', id).execute()
  if (due !== undefined) await db.insertInto('wakeups').values({ person_id: id, due_at: due }).execute()
}
