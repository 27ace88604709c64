/** Inputs that could not be taken: kept 30 days, sealed, with code and path; listed and re-driven. Never silent. */
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { newId } from '../ids.ts'
import type { LogRecord, Positioned } from '../log/event-log.ts'
import { violationSentence } from '../plans/words.ts'
import { seal } from '../seal.ts'
import type { Batch } from './batch.ts'
import { QUARANTINE_MS } from './hold.ts'
import type { ProcessPorts } from './ports.ts'

/** What stands beside the code in the list: of a broken plan, what it asks for first. */
function wordsOf({ plan }: Extract<LogRecord, { kind: 'event' }>): { path: string; message: string } {
  const [first, ...rest] = plan?.violations ?? []
  if (!first) return { path: '', message: '' }
  const { en } = violationSentence({ ...first, path: '' })
  return { path: first.path, message: rest.length === 0 ? en : `${en} (+${rest.length})` }
}

/** Moves quarantined records, and events set aside while processing, from the log into the state. */
export async function moveQuarantined(
  inputs: readonly Positioned[],
  batch: Batch,
  ports: ProcessPorts,
  code?: ExitCode,
): Promise<void> {
  const rejected = inputs.filter(({ record }) => record.kind === 'quarantine' || code !== undefined)
  if (rejected.length === 0) return
  const { id: keyId, wrapped } = await ports.sealKeys.quarantine(batch.now)
  const key = ports.keys.unwrap(wrapped)
  for (const { record } of rejected) {
    const row =
      record.kind === 'quarantine'
        ? {
            id: record.id,
            sourceId: record.sourceId,
            connector: record.connector,
            code: record.code,
            path: record.path,
            message: record.message,
            raw: record.raw,
          }
        : {
            id: newId(batch.now),
            sourceId: record.event.source.id,
            connector: record.event.source.connector,
            code: code!,
            ...wordsOf(record),
            raw: JSON.stringify({ canonical: record.event }),
          }
    batch.rows.quarantine.push([
      row.id,
      row.sourceId,
      row.connector,
      row.code,
      row.path.slice(0, 500),
      row.message.slice(0, 500),
      keyId,
      seal(key, row.raw),
      'open',
      JSON.stringify(record.fences),
      batch.now,
      batch.now + QUARANTINE_MS,
    ])
    if (record.kind === 'quarantine') batch.count(`source:${row.sourceId}`, row.code)
    batch.live.push({
      id: row.id,
      at: batch.now,
      kind: 'event',
      origin: row.sourceId,
      type: '',
      name: '',
      stage: EXITS[row.code].stage,
      code: row.code,
      detail: row.path.slice(0, 200),
    })
  }
}
