/** What unknown consent cost, read back: per source, reason and purpose, with the sentence that would end it. */
import { type GapReason, gapSentence, remedyFor } from '../../consent/gaps.ts'
import type { Purposes } from '../../consent/purposes.ts'
import { countOf, mergeSketches } from '../../consent/sketch.ts'
import type { Config } from '../../schemas/config.ts'
import type { Unlock } from '../../schemas/consent-reports.ts'
import type { Db } from '../stores/open.ts'

const DAY_MS = 86_400_000

/** @param from epoch milliseconds; whole days count. @param source of this one alone. */
export async function readGaps(
  db: Db,
  {
    purposes,
    config,
    from,
    to,
    source: only,
  }: {
    readonly purposes: Purposes
    readonly config: Config
    readonly from: number
    readonly to?: number
    readonly source?: string
  },
): Promise<Unlock> {
  const firstDay = Math.floor(from / DAY_MS)
  const endDay = to === undefined ? undefined : Math.ceil(to / DAY_MS)
  const rows = await db
    .selectFrom('consent_gaps')
    .selectAll()
    .where('day', '>=', firstDay)
    .$if(endDay !== undefined, (query) => query.where('day', '<', endDay!))
    .$if(only !== undefined, (query) => query.where('source_id', '=', only!))
    .orderBy('day')
    .execute()
  const received = new Map(
    (
      await db
        .selectFrom('rollups')
        .select(({ fn }) => ['origin', fn.sum<number>('count').as('total')])
        .where('minute', '>=', (firstDay * DAY_MS) / 60_000)
        .$if(endDay !== undefined, (query) => query.where('minute', '<', (endDay! * DAY_MS) / 60_000))
        .where('code', '=', 'RECEIVED')
        .where('origin', 'like', 'source:%')
        .groupBy('origin')
        .execute()
    ).map(({ origin, total }) => [origin.slice('source:'.length), Number(total)]),
  )
  const groups = new Map<string, { events: number; people: Uint8Array; sample: string | null }>()
  for (const row of rows) {
    const key = `${row.source_id}\0${row.reason}\0${row.purpose}`
    const known = groups.get(key)
    groups.set(key, {
      events: (known?.events ?? 0) + row.events,
      people: known ? mergeSketches(known.people, row.people) : new Uint8Array(row.people),
      sample: row.sample ?? known?.sample ?? null,
    })
  }
  const items = [...groups].flatMap(([key, { events, people, sample }]): Unlock['items'] => {
    const [source, reason, id] = key.split('\0') as [string, GapReason, string]
    const purpose = purposes.get(id)
    if (!purpose) return []
    const connector = config.sources[source]?.connector ?? source
    const total = received.get(source) ?? 0
    const share = total > 0 ? Math.min(1, events / total) : 0
    return [
      {
        source,
        connector,
        purpose: id,
        title: { ...purpose.title },
        reason,
        events,
        people: countOf(people),
        share,
        sample,
        sentence: gapSentence({ source, connector, reason, sample, share }),
        remedy: remedyFor(purpose, reason, config.organization.name),
      },
    ]
  })
  return { from: firstDay * DAY_MS, items: items.sort((a, b) => b.people - a.people || b.events - a.events) }
}
