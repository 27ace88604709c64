/** Entry of the hub's worker threads: brings the connectors to the role named in workerData. */
import { registry } from '../connectors/index.ts'
import { runWorker } from '../core/roles/worker.ts'

await runWorker(registry)
