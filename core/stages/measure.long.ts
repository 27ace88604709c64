/** Audiences on both databases, and on many more histories than `npm test` has time for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { afterActs, audienceActs } from '../testing/audience-property.ts'
import { audienceSuite } from '../testing/audience-suite.ts'
import { cases, patience } from '../testing/effort.ts'
import { onBothDatabases } from '../testing/state-contract.ts'

onBothDatabases('audiences', audienceSuite)

test('in the end the lists hold who is in, consented and has an address', { timeout: patience(120_000) }, async () => {
  await fc.assert(
    fc.asyncProperty(audienceActs, async (acts) => {
      expect(await afterActs(acts)).toMatchObject({ missing: [], tooMany: [] })
    }),
    { numRuns: cases(40) },
  )
})
