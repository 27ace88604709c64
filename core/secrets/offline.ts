/**
 * Secrets of a hub that does not run, perhaps because one of them is missing: the rest of the configuration may be
 * wrong, and the state need not exist yet.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createKeys, loadMasterKey } from '../keys.ts'
import { callLocal, serveLocal, socketPath } from '../local-socket.ts'
import { CommandError, type CommandResult } from '../server/context.ts'
import { openState, type StateStore } from '../stores/open.ts'
import { secretCommands } from './commands.ts'
import type { StoreLocation } from './read.ts'

/** By the running hub of this data directory; without one, on the files, which are locked meanwhile. */
export async function runSecretCommand(
  { dataDir, postgres }: StoreLocation,
  name: string,
  args: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CommandResult> {
  const heard = await callLocal(socketPath(dataDir), { name, args })
  if (heard) return heard
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const lock = await serveLocal(socketPath(dataDir), async () => ({
    ok: false,
    code: 'BUSY',
    message: 'a command is working on the files; try again when it is done',
  }))
  try {
    const keys = createKeys(loadMasterKey(join(dataDir, 'master.key'), env))
    const state = await openState({ file: join(dataDir, 'state.db'), postgres })
    try {
      const handler = secretCommands(keys)[name]
      if (!handler) return { ok: false, code: 'UNKNOWN_COMMAND', message: `there is no command ${name}` }
      const value = await state.transaction((trx) =>
        handler(args, {
          state: { ...state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
          actor: 'cli',
          now: Date.now(),
        }),
      )
      // What was sealed under a key that is gone does not linger in the write-ahead file.
      state.checkpoint()
      return { ok: true, value }
    } catch (error) {
      if (error instanceof CommandError) return { ok: false, code: error.code, message: error.message }
      throw error
    } finally {
      await state.close()
    }
  } finally {
    await lock.close()
  }
}
