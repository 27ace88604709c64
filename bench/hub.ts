/** The hub as `anuente serve` runs it, threads included, with the connectors of bench/registry.ts. */
import { startHub } from '../core/hub.ts'
import { registry } from './registry.ts'

const hub = await startHub({
  configFile: process.argv[2]!,
  registry,
  worker: new URL('./worker.ts', import.meta.url),
  log: 'json',
})
// An orderly end, so that a profiler gets to write what it saw.
process.once('SIGTERM', () => void hub.close())
console.log('ready')
