/** `anuente rules` and `anuente apply`: what is published to whom, and every change of it. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { RuleDetail, RuleList, RuleVersionsAdded } from '../schemas/rules.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, table, writeJson, writeLine } from './output.ts'

interface ReasonOptions extends StandardOptions {
  readonly reason: string
}
interface PublishOptions extends ReasonOptions {
  readonly to: string
  readonly recipient?: string[]
}
interface AllOptions extends ReasonOptions {
  readonly all?: boolean
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

export function addRules(program: Command, cli: Cli): void {
  const rules = program
    .command('rules')
    .summary('list, check, publish, pause, revert and stop rules')
    .description(
      'Rules go from draft to test recipients, to 1 %, 10 % and 100 % of people; a shadow decides and sends nothing. Each change is recorded with who, when and why.',
    )
  const list = rules
    .command('list')
    .description('Every rule with the version that is live, on trial and in the shadow, and its last seven days.')
    .action((options: StandardOptions) => listThem(options, cli))
  standard(list, ['anuente rules list', 'anuente rules list --json | jq ".items[].id"'])

  const show = rules
    .command('show')
    .argument('<rule>', 'id of the rule')
    .description('Versions of one rule, who changed what, and its shadow beside the live version.')
    .action((id: string, options: StandardOptions) => showOne(id, options, cli))
  standard(show, ['anuente rules show carrinho-abandonado'])

  const validate = rules
    .command('validate')
    .argument('<files...>', 'rule files')
    .description('Check rules against the language and the configuration. Changes nothing.')
    .action((files: string[], options: StandardOptions) => add(files, { ...options, dryRun: true }, cli))
  standard(validate, ['anuente rules validate rules/*.yaml', 'anuente rules validate rules/carrinho.yaml --json'])

  const addCommand = rules
    .command('add')
    .argument('<files...>', 'rule files')
    .description('Add rules or new versions, as drafts unless their `rollout` says more.')
    .option('--reason <text>', 'why')
    .action((files: string[], options: StandardOptions & { reason?: string }) => add(files, options, cli))
  standard(addCommand, ['anuente rules add rules/carrinho.yaml --reason "texto novo"'])

  const publish = rules
    .command('publish')
    .argument('<rule>', 'id, or id@version; the newest version when none is named')
    .requiredOption('--to <stage>', 'draft, test, shadow, or a share of people: 1%, 10%, 100%')
    .requiredOption('--reason <text>', 'why, for whoever asks later')
    .option('--recipient <email>', 'test recipient of this version; may be repeated', collect)
    .description('Publish a version further, or less far.')
    .action((rule: string, options: PublishOptions) => publishOne(rule, options, cli))
  standard(publish, [
    'anuente rules publish carrinho@4 --to test --recipient ana@loja.example --reason "prova do texto"',
    'anuente rules publish carrinho --to 10% --reason "sem reclamações em 1 %"',
  ])

  const revert = rules
    .command('revert')
    .argument('<rule>', 'id, or id@version; the version that was live before when none is named')
    .requiredOption('--reason <text>', 'why')
    .description('Back to an earlier version, for everybody at once.')
    .action(async (rule: string, options: ReasonOptions) => {
      const answer = (await run('revertRule', { ...named(rule), reason: options.reason }, options, cli)) as {
        version: number
      }
      if (options.json) return writeJson(cli.stdout, answer)
      await writeLine(cli.stdout, `version ${answer.version} is live for everybody`)
    })
  standard(revert, ['anuente rules revert carrinho --reason "o texto novo confundiu"'])

  for (const [name, command, description, told] of [
    ['pause', 'pauseRule', 'Start nothing more and hold what waits.', 'held'],
    ['resume', 'resumeRule', 'Take a pause or a stop back; what was held goes on if it is still worth it.', 'released'],
    ['kill', 'killRule', 'Start nothing more and cancel what waits.', 'cancelled'],
  ] as const) {
    const one = rules
      .command(name)
      .argument('[rule]', 'id of the rule')
      .option('--all', 'every rule at once')
      .requiredOption('--reason <text>', 'why')
      .description(description)
      .action(async (rule: string | undefined, options: AllOptions) => {
        if ((rule === undefined) !== (options.all === true))
          throw new CliError('INVALID', 'Name one rule, or write --all for every rule.')
        const answer = (await run(command, { rule: rule ?? '*', reason: options.reason }, options, cli)) as Record<
          string,
          number
        >
        if (options.json) return writeJson(cli.stdout, answer)
        await writeLine(cli.stdout, `${told} deliveries: ${answer[told] ?? 0}`)
      })
    standard(one, [
      `anuente rules ${name} carrinho --reason "erro no cupom"`,
      `anuente rules ${name} --all --reason "…"`,
    ])
  }

  const apply = program
    .command('apply')
    .summary('apply the rule files of the configuration without a restart')
    .description(
      'Reads the rule files that anuente.yaml names and publishes what changed in them; a rule that left the files is retired. What the cockpit published or paused since stays until its file changes. Other parts of the configuration take a restart.',
    )
    .option('--dry-run', 'say what would change')
    .option('--reason <text>', 'why')
    .action(async (options: StandardOptions & { dryRun?: boolean; reason?: string }) => {
      const loaded = await openConfig(options, cli)
      const answer = (await runHubCommand(
        loaded,
        'applyRules',
        {
          documents: loaded.ruleDocuments,
          dryRun: options.dryRun ?? false,
          ...(options.reason !== undefined && { reason: options.reason }),
        },
        cli,
      )) as { changes: { rule: string; version: number; change: string; stage: string; share: number }[] }
      if (options.json) return writeJson(cli.stdout, answer)
      if (answer.changes.length === 0) return writeLine(cli.stdout, 'The files say nothing new.')
      await writeLine(
        cli.stdout,
        table(
          answer.changes.map(({ rule, version, change, stage, share }) => [
            `${rule}@${version}`,
            change,
            stageWords(stage, share),
          ]),
        ),
      )
      if (options.dryRun) await writeLine(cli.stderr, 'Nothing was changed: run it again without --dry-run.')
    })
  standard(apply, ['anuente apply --dry-run', 'anuente apply --reason "campanha de novembro"'])
}

const run = async (name: string, args: Record<string, unknown>, options: StandardOptions, cli: Cli) =>
  runHubCommand(await openConfig(options, cli), name, args, cli)

/** id@version → both; the version only where one is named. */
function named(text: string): { rule: string; version?: number } {
  const [rule = '', version, ...rest] = text.split('@')
  if (version === undefined) return { rule }
  if (rest.length > 0 || !/^\d+$/.test(version)) throw new CliError('INVALID', `Write "${rule}" or "${rule}@3".`)
  return { rule, version: Number(version) }
}

