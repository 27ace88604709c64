/** Where polled sources stand. Reading only. */
import type { PolledSource } from '../../schemas/polls.ts'
import type { SourceSettings } from '../config.ts'
import type { Db } from '../stores/open.ts'

/** Which of these sources nobody is asking and whose time has come; one that never ran is due. */
export async function duePolls(sources: Iterable<string>, db: Db, now: number): Promise<string[]> {
  const waiting = await db
    .selectFrom('polls')
    .select('source_id')
    .where((eb) => eb.or([eb('next_at', '>', now), eb('leased_until', '>', now)]))
    .execute()
  const notYet = new Set(waiting.map(({ source_id }) => source_id))
  return [...sources].filter((id) => !notYet.has(id))
}

export async function listPolled(
  sources: Iterable<Pick<SourceSettings, 'id' | 'definition' | 'settings'>>,
  { db, now }: { readonly db: Db; readonly now: number },
): Promise<PolledSource[]> {
  const rows = new Map((await db.selectFrom('polls').selectAll().execute()).map((row) => [row.source_id, row]))
  return [...sources].flatMap(({ id, definition, settings }) => {
    const everySeconds = definition.poll?.every(settings)
    if (everySeconds === undefined) return []
    const row = rows.get(id)
    return [
      {
        source: id,
        everySeconds,
        ranAt: row?.ran_at ?? null,
        nextAt: row?.next_at || null,
        running: row !== undefined && row.leased_until > now,
        recorded: row?.recorded ?? 0,
        quarantined: row?.quarantined ?? 0,
        error: row?.error ?? null,
        errorAt: row?.error_at ?? null,
        failures: row?.failures ?? 0,
      },
    ]
  })
}
