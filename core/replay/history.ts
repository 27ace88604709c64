/**
 * What a replay reads of people: their events, the other inputs, the ledger's entries and how their nodes came together,
 * in the order in which the hub took them. Reads only.
 */

import { entriesOf, type PastEntry } from '../answers/status.ts'
import type { Keys } from '../keys.ts'
import { isShredded } from '../ledger/shred.ts'
import { unsealJson } from '../seal.ts'
import type { CounterInput, SealedEvent } from '../stages/apply.ts'
import { Batch, loadPeople, loadPeopleOfNodes } from '../stages/batch.ts'
import type { ContactInput } from '../stages/note-contact.ts'
import type { MeasuredInput, SeparatedInput, SlotInput, WakeInput } from '../stages/note-inputs.ts'
import type { NodeState, PersonState } from '../stages/people.ts'
import { chunks, runIn, type StateStore } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { type DefinitionsOfThen, definitionsSoFar } from './definitions.ts'
import type { Relevance } from './relevance.ts'

export interface Join {
  readonly a: string
  readonly b: string
}

/** `key` orders all steps of a person; `at` is the clock of the hub when it took this, in epoch milliseconds. */
export type Step = { readonly key: string; readonly at: number } & (
  | {
      readonly kind: 'event'
      readonly row: OpenRow
      readonly sealed: SealedEvent
      readonly purposes: readonly string[]
      /** Nodes that became one person by this event. */
      readonly joins: readonly Join[]
    }
  /** An event of which nothing sealed matters to whoever replays it. */
  | {
      readonly kind: 'passing'
      readonly row: PassingRow
      readonly purposes: readonly string[]
      /** Its time is counted. */
      readonly counts: boolean
    }
  | { readonly kind: 'wake'; readonly nodeId: string; readonly watermark: number }
  | { readonly kind: 'counters'; readonly nodeId: string; readonly change: CounterInput }
  | { readonly kind: 'schedule'; readonly nodeId: string; readonly slot: SlotInput }
  | { readonly kind: 'measured'; readonly nodeId: string; readonly measured: MeasuredInput }
  | { readonly kind: 'consent'; readonly nodeId: string }
  /** From here on they are what was left of them when somebody took them apart. */
  | { readonly kind: 'separated'; readonly nodeId: string; readonly left: SeparatedInput }
  | { readonly kind: 'contact'; readonly nodeId: string; readonly report: ContactInput }
  | { readonly kind: 'entry'; readonly entry: PastEntry }
  | { readonly kind: 'join'; readonly join: Join }
)

/** What is read of an event that is not opened. */
type PassingRow = Omit<Tables['history'], 'sealed' | 'amounts' | 'source_id' | 'connector'>
type OpenRow = Omit<Tables['history'], 'sealed' | 'amounts'>

export interface PersonHistory {
  /** As they are today, with today's answers in `today`. */
  readonly person: PersonState
  readonly today: Batch
  /** Every node a step names, shared devices of other people included. */
  readonly nodes: ReadonlyMap<string, NodeState>
  readonly steps: readonly Step[]
  /** Deliveries of rules that did not happen: id -> when their reservation was given back. */
  readonly released: ReadonlyMap<string, number>
  /** What people were held against, and since when; oldest first. */
  readonly definitions: readonly DefinitionsOfThen[]
  /** Key of the first input of which the hub noted when it took it; undefined: of none. */
  readonly notedFrom: string | undefined
}

export interface HistoryPorts {
  readonly state: StateStore
  readonly keys: Keys
  /** Epoch milliseconds: the clock of today's answers. */
  readonly now: number
  /** Only what matters is opened; everything when absent. */
  readonly relevance?: Relevance
  /** Whose history is not read, though they are told of: they have no steps. */
  readonly leaveOut?: (person: PersonState, today: Batch) => boolean
}

/** How many rows of history are held at a time, roughly: one person's are never parted. */
const ROWS_AT_ONCE = 20_000
const PEOPLE_AT_ONCE = 400

/**
 * All people who have a history, in the order of their ids, each with everything up to `until`.
 * @param until epoch milliseconds, by the clock of the hub.
 */
