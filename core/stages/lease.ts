/**
 * lease: what of one destination may leave now. Claims lock the lane (destination, person, kind):
 * of a lane only what its kind allows goes at the same time.
 */
import { randomBytes } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { ExitCode } from '../../schemas/exits.ts'
import { pushOfDelivery } from '../audiences/pushes.ts'
import { tellsTraits } from '../audiences/traits.ts'
import { fullContacts, requestsLeft } from '../delivery/quotas.ts'
import { chunks, run, runIn, type StateStore, sql } from '../stores/open.ts'
import type { Tables } from '../stores/tables.ts'
import { writeRollups } from './commit.ts'
import type { DeliverPorts, DeliveryRow, Leased, Line } from './deliver-ports.ts'

const MOST = 256
/** Rows of one lane looked at in a round. */
const LANE_DEPTH = 100
const LEASE_MS = 2 * 60_000
/** An event that waits longer than this no longer holds up those behind it. */
const LATE_MS = 60_000
/** How long rows wait that a fault gave back. */
const RELEASED_MS = 30_000
/** How soon a row behind one on its way is looked at again. */
const AGAIN_MS = 250
/**
 * When a message behind another one of its lane is due: never, until the one before it is settled.
 * Looking at it in every round would make a long lane cost its length each time.
 */
export const PARKED = 8_640_000_000_000_000
/** When a row of a paused rule is due: when the rule is resumed. Until then its lane moves on without it. */
export const HELD = PARKED - 1

/** What waits for its time, such as the end of quiet hours. It keeps nobody behind it. */
const HELD_UNTIL: ExitCode = 'HELD_UNTIL'

/** What choosing reads of a row. */
export type LaneRow = Pick<
  DeliveryRow,
  | 'id'
  | 'person_id'
  | 'node_id'
  | 'kind'
  | 'action'
  | 'event_id'
  | 'status'
  | 'due_at'
  | 'created_at'
  | 'ord'
  | 'reason'
>

/** @returns rows now leased to this process; empty while the breaker is open or the quota used up. */
export async function leaseDue(destinationId: string, ports: DeliverPorts): Promise<Leased[]> {
  const line = ports.lines.get(destinationId)
  if (!line) return []
  const now = ports.clock()
  const allowance = Math.min(MOST, line.breaker.allowance(now))
  if (allowance === 0) return []
  // Nothing can leave before somebody connects the account: its deliveries wait where they are.
  if (line.credentials && !(await line.credentials.ready())) return []
  // Each request takes its own unit later; this only keeps rows out of a round that could not leave in it.
  const left = await requestsLeft(line.destination, now, ports.state)
  if (left === 0) return []
  const { db, dialect } = ports.state
  const due = await run<Pick<DeliveryRow, 'id' | 'person_id' | 'kind'>>(db, dialect, DUE, [destinationId, now, MOST])
  if (due.length === 0) return []
  const people = [...new Set(due.map(({ person_id }) => person_id))]
  const open = await runIn<LaneRow>(db, dialect, LANES, people, [], [destinationId, LANE_DEPTH])
  const { go, superseded } = choose(
    open,
    now,
    (action) => line.destination.definition.actions[action]?.batch !== undefined,
    await contactsOf(open, line, ports),
  )
  const going = new Set(go.map(({ id }) => id))
  const replaced = new Set(superseded.map(({ id }) => id))
  const behind = due.filter(({ id }) => !going.has(id) && !replaced.has(id))
  const rows = await runIn<DeliveryRow>(
    db,
    dialect,
    'select * from deliveries where id in ({list}) order by ord',
    go.slice(0, Math.min(allowance, left)).map(({ id }) => id),
  )
  const { ready, waiting } = await fullContacts(line.destination, rows, now, ports.state)
  return claim(
    line,
    ready,
    superseded,
    [
      ...waiting.map(({ row, until }) => ({ id: row.id, until })),
      ...behind.map((row) => ({ id: row.id, until: row.kind === 'message' ? PARKED : now + AGAIN_MS })),
    ],
    now,
    ports,
  )
}

const DUE = `select id, person_id, kind from deliveries
  where destination = ? and settled_at is null and due_at <= ? and status in ('queued', 'retry')
  order by due_at limit ?`
/** The first rows of every lane of these people, oldest first. */
const LANES = `select id, person_id, node_id, kind, action, event_id, status, due_at, created_at, ord, reason from (
    select id, person_id, node_id, kind, action, event_id, status, due_at, created_at, ord, reason,
      row_number() over (partition by person_id, kind order by ord) as place
    from deliveries
    where person_id in ({list}) and destination = ? and settled_at is null
  ) as lanes where place <= ? order by ord`

