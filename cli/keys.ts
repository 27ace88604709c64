/** `anuente keys shred`: destroying somebody's keys outside of a request, for instance by order of a court. */
import type { Command } from 'commander'
import type { ShredAnswer } from '../schemas/records.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'

interface ShredOptions extends StandardOptions {
  readonly subject: string
  readonly reason: string
  readonly which?: string
}

export function addKeys(program: Command, cli: Cli): void {
  const keys = program.command('keys').summary('destroy keys of a person').description('Keys of people.')
  const shred = keys
    .command('shred')
    .description(
      'Destroy the keys of a ledger subject, or of all nodes of a person. What lay under the data key is deleted with it; the ledger keeps an entry, and its proofs still verify. Not to be undone. A legal hold refuses it. A request of the person is answered by `anuente requests`, which also reaches every destination.',
    )
    .requiredOption('--subject <subject>', 'ledger subject (s_…), or person id')
    .requiredOption('--reason <word>', 'one word for the ledger: court_order, key_exposed, erasure')
    .option('--which <keys>', 'data, proof or both (default: data)')
    .action((options: ShredOptions) => shredKeys(options, cli))
  standard(shred, ['anuente keys shred --subject s_3f… --reason court_order'])
}

async function shredKeys({ subject, reason, which = 'data', ...options }: ShredOptions, cli: Cli): Promise<void> {
  if (!['data', 'proof', 'both'].includes(which)) throw new CliError('INVALID', '--which is data, proof or both')
  const loaded = await openConfig(options, cli)
  const answer = (await runHubCommand(loaded, 'shredKeys', { subject, reason, which }, cli)) as ShredAnswer
  if (options.json) return writeJson(cli.stdout, answer)
  await writeLine(
    cli.stdout,
    answer.entryId === null
      ? 'These keys were destroyed before.'
      : `${answer.nodes} nodes, ledger entry ${answer.entryId}; ${Object.entries(answer.erased)
          .map(([name, count]) => `${count} ${name}`)
          .join(', ')}`,
  )
}
