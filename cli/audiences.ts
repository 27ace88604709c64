/** `anuente audiences`: who is in, since when and why; what destinations were told; telling them again. */
import type { Command } from 'commander'
import { leftInWords } from '../core/audiences/lists.ts'
import type {
  AudienceLeft,
  AudienceMembers,
  AudienceOverlap,
  AudiencePreview,
  AudienceStay,
  AudienceSummary,
  AudienceSync,
} from '../schemas/audience.ts'
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
      const behind = await ask<AudienceLeft[]>('audiencesLeft', {}, options)
      if (behind.length > 0)
        await writeLine(
          cli.stdout,
          `\nPeople are on lists that no audience keeps any more. See: anuente audiences left`,
        )
    })
  const left = audiences
    .command('left')
    .description(
      'Lists at vendors with people on them that anuente.yaml no longer describes, and what becomes of them.',
    )
    .action(async (options: StandardOptions) => {
      const found = await ask<AudienceLeft[]>('audiencesLeft', {}, options)
      if (options.json) return writeJson(cli.stdout, found)
      if (found.length === 0) return writeLine(cli.stdout, 'Nobody is on a list that no audience keeps.')
      await writeLine(
        cli.stdout,
        found
          .map(leftInWords)
          .map(({ text, todo }) => (todo === undefined ? text : `${text}\n  ${todo}`))
          .join('\n'),
      )
    })
  const close = audiences
    .command('close')
    .argument('<audience>')
    .argument('<destination>', 'one that anuente.yaml no longer has')
    .requiredOption('--reason <text>', 'how the list was emptied, and by whom; it is kept')
    .description('Write down that a list the hub cannot reach was emptied by hand at the vendor.')
    .action(async (audience: string, destination: string, options: StandardOptions & { reason: string }) => {
      const { reason } = options
      const found = await ask<AudienceLeft[]>('audienceListClosed', { audience, destination, reason }, options)
      if (options.json) return writeJson(cli.stdout, found)
      await writeLine(cli.stdout, `Written down. Lists that are left: ${found.length}.`)
    })
  const overlap = audiences
    .command('overlap')
    .argument('<audience>')
    .description('How many members it shares with each other audience now.')
    .action(async (audience: string, options: StandardOptions) => {
      const found = await ask<AudienceOverlap[]>('audienceOverlap', { audience }, options)
      if (options.json) return writeJson(cli.stdout, found)
      await writeLine(
        cli.stdout,
        table([
          ['audience', 'size', 'both'],
          ...found.map((one) => [one.audience, String(one.size), String(one.both)]),
        ]),
      )
    })
  const preview = audiences
    .command('preview')
    .argument('<audience>', 'as anuente.yaml has it now, whether or not a hub was started with it')
    .description('How large it would be, from at most 200 people drawn evenly; nobody enters and nothing is sent.')
    .action(async (audience: string, options: StandardOptions) => {
      const loaded = await openConfig(options, cli)
      const { audiences: a = {}, computed = {}, scores = {} } = loaded.config
      const args = { audience, definitions: { audiences: a, computed, scores } }
      const found = (await runHubCommand(loaded, 'audiencePreview', args, cli)) as AudiencePreview
      if (options.json) return writeJson(cli.stdout, found)
      const { size, members, looked, people, destinations } = found
      await writeLine(
        cli.stdout,
        [
          `${audience}: about ${size.about} of ${people} people (${size.low} to ${size.high}); ${members} of the ${looked} looked at.`,
          ...destinations.map(
            (to) =>
              `${to.destination}: of those ${members}, ${to.told} would be sent, ${to.noConsent} without consent, ${to.notReachable} without address, ${to.heldOut} held out`,
          ),
        ].join('\n'),
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
    .option('--at <time>', 'who was in it then, ISO 8601')
    .description('The newest 100 members, by person id, with what each destination was told.')
    .action(async (audience: string, options: StandardOptions & { at?: string }) => {
      const args = { audience, ...(options.at !== undefined && { at: options.at }) }
      const found = await ask<AudienceMembers>('audienceMembers', args, options)
      if (options.json) return writeJson(cli.stdout, found)
      await writeLine(
        cli.stdout,
        table(
          found.items.map((one) => [
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
  standard(members, [
    'anuente audiences members bons_clientes',
    'anuente audiences members bons_clientes --at 2026-03-01T12:00:00Z',
  ])
  standard(overlap, ['anuente audiences overlap bons_clientes'])
  standard(preview, ['anuente audiences preview bons_clientes'])
  standard(left, ['anuente audiences left'])
  standard(close, ['anuente audiences close bons_clientes meta --reason "list deleted in the ad account by Rita"'])
  standard(explain, ['anuente audiences explain 01K…'])
  standard(sync, ['anuente audiences sync', 'anuente audiences sync --full --audience bons_clientes'])
}

const destinationWords = ({ destination, counts }: AudienceSummary['destinations'][number]): string => {
  const failed = counts.failed.reduce((sum, { count }) => sum + count, 0)
  const { noConsent, notReachable, heldOut } = counts.notToldWhy
  return `${destination}: ${counts.in} in, ${counts.pending} pending, ${counts.removing} leaving, ${failed} failed, ${counts.blocked} blocked, ${counts.notTold} not told (${noConsent} without consent, ${notReachable} without address, ${heldOut} held out)`
}
