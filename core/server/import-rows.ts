/** Rows of a file into the log, by the ingest every event goes through. The command says who sends, so no credential is asked. */
import type { RowsAnswer } from '../../schemas/import-rows.ts'
import type { RawRequest } from '../kit/define.ts'
import { type IngestPorts, isRefusal, isSetAside, normalize, record } from '../stages/ingest.ts'
import { type Command, CommandError } from './context.ts'

/** Carries out `importRows`: `{source, import, firstRow, rows, dryRun?}`. Answered once everything is on disk. */
export async function importRows({ args }: Command, ports: IngestPorts): Promise<RowsAnswer> {
  const { rows, source: id, import: name, firstRow = 1 } = args
  if (!Array.isArray(rows) || typeof id !== 'string' || typeof name !== 'string' || !/^[A-Za-z0-9_-]{8,64}$/.test(name))
    throw new CommandError('INVALID', 'importRows wants a source, rows, and an import of 8 to 64 letters and digits.')
  if (typeof firstRow !== 'number' || !Number.isSafeInteger(firstRow) || firstRow < 1)
    throw new CommandError('INVALID', 'firstRow is the number of the first row, from 1.')
  const source = ports.sources.get(id)
  if (!source) throw new CommandError('NOT_FOUND', `no source is called ${id.slice(0, 60)}.`)
  if (!source.definition.takesRows)
    throw new CommandError('INVALID', `${id} is a source of ${source.connector}: files need one with connector file.`)
  if (args['dryRun'] !== true && ports.log.size() > ports.maxLogBytes)
    throw new CommandError('OVERLOADED', 'the hub is behind; send these rows again in a few seconds.')
  const request: RawRequest = {
    method: 'POST',
    path: `/in/${id}`,
    query: { import: name, row: String(firstRow) },
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(rows)),
    receivedAt: new Date().toISOString(),
  }
  const normalized = normalize(request, source, ports)
  if (isRefusal(normalized)) throw new CommandError('INVALID', normalized.message)
  const codes: Record<string, number> = {}
  for (const one of normalized.records)
    if (isSetAside(one)) {
      const code = one.kind === 'quarantine' ? one.code : 'PLAN_VIOLATION'
      codes[code] = (codes[code] ?? 0) + 1
    }
  const quarantined = normalized.records.filter(isSetAside).length
  if (args['dryRun'] === true) return { recorded: normalized.records.length - quarantined, quarantined, codes }
  return { ...(await record(normalized, ports)), codes }
}
