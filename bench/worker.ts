/** Entry of the measured hub's threads. */
import { runWorker } from '../core/roles/worker.ts'
import { registry } from './registry.ts'

await runWorker(registry)
