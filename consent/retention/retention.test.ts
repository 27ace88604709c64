import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RetentionPolicy } from '../../schemas/retention.ts'
import { STARTER_PURPOSES } from '../starter.ts'
import { lintRetention } from './lint.ts'
import { cutoffOf, policyHash, retentionPolicies } from './policies.ts'
import { isUnusual, usualCount } from './unusual.ts'

const base: RetentionPolicy = {
  class: 'history',
  trigger: 'occurred',
  period: 'P13M',
  ground: 'processing',
  action: 'erase',
}
const config = (...policies: RetentionPolicy[]) => ({ purposes: STARTER_PURPOSES, retention: { policies } })
const codes = (...policies: RetentionPolicy[]) => lintRetention(config(...policies)).map(({ code }) => code)

describe('policies', () => {
  test('the defaults cover every kind of data and nothing is wrong with them', () => {
    expect(lintRetention({ purposes: STARTER_PURPOSES })).toEqual([])
  })

  test('the configuration replaces a default, and adds per purpose', () => {
    const policies = retentionPolicies(
      config({ ...base, period: 'P6M' }, { ...base, purpose: 'orders', period: 'P5Y' }),
    )
    expect(policies.filter(({ policy }) => policy.class === 'history' && policy.trigger === 'occurred')).toMatchObject([
      { id: 'history/*/occurred', origin: 'config', policy: { period: 'P6M' } },
      { id: 'history/orders/occurred', origin: 'config', policy: { period: 'P5Y' } },
    ])
  })

  test('what changes a policy changes its hash; a better sentence does not', () => {
    expect(policyHash({ ...base, period: 'P12M' })).not.toBe(policyHash(base))
    expect(policyHash({ ...base, action: 'block' })).not.toBe(policyHash(base))
    expect(policyHash({ ...base, reason: 'said better than before' })).toBe(policyHash(base))
  })

  test('a month is a month of the calendar', () => {
    const now = Date.parse('2026-03-31T10:00:00Z')
    expect(new Date(cutoffOf('P1M', now)).toISOString()).toBe('2026-02-28T10:00:00.000Z')
    expect(new Date(cutoffOf('P13M', now)).toISOString()).toBe('2025-02-28T10:00:00.000Z')
  })
})

describe('lint', () => {
  test('a period under a legal minimum', () => {
    expect(codes({ ...base, class: 'access_log', period: 'P3M' })).toEqual(['UNDER_LEGAL_MINIMUM'])
    expect(codes({ ...base, class: 'access_log', period: 'P180D' })).toEqual(['UNDER_LEGAL_MINIMUM'])
    expect(codes({ ...base, class: 'access_log', period: 'P1Y' })).toEqual([])
    expect(codes({ ...base, class: 'incidents', trigger: 'registered', period: 'P4Y' })).toEqual([
      'UNDER_LEGAL_MINIMUM',
    ])
  })

  test('consent data kept after revocation without a ground', () => {
    const kept = { ...base, trigger: 'ended', period: 'P2Y' } as const
    expect(new Set(codes(kept))).toEqual(new Set(['KEPT_AFTER_REVOCATION']))
    expect(codes({ ...kept, ground: '16.I', reason: 'duty of the tax code' })).toEqual([])
    const only = { ...kept, purpose: 'email_marketing' }
    expect(lintRetention(config(only)).map(({ message }) => message.en)).toEqual([
      expect.stringContaining('"email_marketing" rests on consent'),
    ])
  })

  test.each(['sha256', 'hash', 'HMAC', 'tokenization', 'pseudonymise'])('%s is not called anonymous', (method) => {
    const findings = lintRetention(config({ ...base, action: 'anonymise', anonymise: { method, k: 10 } }))
    expect(findings).toMatchObject([
      { code: 'NOT_ANONYMOUS', severity: 'error', path: '/retention/policies/0/anonymise/method' },
    ])
    expect(findings[0]!.message.pt).toContain('art. 12')
  })

  test('anonymising states method and k', () => {
    expect(codes({ ...base, action: 'anonymise' })).toEqual(['UNKNOWN_METHOD'])
    expect(codes({ ...base, action: 'anonymise', anonymise: { method: 'noise', k: 10 } })).toEqual(['UNKNOWN_METHOD'])
    expect(codes({ ...base, action: 'anonymise', anonymise: { method: 'aggregate', k: 10 } })).toEqual([])
  })

  test('what a kind of data cannot do, or does not know', () => {
    expect(codes({ ...base, class: 'deliveries', trigger: 'settled', action: 'block' })).toEqual([
      'ACTION_NOT_POSSIBLE',
    ])
    expect(codes({ ...base, trigger: 'settled' })).toEqual(['TRIGGER_NOT_POSSIBLE'])
    expect(codes({ ...base, purpose: 'nothing' })).toEqual(['UNKNOWN_PURPOSE'])
    expect(codes({ ...base, class: 'facts', purpose: 'orders' })).toEqual(['UNKNOWN_PURPOSE'])
    expect(codes(base, base)).toEqual(['DUPLICATE'])
    expect(codes({ ...base, ground: '16.II' })).toEqual(['GROUND_WITHOUT_REASON'])
  })
})

describe('unusual', () => {
  const settings = { times: 3, atLeast: 100 }

  test('until there are seven runs the approved count is usual', () => {
    expect(isUnusual(1500, 500, [1, 1, 1], settings)).toBe(false)
    expect(isUnusual(1501, 500, [1, 1, 1], settings)).toBe(true)
  })

  test('after that the median of the runs', () => {
    const runs = [40, 60, 50, 55, 45, 5000, 50]
    expect(usualCount(100_000, runs)).toBe(50)
    expect(isUnusual(151, 100_000, runs, settings)).toBe(true)
    expect(isUnusual(150, 100_000, runs, settings)).toBe(false)
  })

  test('few rows are never unusual, and more due never makes it less so', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(5000), fc.array(fc.nat(5000), { maxLength: 40 }), (due, approved, runs) => {
        if (due <= settings.atLeast) expect(isUnusual(due, approved, runs, settings)).toBe(false)
        if (isUnusual(due, approved, runs, settings)) expect(isUnusual(due + 1, approved, runs, settings)).toBe(true)
      }),
    )
  })
})