export async function* histories(
  until: number,
  ports: HistoryPorts,
  only?: readonly string[],
): AsyncGenerator<PersonHistory> {
  const { db } = ports.state
  const definitions = await definitionsSoFar(db)
  const wanted = only && [...only].sort()
  let after = ''
  for (let from = 0; ; from += PEOPLE_AT_ONCE) {
    const found = wanted
      ? await runIn<Sized>(db, ports.state.dialect, SIZES, wanted.slice(from, from + PEOPLE_AT_ONCE))
      : await db
          .selectFrom('persons')
          .select(['id', 'seq'])
          .where('merged_into', 'is', null)
          .where('id', '>', after)
          .orderBy('id')
          .limit(PEOPLE_AT_ONCE)
          .execute()
    if (wanted ? from >= wanted.length : found.length === 0) return
    after = found.at(-1)?.id ?? after
    let part: string[] = []
    let rows = 0
    for (const { id, seq } of found) {
      part.push(id)
      rows += seq
      if (rows < ROWS_AT_ONCE) continue
      yield* await loadHistories(part, until, definitions, ports)
      part = []
      rows = 0
    }
    if (part.length > 0) yield* await loadHistories(part, until, definitions, ports)
  }
}

/** What somebody took so far is about as much as is kept of them. */
type Sized = Pick<Tables['persons'], 'id' | 'seq'>
const SIZES = 'select id, seq from persons where id in ({list}) order by id'
const TIMES = 'id, node_id, person_seq, type, name, occurred_at, received_at, purposes, taken, taken_at'
const OPEN = `select ${TIMES} from history where node_id in ({list}) and coalesce(taken_at, received_at) <= ?`
const WHOLE = `select ${TIMES}, source_id, connector, sealed from history
  where node_id in ({list}) and coalesce(taken_at, received_at) <= ?`
const SEALED = 'select id, source_id, connector, sealed from history where id in ({list})'
const INPUTS = 'select * from history_inputs where node_id in ({list}) and at <= ?'
const EDGES =
  'select node_a, node_b, event_id, at from edges where refused is null and node_a in ({list}) and at <= ? order by at'
const MERGES =
  'select from_person, into_person, event_id, at from merge_log where undone_at is null and from_person in ({list}) and at <= ? order by id'
const RELEASED = `select id, person_id, settled_at from deliveries
  where rule is not null and status in ('blocked', 'cancelled', 'suppressed') and person_id in ({list})`