const stageWords = (stage: string, share: number): string => (stage === 'live' ? `${percent(share)} %` : stage)
const percent = (share: number): number => Math.round(share * 10_000) / 100

async function publishOne(text: string, options: PublishOptions, cli: Cli): Promise<void> {
  const share = /^(\d+(?:[.,]\d+)?)\s*%$/.exec(options.to)
  const stage = share ? 'live' : options.to
  await run(
    'publishRule',
    {
      ...named(text),
      stage,
      ...(share && { share: Number(share[1]!.replace(',', '.')) / 100 }),
      ...(options.recipient && { recipients: options.recipient.map((email) => ({ email })) }),
      reason: options.reason,
    },
    options,
    cli,
  )
  if (options.json) return writeJson(cli.stdout, { ok: true })
  await writeLine(cli.stdout, `${text}: ${options.to}`)
}

async function add(
  files: readonly string[],
  options: StandardOptions & { dryRun?: boolean; reason?: string },
  cli: Cli,
): Promise<void> {
  const documents = files.map((file) => ({ file, text: readFileSync(file, 'utf8') }))
  const args = {
    documents,
    dryRun: options.dryRun ?? false,
    ...(options.reason !== undefined && { reason: options.reason }),
  }
  const answer = (await run('addRules', args, options, cli).catch((error) => {
    // A rule is written before the first start, and checked in a pipeline that has no data.
    if (options.dryRun && error instanceof CliError && error.code === 'NO_DATA')
      return checkedAlone(documents, options, cli)
    throw error
  })) as RuleVersionsAdded
  if (options.json) return writeJson(cli.stdout, answer)
  await writeLine(
    cli.stdout,
    table(
      answer.versions.map(({ rule, version, isNew, stage }) => [
        `${rule}@${version}`,
        isNew ? 'new' : 'known already',
        stage,
      ]),
    ),
  )
}

