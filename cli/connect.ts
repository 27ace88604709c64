/** `anuente connect`: an account at a vendor by OAuth, from a terminal. The code is pasted, or heard on this machine. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { runHubCommand } from './hub-command.ts'
import { openConfig, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'

interface ConnectOptions extends StandardOptions {
  readonly listen?: string
  readonly disconnect?: boolean
}

interface Begun {
  readonly url: string
  readonly state: string
  readonly redirectUrl: string
}

/** How long somebody may take to agree; the state is good as long. */
const WAIT_MS = 15 * 60_000

export function addConnect(program: Command, cli: Cli): void {
  standard(
    program
      .command('connect')
      .argument('<destination>', 'destination of the configuration, with clientId and clientSecret in its settings')
      .summary("connect a destination's account by OAuth")
      .description(
        "Prints the vendor's page; open it and agree. The vendor sends the browser to /oauth/callback of the hub, which shows the code to paste here. With --listen it is sent to this machine instead; that address must be registered with the app too.",
      )
      .option('--listen <port>', 'take the code on http://127.0.0.1:<port>/callback; 0: any free port')
      .option('--disconnect', 'forget the tokens; deliveries wait from then on')
      .action((destination: string, options: ConnectOptions) => connectAccount(destination, options, cli)),
    ['anuente connect rdstation', 'anuente connect google-ads --listen 8765', 'anuente connect hubspot --disconnect'],
  )
}

async function connectAccount(destination: string, options: ConnectOptions, cli: Cli): Promise<void> {
  const loaded = await openConfig(options, cli)
  const say = (text: string) => writeLine(options.json ? cli.stderr : cli.stdout, text)
  if (options.disconnect) {
    const answer = await runHubCommand(loaded, 'disconnect', { destination }, cli)
    return options.json
      ? writeJson(cli.stdout, answer)
      : say(`${destination} is disconnected. Take the app away in the account at the vendor as well.`)
  }
  const listening = options.listen === undefined ? undefined : await listen(options.listen)
  try {
    const begun = (await runHubCommand(
      loaded,
      'beginConnection',
      { destination, session: 'terminal', ...(listening && { redirectUrl: listening.redirectUrl }) },
      cli,
    )) as Begun
    await say(`Registered with the app must be:  ${begun.redirectUrl}`)
    await say(`Open this page and agree:\n${begun.url}`)
    const { code, state } = listening ? await listening.back : await pasted(begun, cli)
    if (state !== begun.state)
      throw new CliError('STATE_UNKNOWN', 'This answer belongs to another authorisation. Begin again.')
    const answer = await runHubCommand(loaded, 'finishConnection', { code, state, session: 'terminal' }, cli)
    if (options.json) return writeJson(cli.stdout, answer)
    await say(`${destination} is connected. What waited for it leaves now.`)
  } finally {
    listening?.close()
  }
}

interface Back {
  readonly code: string
  readonly state: string
}

/** RFC 8252 §7.3: a port of this machine that hears one answer. */
async function listen(port: string): Promise<{ redirectUrl: string; back: Promise<Back>; close(): void }> {
  if (!/^\d{1,5}$/.test(port)) throw new CliError('INVALID', '--listen is a port, such as 8765')
  let answer: (back: Back) => void = () => {}
  let fail: (error: Error) => void = () => {}
  const back = new Promise<Back>((resolve, reject) => {
    answer = resolve
    fail = reject
  })
  // Whoever gave up before asking is told by what gave up.
  back.catch(() => {})
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
    if (pathname !== '/callback') return response.writeHead(404).end()
    const { code, state, error } = Object.fromEntries(searchParams)
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    if (code !== undefined && state !== undefined) {
      response.end(
        'Pode fechar esta página e voltar ao terminal.\nYou can close this page and go back to the terminal.\n',
      )
      return answer({ code, state })
    }
    response.end('A autorização não foi dada.\nThe authorisation was not given.\n')
    fail(
      new CliError(
        'REFUSED',
        `The vendor answered without a code${/^[a-z_]{1,60}$/.test(error ?? '') ? ` (${error})` : ''}.`,
      ),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new CliError('PORT', `127.0.0.1:${port} cannot be opened (${error.code ?? 'unknown'}). Choose another.`)),
    )
    server.listen(Number(port), '127.0.0.1', resolve)
  })
  const timer = setTimeout(
    () => fail(new CliError('TIMEOUT', 'Nobody agreed within 15 minutes. Begin again.')),
    WAIT_MS,
  )
  return {
    redirectUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    back,
    close() {
      clearTimeout(timer)
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The code alone, or the whole address that the browser ended at. */
async function pasted({ state }: Begun, { stdin, stderr }: Cli): Promise<Back> {
  const asking = createInterface({ input: stdin, output: stderr })
  try {
    const text = (
      await Promise.race([
        asking.question('Code, or the address the browser ended at: '),
        new Promise<string>((resolve) => asking.once('close', () => resolve(''))),
      ])
    ).trim()
    if (text === '') throw new CliError('INVALID', 'No code was given.')
    if (!URL.canParse(text)) return { code: text, state }
    const given = new URL(text).searchParams
    return { code: given.get('code') ?? '', state: given.get('state') ?? '' }
  } finally {
    asking.close()
  }
}
