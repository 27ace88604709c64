import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    testTimeout: 90_000,
    hookTimeout: 180_000,
    pool: 'forks',
    // One less than the processors is vitest's own choice; hubs and vendors under test wait more than they compute.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      {
        extends: true,
        test: {
          name: 'hub',
          include: ['{schemas,consent,core,cli,demo,cockpit,test}/**/*.test.ts'],
        },
      },
      {
        extends: true,
        // Connectors are functions and object literals without a state of their own: their files share a process.
        test: { name: 'connectors', include: ['connectors/**/*.test.ts'], isolate: false },
      },
    ],
  },
})
