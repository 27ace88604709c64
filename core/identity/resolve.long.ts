/** The properties of who is who on as many histories as the long run is told: 20,000 of each, times its effort. */
import { describe, expect, test } from 'vitest'
import { cases, patience } from '../testing/effort.ts'
import { costOf, PROPERTIES } from '../testing/identity-properties.ts'

describe('whatever comes', () => {
  for (const [title, holds] of Object.entries(PROPERTIES))
    test(title, { timeout: patience(240_000) }, () => holds(cases(20_000)))

  test('cost grows with the number of events, to a million of them', () => {
    expect(costOf(1_000_000) / costOf(10_000)).toBeLessThan(110)
  })
})
