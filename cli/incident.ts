/** `anuente incident`: the register of art. 48, its clocks, both letters. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Affected, Incident, Letters } from '../schemas/records.ts'
import { readTime, showDay } from './day.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, table, writeJson, writeLine } from './output.ts'

interface OpenOptions extends StandardOptions, AffectedOptions {
  readonly title: string
  readonly description: string
  readonly known: string
  readonly occurred?: string
  readonly data?: string[]
  readonly sensitive?: boolean
  readonly minors?: boolean
  readonly risks?: string
  readonly measuresBefore?: string
  readonly measuresAfter?: string
  readonly notTold?: string
}
interface AffectedOptions {
  readonly source?: string[]
  readonly destination?: string[]
  readonly purpose?: string[]
  readonly event?: string[]
  readonly from?: string
  readonly to?: string
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

export function addIncident(program: Command, cli: Cli): void {
  const incident = program
    .command('incident')
    .summary('register of security incidents: clocks, letters, whom it may have touched')
    .description(
      'The register of LGPD art. 48 and Res. CD/ANPD 15/2024: every incident is kept five years, told or not; three business days from knowledge to the authority and to the people, twenty to the supplement, doubled for small agents.',
    )
  const affectedOptions = (command: Command) =>
    command
      .option('--source <id>', 'people with kept events of this source; may be repeated', collect)
      .option('--destination <id>', 'people with deliveries to this destination; may be repeated', collect)
      .option('--purpose <id>', 'of this purpose; may be repeated', collect)
      .option('--event <name>', 'with this event; may be repeated', collect)
      .option('--from <time>', 'from this day or time')
      .option('--to <time>', 'until the end of this day, or this time')
  const open = affectedOptions(
    incident
      .command('open')
      .description('Register an incident. The clocks run from the time of knowledge.')
      .requiredOption('--title <text>', 'what it is called')
      .requiredOption('--description <text>', 'what happened')
      .requiredOption('--known <time>', 'when it became known that personal data was affected')
      .option('--occurred <time>', 'when it happened')
      .option('--data <category>', 'category of data affected; may be repeated', collect)
      .option('--sensitive', 'sensitive data is among it')
      .option('--no-sensitive', 'none of it is sensitive')
      .option('--minors', 'children or adolescents are among the people')
      .option('--no-minors', 'no children or adolescents')
      .option('--risks <text>', 'what it may mean for the people')
      .option('--measures-before <text>', 'what protected the data')
      .option('--measures-after <text>', 'what was done')
      .option('--not-told <reason>', 'need not be communicated; registered with the reason'),
  ).action((options: OpenOptions) => openIncident(options, cli))
  const clock = incident
    .command('clock')
    .argument('[id]', 'only this incident')
    .description('Deadlines. Exit code 3 when one is overdue.')
    .action((id: string | undefined, options: StandardOptions) => showClocks(id, options, cli))
  const list = incident
    .command('list')
    .description('All incidents of the register.')
    .action((options: StandardOptions) => showList(options, cli))
  const letters = incident
    .command('letters')
    .argument('<id>', 'id of the incident')
    .description('Draft both letters in pt-BR and name what they still need.')
    .option('--out <folder>', 'write them there')
    .action((id: string, options: StandardOptions & { out?: string }) => draftBoth(id, options, cli))
  const done = incident
    .command('done')
    .argument('<id>', 'id of the incident')
    .argument('<what>', 'authority, subjects, supplement or closed')
    .description('Say that the authority or the people were told, the supplement was sent, or the incident is closed.')
    .option('--at <time>', 'when (default: now)')
    .option('--note <text>', 'protocol number, channel')
    .action((id: string, what: string, options: StandardOptions & { at?: string; note?: string }) =>
      markDone(id, what, options, cli),
    )
  const affected = affectedOptions(
    incident.command('affected').description('Whom an incident may have touched, by pseudonym.'),
  ).action((options: StandardOptions & AffectedOptions) => showAffected(options, cli))

  standard(open, [
    'anuente incident open --title "Planilha exposta" --description "…" --known 2026-11-24T09:00 --source site --event "Order Completed"',
  ])
  standard(clock, ['anuente incident clock', 'anuente incident clock --json'])
  standard(list, ['anuente incident list'])
  standard(letters, ['anuente incident letters 01K… --out ./cartas'])
  standard(done, ['anuente incident done 01K… authority --note "protocolo 123"'])
  standard(affected, ['anuente incident affected --destination rdstation --from 2026-11-01'])
}

function affectedQuery(options: AffectedOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries({
      sources: options.source,
      destinations: options.destination,
      purposes: options.purpose,
      events: options.event,
      from: options.from === undefined ? undefined : readTime(options.from, '--from'),
      to: options.to === undefined ? undefined : readTime(options.to, '--to', 'end'),
    }).filter(([, value]) => value !== undefined),
  )
}

async function openIncident(options: OpenOptions, cli: Cli): Promise<void> {
  const affected = affectedQuery(options)
  const facts = Object.fromEntries(
    Object.entries({
      title: options.title,
      description: options.description,
      knownAt: readTime(options.known, '--known'),
      occurredAt: options.occurred === undefined ? undefined : readTime(options.occurred, '--occurred'),
      dataCategories: options.data,
      sensitive: options.sensitive,
      minors: options.minors,
      risks: options.risks,
      measuresBefore: options.measuresBefore,
      measuresAfter: options.measuresAfter,
      notifiable: options.notTold === undefined,
      whyNot: options.notTold,
      affected: Object.keys(affected).length > 0 ? affected : undefined,
    }).filter(([, value]) => value !== undefined),
  )
  const loaded = await openConfig(options, cli)
  const incident = (await runHubCommand(loaded, 'openIncident', facts, cli)) as Incident
  if (options.json) return writeJson(cli.stdout, incident)
  await writeLine(cli.stdout, `incident ${incident.id}`)
  if (incident.affectedPeople !== null)
    await writeLine(cli.stdout, `people it may have touched: ${incident.affectedPeople}`)
  await writeLine(cli.stdout, clockTable([incident], cli))
}

const incidentsOf = async (options: StandardOptions, cli: Cli) =>
  (await runHubCommand(await openConfig(options, cli), 'listIncidents', {}, cli)) as Incident[]

async function showClocks(id: string | undefined, options: StandardOptions, cli: Cli): Promise<void> {
  const found = (await incidentsOf(options, cli)).filter((incident) => id === undefined || incident.id === id)
  if (id !== undefined && found.length === 0) throw new CliError('NOT_FOUND', `no incident has the id ${id}`)
  if (found.some(({ clocks }) => clocks.some(({ overdue, done }) => overdue && done === null))) cli.exit(3)
  if (options.json)
    return writeJson(
      cli.stdout,
      found.map(({ id: of, clocks }) => ({ id: of, clocks })),
    )
  await writeLine(cli.stdout, found.length === 0 ? 'No incident is registered.' : clockTable(found, cli))
}

function clockTable(incidents: readonly Incident[], cli: Cli): string {
  const c = colors(cli)
  const rows = incidents.flatMap(({ id, facts, clocks }) =>
    clocks.map(({ what, due, daysLeft, overdue, done, ground }) => [
      id,
      facts.title,
      what,
      showDay(due),
      done !== null
        ? `${overdue ? c.red('late') : c.green('done')} ${showDay(done)}`
        : overdue
          ? c.red('OVERDUE')
          : `${daysLeft} business days left`,
      c.dim(ground),
    ]),
  )
  return rows.length === 0 ? 'No deadline runs.' : table(rows)
}

async function showList(options: StandardOptions, cli: Cli): Promise<void> {
  const found = await incidentsOf(options, cli)
  if (options.json) return writeJson(cli.stdout, found)
  await writeLine(
    cli.stdout,
    found.length === 0
      ? 'No incident is registered.'
      : table(
          found.map(({ id, state, facts, registeredAt, affectedPeople, keptUntil }) => [
            id,
            showDay(registeredAt),
            state,
            facts.title,
            affectedPeople === null ? '' : `${affectedPeople} people`,
            `kept until ${showDay(keptUntil).slice(0, 10)}`,
          ]),
        ),
  )
}

async function draftBoth(id: string, options: StandardOptions & { out?: string }, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const letters = (await runHubCommand(loaded, 'incidentLetters', { id }, cli)) as Letters
  if (options.out !== undefined) {
    mkdirSync(options.out, { recursive: true })
    for (const { name, text } of letters.items) writeFileSync(join(options.out, name), text)
  }
  if (options.json) return writeJson(cli.stdout, letters)
  for (const { name, text } of letters.items)
    await writeLine(cli.stdout, options.out === undefined ? `${text}\n` : join(options.out, name))
  for (const what of letters.missing) await writeLine(cli.stderr, `falta: ${what}`)
}

async function markDone(
  id: string,
  what: string,
  options: StandardOptions & { at?: string; note?: string },
  cli: Cli,
): Promise<void> {
  const loaded = await openConfig(options, cli)
  const incident = (await runHubCommand(
    loaded,
    'updateIncident',
    {
      id,
      done: {
        what,
        ...(options.at !== undefined && { at: readTime(options.at, '--at') }),
        ...(options.note !== undefined && { note: options.note }),
      },
    },
    cli,
  )) as Incident
  if (options.json) return writeJson(cli.stdout, incident)
  await writeLine(cli.stdout, clockTable([incident], cli))
}

async function showAffected(options: StandardOptions & AffectedOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const found = (await runHubCommand(loaded, 'findAffected', affectedQuery(options), cli)) as Affected
  if (options.json) return writeJson(cli.stdout, found)
  await writeLine(cli.stdout, `${found.people} people, ${found.events} events, ${found.deliveries} deliveries`)
  for (const subject of found.subjects) await writeLine(cli.stdout, subject)
  if (found.truncated) await writeLine(cli.stderr, 'Only the first 1000 are named.')
}
