/** `anuente identity`: who is who, by what evidence, and taking people apart who were joined by mistake. */
import type { Command } from 'commander'
import type { IdentifierBlocked, PersonIdentity, Unmerged } from '../schemas/identity.ts'
import { showDay } from './day.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

interface UnmergeOptions extends StandardOptions {
  readonly edge: string[]
  readonly reason?: string
  readonly dryRun?: boolean
}
interface BlockOptions extends StandardOptions {
  readonly reason: string
  readonly lift?: boolean
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

export function addIdentity(program: Command, cli: Cli): void {
  const identity = program
    .command('identity')
    .summary('who is who: identifiers, evidence, merges, unmerge')
    .description(
      'A person is a set of identifiers joined by evidence. People are named by person id, also an old one, or by ledger subject; identifiers are never printed.',
    )
  const show = identity
    .command('show')
    .argument('<person>', 'person id or ledger subject')
    .description('Identifiers, evidence, merges and acts of one person.')
    .action((person: string, options: StandardOptions) => read(person, options, cli, ['nodes', 'edges', 'merges']))
  const edges = identity
    .command('edges')
    .argument('<person>', 'person id or ledger subject')
    .description('Evidence that joins the identifiers, and evidence that was refused, with the reason.')
    .action((person: string, options: StandardOptions) => read(person, options, cli, ['edges']))
  const merges = identity
    .command('merges')
    .argument('<person>', 'person id or ledger subject')
    .description('How the person came together, with what was taken back since.')
    .action((person: string, options: StandardOptions) => read(person, options, cli, ['merges']))
  const unmerge = identity
    .command('unmerge')
    .requiredOption('--edge <a:b>', 'evidence taken back, as its two nodes; may be repeated', collect)
    .option('--reason <text>', 'why; kept in the log; demanded unless --dry-run')
    .option('--dry-run', 'only say what would happen')
    .description(
      'Take evidence back. Each side keeps what belongs to its identifiers; the same evidence does not join them again.',
    )
    .action((options: UnmergeOptions) => takeApart(options, cli))
  const block = identity
    .command('block')
    .argument('<type>', 'userId, cpf, email, phone, rdstation_uuid, anonymousId, ga_client_id or device_id')
    .argument('<value>', 'the value that joins nobody')
    .requiredOption('--reason <text>', 'why; kept in the log')
    .option('--lift', 'take the block back')
    .description('A value that joins nobody from now on. Nobody is taken apart by it.')
    .action((type: string, value: string, options: BlockOptions) => blockValue(type, value, options, cli))
  standard(show, ['anuente identity show 01K…', 'anuente identity show s_3f… --json'])
  standard(edges, ['anuente identity edges 01K…'])
  standard(merges, ['anuente identity merges 01K…'])
  standard(unmerge, [
    'anuente identity unmerge --edge 01K…:01K… --dry-run',
    'anuente identity unmerge --edge 01K…:01K… --reason "two sisters with one phone"',
  ])
  standard(block, ['anuente identity block phone "+55 11 3333-4444" --reason "number of the shop itself"'])
}

async function read(
  person: string,
  options: StandardOptions,
  cli: Cli,
  parts: readonly ('nodes' | 'edges' | 'merges')[],
): Promise<void> {
  const found = (await runHubCommand(await openConfig(options, cli), 'showIdentity', { person }, cli)) as PersonIdentity
  if (options.json) {
    if (parts.length > 1) await writeJson(cli.stdout, found)
    else for (const row of found[parts[0]!]) await writeJson(cli.stdout, row)
    return
  }
  await writeLine(
    cli.stdout,
    `person ${found.personId}${found.olderIds.length > 0 ? `, before: ${found.olderIds.join(' ')}` : ''}`,
  )
  if (parts.includes('nodes'))
    await writeLine(
      cli.stdout,
      table([
        ['node', 'type', 'since', 'events', 'apart from'],
        ...found.nodes.map(({ id, type, foundedAt, events, apart }) => [
          id,
          type,
          showDay(foundedAt),
          String(events),
          apart.join(' '),
        ]),
      ]),
    )
  if (parts.includes('edges'))
    await writeLine(
      cli.stdout,
      table([
        ['edge', 'evidence', 'event', 'source', 'at', 'refused'],
        ...found.edges.map(({ a, b, strength, event, source, at, refused }) => [
          `${a}:${b}`,
          strength,
          event,
          source,
          showDay(at),
          refused ?? '',
        ]),
      ]),
    )
  if (parts.includes('merges'))
    await writeLine(
      cli.stdout,
      table([
        ['merged', 'into', 'by edge', 'at', 'taken back'],
        ...found.merges.map(({ from, into, a, b, at, undoneAt }) => [
          from,
          into,
          a && b ? `${a}:${b}` : '',
          showDay(at),
          undoneAt === null ? '' : showDay(undoneAt),
        ]),
      ]),
    )
}

async function takeApart(options: UnmergeOptions, cli: Cli): Promise<void> {
  const edges = options.edge.map((given) => {
    const [a, b, more] = given.split(':')
    if (!a || !b || more !== undefined)
      throw new CliError(
        'INVALID',
        `--edge ${given} is no edge. Write its two nodes with a colon between, as "anuente identity edges" prints them.`,
      )
    return { a, b }
  })
  const args = {
    edges,
    ...(options.reason !== undefined && { reason: options.reason }),
    dryRun: options.dryRun === true,
  }
  const result = (await runHubCommand(await openConfig(options, cli), 'unmergeIdentity', args, cli)) as Unmerged
  if (options.json) return writeJson(cli.stdout, result)
  await writeLine(cli.stdout, result.dryRun ? 'Nothing was changed. It would be:' : `Done, act ${result.act}.`)
  for (const side of result.sides) {
    await writeLine(
      cli.stdout,
      `person ${side.personId}: ${side.nodes.length} identifiers, ${side.events} events, ${side.orders} orders, ${side.deliveries} waiting deliveries${side.restored ? ', as before the merge' : ''}`,
    )
    for (const { purpose, before, after } of side.statuses)
      await writeLine(cli.stdout, `  ${purpose}: ${before} -> ${after}`)
  }
}

async function blockValue(type: string, value: string, options: BlockOptions, cli: Cli): Promise<void> {
  const args = { type, value, reason: options.reason, lift: options.lift === true }
  const result = (await runHubCommand(
    await openConfig(options, cli),
    'blockIdentifier',
    args,
    cli,
  )) as IdentifierBlocked
  if (options.json) return writeJson(cli.stdout, result)
  await writeLine(
    cli.stdout,
    `${result.blocked ? 'Joins nobody from now on.' : 'May join again.'}${result.personId === null ? '' : ` Person ${result.personId} has it, with ${result.identifiers} identifiers.`}`,
  )
}