/**
 * Whom a state row writes to at the vendor. A person with two addresses is two contacts there, and
 * the value of one replaces nothing of the other. Asked only about people whose rows come from several nodes.
 * @returns row -> contact; rows it does not know are about the person's only one.
 */
async function contactsOf(
  open: readonly LaneRow[],
  line: Line,
  ports: DeliverPorts,
): Promise<(row: LaneRow) => string> {
  const nodesOf = new Map<string, Set<string>>()
  for (const { kind, person_id, node_id } of open)
    if (kind === 'state') nodesOf.set(person_id, (nodesOf.get(person_id) ?? new Set()).add(node_id))
  const several = [...nodesOf].filter(([, nodes]) => nodes.size > 1).map(([person]) => person)
  /** Newest first, as `map` picks them. */
  const addresses = new Map<string, { id: string; type: string }[]>()
  for (const part of chunks(several))
    for (const { person_id, id, type } of await ports.state.db
      .selectFrom('nodes')
      .innerJoin('identifiers', 'identifiers.node_id', 'nodes.id')
      .select(['nodes.person_id', 'nodes.id', 'identifiers.type'])
      .where('nodes.person_id', 'in', part)
      .where('identifiers.sealed', 'is not', null)
      .orderBy('nodes.id', 'desc')
      .execute())
      addresses.set(person_id, [...(addresses.get(person_id) ?? []), { id, type }])
  return ({ person_id, node_id, action }) => {
    const nodes = addresses.get(person_id)
    if (!nodes) return ''
    for (const type of line.destination.definition.actions[action]?.identifier ?? []) {
      const ofType = nodes.filter((node) => node.type === type)
      const found = ofType.find(({ id }) => id === node_id) ?? ofType[0]
      if (found) return found.id
    }
    return ''
  }
}

/** What stood behind one that is settled or waits becomes due. Called in the transaction that settles. */
export async function unpark(
  trx: Transaction<Tables>,
  dialect: StateStore['dialect'],
  settled: readonly Pick<DeliveryRow, 'person_id' | 'destination' | 'kind'>[],
  now: number,
): Promise<void> {
  // Events that only stood behind one need not wait for their next look.
  const behind = new Map<string, Set<string>>()
  for (const { kind, destination, person_id } of settled)
    if (kind === 'event') behind.set(destination, (behind.get(destination) ?? new Set()).add(person_id))
  for (const [destination, people] of behind)
    await runIn(trx, dialect, UNPARK_EVENTS, [...people], [now], [destination, now, now + AGAIN_MS])
  const lanes = new Map(
    settled.filter(({ kind }) => kind === 'message').map((row) => [`${row.person_id}\0${row.destination}`, row]),
  )
  // Seldom does anything stand behind: one question for everybody first.
  const parked = new Set(
    (
      await runIn<{ person_id: string }>(
        trx,
        dialect,
        'select distinct person_id from deliveries where person_id in ({list}) and settled_at is null and due_at = ?',
        [...new Set([...lanes.values()].map(({ person_id }) => person_id))],
        [],
        [PARKED],
      )
    ).map(({ person_id }) => person_id),
  )
  for (const { person_id, destination } of lanes.values())
    if (parked.has(person_id)) await run(trx, dialect, UNPARK_HEAD, [now, PARKED, person_id, destination, now])
}

const UNPARK_EVENTS = `update deliveries set due_at = ?
  where person_id in ({list}) and destination = ? and kind = 'event' and settled_at is null and status = 'queued'
    and due_at > ? and due_at <= ?`
const UNPARK_HEAD = `update deliveries set due_at = ?
  where due_at = ? and id = (
    select id from deliveries
    where person_id = ? and destination = ? and kind = 'message' and settled_at is null and due_at <> ${HELD}
      and (reason is null or reason <> '${HELD_UNTIL}' or due_at <= ? or due_at = ${PARKED})
    order by ord limit 1)`

/** Heads of lanes that were left parked: the row before them was cancelled or merged away by another role. */
export async function unparkHeads(state: StateStore, now: number): Promise<void> {
  await state.transaction((trx) =>
    sql`
    update deliveries set due_at = ${now}
    where due_at = ${PARKED} and settled_at is null and not exists (
      select 1 from deliveries as earlier
      where earlier.person_id = deliveries.person_id and earlier.destination = deliveries.destination
        and earlier.kind = 'message' and earlier.settled_at is null and earlier.due_at <> ${HELD}
        and (earlier.reason is null or earlier.reason <> ${HELD_UNTIL} or earlier.due_at <= ${now}
          or earlier.due_at = ${PARKED})
        and earlier.ord < deliveries.ord)`.execute(trx),
  )
}

