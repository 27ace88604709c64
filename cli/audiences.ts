/** `anuente audiences`: who is in, since when and why; what destinations were told; telling them again. */
import type { Command } from 'commander'
import type { AudienceMember, AudienceStay, AudienceSummary, AudienceSync } from '../schemas/audience.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

export function addAudiences(program: Command, cli: Cli): void {
  const audiences = program
    .command('audiences')
    .summary('audiences: size, members, why somebody is in, telling destinations again')
    .description(
      'Shows the audiences of anuente.yaml as they are now, and what destinations were told of their members.',
    )
  const ask = async <T>(name: string, args: Readonly<Record<string, unknown>>, options: StandardOptions): Promise<T> =>
    (await runHubCommand(await openConfig(options, cli), name, args, cli)) as T
  const list = audiences
    .command('list')
    .description('Every audience with its size and how each destination stands.')
    .action(async (options: StandardOptions) => {
      const found = await ask<AudienceSummary[]>('audiencesList', {}, options)
      if (options.json) return writeJson(cli.stdout, found)
      await writeLine(
        cli.stdout,
        table(found.map((one) => [one.id, String(one.size), one.destinations.map(destinationWords).join('  ')])),
      )
    })
  const show = audiences
    .command('show')
    .argument('<audience>')
    .description('One audience: its definition in words, size, destinations.')
    .action(async (id: string, options: StandardOptions) => {
      const one = (await ask<AudienceSummary[]>('audiencesList', {}, options)).find((audience) => audience.id === id)
      if (!one) throw new CliError('NOT_FOUND', `There is no audience "${id}".`)
      if (options.json) return writeJson(cli.stdout, one)
      await writeLine(
        cli.stdout,
        [one.title.pt, ...one.words.pt, `${one.size}`, ...one.destinations.map(destinationWords)].join('\n'),
      )
    })
  const members = audiences
    .command('members')
    .argument('<audience>')
    .description('The newest 100 members, by person id, with what each destination was told.')
    .action(async (audience: string, options: StandardOptions) => {
      const found = await ask<AudienceMember[]>('audienceMembers', { audience }, options)
      if (options.json) return writeJson(cli.stdout, found)
      await writeLine(
        cli.stdout,
        table(
          found.map((one) => [
            one.personId,
            one.since,
            one.destinations.map((to) => `${to.destination}: ${to.state}`).join('  '),
          ]),
        ),
      )
    })
  const explain = audiences
    .command('explain')
    .argument('<person>', 'person id')
    .description('Every stay of one person: entered, left, and which clauses held with which values.')
    .action(async (person: string, options: StandardOptions) => {
      const found = await ask<AudienceStay[]>('audiencesOfPerson', { person }, options)
      if (options.json) return writeJson(cli.stdout, found)
      await writeLine(
        cli.stdout,
        table(
          found.map((stay) => [
            stay.audience,
            stay.enteredAt,
            stay.leftAt ?? '',
            (stay.leftAt === null ? stay.whyEntered : stay.whyLeft)
              .map(({ pt, value }) => `${pt} (${String(value)})`)
              .join('; '),
          ]),
        ),
      )
    })
  const sync = audiences
    .command('sync')
    .description('Tell destinations again what failed; with --full, everything. The hub goes through people in pages.')
    .option('--full', 'everybody, not only what failed')
    .option('--audience <id>', 'only this audience')
    .action(async (options: StandardOptions & { full?: boolean; audience?: string }) => {
      const args = {
        full: options.full === true,
        ...(options.audience !== undefined && { audience: options.audience }),
      }
      const started = await ask<AudienceSync>('audiencesSync', args, options)
      if (options.json) return writeJson(cli.stdout, started)
      await writeLine(cli.stdout, 'Started. `anuente audiences list` shows how far destinations are.')
    })
  standard(list, ['anuente audiences list', 'anuente audiences list --json'])
  standard(show, ['anuente audiences show bons_clientes'])
  standard(members, ['anuente audiences members bons_clientes'])
  standard(explain, ['anuente audiences explain 01K…'])
  standard(sync, ['anuente audiences sync', 'anuente audiences sync --full --audience bons_clientes'])
}

const destinationWords = ({ destination, counts }: AudienceSummary['destinations'][number]): string => {
  const failed = counts.failed.reduce((sum, { count }) => sum + count, 0)
  const { noConsent, notReachable, heldOut } = counts.notToldWhy
  return `${destination}: ${counts.in} in, ${counts.pending} pending, ${counts.removing} leaving, ${failed} failed, ${counts.blocked} blocked, ${counts.notTold} not told (${noConsent} without consent, ${notReachable} without address, ${heldOut} held out)`
}
