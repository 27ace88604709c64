/**
 * lease: what of one destination may leave now. Claims lock the lane (destination, person, kind):
 * of a lane only what its kind allows goes at the same time.
 */
import { randomBytes } from 'node:crypto'
import { fullContacts, windowsFull } from '../delivery/quotas.ts'
import { chunks, type StateStore } from '../stores/open.ts'
import { writeRollups } from './commit.ts'
import type { DeliverPorts, DeliveryRow, Leased, Line } from './deliver-ports.ts'

const MOST = 256
const LEASE_MS = 2 * 60_000
/** An event that waits longer than this no longer holds up those behind it. */
const LATE_MS = 60_000

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
    .selectAll()
    .where('destination', '=', destinationId)
    .where('settled_at', 'is', null)
    .where('due_at', '<=', now)
    .where('status', 'in', ['queued', 'retry'])
    .orderBy('due_at')
    .limit(MOST)
    .execute()
  if (due.length === 0) return []
  const open: DeliveryRow[] = []
  for (const part of chunks([...new Set(due.map(({ person_id }) => person_id))]))
    open.push(
      ...(await ports.state.db
        .selectFrom('deliveries')
        .selectAll()
        .where('person_id', 'in', part)
        .where('destination', '=', destinationId)
        .where('settled_at', 'is', null)
        .orderBy('ord')
        .execute()),
    )
  const { go, superseded } = choose(open, now)
  const { ready, waiting } = await fullContacts(line.destination, go, now, ports.state)
  return claim(line, ready.slice(0, allowance), superseded, waiting, now, ports)
}

/**
 * Of each lane, what may go now. Pure.
 * state: the newest value of an action replaces those not yet on the way.
 * message: the oldest open row, alone. event: in order, up to a row that must wait; one that waits
 * over a minute is late and the lane moves on.
 */
export function choose(open: readonly DeliveryRow[], now: number): { go: DeliveryRow[]; superseded: DeliveryRow[] } {
  const lanes = new Map<string, DeliveryRow[]>()
  for (const row of open) {
    // Newest-wins is about one value: two actions of one destination are two values.
    const key = row.kind === 'state' ? `${row.person_id}\0state\0${row.action}` : `${row.person_id}\0${row.kind}`
    const lane = lanes.get(key)
    if (lane) lane.push(row)
    else lanes.set(key, [row])
  }
  const go: DeliveryRow[] = []
  const superseded: DeliveryRow[] = []
  const onItsWay = (row: DeliveryRow) => row.status === 'leased' || row.status === 'attempted'
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
    } else
      for (const row of lane) {
        if (onItsWay(row)) break
        if (row.due_at <= now) go.push(row)
        else if (now - row.created_at <= LATE_MS) break
      }
  }
  return { go: go.sort((a, b) => a.ord - b.ord), superseded }
}

async function claim(
  line: Line,
  rows: readonly DeliveryRow[],
  superseded: readonly DeliveryRow[],
  waiting: readonly { row: DeliveryRow; until: number }[],
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
    for (const { row, until } of waiting)
      await trx
        .updateTable('deliveries')
        .set({ due_at: until, reason: 'RETRY' })
        .where('id', '=', row.id)
        .where('settled_at', 'is', null)
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
