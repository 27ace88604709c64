/** `anuente serve`: the hub, until it is told to stop. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { DEFAULT_CONFIG, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'

export function addServe(program: Command, cli: Cli): void {
  const command = program
    .command('serve')
    .summary('run the hub')
    .description(
      'Takes events, decides and delivers until SIGINT or SIGTERM; what was answered by then is on disk. Logs go to standard error.',
    )
    .action(async (options: StandardOptions) => {
      // Loaded only here: the other commands start faster without the server.
      const { startHub } = await import('../core/hub.ts')
      const hub = await startHub({
        configFile: resolve(options.config ?? DEFAULT_CONFIG),
        registry: cli.registry,
        worker: new URL('./worker.ts', import.meta.url),
        log: 'json',
      }).catch(explainStart)
      const invitation = await hub.invitation()
      for (const message of hub.warnings) await writeLine(cli.stderr, `warning: ${message}`)
      if (options.json)
        await writeJson(cli.stdout, {
          url: hub.url,
          publicUrl: hub.config.publicUrl,
          ...(invitation && { invitation }),
        })
      else {
        await writeLine(cli.stdout, `Anuente listens on ${hub.url}; its public address is ${hub.config.publicUrl}`)
        if (invitation) await writeLine(cli.stdout, `Make the first administrator here, once: ${invitation}`)
      }
      await stopSignal()
      await hub.close()
    })
  standard(command, ['anuente serve', 'anuente serve --config /etc/anuente/anuente.yaml'])
}

function explainStart(error: NodeJS.ErrnoException & { port?: number }): never {
  if (error.code === 'EADDRINUSE')
    throw new CliError(
      'PORT_IN_USE',
      `another program uses port ${error.port}. Stop it, or choose another server.port.`,
    )
  if (error.code === 'EACCES' && error.port !== undefined)
    throw new CliError(
      'PORT_REFUSED',
      `port ${error.port} needs more rights. Use 8787 behind a proxy (docs/deploy.md).`,
    )
  throw error
}

/** The first signal ends in order; a second one takes the default action and ends at once. */
function stopSignal(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
  })
}
