/** `anuente consent`: a person's answers now or at a moment, why something may be used, and answers out of a file. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import type { RowAnswer, RowVerdict } from '../core/answers/import.ts'
import type { LoadedConfig } from '../core/config.ts'
import { InputError } from '../core/kit/errors.ts'
import { isLoose } from '../core/kit/json-body.ts'
import { readTable } from '../core/kit/table.ts'
import { EVIDENCE_METHODS, type Notice } from '../schemas/consent.ts'
import type { Identifier, IdentifierType } from '../schemas/event.ts'
import { IDENTIFIER_TYPES } from '../schemas/event.ts'
import { runHubCommand } from './hub-command.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, NO_PROGRESS, progress, table, writeJson, writeLine } from './output.ts'

/** Rows handed to the hub at once: its local socket takes 1 MB. */
const PART = 200
const MAX_FILE_BYTES = 200 * 1024 * 1024

interface ShowOptions extends StandardOptions {
  readonly asOf?: string
}
interface WhyOptions extends ShowOptions {
  readonly purpose?: string
  readonly destination?: string
}
interface ImportOptions extends StandardOptions {
  readonly dryRun?: boolean
  readonly notice?: string
  readonly purpose?: string
  readonly method?: string
}

export function addConsent(program: Command, cli: Cli): void {
  const consent = program
    .command('consent')
    .summary("a person's consent: show it, explain it, import it")
    .description('Consent of one person or device, from the state and the ledger.')

  const show = consent
    .command('show')
    .argument('<subject>', 'e-mail, phone (+55…), userId, or type:value such as anonymousId:3f1c')
    .description('Tells the status of every purpose, now or as of a date, with the ledger entry it rests on.')
    .option('--as-of <time>', 'as it stood then: 2026-11-24 or 2026-11-24T10:00-03:00')
    .action((subject: string, options: ShowOptions) => showSubject(subject, options, cli))
  standard(show, [
    'anuente consent show ana@example.com',
    'anuente consent show userId:u-17 --as-of 2026-05-01',
    'anuente consent show +5511999998888 --json | jq \'select(.status=="granted")\'',
  ])

  const why = consent
    .command('why')
    .argument('<subject>', 'e-mail, phone (+55…), userId, or type:value')
    .description('Asks every gate about one purpose, and tells what each answers, with the article of the law.')
    .requiredOption('--purpose <id>', 'the purpose')
    .option('--destination <id>', 'also whether it may be shared with and transferred to this destination')
    .option('--as-of <time>', 'as it stood then')
    .action((subject: string, options: WhyOptions) => explainSubject(subject, options, cli))
  standard(why, [
    'anuente consent why ana@example.com --purpose email_marketing',
    'anuente consent why userId:u-17 --purpose ads_measurement --destination meta --json',
  ])

  const imported = consent
    .command('import')
    .argument('<file>', 'CSV with a header, a JSON list, or NDJSON')
    .description(
      'Reads answers given elsewhere. Columns: email, phone, user_id, cpf, anonymous_id; purpose; action (grant, deny, revoke, object; sim, não); occurred_at; method; notice_id, notice_version; flags. Evidence without a notice, or flagged, is recorded and never counts. Each row is kept as evidence, sealed.',
    )
    .option('--dry-run', 'tell what each row would change; change nothing')
    .option('--notice <id:version>', 'the notice all rows rest on, unless a row names its own')
    .option('--purpose <id>', 'the purpose of rows that name none')
    .option('--method <method>', `how the answers were given: ${EVIDENCE_METHODS.join(', ')}`)
    .action((file: string, options: ImportOptions) => importFile(file, options, cli))
  standard(imported, [
    'anuente consent import newsletter.csv --notice cadastro:2 --purpose email_marketing --method checkbox --dry-run',
    'anuente consent import paper.ndjson --json | jq \'select(.verdict=="error")\'',
  ])
}

// ---------------------------------------------------------------- show and why

