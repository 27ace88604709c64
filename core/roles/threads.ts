/** The main thread's side of a role that runs in a worker thread. */
import { Worker } from 'node:worker_threads'
import type { Command, CommandResult } from '../server/context.ts'
import type { FromWorker, ToWorker, WorkerData } from './worker.ts'

export interface RemoteRole {
  wake(): void
  drained(): Promise<void>
  run(command: Command): Promise<CommandResult>
  stop(): Promise<void>
}

/**
 * @param onMessage everything the role reports by itself.
 * @param onDeath the thread ended without having been asked to: the hub cannot go on.
 */
export function startThread(
  entry: URL,
  data: WorkerData,
  onMessage: (message: FromWorker) => void,
  onDeath: (reason: string) => void,
): Promise<RemoteRole> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData: data, name: data.role })
    const post = (message: ToWorker) => worker.postMessage(message)
    const drains = new Map<number, () => void>()
    const commands = new Map<number, (result: CommandResult) => void>()
    let next = 0
    let ready = false
    let stopping: (() => void) | undefined
    const role: RemoteRole = {
      wake: () => post({ kind: 'wake' }),
      drained: () =>
        new Promise((done) => {
          drains.set(++next, done)
          post({ kind: 'drain', id: next })
        }),
      run: (command) =>
        new Promise((done) => {
          commands.set(++next, done)
          post({ kind: 'command', id: next, command })
        }),
      stop: () =>
        new Promise((done) => {
          stopping = done
          post({ kind: 'stop' })
        }),
    }
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') {
        ready = true
        resolve(role)
      } else if (message.kind === 'drained') {
        drains.get(message.id)?.()
        drains.delete(message.id)
      } else if (message.kind === 'result') {
        commands.get(message.id)?.(message.result)
        commands.delete(message.id)
      } else onMessage(message)
    })
    const died = (reason: string) => {
      if (stopping) return stopping()
      if (ready) onDeath(reason)
      else reject(new Error(reason))
    }
    worker.on('error', (error) => (ready ? died(`${data.role} stopped: ${error.name}`) : reject(error)))
    worker.on('exit', (code) => died(`${data.role} ended with ${code}`))
  })
}
