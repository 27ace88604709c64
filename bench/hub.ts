/** The hub as `anuente serve` runs it, threads included, with the connectors of bench/registry.ts. */
import { startHub } from '../core/hub.ts'
import { registry } from './registry.ts'

await startHub({ configFile: process.argv[2]!, registry, worker: new URL('./worker.ts', import.meta.url), log: 'json' })
console.log('ready')
