/** `anuente ropa` and `anuente ripd`: the record of processing (art. 37) and the draft of the impact report (art. 38). */
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { draftRipd } from '../consent/reports/ripd.ts'
import { exportRopa } from '../consent/reports/ropa-export.ts'
import type { Document, Drift, Ropa, RopaDiff } from '../schemas/records.ts'
import { readTime, showDay } from './day.ts'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, table, writeJson, writeLine } from './output.ts'

interface ExportOptions extends StandardOptions {
  readonly format?: string
  readonly lang?: string
  readonly at?: string
  readonly out?: string
  readonly purpose?: string
}

export function addRopa(program: Command, cli: Cli): void {
  const ropa = program
    .command('ropa')
    .summary('record of processing operations (LGPD art. 37)')
    .description(
      'The record of art. 37: what the configuration declares, joined with what was seen in the last 90 days.',
    )
  const exported = ropa
    .command('export')
    .description('Print the record, or write it to a file.')
    .option('--format <format>', 'csv, json or html (default: html; json with --json)')
    .option('--lang <language>', 'pt or en (default: pt)')
    .option('--at <time>', 'the record as it was then')
    .option('--out <file>', 'write to this file')
    .action((options: ExportOptions) => exportRecord(options, cli))
  const diff = ropa
    .command('diff')
    .description('What changed in what is declared between two dates.')
    .requiredOption('--from <time>', 'the earlier date')
    .option('--to <time>', 'the later date (default: now)')
    .action((options: StandardOptions & { from: string; to?: string }) => showDiff(options, cli))
  const drift = ropa
    .command('drift')
    .description('Where declared and observed part. Exit code 2 when something is observed that is not declared.')
    .action((options: StandardOptions) => showDrift(options, cli))
  standard(exported, [
    'anuente ropa export --out ropa.html',
    'anuente ropa export --format csv --lang en --out ropa.csv',
  ])
  standard(diff, ['anuente ropa diff --from 2026-01-01', 'anuente ropa diff --from 2026-01-01 --to 2026-06-30 --json'])
  standard(drift, ['anuente ropa drift'])

  const ripd = program
    .command('ripd')
    .summary('draft of the impact report (LGPD art. 38)')
    .description('Drafts the impact report from the same facts. The analysis is the controller’s.')
  const draft = ripd
    .command('draft')
    .description('Print the draft as Markdown, or write it to a file.')
    .option('--purpose <id>', 'only this purpose')
    .option('--lang <language>', 'pt or en (default: pt)')
    .option('--out <file>', 'write to this file')
    .action((options: ExportOptions) => draftReport(options, cli))
  standard(draft, ['anuente ripd draft --out ripd.md', 'anuente ripd draft --purpose ads_personalization --lang en'])
}

function languageOf(text = 'pt'): 'pt' | 'en' {
  if (text !== 'pt' && text !== 'en') throw new CliError('INVALID', '--lang is pt or en')
  return text
}

async function recordOf(options: ExportOptions, cli: Cli): Promise<Ropa> {
  const loaded = await openConfig(options, cli)
  return (await (options.at === undefined
    ? runHubCommand(loaded, 'ropa', {}, cli)
    : runHubCommand(loaded, 'ropaAt', { at: readTime(options.at, '--at', 'end') }, cli))) as Ropa
}

async function exportRecord(options: ExportOptions, cli: Cli): Promise<void> {
  const format = options.format ?? (options.json ? 'json' : 'html')
  if (format !== 'csv' && format !== 'json' && format !== 'html')
    throw new CliError('INVALID', '--format is csv, json or html')
  await give(exportRopa(await recordOf(options, cli), format, languageOf(options.lang)), options, cli)
}

async function draftReport(options: ExportOptions, cli: Cli): Promise<void> {
  const ropa = await recordOf(options, cli)
  if (options.purpose !== undefined && !ropa.activities.some(({ purpose }) => purpose === options.purpose))
    throw new CliError('NOT_FOUND', `no purpose is called ${options.purpose}`)
  await give(draftRipd(ropa, languageOf(options.lang), options.purpose), options, cli)
}

async function give(document: Document, options: ExportOptions, cli: Cli): Promise<void> {
  if (options.out !== undefined) {
    writeFileSync(options.out, document.text)
    if (options.json) return writeJson(cli.stdout, { file: options.out, type: document.type })
    return writeLine(cli.stdout, options.out)
  }
  if (options.json)
    return writeJson(cli.stdout, document.type === 'application/json' ? JSON.parse(document.text) : document)
  await writeLine(cli.stdout, document.text.trimEnd())
}

async function showDiff(options: StandardOptions & { from: string; to?: string }, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const diff = (await runHubCommand(
    loaded,
    'ropaDiff',
    {
      from: readTime(options.from, '--from', 'end'),
      to: options.to === undefined ? new Date().toISOString() : readTime(options.to, '--to', 'end'),
    },
    cli,
  )) as RopaDiff
  if (options.json) return writeJson(cli.stdout, diff)
  await writeLine(cli.stdout, `${showDay(diff.from)} → ${showDay(diff.to)}`)
  const rows = [
    ...diff.added.map((purpose) => ['+', purpose, '', '', '']),
    ...diff.removed.map((purpose) => ['-', purpose, '', '', '']),
    ...diff.changed.map(({ purpose, path, before, after }) => [
      '~',
      purpose,
      path,
      JSON.stringify(before),
      JSON.stringify(after),
    ]),
  ]
  await writeLine(cli.stdout, rows.length === 0 ? 'Nothing changed.' : table(rows))
}

async function showDrift(options: StandardOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  await runHubCommand(loaded, 'recordRopa', {}, cli)
  const items = (await runHubCommand(loaded, 'listDrift', {}, cli)) as Drift[]
  if (items.some(({ kind }) => kind !== 'declared_never_observed')) cli.exit(2)
  if (options.json) return writeJson(cli.stdout, items)
  await writeLine(
    cli.stdout,
    items.length === 0
      ? 'Declared and observed agree.'
      : table(items.map(({ kind, subject, count, denied }) => [kind, subject, String(count), denied ? 'denied' : ''])),
  )
}
