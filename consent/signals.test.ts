import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PurposeConfig } from '../schemas/config.ts'
import type { Basis, Status } from '../schemas/consent.ts'
import { fenceBlocks, fenceOf } from './fence.ts'
import { loadPurposes, type PurposesConfig, STARTER_PURPOSES } from './purposes.ts'
import {
  openingSignal,
  outgoingSignals,
  RD_TYPES,
  readSignals,
  type SignalReading,
  type VendorAnswer,
  type VendorEvidence,
  withdrawalSignals,
} from './signals.ts'
import { applySignal, type PurposeStatus } from './status.ts'

const NOW = '2026-11-24T10:00:00.000Z'
const text = { pt: '', en: '' }
const purpose = (over: Partial<PurposeConfig>): PurposeConfig => ({
  basis: 'consent',
  scope: 'device',
  title: text,
  collects: ['*'],
  stages: ['collect'],
  ...over,
})

const load = (
  purposes: PurposesConfig['purposes'] = STARTER_PURPOSES,
  destinations: PurposesConfig['destinations'] = {},
) => loadPurposes({ purposes, destinations })
const reading = (over: Partial<SignalReading> = {}): SignalReading => ({
  purposes: load(),
  sourceId: 'site',
  notice: { id: 'cookies', version: 3, since: '2026-01-01' },
  occurredAt: NOW,
  ...over,
})
const evidence = (
  vendor: VendorEvidence['vendor'],
  answers: Record<string, 'granted' | 'denied' | VendorAnswer>,
): VendorEvidence => ({
  vendor,
  answers: Object.fromEntries(
    Object.entries(answers).map(([category, answer]) => [category, typeof answer === 'string' ? { answer } : answer]),
  ),
  method: 'cmp_string',
  actor: 'subject',
  raw: answers,
})
const acts = (statement: VendorEvidence | VendorEvidence[], over: Partial<SignalReading> = {}) =>
  Object.fromEntries(readSignals(statement, reading(over)).signals.map(({ purpose: id, action }) => [id, action]))

describe('categories', () => {
  test('become acts of the purposes that name them', () => {
    expect(acts(evidence('segment', { Analytics: 'granted', Advertising: 'denied' }))).toEqual({
      analytics: 'grant',
      ads_measurement: 'deny',
      ads_personalization: 'deny',
    })
    expect(acts(evidence('rudder', { analytics: 'denied' }))).toEqual({ analytics: 'deny' })
    expect(acts(evidence('google', { analytics_storage: 'granted' }))).toEqual({ analytics: 'grant' })
  })

  test('are case-sensitive, and one that no purpose names is diagnosed', () => {
    const read = readSignals(evidence('rudder', { Analytics: 'granted' }), reading())
    expect(read.signals).toEqual([])
    expect(read.diagnoses).toEqual(['rudder category "Analytics" is mapped to no purpose'])
  })

  test('several on one purpose need all granted; one denied denies; one missing says nothing', () => {
    expect(acts(evidence('google', { ad_storage: 'granted', ad_user_data: 'granted' }))).toEqual({
      ads_measurement: 'grant',
    })
    expect(acts(evidence('google', { ad_storage: 'granted', ad_user_data: 'denied' }))).toEqual({
      ads_measurement: 'deny',
    })
    expect(acts(evidence('google', { ad_storage: 'denied' }))).toEqual({ ads_measurement: 'deny' })
    expect(acts(evidence('google', { ad_storage: 'granted' }))).toEqual({})
  })

  test('nothing stated changes nothing', () => {
    for (const vendor of ['google', 'segment', 'rudder', 'rd'] as const)
      expect(readSignals(evidence(vendor, {}), reading())).toEqual({ signals: [], diagnoses: [] })
  })

  test('never reach a person-scoped purpose, unless it says so and the identity is verified', () => {
    const mail = (person: boolean) =>
      load({ news: purpose({ scope: 'person', signals: { segment: ['Mail'], person } }) })
    const granted = evidence('segment', { Mail: 'granted' })
    expect(acts(granted, { purposes: mail(false), verified: true })).toEqual({})
    expect(acts(granted, { purposes: mail(true) })).toEqual({})
    expect(acts(granted, { purposes: mail(true), verified: true })).toEqual({ news: 'grant' })
    expect(acts(evidence('segment', { Mail: 'denied' }), { purposes: mail(false), verified: true })).toEqual({})
    expect(readSignals(granted, reading({ purposes: mail(false) })).diagnoses).toHaveLength(1)
  })

  test('a granted cookie does nothing for a purpose on another basis; a refusal opposes legitimate interest', () => {
    const purposes = load({
      stats: purpose({ basis: 'legitimate_interest', signals: { segment: ['A'] } }),
      orders: purpose({ basis: 'contract', signals: { segment: ['A'] } }),
    })
    expect(acts(evidence('segment', { A: 'granted' }), { purposes })).toEqual({})
    expect(acts(evidence('segment', { A: 'denied' }), { purposes })).toEqual({ stats: 'object' })
    expect(readSignals(evidence('segment', { A: 'granted' }), reading({ purposes })).diagnoses).toHaveLength(2)
  })
})

