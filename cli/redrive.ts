/** `anuente redrive`: quarantined inputs and unsettled deliveries once more, as the configuration and consent are now. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { DateTime, Duration } from 'luxon'
import { violationSentence } from '../core/plans/words.ts'
import type { RedrivePreview } from '../schemas/deliveries.ts'
import type { RedriveAnswer } from '../schemas/quarantine.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

interface QuarantineOptions extends StandardOptions {
  readonly source?: string
  readonly code?: string
  readonly event?: string
  readonly path?: string
  readonly id?: string
  readonly since?: string
  readonly rename?: string[]
  readonly coerce?: string[]
  readonly set?: string[]
  readonly remove?: string[]
  readonly patch?: string
  readonly asIs?: boolean
  readonly dryRun?: boolean
}
export interface DeliveriesOptions extends StandardOptions {
  readonly destination?: string
  readonly action?: string
  readonly status?: string
  readonly code?: string
  readonly rule?: string
  readonly http?: string
  readonly since?: string
  readonly until?: string
  readonly id?: string
  readonly dryRun?: boolean
}

export function addRedrive(program: Command, cli: Cli): void {
  const redrive = program
    .command('redrive')
    .summary('send quarantined inputs and dead deliveries through again')
    .description(
      'Sends what stopped through again. Consent is asked as it is now; what was delivered already is left alone.',
    )

  const quarantine = redrive
    .command('quarantine')
    .description('Read quarantined inputs again with the configuration of now.')
    .option('--source <id>', 'only of this source')
    .option('--code <code>', 'only with this code, e.g. INVALID')
    .option('--since <time>', 'only received since: 2026-11-24, 2026-11-24T10:00Z, 2h, 7d or PT2H')
    .option('--event <name>', 'only events of this name')
    .option('--path <pointer>', 'only with their fault there, e.g. /properties/total')
    .option('--id <id>', 'only this one')
    .option(
      '--rename <from=to>',
      'fix: move a field, e.g. /properties/valor=/properties/total; may be repeated',
      collect,
    )
    .option('--coerce <path=type>', 'fix: number, integer, string or boolean, e.g. /properties/total=number', collect)
    .option('--set <path=json>', 'fix: write a value, e.g. /properties/currency="BRL"', collect)
    .option('--remove <path>', 'fix: take a field out', collect)
    .option('--patch <file>', 'fixes as a JSON list (JSON Patch: move, add, replace, remove; and coerce)')
    .option('--as-is', 'let them through although they break their tracking plan')
    .option('--dry-run', 'count and show what the fixes would do, change nothing')
    .action((options: QuarantineOptions) => redriveInputs(cli, options))
  const deliveries = deliveryFilter(
    redrive
      .command('deliveries')
      .description(
        'Send dead and uncertain deliveries again, mapped anew and at a quarter of the pace the vendor allows. Consent is asked now; who got the same already is left out. The same as `anuente deliveries redrive`.',
      ),
  )
    .option('--dry-run', 'tell who would go and who not, change nothing')
    .action((options: DeliveriesOptions) => redriveLetters(cli, options))

  standard(quarantine, [
    'anuente redrive quarantine --source site --code INVALID --since 2d',
    'anuente redrive quarantine --dry-run --json',
    'anuente redrive quarantine --code PLAN_VIOLATION --rename /properties/valor=/properties/total --coerce /properties/total=number --dry-run',
  ])
  standard(deliveries, [
    'anuente redrive deliveries --destination rdstation --dry-run',
    'anuente redrive deliveries --code AUTHENTICATION --since 2026-11-24T10:00:00Z',
  ])
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

async function redriveInputs(cli: Cli, options: QuarantineOptions): Promise<void> {
  const loaded = await openConfig(options, cli)
  const from = options.since === undefined ? undefined : new Date(readSince(options.since, Date.now())).toISOString()
  const { source, code, event, path, id } = options
  const filter = Object.fromEntries(Object.entries({ source, code, event, path, from }).filter(([, value]) => value))
  const answer = (await runHubCommand(
    loaded,
    'redriveQuarantine',
    {
      filter,
      ...(id && { id }),
      fixes: fixesOf(options),
      asIs: options.asIs ?? false,
      dryRun: options.dryRun ?? false,
    },
    cli,
  )) as RedriveAnswer
  if (options.json) return writeJson(cli.stdout, answer)
  const { samples, redriven, changed, refused, more } = answer
  await writeLine(
    cli.stdout,
    table([
      [options.dryRun ? 'would be re-driven' : 're-driven', String(redriven)],
      ['changed by fixes', String(changed)],
      ...Object.entries(refused).map(([why, count]) => [`still ${why}`, String(count)]),
    ]),
  )
  for (const sample of samples) {
    await writeLine(cli.stdout, `\n${sample.id}  ${sample.event}`)
    await writeLine(cli.stdout, `  was  ${JSON.stringify(sample.before)}\n  is   ${JSON.stringify(sample.after)}`)
    for (const violation of sample.violations)
      await writeLine(cli.stdout, `  ${violation.kind}  ${violationSentence(violation).en}`)
  }
  if (more) await writeLine(cli.stderr, 'There may be more: run it again.')
  if (options.dryRun) await writeLine(cli.stderr, 'Nothing was changed: run it again without --dry-run.')
}

/** Fixes in the order: patch file, renames, values, types, removals. */
function fixesOf({ rename, coerce, set, remove, patch }: QuarantineOptions): unknown[] {
  const pair = (option: string, text: string): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw new CliError('INVALID', `${option} ${text}: write it with = between the two parts`)
    return [text.slice(0, at), text.slice(at + 1)]
  }
  const json = (text: string): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  return [
    ...(patch === undefined ? [] : (JSON.parse(readFileSync(patch, 'utf8')) as unknown[])),
    ...(rename ?? []).map((text) => {
      const [from, path] = pair('--rename', text)
      return { op: 'move', from, path }
    }),
    ...(set ?? []).map((text) => {
      const [path, value] = pair('--set', text)
      return { op: path === '/name' ? 'replace' : 'add', path, value: json(value) }
    }),
    ...(coerce ?? []).map((text) => {
      const [path, to] = pair('--coerce', text)
      return { op: 'coerce', path, to }
    }),
    ...(remove ?? []).map((path) => ({ op: 'remove', path })),
  ]
}

