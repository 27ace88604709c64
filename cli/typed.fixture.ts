/** A command typed at a terminal, in this process. */
import { PassThrough } from 'node:stream'
import { run } from './program.ts'

export interface Ended {
  /** Exit code. */
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface AtTerminal {
  /** Path of the configuration file, given as `--config`. */
  readonly config?: string
  /** What is piped in. */
  readonly input?: string
  /** The environment; without colours. Empty by default: the machine's own settings decide nothing. */
  readonly env?: NodeJS.ProcessEnv
  /** Standard error is a terminal: bars are drawn there. */
  readonly terminal?: boolean
}

/** @param words what is typed after `anuente` */
export async function typed(
  words: readonly string[],
  { config, input = '', env = {}, terminal = false }: AtTerminal = {},
): Promise<Ended> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  if (terminal) Object.assign(stderr, { isTTY: true, columns: 100, cursorTo() {}, clearLine() {} })
  stdin.end(input)
  let [out, err] = ['', '']
  stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const code = await run(['node', 'anuente', ...words, ...(config ? ['--config', config] : [])], {
    stdin,
    stdout,
    stderr,
    env: { ...env, NO_COLOR: '1' },
  })
  // What was written last is read in the next turn.
  await new Promise(setImmediate)
  return { code, out, err }
}
