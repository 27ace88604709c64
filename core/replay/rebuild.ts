/**
 * State from history: profiles with their counters, carts and timers, as the events and other inputs make them. Never
 * enqueues a delivery. What history does not hold is left as it is: see `keepLive`.
 */
import type { OpenProfile } from '../../schemas/profile.ts'
import type { Keys } from '../keys.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { insertMany, type StateStore } from '../stores/open.ts'
import { histories } from './history.ts'
import { replayPerson } from './person.ts'

export interface RebuildOptions {
  readonly state: StateStore
  readonly keys: Keys
  readonly settings: ProcessPorts['settings']
  readonly now: number
  /** Absent: compares and writes nothing. */
  readonly write?: boolean
  readonly onPeople?: (count: number) => void
}

export interface Rebuilt {
  readonly people: number
  readonly events: number
  readonly same: number
  /** Profile field -> of how many people it differs. */
  readonly different: Readonly<Record<string, number>>
  /** People with other values than their history gives; written when asked to. */
  readonly changed: number
  /** History does not hold every input of theirs (retention, or rows from before inputs were noted): left as they are. */
  readonly incomplete: number
  /** Somebody else changed them meanwhile. */
  readonly taken: number
  readonly written: boolean
}

export async function rebuild({ state, keys, settings, now, write, onPeople }: RebuildOptions): Promise<Rebuilt> {
  const different: Record<string, number> = {}
  const counts = { people: 0, events: 0, same: 0, changed: 0, incomplete: 0, taken: 0 }
  for await (const history of histories(now, { state, keys, now })) {
    const { person } = history
    onPeople?.(1)
    if (person.seq === 0) continue
    counts.people += 1
    const { people, events } = replayPerson(history, { settings, keys, clock: 'noted', until: now })
    counts.events += events
    const [replayed] = people
    if (people.length !== 1 || !replayed || replayed.id !== person.id || replayed.seq !== person.seq) {
      counts.incomplete += 1
      continue
    }
    const profile = keepLive(replayed.profile, person.profile)
    const fields = differences(profile, person.profile)
    if (fields.length === 0) {
      counts.same += 1
      continue
    }
    counts.changed += 1
    for (const field of fields) different[field] = (different[field] ?? 0) + 1
    if (write && !(await store(person.id, person.seq, profile, now, state))) counts.taken += 1
  }
  return { ...counts, different, written: write === true }
}

/**
 * Arms, for who was exposed once stays so. The age and when somebody was first and last seen, which events tell also
 * where nothing of them may be kept. A trait that was corrected at the person's request (LGPD art. 18 III) after the
 * newest event that names it.
 */
function keepLive(replayed: OpenProfile, live: OpenProfile): OpenProfile {
  const traits = { ...replayed.traits }
  for (const [name, known] of Object.entries(live.traits))
    if (!(traits[name] && traits[name].at >= known.at)) traits[name] = known
  const arms = { ...replayed.arms, ...live.arms }
  const { age: _, variants, ...rest } = replayed
  // When a version was only tried out is not in history.
  const shown = Object.entries(variants ?? {}).filter(([rule]) => arms[rule] !== 'test')
  return {
    ...rest,
    traits,
    ...((replayed.arms || live.arms) && { arms }),
    ...(shown.length > 0 && { variants: Object.fromEntries(shown) }),
    ...(live.age && { age: live.age }),
    firstSeenAt: [live.firstSeenAt, replayed.firstSeenAt].sort()[0]!,
    lastSeenAt: [live.lastSeenAt, replayed.lastSeenAt].sort()[1]!,
  }
}

/** Names of fields of which the values differ. Absent and empty are the same. */
function differences(a: OpenProfile, b: OpenProfile): string[] {
  const [one, other] = [a, b].map((profile) => profile as unknown as Record<string, unknown>) as [
    Record<string, unknown>,
    Record<string, unknown>,
  ]
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (name) => plain(one[name]) !== plain(other[name]),
  )
}

const plain = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner
    const entries = Object.entries(inner).filter(([, one]) => one !== undefined)
    return entries.length === 0 ? undefined : Object.fromEntries(entries.sort(([x], [y]) => (x < y ? -1 : 1)))
  }) ?? ''

/** @returns false when they were changed since they were read. */
async function store(id: string, seq: number, profile: OpenProfile, now: number, state: StateStore): Promise<boolean> {
  return state.transaction(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('persons')
      .set({ profile: JSON.stringify(profile), updated_at: now })
      .where('id', '=', id)
      .where('seq', '=', seq)
      .where('merged_into', 'is', null)
      .executeTakeFirst()
    if (Number(numUpdatedRows) !== 1) return false
    // Woken too early, a person is looked at and sleeps on: what else waits for time is found then.
    const due = profile.timers.map(({ graceUntil }) => Date.parse(graceUntil)).sort((a, b) => a - b)[0]
    if (due !== undefined)
      await insertMany(
        trx,
        state.dialect,
        'wakeups',
        ['person_id', 'due_at'],
        [[id, due]],
        'on conflict (person_id) do update set due_at = case when excluded.due_at < wakeups.due_at then excluded.due_at else wakeups.due_at end',
      )
    return true
  })
}
