/** The command line as a function: arguments and streams in, exit code out. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command, CommanderError } from 'commander'
import { registry as allConnectors } from '../connectors/index.ts'
import type { Registry } from '../core/kit/define.ts'
import { ConfigError } from '../core/kit/errors.ts'
import { addAudiences } from './audiences.ts'
import { addAudit } from './audit.ts'
import { addBackfill } from './backfill.ts'
import { addBacktest } from './backtest.ts'
import { addConnect } from './connect.ts'
import { addConsent } from './consent.ts'
import { addDeliveries } from './deliveries.ts'
import { addDemo } from './demo.ts'
import { addDev } from './dev.ts'
import { addDoctor } from './doctor.ts'
import { addExplain } from './explain.ts'
import { addIdentity } from './identity.ts'
import { addIncident } from './incident.ts'
import { addInit } from './init.ts'
import { addKeys } from './keys.ts'
import { addLedger } from './ledger.ts'
import { addNew } from './new.ts'
import { addNormalize } from './normalize.ts'
import { addOffers } from './offers.ts'
import { DEFAULT_CONFIG } from './options.ts'
import { type Cli, CliError, type ExitStatus, type Terminal, writeJson, writeLine } from './output.ts'
import { addPlan } from './plan.ts'
import { addPolicy } from './policy.ts'
import { addPoll } from './poll.ts'
import { addPreview } from './preview.ts'
import { addRedrive } from './redrive.ts'
import { loadConnectors } from './registry.ts'
import { addReplay } from './replay.ts'
import { addRequests } from './requests.ts'
import { addRetention } from './retention.ts'
import { addRopa } from './ropa.ts'
import { addRules } from './rules.ts'
import { addSandbox } from './sandbox.ts'
import { addSecrets } from './secrets.ts'
import { addServe } from './serve.ts'
import { addWebhooks } from './webhooks.ts'

const COMMANDS = [
  addDemo,
  addInit,
  addServe,
  addDoctor,
  addNormalize,
  addPreview,
  addNew,
  addSandbox,
  addDev,
  addExplain,
  addBacktest,
  addReplay,
  addRedrive,
  addDeliveries,
  addPlan,
  addBackfill,
  addPoll,
  addConsent,
  addPolicy,
  addLedger,
  addRetention,
  addAudiences,
  addRules,
  addOffers,
  addRopa,
  addIdentity,
  addIncident,
  addKeys,
  addSecrets,
  addConnect,
  addWebhooks,
  addAudit,
  addRequests,
]

/** @param argv as process.argv: node, script, arguments. */
export async function run(
  argv: readonly string[],
  terminal: Terminal = process,
  registry: Registry = allConnectors,
): Promise<ExitStatus> {
  let status: ExitStatus = 0
  const cli: Cli & { registry: Registry } = {
    stdin: terminal.stdin,
    stdout: terminal.stdout,
    stderr: terminal.stderr,
    env: terminal.env,
    registry,
    exit: (code) => {
      if (code > status) status = code
    },
  }
  const program = buildProgram(cli)
  // Connectors of the company's own, before the command looks one up.
  program.hook('preAction', async (_, command) => {
    if (WITHOUT_CONNECTORS.has(topOf(command))) return
    const file = resolve(command.opts<{ config?: string }>().config ?? DEFAULT_CONFIG)
    cli.registry = await loadConnectors(file, cli.env, registry)
  })
  try {
    await program.parseAsync([...argv])
  } catch (error) {
    return await report(error, argv.includes('--json'), cli)
  }
  return status
}

/** Commands that make what a configuration names, and those that load the connectors themselves. */
const WITHOUT_CONNECTORS = new Set(['demo', 'init', 'new', 'sandbox', 'doctor', 'secrets'])

function topOf(command: Command): string {
  let top = command
  while (top.parent?.parent) top = top.parent
  return top.name()
}

/** Every command with its options. */
export function buildProgram(cli: Cli): Command {
  const program = new Command('anuente')
    .description(
      'Connector hub: Segment, RudderStack, GTM and RD Station in, consent asked at every step, rules, audiences and triggers out.',
    )
    .version(versionOf(), '-v, --version')
    .helpCommand('help [command]', 'how a command is used')
    .showHelpAfterError('(run the command with --help to see how it is used)')
    .addHelpText('after', '\nExit codes: 0 ok, 1 error, 2 verification failed, 3 overdue.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void cli.stdout.write(text),
      writeErr: (text) => void cli.stderr.write(text),
    })
  for (const add of COMMANDS) add(program, cli)
  return program
}

async function report(error: unknown, json: boolean, cli: Cli): Promise<ExitStatus> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 1
  // A reader such as head that has seen enough is no error.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0
  const known = error instanceof CliError ? error.code : error instanceof ConfigError ? 'CONFIG' : undefined
  const text = error instanceof Error ? error.message : String(error)
  if (json)
    await writeJson(cli.stdout, {
      error: {
        code: known ?? 'FAILED',
        message: text,
        path: error instanceof ConfigError || error instanceof CliError ? error.path : '',
      },
    })
  else if (known) await writeLine(cli.stderr, text)
  else
    await writeLine(
      cli.stderr,
      `This should not have happened: ${error instanceof Error ? (error.stack ?? text) : text}`,
    )
  return error instanceof CliError ? error.status : 1
}

function versionOf(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
