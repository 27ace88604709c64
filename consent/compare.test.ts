import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { rudderLetsThrough, segmentLetsThrough } from './compare.ts'

interface Case {
  readonly consent: unknown
  readonly integrations: Record<string, boolean> | null
  readonly mapping: Record<string, string[]>
  readonly flows: string[]
}

const OWN: readonly Case[] = [
  { consent: null, integrations: null, mapping: { ad: ['meta'] }, flows: ['meta', 'crm'] },
  { consent: { categoryPreferences: {} }, integrations: null, mapping: { ad: ['meta'] }, flows: ['crm'] },
  {
    consent: { categoryPreferences: { ad: true } },
    integrations: null,
    mapping: { ad: ['meta'] },
    flows: ['meta', 'crm'],
  },
  { consent: { ad: true, an: false }, integrations: null, mapping: { ad: ['meta'], an: ['meta'] }, flows: ['crm'] },
  { consent: { ad: true }, integrations: { meta: false }, mapping: { ad: ['meta'] }, flows: ['crm'] },
  { consent: null, integrations: { All: false, crm: true }, mapping: {}, flows: ['crm'] },
]

const flowsOf = ({ consent, integrations, mapping }: Case, destinations: readonly string[]) =>
  destinations.filter((destination) =>
    segmentLetsThrough(
      destination,
      Object.keys(mapping).filter((category) => mapping[category]!.includes(destination)),
      { consent, integrations },
    ),
  )

describe('Segment', () => {
  test.each(OWN)('%j', (one) => {
    expect(flowsOf(one, ['meta', 'crm']).toSorted()).toEqual(one.flows.toSorted())
  })

  test('agrees with the public vectors', () => {
    const file = join(process.env['ANUENTE_SHARED'] ?? '../shared', 'vectors/segment_consent.json')
    const given = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as { destinations: string[]; cases: Case[] })
      : { destinations: ['meta', 'crm'], cases: OWN }
    for (const one of given.cases)
      expect([one, flowsOf(one, given.destinations).toSorted()]).toEqual([one, one.flows.toSorted()])
  })
})

describe('RudderStack', () => {
  test.each([
    [['ads'], undefined, true],
    [['ads'], 'nonsense', true],
    [['ads'], { allowedConsentIds: [], deniedConsentIds: [] }, true],
    [['ads'], { allowedConsentIds: ['analytics'] }, true],
    [['ads'], { deniedConsentIds: ['ads'] }, false],
    [['ads'], { deniedConsentIds: ['Ads'] }, true],
    [[], { deniedConsentIds: ['ads'] }, true],
    [['ads', 'crm'], { deniedConsentIds: ['ads'] }, false],
    [['ads', 'crm'], { deniedConsentIds: ['ads'], resolutionStrategy: 'or' }, true],
    [['ads', 'crm'], { deniedConsentIds: ['ads', 'crm'], resolutionStrategy: 'or' }, false],
    [['ads'], { deniedConsentIds: { ads: true } }, true],
  ])('%j with %j: %j', (ids, consent, flows) => {
    expect(rudderLetsThrough(ids, consent)).toBe(flows)
  })
})
