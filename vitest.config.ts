import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{schemas,consent,core,connectors,cli,demo,cockpit,test}/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 180_000,
    pool: 'forks',
  },
})
