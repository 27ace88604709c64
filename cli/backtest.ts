/** anuente backtest: what a rule would have done, from the history that was kept. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { LoadedConfig } from '../core/config.ts'
import type { StateStore } from '../core/stores/open.ts'
import type { BacktestReport } from '../schemas/backtest.ts'
import { readTime } from './day.ts'
import { languageOf } from './explain.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, colors, progress, type Terminal, table, writeJson, writeLine } from './output.ts'

interface BacktestCommand extends StandardOptions {
  readonly from?: string
  readonly to?: string
  readonly lang?: string
}

const DAY_MS = 86_400_000

export function addBacktest(program: Command, cli: Cli): void {
  const command = program
    .command('backtest')
    .argument('<rule>', 'a YAML file, or the id of a published rule (id@version for an earlier one)')
    .summary('what a rule would have done on the history that was kept')
    .description(
      'Replays history through the code that decides live. Consent as it was then decides what the rule would have done; consent as it is now decides whether a person may be computed at all. Changes nothing and sends nothing.',
    )
    .option('--from <day>', 'first day, in São Paulo, or a moment in ISO 8601 (default: 30 days before --to)')
    .option('--to <day>', 'last day, or a moment in ISO 8601 (default: now)')
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .action(async (rule: string, options: BacktestCommand) => {
      const loaded = await openConfig(options, cli)
      const now = Date.now()
      const to = options.to === undefined ? now : Math.min(now, Date.parse(readTime(options.to, '--to', 'end')))
      const from = options.from === undefined ? to - 30 * DAY_MS : Date.parse(readTime(options.from, '--from'))
      if (from >= to) throw new CliError('INVALID', '--from must be before --to')
      const began = performance.now()
      const report = await runBacktest(rule, { from, to, now }, loaded, cli)
      if (options.json) return writeJson(cli.stdout, report)
      const language = languageOf(options.lang, cli)
      await writeLine(cli.stdout, await renderBacktest(report, { language, timezone: loaded.timezone }, cli))
      const seconds = (performance.now() - began) / 1000
      await writeLine(cli.stderr, `${report.events} events in ${seconds.toFixed(1)} s`)
    })
  standard(command, [
    'anuente backtest carrinho-abandonado --from 2026-10-01 --to 2026-10-31',
    'anuente backtest ./rules/novo.yaml --lang pt',
    "anuente backtest ./rules/novo.yaml --json | jq '.sends.byChannel'",
  ])
}

interface Range {
  readonly from: number
  readonly to: number
  readonly now: number
}

async function runBacktest(name: string, range: Range, loaded: LoadedConfig, cli: Cli): Promise<BacktestReport> {
  const [{ backtest }, { prepareRule }, { countPeople }, { createKeys, loadMasterKey }] = await Promise.all([
    import('../core/replay/backtest.ts'),
    import('../core/replay/prepare.ts'),
    import('../core/replay/history.ts'),
    import('../core/keys.ts'),
  ])
  const state = await openToRead(loaded)
  try {
    const prepared = await prepareRule(wantedRule(name), loaded, state, range.now)
    const bar = progress(cli, 'backtest', await countPeople(state))
    try {
      const { live, ...rest } = prepared
      return await backtest({
        ...rest,
        ...(live && live.at <= range.from && { live }),
        ...range,
        state,
        keys: createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env)),
        timezone: loaded.timezone,
        onPeople: (count) => bar.add(count),
      })
    } finally {
      bar.end()
    }
  } finally {
    await state.close()
  }
}

/** A file where there is one of that name; else an id. */
export function wantedRule(name: string): { id: string } | { file: string; text: string } {
  if (existsSync(name)) return { file: name, text: readFileSync(name, 'utf8') }
  if (/\.(ya?ml|json)$/.test(name)) throw new CliError('NO_FILE', `there is no file ${name}`)
  return { id: name }
}

/** Beside a running hub, or without one. @throws CliError where nothing was ever kept. */
export async function openToRead(loaded: LoadedConfig): Promise<StateStore> {
  const file = join(loaded.dataDir, 'state.db')
  const postgres = loaded.config.storage?.state
  // Opening would make an empty one.
  if (!postgres && !existsSync(file)) throw new CliError('NO_DATA', `no hub has run on ${loaded.dataDir} yet`)
  const { openState } = await import('../core/stores/open.ts')
  return openState({ file, postgres }, { migrate: false })
}

