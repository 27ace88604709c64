/** settle: what became of each delivery, with a reason, in one transaction per round. */
import type { DeliveryStatus } from '../../schemas/delivery.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { versionOrigin } from '../decision/rollout.ts'
import { backoffMs, MAX_AGE_MS, MAX_ATTEMPTS, PATIENT_MS } from '../delivery/backoff.ts'
import { releaseReservations } from '../rules/budgets.ts'
import type { LiveEvent } from '../server/context.ts'
import { chunks, insertMany, withRows } from '../stores/open.ts'
import { writeRollups } from './commit.ts'
import type { Action, DeliverPorts, DeliveryRow, Halted, Sent } from './deliver-ports.ts'
import { faultOf, isStorageFault } from './fault.ts'
import { unpark } from './lease.ts'
import { isWithdrawal } from './propagate.ts'
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
  QUIET_HOURS: 'cancelled',
  KILLED: 'cancelled',
  SUBJECT_SUPPRESSED: 'suppressed',
  SUPERSEDED: 'superseded',
  GRANTED_AGAIN: 'cancelled',
  MAPPING_FAILED: 'dead',
  FAULT: 'dead',
}

export function settlementOfHalt({ leased, code, entryId, detail, retryAt }: Halted): Settlement {
  if (retryAt !== undefined) {
    const status = leased.row.attempt > 0 ? 'retry' : 'queued'
    return { row: leased.row, status, code, dueAt: retryAt, entryId, detail }
  }
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
  const retryAfterMs = result.status === 'retry' ? result.retryAfterMs : undefined
  // A vendor that names a time far off is not failing: only the age of the delivery ends that wait.
  const patient = retryAfterMs !== undefined && retryAfterMs >= PATIENT_MS
  if ((attempts >= MAX_ATTEMPTS && !patient) || now - row.created_at > MAX_AGE_MS)
    return {
      row,
      status: 'dead',
      code: result.status === 'authentication' ? 'AUTHENTICATION' : 'EXHAUSTED',
      entryId,
      detail: reason,
    }
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
  await insist(settlements, new Set(sent.map(({ permitted }) => permitted.leased.row.id)), now, ports)
}

/**
 * What a vendor answered is known nowhere else: trouble with the database is waited out. A row that
 * cannot be written for another reason keeps its lease and is recovered when that has run out.
 */
async function insist(
  settlements: readonly Settlement[],
  tried: ReadonlySet<string>,
  now: number,
  ports: DeliverPorts,
): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      return await writeSettlements(settlements, tried, now, ports)
    } catch (error) {
      ports.fault(faultOf('settle', error))
      if (isStorageFault(error)) {
        if (ports.stop.aborted || tries >= MOST_TRIES) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 100 * tries)))
      } else if (settlements.length > 1) {
        const middle = Math.ceil(settlements.length / 2)
        await insist(settlements.slice(0, middle), tried, now, ports)
        return insist(settlements.slice(middle), tried, now, ports)
      } else return
    }
}

/** About five minutes. */
const MOST_TRIES = 80

const SETTLE = (rows: string) =>
  `update deliveries set status = ended.column3, reason = ended.column4, lease = null, leased_until = null,
    entry_id = coalesce(ended.column5, entry_id), answer = ended.column6, attempt = coalesce(ended.column7, attempt),
    settled_at = ended.column8, due_at = coalesce(ended.column9, due_at),
    payload = case when ended.column10 = 1 then null else payload end
  from ${rows} as ended
  where deliveries.id = ended.column1 and coalesce(deliveries.lease, '') = ended.column2 and deliveries.settled_at is null
  returning deliveries.id`
const SETTLE_TYPES = ['text', 'text', 'text', 'text', 'text', 'text', 'bigint', 'bigint', 'bigint', 'bigint'] as const

/** PostgreSQL keeps no NUL in a text, and a vendor may have sent one. */
const answerOf = (detail: string | undefined): string | null => detail?.replaceAll('\0', '').slice(0, 500) ?? null

/** @param tried ids of which a request was made. */
export async function writeSettlements(
  settlements: readonly Settlement[],
  tried: ReadonlySet<string>,
  now: number,
  ports: Pick<DeliverPorts, 'state' | 'lines' | 'tell' | 'count'>,
): Promise<void> {
  const { state } = ports
  const minute = Math.floor(now / 60_000)
  const rows = settlements.map(({ row, status, code, dueAt, entryId, detail }) => [
    row.id,
    row.lease ?? '',
    status,
    code,
    entryId ?? null,
    answerOf(detail),
    // A request that failed before its write began no attempt on disk; it is one all the same.
    tried.has(row.id) ? row.attempt + 1 : null,
    dueAt === undefined ? now : null,
    dueAt ?? null,
    // Once it is over nothing resends it: the payload is data nobody needs any more, unless a person may re-drive it.
    dueAt === undefined && status !== 'dead' && status !== 'uncertain' ? 1 : 0,
  ])
  const { settled, counts } = await state.transaction(async (trx) => {
    const ours = new Set(
      (await withRows<{ id: string }>(trx, state.dialect, SETTLE_TYPES, rows, SETTLE)).map(({ id }) => id),
    )
    /** Those whose row was still ours, and which did not merely go back to wait. */
    const settled = settlements.filter(({ row, code }) => ours.has(row.id) && code !== 'WAITING')
    const counts = new Map<string, number>()
    for (const { row, code } of settled) {
      const key = `${minute}\0destination:${row.destination}\0${code}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
      if (row.rule === null || code === 'RETRY') continue
      const origin = `${minute}\0${versionOrigin(row.rule, row.rule_version ?? 0)}\0${code}`
      counts.set(origin, (counts.get(origin) ?? 0) + 1)
    }
    await insertMany(
      trx,
      state.dialect,
      'attempts',
      ['delivery_id', 'n', 'at', 'outcome', 'reason'],
      settled
        .filter(({ row }) => tried.has(row.id))
        .map(({ row, code, detail }) => [row.id, row.attempt + 1, now, code, answerOf(detail) ?? '']),
      'on conflict (delivery_id, n) do nothing',
    )
    const confirmed = settled.filter(({ row, status }) => status === 'delivered' && isWithdrawal(row))
    for (const part of chunks(confirmed))
      await trx
        .updateTable('propagations')
        .set({ confirmed_at: now })
        .where(
          'delivery_id',
          'in',
          part.map(({ row }) => row.id),
        )
        .execute()
    // A blocked message did not happen: what it reserved is given back.
    const released = settled
      .filter(({ status }) => status === 'blocked' || status === 'cancelled' || status === 'suppressed')
      .map(({ row }) => row.id)
    await releaseReservations(trx, released)
    await unpark(
      trx,
      state.dialect,
      settled.map(({ row }) => row),
      now,
    )
    await writeRollups(trx, state.dialect, counts)
    return { settled, counts }
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
