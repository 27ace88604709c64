import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { consentOfHit, readGcd } from './consent-mode.ts'

describe('Consent Mode', () => {
  it('reads every letter by its bits, also those outside the nine common ones', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const words = [undefined, undefined, 'denied', 'granted']
    for (const [index, letter] of [...letters].entries()) {
      const state = readGcd(`13${letter}3l3l3l5`)?.signals.ad_storage
      expect([letter, state?.default, state?.update]).toEqual([letter, words[(index >> 2) & 3], words[index & 3]])
    }
  })

  it('says nothing for a signal nobody set, though gtag behaves as if it were granted', () => {
    expect(consentOfHit({ gcd: '13l3l3l3l1l1' })).toEqual([])
    expect(consentOfHit({ gcs: 'G1--' })).toEqual([])
    expect(consentOfHit({})).toEqual([])
  })

  it('believes gcd before gcs, and gcs when gcd cannot be read', () => {
    expect(consentOfHit({ gcd: '13q3q3q3q5', gcs: 'G111' })[0]?.answers['ad_storage']).toEqual({ answer: 'denied' })
    expect(consentOfHit({ gcd: '13r3r5', gcs: 'G100' })[0]?.answers).toEqual({
      ad_storage: { answer: 'denied' },
      analytics_storage: { answer: 'denied' },
    })
  })

  it('takes Global Privacy Control from the flags of gcd and from the header', () => {
    const refusal = { vendor: 'gpc', answers: { gpc: { answer: 'denied' } }, method: 'gpc', actor: 'browser_signal' }
    expect(consentOfHit({ gcd: '13l3l3l3ld' })).toMatchObject([refusal])
    expect(consentOfHit({ gcd: '13l3l3l3l9l1' })).toMatchObject([refusal])
    expect(consentOfHit({ gcd: '13l3l3l3l5l1' })).toEqual([])
    expect(consentOfHit({ secGpc: '1' })).toMatchObject([refusal])
  })

  it('never grants what is not one of the four signals of gcd', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (text) => {
        for (const evidence of consentOfHit({ gcd: text, gcs: text }))
          for (const name of Object.keys(evidence.answers))
            expect(['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization', 'gpc']).toContain(name)
      }),
    )
  })
})
