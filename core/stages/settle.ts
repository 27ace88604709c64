/** settle: what became of each delivery, with a reason, in one transaction per round. */
import type { DeliveryStatus } from '../../schemas/delivery.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { backoffMs, MAX_AGE_MS, MAX_ATTEMPTS } from '../delivery/backoff.ts'
import { countUse } from '../delivery/quotas.ts'
import type { LiveEvent } from '../server/context.ts'
import { chunks, insertMany } from '../stores/open.ts'
import { writeRollups } from './commit.ts'
import type { Action, DeliverPorts, DeliveryRow, Halted, Sent } from './deliver-ports.ts'
import { unpark } from './lease.ts'
import type { SendAnswers } from './send.ts'

export interface Settlement {
  readonly row: DeliveryRow
  readonly status: DeliveryStatus
  readonly code: ExitCode
  /** For what is tried again: epoch milliseconds. */
  readonly dueAt?: number
  readonly entryId?: string | undefined
  /** The vendor's answer or the refusal in words; never values. */
  readonly detail?: string | undefined
}

const HALT_STATUS: Partial<Record<ExitCode, DeliveryStatus>> = {
  HELD_OUT: 'held_out',
  EXPIRED: 'cancelled',
  GOAL_REACHED: 'cancelled',
  SUBJECT_SUPPRESSED: 'suppressed',
  MAPPING_FAILED: 'dead',
}

export function settlementOfHalt({ leased, code, entryId, detail }: Halted): Settlement {
  return { row: leased.row, status: HALT_STATUS[code] ?? 'blocked', code, entryId, detail }
}

/** Pure. @param random for the jitter. */
export function settlementOf({ permitted, result }: Sent, now: number, random: () => number = Math.random): Settlement {
  const { row, action } = permitted.leased
  const { entryId } = permitted.permit
  const attempts = row.attempt + 1
  if (result.status === 'delivered')
    return { row, status: 'delivered', code: 'DELIVERED', entryId, detail: result.answer }
  if (result.status === 'rejected') return { row, status: 'dead', code: 'REJECTED', entryId, detail: result.reason }
  const reason = result.status === 'refused' ? 'cancelled' : result.reason
  if (result.status === 'retry' && result.uncertain && !mayRepeat(action, row, attempts, now))
    return { row, status: 'uncertain', code: 'UNCERTAIN', entryId, detail: reason }
  if (attempts >= MAX_ATTEMPTS || now - row.created_at > MAX_AGE_MS)
    return {
      row,
      status: 'dead',
      code: result.status === 'authentication' ? 'AUTHENTICATION' : 'EXHAUSTED',
      entryId,
      detail: reason,
    }
  const retryAfterMs = result.status === 'retry' ? result.retryAfterMs : undefined
  return {
    row,
    status: 'retry',
    code: result.status === 'authentication' ? 'AUTHENTICATION' : 'RETRY',
    dueAt: now + backoffMs(attempts, retryAfterMs, random),
    entryId,
    detail: reason,
  }
}

/** The answer is unknown. key and natural: again, inside the window; none: once more for data, never for a message to a person. */
export function mayRepeat(
  action: Pick<Action, 'idempotency' | 'kind'>,
  row: Pick<DeliveryRow, 'created_at'>,
  attempts: number,
  now: number,
): boolean {
  if (action.idempotency === 'natural') return true
  if (action.idempotency === 'none') return action.kind !== 'message' && attempts < 2
  return now - row.created_at < action.idempotency.key * 3_600_000
}

export async function settle({ sent, halted }: SendAnswers, ports: DeliverPorts): Promise<void> {
  const now = ports.clock()
  const settlements = [...halted.map(settlementOfHalt), ...sent.map((item) => settlementOf(item, now))]
  if (settlements.length === 0) return
  for (const { permitted, result } of sent) {
    const { breaker } = permitted.leased.line
    if (result.status === 'retry' || result.status === 'authentication') breaker.failed(now)
    else breaker.succeeded()
  }
  await writeSettlements(settlements, new Set(sent.map(({ permitted }) => permitted.leased.row.id)), now, ports)
}

/** @param tried ids of which a request was made. */
export async function writeSettlements(
  settlements: readonly Settlement[],
  tried: ReadonlySet<string>,
  now: number,
  ports: Pick<DeliverPorts, 'state' | 'lines' | 'tell' | 'count'>,
): Promise<void> {
  const { state } = ports
  const minute = Math.floor(now / 60_000)
  const counts = new Map<string, number>()
  /** Those whose row was still ours. */
  const settled: Settlement[] = []
  await state.transaction(async (trx) => {
    counts.clear()
    const attempts: unknown[][] = []
    const used = new Map<string, DeliveryRow[]>()
    settled.length = 0
    for (const settlement of settlements) {
      const { row, status, code, dueAt, entryId, detail } = settlement
      const result = await trx
        .updateTable('deliveries')
        .set({
          status,
          reason: code,
          lease: null,
          leased_until: null,
          ...(entryId !== undefined && { entry_id: entryId }),
          answer: detail?.slice(0, 500) ?? null,
          // A request that failed before its write began no attempt on disk; it is one all the same.
          ...(tried.has(row.id) && { attempt: row.attempt + 1 }),
          ...(dueAt === undefined ? { settled_at: now } : { due_at: dueAt }),
          // Once it is over nothing resends it: the payload is data nobody needs any more, unless a person may re-drive it.
          ...(dueAt === undefined && status !== 'dead' && status !== 'uncertain' && { payload: null }),
        })
        .where('id', '=', row.id)
        .where('lease', row.lease === null ? 'is' : '=', row.lease)
        .where('settled_at', 'is', null)
        .executeTakeFirst()
      if (Number(result.numUpdatedRows) === 0) continue
      settled.push(settlement)
      const key = `${minute}\0destination:${row.destination}\0${code}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (!tried.has(row.id)) continue
      attempts.push([row.id, row.attempt + 1, now, code, (detail ?? '').slice(0, 500)])
      const rows = used.get(row.destination)
      if (rows) rows.push(row)
      else used.set(row.destination, [row])
    }
    await insertMany(
      trx,
      state.dialect,
      'attempts',
      ['delivery_id', 'n', 'at', 'outcome', 'reason'],
      attempts,
      'on conflict (delivery_id, n) do nothing',
    )
    for (const [id, rows] of used) {
      const line = ports.lines.get(id)
      if (line) await countUse(trx, line.destination, rows, now)
    }
    // A blocked message did not happen: what it reserved is given back.
    const released = settled
      .filter(({ status }) => status === 'blocked' || status === 'cancelled' || status === 'suppressed')
      .map(({ row }) => row.id)
    for (const part of chunks(released)) await trx.deleteFrom('caps').where('delivery_id', 'in', part).execute()
    await unpark(
      trx,
      settled.map(({ row }) => row),
      now,
    )
    await writeRollups(trx, state.dialect, counts)
  })
  ports.count(counts)
  ports.tell(
    settled.map(
      ({ row, code, detail }): LiveEvent => ({
        id: row.id,
        at: now,
        kind: 'delivery',
        origin: row.destination,
        type: row.kind,
        name: row.rule ?? row.action,
        stage: EXITS[code].stage,
        code,
        personId: row.person_id,
        ...(detail !== undefined && { detail: detail.slice(0, 200) }),
      }),
    ),
  )
}
