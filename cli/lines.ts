/** Standard input, line by line, with a progress bar when a file is read on a terminal. */
import { fstatSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Cli, CliError, NO_PROGRESS, progress } from './output.ts'

/** Skips empty lines. @throws CliError when a person at a terminal gave no input. */
export async function* readLines(cli: Cli, label: string): AsyncGenerator<string> {
  if (cli.stdin.isTTY) throw new CliError('NO_INPUT', 'give the lines on standard input: anuente … < lines.ndjson')
  // A result follows each line: on a terminal the bar would stand among them.
  const bar = cli.stdout.isTTY ? NO_PROGRESS : progress(cli, label, sizeOf(cli))
  try {
    for await (const line of createInterface({ input: cli.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
      bar.add(Buffer.byteLength(line) + 1)
      if (line.trim() !== '') yield line
    }
  } finally {
    bar.end()
  }
}

function sizeOf({ stdin }: Cli): number | undefined {
  const { fd } = stdin as { fd?: number }
  if (fd === undefined) return undefined
  const found = fstatSync(fd)
  return found.isFile() ? found.size : undefined
}
