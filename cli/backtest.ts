/** anuente backtest: what a rule would have done, from the history that was kept. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { Range } from '../core/backtests/jobs.ts'
import type { LoadedConfig } from '../core/config.ts'
import type { BacktestReport } from '../schemas/backtest.ts'
import { readTime } from './day.ts'
import { languageOf } from './explain.ts'
import { openToRead } from './open-to-read.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import {
  type Cli,
  CliError,
  colors,
  NO_PROGRESS,
  progress,
  type Terminal,
  table,
  writeJson,
  writeLine,
} from './output.ts'

interface BacktestCommand extends StandardOptions {
  readonly from?: string
  readonly to?: string
  readonly share?: string
  readonly lang?: string
}

const DAY_MS = 86_400_000

export function addBacktest(program: Command, cli: Cli): void {
  const command = program
    .command('backtest')
    .argument('<rule>', 'a YAML file, or the id of a rule (id@version for one version; drafts too)')
    .summary('what a rule would have done on the history that was kept')
    .description(
      'Replays history through the code that decides live. Consent as it was then decides what the rule would have done; consent as it is now decides whether a person may be computed at all. Changes nothing and sends nothing.',
    )
    .option('--from <day>', 'first day, in São Paulo, or a moment in ISO 8601 (default: 30 days before --to)')
    .option('--to <day>', 'last day, or a moment in ISO 8601 (default: now)')
    .option(
      '--share <who>',
      'all: as if it were published for everybody; live: for those it is published for now (default: all)',
    )
    .option('--lang <language>', 'pt or en (default: the language of the terminal)')
    .action(async (rule: string, options: BacktestCommand) => {
      const language = languageOf(options.lang, cli)
      const range = rangeOf(options, Date.now())
      const loaded = await openConfig(options, cli)
      const began = performance.now()
      const report = await run(rule, range, loaded, cli)
      if (options.json) return writeJson(cli.stdout, report)
      await writeLine(cli.stdout, await renderBacktest(report, { language, timezone: loaded.timezone }, cli))
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      await writeLine(
        cli.stderr,
        language === 'pt'
          ? `${report.events} eventos em ${seconds.replace('.', ',')} s`
          : `${report.events} events in ${seconds} s`,
      )
    })
  standard(command, [
    'anuente backtest carrinho-abandonado --from 2026-10-01 --to 2026-10-31',
    'anuente backtest carrinho-abandonado@4 --lang pt',
    'anuente backtest carrinho-abandonado --share live',
    'anuente backtest ./rules/novo.yaml --lang pt',
    "anuente backtest ./rules/novo.yaml --json | jq '.sends.byChannel'",
  ])
}

function rangeOf({ from, to, share }: BacktestCommand, now: number): Range {
  if (share !== undefined && share !== 'all' && share !== 'live')
    throw new CliError(
      'INVALID',
      `--share is all or live, not "${share}". Leave it out to try the rule on everybody.`,
      1,
      '--share',
    )
  const end = to === undefined ? now : Math.min(now, Date.parse(readTime(to, '--to', 'end')))
  const begin = from === undefined ? end - 30 * DAY_MS : Date.parse(readTime(from, '--from'))
  if (begin < end) return { from: begin, to: end, now, ...(share && { share }) }
  throw new CliError(
    'INVALID',
    begin >= now
      ? '--from lies in the future: a backtest needs days that have passed.'
      : '--from must be before --to: write the earlier day first.',
    1,
    '--from',
  )
}

/** Reads beside a running hub, or without one. */
async function run(name: string, range: Range, loaded: LoadedConfig, cli: Cli): Promise<BacktestReport> {
  const wanted = wantedRule(name)
  const [{ runBacktest }, { createKeys, loadMasterKey }] = await Promise.all([
    import('../core/backtests/run.ts'),
    import('../core/keys.ts'),
  ])
  const state = await openToRead(loaded)
  let bar = NO_PROGRESS
  try {
    const keys = createKeys(loadMasterKey(join(loaded.dataDir, 'master.key'), cli.env))
    const running = {
      stop: new AbortController().signal,
      onRule: () => {},
      onTotal: (people: number) => {
        bar = progress(cli, 'backtest', people)
      },
      onPeople: (people: number) => bar.add(people),
    }
    return await runBacktest(wanted, range, running, { config: loaded, state, keys })
  } finally {
    bar.end()
    await state.close()
  }
}

