/** `anuente requests …`: requests of data subjects and of the authority, from arrival to answer. Exit code 3: something is overdue. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'
import {
  ASSURANCES,
  REFUSAL_GROUNDS,
  REQUEST_CHANNELS,
  type RequestImported,
  type RequestOpened,
  type RequestPlan,
  RIGHTS,
} from '../schemas/requests.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'
import { type ListOptions, listRequests, renderPlan, showRequest } from './requests-shown.ts'

const many = (value: string, before: string[] = []): string[] => [...before, value]

interface OpenOptions extends StandardOptions {
  readonly right?: string
  readonly channel: string
  readonly received: string
  readonly email?: string
  readonly phone?: string
  readonly cpf?: string
  readonly userId?: string
  readonly name?: string
  readonly contact?: string
  readonly text?: string
  readonly english?: boolean
  readonly assurance?: string
  readonly check?: string
  readonly reference?: string
  readonly representative?: string
  readonly representativeKind?: string
  readonly representativeProof?: string
  readonly purpose?: string[]
  readonly event?: string[]
  readonly set?: string[]
  readonly action?: string
  readonly from?: string
  readonly to?: string
  readonly due?: string
  readonly authority?: boolean
  readonly decision?: string
}

export function addRequests(program: Command, cli: Cli): void {
  const requests = program
    .command('requests')
    .summary('requests of data subjects (LGPD art. 18 to 20) and of the authority')
    .description(
      'Enters, plans, carries out and answers requests. The clock starts on the day of arrival, whoever enters it and whenever. Ends with exit code 3 when something is overdue.',
    )

  standard(
    requests
      .command('open')
      .description('Enter a request that came by letter, e-mail, telephone, in person or from the authority.')
      .option('--right <right>', `one of: ${RIGHTS.join(', ')}`)
      .requiredOption('--channel <channel>', `one of: ${REQUEST_CHANNELS.join(', ')}`)
      .requiredOption('--received <day>', 'day of arrival, e.g. 2026-11-24: its clock starts then')
      .option('--email <address>', 'of the person')
      .option('--phone <number>', 'of the person')
      .option('--cpf <number>', 'of the person')
      .option('--user-id <id>', 'of the person')
      .option('--name <name>', 'as written in the request')
      .option('--contact <address>', 'where the answer goes')
      .option('--text <text>', 'what the person wrote')
      .option('--english', 'answer in English')
      .option('--assurance <level>', `identity: ${ASSURANCES.join(', ')}`, 'claimed')
      .option('--check <how>', 'how the identity was checked')
      .option('--reference <number>', 'of the letter or ticket: entered twice it is one request')
      .option('--representative <name>', 'who acts for the person')
      .option('--representative-kind <kind>', 'guardian, lawyer, proxy or other', 'other')
      .option('--representative-proof <document>', 'what shows the power to act')
      .option('--purpose <id>', 'only data of this purpose (repeatable)', many)
      .option('--event <name>', 'only events of this name (repeatable)', many)
      .option('--set <field=value>', 'correction: the right value (repeatable)', many)
      .option('--action <what>', 'restriction: erase, block or anonymise')
      .option('--decision <id>', 'review: the delivery or decision')
      .option('--from <day>', 'scope in time')
      .option('--to <day>', 'scope in time')
      .option('--authority', 'an inquiry of the ANPD')
      .option('--due <day>', 'the day the authority set')
      .action((options: OpenOptions) => open(cli, options)),
    [
      'anuente requests open --right erasure --channel letter --received 2026-11-20 --email ana@example.com --assurance document --check "RG no balcão"',
      'anuente requests open --right correction --channel email --received 2026-11-24 --email ana@example.com --set name="Ana Certa"',
      'anuente requests open --authority --channel authority --received 2026-11-24 --due 2026-12-05 --reference ANPD-123 --from 2026-01-01 --to 2026-07-01',
    ],
  )

  standard(
    requests
      .command('import')
      .argument('<file>', 'CSV; columns: direito, canal, chegada, email, nome, contato, referencia, identidade, …')
      .description('Enter many requests, one per row. Rows with mistakes are told and leave the others alone.')
      .option('--dry-run', 'tell what it would do, enter nothing')
      .action((file: string, options: StandardOptions & { dryRun?: boolean }) => importFile(cli, file, options)),
    ['anuente requests import pedidos.csv --dry-run', 'anuente requests import pedidos.csv --json'],
  )

  standard(
    requests
      .command('list')
      .description('Requests with their clocks. People by pseudonym.')
      .option('--state <state>', 'a state, or open, or closed', 'open')
      .option('--right <right>', 'only this right')
      .option('--overdue', 'only what is late')
      .option('--group <id>', 'only one group of like requests; the list names them')
      .action((options: ListOptions) => listRequests(cli, options)),
    [
      'anuente requests list',
      'anuente requests list --overdue || echo "late"',
      'anuente requests list --state closed --json',
    ],
  )

  standard(
    requests
      .command('show')
      .argument('<id>')
      .description('One request: clocks, plan, recipients with receipts, files, every step.')
      .option('--reveal', 'show whom it is about; the look is logged with the request as its reason')
      .option('--save <folder>', 'write the files of the answer there')
      .action((id: string, options: StandardOptions & { reveal?: boolean; save?: string }) =>
        showRequest(cli, id, options),
      ),
    ['anuente requests show 01K8V3M4ZQ8Q6T1XJ2N5RZ0W7B', 'anuente requests show <id> --save ./resposta'],
  )

  standard(
    requests
      .command('identify')
      .argument('<id>')
      .requiredOption('--assurance <level>', `one of: ${ASSURANCES.join(', ')}`)
      .requiredOption('--check <how>', 'how the identity was checked')
      .description('Record how the identity was proven.')
      .action((id: string, options: StandardOptions & { assurance: string; check: string }) =>
        act(cli, options, 'identifyRequest', { id, assurance: options.assurance, check: options.check }),
      ),
    ['anuente requests identify <id> --assurance document --check "procuração conferida"'],
  )

  standard(
    requests
      .command('ask-identity')
      .argument('<id>')
      .requiredOption('--missing <text>', 'what the person is asked for; mailed to the contact of the request')
      .description('Ask the person to prove who they are. The clock of the law goes on.')
      .action((id: string, options: StandardOptions & { missing: string }) =>
        act(cli, options, 'askRequestIdentity', { id, missing: options.missing }),
      ),
    ['anuente requests ask-identity <id> --missing "confirme pelo portal, ou envie a procuração"'],
  )

  standard(
    requests
      .command('run')
      .argument('<id>')
      .description(
        'Carry a request out. Shows the plan first; erasure and what else needs approval is carried out only with the hash of that plan.',
      )
      .option('--dry-run', 'plan, change nothing')
      .option('--approve <hash>', 'hash of the plan that is approved')
      .option('--also <destination>', 'ask this destination too (repeatable)', many)
      .action((id: string, options: StandardOptions & { dryRun?: boolean; approve?: string; also?: string[] }) =>
        run(cli, id, options),
      ),
    ['anuente requests run <id> --dry-run', 'anuente requests run <id> --approve <hash of the plan>'],
  )

  standard(
    requests
      .command('task')
      .argument('<id>')
      .argument('<recipient>')
      .requiredOption('--operation <operation>', 'delete, export or correct')
      .requiredOption('--note <text>', 'what was done')
      .option('--status <status>', 'done, impossible or retry', 'done')
      .option('--evidence <file>', 'the proof; kept sealed with the request')
      .description('What was done by hand at a recipient or in a system that is not connected.')
      .action(
        (
          id: string,
          recipient: string,
          options: StandardOptions & { operation: string; note: string; status: string; evidence?: string },
        ) =>
          act(cli, options, 'settleRequestRecipient', {
            id,
            recipient,
            operation: options.operation,
            status: options.status,
            answer: options.note,
            ...(options.evidence !== undefined && {
              file: {
                name: basename(options.evidence),
                mediaType: 'application/octet-stream',
                base64: readInput(options.evidence).toString('base64'),
              },
            }),
          }),
      ),
    ['anuente requests task <id> ERP --operation delete --note "apagado por TI" --evidence recibo.pdf'],
  )

  standard(
    requests
      .command('answer')
      .argument('<id>')
      .description('Answer in words: to the authority, a review, or that nothing is held, which is checked.')
      .option('--text <text>', 'the answer')
      .option('--nothing-held', 'there are no data of this person')
      .option('--outcome <outcome>', 'review: upheld or changed')
      .option('--reviewer <name>', 'review: who decided again')
      .option('--rule-author <name>', 'review: who wrote the rule; must be somebody else (our own demand)')
      .action(
        (
          id: string,
          options: StandardOptions & {
            text?: string
            nothingHeld?: boolean
            outcome?: string
            reviewer?: string
            ruleAuthor?: string
          },
        ) =>
          act(cli, options, 'answerRequest', {
            id,
            ...(options.text !== undefined && { text: options.text }),
            ...(options.nothingHeld && { nothingHeld: true }),
            ...(options.outcome !== undefined && {
              review: {
                outcome: options.outcome,
                reviewer: options.reviewer ?? '',
                ruleAuthor: options.ruleAuthor ?? '',
              },
            }),
          }),
      ),
    [
      'anuente requests answer <id> --nothing-held',
      'anuente requests answer <id> --text "Pacote de auditoria entregue."',
    ],
  )

  standard(
    requests
      .command('refuse')
      .argument('<id>')
      .requiredOption('--ground <ground>', `one of: ${REFUSAL_GROUNDS.join(', ')}`)
      .requiredOption('--text <text>', 'reasons of fact or of law (art. 18 §4)')
      .option('--agent <name>', 'not_agent: who is, where known')
      .description('Refuse, with the ground of the statute and its reasons.')
      .action((id: string, options: StandardOptions & { ground: string; text: string; agent?: string }) =>
        act(cli, options, 'refuseRequest', {
          id,
          ground: options.ground,
          text: options.text,
          ...(options.agent !== undefined && { agent: options.agent }),
        }),
      ),
    [
      'anuente requests refuse <id> --ground not_agent --text "Os dados são da transportadora." --agent "Transportes SA"',
    ],
  )

  standard(
    requests
      .command('pause')
      .argument('<id>')
      .option('--reason <text>', 'why it waits; without one the wait ends')
      .description('Write a wait down. Moves own promises; deadlines of the statute go on.')
      .action((id: string, options: StandardOptions & { reason?: string }) =>
        act(cli, options, 'pauseRequest', { id, ...(options.reason !== undefined && { reason: options.reason }) }),
      ),
    ['anuente requests pause <id> --reason "aguarda documento"', 'anuente requests pause <id>'],
  )

  standard(
    requests
      .command('withdraw')
      .argument('<id>')
      .description('The person took the request back.')
      .action((id: string, options: StandardOptions) => act(cli, options, 'withdrawRequest', { id })),
    ['anuente requests withdraw <id>'],
  )
}

async function open(cli: Cli, options: OpenOptions): Promise<void> {
  const loaded = await openConfig(options, cli)
  const identifiers = (
    [
      ['email', options.email],
      ['phone', options.phone],
      ['cpf', options.cpf],
      ['userId', options.userId],
    ] as const
  ).flatMap(([type, value]) => (value === undefined ? [] : [{ type, value }]))
  const corrections = Object.fromEntries(
    (options.set ?? []).map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new CliError('INVALID', `--set ${pair.slice(0, 20)}: write field=value`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
  const { right, name, contact, text, check, reference } = options
  const given = Object.fromEntries(
    Object.entries({ right, name, contact, text, identityCheck: check, reference, dueAt: options.due }).filter(
      ([, value]) => value !== undefined,
    ),
  )
  const scope = Object.fromEntries(
    Object.entries({
      purposes: options.purpose,
      events: options.event,
      from: options.from,
      to: options.to,
      restriction: options.action,
      decision: options.decision,
      corrections: Object.keys(corrections).length > 0 ? corrections : undefined,
    }).filter(([, value]) => value !== undefined),
  )
  const opened = (await runHubCommand(
    loaded,
    'openRequest',
    {
      kind: options.authority ? 'authority' : 'subject',
      channel: options.channel,
      receivedAt: options.received,
      identifiers,
      language: options.english ? 'en' : 'pt',
      assurance: options.assurance,
      scope,
      ...given,
      ...(options.representative !== undefined && {
        representative: {
          name: options.representative,
          kind: options.representativeKind,
          proof: options.representativeProof ?? '',
        },
      }),
    },
    cli,
  )) as RequestOpened
  if (options.json) return writeJson(cli.stdout, opened)
  await writeLine(cli.stdout, opened.id)
  if (opened.repeated) await writeLine(cli.stderr, 'It was there already; nothing was entered twice.')
  if (opened.duplicateOf)
    await writeLine(cli.stderr, `The same person has asked for this before: ${opened.duplicateOf}`)
}

async function importFile(cli: Cli, file: string, options: StandardOptions & { dryRun?: boolean }): Promise<void> {
  const loaded = await openConfig(options, cli)
  const csv = readInput(file).toString('utf8')
  const result = (await runHubCommand(
    loaded,
    'importRequests',
    { csv, dryRun: options.dryRun ?? false },
    cli,
  )) as RequestImported
  if (result.errors.length > 0) cli.exit(1)
  if (options.json) return writeJson(cli.stdout, result)
  await writeLine(
    cli.stdout,
    table([
      ['entered', String(result.opened)],
      ['there already', String(result.repeated)],
      ['duplicates', String(result.duplicates)],
      ['wrong', String(result.errors.length)],
    ]),
  )
  for (const { row, column, message } of result.errors)
    await writeLine(cli.stderr, `row ${row}${column ? `, ${column}` : ''}: ${message}`)
  if (options.dryRun) await writeLine(cli.stderr, 'Nothing was entered: run it again without --dry-run.')
}

async function run(
  cli: Cli,
  id: string,
  options: StandardOptions & { dryRun?: boolean; approve?: string; also?: string[] },
): Promise<void> {
  const loaded = await openConfig(options, cli)
  if (options.dryRun || options.approve === undefined) {
    const plan = (await runHubCommand(loaded, 'planRequest', { id, also: options.also ?? [] }, cli)) as RequestPlan
    if (options.dryRun) {
      if (options.json) return writeJson(cli.stdout, plan)
      return writeLine(cli.stdout, renderPlan(plan))
    }
  }
  try {
    const value = await runHubCommand(
      loaded,
      'executeRequest',
      { id, also: options.also ?? [], ...(options.approve !== undefined && { planHash: options.approve }) },
      cli,
    )
    if (options.json) return writeJson(cli.stdout, value)
    await writeLine(cli.stdout, (value as { state: string }).state)
  } catch (error) {
    if (error instanceof CliError && (error.code === 'NOT_APPROVED' || error.code === 'PLAN_CHANGED'))
      throw new CliError(error.code, `${error.message} See it with: anuente requests run ${id} --dry-run`)
    throw error
  }
}

async function act(cli: Cli, options: StandardOptions, name: string, args: Record<string, unknown>): Promise<void> {
  const loaded = await openConfig(options, cli)
  const value = await runHubCommand(loaded, name, args, cli)
  if (options.json) return writeJson(cli.stdout, value)
  await writeLine(cli.stderr, 'Done.')
}

function readInput(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CliError('NO_FILE', `${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