async function loadHistories(
  personIds: readonly string[],
  until: number,
  definitions: readonly DefinitionsOfThen[],
  { state, keys, now, relevance, leaveOut }: HistoryPorts,
): Promise<PersonHistory[]> {
  const { db, dialect } = state
  const today = new Batch(now, keys)
  await loadPeople(today, state, [], personIds)
  const people = personIds.map((id) => today.persons.get(id)).filter((person) => person !== undefined)
  const read = leaveOut ? people.filter((person) => !leaveOut(person, today)) : people
  const own = read.flatMap(({ nodes }) => nodes).filter(({ dataKey }) => !isShredded(dataKey))
  const ids = own.map(({ id }) => id)
  const owner = new Map(own.map((node) => [node.id, node.personId]))
  const byPerson = new Map<string, Step[]>(people.map(({ id }) => [id, []]))
  const add = (nodeId: string, step: Step) => byPerson.get(owner.get(nodeId) ?? '')?.push(step)

  const joins = await joinsOf(ids, until, state)
  const opened = await openHistory({ people: read, own, owner }, until, joins, { state, keys, relevance })
  /** Devices that are somebody else's, or of somebody else's chunk -> who used them. */
  const users = new Map<string, Set<string>>()
  for (const { row, sealed } of opened) {
    if (!sealed) continue
    const user = owner.get(row.node_id)!
    if (owner.get(sealed.device) === user) continue
    const known = users.get(sealed.device)
    if (known) known.add(user)
    else users.set(sealed.device, new Set([user]))
  }
  await loadPeopleOfNodes(today, state, users.keys())
  const nodes = new Map<string, Map<string, NodeState>>(people.map(({ id }) => [id, new Map()]))
  for (const node of own) nodes.get(node.personId)?.set(node.id, node)
  for (const [id, by] of users) {
    const node = today.node(id)
    if (node) for (const user of by) nodes.get(user)?.set(id, node)
  }

  const byEvent = new Map<string, Join[]>()
  for (const { event_id, a, b } of joins) {
    const list = byEvent.get(event_id)
    if (list) list.push({ a, b })
    else byEvent.set(event_id, [{ a, b }])
  }
  for (const one of opened) {
    const { key, purposes } = one
    const at = one.row.taken_at ?? one.row.received_at
    if (!one.sealed) {
      add(one.row.node_id, { kind: 'passing', key, at, row: one.row, purposes, counts: one.counts })
      continue
    }
    const { row, sealed } = one
    const mine = byEvent.get(row.id) ?? []
    byEvent.delete(row.id)
    add(row.node_id, { kind: 'event', key, at, row, sealed, purposes, joins: mine })
  }
  // The event that joined them is no longer kept: they are one from that moment all the same.
  for (const { event_id, a, b, at } of joins)
    if (byEvent.has(event_id)) add(a, { kind: 'join', key: oldKey(at, '0'), at, join: { a, b } })
  for (const row of await runIn<Tables['history_inputs']>(db, dialect, INPUTS, ids, [], [until])) {
    const { id: key, at, node_id: nodeId } = row
    const body: unknown = JSON.parse(row.body)
    if (row.kind === 'wake') add(nodeId, { kind: 'wake', key, at, nodeId, watermark: (body as WakeInput).watermark })
    else if (row.kind === 'counters') add(nodeId, { kind: 'counters', key, at, nodeId, change: body as CounterInput })
    else if (row.kind === 'schedule') add(nodeId, { kind: 'schedule', key, at, nodeId, slot: body as SlotInput })
    else if (row.kind === 'measured')
      add(nodeId, { kind: 'measured', key, at, nodeId, measured: body as MeasuredInput })
    else if (row.kind === 'consent') add(nodeId, { kind: 'consent', key, at, nodeId })
    else if (row.kind === 'separated') add(nodeId, { kind: 'separated', key, at, nodeId, left: body as SeparatedInput })
    else if (row.kind === 'contact') add(nodeId, { kind: 'contact', key, at, nodeId, report: body as ContactInput })
  }
  const notedFrom = new Map<string, string>()
  for (const [id, steps] of byPerson) {
    const noted = steps.flatMap((step) => (step.kind === 'join' || isOldKey(step.key) ? [] : [step.key])).sort()
    if (noted[0] !== undefined) notedFrom.set(id, noted[0])
  }
  const named = new Map([...nodes.values()].flatMap((theirs) => [...theirs]))
  const entries = await entriesOf([...named.values()], { state, keys })
  for (const entry of entries) {
    if (entry.at > until) continue
    for (const person of new Set([owner.get(entry.nodeId), ...(users.get(entry.nodeId) ?? [])])) {
      if (person === undefined) continue
      const from = notedFrom.get(person)
      const key = from !== undefined && entry.id > from ? entry.id : oldKey(entry.at, '0')
      byPerson.get(person)?.push({ kind: 'entry', key, at: entry.at, entry })
    }
  }
  const released = new Map<string, Map<string, number>>()
  // What was settled before two became one stays with the id of then, which is that of a node (stages/identify.ts).
  const everyone = new Map(
    people.flatMap(({ id, nodes: own }) => [id, ...own.map((node) => node.id)].map((of) => [of, id])),
  )
  for (const row of await runIn<{ id: string; person_id: string; settled_at: number }>(db, dialect, RELEASED, [
    ...everyone.keys(),
  ])) {
    const person = everyone.get(row.person_id)!
    const mine = released.get(person)
    if (mine) mine.set(row.id, row.settled_at)
    else released.set(person, new Map([[row.id, row.settled_at]]))
  }
  return people.map((person) => {
    const steps = byPerson.get(person.id)!
    return {
      person,
      today,
      nodes: nodes.get(person.id)!,
      steps: steps.sort(byKey),
      released: released.get(person.id) ?? new Map(),
      definitions,
      notedFrom: notedFrom.get(person.id),
    }
  })
}

