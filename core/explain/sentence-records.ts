/** What the rows of deliveries and of the ledger give to a sentence. */
import type { DeliveryStatus } from '../../schemas/delivery.ts'
import type { ExitCode } from '../../schemas/exits.ts'
import type { Explanation } from '../decision/index.ts'
import type { DeliveryFacts, SentenceFacts } from '../decision/sentence.ts'
import type { Tables } from '../stores/tables.ts'
import type { ConsentTold } from './consent.ts'

type Sent = Pick<Tables['deliveries'], 'status' | 'reason' | 'channel' | 'entry_id'>

export function recordsOf(
  { entryId }: Explanation,
  sent: readonly Sent[],
  consent: readonly ConsentTold[],
): Pick<SentenceFacts, 'delivery' | 'others' | 'consent'> {
  const entry = (id: string | null | undefined) => consent.find((one) => one.entryId === id)
  const told = (row: Sent): DeliveryFacts => {
    const other = row.entry_id === entryId ? undefined : entry(row.entry_id)
    return {
      status: row.status as DeliveryStatus,
      ...(row.reason !== null && { code: row.reason as ExitCode }),
      ...(row.channel !== null && { channel: row.channel }),
      ...(other && { consent: other }),
    }
  }
  // The one that arrived is told first: it is what somebody asks about.
  const [first, ...others] = [...sent].sort(
    (a, b) => Number(b.status === 'delivered') - Number(a.status === 'delivered'),
  )
  const own = entry(entryId)
  return {
    ...(first && { delivery: told(first) }),
    ...(others.length > 0 && { others: others.map(told) }),
    ...(own && { consent: own }),
  }
}
