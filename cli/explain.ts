import { join } from 'node:path'
import type { Command } from 'commander'
import type { LoadedConfig } from '../core/config.ts'
import type { ExplainedJourney } from '../core/explain.ts'
import { EXITS } from '../schemas/exits.ts'
import type { Counterfactual } from '../schemas/records.ts'
import { renderWhyAnswer } from './explain-why.ts'
import { armWords, type ExplainLook, formatTime, foundWords } from './explain-words.ts'
import { runHubCommand } from './hub-command.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, type Terminal, table, writeJson, writeLine } from './output.ts'

interface ExplainOptions extends StandardOptions {
  readonly person?: string
  readonly rule?: string
  readonly lang?: string
  readonly counterfactual?: boolean
}

export function addExplain(program: Command, cli: Cli): void {
  const command = program
    .command('explain')
    .argument('[id]', 'message id, event id, delivery id or quarantine id')
    .summary('tell the way of one event, and why')
    .description(
      'Tells which stages an event passed and which exit it took, which rule clauses held with the values found, the group the person is in, the consent it rests on and what the vendor answered. Shows no contact data.',
    )
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .option('--counterfactual', 'also the nearest change that would have turned each decision (LGPD art. 20)')
    .option('--person <id>', 'a person, with --rule: why they did or did not get what it sends')
    .option('--rule <rule>', 'id of a published rule, or a YAML file that is not published: what it would do')
    .action(async (id: string | undefined, options: ExplainOptions) => {
      const loaded = await openConfig(options, cli)
      if (options.person !== undefined && options.rule !== undefined)
        return explainPerson(options.person, options.rule, options, loaded, cli)
      if (id === undefined) throw new CliError('INVALID', 'name an event or a delivery, or --person and --rule')
      const journey = await lookUp(id, loaded, cli)
      if (!journey)
        throw new CliError(
          'NOT_FOUND',
          `nothing that was kept has the id ${id}. Message ids are known for 72 hours; an event that arrived a moment ago may still be in the log.`,
        )
      const turned = options.counterfactual ? await whatTurns(id, journey, loaded, cli) : undefined
      if (options.json) return writeJson(cli.stdout, turned ? { ...journey, counterfactuals: turned } : journey)
      const language = languageOf(options.lang, cli)
      await writeLine(cli.stdout, renderJourney(journey, { language, timezone: loaded.timezone }, cli))
      for (const { rule, version, sentence } of turned ?? [])
        await writeLine(cli.stdout, `\n${rule} v${version}: ${sentence[language]}`)
    })
  standard(command, [
    'anuente explain 6b0f2c1e-6a3c-4f0e-9f5e-0c3a9d1b7a52',
    'anuente explain 01K8V3M4ZQ8Q6T1XJ2N5RZ0W7B --lang pt --config ./loja.yaml',
    'anuente explain <messageId> --counterfactual --lang pt',
    'anuente explain --person 01K8V3M4ZQ8Q6T1XJ2N5RZ0W7B --rule ./rules/novo.yaml --lang pt',
    "anuente explain <messageId> --json | jq '.journey[] | select(.exit)'",
  ])
}

/** One person and one rule: from what was stored, or from history, and it says which. */
async function explainPerson(
  person: string,
  rule: string,
  options: ExplainOptions,
  loaded: LoadedConfig,
  cli: Cli,
): Promise<void> {
  const [{ explainPersonRule }, { prepareRule }, { wantedRule }, { createKeys, loadMasterKey }] = await Promise.all([
    import('../core/explain/person-rule.ts'),
    import('../core/replay/prepare.ts'),
    import('./backtest.ts'),
    import('../core/keys.ts'),
  ])
  const state = await openToRead(loaded)
  try {
    const now = Date.now()
    const prepared = await prepareRule(wantedRule(rule), loaded, state, now)
    const keys = createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env))
    const why = await explainPersonRule(person, prepared, { state, keys, now, timezone: loaded.timezone })
    if (!why) throw new CliError('NOT_FOUND', `there is no person ${person}`)
    if (options.json) return await writeJson(cli.stdout, why)
    const look = { language: languageOf(options.lang, cli), timezone: loaded.timezone }
    await writeLine(cli.stdout, renderWhyAnswer(why, look))
  } finally {
    await state.close()
  }
}

async function whatTurns(
  id: string,
  journey: ExplainedJourney,
  loaded: LoadedConfig,
  cli: Cli,
): Promise<Counterfactual[]> {
  const of = journey.found === 'delivery' ? id : journey.event?.id
  return of === undefined ? [] : ((await runHubCommand(loaded, 'counterfactuals', { id: of }, cli)) as Counterfactual[])
}

