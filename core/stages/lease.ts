/**
 * lease: what of one destination may leave now. Claims lock the lane (destination, person, kind):
 * of a lane only what its kind allows goes at the same time.
 */
import { randomBytes } from 'node:crypto'
import type { Transaction } from 'kysely'
import { fullContacts, windowsFull } from '../delivery/quotas.ts'
import { chunks, type StateStore, sql } from '../stores/open.ts'
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

/** What choosing reads of a row. */
export type LaneRow = Pick<
  DeliveryRow,
  'id' | 'person_id' | 'kind' | 'action' | 'status' | 'due_at' | 'created_at' | 'ord'
>

/** @returns rows now leased to this process; empty while the breaker is open or the quota used up. */
export async function leaseDue(destinationId: string, ports: DeliverPorts): Promise<Leased[]> {
  const line = ports.lines.get(destinationId)
  if (!line) return []
  const now = ports.clock()
  const allowance = Math.min(MOST, line.breaker.allowance(now))
  if (allowance === 0) return []
  if (await windowsFull(line.destination, now, ports.state)) return []
  const due = await ports.state.db
    .selectFrom('deliveries')
    .select(['id', 'person_id', 'kind'])
    .where('destination', '=', destinationId)
    .where('settled_at', 'is', null)
    .where('due_at', '<=', now)
    .where('status', 'in', ['queued', 'retry'])
    .orderBy('due_at')
    .limit(MOST)
    .execute()
  if (due.length === 0) return []
  const open: LaneRow[] = []
  for (const part of chunks([...new Set(due.map(({ person_id }) => person_id))]))
    open.push(...(await lanesOf(part, destinationId, ports)))
  const { go, superseded } = choose(
    open,
    now,
    (action) => line.destination.definition.actions[action]?.batch !== undefined,
  )
  const going = new Set(go.map(({ id }) => id))
  const replaced = new Set(superseded.map(({ id }) => id))
  const behind = due.filter(({ id }) => !going.has(id) && !replaced.has(id))
  const rows: DeliveryRow[] = []
  for (const part of chunks(go.slice(0, allowance)))
    rows.push(
      ...(await ports.state.db
        .selectFrom('deliveries')
        .selectAll()
        .where(
          'id',
          'in',
          part.map(({ id }) => id),
        )
        .orderBy('ord')
        .execute()),
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

/** The first rows of every lane of these people, oldest first. */
async function lanesOf(people: readonly string[], destinationId: string, ports: DeliverPorts): Promise<LaneRow[]> {
  const { rows } = await sql<LaneRow>`
    select id, person_id, kind, action, status, due_at, created_at, ord from (
      select id, person_id, kind, action, status, due_at, created_at, ord,
        row_number() over (partition by person_id, kind order by ord) as place
      from deliveries
      where person_id in (${sql.join(people)}) and destination = ${destinationId} and settled_at is null
    ) as lanes where place <= ${LANE_DEPTH} order by ord`.execute(ports.state.db)
  return rows
}

/** What stood behind one that is settled or waits becomes due. Called in the transaction that settles. */
export async function unpark(
  trx: Transaction<Tables>,
  settled: readonly Pick<DeliveryRow, 'person_id' | 'destination' | 'kind'>[],
  now: number,
): Promise<void> {
  // Events that only stood behind one need not wait for their next look.
  const behind = new Map<string, Set<string>>()
  for (const { kind, destination, person_id } of settled)
    if (kind === 'event') behind.set(destination, (behind.get(destination) ?? new Set()).add(person_id))
  for (const [destination, people] of behind)
    for (const part of chunks([...people]))
      await trx
        .updateTable('deliveries')
        .set({ due_at: now })
        .where('person_id', 'in', part)
        .where('destination', '=', destination)
        .where('kind', '=', 'event')
        .where('settled_at', 'is', null)
        .where('status', '=', 'queued')
        .where('due_at', '>', now)
        .where('due_at', '<=', now + AGAIN_MS)
        .execute()
  const lanes = new Map(
    settled.filter(({ kind }) => kind === 'message').map((row) => [`${row.person_id}\0${row.destination}`, row]),
  )
  for (const { person_id, destination } of lanes.values())
    await trx
      .updateTable('deliveries')
      .set({ due_at: now })
      .where('due_at', '=', PARKED)
      .where('id', '=', (eb) =>
        eb
          .selectFrom('deliveries')
          .select('id')
          .where('person_id', '=', person_id)
          .where('destination', '=', destination)
          .where('kind', '=', 'message')
          .where('settled_at', 'is', null)
          .orderBy('ord')
          .limit(1),
      )
      .execute()
}

/** Heads of lanes that were left parked: the row before them was cancelled or merged away by another role. */
export async function unparkHeads(state: StateStore, now: number): Promise<void> {
  await sql`
    update deliveries set due_at = ${now}
    where due_at = ${PARKED} and settled_at is null and not exists (
      select 1 from deliveries as earlier
      where earlier.person_id = deliveries.person_id and earlier.destination = deliveries.destination
        and earlier.kind = 'message' and earlier.settled_at is null and earlier.ord < deliveries.ord)`.execute(state.db)
}

/**
 * Of each lane, what may go now. Pure.
 * state: the newest value of an action replaces those not yet on the way.
 * message: the oldest open row, alone. event: in order, one request after the other, up to a row that
 * must wait; one that waits over a minute is late and the lane moves on.
 * @param together whether rows of an action leave in one request, and so keep their order by themselves.
 */
export function choose<Row extends LaneRow>(
  open: readonly Row[],
  now: number,
  together: (action: string) => boolean = () => false,
): { go: Row[]; superseded: Row[] } {
  const lanes = new Map<string, Row[]>()
  for (const row of open) {
    // Newest-wins is about one value: two actions of one destination are two values.
    const key = row.kind === 'state' ? `${row.person_id}\0state\0${row.action}` : `${row.person_id}\0${row.kind}`
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

async function claim(
  line: Line,
  rows: readonly DeliveryRow[],
  superseded: readonly Pick<DeliveryRow, 'id'>[],
  waiting: readonly { id: string; until: number }[],
  now: number,
  ports: DeliverPorts,
): Promise<Leased[]> {
  if (rows.length === 0 && superseded.length === 0 && waiting.length === 0) return []
  const lease = randomBytes(8).toString('hex')
  const claimed = await ports.state.transaction(async (trx) => {
    for (const part of chunks(superseded)) {
      const settled = await trx
        .updateTable('deliveries')
        .set({ status: 'superseded', reason: 'SUPERSEDED', settled_at: now })
        .where(
          'id',
          'in',
          part.map(({ id }) => id),
        )
        .where('settled_at', 'is', null)
        .where('status', 'in', ['queued', 'retry'])
        .returning('id')
        .execute()
      await writeRollups(
        trx,
        ports.state.dialect,
        new Map([[`${Math.floor(now / 60_000)}\0destination:${line.destination.id}\0SUPERSEDED`, settled.length]]),
      )
    }
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
    for (const part of chunks(rows)) {
      const updated = await trx
        .updateTable('deliveries')
        .set({ status: 'leased', lease, leased_until: now + LEASE_MS })
        .where(
          'id',
          'in',
          part.map(({ id }) => id),
        )
        .where('settled_at', 'is', null)
        .where('status', 'in', ['queued', 'retry'])
        .returning('id')
        .execute()
      for (const { id } of updated) ids.add(id)
    }
    return ids
  })
  return rows.flatMap((row) => {
    if (!claimed.has(row.id)) return []
    const action = line.destination.definition.actions[row.action]
    return action ? [{ row: { ...row, lease, status: 'leased' }, line, action: action as Leased['action'] }] : []
  })
}

/** After a fault of ours: what never left goes back for a later round, instead of holding up its lane until a restart. */
export async function releaseLeased(leased: readonly Leased[], ports: DeliverPorts): Promise<void> {
  const until = ports.clock() + RELEASED_MS
  for (const part of chunks(leased))
    await ports.state.db
      .updateTable('deliveries')
      .set({ status: 'queued', lease: null, leased_until: null, due_at: until })
      .where(
        'id',
        'in',
        part.map(({ row }) => row.id),
      )
      .where('lease', '=', leased[0]!.row.lease)
      .where('status', '=', 'leased')
      .where('settled_at', 'is', null)
      .execute()
}

/**
 * After a crash: what was leased never left; what was attempted may have. The first goes back, the
 * second is returned for the verdict that its idempotency allows.
 */
export async function recoverLeases(state: StateStore): Promise<DeliveryRow[]> {
  await state.db
    .updateTable('deliveries')
    .set({ status: 'queued', lease: null, leased_until: null })
    .where('settled_at', 'is', null)
    .where('status', '=', 'leased')
    .execute()
  return state.db
    .selectFrom('deliveries')
    .selectAll()
    .where('settled_at', 'is', null)
    .where('status', '=', 'attempted')
    .execute()
}