async function showSubject(subject: string, options: ShowOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  await reading(loaded, cli, async ({ ports, status }) => {
    const asOf = readTime(options.asOf, '--as-of')
    const found = await status.findSubject([identifierOf(subject)], Date.now(), ports)
    if (found.people.length === 0) throw new CliError('NOT_FOUND', 'the hub knows nobody by this identifier.')
    const then = asOf === undefined ? undefined : await status.statusAsOf(found, ports.purposes.all, asOf, ports)
    const at = asOf ?? new Date().toISOString()
    const answers = ports.purposes.all.map((purpose) =>
      status.answerOf(purpose, then ? then.get(purpose.id) : status.statusOf(found, purpose), at),
    )
    if (options.json) {
      for (const answer of answers) await writeJson(cli.stdout, { ...answer, asOf: at })
      return
    }
    const c = colors(cli)
    const paint = (text: string) =>
      text === 'granted' ? c.green(text) : text === 'unknown' ? c.dim(text) : c.yellow(text)
    await writeLine(
      cli.stdout,
      table([
        ['purpose', 'status', 'since', 'notice', 'ledger entry'].map((text) => c.dim(text)),
        ...answers.map((one) => [
          one.purpose,
          paint(one.status),
          one.since ?? '',
          one.notice ? `${one.notice.id} v${one.notice.version}` : '',
          one.entryId ?? '',
        ]),
      ]),
    )
    if (asOf) await writeLine(cli.stderr, `As of ${asOf}, from what the hub had received by then.`)
  })
}

async function explainSubject(subject: string, options: WhyOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  await reading(loaded, cli, async ({ ports, status, why }) => {
    const purpose = ports.purposes.get(options.purpose ?? '')
    if (!purpose)
      throw new CliError(
        'INVALID',
        `no purpose is called ${options.purpose}; there are ${ports.purposes.all.map(({ id }) => id).join(', ')}.`,
      )
    if (options.destination !== undefined && !ports.purposes.destinations.has(options.destination))
      throw new CliError(
        'INVALID',
        `no destination is called ${options.destination}; there are ${[...ports.purposes.destinations.keys()].join(', ')}.`,
      )
    const asOf = readTime(options.asOf, '--as-of')
    const found = await status.findSubject([identifierOf(subject)], Date.now(), ports)
    const then = asOf === undefined ? undefined : await status.statusAsOf(found, ports.purposes.all, asOf, ports)
    const answer = why(purpose, (one) => (then ? then.get(one.id) : status.statusOf(found, one)), {
      purposes: ports.purposes,
      people: found.people,
      destinationId: options.destination,
      asOf: asOf ?? new Date().toISOString(),
    })
    if (options.json) return writeJson(cli.stdout, answer)
    const c = colors(cli)
    await writeLine(
      cli.stdout,
      `${answer.purpose} rests on ${answer.basis}; it is ${answer.status}${answer.since ? ` since ${answer.since}` : ''}${answer.entryId ? ` (ledger entry ${answer.entryId})` : ''}.`,
    )
    await writeLine(
      cli.stdout,
      table(
        answer.stages.map(({ stage, effect, reasons }) => [
          `  ${stage}`,
          effect === 'allow' ? c.green(effect) : effect === 'deny' ? c.red(effect) : c.yellow(effect),
          reasons.map(({ code, art }) => `${code} (${/^\d/.test(art) ? `LGPD art. ${art}` : art})`).join(', '),
        ]),
      ),
    )
  })
}

/** Reads beside a running hub; changes nothing. */
async function reading(
  loaded: LoadedConfig,
  cli: Cli,
  work: (tools: {
    ports: import('../core/answers/status.ts').StatusPorts
    status: Pick<typeof import('../core/answers/status.ts'), 'answerOf' | 'findSubject' | 'statusAsOf' | 'statusOf'>
    why: typeof import('../core/answers/why.ts').why
  }) => Promise<void>,
): Promise<void> {
  const [{ answerOf, findSubject, statusAsOf, statusOf }, { why }, { createKeys, loadMasterKey }, { loadPurposes }] =
    await Promise.all([
      import('../core/answers/status.ts'),
      import('../core/answers/why.ts'),
      import('../core/keys.ts'),
      import('../consent/purposes.ts'),
    ])
  const state = await openToRead(loaded)
  try {
    await work({
      status: { answerOf, findSubject, statusAsOf, statusOf },
      why,
      ports: {
        state,
        keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
        purposes: loadPurposes(loaded.config),
      },
    })
  } finally {
    await state.close()
  }
}

