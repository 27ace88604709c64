import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The suites that take longer than a person waits: `npm run test:long`. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['{schemas,consent,core,connectors,cli,demo,test}/**/*.long.ts'],
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
    pool: 'forks',
    fileParallelism: false,
    passWithNoTests: true,
  },
})
