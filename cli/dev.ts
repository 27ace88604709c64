/** `anuente dev`: a page to try a destination connector in, against its sandbox or the real vendor. */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { unknownName } from '../core/config/words.ts'
import { openFailures } from './dev/failures.ts'
import { startDev } from './dev/server.ts'
import { DEFAULT_CONFIG, openConfigIfThere, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'
import { loadConnectors } from './registry.ts'

interface DevOptions extends StandardOptions {
  readonly port: string
  readonly dir: string
}

export function addDev(program: Command, cli: Cli): void {
  standard(
    program
      .command('dev')
      .argument('<connector>', 'a destination connector, of the hub or of the folders named in anuente.yaml')
      .summary('try a destination connector in a page')
      .description(
        'Opens a tester on this machine: an event on the left, settings and mapping in the middle, and on the right the consent decision, the payload, the request and the answer of the sandbox or of the real vendor. Saves examples that the contract suite runs, also from failed deliveries, with everything personal replaced. Until SIGINT.',
      )
      .option('--port <number>', 'port to listen on; any free one when absent', '0')
      .option('--dir <folder>', 'where the folders of your own connectors are', './connectors')
      .action((name: string, options: DevOptions) => dev(name, options, cli)),
    ['anuente dev clima', 'anuente dev rdstation --port 8791', 'anuente dev clima --dir ./integrations --json'],
  )
}

async function dev(name: string, options: DevOptions, cli: Cli): Promise<void> {
  const port = Number(options.port)
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new CliError('INVALID', `--port ${options.port} is not a port. Give a number from 0 (any) to 65535.`)
  const { sandboxes } = await loadConnectors(resolve(options.config ?? DEFAULT_CONFIG), cli.env, cli.registry)
  const definition = cli.registry.destinations.get(name)
  if (!definition)
    throw new CliError(
      'UNKNOWN_CONNECTOR',
      unknownName('destination connector', name, cli.registry.destinations.keys()),
    )
  const loaded = await openConfigIfThere(options, cli, true)
  const failures = loaded && (await openFailures(loaded, name, cli.env as NodeJS.ProcessEnv))
  const server = await startDev({
    definition,
    registry: cli.registry,
    loaded,
    sandbox: sandboxes.get(name),
    folder: folderOf(name, options.dir),
    port,
    failures,
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE')
      throw new CliError('PORT_IN_USE', `another program uses port ${port}. Choose another one with --port.`)
    throw error
  })
  if (options.json) await writeJson(cli.stdout, { url: server.url })
  else
    await writeLine(
      cli.stdout,
      `${definition.name} can be tried at ${server.url}\nThe address carries a key: it works in the browser of this machine alone.`,
    )
  await new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
  await server.close()
  await failures?.close()
}

/** The company's own folder, else that of the hub. */
function folderOf(name: string, dir: string): string {
  const own = resolve(dir, name)
  return existsSync(own) ? own : join(dirname(fileURLToPath(import.meta.url)), '..', 'connectors', name)
}
