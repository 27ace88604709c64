/** `anuente plan`: a first tracking plan from traffic, what breaks it, its versions and what changed between them. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import type { LoadedConfig } from '../core/config.ts'
import type { CompiledPlan } from '../core/plans/plan.ts'
import type { StateStore } from '../core/stores/open.ts'
import type { CanonicalEvent } from '../schemas/event.ts'
import type { TrackingPlan } from '../schemas/plan.ts'
import { languageOf } from './explain.ts'
import { readLines } from './lines.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, openConfigIfThere, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, progress, table, writeJson, writeLine } from './output.ts'
import { readSince } from './redrive.ts'

interface InferOptions extends StandardOptions {
  readonly days: string
  readonly events?: string
  readonly planVersion: string
}
interface ValidateOptions extends StandardOptions {
  readonly plan?: string
  readonly lang?: string
}
interface VersionOptions extends StandardOptions {
  readonly planVersion?: string
}
interface DiffOptions extends StandardOptions {
  readonly from?: string
  readonly to?: string
}
interface ViolationsOptions extends StandardOptions {
  readonly since: string
  readonly event?: string
  readonly lang?: string
}

/** More events than these make the plan no better. */
const MOST_EVENTS = 50_000
const DAY_MS = 86_400_000

export function addPlan(program: Command, cli: Cli): void {
  const plan = program
    .command('plan')
    .summary('tracking plans: infer a first one, validate events, show, diff, violations')
    .description(
      'A tracking plan says what a source may send: a JSON Schema per event, and whether what breaks it goes through, waits in quarantine or is blocked. It stands in a file that sources.<id>.plan names.',
    )
  const infer = plan
    .command('infer')
    .argument('<source>', 'source of the configuration')
    .description(
      'Write a first plan, as YAML, from the events the hub kept: types, what is always there, formats, and words where there are few and they are nobody’s. It accepts the events it was made from. Fields that no purpose asks for were not kept, and are not in it.',
    )
    .option('--days <number>', 'how many days back', '30')
    .option('--events <file>', 'from canonical events instead, as `anuente normalize` prints them; - is standard input')
    .option('--plan-version <number>', 'version to write', '1')
    .action((source: string, options: InferOptions) => inferPlan(source, options, cli))
  const validate = plan
    .command('validate')
    .argument('[source]', 'source whose plan it is; or --plan')
    .description(
      'Hold events on standard input against a plan: canonical events, or lines as `anuente normalize` prints them. Exit code 2 when one breaks it. No value of an event is printed.',
    )
    .option('--plan <file>', 'a plan file instead of that of a source')
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .action((source: string | undefined, options: ValidateOptions) => validateEvents(source, options, cli))
  const show = plan
    .command('show')
    .argument('<source>')
    .description('The plan of a source, as it is or as a version ran.')
    .option('--plan-version <number>', 'an earlier version')
    .action((source: string, options: VersionOptions) => showPlan(source, options, cli))
  const diff = plan
    .command('diff')
    .argument('<source>', 'source, or a plan file to compare with the second argument')
    .argument('[file]', 'plan file')
    .description(
      'What one version asks for and the other does not. Without versions: the one that ran last, and the file.',
    )
    .option('--from <version>', 'version that ran')
    .option('--to <version>', 'version that ran')
    .action((source: string, file: string | undefined, options: DiffOptions) =>
      diffVersions(source, file, options, cli),
    )
  const violations = plan
    .command('violations')
    .argument('[source]')
    .description('What was sent against plans: how often, where, and what became of it.')
    .option('--since <time>', '2026-11-24, 2h, 7d or PT2H', '7d')
    .option('--event <name>', 'only of this event')
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .action((source: string | undefined, options: ViolationsOptions) => showViolations(source, options, cli))

  standard(infer, [
    'anuente plan infer site > plans/site.yaml',
    'anuente plan infer site --days 7',
    'anuente normalize site < raw.ndjson | anuente plan infer site --events -',
  ])
  standard(validate, [
    'anuente normalize site < raw.ndjson | anuente plan validate site',
    'anuente plan validate --plan plans/site.yaml --json < events.ndjson',
  ])
  standard(show, ['anuente plan show site', 'anuente plan show site --plan-version 2 --json'])
  standard(diff, [
    'anuente plan diff site',
    'anuente plan diff site --from 1 --to 2',
    'anuente plan diff plans/old.yaml plans/new.yaml --json',
  ])
  standard(violations, ['anuente plan violations site --since 24h', 'anuente plan violations --json'])
}

