import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Difference } from '../core/answers/compare.ts'
import type { LoadedConfig } from '../core/config.ts'
import { loadWithSecrets } from '../core/secrets/read.ts'
import { readLines } from './lines.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, table, writeJson, writeLine } from './output.ts'

interface CompareOptions extends StandardOptions {
  readonly source?: string
  readonly days?: string
}
interface SimulateOptions extends StandardOptions {
  readonly with?: string
  readonly days?: string
}

const DAY_MS = 86_400_000

export function addPolicy(program: Command, cli: Cli): void {
  const policy = program
    .command('policy')
    .summary('check, compare and try out the consent policy')
    .description('The decision table and everything of the configuration that gates read.')

  const check = policy
    .command('check')
    .description('Lints purposes, notices, roles and transfers, and prints the hash that every decision names.')
    .action((options: StandardOptions) => checkPolicy(options, cli))
  standard(check, ['anuente policy check', 'anuente policy check --json | jq \'select(.severity=="error")\''])

  const compare = policy
    .command('compare')
    .description(
      'Lists where our gate differs from what Segment or RudderStack would have let through: on raw events of one source from standard input, or, without --source, on what this hub has observed.',
    )
    .option('--source <id>', 'read raw events of this source from standard input, one per line')
    .option('--days <n>', 'without --source: so many days back', '30')
    .action((options: CompareOptions) => comparePolicy(options, cli))
  standard(compare, [
    'anuente policy compare --source site < segment-export.ndjson',
    'anuente policy compare --days 7 --json',
  ])

  const simulate = policy
    .command('simulate')
    .description(
      'Asks every event that was kept and every delivery of the period again under another configuration, with the answers people have given by now: what would still be kept for which purpose, how many deliveries would leave, and why the others would not. Changes nothing.',
    )
    .requiredOption('--with <file>', 'the other configuration')
    .option('--days <n>', 'events and deliveries of so many days', '30')
    .action((options: SimulateOptions) => simulatePolicy(options, cli))
  standard(simulate, [
    'anuente policy simulate --with anuente.next.yaml',
    'anuente policy simulate --with anuente.next.yaml --days 7 --json',
  ])
}

async function checkPolicy(options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const { lintPurposes, loadPurposes } = await import('../consent/purposes.ts')
  const findings = lintPurposes(loaded.config)
  const { policyHash, size } = loadPurposes(loaded.config)
  if (findings.some(({ severity }) => severity === 'error')) cli.exit(1)
  if (options.json) {
    for (const finding of findings) await writeJson(cli.stdout, finding)
    return writeJson(cli.stdout, { policyHash, purposes: size })
  }
  const c = colors(cli)
  for (const { severity, path, message } of findings)
    await writeLine(
      cli.stdout,
      `${severity === 'error' ? c.red('FAIL') : c.yellow('warn')}  ${path.slice(1).replaceAll('/', '.')}: ${message}`,
    )
  await writeLine(cli.stdout, `${size} purposes; policy ${policyHash}`)
}

async function comparePolicy(options: CompareOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  if (options.source === undefined) return observed(loaded, options, cli)
  const instance = loaded.sourceSettings.get(options.source)
  if (!instance)
    throw new CliError(
      'INVALID',
      `no source is called ${options.source}; there are ${[...loaded.sourceSettings.keys()].join(', ')}.`,
    )
  const [{ createComparison }, { loadPurposes }, { canonicalize }, { newId }] = await Promise.all([
    import('../core/answers/compare.ts'),
    import('../consent/purposes.ts'),
    import('../core/stages/normalize.ts'),
    import('../core/ids.ts'),
  ])
  const purposes = loadPurposes(loaded.config)
  const comparison = createComparison(purposes)
  const { id, connector, definition, settings } = instance
  let unreadable = 0
  for await (const line of readLines(cli, 'compare')) {
    const receivedAt = new Date().toISOString()
    try {
      const raw = JSON.parse(line) as Record<string, unknown>
      const request = {
        method: 'POST',
        path: `/in/${id}`,
        query: {},
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(line),
        receivedAt,
      }
      for (const item of definition.normalize(request, settings)) {
        const result = canonicalize(
          item,
          { id, connector, definition, notice: instance.config.notice, purposes },
          receivedAt,
          newId,
        )
        if ('event' in result) comparison.add(result.event, raw)
        else unreadable++
      }
    } catch {
      unreadable++
    }
  }
  const { events, same, differences } = comparison.result()
  if (options.json) {
    for (const difference of differences) await writeJson(cli.stdout, difference)
    return writeJson(cli.stdout, { events, same, unreadable })
  }
  await writeLine(cli.stdout, differences.length > 0 ? table(differences.map(rowOf)) : 'No difference.')
  await writeLine(
    cli.stderr,
    `${events} events; ${same} times the same answer${unreadable > 0 ? `; ${unreadable} lines could not be read` : ''}.`,
  )
}

const rowOf = ({ destination, rule, only, reason, events, people }: Difference): string[] => [
  destination,
  only === 'theirs' ? `${rule} sends, we do not` : `we send, ${rule} does not`,
  reason,
  `${events} events`,
  `${people} people`,
]