describe('evidence', () => {
  test('carries the notice, the flags, the raw words and their hash', () => {
    const [signal] = readSignals(
      evidence('segment', { Analytics: { answer: 'granted', flags: ['bundled'] } }),
      reading(),
    ).signals
    expect(signal).toMatchObject({
      purpose: 'analytics',
      scope: 'device',
      basis: 'consent',
      origin: { kind: 'segment', ref: 'site' },
      notice: { id: 'cookies', version: 3 },
      evidence: { flags: ['bundled'], raw: { Analytics: { answer: 'granted', flags: ['bundled'] } } },
    })
    expect(signal?.evidence.sha256).toBe(
      createHash('sha256').update('{"Analytics":{"answer":"granted","flags":["bundled"]}}').digest('hex'),
    )
  })

  test('key order does not change the hash, and what JSON cannot say has one too', () => {
    const hash = (raw: unknown) =>
      readSignals({ ...evidence('segment', { Analytics: 'granted' }), raw }, reading()).signals[0]!.evidence.sha256
    expect(hash({ b: 1, a: 2 })).toBe(hash({ a: 2, b: 1 }))
    expect(hash({ a: '\ud800' })).toMatch(/^[0-9a-f]{64}$/)
    expect(hash(undefined)).toMatch(/^[0-9a-f]{64}$/)
  })

  test.each([
    ['no notice', undefined],
    ['a notice that came later', { id: 'cookies', version: 4, since: '2026-11-25' }],
  ])('%s: no_notice, and no notice on the signal', (_, notice) => {
    const [signal] = readSignals(evidence('segment', { Analytics: 'granted' }), reading({ notice })).signals
    expect(signal?.evidence.flags).toEqual(['no_notice'])
    expect(signal?.notice).toBeUndefined()
  })

  test('a default that nobody answered does not hide a real answer of the same event', () => {
    const preticked = { answer: 'denied', flags: ['preticked'] } as const
    const both = [evidence('google', { analytics_storage: preticked }), evidence('segment', { Analytics: 'granted' })]
    expect(acts(both)).toEqual({ analytics: 'grant' })
    expect(
      readSignals(evidence('google', { ad_storage: preticked, ad_user_data: 'denied' }), reading()).signals[0]?.evidence
        .flags,
    ).toEqual([])
  })

  test('refused by default and by nobody is no act, and said to be none', () => {
    const preticked = { answer: 'denied', flags: ['preticked'] } as const
    const read = readSignals(evidence('google', { analytics_storage: preticked }), reading())
    expect(read.signals).toEqual([])
    expect(read.unanswered).toBe(true)
    expect(read.diagnoses.join()).toContain('a default that nobody answered')
    // Nor does it stand in for the second answer a purpose needs.
    expect(acts(evidence('google', { ad_storage: 'granted', ad_user_data: preticked }))).toEqual({})
    expect(readSignals(evidence('google', { analytics_storage: 'denied' }), reading()).unanswered).toBeUndefined()
  })

  test('of two real answers on one event the refusal counts, in either order', () => {
    const both = [evidence('google', { analytics_storage: 'granted' }), evidence('segment', { Analytics: 'denied' })]
    expect(acts(both)).toEqual({ analytics: 'deny' })
    expect(acts(both.toReversed())).toEqual({ analytics: 'deny' })
  })
})

