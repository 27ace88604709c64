/** `anuente backfill`: the rows of a file through the same ingest as every event, and a preview of the mapping. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { parse as parseYaml } from 'yaml'
import { loadPurposes } from '../consent/purposes.ts'
import type { LoadedConfig, Settings, SourceSettings } from '../core/config.ts'
import { checkSettings } from '../core/config.ts'
import { newId } from '../core/ids.ts'
import { InputError } from '../core/kit/errors.ts'
import { type EventMapping, readPlace, readsOf } from '../core/kit/event-mapping.ts'
import { type ExaminedFile, examineFile, type FileChunk, fileChunks } from '../core/kit/file-rows.ts'
import type { Encoding } from '../core/kit/table.ts'
import { canonicalize } from '../core/stages/normalize.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { RowsAnswer } from '../schemas/import-rows.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, progress, table, writeJson, writeLine } from './output.ts'

interface BackfillOptions extends StandardOptions {
  readonly source: string
  readonly dryRun?: boolean
  readonly mapping?: string
  readonly again?: boolean
}

const SHOWN = 3

export function addBackfill(program: Command, cli: Cli): void {
  const command = program
    .command('backfill')
    .argument('<file>', 'CSV, NDJSON or a JSON list')
    .summary('bring the rows of a file in')
    .description(
      'Sends every row through the same ingest as live events, with the notice its source declares. Latin-1, semicolons, decimal commas and DD/MM/YYYY are understood. Run it again after an interruption: it goes on where it stopped, and no row counts twice.',
    )
    .requiredOption('--source <id>', 'source of the configuration with connector file')
    .option('--dry-run', 'show the first events and what each column becomes; record nothing')
    .option('--mapping <file>', 'with --dry-run: try the mapping of this YAML file instead of the configured one')
    .option('--again', 'send a file that was sent completely before, as a new import: its rows count again')
    .action((file: string, options: BackfillOptions) => backfill(file, options, cli))
  standard(command, [
    'anuente backfill pedidos.csv --source erp --dry-run',
    'anuente backfill pedidos.csv --source erp --dry-run --mapping mapping.yaml --json',
    'anuente backfill pedidos.csv --source erp',
  ])
}

async function backfill(file: string, options: BackfillOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const source = sourceFor(loaded, options.source)
  if (options.mapping !== undefined && !options.dryRun)
    throw new CliError(
      'INVALID',
      '--mapping is for --dry-run. When it fits, write it into the settings of the source: what is recorded follows the configuration.',
    )
  const settings = options.mapping === undefined ? source.settings : await tried(options.mapping, source)
  const examined = await examine(file, settings)
  try {
    if (options.dryRun) await preview(file, examined, { loaded, source, settings }, options, cli)
    else await send(file, examined, { loaded, source }, options, cli)
  } catch (error) {
    if (error instanceof InputError) throw new CliError(error.code, `${basename(file)}: ${error.message}`)
    throw error
  }
}

function sourceFor(loaded: LoadedConfig, id: string): SourceSettings {
  const source = loaded.sourceSettings.get(id)
  if (source?.definition.takesRows) return source
  const fit = [...loaded.sourceSettings.values()].filter(({ definition }) => definition.takesRows).map(({ id }) => id)
  throw new CliError(
    'UNKNOWN_SOURCE',
    `${source ? `${id} does not take files` : `no source is called ${id}`}. ${
      fit.length > 0 ? `These do: ${fit.join(', ')}.` : 'Add one with connector: file to the configuration.'
    }`,
  )
}

/** The settings of the source with the mapping of a file. */
async function tried(path: string, source: SourceSettings): Promise<Settings> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CliError('NOT_FOUND', `${path} cannot be read (${error.code}).`)
  })
  let mapping: unknown
  try {
    mapping = parseYaml(text)
  } catch {
    throw new CliError('INVALID', `${path} is no valid YAML.`)
  }
  return checkSettings(source.definition.settings, { ...source.settings, mapping }, path)
}

// ---------------------------------------------------------------- the file

