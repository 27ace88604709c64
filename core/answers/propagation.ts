/** How withdrawals reached the tools: what was asked, what was confirmed, and how long it took. */
import type { Propagation } from '../../schemas/consent-reports.ts'
import type { Db } from '../stores/open.ts'

const MOST_RECENT = 200

type Recent = Propagation['recent'][number]

/** @param from epoch milliseconds. @param nodeIds only withdrawals of these nodes, for showing a person their own. */
export async function readPropagation(
  db: Db,
  from: number,
  only: { readonly withdrawal?: string; readonly nodeIds?: readonly string[] } = {},
): Promise<Propagation> {
  const rows = await db
    .selectFrom('propagations')
    .innerJoin('withdrawals', 'withdrawals.id', 'propagations.withdrawal_id')
    .leftJoin('deliveries', 'deliveries.id', 'propagations.delivery_id')
    .select([
      'withdrawals.id',
      'withdrawals.entry_id',
      'withdrawals.purpose',
      'withdrawals.at',
      'propagations.destination',
      'propagations.how',
      'propagations.delivery_id',
      'propagations.asked_at',
      'propagations.confirmed_at',
      'deliveries.status',
    ])
    .where('withdrawals.at', '>=', from)
    .$if(only.withdrawal !== undefined, (query) =>
      query.where((eb) =>
        eb.or([eb('withdrawals.id', '=', only.withdrawal!), eb('withdrawals.entry_id', '=', only.withdrawal!)]),
      ),
    )
    .$if(only.nodeIds !== undefined, (query) => query.where('withdrawals.node_id', 'in', [...only.nodeIds!]))
    .orderBy('withdrawals.at', 'desc')
    .orderBy('propagations.destination')
    .execute()
  const all = rows.map(
    (row): Recent => ({
      withdrawal: row.entry_id ?? row.id,
      purpose: row.purpose,
      destination: row.destination,
      how: row.how as Recent['how'],
      receivedAt: row.at,
      askedAt: row.asked_at,
      confirmedAt: row.confirmed_at,
      state: stateOf(row.how, row.confirmed_at, row.status),
      deliveryId: row.delivery_id,
    }),
  )
  const tools = [...new Set(all.map(({ destination }) => destination))].sort().map((destination) => {
    const mine = all.filter((row) => row.destination === destination)
    const lags = mine
      .flatMap(({ confirmedAt, receivedAt }) => (confirmedAt === null ? [] : [confirmedAt - receivedAt]))
      .sort((a, b) => a - b)
    const counted = (state: Recent['state']) => mine.filter((row) => row.state === state).length
    return {
      destination,
      withdrawals: mine.length,
      confirmed: counted('confirmed'),
      waiting: counted('waiting'),
      failed: counted('failed'),
      noCall: counted('no_call'),
      p50Ms: percentile(lags, 0.5),
      p99Ms: percentile(lags, 0.99),
    }
  })
  return { from, tools, recent: all.slice(0, MOST_RECENT) }
}

function stateOf(how: string, confirmedAt: number | null, status: string | null): Recent['state'] {
  if (confirmedAt !== null) return 'confirmed'
  if (how === 'stop') return 'no_call'
  if (status === 'cancelled') return 'granted_again'
  // A newer word about the same person took its place in the lane and carries the same answer.
  if (status === 'superseded' || status === 'delivered') return 'confirmed'
  return status === 'queued' || status === 'retry' || status === 'leased' || status === 'attempted'
    ? 'waiting'
    : 'failed'
}

/** Nearest rank. */
function percentile(sorted: readonly number[], part: number): number | null {
  return sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)]!
}