/** A file where there is one of that name; else an id. */
export function wantedRule(name: string): { id: string } | { file: string; text: string } {
  if (existsSync(name)) return { file: name, text: readFileSync(name, 'utf8') }
  if (/\.(ya?ml|json)$/.test(name))
    throw new CliError('NO_FILE', `there is no file ${name}. Name one that is there, or the id of a rule.`, 1, name)
  return { id: name }
}

interface Look {
  readonly language: 'pt' | 'en'
  readonly timezone: string
}

const ARMS: Readonly<Record<string, { readonly pt: string; readonly en: string }>> = {
  treated: { pt: 'receberiam', en: 'would be sent it' },
  control: { pt: 'controle da regra', en: "the rule's control" },
  holdout: { pt: 'reserva geral', en: 'global holdout' },
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
  const armWords = (arm: string) => ARMS[arm]?.[language] ?? arm
  const number = new Intl.NumberFormat(language === 'pt' ? 'pt-BR' : 'en-GB')
  const percent = new Intl.NumberFormat(language === 'pt' ? 'pt-BR' : 'en-GB', {
    style: 'percent',
    maximumFractionDigits: 1,
  })
  const day = new Intl.DateTimeFormat(language === 'pt' ? 'pt-BR' : 'en-GB', { dateStyle: 'short', timeZone: timezone })
  const lines: string[] = []
  const part = (title: string, rows: readonly (readonly string[])[], heads: readonly string[] = []) => {
    if (rows.length === 0) return
    const all = heads.length > 0 ? [['', ...heads].map((head) => c.dim(head)), ...rows] : rows
    lines.push('', c.bold(title), table(all.map((row) => [`  ${row[0]}`, ...row.slice(1)])))
  }
  const counts = (of: Readonly<Record<string, number>>, name = (key: string) => key) =>
    Object.entries(of).map(([key, count]) => [name(key), number.format(count)])

  lines.push(
    c.bold(`${report.rule.id} v${report.rule.version}`) +
      c.dim(
        `  ${report.rule.published ? say('publicada', 'published') : say('não publicada', 'not published')}, ${say(`testada com ${percent.format(report.share.tried)} das pessoas`, `tried on ${percent.format(report.share.tried)} of people`)}  ${day.format(new Date(report.from))} – ${day.format(new Date(report.to))}`,
      ),
    say(
      `${number.format(report.sends.total)} envios a ${number.format(report.people.sent)} pessoas; ${percent.format(report.blocked.consentShare)} barrado por consentimento.`,
      `${number.format(report.sends.total)} sends to ${number.format(report.people.sent)} people; ${percent.format(report.blocked.consentShare)} stopped by consent.`,
    ),
  )
  if (report.historyBegins === null)
    lines.push(say('A história está vazia: nada foi guardado ainda.', 'History is empty: nothing was kept yet.'))
  else if (Date.parse(report.historyBegins) > Date.parse(report.from)) {
    const begins = day.format(new Date(report.historyBegins))
    lines.push(
      say(
        `A história começa em ${begins}: dos dias antes disso nada se sabe.`,
        `History begins on ${begins}: of the days before nothing is known.`,
      ),
    )
  }
  if (report.days.length === 0)
    lines.push(
      say('Nenhum caso nestes dias: nada fez a regra agir.', 'No case in these days: nothing made the rule act.'),
    )
  part(
    say('Por dia', 'Per day'),
    report.days.map((one) => [
      language === 'pt' ? one.day.split('-').reverse().join('/') : one.day,
      number.format(one.matches),
      number.format(one.sends),
      number.format(one.heldOut),
      number.format(one.blocked),
    ]),
    language === 'pt' ? ['casos', 'envios', 'controle', 'barrados'] : ['matches', 'sends', 'held out', 'stopped'],
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
  part(say('Controle e tratados', 'Control and treated'), counts(report.sends.arms, armWords))
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
    report.samples.map(({ person, result, sentence }) => [c.dim(person), words(result), sentence[language]]),
  )
  if (report.clock === 'ideal')
    lines.push(
      '',
      c.dim(
        say(
          'Aproximado: esperas e agendas contam como se o hub acordasse no instante exato.',
          'Approximate: waits and schedules count as if the hub woke at the very moment.',
        ),
      ),
    )
  lines.push('', ...report.notes.map((note) => c.dim(note[language])))
  return lines.join('\n')
}