/** Reads it once: what it is written in, and which file it is. */
async function examine(file: string, settings: Settings): Promise<ExaminedFile> {
  try {
    return await examineFile(file, {
      encoding: settings['encoding'] as Encoding | undefined,
      delimiter: settings['delimiter'] as string | undefined,
    })
  } catch (error) {
    if (error instanceof InputError) throw new CliError('TOO_LARGE', `${file}: ${error.message}`)
    throw new CliError('NOT_FOUND', `${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
}

/** @param after rows that are in already. */
async function* chunksOf(
  file: string,
  examined: ExaminedFile,
  after: number,
  label: string,
  cli: Cli,
): AsyncGenerator<FileChunk> {
  const bar = progress(cli, label, examined.bytes)
  try {
    yield* fileChunks(file, examined, after, (count) => bar.add(count))
  } finally {
    bar.end()
  }
}

// ---------------------------------------------------------------- sending

/** What of a file is in, beside the data: rows are known to the hub for three days, a file for longer. */
interface Imported {
  readonly import: string
  readonly rows: number
  readonly recorded: number
  readonly quarantined: number
  readonly done: boolean
}

async function send(
  file: string,
  examined: ExaminedFile,
  { loaded, source }: { readonly loaded: LoadedConfig; readonly source: SourceSettings },
  options: BackfillOptions,
  cli: Cli,
): Promise<void> {
  const name = examined.sha256.slice(0, 32)
  const folder = join(loaded.dataDir, 'imports')
  const notes = join(folder, `${source.id}-${name}.json`)
  const before = await readNotes(notes)
  if (before?.done && !options.again)
    throw new CliError(
      'ALREADY_IMPORTED',
      `this file is in already: ${before.rows} rows. --again sends it as a new import, and its rows count again.`,
    )
  let state: Imported =
    before && !before.done
      ? before
      : {
          import: before ? `${name}-${newId().toLowerCase()}` : name,
          rows: 0,
          recorded: 0,
          quarantined: 0,
          done: false,
        }
  if (state.rows > 0) await writeLine(cli.stderr, `Going on after row ${state.rows}.`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const keep = async (next: Imported): Promise<void> => {
    state = next
    await writeFile(`${notes}.new`, JSON.stringify(state), { mode: 0o600 })
    await rename(`${notes}.new`, notes)
  }
  // A file that cannot be read to its end is refused before its first row leaves: corrected, it is another file.
  if (state.rows === 0) for await (const _ of chunksOf(file, examined, 0, 'reading', cli));
  // A new import is known by its name before its first row leaves.
  await keep(state)
  const codes: Record<string, number> = {}
  for await (const { first, rows } of chunksOf(file, examined, state.rows, 'importing', cli)) {
    const answer = await handOver(loaded, { source: source.id, import: state.import, firstRow: first, rows }, cli)
    for (const [code, count] of Object.entries(answer.codes)) codes[code] = (codes[code] ?? 0) + count
    await keep({
      ...state,
      rows: first + rows.length - 1,
      recorded: state.recorded + answer.recorded,
      quarantined: state.quarantined + answer.quarantined,
    })
  }
  await keep({ ...state, done: true })
  const { rows, recorded, quarantined } = state
  if (options.json) return writeJson(cli.stdout, { import: state.import, rows, recorded, quarantined, codes })
  await writeLine(
    cli.stdout,
    table([
      ['rows', String(rows)],
      ['events recorded', String(recorded)],
      ['set aside', String(quarantined)],
      ...Object.entries(codes).map(([code, count]) => [`  ${code}`, String(count)]),
    ]),
  )
  if (quarantined > 0)
    await writeLine(
      cli.stderr,
      `What was set aside waits 30 days: correct the mapping, then anuente redrive quarantine --source ${source.id}`,
    )
}

/** Waits while the hub is behind: a file is in no hurry. */
async function handOver(loaded: LoadedConfig, args: Record<string, unknown>, cli: Cli): Promise<RowsAnswer> {
  for (;;) {
    try {
      return (await runHubCommand(loaded, 'importRows', args, cli)) as RowsAnswer
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'OVERLOADED') throw error
      await new Promise((resolve) => setTimeout(resolve, 2000))
    }
  }
}

async function readNotes(path: string): Promise<Imported | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Imported
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CliError('INVALID', `${path} cannot be read. Delete it: rows sent within three days do not count twice.`)
  }
}

// ---------------------------------------------------------------- preview

interface ColumnVerdict {
  readonly column: string
  /** What it fills; empty: it is not taken. */
  readonly fills: readonly string[]
  readonly filled: number
  readonly unreadable: number
}

async function preview(
  file: string,
  examined: ExaminedFile,
  {
    loaded,
    source,
    settings,
  }: { readonly loaded: LoadedConfig; readonly source: SourceSettings; readonly settings: Settings },
  options: BackfillOptions,
  cli: Cli,
): Promise<void> {
  const context = {
    id: source.id,
    connector: source.connector,
    definition: source.definition,
    notice: source.config.notice,
    purposes: loadPurposes(loaded.config),
  }
  const receivedAt = new Date().toISOString()
  const targets = readsOf(settings['mapping'] as EventMapping)
  const filled = new Map<string, number>()
  const unreadable = new Map<string, number>()
  const problems = new Map<string, number>()
  const first: CanonicalEvent[] = []
  let rows = 0
  let events = 0
  let aside = 0
  for await (const chunk of chunksOf(file, examined, 0, 'reading', cli)) {
    rows += chunk.rows.length
    for (const row of chunk.rows) for (const column of filledColumns(row, targets)) add(filled, column)
    const items = source.definition.normalize(
      {
        method: 'POST',
        path: `/in/${source.id}`,
        query: { import: examined.sha256.slice(0, 32), row: String(chunk.first) },
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(JSON.stringify(chunk.rows)),
        receivedAt,
      },
      settings,
    )
    for (const item of items) {
      const result = canonicalize(item, context, receivedAt, newId)
      if ('event' in result) {
        events += 1
        if (first.length < SHOWN) first.push(result.event)
        continue
      }
      aside += 1
      const { code, path, message } = result.quarantine
      const column = columnOf(path, targets)
      if (column !== undefined) add(unreadable, column)
      add(problems, `${code}${column === undefined ? '' : ` in ${column}`}: ${message}`)
    }
  }
  const known = new Set([...targets.flatMap(({ paths }) => paths), ...filled.keys()])
  const columns: ColumnVerdict[] = [...known].map((column) => ({
    column,
    fills: targets.filter(({ paths }) => paths.includes(column)).map(({ target }) => target),
    filled: filled.get(column) ?? 0,
    unreadable: unreadable.get(column) ?? 0,
  }))
  const { form } = examined
  if (options.json)
    return writeJson(cli.stdout, {
      form,
      rows,
      events,
      setAside: aside,
      columns,
      problems: Object.fromEntries(problems),
      first,
    })
  await writeLine(
    cli.stdout,
    [
      `${form.kind.toUpperCase()}, ${form.encoding}${form.kind === 'csv' ? `, columns end at ${JSON.stringify(form.delimiter)}` : ''}: ${rows} rows become ${events} events; ${aside} would be set aside.`,
      '',
      table([
        ['column', 'becomes', 'filled', 'unreadable'],
        ...columns.map(({ column, fills, filled, unreadable }) => [
          column,
          fills.length > 0 ? fills.join(', ') : 'nothing: not in the mapping',
          String(filled),
          unreadable > 0 ? String(unreadable) : '',
        ]),
      ]),
      ...(problems.size > 0 ? ['', ...[...problems].map(([problem, count]) => `${count} × ${problem}`)] : []),
      '',
      ...first.map((event) => JSON.stringify(event, null, 2)),
    ].join('\n'),
  )
  await writeLine(cli.stderr, 'Nothing was recorded: run it again without --dry-run.')
}

const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)

/** Columns of the row, and deeper paths of the mapping, that hold something. */
function filledColumns(row: unknown, targets: ReturnType<typeof readsOf>): Set<string> {
  const paths = targets.flatMap((target) => target.paths)
  const deep = new Set(paths.filter((path) => path.includes('.')).map((path) => path.split('.')[0]))
  const columns =
    row !== null && typeof row === 'object' && !Array.isArray(row)
      ? Object.keys(row).filter((name) => paths.includes(name) || !deep.has(name))
      : []
  return new Set([...columns, ...paths].filter((path) => readPlace(row, path) !== undefined))
}

/** The column that a JSON pointer `/12/total` of a refused row is about. */
function columnOf(path: string, targets: ReturnType<typeof readsOf>): string | undefined {
  const rest = path.replace(/^\/\d+\/?/, '')
  if (rest === '') return undefined
  const column = rest.split('/').join('.').replaceAll('~1', '/').replaceAll('~0', '~')
  const known = targets.flatMap(({ paths }) => paths)
  // What the hub itself refuses is named by the field of the event.
  return known.includes(column) ? column : targets.find(({ target }) => target === column)?.paths[0]
}
