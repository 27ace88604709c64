/** `anuente sandbox NAME`: the stand-in for one vendor on a port of this machine, telling what reaches it. */

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { unknownName } from '../core/config/words.ts'
import { type SandboxAnswer, type SandboxRequest, serveSandboxes } from '../core/testing/sandbox.ts'
import { DEFAULT_CONFIG, type StandardOptions, standard } from './options.ts'
import { type Cli, CliError, writeJson, writeLine } from './output.ts'
import { loadConnectors } from './registry.ts'

interface SandboxOptions extends StandardOptions {
  readonly port: string
  readonly bodies?: boolean
}

export function addSandbox(program: Command, cli: Cli): void {
  const command = program
    .command('sandbox')
    .argument('<connector>', 'a destination connector, of the hub or of the folders named in anuente.yaml')
    .summary('stand in for a vendor, to try a destination')
    .description(
      'Answers like the vendor of a connector on a port of this machine, keeps everything in memory and sends nothing anywhere. Prints one line per request until SIGINT. Put the address it prints under destinations.<id>.sandbox.',
    )
    .option('--port <number>', 'port to listen on', '8790')
    .option('--bodies', 'also print what each request carries, personal data included')
    .action(async (name: string, options: SandboxOptions) => {
      const file = resolve(options.config ?? DEFAULT_CONFIG)
      const { sandboxes } = await loadConnectors(file, cli.env, cli.registry)
      const sandbox = sandboxes.get(name)
      if (!sandbox)
        throw new CliError('UNKNOWN_CONNECTOR', unknownName('connector with a sandbox', name, sandboxes.keys()))
      const port = Number(options.port)
      if (!Number.isInteger(port) || port < 0 || port > 65535)
        throw new CliError('INVALID', `--port ${options.port} is not a port. Give a number from 0 (any) to 65535.`)
      const told = (request: SandboxRequest, { status }: SandboxAnswer) => {
        const { method, path, body } = request
        if (options.json) return writeJson(cli.stdout, { method, path, status, ...(options.bodies && { body }) })
        const text = options.bodies && body !== undefined ? `  ${JSON.stringify(body)}` : ''
        return writeLine(cli.stdout, `${method} ${path} → ${status}${text}`)
      }
      const running = await serveSandboxes([sandbox], {
        port,
        observe: (_, request, answer) => void told(request, answer),
      }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE')
          throw new CliError('PORT_IN_USE', `another program uses port ${port}. Choose another one with --port.`)
        throw error
      })
      const settings = sandbox.settings(running.baseUrl(name))
      if (options.json) await writeJson(cli.stdout, { url: running.baseUrl(name), settings })
      else
        await writeLine(
          cli.stdout,
          `The sandbox of ${name} answers at ${running.baseUrl(name)}\nIt takes these settings: ${JSON.stringify(settings)}`,
        )
      await new Promise<void>((done) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done())
      })
      await running.close()
    })
  standard(command, ['anuente sandbox rdstation', 'anuente sandbox clima --port 8791 --bodies'])
}