async function inferPlan(source: string, options: InferOptions, cli: Cli): Promise<void> {
  const days = wholeNumber('--days', options.days)
  const version = wholeNumber('--plan-version', options.planVersion)
  const loaded =
    options.events === undefined ? await openConfig(options, cli) : await openConfigIfThere(options, cli, true)
  if (options.events === undefined) sourceOf(loaded, source)
  const [{ observe }, { openTraitsOf }] = await Promise.all([
    import('../core/plans/infer.ts'),
    import('../core/roles/surroundings.ts'),
  ])
  const seen = observe(new Set(loaded ? openTraitsOf(loaded) : []))
  if (options.events !== undefined) {
    for await (const event of readEvents(options.events, cli))
      seen.add(event, event.subject.identifiers[0]?.value ?? '')
  } else
    await withState(loaded!, async (state) => {
      const [{ keptEvents }, { createKeys, loadMasterKey }] = await Promise.all([
        import('../core/plans/report.ts'),
        import('../core/keys.ts'),
      ])
      const keys = createKeys(loadMasterKey(join(loaded!.dataDir, 'master.key'), cli.env))
      const bar = progress(cli, 'infer', undefined)
      const from = Date.now() - days * DAY_MS
      try {
        for await (const { event, who } of keptEvents(state.db, keys, { source, from, most: MOST_EVENTS })) {
          seen.add(event, who)
          bar.add(1)
        }
      } finally {
        bar.end()
      }
    })
  if (seen.events === 0)
    throw new CliError(
      'NO_EVENTS',
      options.events === undefined
        ? `no event of ${source} was kept in the last ${days} days. Ask for more --days, or give events with --events.`
        : 'there is no event in what was given.',
    )
  if (options.json) return writeJson(cli.stdout, seen.plan(version))
  const head = `Tracking plan of ${source}, from ${seen.events} events${options.events === undefined ? ` of ${days} days` : ''}.
Percentages: how often what is not always there was there. Look it through before you set a mode.`
  cli.stdout.write(seen.yaml(version, head))
}

async function validateEvents(source: string | undefined, options: ValidateOptions, cli: Cli): Promise<void> {
  const language = languageOf(options.lang, cli)
  const [{ violationSentence }, { plannedName }] = await Promise.all([
    import('../core/plans/words.ts'),
    import('../core/plans/plan.ts'),
  ])
  const compiled = await planOf(source, options, cli)
  const paint = colors(cli)
  let [events, broken] = [0, 0]
  for await (const event of readEvents('-', cli)) {
    events += 1
    const finding = compiled.check(event)
    if (finding) broken += 1
    const name = plannedName(event)
    if (options.json)
      await writeJson(cli.stdout, {
        id: event.messageId ?? event.id,
        event: name,
        effect: finding?.effect ?? null,
        violations: finding?.violations ?? [],
      })
    else if (finding) {
      await writeLine(cli.stdout, `${paint.bold(name)}  ${event.messageId ?? event.id}  ${finding.effect}`)
      for (const violation of finding.violations)
        await writeLine(cli.stdout, `  ${violation.kind}  ${violationSentence(violation)[language]}`)
    }
  }
  await writeLine(
    cli.stderr,
    language === 'pt'
      ? `${events} eventos, ${broken} fora do plano (versão ${compiled.plan.version}).`
      : `${events} events, ${broken} against the plan (version ${compiled.plan.version}).`,
  )
  if (broken > 0) cli.exit(2)
}

async function showPlan(source: string, options: VersionOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const found =
    options.planVersion === undefined
      ? sourceOf(loaded, source).plan?.plan
      : await ranAs(loaded, source, wholeNumber('--plan-version', options.planVersion))
  if (!found)
    throw new CliError(
      'NOT_FOUND',
      options.planVersion === undefined
        ? `source ${source} has no tracking plan. Make a first one with: anuente plan infer ${source}`
        : `version ${options.planVersion} of the plan of ${source} never ran here.`,
    )
  if (options.json) return writeJson(cli.stdout, found)
  cli.stdout.write(stringify(found, { lineWidth: 120 }))
}

async function diffVersions(source: string, file: string | undefined, options: DiffOptions, cli: Cli): Promise<void> {
  const { diffPlans } = await import('../core/plans/diff.ts')
  const [from, to] = file !== undefined ? [await fromFile(source), await fromFile(file)] : await ofSource()
  const changes = diffPlans(from, to)
  if (options.json) {
    for (const change of changes) await writeJson(cli.stdout, change)
    return
  }
  if (changes.length === 0) return writeLine(cli.stdout, `version ${from.version} and ${to.version} ask for the same.`)
  const paint = colors(cli)
  const sign = { added: paint.green('+'), removed: paint.red('-'), changed: paint.yellow('~') }
  const shown = (value: unknown) => (value === undefined || value === true ? '' : JSON.stringify(value))
  await writeLine(
    cli.stdout,
    table(
      changes.map(({ change, event, path, from: was, to: is }) => [
        sign[change],
        event || '*',
        path,
        change === 'changed' ? `${shown(was)} → ${shown(is)}` : shown(is ?? was),
      ]),
    ),
  )

  async function ofSource(): Promise<[TrackingPlan, TrackingPlan]> {
    const loaded = await openConfig(options, cli)
    const written = sourceOf(loaded, source).plan?.plan
    const old = await ranAs(
      loaded,
      source,
      options.from === undefined ? undefined : wholeNumber('--from', options.from),
    )
    const now = options.to === undefined ? written : await ranAs(loaded, source, wholeNumber('--to', options.to))
    if (!old || !now)
      throw new CliError(
        'NOT_FOUND',
        `no such version of the plan of ${source}. Those that ran: anuente plan show ${source} --plan-version N`,
      )
    return [old, now]
  }
}

