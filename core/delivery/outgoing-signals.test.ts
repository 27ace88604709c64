import { expect, test } from 'vitest'
import { loadPurposes, STARTER_PURPOSES } from '../../consent/purposes.ts'
import type { Status } from '../../schemas/consent.ts'
import { outgoingSignals } from './outgoing-signals.ts'

const purposes = loadPurposes({ purposes: STARTER_PURPOSES })
const told = (statuses: Record<string, Status>) => outgoingSignals(purposes, (id) => statuses[id] ?? 'unknown')

test('nobody answered: nothing is told, and category lists deny', () => {
  const { rd, google, segment, rudder } = told({})
  expect({ rd, google }).toEqual({ rd: [], google: {} })
  expect(new Set(Object.values(segment))).toEqual(new Set([false]))
  expect(rudder.allowedConsentIds).toEqual([])
  expect(rudder.deniedConsentIds).toContain('analytics')
})

test('what was granted is granted, what was refused is declined', () => {
  expect(told({ email_marketing: 'granted' }).rd).toEqual([
    { category: 'communications', type: 'consent', status: 'granted' },
  ])
  for (const status of ['denied', 'revoked', 'expired'] as const)
    expect(told({ email_marketing: status }).rd).toEqual([
      { category: 'communications', type: 'consent', status: 'declined' },
    ])
  for (const status of ['unknown', 'conflict', 'invalid'] as const)
    expect(told({ email_marketing: status }).rd).toEqual([])
})

test('Google hears each word from its own purpose', () => {
  expect(told({ ads_measurement: 'granted', ads_personalization: 'denied' }).google).toEqual({
    ad_user_data: 'GRANTED',
    ad_personalization: 'DENIED',
  })
})

test('a category is allowed only when every purpose under it is', () => {
  expect(told({ ads_measurement: 'granted' }).segment['Advertising']).toBe(false)
  const both = told({ ads_measurement: 'granted', ads_personalization: 'granted', analytics: 'granted' })
  expect(both.segment).toMatchObject({ Advertising: true, Analytics: true, Functional: false })
  expect([...both.rudder.allowedConsentIds].sort()).toEqual(['advertising', 'analytics'])
  expect(both.rudder.deniedConsentIds).toEqual(['functional'])
})

test('two purposes under one RD Station word: one refusal declines it, and bases without a word are not told', () => {
  const text = { pt: 'x', en: 'x' }
  const two = loadPurposes({
    purposes: {
      news: {
        basis: 'consent',
        scope: 'person',
        title: text,
        collects: [],
        stages: [],
        signals: { rd: 'communications' },
      },
      offers: {
        basis: 'consent',
        scope: 'person',
        title: text,
        collects: [],
        stages: [],
        signals: { rd: 'communications' },
      },
      orders: {
        basis: 'contract',
        scope: 'person',
        title: text,
        collects: [],
        stages: [],
        signals: { rd: 'data_processing' },
      },
      credit: {
        basis: 'credit',
        scope: 'person',
        title: text,
        collects: [],
        stages: [],
        signals: { rd: 'data_processing' },
      },
    },
  })
  const rd = (statuses: Record<string, Status>) => outgoingSignals(two, (id) => statuses[id] ?? 'unknown').rd
  const declined = [{ category: 'communications', type: 'consent', status: 'declined' }]
  expect(rd({ news: 'granted', offers: 'revoked' })).toEqual(declined)
  expect(rd({ news: 'revoked', offers: 'granted' })).toEqual(declined)
  expect(rd({ orders: 'granted', credit: 'granted' })).toEqual([
    { category: 'data_processing', type: 'pre_existent_contract' },
  ])
})