describe('a mapping of the settings', () => {
  const said = (answers: VendorEvidence['answers']): VendorEvidence => ({
    vendor: 'mapped',
    answers,
    method: 'checkbox',
    actor: 'subject',
    raw: {},
  })
  test('names purposes, and speaks of consent only', () => {
    const purposes = load({
      news: { basis: 'consent', scope: 'person', title: { pt: 'N', en: 'N' }, collects: ['*'], stages: ['collect'] },
      crm: { basis: 'contract', scope: 'person', title: { pt: 'C', en: 'C' }, collects: ['*'], stages: ['collect'] },
    })
    expect(acts(said({ news: { answer: 'granted' } }), { purposes })).toEqual({ news: 'grant' })
    expect(acts(said({ news: { answer: 'denied' }, crm: { answer: 'denied' } }), { purposes })).toEqual({
      news: 'deny',
    })
    const unknown = said({ crm: { answer: 'granted' }, nothing: { answer: 'granted' } })
    expect(readSignals(unknown, reading({ purposes })).diagnoses).toHaveLength(2)
    expect(acts(unknown, { purposes })).toEqual({})
  })
})

describe('RD Station', () => {
  test('reaches the purposes of the category, when the basis is theirs', () => {
    expect(acts(evidence('rd', { communications: { answer: 'granted', basis: 'consent' } }))).toEqual({
      email_marketing: 'grant',
    })
    expect(acts(evidence('rd', { communications: { answer: 'denied', basis: 'consent' } }))).toEqual({
      email_marketing: 'deny',
    })
    const other = readSignals(
      evidence('rd', { communications: { answer: 'granted', basis: 'legitimate_interest' } }),
      reading(),
    )
    expect(other.signals).toEqual([])
    expect(other.diagnoses).toEqual([
      'rd states legitimate_interest, but email_marketing rests on consent: nothing changed',
    ])
  })

  test('a pre-existent contract opens a contract purpose; legitimate interest never undoes an opposition', () => {
    const purposes = load({
      crm: purpose({ basis: 'contract', scope: 'person', signals: { rd: 'data_processing' } }),
      li: purpose({ basis: 'legitimate_interest', scope: 'person', signals: { rd: 'communications' } }),
    })
    const both = evidence('rd', {
      data_processing: { answer: 'granted', basis: 'contract' },
      communications: { answer: 'granted', basis: 'legitimate_interest' },
    })
    expect(acts(both, { purposes })).toEqual({ crm: 'open' })
    expect(
      acts(evidence('rd', { communications: { answer: 'denied', basis: 'legitimate_interest' } }), { purposes }),
    ).toEqual({ li: 'object' })
  })
})

describe('GPC', () => {
  const purposes = load(STARTER_PURPOSES, {
    meta: { connector: 'meta', role: 'controller', country: 'US', purposes: [] },
  })
  const gpc: VendorEvidence = {
    vendor: 'gpc',
    answers: { gpc: { answer: 'denied' } },
    method: 'gpc',
    actor: 'browser_signal',
    raw: { 'sec-gpc': '1' },
  }

  test('objects to ads and sharing, and to nothing else', () => {
    expect(acts(gpc, { purposes })).toEqual({
      ads_measurement: 'object',
      ads_personalization: 'object',
      'share.meta': 'object',
    })
  })

  test('wins over a banner that says yes on the same event', () => {
    expect(acts([evidence('segment', { Advertising: 'granted' }), gpc], { purposes })).toMatchObject({
      ads_measurement: 'object',
    })
  })
})