/** Nodes whose key is still there, and whose they are. */
interface Owners {
  readonly own: readonly NodeState[]
  readonly owner: ReadonlyMap<string, string>
}

type Opened = { readonly key: string; readonly purposes: readonly string[] } & (
  | { readonly row: OpenRow; readonly sealed: SealedEvent }
  | { readonly row: PassingRow; readonly sealed: undefined; readonly counts: boolean }
)

/** Kept events of these people, opened as far as they matter. */
async function openHistory(
  { people, own, owner }: Owners & { readonly people: readonly PersonState[] },
  until: number,
  joins: readonly { readonly event_id: string }[],
  {
    state: { db, dialect },
    keys,
    relevance,
  }: Pick<HistoryPorts, 'state' | 'keys'> & { readonly relevance: Relevance | undefined },
): Promise<Opened[]> {
  const dataKeys = new Map(own.map(({ id, dataKey }) => [id, dataKey]))
  const ids = own.map(({ id }) => id)
  const open = ({ node_id: id }: PassingRow, sealed: Uint8Array) =>
    unsealJson<SealedEvent>(keys.unwrap(dataKeys.get(id)!), sealed)
  if (!relevance || relevance.everything) {
    const rows = await runIn<OpenRow & { sealed: Uint8Array }>(db, dialect, WHOLE, ids, [], [until])
    return rows.map((row) => ({ ...placed(row), sealed: open(row, row.sealed) }))
  }
  const rows = await runIn<PassingRow>(db, dialect, OPEN, ids, [], [until])
  const joining = new Set(joins.map(({ event_id }) => event_id))
  const whole = new Set(people.filter(relevance.needsAllOf).map(({ id }) => id))
  const found = rows.map((row) => {
    const { key, purposes } = placed(row)
    const needed = joining.has(row.id) || whole.has(owner.get(row.node_id)!)
    return { row, key, purposes, weight: needed ? ('open' as const) : relevance.weigh(row, purposes, row.purposes) }
  })
  const opened = new Map<string, { readonly row: OpenRow; readonly sealed: SealedEvent }>()
  const openAll = async (wanted: readonly Found[]) => {
    const rowOf = new Map(wanted.map(({ row }) => [row.id, row]))
    for (const { id, sealed, ...source } of await runIn<
      Pick<Tables['history'], 'id' | 'source_id' | 'connector' | 'sealed'>
    >(db, dialect, SEALED, [...rowOf.keys()])) {
      const row = rowOf.get(id)!
      opened.set(id, { row: { ...row, ...source }, sealed: open(row, sealed) })
    }
  }
  await openAll(found.filter(({ weight }) => weight === 'open'))
  await openUntilKnown({ own, owner }, found, opened, openAll, { keys, relevance })
  return found.map(({ row, key, purposes, weight }) => {
    const whole = opened.get(row.id)
    return whole ? { key, purposes, ...whole } : { row, key, purposes, sealed: undefined, counts: weight === 'time' }
  })
}

interface Found {
  readonly row: PassingRow
  readonly key: string
}

/** How many events of a person are opened at a time while an identifier of theirs is looked for; then twice as many. */
const LOOKED_AT_ONCE = 8