/**
 * Of each lane, what may go now. Pure.
 * state: the newest value of an action for a contact replaces those not yet on the way.
 * message: the oldest open row, alone. event: in order, one request after the other, up to a row that
 * must wait; one that waits over a minute is late and the lane moves on.
 * @param contact whom a state row is about at the vendor, when that is not the person as such.
 * @param together whether rows of an action leave in one request, and so keep their order by themselves.
 */
export function choose<Row extends LaneRow>(
  open: readonly Row[],
  now: number,
  together: (action: string) => boolean = () => false,
  contact: (row: Row) => string = () => '',
): { go: Row[]; superseded: Row[] } {
  const lanes = new Map<string, Row[]>()
  for (const row of open) {
    if (row.due_at === HELD || waitsForItsTime(row, now)) continue
    const key =
      row.kind === 'state'
        ? `${row.person_id}\0state\0${valueKept(row)}\0${contact(row)}`
        : `${row.person_id}\0${row.kind}`
    const lane = lanes.get(key)
    if (lane) lane.push(row)
    else lanes.set(key, [row])
  }
  const go: Row[] = []
  const superseded: Row[] = []
  const onItsWay = (row: Row) => row.status === 'leased' || row.status === 'attempted'
  for (const lane of lanes.values()) {
    const kind = lane[0]!.kind
    if (kind === 'state') {
      const waiting = lane.filter((row) => !onItsWay(row))
      const newest = waiting.at(-1)
      if (!newest) continue
      superseded.push(...waiting.slice(0, -1))
      if (newest.due_at <= now && waiting.length === lane.length) go.push(newest)
    } else if (kind === 'message') {
      const first = lane[0]!
      if (!onItsWay(first) && first.due_at <= now) go.push(first)
    } else {
      let first: Row | undefined
      for (const row of lane) {
        if (onItsWay(row)) break
        if (row.due_at <= now || (row.status === 'queued' && row.due_at <= now + AGAIN_MS)) {
          if (first && (first.action !== row.action || !together(row.action))) break
          first ??= row
          go.push(row)
        } else if (now - row.created_at <= LATE_MS) break
      }
    }
  }
  return { go: go.sort((a, b) => a.ord - b.ord), superseded }
}

const waitsForItsTime = ({ reason, due_at, kind }: LaneRow, now: number): boolean =>
  reason === HELD_UNTIL && kind !== 'state' && due_at > now && due_at !== PARKED

/**
 * Newest-wins is about one value: two actions of one destination are two values, and being in an audience is one,
 * whether it is taken in or out.
 */
function valueKept({ action, event_id, node_id }: Pick<LaneRow, 'action' | 'event_id' | 'node_id'>): string {
  const push = pushOfDelivery({ event_id })
  if (push) return `audience\0${push.audience}\0${node_id}`
  // Values of one purpose say nothing of another's.
  return tellsTraits({ event_id }) ? `${action}\0${event_id}` : action
}

async function claim(
  line: Line,
  chosen: readonly DeliveryRow[],
  superseded: readonly Pick<DeliveryRow, 'id'>[],
  waiting: readonly { id: string; until: number }[],
  now: number,
  ports: DeliverPorts,
): Promise<Leased[]> {
  if (chosen.length === 0 && superseded.length === 0 && waiting.length === 0) return []
  const lease = randomBytes(8).toString('hex')
  const { actions } = line.destination.definition
  const rows = chosen.filter(({ action }) => actions[action])
  const gone = chosen.filter(({ action }) => !actions[action])
  const claimed = await ports.state.transaction(async (trx) => {
    const end = (
      ended: readonly Pick<DeliveryRow, 'id'>[],
      set: { status: string; reason: ExitCode; answer?: string },
    ) => endUnsent(trx, ended, { ...set, settled_at: now }, line.destination.id, ports)
    await end(superseded, { status: 'superseded', reason: 'SUPERSEDED' })
    await end(gone, { status: 'dead', reason: 'MAPPING_FAILED', answer: 'the connector has no action of this name' })
    const byTime = new Map<number, string[]>()
    for (const { id, until } of waiting) byTime.set(until, [...(byTime.get(until) ?? []), id])
    for (const [until, ids] of byTime)
      for (const part of chunks(ids))
        await trx
          .updateTable('deliveries')
          .set({ due_at: until })
          .where('id', 'in', part)
          .where('settled_at', 'is', null)
          .where('status', 'in', ['queued', 'retry'])
          .execute()
    const ids = new Set<string>()
    for (const { id } of await runIn<{ id: string }>(
      trx,
      ports.state.dialect,
      CLAIM,
      rows.map(({ id }) => id),
      [lease, now + LEASE_MS],
      [now + AGAIN_MS],
    ))
      ids.add(id)
    await unclaimBroken(rows, ids, lease, trx)
    return ids
  })
  if (claimed.size > 0) ports.leases.add(lease)
  return rows
    .filter(({ id }) => claimed.has(id))
    .map((row) => ({
      row: { ...row, lease, status: 'leased' },
      line,
      action: actions[row.action] as Leased['action'],
    }))
}