async function checkedAlone(
  documents: readonly { readonly file: string; readonly text: string }[],
  options: StandardOptions,
  cli: Cli,
): Promise<RuleVersionsAdded> {
  const { readRules } = await import('../core/rules/read.ts')
  const rules = readRules(documents, await openConfig(options, cli))
  if (rules.length === 0) throw new CliError('INVALID', 'The documents hold no rule.')
  return {
    versions: rules.map(({ rule: { id, version, rollout } }) => ({
      rule: id,
      version,
      isNew: true,
      stage: rollout ? (rollout.stage ?? 'live') : 'draft',
    })),
  }
}

async function listThem(options: StandardOptions, cli: Cli): Promise<void> {
  const { items, all } = (await run('listRules', {}, options, cli)) as RuleList
  if (options.json) return writeJson(cli.stdout, { items, all })
  const c = colors(cli)
  if (all.state !== 'running') await writeLine(cli.stdout, c.red(`all rules are ${all.state}: ${all.reason ?? ''}`))
  await writeLine(
    cli.stdout,
    table([
      ['rule', 'state', 'live', 'trial', 'shadow', 'fired', 'sent', 'held out'].map((head) => c.bold(head)),
      ...items.map(({ id, switch: stopped, live, trial, shadow, counts }) => [
        id,
        stopped.state,
        live ? `v${live.version}` : '',
        trial ? `v${trial.version} ${stageWords(trial.stage, trial.share)}` : '',
        shadow ? `v${shadow.version}` : '',
        String(counts.fired),
        String(counts.sent),
        String(counts.heldOut),
      ]),
    ]),
  )
}

async function showOne(id: string, options: StandardOptions, cli: Cli): Promise<void> {
  const detail = (await run('showRule', { rule: id }, options, cli)) as RuleDetail
  if (options.json) return writeJson(cli.stdout, detail)
  const { rule, versions, log, comparison } = detail
  await writeLine(cli.stdout, `${rule.id}: ${rule.switch.state}`)
  await writeLine(
    cli.stdout,
    table(
      versions.map(({ version, stage, share, since, actor, reason }) => [
        `v${version}`,
        stageWords(stage, share),
        new Date(since).toISOString(),
        actor,
        reason,
      ]),
    ),
  )
  for (const { code, count } of rule.counts.blocked) await writeLine(cli.stdout, `  ${code}: ${count}`)
  if (comparison)
    await writeLine(
      cli.stdout,
      `shadow v${comparison.version}: would have decided ${comparison.shadow.decided}; live: ${comparison.live?.decided ?? 0}; overlap ${comparison.overlap.map(({ rule: other, people }) => `${other} ${people}`).join(', ') || 'none'}`,
    )
  for (const line of log.slice(0, 20))
    await writeLine(
      cli.stdout,
      `${new Date(line.at).toISOString()}  ${line.act}${line.version === null ? '' : ` v${line.version}`}  ${line.actor}: ${line.reason}`,
    )
}
