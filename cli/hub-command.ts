/** A command that writes goes to the running hub, which alone may change its files; without one, to the files. */
import type { LoadedConfig } from '../core/config.ts'
import { callLocal, socketPath } from '../core/local-socket.ts'
import { type Cli, CliError } from './output.ts'

/** @returns what the command answered. @throws CliError when it was refused. */
export async function runHubCommand(
  loaded: LoadedConfig,
  name: string,
  args: Readonly<Record<string, unknown>>,
  { env }: Cli,
): Promise<unknown> {
  const result = (await callLocal(socketPath(loaded.dataDir), { name, args })) ?? (await offline())
  if (!result.ok) throw new CliError(result.code, result.message)
  return result.value

  async function offline() {
    const { runOffline } = await import('../core/offline.ts')
    return runOffline(loaded, { name, args, actor: 'cli' }, env)
  }
}
