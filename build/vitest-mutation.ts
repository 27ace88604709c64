import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The tests a mutant of the gate has to survive; stryker.json names what is mutated. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: { include: ['consent/**/*.test.ts'], exclude: ['**/node_modules/**'], testTimeout: 60_000, pool: 'threads' },
})