describe('withdrawals and openings', () => {
  test('stop one purpose, or all that rest on consent or legitimate interest', () => {
    const purposes = load({ ...STARTER_PURPOSES, li: purpose({ basis: 'legitimate_interest' }) })
    const link = {
      purposes,
      origin: { kind: 'link', ref: 'd1' },
      actor: 'subject',
      method: 'link',
      raw: {},
      occurredAt: NOW,
    } as const
    expect(withdrawalSignals({ ...link, purpose: 'email_marketing' })).toMatchObject([
      { purpose: 'email_marketing', action: 'revoke', scope: 'person' },
    ])
    const all = Object.fromEntries(
      withdrawalSignals({ ...link, purpose: '*' }).map(({ purpose: id, action }) => [id, action]),
    )
    expect(all).toMatchObject({ sms_marketing: 'revoke', analytics: 'revoke', li: 'object' })
    expect(all).not.toHaveProperty('orders')
    expect(withdrawalSignals({ ...link, purpose: 'nope' })).toEqual([])
  })

  test('an opening is an act of the hub that is valid without a notice', () => {
    const orders = load().get('orders')!
    const { next, entry } = applySignal(
      undefined,
      openingSignal(orders, { sourceId: 'site', messageId: 'm1', occurredAt: NOW }),
      { receivedAt: NOW, newId: () => 'e1', ends: orders.ends },
    )
    expect(next).toMatchObject({
      status: 'granted',
      actor: 'system',
      evidenceClass: 'valid',
      expiresAt: '2031-11-24T10:00:00.000Z',
    })
    expect(entry?.action).toBe('open')
  })
})

describe('fences', () => {
  const read = (statement: VendorEvidence) => fenceOf(readSignals(statement, reading()).signals)

  test('stand for what was refused, and for nothing that was granted or defaulted', () => {
    expect(read(evidence('segment', { Analytics: 'granted' }))).toBeUndefined()
    expect(read(evidence('segment', { Analytics: 'granted', Advertising: 'denied' }))).toEqual([
      'ads_measurement',
      'ads_personalization',
    ])
    expect(read(evidence('google', { analytics_storage: { answer: 'denied', flags: ['preticked'] } }))).toBeUndefined()
  })

  test('block the purposes on them, or all', () => {
    expect(fenceBlocks([], 'a')).toBe(false)
    expect(fenceBlocks([{ purposes: ['b'] }, { purposes: ['a'] }], 'a')).toBe(true)
    expect(fenceBlocks([{ purposes: ['b'] }], 'a')).toBe(false)
    expect(fenceBlocks([{ purposes: '*' }], 'a')).toBe(true)
  })

  test('every signal that ends a permission of now stands behind a fence', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('segment', 'google', 'rudder', 'rd' as const),
        fc.array(
          fc.tuple(
            fc.constantFrom('Analytics', 'analytics', 'analytics_storage', 'ad_storage', 'communications'),
            fc.constantFrom('granted', 'denied' as const),
            fc.boolean(),
          ),
        ),
        (vendor, answers) => {
          const { signals } = readSignals(
            evidence(
              vendor,
              Object.fromEntries(
                answers.map(([category, answer, preticked]) => [
                  category,
                  { answer, flags: preticked ? ['preticked'] : [] },
                ]),
              ),
            ),
            reading(),
          )
          const fenced = fenceOf(signals) ?? []
          for (const signal of signals) {
            const granted = applySignal(
              undefined,
              { ...signal, action: 'grant', evidence: { ...signal.evidence, flags: [] } },
              { receivedAt: NOW, newId: () => 'a' },
            ).next
            const after = applySignal(granted, signal, { receivedAt: NOW, newId: () => 'b' }).next
            if (after.status !== 'granted') expect(fenced).toContain(signal.purpose)
          }
        },
      ),
    )
  })
})

