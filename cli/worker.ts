/** Entry of the hub's threads: brings the connectors to the role, or the backtest, named in workerData. */
import { workerData } from 'node:worker_threads'
import { runBacktestThread } from '../core/backtests/thread.ts'
import { runWorker } from '../core/roles/worker.ts'
import { loadConnectors } from './registry.ts'

const { role, configFile } = workerData as { role: string; configFile: string }
const registry = await loadConnectors(configFile)
await (role === 'backtest' ? runBacktestThread(registry) : runWorker(registry))
