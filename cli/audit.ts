/** `anuente audit pack`: one folder for an inquiry, cut to a period and to people, checked without the hub. */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Ropa } from '../schemas/records.ts'
import { readTime } from './day.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

interface PackOptions extends StandardOptions {
  readonly period: string
  readonly subjects?: string
  readonly out: string
  readonly withPayloads?: boolean
  readonly reason?: string
}

export function addAudit(program: Command, cli: Cli): void {
  const audit = program
    .command('audit')
    .summary('a folder for an inquiry, checked without the hub')
    .description('What an inquiry of the authority, or an auditor, is given.')
  const pack = audit
    .command('pack')
    .description(
      'Write ledger and checkpoints, notices, policies, requests with their clocks, retention runs, the record of art. 37, incidents and the access log into one folder, with verify.mjs and verify.html. People are named by pseudonym.',
    )
    .requiredOption('--period <from/to>', 'days, both included: 2026-01-01/2026-06-30')
    .option('--subjects <list>', 'only these ledger subjects (s_…), separated by commas')
    .requiredOption('--out <folder>', 'a folder that does not exist yet, or is empty')
    .option(
      '--with-payloads',
      'the contents of the disclosed ledger entries too: personal data, logged with the reason',
    )
    .option('--reason <text>', 'why the contents are needed, e.g. the number of the inquiry')
    .action((options: PackOptions) => writePack(options, cli))
  standard(pack, [
    'anuente audit pack --period 2026-01-01/2026-06-30 --out ./auditoria',
    'anuente audit pack --period 2026-01-01/2026-06-30 --subjects s_3f…,s_9a… --out ./oficio-12',
  ])
}

async function writePack(options: PackOptions, cli: Cli): Promise<void> {
  const [first, last, more] = options.period.split('/')
  if (!first || !last || more !== undefined)
    throw new CliError('INVALID', '--period is two days with a slash: 2026-01-01/2026-06-30')
  const from = Date.parse(readTime(first, '--period'))
  const to = Date.parse(readTime(last, '--period', 'end')) + 1
  if (to <= from) throw new CliError('INVALID', 'the period ends before it begins')
  const dir = resolve(options.out)
  if (existsSync(dir) && readdirSync(dir).length > 0)
    throw new CliError('NOT_EMPTY', `${options.out} is not empty: a pack is written into a folder of its own`)
  if (options.withPayloads && (options.reason ?? '').trim().length < 10)
    throw new CliError(
      'INVALID',
      '--with-payloads needs a --reason of at least 10 characters: it is kept in the access log',
    )
  const subjects = options.subjects
    ?.split(',')
    .map((subject) => subject.trim())
    .filter(Boolean)

  const loaded = await openConfig(options, cli)
  // Signed first, so that the pack reaches to this moment.
  await runHubCommand(loaded, 'ledgerCheckpoint', {}, cli)
  await runHubCommand(
    loaded,
    'noteAuditPack',
    { from, to, subjects: subjects ?? null, payloads: options.withPayloads ?? false, reason: options.reason ?? null },
    cli,
  )
  const ropa = (await runHubCommand(loaded, 'ropa', {}, cli)) as Ropa
  const [{ writeAuditPack }, { openState }, { createKeys, loadMasterKey }] = await Promise.all([
    import('../core/reports/audit-pack.ts'),
    import('../core/stores/open.ts'),
    import('../core/keys.ts'),
  ])
  const state = await openState(
    { file: join(loaded.dataDir, 'state.db'), postgres: loaded.config.storage?.state },
    { migrate: false },
  )
  try {
    const pack = await writeAuditPack(
      {
        db: state.db,
        keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
        config: loaded.config,
        ropa,
        now: Date.now(),
      },
      dir,
      { from, to, ...(subjects && { subjects }), ...(options.withPayloads && { payloads: true }) },
    )
    if (options.json) return writeJson(cli.stdout, { folder: dir, ...pack })
    await writeLine(
      cli.stdout,
      table([
        ['ledger entries', String(pack.entries)],
        ['notices', String(pack.notices)],
        ['requests', String(pack.requests)],
        ['retention runs', String(pack.runs)],
        ['looks', String(pack.looks)],
        ['files', String(pack.files.length + 1)],
      ]),
    )
    await writeLine(cli.stdout, `\n${dir}`)
    if (pack.people === 0) await writeLine(cli.stderr, 'None of these subjects is known to the hub.')
  } finally {
    await state.close()
  }
}
