/**
 * A command on the files of a hub that does not run. It holds the hub's socket meanwhile, so that
 * no hub starts underneath it. Nothing is processed or delivered here: the next start does that.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { importConsent } from './answers/import.ts'
import type { LoadedConfig } from './config.ts'
import { finishConnection } from './connections/flow.ts'
import { createKeepers } from './connections/keepers.ts'
import { manageWebhooks, WEBHOOK_COMMANDS } from './connections/webhooks.ts'
import { directWriter } from './connections/writer.ts'
import { committedState } from './hub.ts'
import { createKeys, loadMasterKey } from './keys.ts'
import { serveLocal, socketPath } from './local-socket.ts'
import { openLogReader, openLogWriter } from './log/sqlite/log.ts'
import { readSurroundings, ruleBookOf } from './roles/surroundings.ts'
import { processCommands } from './server/commands.ts'
import { type Command, CommandError, type CommandResult } from './server/context.ts'
import { importRows } from './server/import-rows.ts'
import { redriveQuarantine } from './server/redrive.ts'
import { redriveDeliveries } from './server/redrive-deliveries.ts'
import { openState, type StateStore } from './stores/open.ts'

/** @throws when a hub is running on this data directory. */
export async function runOffline(
  config: LoadedConfig,
  command: Command,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<CommandResult> {
  const stateFile = join(config.dataDir, 'state.db')
  const postgres = config.config.storage?.state
  if (!postgres && !existsSync(stateFile))
    return { ok: false, code: 'NO_DATA', message: `no hub has run on ${config.dataDir} yet` }
  const lock = await serveLocal(socketPath(config.dataDir), async () => ({
    ok: false,
    code: 'BUSY',
    message: 'a command is working on the files; try again when it is done',
  }))
  try {
    const state = await openState({ file: stateFile, postgres })
    try {
      return { ok: true, value: await carryOut(command, config, state, environment) }
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

async function carryOut(
  command: Command,
  config: LoadedConfig,
  state: StateStore,
  environment: NodeJS.ProcessEnv,
): Promise<unknown> {
  const keys = createKeys(loadMasterKey(join(config.dataDir, 'master.key'), environment))
  const handlers = processCommands(config, keys)
  const change = async ({ name, args, actor }: Command): Promise<unknown> => {
    const handler = handlers[name]
    if (!handler) throw new CommandError('UNKNOWN_COMMAND', `there is no command ${name}`)
    return state.transaction((trx) =>
      handler(args, {
        state: { ...state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
        actor,
        now: Date.now(),
      }),
    )
  }
  const written = async (inner: Command): Promise<CommandResult> => ({ ok: true, value: await change(inner) })
  if (command.name === 'redriveDeliveries') {
    const surroundings = readSurroundings(config)
    const book = await ruleBookOf(config, surroundings, state, keys, Date.now)
    const log = openLogReader(join(config.dataDir, 'log.db'), keys)
    try {
      const ports = {
        state,
        keys,
        log,
        clock: Date.now,
        publicUrl: config.publicUrl,
        rules: book.now().rules,
        purposes: surroundings.purposes,
        destinations: config.destinationSettings,
      }
      return await redriveDeliveries(command, ports, written)
    } finally {
      log.close()
    }
  }
  if (WEBHOOK_COMMANDS.has(command.name)) {
    const writer = directWriter(state, keys, Date.now)
    const keepers = createKeepers(config, { db: state.db, writer, keys, clock: Date.now })
    try {
      return await manageWebhooks(command, { config, clock: Date.now, credentialsFor: keepers.of })
    } finally {
      await keepers.close()
    }
  }
  // The vendor is asked outside of any transaction.
  if (command.name === 'finishConnection')
    return finishConnection(command, {
      config,
      clock: Date.now,
      run: async (inner) => ({ ok: true, value: await change(inner) }),
    })
  if (!['redriveQuarantine', 'importConsent', 'importRows'].includes(command.name)) return change(command)

  const writer = openLogWriter(join(config.dataDir, 'log.db'), keys, await committedState(state))
  try {
    const ports = {
      sources: config.sourceSettings,
      byCredential: new Map<string, string>(),
      purposes: readSurroundings(config).purposes,
      keys,
      log: writer,
      maxLogBytes: Number.POSITIVE_INFINITY,
    }
    if (command.name === 'importConsent') return await importConsent(command, { ...ports, state })
    if (command.name === 'importRows') return await importRows(command, ports)
    return await redriveQuarantine(command, ports, state, written)
  } finally {
    writer.close()
  }
}