interface Look {
  readonly language: 'pt' | 'en'
  readonly timezone: string
}

/** The report as marketing reads it. */
async function renderBacktest(
  report: BacktestReport,
  { language, timezone }: Look,
  terminal: Terminal,
): Promise<string> {
  const { resultWords } = await import('../core/replay/backtest.ts')
  const c = colors(terminal)
  const say = (pt: string, en: string) => (language === 'pt' ? pt : en)
  const words = (code: string) => resultWords(code)[language]
  const number = new Intl.NumberFormat(language === 'pt' ? 'pt-BR' : 'en-GB')
  const percent = new Intl.NumberFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
    style: 'percent',
    maximumFractionDigits: 1,
  })
  const day = new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', { dateStyle: 'short', timeZone: timezone })
  const lines: string[] = []
  const part = (title: string, rows: readonly (readonly string[])[]) => {
    if (rows.length > 0) lines.push('', c.bold(title), table(rows.map((row) => [`  ${row[0]}`, ...row.slice(1)])))
  }
  const counts = (of: Readonly<Record<string, number>>, name = (key: string) => key) =>
    Object.entries(of).map(([key, count]) => [name(key), number.format(count)])

  lines.push(
    c.bold(`${report.rule.id} v${report.rule.version}`) +
      c.dim(
        `  ${report.rule.published ? say('publicada', 'published') : say('não publicada', 'not published')}  ${day.format(new Date(report.from))} – ${day.format(new Date(report.to))}`,
      ),
    say(
      `${number.format(report.sends.total)} envios a ${number.format(report.people.sent)} pessoas; ${percent.format(report.blocked.consentShare)} barrado por consentimento.`,
      `${number.format(report.sends.total)} sends to ${number.format(report.people.sent)} people; ${percent.format(report.blocked.consentShare)} stopped by consent.`,
    ),
  )
  part(
    say('Por dia (casos, envios, reserva, barrados)', 'Per day (matches, sends, held out, stopped)'),
    report.days.map((one) => [
      one.day,
      number.format(one.matches),
      number.format(one.sends),
      number.format(one.heldOut),
      number.format(one.blocked),
    ]),
  )
  part(say('Envios por canal', 'Sends per channel'), counts(report.sends.byChannel))
  part(say('Variantes', 'Variants'), counts(report.sends.byVariant))
  if (report.sends.waited > 0)
    part(say('Horário de silêncio', 'Quiet hours'), [
      [say('esperariam para sair', 'would have waited'), number.format(report.sends.waited)],
    ])
  part(
    say('O que barrou', 'What stopped it'),
    Object.entries(report.blocked.reasons).map(([code, { count, share }]) => [
      words(code),
      number.format(count),
      percent.format(share),
    ]),
  )
  part(say('Nem consultada', 'Not even asked'), counts(report.notAsked, words))
  part(
    say('Condições que não valeram', 'Conditions that did not hold'),
    report.stopped.map(({ clause, pt, count }) => [say(pt, clause), number.format(count)]),
  )
  part(say('Resultados', 'Results'), counts(report.results, words))
  part(
    say('Mesmas pessoas que outra regra', 'The same people as another rule'),
    report.overlap.map(({ rule, people, sends }) => [
      rule,
      say(`${number.format(people)} pessoas`, `${number.format(people)} people`),
      say(`${number.format(sends)} envios`, `${number.format(sends)} sends`),
    ]),
  )
  part(say('Pessoas', 'People'), [
    [say('calculadas', 'computed'), number.format(report.people.computed)],
    ...counts(report.people.leftOut, (code) => `${say('de fora', 'left out')}: ${words(code)}`),
  ])
  part(
    say('Exemplos', 'Samples'),
    report.samples.map(({ person, result, sentence }) => [c.dim(person), result, sentence[language]]),
  )
  lines.push('', ...report.notes.map((note) => c.dim(note[language])))
  return lines.join('\n')
}
