import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{schemas,consent,core,connectors,cli,demo,cockpit,test}/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // Loading the same modules anew for each of 260 files cost a third of the run. Files share a process instead, so a
    // test puts back what it changes of the process (timers, environment, globals).
    isolate: false,
    // One less than the processors is vitest's own choice; hubs and vendors under test wait more than they compute.
    maxWorkers: Math.max(2, availableParallelism()),
  },
})
