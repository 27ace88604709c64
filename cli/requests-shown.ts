/** Requests as a terminal shows them. */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { LoadedConfig } from '../core/config.ts'
import type {
  RequestContent,
  RequestDetail,
  RequestGroupKind,
  RequestPage,
  RequestPlan,
  RequestSummary,
  RIGHTS,
} from '../schemas/requests.ts'
import { runHubCommand } from './hub-command.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions } from './options.ts'
import { type Cli, colors, table, writeJson, writeLine } from './output.ts'

export interface ListOptions extends StandardOptions {
  readonly state: string
  readonly right?: string
  readonly overdue?: boolean
  readonly group?: string
}

const ALIKE: Readonly<Record<RequestGroupKind, string>> = {
  text: 'the same text',
  contact: 'the same address for the answers',
  representative: 'the same representative',
}

export async function listRequests(cli: Cli, options: ListOptions): Promise<void> {
  const loaded = await openConfig(options, cli)
  const page = await readList(loaded, options)
  if (page.counts.overdue > 0) cli.exit(3)
  if (options.json) return writeJson(cli.stdout, page)
  const c = colors(cli)
  const rows = page.items.map((item) => [
    item.id,
    item.right ?? 'authority',
    item.state,
    item.channel,
    day(item.receivedAt, loaded),
    item.overdue ? c.red(`late ${dueText(item, loaded)}`) : dueText(item, loaded),
    item.needs?.pt ?? '',
  ])
  if (rows.length > 0)
    await writeLine(
      cli.stdout,
      table([['id', 'right', 'state', 'channel', 'arrived', 'due', 'next'].map(c.bold), ...rows]),
    )
  await writeLine(
    cli.stderr,
    `${page.counts.open} open, ${page.counts.overdue} overdue, ${page.counts.dueIn3Days} due within 3 days`,
  )
  for (const { id, kind, people, open: waiting, firstAt, lastAt } of page.groups)
    await writeLine(
      cli.stderr,
      `${people} people with ${ALIKE[kind]}, ${day(firstAt, loaded)} to ${day(lastAt, loaded)}, ${waiting} open: --group ${id}. Each keeps its clock and its proof of identity.`,
    )
}

/** Reads beside a running hub; changes nothing and opens nothing sealed. */
async function readList(
  loaded: LoadedConfig,
  { state: wanted, right, overdue, group }: ListOptions,
): Promise<RequestPage> {
  const [rows, { requestRules }] = await Promise.all([
    import('../core/requests/rows.ts'),
    import('../core/requests/settings.ts'),
  ])
  const state = await openToRead(loaded)
  try {
    return await rows.listRequests(
      {
        state: wanted as 'open',
        limit: '200',
        ...(right !== undefined && { right: right as (typeof RIGHTS)[number] }),
        ...(overdue && { overdue: 'true' as const }),
        ...(group !== undefined && { group }),
      },
      requestRules(loaded.config),
      { db: state.db, now: Date.now() },
    )
  } finally {
    await state.close()
  }
}

export async function showRequest(
  cli: Cli,
  id: string,
  options: StandardOptions & { reveal?: boolean; save?: string },
): Promise<void> {
  const loaded = await openConfig(options, cli)
  const detail = (await runHubCommand(
    loaded,
    'readRequest',
    { id, reveal: options.reveal ?? false },
    cli,
  )) as RequestDetail
  if (detail.request.overdue) cli.exit(3)
  if (options.save !== undefined)
    for (const file of detail.files) {
      const { base64, name } = (await runHubCommand(
        loaded,
        'readRequestFile',
        { id, file: file.id },
        cli,
      )) as RequestContent
      writeFileSync(join(options.save, basename(name)), Buffer.from(base64, 'base64'), { mode: 0o600 })
    }
  if (options.json) return writeJson(cli.stdout, detail)
  await writeLine(cli.stdout, renderDetail(detail, loaded, cli))
}

function renderDetail(
  { request, person, plan, recipients, files, pauses, log, answer }: RequestDetail,
  loaded: LoadedConfig,
  cli: Cli,
): string {
  const c = colors(cli)
  const lines = [
    c.bold(`${request.title.pt} (${request.article})`),
    `${request.id} · ${request.state}${request.outcome ? ` · ${request.outcome}` : ''}${request.ground ? ` · ${request.ground}` : ''}`,
    ...(person
      ? [
          [person.name, person.contact, ...person.identifiers.map(({ type, value }) => `${type} ${value}`)]
            .filter(Boolean)
            .join(' · '),
          ...(person.text ? [person.text] : []),
        ]
      : [c.dim(`subject ${request.subject ?? 'unknown'}`)]),
    '',
    ...request.clocks.map(
      (clock) =>
        `${clock.overdue ? c.red('late') : clock.doneAt === null ? 'due' : c.green('met')} ${day(clock.doneAt ?? clock.dueAt, loaded)}  ${clock.label.pt}${clock.law ? ` (${clock.law})` : ''}`,
    ),
    ...pauses.map(
      ({ from, to, reason }) => `wait ${day(from, loaded)} – ${to === null ? 'now' : day(to, loaded)}: ${reason}`,
    ),
    ...(plan ? ['', plan.summary.pt, c.dim(`plan ${plan.hash}`)] : []),
    ...(recipients.length > 0
      ? [
          '',
          table(
            recipients.map(({ recipient, operation, status, attempts, answer: said, doneAt }) => [
              recipient,
              operation,
              status,
              attempts > 0 ? `${attempts} tries` : '',
              said ?? '',
              doneAt === null ? '' : day(doneAt, loaded),
            ]),
          ),
        ]
      : []),
    ...(files.length > 0
      ? ['', table(files.map(({ name, bytes, sha256 }) => [name, `${bytes} B`, c.dim(sha256.slice(0, 16))]))]
      : []),
    ...(answer ? ['', answer] : []),
    '',
    table(
      log.map(({ at, what, from, to, actor, detail }) => [
        day(at, loaded),
        what,
        `${from ?? ''} → ${to ?? ''}`,
        actor,
        detail ?? '',
      ]),
    ),
  ]
  return lines.join('\n')
}

export function renderPlan(plan: RequestPlan): string {
  return [
    plan.summary.pt,
    ...plan.warnings.map(({ pt }) => `! ${pt}`),
    '',
    ...(plan.erase.length > 0 ? [table(plan.erase.map(({ what, count }) => ['-', String(count), what.pt]))] : []),
    ...(plan.keep.length > 0
      ? [table(plan.keep.map(({ what, count, ground, reason }) => ['=', String(count), what.pt, ground, reason.pt]))]
      : []),
    ...(plan.recipients.length > 0
      ? [
          table(
            plan.recipients.map(({ recipient, operation, how, instructions }) => [
              '>',
              recipient,
              operation,
              how,
              instructions?.pt ?? '',
            ]),
          ),
        ]
      : []),
    '',
    `plan ${plan.hash}`,
  ].join('\n')
}

const day = (at: number, { timezone }: LoadedConfig) =>
  new Intl.DateTimeFormat('pt-BR', { dateStyle: 'short', timeZone: timezone }).format(new Date(at))
const dueText = (item: RequestSummary, loaded: LoadedConfig) => (item.dueAt === null ? '' : day(item.dueAt, loaded))
