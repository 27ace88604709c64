import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The suites that take longer than a person waits, and the property and fault tests with many more cases: `npm run test:long`. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: [
      '{schemas,consent,core,connectors,cli,demo,test}/**/*.long.ts',
      'consent/status.test.ts',
      'core/identity/merge.test.ts',
      'core/decision/evaluate.test.ts',
      'core/rules/slots.test.ts',
      'test/hub/connections.test.ts',
      'core/config.test.ts',
      'connectors/{segment,rudderstack,gtm,rdstation}/source.test.ts',
      'test/hub/durability.test.ts',
    ],
    env: { ANUENTE_EFFORT: process.env['ANUENTE_EFFORT'] ?? '25' },
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
    pool: 'forks',
    fileParallelism: false,
  },
})