/** What the hub saw: unanswered events, which both of them let through, and refusals that neither of them knows. */
async function observed(loaded: LoadedConfig, options: CompareOptions, cli: Cli): Promise<void> {
  await withState(loaded, cli, async ({ state, purposes }) => {
    const { readGaps } = await import('../core/answers/gaps.ts')
    const from = Date.now() - daysOf(options.days) * DAY_MS
    const { items } = await readGaps(state.db, { purposes, config: loaded.config, from })
    const refusals = await state.db
      .selectFrom('rollups')
      .select(({ fn }) => ['origin', 'code', fn.sum<number>('count').as('total')])
      .where('minute', '>=', Math.floor(from / 60_000))
      .where('origin', 'like', 'destination:%')
      .where('code', 'in', [
        'NO_CONSENT',
        'BLOCKED_BY_CONSENT',
        'BLOCKED_BY_SHARING',
        'BLOCKED_BY_TRANSFER',
        'UNDECLARED',
      ])
      .groupBy(['origin', 'code'])
      .orderBy('origin')
      .orderBy('code')
      .execute()
    // A yes that counts for nothing is a yes to both of them as well.
    const differences = [
      ...items.map(({ source, purpose, reason, events, people }) => ({ source, purpose, reason, events, people })),
      ...refusals.map(({ origin, code, total }) => ({
        destination: origin.slice('destination:'.length),
        reason: code,
        deliveries: Number(total),
      })),
    ]
    if (options.json) {
      for (const difference of differences) await writeJson(cli.stdout, difference)
      return
    }
    await writeLine(
      cli.stdout,
      differences.length === 0
        ? 'Nothing was stopped that they would have let through.'
        : table(
            differences.map((one) =>
              'source' in one
                ? [one.source, one.purpose, one.reason, `${one.events} events`, `${one.people} people`]
                : [one.destination, '', one.reason, `${one.deliveries} deliveries`, ''],
            ),
          ),
    )
    await writeLine(
      cli.stderr,
      'Segment, RudderStack and Google’s tags let through whatever nobody answered, and ask neither for sharing nor for transfers.',
    )
  })
}

async function simulatePolicy(options: SimulateOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const other = await loadWithSecrets(resolve(options.with ?? ''), { registry: cli.registry, env: cli.env })
  await withState(loaded, cli, async ({ state, purposes, keys }) => {
    const [{ simulateCollect, simulateDeliveries }, { loadPurposes }] = await Promise.all([
      import('../core/answers/simulate.ts'),
      import('../consent/purposes.ts'),
    ])
    const now = Date.now()
    const changed = loadPurposes(other.config)
    const from = now - daysOf(options.days) * DAY_MS
    const collected = await simulateCollect(changed, from, { state, keys, purposes }, now)
    const results = await simulateDeliveries(changed, from, { state, keys, purposes }, now)
    if (options.json) {
      for (const result of collected) await writeJson(cli.stdout, { stage: 'collect', ...result })
      for (const result of results) await writeJson(cli.stdout, { stage: 'deliver', ...result })
      return writeJson(cli.stdout, { policyHash: purposes.policyHash, otherHash: changed.policyHash })
    }
    if (collected.length > 0)
      await writeLine(
        cli.stdout,
        `${table([
          ['source', 'purpose', 'events kept now', 'then'],
          ...collected.map(({ source, purpose, now: today, then }) => [source, purpose, String(today), String(then)]),
        ])}\n`,
      )
    if (results.length === 0) return writeLine(cli.stdout, 'Nothing was delivered in this time.')
    await writeLine(
      cli.stdout,
      table([
        ['destination', 'purpose', 'now', 'then', 'would be blocked', 'would be free'],
        ...results.map((one) => [
          one.destination,
          one.purpose,
          String(one.now),
          String(one.then),
          Object.entries(one.blocked)
            .map(([reason, count]) => `${count} ${reason}`)
            .join(', '),
          one.unblocked > 0 ? String(one.unblocked) : '',
        ]),
      ]),
    )
  })
}

function daysOf(text: string | undefined): number {
  const days = Number(text ?? 30)
  if (!Number.isInteger(days) || days < 1 || days > 400) throw new CliError('INVALID', '--days is a number up to 400.')
  return days
}

/** Reads beside a running hub; changes nothing. */
async function withState(
  loaded: LoadedConfig,
  cli: Cli,
  work: (tools: {
    state: import('../core/stores/open.ts').StateStore
    purposes: import('../consent/purposes.ts').Purposes
    keys: import('../core/keys.ts').Keys
  }) => Promise<void>,
): Promise<void> {
  const [{ createKeys, loadMasterKey }, { loadPurposes }] = await Promise.all([
    import('../core/keys.ts'),
    import('../consent/purposes.ts'),
  ])
  const state = await openToRead(loaded)
  try {
    await work({
      state,
      keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
      purposes: loadPurposes(loaded.config),
    })
  } finally {
    await state.close()
  }
}
