/** `anuente demo`: a simulated shop, its vendors and a hub between them, on this machine alone. */
import type { Command } from 'commander'
import { type Cli, CliError } from './output.ts'

interface Given {
  readonly speed?: number
  readonly seed?: number
  readonly people?: number
  readonly once?: number
  readonly dir?: string
  readonly reset?: boolean
  readonly open?: boolean
  readonly headless?: boolean
  readonly assert?: boolean
  readonly json?: boolean
}

export function addDemo(program: Command, cli: Cli): void {
  program
    .command('demo')
    .summary('run a simulated shop through the hub')
    .description(
      'Starts a simulated Brazilian shop, stand-ins for its vendors and a hub between them, and opens the cockpit. Everything shown is simulated; nothing leaves this machine.',
    )
    .option('--speed <factor>', 'shop time per real time', positive('--speed'))
    .option('--seed <number>', 'another shop, the same every time', whole('--seed'))
    .option('--people <number>', 'how many people the shop has', whole('--people'))
    .option('--reset', 'begin with an empty data directory')
    .option('--dir <folder>', 'where configuration and data lie (default: ./.demo)')
    .option('--no-open', 'open no browser')
    .option('--headless', 'no browser and no words of welcome')
    .option('--once <events>', 'end after that many events', whole('--once'))
    .option('--assert', 'play for a minute, then check that everyone got what they should: exit code 2 when not')
    .option('--json', 'print addresses and result as JSON, one value per line')
    .addHelpText(
      'after',
      '\nExamples:\n  anuente demo\n  anuente demo --reset --speed 10\n  anuente demo --headless --assert\n  anuente demo --no-open --once 200 --json',
    )
    .action(async (options: Given) => {
      // Loaded only here: the other commands need neither shop nor server.
      const { runDemo } = await import('../demo/start.ts')
      if ((await runDemo(options, cli)) !== 0) cli.exit(2)
    })
}

function whole(name: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,9}$/.test(text)) throw new CliError('INVALID', `${name} is a whole number`)
    return Number(text)
  }
}

function positive(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!(value > 0 && Number.isFinite(value))) throw new CliError('INVALID', `${name} is a number above 0`)
    return value
  }
}
