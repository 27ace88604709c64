/** One role in a worker thread: the same role as in one thread, over a message port. */
import { parentPort, workerData } from 'node:worker_threads'
import { onPort } from '../config.ts'
import { createKeys } from '../keys.ts'
import type { Registry } from '../kit/define.ts'
import { ledgerSettings } from '../ledger/settings.ts'
import { openLogReader } from '../log/sqlite/log.ts'
import { loadWithSecrets } from '../secrets/read.ts'
import { processCommands } from '../server/commands.ts'
import type { Command, CommandResult, LiveEvent } from '../server/context.ts'
import { openState } from '../stores/open.ts'
import { writeTurn } from '../stores/turn.ts'
import { startDeliver } from './deliver.ts'
import { type ProcessOptions, startProcess } from './process.ts'
import { processSettings, readSurroundings, ruleBookOf } from './surroundings.ts'

export interface WorkerData {
  readonly role: 'process' | 'deliver'
  readonly configFile: string
  /** The one the hub listens on. */
  readonly port: number
  readonly logFile: string
  readonly stateFile: string
  readonly postgres: string | undefined
  readonly master: Uint8Array
  /** Whose turn it is to write the state, shared by the threads. */
  readonly turn: SharedArrayBuffer
}

export type ToWorker =
  | { readonly kind: 'wake' | 'stop' }
  | { readonly kind: 'drain'; readonly id: number }
  | { readonly kind: 'command'; readonly id: number; readonly command: Command }

export type FromWorker =
  | { readonly kind: 'ready' | 'deliveries' | 'stopped' }
  | { readonly kind: 'drained'; readonly id: number }
  | { readonly kind: 'committed'; readonly position: number; readonly fences: readonly string[] }
  | { readonly kind: 'live'; readonly events: readonly LiveEvent[] }
  | { readonly kind: 'counts'; readonly counts: ReadonlyMap<string, number> }
  | { readonly kind: 'result'; readonly id: number; readonly result: CommandResult }
  | { readonly kind: 'fault'; readonly fault: Parameters<ProcessOptions['onFault']>[0] }

/** Runs the role named in workerData until told to stop. Called by the thread's entry, which brings the connectors. */
export async function runWorker(registry: Registry): Promise<void> {
  const { role, configFile, port, logFile, stateFile, postgres, master, turn } = workerData as WorkerData
  const post = (message: FromWorker) => parentPort!.postMessage(message)
  const config = onPort(await loadWithSecrets(configFile, { registry }), port)
  const keys = createKeys(Buffer.from(master))
  const state = await openState({ file: stateFile, postgres }, { migrate: false, turn: writeTurn(turn) })
  const log = openLogReader(logFile, keys)
  const surroundings = readSurroundings(config)
  const rules = await ruleBookOf(config, surroundings, state, keys, Date.now)
  const onLive = (events: readonly LiveEvent[]) => post({ kind: 'live', events })
  const onCounts = (counts: ReadonlyMap<string, number>) => post({ kind: 'counts', counts })
  const onFault: ProcessOptions['onFault'] = (fault) => post({ kind: 'fault', fault })
  const processRole =
    role === 'process'
      ? await startProcess({
          state,
          keys,
          log,
          rules,
          settingsFor: ({ rules, kept }) => processSettings(config, surroundings, rules, kept),
          ledger: ledgerSettings(config),
          publicUrl: config.publicUrl,
          commands: processCommands(config, keys),
          clock: Date.now,
          onCommitted: (position, fences) => post({ kind: 'committed', position, fences }),
          onLive,
          onCounts,
          onDeliveries: () => post({ kind: 'deliveries' }),
          onFault,
        })
      : undefined
  const started =
    processRole ??
    (await startDeliver({
      config,
      state,
      keys,
      log,
      purposes: surroundings.purposes,
      rules,
      clock: Date.now,
      onLive,
      onCounts,
      onFault,
    }))

  parentPort!.on('message', async (message: ToWorker) => {
    switch (message.kind) {
      case 'wake':
        return started.wake()
      case 'drain':
        await started.drained()
        return post({ kind: 'drained', id: message.id })
      case 'command':
        if (processRole) post({ kind: 'result', id: message.id, result: await processRole.run(message.command) })
        return
      case 'stop':
        await started.stop()
        await state.close()
        log.close()
        post({ kind: 'stopped' })
        parentPort!.close()
    }
  })
  post({ kind: 'ready' })
}
