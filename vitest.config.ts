import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{schemas,consent,core,connectors,cli,demo,cockpit,test}/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