/** The words by which deliveries are found, the same for every command about them. */
export function deliveryFilter(command: Command): Command {
  return command
    .option('--destination <id>', 'only to this destination')
    .option('--action <id>', 'only of this action')
    .option('--status <status>', 'only with this status, e.g. dead or uncertain')
    .option('--code <code>', 'only with this code, e.g. AUTHENTICATION')
    .option('--rule <id>', 'only of this rule')
    .option('--http <status>', 'only those the vendor answered with this status code, e.g. 422')
    .option('--since <time>', 'only created since: 2026-11-24, 2026-11-24T10:00Z, 2h, 7d or PT2H')
    .option('--until <time>', 'only created before')
}

export async function redriveLetters(cli: Cli, options: DeliveriesOptions): Promise<void> {
  const loaded = await openConfig(options, cli)
  const time = (text: string | undefined) =>
    text === undefined ? undefined : new Date(readSince(text, Date.now())).toISOString()
  const { destination, action, status, code, rule, http, id } = options
  const wanted = {
    destination,
    action,
    status,
    code,
    rule,
    http,
    id,
    from: time(options.since),
    to: time(options.until),
  }
  const filter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
  const answer = (await runHubCommand(
    loaded,
    'redriveDeliveries',
    { filter, dryRun: options.dryRun ?? false },
    cli,
  )) as RedrivePreview
  if (options.json) return writeJson(cli.stdout, answer)
  const { deliveries, people, mayRepeat, leftOut, budgets, samples, more } = answer
  await writeLine(
    cli.stdout,
    table([
      [options.dryRun ? 'would go again' : 'go again', `${deliveries}, to ${people} people`],
      ...(mayRepeat > 0 ? [['may reach somebody twice', String(mayRepeat)]] : []),
      ...leftOut.map(({ code: why, count }) => [`left out: ${why}`, String(count)]),
      ...budgets.map(({ destination: to, deliveries: count, perSecond, lastAt }) => [
        `pace: ${to}`,
        `${count} at ${perSecond}/s, the last at ${new Date(lastAt).toISOString()}`,
      ]),
    ]),
  )
  if (samples.length > 0)
    await writeLine(
      cli.stdout,
      `\n${table(samples.map((one) => [one.id, one.destination, one.action, one.contact ?? '', one.code ?? 'goes']))}`,
    )
  if (more) await writeLine(cli.stderr, 'The filter finds more than one call takes: run it again.')
  if (options.dryRun) await writeLine(cli.stderr, 'Nothing was changed: run it again without --dry-run.')
}

/** @returns epoch milliseconds. */
export function readSince(text: string, now: number): number {
  const short = /^(\d+)\s*(m|min|h|d|w)$/.exec(text)
  if (short) {
    const unit = { m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }[short[2] as 'm']
    return now - Number(short[1]) * unit
  }
  if (/^P/.test(text)) {
    const duration = Duration.fromISO(text)
    if (duration.isValid) return DateTime.fromMillis(now, { zone: 'utc' }).minus(duration).toMillis()
  }
  const at = DateTime.fromISO(text, { zone: 'America/Sao_Paulo' })
  if (at.isValid) return at.toMillis()
  throw new CliError(
    'INVALID',
    `--since ${text} is neither a time nor a duration. Write 2026-11-24, 2026-11-24T10:00Z, 2h, 7d or PT2H.`,
  )
}
