/** What every command has: --config, --json, examples in its help. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { LoadedConfig } from '../core/config.ts'
import { ConfigError } from '../core/kit/errors.ts'
import { loadWithSecrets } from '../core/secrets/read.ts'
import { type Cli, writeLine } from './output.ts'

export interface StandardOptions {
  readonly config?: string
  readonly json?: boolean
}

export const DEFAULT_CONFIG = 'anuente.yaml'

export function standard(command: Command, examples: readonly string[]): Command {
  return command
    .option('--config <file>', `configuration file (default: ./${DEFAULT_CONFIG})`)
    .option('--json', 'print results as JSON, one value per line')
    .addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`)
}

/** @throws ConfigError */
export async function openConfig(options: StandardOptions, cli: Cli): Promise<LoadedConfig> {
  const loaded = await loadWithSecrets(resolve(options.config ?? DEFAULT_CONFIG), {
    registry: cli.registry,
    env: cli.env,
  })
  for (const { message } of loaded.warnings) await writeLine(cli.stderr, `warning: ${message}`)
  return loaded
}

/**
 * For commands that also work with a connector alone. A file named on the command line must be
 * right; the one lying in the folder must be right only when `name` is not a connector.
 */
export async function openConfigIfThere(
  options: StandardOptions,
  cli: Cli,
  isConnector: boolean,
): Promise<LoadedConfig | undefined> {
  const file = resolve(options.config ?? DEFAULT_CONFIG)
  if (options.config === undefined && !existsSync(file)) return undefined
  try {
    return await loadWithSecrets(file, { registry: cli.registry, env: cli.env })
  } catch (error) {
    if (options.config === undefined && isConnector && error instanceof ConfigError) return undefined
    throw error
  }
}