/** @throws CliError for what names nobody. */
function identifierOf(subject: string): Identifier {
  const typed = /^([A-Za-z_]+):(.+)$/s.exec(subject)
  const named = typed && (IDENTIFIER_TYPES as readonly string[]).includes(typed[1]!) ? typed : undefined
  const type: IdentifierType = named
    ? (named[1] as IdentifierType)
    : subject.includes('@')
      ? 'email'
      : /^\+\d{8,15}$/.test(subject)
        ? 'phone'
        : 'userId'
  const value = (named?.[2] ?? subject).trim()
  if (value === '') throw new CliError('INVALID', 'say whom: an e-mail, a phone number, a userId or type:value.')
  return { type, value: type === 'email' ? value.toLowerCase() : value }
}

function readTime(text: string | undefined, option: string): string | undefined {
  if (text === undefined) return undefined
  // A day alone means its end, in the time of the people it is about.
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999-03:00` : text
  if (Number.isNaN(Date.parse(time)))
    throw new CliError('INVALID', `${option} ${text} is no time. Write 2026-11-24 or 2026-11-24T10:00-03:00.`)
  return new Date(time).toISOString()
}

// ---------------------------------------------------------------- import

async function importFile(path: string, options: ImportOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const notice = readNotice(options.notice)
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new CliError('NOT_FOUND', `${path} cannot be read (${error.code}).`)
  })
  if (bytes.length > MAX_FILE_BYTES) throw new CliError('TOO_LARGE', `${path} is larger than 200 MB: split it.`)
  const rows = readRows(bytes, path)
  const given = {
    file: basename(path),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    dryRun: options.dryRun ?? false,
    ...(notice && { notice }),
    ...(options.purpose !== undefined && { purpose: options.purpose }),
    ...(options.method !== undefined && { method: options.method }),
  }
  const counts = new Map<RowVerdict, number>()
  const errors: RowAnswer[] = []
  const streams = options.json && cli.stdout.isTTY
  const bar = streams ? NO_PROGRESS : progress(cli, options.dryRun ? 'checking' : 'importing', rows.length)
  for (let first = 0; first < rows.length; first += PART) {
    const part = rows.slice(first, first + PART)
    const answer = (await runHubCommand(
      loaded,
      'importConsent',
      { ...given, rows: part, firstRow: first + 1 },
      cli,
    )) as {
      rows: RowAnswer[]
    }
    for (const row of answer.rows) {
      counts.set(row.verdict, (counts.get(row.verdict) ?? 0) + 1)
      if (row.verdict === 'error') errors.push(row)
      if (options.json) await writeJson(cli.stdout, row)
    }
    bar.add(part.length)
  }
  bar.end()
  if (errors.length > 0) cli.exit(1)
  if (options.json) return
  const words: Readonly<Record<RowVerdict, string>> = {
    grants: 'grant a purpose',
    withdraws: 'take a purpose back',
    no_change: 'say what is known already',
    recorded: 'recorded only: the evidence does not count',
    outweighed: 'change nothing: what the person said since is stronger',
    error: 'cannot be read',
  }
  await writeLine(
    cli.stdout,
    table(
      (Object.keys(words) as RowVerdict[]).flatMap((verdict) => {
        const count = counts.get(verdict)
        return count ? [[String(count), words[verdict]]] : []
      }),
    ),
  )
  for (const { row, message, path: at } of errors.slice(0, 20))
    await writeLine(cli.stderr, `row ${row} ${at}: ${message}`)
  if (errors.length > 20) await writeLine(cli.stderr, `… and ${errors.length - 20} more; --json tells all of them.`)
  if (options.dryRun) await writeLine(cli.stderr, 'Nothing was changed: run it again without --dry-run.')
}

function readNotice(text: string | undefined): Notice | undefined {
  if (text === undefined) return undefined
  const match = /^([^:]+):(\d+)(?::(\d{4}-\d{2}-\d{2}))?$/.exec(text)
  if (!match) throw new CliError('INVALID', `--notice ${text} must be id:version, such as cadastro:2.`)
  return { id: match[1]!, version: Number(match[2]), ...(match[3] && { since: match[3] }) }
}

function readRows(bytes: Buffer, path: string): readonly Record<string, unknown>[] {
  let rows: unknown[]
  try {
    rows = readTable(bytes).rows
  } catch (error) {
    throw error instanceof InputError ? new CliError(error.code, `${path}: ${error.message}`) : error
  }
  if (!rows.every(isLoose))
    throw new CliError(
      'INVALID',
      `${path}: row ${rows.findIndex((row) => !isLoose(row)) + 1} is no object, or has more or fewer cells than columns.`,
    )
  return rows
}
