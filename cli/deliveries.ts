/** `anuente deliveries`: how they ended over time, dead letters by filter, one of them in full, and once more. */
import type { Command } from 'commander'
import { EXITS, type ExitCode } from '../schemas/exits.ts'
import { languageOf } from './explain.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'
import { withState } from './plan.ts'
import { type DeliveriesOptions, deliveryFilter, readSince, redriveLetters } from './redrive.ts'

interface StatsOptions extends StandardOptions {
  readonly destination?: string
  readonly since: string
  readonly until?: string
}
interface ListOptions extends DeliveriesOptions {
  readonly limit: string
  readonly lang?: string
}

export function addDeliveries(program: Command, cli: Cli): void {
  const deliveries = program
    .command('deliveries')
    .summary('how deliveries ended, dead letters, and once more')
    .description(
      'Per destination: delivered, retried, failed, uncertain, blocked, held out and cancelled over a time, with reasons; what waits, is late or dead now. Lists name no contact.',
    )
  const stats = deliveries
    .command('stats')
    .description('How deliveries ended, per destination.')
    .option('--destination <id>', 'only of this destination')
    .option('--since <time>', '2026-11-24, 2026-11-24T10:00Z, 2h, 7d or PT2H', '24h')
    .option('--until <time>', 'up to then (default: now)')
    .action((options: StatsOptions) => showStats(options, cli))
  const list = deliveryFilter(
    deliveries
      .command('list')
      .description('Deliveries of a filter, newest first; dead letters when no status is given.'),
  )
    .option('--limit <number>', 'at most so many', '50')
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .action((options: ListOptions) => listDeliveries(options, cli))
  const show = deliveries
    .command('show')
    .argument('<id>')
    .description(
      "One delivery: its status and reason, the vendor's answer, every attempt. `anuente explain` tells why it was decided.",
    )
    .action((id: string, options: StandardOptions) => showDelivery(id, options, cli))
  const redrive = deliveryFilter(
    deliveries
      .command('redrive')
      .description(
        'Send dead and uncertain deliveries again, mapped anew and at a quarter of the pace the vendor allows. Consent is asked now; who got the same already is left out.',
      ),
  )
    .option('--id <id>', 'only this one')
    .option('--dry-run', 'tell who would go and who not, change nothing')
    .action((options: DeliveriesOptions) => redriveLetters(cli, options))

  standard(stats, ['anuente deliveries stats', 'anuente deliveries stats --destination meta --since 7d --json'])
  standard(list, [
    'anuente deliveries list --destination rdstation --http 422',
    'anuente deliveries list --status uncertain --since 2d --json',
  ])
  standard(show, ['anuente deliveries show 01K8V3M4ZQ8Q6T1XJ2N5RZ0W7B'])
  standard(redrive, [
    'anuente deliveries redrive --destination rdstation --code AUTHENTICATION --dry-run',
    'anuente deliveries redrive --id 01K8V3M4ZQ8Q6T1XJ2N5RZ0W7B',
  ])
}

async function showStats(options: StatsOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const now = Date.now()
  const { destination } = options
  if (destination !== undefined && !loaded.destinationSettings.has(destination))
    throw new CliError(
      'UNKNOWN_DESTINATION',
      `no destination is called ${destination}. Known: ${[...loaded.destinationSettings.keys()].join(', ')}`,
    )
  const { readDeliveryStats } = await import('../core/server/admin/delivery-stats.ts')
  const stats = await withState(loaded, ({ db }) =>
    readDeliveryStats(db, {
      destinations: destination === undefined ? [...loaded.destinationSettings.keys()] : [destination],
      from: readSince(options.since, now),
      to: options.until === undefined ? now : readSince(options.until, now),
      now,
    }),
  )
  if (options.json) return writeJson(cli.stdout, stats)
  const names = ['delivered', 'retried', 'failed', 'uncertain', 'blocked', 'held_out', 'cancelled'] as const
  await writeLine(
    cli.stdout,
    table([
      ['destination', ...names, 'waiting', 'late', 'dead'],
      ...stats.items.map((item) => [
        item.destination,
        ...names.map((name) => String(item.outcomes[name])),
        String(item.waiting),
        String(item.late),
        String(item.dead + item.uncertain),
      ]),
    ]),
  )
  const reasons = stats.items.flatMap((item) =>
    item.reasons.map(({ code, count }) => [item.destination, code, String(count)]),
  )
  if (reasons.length > 0) await writeLine(cli.stdout, `\n${table(reasons)}`)
}