describe('outgoing signals', () => {
  const status = (one: Status, basis: Basis = 'consent'): PurposeStatus => ({
    status: one,
    basis,
    entryId: 'e1',
    actor: 'subject',
    evidenceClass: 'valid',
    occurredAt: NOW,
    receivedAt: NOW,
    originKind: 'x',
    originRef: 'x',
    seen: 1,
    lastSeenAt: NOW,
    lastSeenOrigin: 'x/x',
  })
  const out = (statuses: Record<string, Status>, purposes = load()) =>
    outgoingSignals((one) => (statuses[one.id] ? status(statuses[one.id]!, one.basis) : undefined), purposes, NOW)

  test('nothing known: nothing claimed, and RudderStack is told no', () => {
    expect(out({})).toEqual({
      rd: [],
      google: {},
      segment: { Analytics: false, Functional: false, Advertising: false },
      rudder: { allowedConsentIds: [], deniedConsentIds: ['analytics', 'functional', 'advertising'] },
      entries: {},
      omitted: [],
    })
  })

  test('each signal names the ledger entry it rests on', () => {
    expect(out({ ads_measurement: 'granted', email_marketing: 'revoked' }).entries).toEqual({
      ads_measurement: 'e1',
      email_marketing: 'e1',
    })
  })

  test('nobody under 18 is advertised to, and a child answers through the guardian', () => {
    const told = (age: 'child' | 'teen' | 'adult', actor: PurposeStatus['actor'] = 'subject') =>
      outgoingSignals((one) => ({ ...status('granted', one.basis), actor }), load(), NOW, { age })
    expect(told('adult').google).toEqual({ ad_user_data: 'GRANTED', ad_personalization: 'GRANTED' })
    expect(told('teen').google).toEqual({ ad_user_data: 'DENIED', ad_personalization: 'DENIED' })
    expect(told('teen').segment).toMatchObject({ Analytics: true, Advertising: false })
    expect(told('teen').rudder.deniedConsentIds).toEqual(['advertising'])
    expect(told('child').segment['Analytics']).toBe(false)
    expect(told('child', 'guardian').segment).toMatchObject({ Analytics: true, Advertising: false })
    expect(told('child').rd).toEqual([])
  })

  test('Google hears GRANTED only from the ads purposes', () => {
    expect(out({ analytics: 'granted' }).google).toEqual({})
    expect(out({ ads_measurement: 'granted' }).google).toEqual({ ad_user_data: 'GRANTED' })
    expect(out({ ads_measurement: 'granted', ads_personalization: 'revoked' }).google).toEqual({
      ad_user_data: 'GRANTED',
      ad_personalization: 'DENIED',
    })
    for (const unclear of ['unknown', 'invalid', 'stale'] as const)
      expect(out({ ads_measurement: unclear }).google).toEqual({})
  })

  test('a category needs every purpose behind it', () => {
    expect(out({ ads_measurement: 'granted' }).segment['Advertising']).toBe(false)
    const both = out({ ads_measurement: 'granted', ads_personalization: 'granted' })
    expect(both.segment['Advertising']).toBe(true)
    expect(both.rudder).toEqual({ allowedConsentIds: ['advertising'], deniedConsentIds: ['analytics', 'functional'] })
  })

  test('RD Station hears granted and declined for communications, a type alone for processing', () => {
    expect(out({ email_marketing: 'granted' }).rd).toEqual([
      { category: 'communications', type: 'consent', status: 'granted' },
    ])
    for (const no of ['denied', 'revoked', 'conflict', 'expired'] as const)
      expect(out({ email_marketing: no }).rd).toEqual([
        { category: 'communications', type: 'consent', status: 'declined' },
      ])
    const crm = load({ crm: purpose({ basis: 'contract', signals: { rd: 'data_processing' } }) })
    expect(out({ crm: 'granted' }, crm).rd).toEqual([{ category: 'data_processing', type: 'pre_existent_contract' }])
    expect(out({ crm: 'expired' }, crm).rd).toEqual([])
  })

  test.each(['legal_obligation', 'research', 'health', 'credit'] as const)(
    '%s has no word at RD Station: left out, and said so',
    (basis) => {
      const { rd, omitted } = out({}, load({ p: purpose({ basis, signals: { rd: 'data_processing' } }) }))
      expect(rd).toEqual([])
      expect(omitted).toEqual([{ purpose: 'p', basis, reason: expect.any(String) }])
    },
  )

  test('a permission given on another basis is no permission', () => {
    expect(
      outgoingSignals(
        (one) => (one.id === 'ads_measurement' ? status('granted', 'legitimate_interest') : undefined),
        load(),
        NOW,
      ).google,
    ).toEqual({})
  })

  test('the six types are those of RD Station', () => {
    const types = [
      'consent',
      'pre_existent_contract',
      'legitimate_interest',
      'judicial_process',
      'vital_interest',
      'public_interest',
    ]
    expect(Object.values(RD_TYPES).toSorted()).toEqual(types.toSorted())
    const vectors = join(process.env['ANUENTE_SHARED'] ?? '../shared', 'vectors/rdstation_legal_bases.json')
    if (existsSync(vectors)) {
      expect(Object.values(RD_TYPES).toSorted()).toEqual(
        (JSON.parse(readFileSync(vectors, 'utf8')) as { types: string[] }).types.toSorted(),
      )
    }
  })
})
