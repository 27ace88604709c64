/** Entry of the hub's worker threads: brings the connectors to the role named in workerData. */
import { workerData } from 'node:worker_threads'
import { runWorker } from '../core/roles/worker.ts'
import { loadConnectors } from './registry.ts'

await runWorker(await loadConnectors((workerData as { configFile: string }).configFile))
