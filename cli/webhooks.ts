/** `anuente webhooks`: webhooks at a vendor that call this hub, through the vendor's API. */
import type { Command } from 'commander'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, table, writeJson, writeLine } from './output.ts'

interface WebhookOptions extends StandardOptions {
  readonly source?: string
}

interface Answer {
  readonly url: string
  readonly changed: number
  readonly items: readonly { id: string; event: string; url: string; ours: boolean }[]
}

export function addWebhooks(program: Command, cli: Cli): void {
  const webhooks = program
    .command('webhooks')
    .summary('webhooks at a vendor that call this hub')
    .description(
      "Makes the vendor tell this hub, through the vendor's API and with the credential of the destination (RD Station). Webhooks of others are listed and never touched.",
    )
  const add = (name: string, command: string, description: string) =>
    standard(
      webhooks
        .command(name)
        .argument('<destination>', 'destination of the configuration')
        .description(description)
        .option('--source <id>', 'source that is called; the only one of this connector when absent')
        .action(async (destination: string, options: WebhookOptions) => {
          const loaded = await openConfig(options, cli)
          const { source } = options
          const answer = (await runHubCommand(
            loaded,
            command,
            { destination, ...(source && { source }) },
            cli,
          )) as Answer
          if (options.json) return writeJson(cli.stdout, answer)
          if (name !== 'list')
            await writeLine(
              cli.stdout,
              `${answer.changed} ${name === 'create' ? 'made' : 'deleted'}, for ${answer.url}`,
            )
          if (answer.items.length === 0) return writeLine(cli.stdout, 'The account has no webhooks.')
          await writeLine(
            cli.stdout,
            table(answer.items.map(({ id, event, url, ours }) => [ours ? 'this hub' : 'other', event, url, id])),
          )
        }),
      [`anuente webhooks ${name} rdstation`],
    )
  add('list', 'listWebhooks', 'Every webhook of the account.')
  add('create', 'createWebhooks', 'Make those that this hub takes and that are not there yet.')
  add('delete', 'deleteWebhooks', 'Take away those that call this hub.')
}
