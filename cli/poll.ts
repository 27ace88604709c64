import type { Command } from 'commander'
import type { PollRun } from '../core/polling/runner.ts'
import type { PolledSource } from '../schemas/polls.ts'
import { runHubCommand } from './hub-command.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

export function addPoll(program: Command, cli: Cli): void {
  standard(
    program
      .command('poll')
      .argument('[source]', 'ask this source now; without it, where each stands')
      .summary('sources that the hub asks: a folder, an HTTP API')
      .description(
        'Lists the sources that are asked instead of telling, with their newest run and failure. With a source: one run now, by the running hub.',
      )
      .action((source: string | undefined, options: StandardOptions) =>
        source === undefined ? list(options, cli) : ask(source, options, cli),
      ),
    ['anuente poll', 'anuente poll erp', 'anuente poll erp --json'],
  )
}

async function ask(source: string, options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const run = (await runHubCommand(loaded, 'pollSource', { source }, cli)) as PollRun | null
  if (!run) throw new CliError('BUSY', `${source} is being asked already.`)
  if (run.error !== undefined) cli.exit(1)
  if (options.json) return writeJson(cli.stdout, run)
  await writeLine(
    cli.stdout,
    table([
      ['pages', String(run.pages)],
      ['events recorded', String(run.recorded)],
      ['set aside', String(run.quarantined)],
      ...(run.error === undefined ? [] : [['ended with', run.error]]),
    ]),
  )
}

async function list(options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const { listPolled } = await import('../core/polling/list.ts')
  const state = await openToRead(loaded)
  let items: PolledSource[]
  try {
    items = await listPolled(loaded.sourceSettings.values(), { db: state.db, now: Date.now() })
  } finally {
    await state.close()
  }
  if (items.some(({ error }) => error !== null)) cli.exit(1)
  if (options.json) return writeJson(cli.stdout, { items })
  if (items.length === 0)
    return writeLine(cli.stdout, 'No source is asked: give one with connector file a folder, or webhook a poll.')
  const when = (at: number | null) => (at === null ? '-' : new Date(at).toISOString())
  await writeLine(
    cli.stdout,
    table([
      ['source', 'every', 'newest run', 'next', 'recorded', 'set aside', 'failure'],
      ...items.map((one) => [
        one.source,
        `${one.everySeconds} s`,
        when(one.ranAt),
        one.running ? 'now' : when(one.nextAt),
        String(one.recorded),
        String(one.quarantined),
        one.error === null ? '' : `${one.error} (${one.failures}), since ${when(one.errorAt)}`,
      ]),
    ]),
  )
}