/** Of people whose identifiers are not all known yet everything is opened, in order, that may be the first to bring one. */
async function openUntilKnown(
  { own, owner }: Owners,
  found: readonly Found[],
  opened: ReadonlyMap<string, { readonly sealed: SealedEvent }>,
  openAll: (wanted: readonly Found[]) => Promise<void>,
  { keys, relevance }: { readonly keys: Keys; readonly relevance: Relevance },
): Promise<void> {
  const unknown = new Map<string, Map<string, NodeState>>()
  for (const node of own) {
    if (!relevance.identifiers.has(node.type)) continue
    const theirs = unknown.get(node.personId)
    if (theirs) theirs.set(node.hmac, node)
    else unknown.set(node.personId, new Map([[node.hmac, node]]))
  }
  const events = new Map<string, Found[]>()
  for (const one of found) {
    const person = owner.get(one.row.node_id)!
    if (!unknown.has(person)) continue
    const theirs = events.get(person)
    if (theirs) theirs.push(one)
    else events.set(person, [one])
  }
  for (const theirs of events.values()) theirs.sort(byKey)
  const places = new Map<string, number>()
  for (let most = LOOKED_AT_ONCE; events.size > 0; most *= 2) {
    const wanted: Found[] = []
    for (const [person, theirs] of events) {
      const missing = unknown.get(person)!
      let place = places.get(person) ?? 0
      for (; place < theirs.length && missing.size > 0; place++) {
        const known = opened.get(theirs[place]!.row.id)
        if (known)
          for (const { type, value } of known.sealed.identifiers)
            missing.delete(keys.identifier(type, value).toString('hex'))
        else if (mayName(theirs[place]!.row, missing)) break
      }
      places.set(person, place)
      if (place >= theirs.length || missing.size === 0) events.delete(person)
      else
        wanted.push(
          ...theirs.slice(place, place + most).filter(({ row }) => !opened.has(row.id) && mayName(row, missing)),
        )
    }
    await openAll(wanted)
  }
}

/** Nobody is called by what was not there yet. */
function mayName({ taken_at: at }: PassingRow, missing: ReadonlyMap<string, NodeState>): boolean {
  if (at === null) return true
  for (const { foundedAt } of missing.values()) if (foundedAt <= at) return true
  return false
}

const byKey = (a: { readonly key: string }, b: { readonly key: string }) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

const purposeLists = new Map<string, readonly string[]>()

/** The lists are few and come with every row. */
function purposesOf(text: string): readonly string[] {
  let list = purposeLists.get(text)
  if (!list) {
    if (purposeLists.size >= 10_000) purposeLists.clear()
    list = JSON.parse(text) as string[]
    purposeLists.set(text, list)
  }
  return list
}

const placed = <R extends PassingRow>(row: R) => ({
  row,
  key: row.taken ?? oldKey(row.received_at, `1${String(row.person_seq).padStart(12, '0')}`),
  purposes: purposesOf(row.purposes),
})

/** Accepted edges, and merges whose edge had been refused before. */
async function joinsOf(nodeIds: readonly string[], until: number, { db, dialect }: StateStore) {
  const edges = await runIn<{ node_a: string; node_b: string; event_id: string; at: number }>(
    db,
    dialect,
    EDGES,
    nodeIds,
    [],
    [until],
  )
  // A person is founded with the id of its first node (stages/identify.ts).
  const merges = await runIn<{ from_person: string; into_person: string; event_id: string; at: number }>(
    db,
    dialect,
    MERGES,
    nodeIds,
    [],
    [until],
  )
  return [
    ...edges.map(({ node_a: a, node_b: b, event_id, at }) => ({ a, b, event_id, at })),
    ...merges.map(({ from_person: a, into_person: b, event_id, at }) => ({ a, b, event_id, at })),
  ]
}

const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Where something of which only the time is known stands among ULIDs: "!" and "~" keep it apart from them. */
function oldKey(at: number, rest: string): string {
  let time = ''
  let left = at
  for (let digit = 0; digit < 10; digit++) {
    time = BASE32[left % 32]! + time
    left = Math.floor(left / 32)
  }
  return `${time}!${rest}`
}

const isOldKey = (key: string): boolean => key[10] === '!'

/** Ids of people, counted for a progress bar. */
export async function countPeople({ db }: StateStore): Promise<number> {
  const { n } = await db
    .selectFrom('persons')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('merged_into', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(n)
}

/** Everybody of today behind these ids, also those that were merged away. */
export async function peopleToday(ids: readonly string[], { db }: StateStore): Promise<string[]> {
  const found = new Set<string>()
  for (const part of chunks(ids))
    for (const row of await db.selectFrom('persons').select(['id', 'merged_into']).where('id', 'in', part).execute())
      found.add(row.merged_into ?? row.id)
  return [...found].sort()
}
