/** Re-driving quarantined inputs: read again with the configuration of now, and put into the log by its one writer. */
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { Fix } from '../../schemas/plan.ts'
import type { RedriveAnswer } from '../../schemas/quarantine.ts'
import { newId } from '../ids.ts'
import type { AnySource, RawRequest } from '../kit/define.ts'
import type { LogRecord } from '../log/event-log.ts'
import { applyFixes, fixProblem } from '../plans/fix.ts'
import { type CompiledPlan, plannedName } from '../plans/plan.ts'
import { shapeOf } from '../plans/shape.ts'
import { unseal } from '../seal.ts'
import { fenceFor, type IngestPorts } from '../stages/ingest.ts'
import { canonicalize } from '../stages/normalize.ts'
import type { StateStore } from '../stores/open.ts'
import { readFilter, readTime } from './commands.ts'
import { type Command, CommandError, type CommandResult } from './context.ts'

const MOST = 10_000

const MOST_SAMPLES = 10

/**
 * `{id?, filter?: {source, code, path, event, from}, fixes?, asIs?, dryRun?}`. Fixes are carried out on the canonical
 * event; the tracking plan of now is asked again, unless `asIs` says that somebody looked and lets it through.
 * @param process carries out what must be written in the state. */
export async function redriveQuarantine(
  command: Command,
  ports: IngestPorts,
  state: StateStore,
  process: (command: Command) => Promise<CommandResult>,
): Promise<RedriveAnswer> {
  const { args } = command
  const filter = readFilter(args['filter'])
  const fixes = (args['fixes'] ?? []) as Fix[]
  const problem = fixProblem(fixes)
  if (problem) throw new CommandError('INVALID', problem)
  let query = state.db
    .selectFrom('quarantine')
    .innerJoin('seal_keys', 'seal_keys.id', 'quarantine.key_id')
    .selectAll('quarantine')
    .select('seal_keys.wrapped')
    .where('status', '=', 'open')
  if (args['id'] !== undefined) query = query.where('quarantine.id', '=', String(args['id']))
  if (filter['source']) query = query.where('source_id', '=', String(filter['source']))
  if (filter['code']) query = query.where('code', '=', String(filter['code']))
  if (filter['path']) query = query.where('path', '=', String(filter['path']))
  const from = readTime(filter['from'] ?? filter['since'])
  if (from !== undefined) query = query.where('received_at', '>=', from)
  const rows = await query.orderBy('quarantine.id').limit(MOST).execute()
  if (args['id'] !== undefined && rows.length === 0) {
    const known = await state.db
      .selectFrom('quarantine')
      .select('status')
      .where('id', '=', String(args['id']))
      .executeTakeFirst()
    if (known?.status === 'expired')
      throw new CommandError(
        'CONFLICT',
        'Its body was destroyed after 30 days. Only the withdrawal on it stands: ask the person, then dismiss it.',
      )
    throw known
      ? new CommandError('CONFLICT', 'It was already re-driven or dismissed.')
      : new CommandError('NOT_FOUND', 'No quarantined input has this id.')
  }
  const dryRun = args['dryRun'] === true
  const refused: Record<string, number> = {}
  const samples: RedriveAnswer['samples'] = []
  let changed = 0
  const done: string[] = []
  for (const row of rows) {
    const raw: unknown = JSON.parse(unseal(ports.keys.unwrap(row.wrapped), row.sealed).toString('utf8'))
    const read = readAgain(raw, row, ports)
    if ('code' in read) {
      refused[read.code] = (refused[read.code] ?? 0) + 1
      continue
    }
    if (filter['event'] && !read.some((event) => plannedName(event) === filter['event'])) continue
    const asked = read.map((event) =>
      askPlan(event, fixes, args['asIs'] === true, ports.sources.get(row.source_id)?.plan),
    )
    if (asked.some((one) => one.changed)) changed += 1
    const stopped = asked.find(({ plan }) => plan && plan.effect !== 'pass')
    if (dryRun && samples.length < MOST_SAMPLES) {
      const { event, before, plan } = stopped ?? asked[0]!
      samples.push({
        id: row.id,
        event: plannedName(event),
        before: shapeOf(before),
        after: shapeOf(event),
        violations: [...(plan?.violations ?? [])],
      })
    }
    if (stopped) {
      const code = stopped.plan?.effect === 'block' ? 'PLAN_BLOCKED' : 'PLAN_VIOLATION'
      refused[code] = (refused[code] ?? 0) + 1
      continue
    }
    const events = asked.map(({ event }) => event)
    done.push(row.id)
    if (dryRun) continue
    const fences = events.map((event) => fenceFor(event, ports.keys))
    const old = JSON.parse(row.fences) as string[]
    const records = events.map(
      (event, index): LogRecord => ({
        kind: 'event',
        event,
        fences: [...(index === 0 ? old : []), ...(fences[index] ? [fences[index].id] : [])],
        quarantineId: events.length === 1 ? row.id : `${row.id}/${index}`,
        ...(asked[index]?.plan && { plan: asked[index].plan }),
      }),
    )
    await ports.log.append(
      records,
      fences.filter((fence) => fence !== undefined),
    )
  }
  if (!dryRun && done.length > 0) {
    const marked = await process({
      name: 'markRedriven',
      args: { ids: done, fixes: fixes.length },
      actor: command.actor,
    })
    // The log deduplicates by quarantine id: a second try after a failure here changes nothing twice.
    if (!marked.ok) throw new CommandError(marked.code, marked.message)
  }
  if (args['id'] !== undefined && done.length === 0)
    throw new CommandError('STILL_REFUSED', `It still cannot be read: ${Object.keys(refused).join(', ')}.`)
  return { redriven: done.length, changed, refused, samples, more: rows.length === MOST, dryRun }
}

/** The event with its fixes, and what the plan of now says of it. */
function askPlan(before: CanonicalEvent, fixes: readonly Fix[], asIs: boolean, of: CompiledPlan | undefined) {
  const { event, changed } = applyFixes(before, fixes)
  const finding = of?.check(event)
  const plan = finding && asIs ? { ...finding, effect: 'pass' as const } : finding
  return { before, event, changed, plan }
}

function readAgain(
  raw: unknown,
  row: { source_id: string; received_at: number },
  ports: IngestPorts,
): CanonicalEvent[] | { code: string } {
  // Set aside while processing: it had already been read.
  if (raw !== null && typeof raw === 'object' && 'canonical' in raw)
    return [(raw as { canonical: CanonicalEvent }).canonical]
  const source = ports.sources.get(row.source_id)
  if (!source) return { code: 'NOT_FOUND' }
  const definition: AnySource = source.definition
  const receivedAt = new Date(row.received_at).toISOString()
  const request: RawRequest = {
    method: 'POST',
    path: `/in/${row.source_id}`,
    query: {},
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(raw)),
    receivedAt,
  }
  const context = {
    id: source.id,
    connector: source.connector,
    definition,
    notice: source.config.notice,
    purposes: ports.purposes,
  }
  const events: CanonicalEvent[] = []
  try {
    for (const item of definition.normalize(request, source.settings)) {
      const result = canonicalize(item, context, receivedAt, newId)
      if ('quarantine' in result) return { code: result.quarantine.code }
      events.push(result.event)
    }
  } catch {
    return { code: 'INVALID' }
  }
  return events.length > 0 ? events : { code: 'INVALID' }
}