/** Reads beside a running hub; changes nothing. */
async function lookUp(id: string, loaded: LoadedConfig, cli: Cli): Promise<ExplainedJourney | undefined> {
  // Loaded only here: databases and rules are nothing to the commands beside this one.
  const [{ explain }, { createKeys, loadMasterKey }, { loadPurposes }, { loadRules }, { readPublished }] =
    await Promise.all([
      import('../core/explain.ts'),
      import('../core/keys.ts'),
      import('../consent/purposes.ts'),
      import('../core/decision/index.ts'),
      import('../core/rules/book.ts'),
    ])
  const state = await openToRead(loaded)
  try {
    return await explain(id, {
      state,
      keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
      purposes: loadPurposes(loaded.config),
      rules: (await readPublished(state, Date.now(), new Set(), loadRules(loaded.ruleDocuments).rules)).rules,
      config: loaded,
      destinations: loaded.destinationSettings,
      sources: loaded.sourceSettings.keys(),
      timezone: loaded.timezone,
    })
  } finally {
    await state.close()
  }
}

export function languageOf(given: string | undefined, { env }: Cli): 'pt' | 'en' {
  if (given !== undefined && given !== 'pt' && given !== 'en')
    throw new CliError('INVALID', '--lang is pt or en', 1, '--lang')
  return given ?? ((env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || '').startsWith('pt') ? 'pt' : 'en')
}

/** The journey as a person reads it. */
export function renderJourney(journey: ExplainedJourney, look: ExplainLook, terminal: Terminal): string {
  const c = colors(terminal)
  const say = (pt: string, en: string) => (look.language === 'pt' ? pt : en)
  const time = (at: string | undefined) => (at === undefined ? '' : formatTime(at, look))
  const heading = (text: string) => `\n${c.bold(text)}`
  const lines: string[] = []

  if (journey.event) {
    const { name, type, source, messageId, occurredAt } = journey.event
    lines.push(
      c.bold(`${name}  ${c.dim(`${type} · ${source} · ${messageId}`)}`),
      c.dim(say(`aconteceu em ${time(occurredAt)}`, `happened ${time(occurredAt)}`)),
    )
  }
  lines.push(journey.sentence[look.language])

  lines.push(heading(say('Caminho', 'Way')))
  lines.push(
    table(
      journey.journey.map(({ stage, at, exit, detail }) => {
        const done = exit !== undefined && EXITS[exit].group === 'done'
        const mark = exit === undefined || done ? c.green('✓') : c.red('■')
        const text = exit === undefined ? say('passou', 'passed') : `${exit}  ${EXITS[exit][look.language]}`
        return [`  ${mark} ${stage}`, c.dim(time(at)), detail ? `${text} ${c.dim(`(${detail})`)}` : text]
      }),
    ),
  )

  for (const decision of journey.decisions) {
    lines.push(
      heading(
        `${say('Regra', 'Rule')} ${decision.rule} v${decision.version}: ${decision.result}${decision.arm ? ` · ${armWords(decision.arm, look.language)}` : ''}`,
      ),
    )
    lines.push(`  ${decision.sentence[look.language]}`)
    if (decision.clauses.length > 0)
      lines.push(
        table(
          decision.clauses.map(({ clause, pt, ok, value, unit }) => [
            `  ${ok ? c.green('✓') : c.red('✗')} ${say(pt, clause)}`,
            c.dim(
              value === null || value === undefined
                ? say('ausente', 'missing')
                : `${say('encontrado', 'found')} ${foundWords(value, unit, look.language)}`,
            ),
          ]),
        ),
      )
    for (const { destination, action, code } of decision.skipped)
      lines.push(`  ${c.yellow('–')} ${destination}.${action}: ${code}  ${EXITS[code][look.language]}`)
  }

  if (journey.withheld.length > 0) {
    lines.push(heading(say('Não consultado', 'Not asked')))
    lines.push(
      table(
        journey.withheld.map(({ what, code, reason }) => [`  ${c.yellow('–')} ${what}`, code, reason[look.language]]),
      ),
    )
  }

  if (journey.consent.length > 0) {
    lines.push(heading(say('Consentimento', 'Consent')))
    lines.push(
      table(
        journey.consent.map(({ purpose, status, basis, at, origin, notice, entryId }) => [
          `  ${status === 'granted' ? c.green('✓') : c.red('✗')} ${purpose}`,
          `${status} (${basis})`,
          time(at),
          `${origin}${notice ? `, ${say('aviso', 'notice')} ${notice.id} v${notice.version}` : ''}`,
          c.dim(entryId),
        ]),
      ),
    )
  }

  for (const delivery of journey.deliveries) {
    const good = delivery.status === 'delivered'
    lines.push(
      heading(
        `${say('Entrega', 'Delivery')} ${delivery.destination}.${delivery.action}: ${good ? c.green(delivery.status) : delivery.status}`,
      ),
    )
    if (delivery.code) lines.push(`  ${delivery.code}  ${EXITS[delivery.code][look.language]}`)
    if (delivery.reason) lines.push(`  ${delivery.reason}`)
    lines.push(
      c.dim(`  ${delivery.id}${delivery.entryId ? ` · ${say('apoiada em', 'rests on')} ${delivery.entryId}` : ''}`),
    )
    if (delivery.attempts.length > 0)
      lines.push(table(delivery.attempts.map(({ n, at, outcome, reason }) => [`  ${n}.`, time(at), outcome, reason])))
  }
  return lines.join('\n')
}