async function listDeliveries(options: ListOptions, cli: Cli): Promise<void> {
  if (!/^[1-9]\d{0,3}$/.test(options.limit)) throw new CliError('INVALID', '--limit is a number from 1 to 9999')
  const language = languageOf(options.lang, cli)
  const loaded = await openConfig(options, cli)
  const { destination, action, status, code, rule, http, since, until } = options
  const now = Date.now()
  const [{ filterDeliveries }, { asDelivery, DELIVERY_COLUMNS }] = await Promise.all([
    import('../core/server/delivery-filter.ts'),
    import('../core/server/admin/explanations.ts'),
  ])
  const rows = await withState(loaded, ({ db }) =>
    filterDeliveries(db, {
      destination,
      action,
      status: status ?? (code === undefined && http === undefined ? 'dead' : undefined),
      code,
      rule,
      http,
      from: since === undefined ? undefined : readSince(since, now),
      to: until === undefined ? undefined : readSince(until, now),
    })
      .select([...DELIVERY_COLUMNS, 'answer'])
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(Number(options.limit))
      .execute(),
  )
  const items = rows.map((row) => ({ ...asDelivery(row), answer: row.answer }))
  if (options.json) {
    for (const item of items) await writeJson(cli.stdout, item)
    return
  }
  if (items.length === 0) return writeLine(cli.stdout, language === 'pt' ? 'Nenhuma entrega.' : 'No delivery.')
  await writeLine(
    cli.stdout,
    table(
      items.map((item) => [
        item.id,
        new Date(item.createdAt).toISOString(),
        `${item.destination}/${item.action}`,
        [item.rule ?? '-', item.variant, item.offer].filter((word) => word !== null).join(' · '),
        item.status,
        item.reason ?? '',
        item.answer ?? (item.reason !== null && item.reason in EXITS ? EXITS[item.reason as ExitCode][language] : ''),
      ]),
    ),
  )
}

async function showDelivery(id: string, options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const { asDelivery, DELIVERY_COLUMNS } = await import('../core/server/admin/explanations.ts')
  const found = await withState(loaded, async ({ db }) => {
    const row = await db
      .selectFrom('deliveries')
      .select([...DELIVERY_COLUMNS, 'answer', 'entry_id'])
      .where('id', '=', id)
      .executeTakeFirst()
    const attempts = await db
      .selectFrom('attempts')
      .select(['n', 'at', 'outcome', 'reason'])
      .where('delivery_id', '=', id)
      .orderBy('n')
      .execute()
    return row && { ...asDelivery(row), answer: row.answer, entryId: row.entry_id, attempts }
  })
  if (!found) throw new CliError('NOT_FOUND', `no delivery has the id ${id}`)
  if (options.json) return writeJson(cli.stdout, found)
  const { attempts, ...facts } = found
  const shown = (name: string, value: unknown) =>
    /At$/.test(name) && typeof value === 'number' ? new Date(value).toISOString() : String(value ?? '-')
  await writeLine(cli.stdout, table(Object.entries(facts).map(([name, value]) => [name, shown(name, value)])))
  if (attempts.length > 0)
    await writeLine(
      cli.stdout,
      `\n${table(attempts.map((one) => [`attempt ${one.n}`, new Date(one.at).toISOString(), one.outcome, one.reason]))}`,
    )
}
