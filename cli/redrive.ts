/** `anuente redrive`: quarantined inputs and unsettled deliveries once more, as the configuration and consent are now. */
import type { Command } from 'commander'
import { DateTime, Duration } from 'luxon'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

interface QuarantineOptions extends StandardOptions {
  readonly source?: string
  readonly code?: string
  readonly since?: string
  readonly dryRun?: boolean
}
interface DeliveriesOptions extends StandardOptions {
  readonly destination?: string
  readonly code?: string
  readonly since?: string
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
    .option('--dry-run', 'count, change nothing')
    .action((options: QuarantineOptions) =>
      act(cli, options, 'redriveQuarantine', { source: options.source, code: options.code }),
    )
  const deliveries = redrive
    .command('deliveries')
    .description('Send dead and uncertain deliveries again. They are mapped anew.')
    .option('--destination <id>', 'only to this destination')
    .option('--code <code>', 'only with this code, e.g. AUTHENTICATION')
    .option('--since <time>', 'only created since: 2026-11-24, 2026-11-24T10:00Z, 2h, 7d or PT2H')
    .option('--dry-run', 'count, change nothing')
    .action((options: DeliveriesOptions) =>
      act(cli, options, 'redriveDeliveries', { destination: options.destination, code: options.code }),
    )

  standard(quarantine, [
    'anuente redrive quarantine --source site --code INVALID --since 2d',
    'anuente redrive quarantine --dry-run --json',
  ])
  standard(deliveries, [
    'anuente redrive deliveries --destination rdstation --dry-run',
    'anuente redrive deliveries --code AUTHENTICATION --since 2026-11-24T10:00:00Z',
  ])
}

async function act(
  cli: Cli,
  options: QuarantineOptions | DeliveriesOptions,
  name: string,
  filter: Record<string, string | undefined>,
): Promise<void> {
  const from = options.since === undefined ? undefined : new Date(readSince(options.since, Date.now())).toISOString()
  const loaded = await openConfig(options, cli)
  const given = Object.fromEntries(Object.entries({ ...filter, from }).filter(([, value]) => value !== undefined))
  const value = await runHubCommand(loaded, name, { filter: given, dryRun: options.dryRun ?? false }, cli)
  if (options.json) return writeJson(cli.stdout, value)
  const counts = value !== null && typeof value === 'object' ? Object.entries(value) : [['result', value] as const]
  await writeLine(
    cli.stdout,
    table(counts.map(([label, count]) => [label, typeof count === 'object' ? JSON.stringify(count) : String(count)])),
  )
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
