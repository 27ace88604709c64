/** `anuente retention`: what would be deleted, its approval, the runs, legal holds. */
import type { Command } from 'commander'
import type {
  LegalHold,
  RetentionOverview,
  RetentionPlan,
  RetentionPolicyView,
  RetentionRun,
  RunAnswer,
} from '../schemas/retention.ts'
import { readTime, showDay } from './day.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, progress, table, writeJson, writeLine } from './output.ts'

interface PolicyOptions extends StandardOptions {
  readonly policy?: string[]
}
interface HoldOptions extends StandardOptions {
  readonly subject?: string
  readonly class?: string
  readonly from?: string
  readonly to?: string
  readonly ref: string
  readonly reason: string
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

export function addRetention(program: Command, cli: Cli): void {
  const retention = program
    .command('retention')
    .summary('how long data is kept: plan, approve, run, legal holds')
    .description(
      'Shows what the retention policies would delete, takes the approval of the plan by its hash, and carries approved policies out. An approved policy runs by itself from then on, and asks again when it changes or when far more is due than usual.',
    )
  const plan = retention
    .command('plan')
    .description(
      'Count what is due under each policy now, with samples by pseudonym and conflicts with legal holds. Deletes nothing.',
    )
    .action((options: StandardOptions) => showPlan(options, cli))
  const approve = retention
    .command('approve')
    .argument('<hash>', 'the hash that `retention plan` printed')
    .description('Approve the policies of a plan that you looked at. They run by themselves from now on.')
    .option('--policy <id>', 'only this policy, e.g. history/*/occurred; may be repeated', collect)
    .action((hash: string, options: PolicyOptions) => approvePlan(hash, options, cli))
  const run = retention
    .command('run')
    .description(
      'Carry approved policies out now, to the end. Can be interrupted: the next run, or the hub itself, goes on.',
    )
    .option('--policy <id>', 'only this policy; may be repeated', collect)
    .action((options: PolicyOptions) => carryOut(options, cli))
  const status = retention
    .command('status')
    .description('Policies with their approval, what is wrong with them, the last runs, holds in force.')
    .action((options: StandardOptions) => showStatus(options, cli))
  const hold = retention
    .command('hold')
    .description(
      'Set a legal hold: on a person, or on a range of time in one kind of data or all. Nothing it covers is deleted.',
    )
    .option('--subject <subject>', 'ledger subject (s_…) or person id')
    .option('--class <class>', 'kind of data, e.g. history')
    .option('--from <time>', 'from this day or time')
    .option('--to <time>', 'until the end of this day, or this time')
    .requiredOption('--ref <reference>', 'the proceeding or order it rests on')
    .requiredOption('--reason <text>', 'why, in a sentence')
    .action((options: HoldOptions) => setHold(options, cli))
  const release = retention
    .command('release')
    .argument('<hold>', 'id of the hold')
    .description('Release a legal hold.')
    .requiredOption('--reason <text>', 'why, in a sentence')
    .action((id: string, options: StandardOptions & { reason: string }) => releaseHold(id, options, cli))

  standard(plan, ['anuente retention plan', 'anuente retention plan --json | jq .hash'])
  standard(approve, [
    'anuente retention approve 3f0c…',
    "anuente retention approve 3f0c… --policy 'history/*/occurred'",
  ])
  standard(run, ['anuente retention run', "anuente retention run --policy 'deliveries/*/settled'"])
  standard(status, ['anuente retention status'])
  standard(hold, [
    'anuente retention hold --subject s_3f… --ref "Processo 0001-2026" --reason "Ordem judicial de preservação"',
    'anuente retention hold --class history --from 2026-01-01 --to 2026-03-31 --ref "ANPD 12" --reason "Inquérito em curso"',
  ])
  standard(release, ['anuente retention release 01K… --reason "Processo encerrado"'])
}

async function showPlan(options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const plan = (await runHubCommand(loaded, 'retentionPlan', {}, cli)) as RetentionPlan
  if (plan.findings.some(({ severity }) => severity === 'error')) cli.exit(1)
  if (options.json) return writeJson(cli.stdout, plan)
  const c = colors(cli)
  await writeLine(
    cli.stdout,
    table([
      ['policy', 'action', 'due', 'people', 'oldest', 'on hold', ''].map((head) => c.bold(head)),
      ...plan.items.map((item) => [
        item.policyId,
        item.action,
        String(item.count),
        String(item.people),
        item.oldest === null ? '' : showDay(item.oldest),
        item.held === 0 ? '' : String(item.held),
        item.unusual ? c.yellow('unusual: asks again') : '',
      ]),
    ]),
  )
  for (const { severity, path, message } of plan.findings)
    await writeLine(cli.stderr, `${severity}: ${path}: ${message.en}`)
  await writeLine(cli.stdout, `\nplan ${plan.hash}`)
  await writeLine(cli.stderr, `Nothing was deleted. To approve: anuente retention approve ${plan.hash}`)
}

async function approvePlan(hash: string, options: PolicyOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const views = (await runHubCommand(
    loaded,
    'retentionApprove',
    { hash, ...(options.policy && { policies: options.policy }) },
    cli,
  )) as RetentionPolicyView[]
  if (options.json) return writeJson(cli.stdout, views)
  await writeLine(cli.stdout, table(views.map(({ id, state }) => [id, state])))
}

async function carryOut(options: PolicyOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const answer = (await runHubCommand(
    loaded,
    'retentionRun',
    options.policy ? { policies: options.policy } : {},
    cli,
  )) as RunAnswer
  const bar = progress(
    cli,
    'retention',
    answer.started.reduce((sum, { due, done }) => sum + due - done, 0),
  )
  const runs = new Map<string, RetentionRun>()
  for (;;) {
    const step = (await runHubCommand(loaded, 'retentionStep', {}, cli)) as RetentionRun | null
    if (!step) break
    bar.add(step.done - (runs.get(step.id)?.done ?? 0))
    runs.set(step.id, step)
  }
  bar.end()
  // A running hub takes steps of its own meanwhile: what became of each run is asked for at the end.
  const { runs: newest } = (await runHubCommand(loaded, 'retentionStatus', {}, cli)) as RetentionOverview
  const finished = answer.started.map(({ id }) => newest.find((run) => run.id === id) ?? runs.get(id)!)
  if (finished.some(({ state }) => state === 'incomplete')) cli.exit(2)
  if (options.json) return writeJson(cli.stdout, { runs: finished, waiting: answer.waiting })
  if (finished.length > 0)
    await writeLine(
      cli.stdout,
      table(
        finished.map((run) => [
          run.policyId,
          run.state,
          `${run.done} of ${run.due}`,
          run.held > 0 ? `${run.held} on hold` : '',
          run.entryId ?? '',
        ]),
      ),
    )
  else await writeLine(cli.stdout, 'Nothing that is approved is due.')
  for (const { policyId, why } of answer.waiting) await writeLine(cli.stderr, `${policyId} waits for approval (${why})`)
}

async function showStatus(options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const overview = (await runHubCommand(loaded, 'retentionStatus', {}, cli)) as RetentionOverview
  if (options.json) return writeJson(cli.stdout, overview)
  const c = colors(cli)
  await writeLine(
    cli.stdout,
    table([
      ['policy', 'period', 'action', 'state', 'approved'].map((head) => c.bold(head)),
      ...overview.policies.map(({ id, policy, state, approvedAt, approvedBy }) => [
        id,
        policy.period,
        policy.action,
        state,
        approvedAt === null ? '' : `${showDay(approvedAt)} ${approvedBy}`,
      ]),
    ]),
  )
  if (overview.runs.length > 0)
    await writeLine(
      cli.stdout,
      `\n${table(overview.runs.slice(0, 10).map((run) => [showDay(run.startedAt), run.policyId, run.state, `${run.done} of ${run.due}`]))}`,
    )
  for (const hold of overview.holds)
    await writeLine(
      cli.stdout,
      `\nhold ${hold.id}: ${hold.subject ?? hold.class ?? 'all data'} (${hold.ref}), since ${showDay(hold.setAt)}`,
    )
  for (const { severity, path, message } of overview.findings)
    await writeLine(cli.stderr, `${severity}: ${path}: ${message.en}`)
  await writeLine(cli.stdout, `\n${overview.unusualRule.en}`)
}

async function setHold(options: HoldOptions, cli: Cli): Promise<void> {
  const { subject, class: kind, from, to, ref, reason } = options
  if (reason.trim().length < 10) throw new CliError('INVALID', '--reason needs a sentence of at least 10 characters.')
  const loaded = await openConfig(options, cli)
  const hold = (await runHubCommand(
    loaded,
    'setHold',
    {
      ...(subject !== undefined && { subject }),
      ...(kind !== undefined && { class: kind }),
      ...(from !== undefined && { from: readTime(from, '--from') }),
      ...(to !== undefined && { to: readTime(to, '--to', 'end') }),
      ref,
      reason,
    },
    cli,
  )) as LegalHold
  if (options.json) return writeJson(cli.stdout, hold)
  await writeLine(cli.stdout, `hold ${hold.id} is in force`)
}

async function releaseHold(id: string, options: StandardOptions & { reason: string }, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const hold = (await runHubCommand(loaded, 'releaseHold', { id, reason: options.reason }, cli)) as LegalHold
  if (options.json) return writeJson(cli.stdout, hold)
  await writeLine(cli.stdout, `hold ${hold.id} was released`)
}
