/** How commands speak: results on standard output, everything else on standard error, JSON when asked. */
import type { Readable, Writable } from 'node:stream'
import { SingleBar } from 'cli-progress'
import { createColors } from 'picocolors'
import type { Registry } from '../core/kit/define.ts'

export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What a command is given besides its own arguments. */
export interface Cli extends Terminal {
  readonly registry: Registry
  /** Worst exit code so far: 0 ok, 1 error, 2 verification failed, 3 overdue. */
  exit(code: ExitStatus): void
}
export type ExitStatus = 0 | 1 | 2 | 3

/** An answer for the person at the terminal, not a bug. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: string
  readonly status: ExitStatus
  /** Which argument or option it is about; empty: none. */
  readonly path: string
  constructor(code: string, message: string, status: ExitStatus = 1, path = '') {
    super(message)
    this.code = code
    this.status = status
    this.path = path
  }
}

export function colors({ stdout, env }: Terminal) {
  return createColors(Boolean(stdout.isTTY) && !env['NO_COLOR'])
}

export const writeLine = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(`${text}\n`, (error) => (error ? reject(error) : resolve()))
  })

/** One value per line, for other programs. */
export const writeJson = (stream: Writable, value: unknown): Promise<void> => writeLine(stream, JSON.stringify(value))

/** Left-aligned columns, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, width(cell))
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - width(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are written with ESC.
const width = (text: string) => text.replace(/\u001b\[\d+m/g, '').length

export interface Progress {
  add(count: number): void
  end(): void
}

/** Where a bar would stand between the lines of the results. */
export const NO_PROGRESS: Progress = { add: () => {}, end: () => {} }

/** A bar on a terminal, gone before the results are written; silence anywhere else. */
export function progress({ stderr }: Terminal, label: string, total: number | undefined): Progress {
  if (!stderr.isTTY) return NO_PROGRESS
  const format =
    total === undefined ? `${label} {value} {duration_formatted}` : `${label} {bar} {percentage}% {eta_formatted}`
  const bar = new SingleBar({
    format,
    stream: stderr as unknown as NodeJS.WritableStream,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 50,
  })
  bar.start(total ?? 0, 0)
  return { add: (count) => bar.increment(count), end: () => bar.stop() }
}
