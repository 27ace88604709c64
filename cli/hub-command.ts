/** A command that writes goes to the running hub, which alone may change its files. */
import type { LoadedConfig } from '../core/config.ts'
import { callLocal, socketPath } from '../core/local-socket.ts'
import { CliError } from './output.ts'

/** @returns what the hub answered. @throws CliError when it refused, or when no hub runs. */
export async function runHubCommand(
  loaded: LoadedConfig,
  name: string,
  args: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const result = await callLocal(socketPath(loaded.dataDir), { name, args })
  if (!result)
    throw new CliError(
      'NOT_RUNNING',
      `no hub is running on ${loaded.dataDir}. Start it with: anuente serve --config ${loaded.path}`,
    )
  if (!result.ok) throw new CliError(result.code, result.message)
  return result.value
}
