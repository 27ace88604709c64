/** The state, for commands that only read it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadedConfig } from '../core/config.ts'
import type { StateStore } from '../core/stores/open.ts'
import { CliError } from './output.ts'

/** Beside a running hub, or without one. @throws CliError where nothing was ever kept. */
export async function openToRead(loaded: LoadedConfig): Promise<StateStore> {
  const file = join(loaded.dataDir, 'state.db')
  const postgres = loaded.config.storage?.state
  // Opening would make an empty one.
  if (!postgres && !existsSync(file))
    throw new CliError('NO_DATA', `no hub has run on ${loaded.dataDir} yet. Start one with anuente serve.`)
  const { openState } = await import('../core/stores/open.ts')
  return openState({ file, postgres }, { migrate: false })
}
