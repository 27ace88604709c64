import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ConsentSignal } from '../schemas/consent.ts'
import { gapOf, gapSentence, remedyFor } from './gaps.ts'
import { loadPurposes, STARTER_PURPOSES } from './purposes.ts'
import { addToSketch, countOf, emptySketch, mergeSketches } from './sketch.ts'

const purposes = loadPurposes({ purposes: STARTER_PURPOSES })
const analytics = purposes.get('analytics')!
const mail = purposes.get('email_marketing')!
const about = (purpose: string, flags: ConsentSignal['evidence']['flags'] = []): ConsentSignal => ({
  purpose,
  scope: 'device',
  action: 'grant',
  basis: 'consent',
  origin: { kind: 'google', ref: 'tag' },
  actor: 'subject',
  evidence: { method: 'cmp_string', flags, sha256: '' },
  occurredAt: '2026-11-24T12:00:00.000Z',
})

describe('the reason of an unknown answer', () => {
  const unknown = { purpose: analytics, status: 'unknown' as const }
  const event = (consent: ConsentSignal[] = [], gcd?: string) => ({ consent, context: gcd ? { google: { gcd } } : {} })

  test('consent mode off is told by its string', () => {
    expect(gapOf(unknown, event([], '13l3l3l3l1l1'))).toEqual({ reason: 'consent_mode_off', sample: '13l3l3l3l1l1' })
    expect(gapOf(unknown, event([], '11l1l1l1l1')).reason).toBe('consent_mode_off')
    expect(gapOf(unknown, event([], '13r3l3l3l1l1')).reason).toBe('absent')
    expect(
      gapSentence({ source: 'tag', connector: 'gtm', reason: 'consent_mode_off', sample: '13l3l3l3l1l1', share: 1 }).pt,
    ).toBe('Seu GTM (tag) envia 13l3l3l3l1l1: o consent mode está desligado.')
  })

  test('nothing said, something else said, nobody asked', () => {
    expect(gapOf(unknown, event()).reason).toBe('absent')
    expect(gapOf(unknown, event([about('ads_measurement')])).reason).toBe('not_asked')
    expect(gapOf({ purpose: mail, status: 'unknown' }, event([about('analytics')])).reason).toBe('never_asked')
  })

  test('a yes that counts for nothing says why', () => {
    const invalid = { purpose: analytics, status: 'invalid' as const }
    expect(gapOf(invalid, event([about('analytics', ['preticked', 'no_notice'])])).reason).toBe('preticked')
    expect(gapOf(invalid, event([about('analytics', ['no_notice'])])).reason).toBe('no_notice')
    expect(gapOf(invalid, event([about('analytics', ['bundled'])])).reason).toBe('worthless')
  })

  test('the remedy is what to put on the page', () => {
    expect(remedyFor(mail, 'never_asked', 'Loja Exemplo').pt).toMatch(/^\[ \] Ofertas por e-mail \(Loja Exemplo\)\./)
    expect(remedyFor(analytics, 'consent_mode_off', 'x').en).toContain("{analytics_storage: 'granted'}")
  })
})

describe('counting people without knowing them', () => {
  const hash = (n: number) => createHash('sha256').update(`person ${n}`).digest()
  const sketchOf = (from: number, to: number) => {
    const sketch = emptySketch()
    for (let n = from; n < to; n++) addToSketch(sketch, hash(n))
    return sketch
  }

  test.each([0, 1, 10, 500, 5_000, 100_000])('%i people are counted within 10 %%', (people) => {
    expect(Math.abs(countOf(sketchOf(0, people)) - people)).toBeLessThanOrEqual(people * 0.1)
  })

  test('the same person again changes nothing, and two days together count each once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 })), fc.array(fc.integer({ min: 0, max: 300 })), (a, b) => {
        const [one, two, both] = [emptySketch(), emptySketch(), emptySketch()]
        for (const n of a) addToSketch(one, hash(n))
        for (const n of b) addToSketch(two, hash(n))
        for (const n of [...a, ...b, ...a]) addToSketch(both, hash(n))
        expect(mergeSketches(one, two)).toEqual(both)
      }),
      { numRuns: 50 },
    )
  })
})