async function showViolations(source: string | undefined, options: ViolationsOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  if (source !== undefined) sourceOf(loaded, source)
  const language = languageOf(options.lang, cli)
  const [{ readViolations }, { violationSentence }] = await Promise.all([
    import('../core/plans/report.ts'),
    import('../core/plans/words.ts'),
  ])
  const now = Date.now()
  const filter = { source, event: options.event, from: readSince(options.since, now), to: now + 1 }
  const items = await withState(loaded, (state) => readViolations(state.db, filter))
  if (options.json) {
    for (const item of items) await writeJson(cli.stdout, item)
    return
  }
  if (items.length === 0) return writeLine(cli.stdout, language === 'pt' ? 'Nenhuma violação.' : 'No violations.')
  await writeLine(
    cli.stdout,
    table(
      items.map((item) => [
        String(item.events),
        item.source,
        item.event,
        item.kind,
        violationSentence(item)[language],
        ['passed', 'quarantined', 'blocked']
          .filter((effect) => item[effect as 'passed'] > 0)
          .map((effect) => `${effect} ${item[effect as 'passed']}`)
          .join(', '),
      ]),
    ),
  )
}

async function planOf(source: string | undefined, options: ValidateOptions, cli: Cli): Promise<CompiledPlan> {
  if (options.plan !== undefined) {
    const { compilePlan } = await import('../core/plans/plan.ts')
    return compilePlan(await fromFile(options.plan))
  }
  if (source === undefined) throw new CliError('INVALID', 'name a source, or a plan with --plan FILE')
  const loaded = await openConfig(options, cli)
  const { plan } = sourceOf(loaded, source)
  if (!plan)
    throw new CliError(
      'NOT_FOUND',
      `source ${source} has no tracking plan. Make a first one with: anuente plan infer ${source}`,
    )
  return plan
}

async function fromFile(name: string): Promise<TrackingPlan> {
  const { readPlan } = await import('../core/plans/plan.ts')
  const file = resolve(name)
  if (!existsSync(file)) throw new CliError('NOT_FOUND', `there is no file ${name}`)
  return readPlan({ file, text: readFileSync(file, 'utf8') })
}

async function ranAs(loaded: LoadedConfig, source: string, version?: number): Promise<TrackingPlan | undefined> {
  const { storedPlan } = await import('../core/plans/publish.ts')
  return withState(loaded, (state) => storedPlan(state.db, source, version))
}

function sourceOf(loaded: LoadedConfig | undefined, source: string) {
  const found = loaded?.sourceSettings.get(source)
  if (!found)
    throw new CliError(
      'UNKNOWN_SOURCE',
      `no source is called ${source}. Known: ${[...(loaded?.sourceSettings.keys() ?? [])].join(', ')}`,
    )
  return found
}

/** Reads beside a running hub. @throws CliError where none has run. */
export async function withState<T>(loaded: LoadedConfig, work: (state: StateStore) => Promise<T>): Promise<T> {
  const state = await openToRead(loaded)
  try {
    return await work(state)
  } finally {
    await state.close()
  }
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new CliError('INVALID', `${option} is a whole number from 1`)
  return Number(text)
}

/** Canonical events, or lines as `anuente normalize` prints them. What could not be read there is no event here. */
async function* readEvents(from: string, cli: Cli): AsyncGenerator<CanonicalEvent> {
  const lines = from === '-' ? readLines(cli, 'events') : readFileSync(resolve(from), 'utf8').split('\n')
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line.trim() === '') continue
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      throw new CliError('MALFORMED_JSON', `line ${number} is not valid JSON`)
    }
    const { events, error } = value as { events?: CanonicalEvent[]; error?: unknown }
    if (error !== undefined && events === undefined) continue
    for (const event of events ?? [value as CanonicalEvent]) {
      if (typeof event?.type !== 'string' || typeof event.name !== 'string' || typeof event.subject !== 'object')
        throw new CliError(
          'INVALID',
          `line ${number} is no canonical event: make them with anuente normalize <source> < raw.ndjson`,
        )
      yield event
    }
  }
}