const CLAIM = `update deliveries set status = 'leased', lease = ?, leased_until = ?
  where id in ({list}) and settled_at is null and status in ('queued', 'retry') and due_at <= ?
  returning id`

/** Settles rows that never leave. */
async function endUnsent(
  trx: Transaction<Tables>,
  rows: readonly Pick<DeliveryRow, 'id'>[],
  set: { status: string; reason: ExitCode; answer?: string; settled_at: number },
  destinationId: string,
  { state }: Pick<DeliverPorts, 'state'>,
): Promise<void> {
  for (const part of chunks(rows)) {
    const settled = await trx
      .updateTable('deliveries')
      .set(set)
      .where(
        'id',
        'in',
        part.map(({ id }) => id),
      )
      .where('settled_at', 'is', null)
      .where('status', 'in', ['queued', 'retry'])
      .returning('id')
      .execute()
    const minute = Math.floor(set.settled_at / 60_000)
    await writeRollups(
      trx,
      state.dialect,
      new Map([[`${minute}\0destination:${destinationId}\0${set.reason}`, settled.length]]),
    )
  }
}

/** Another round was faster with one event of a lane: those behind it wait for it and are not sent beside it. */
async function unclaimBroken(
  rows: readonly DeliveryRow[],
  claimed: Set<string>,
  lease: string,
  trx: Transaction<Tables>,
): Promise<void> {
  const broken = new Set(
    rows.filter(({ id, kind }) => kind === 'event' && !claimed.has(id)).map(({ person_id }) => person_id),
  )
  const back = rows.filter(({ id, kind, person_id }) => kind === 'event' && claimed.has(id) && broken.has(person_id))
  for (const part of chunks(back))
    await trx
      .updateTable('deliveries')
      .set({ status: 'queued', lease: null, leased_until: null })
      .where(
        'id',
        'in',
        part.map(({ id }) => id),
      )
      .where('lease', '=', lease)
      .execute()
  for (const { id } of back) claimed.delete(id)
}

/**
 * Does the work on what was leased, and ends the lease. When a fault of ours stops it, what never left
 * goes back for a later round; what may have left keeps its lease, which runs out (see `recoverLeases`).
 */
export async function whileLeased(
  leased: readonly Leased[],
  ports: DeliverPorts,
  work: () => Promise<void>,
): Promise<void> {
  const lease = leased[0]?.row.lease
  if (!lease) return
  try {
    await work()
  } catch (error) {
    await release(lease, ports)
    throw error
  } finally {
    ports.leases.delete(lease)
  }
}

async function release(lease: string, ports: DeliverPorts): Promise<void> {
  const until = ports.clock() + RELEASED_MS
  await ports.state.transaction((trx) =>
    trx
      .updateTable('deliveries')
      .set({ status: 'queued', lease: null, leased_until: null, due_at: until })
      .where('lease', '=', lease)
      .where('status', '=', 'leased')
      .where('settled_at', 'is', null)
      .execute(),
  )
}

/** Leases whose work goes on longer than planned stay this process's own. */
export async function renewLeases(ports: Pick<DeliverPorts, 'state' | 'leases' | 'clock'>): Promise<void> {
  const now = ports.clock()
  if (ports.leases.size === 0) return
  await ports.state.transaction((trx) =>
    trx
      .updateTable('deliveries')
      .set({ leased_until: now + LEASE_MS })
      .where('lease', 'in', [...ports.leases])
      .where('settled_at', 'is', null)
      .where('leased_until', '<', now + LEASE_MS / 2)
      .execute(),
  )
}

/**
 * What a crash or a failed settle left behind: what was leased never left; what was attempted may have.
 * The first goes back, the second is returned for the verdict that its idempotency allows.
 * @param expired only leases that ran out by then; all of them when absent, as at the start.
 */
export async function recoverLeases(state: StateStore, expired?: number): Promise<DeliveryRow[]> {
  await state.transaction((trx) =>
    trx
      .updateTable('deliveries')
      .set({ status: 'queued', lease: null, leased_until: null })
      .where('settled_at', 'is', null)
      .where('status', '=', 'leased')
      .$if(expired !== undefined, (query) => query.where('leased_until', '<=', expired!))
      .execute(),
  )
  return state.db
    .selectFrom('deliveries')
    .selectAll()
    .where('settled_at', 'is', null)
    .where('status', '=', 'attempted')
    .$if(expired !== undefined, (query) => query.where('leased_until', '<=', expired!))
    .execute()
}
