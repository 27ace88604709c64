/** A backtest in a thread of its own, so that the hub goes on answering: both sides of the port. */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { BacktestReport } from '../../schemas/backtest.ts'
import { onPort } from '../config.ts'
import { createKeys } from '../keys.ts'
import type { Registry } from '../kit/define.ts'
import { ConfigError } from '../kit/errors.ts'
import type { WantedRule } from '../replay/prepare.ts'
import { loadWithSecrets } from '../secrets/read.ts'
import { openState } from '../stores/open.ts'
import type { Range, RunBacktest } from './jobs.ts'
import { runBacktest } from './run.ts'

export interface BacktestThreadData {
  readonly role: 'backtest'
  readonly configFile: string
  readonly port: number
  readonly stateFile: string
  readonly postgres: string | undefined
  readonly master: Uint8Array
}

type FromThread =
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'total'; readonly count: number }
  | { readonly kind: 'people'; readonly count: number }
  | { readonly kind: 'report'; readonly report: BacktestReport }
  /** `clear`: written for whoever asked. */
  | { readonly kind: 'failed'; readonly clear: boolean; readonly message: string }

/** @param entry the file that brings the connectors to a thread. */
export function backtestInThread(entry: URL, data: BacktestThreadData): RunBacktest {
  return (wanted, range, { stop, onRule, onTotal, onPeople }) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(entry, { workerData: { ...data, wanted, range }, name: data.role })
      // It only reads, so it may be ended anywhere.
      const end = () => void worker.terminate()
      stop.addEventListener('abort', end, { once: true })
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'rule') onRule(message.name)
        else if (message.kind === 'total') onTotal(message.count)
        else if (message.kind === 'people') onPeople(message.count)
        else if (message.kind === 'report') resolve(message.report)
        else reject(message.clear ? new ConfigError(message.message) : new Error(message.message))
      })
      worker.on('error', reject)
      worker.on('exit', () => {
        stop.removeEventListener('abort', end)
        // After an answer this changes nothing.
        reject(new Error('the thread of the backtest ended'))
      })
    })
}

/** The thread's own side: one backtest, its answer, and the end. */
export async function runBacktestThread(registry: Registry): Promise<void> {
  const { configFile, port, stateFile, postgres, master, wanted, range } = workerData as BacktestThreadData & {
    readonly wanted: WantedRule
    readonly range: Range
  }
  const post = (message: FromThread) => parentPort!.postMessage(message)
  try {
    const config = onPort(await loadWithSecrets(configFile, { registry }), port)
    const state = await openState({ file: stateFile, postgres }, { migrate: false })
    try {
      const running = {
        stop: new AbortController().signal,
        onRule: (name: string) => post({ kind: 'rule', name }),
        onTotal: (count: number) => post({ kind: 'total', count }),
        onPeople: (count: number) => post({ kind: 'people', count }),
      }
      const ports = { config, state, keys: createKeys(Buffer.from(master)) }
      post({ kind: 'report', report: await runBacktest(wanted, range, running, ports) })
    } finally {
      await state.close()
    }
  } catch (error) {
    const clear = error instanceof ConfigError
    post({ kind: 'failed', clear, message: clear ? error.message : error instanceof Error ? error.name : 'unknown' })
  }
}
