/** Where each polled source stands. Reading only. */
import type { PolledSource } from '../../schemas/polls.ts'
import type { SourceSettings } from '../config.ts'
import type { Db } from '../stores/open.ts'

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
