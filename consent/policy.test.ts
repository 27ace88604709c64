import { describe, expect, test } from 'vitest'
import { BASES, type Basis, STAGES, STATUSES, type Stage, type Status } from '../schemas/consent.ts'
import { evaluate, type Question } from './policy.ts'
import { loadPurposes, type Purpose, type SharingTarget } from './purposes.ts'

const made = new Map<string, Purpose>()
const purposeOf = (
  basis: Basis,
  over: { stages?: Stage[]; lia?: boolean; sensitive?: boolean; id?: string } = {},
): Purpose => {
  const key = JSON.stringify([basis, over])
  const known = made.get(key) ?? makePurpose(basis, over)
  made.set(key, known)
  return known
}

function makePurpose(
  basis: Basis,
  over: { stages?: Stage[]; lia?: boolean; sensitive?: boolean; id?: string },
): Purpose {
  const id = over.id ?? 'p'
  return loadPurposes({
    purposes: {
      [id]: {
        basis,
        scope: 'person',
        title: { pt: '', en: '' },
        collects: ['*'],
        stages: over.stages ?? [...STAGES],
        sensitive: over.sensitive ?? false,
        ...(over.lia && { lia: { approvedAt: '2026-01-01', approvedBy: 'x', ref: 'x' } }),
      },
    },
  }).get(id)!
}

const target = (over: Partial<SharingTarget> = {}): SharingTarget => ({
  id: 'd',
  role: 'operator',
  country: 'BR',
  transfer: undefined,
  purposes: new Set(['p', 'ads_measurement']),
  byStarter: new Map(),
  sharePurpose: undefined,
  ...over,
})

const ground = { art33: 'II.a', ref: 'SCC' } as const
const places: readonly Partial<SharingTarget>[] = [
  { country: 'BR' },
  { country: 'PT' },
  { country: 'US' },
  { country: 'US', transfer: ground },
  { country: undefined },
]

/** Every question the table can be asked, all stages declared. */
function* questions(): Generator<Question> {
  for (const basis of BASES)
    for (const lia of [true, false]) {
      const purpose = purposeOf(basis, { lia })
      for (const status of STATUSES)
        for (const stage of STAGES)
          for (const role of ['operator', 'controller'] as const)
            for (const place of places)
              for (const shareStatus of ['unknown', 'granted', 'revoked'] as const)
                yield { purpose, status, stage, destination: target({ role, ...place }), shareStatus }
    }
}

/** The law written once more as plain conditions, so that the table and this must agree. */
function byRules({ purpose, status, stage, destination, shareStatus }: Question): 'allow' | 'hold' | 'deny' {
  const { basis, lia } = purpose
  const abroad = () => {
    if (destination!.country === 'BR') return true
    if (destination!.transfer) return true
    return destination!.country === 'PT'
  }
  const shareOk = (operator: boolean) => (destination!.role === 'operator' ? operator : shareStatus === 'granted')
  if (basis === 'legal_obligation' || basis === 'legal_claims') {
    if (stage === 'collect' || stage === 'transfer' || stage === 'export') return 'allow'
    return stage === 'profile' && basis === 'legal_obligation' ? 'allow' : 'deny'
  }
  if (basis === 'consent') {
    if (status === 'unknown') return stage === 'collect' ? 'hold' : 'deny'
    if (status === 'stale') return stage === 'collect' || stage === 'profile' ? 'allow' : 'deny'
    if (status !== 'granted') return 'deny'
  }
  if (basis === 'contract' && status !== 'granted') return 'deny'
  if (basis === 'legitimate_interest' && !(lia && (status === 'unknown' || status === 'granted'))) return 'deny'
  if (basis !== 'consent' && basis !== 'contract' && basis !== 'legitimate_interest' && stage === 'activate')
    return 'deny'
  if (stage === 'share') return shareOk(true) ? 'allow' : 'deny'
  if (stage === 'transfer') return basis === 'contract' || abroad() ? 'allow' : 'deny'
  return 'allow'
}

describe('every combination of the table', () => {
  test('the table and the rules written as code agree, and the same input gives the same answer', () => {
    let asked = 0
    for (const question of questions()) {
      const answer = evaluate(question)
      const label = `${question.purpose.basis} ${question.status} ${question.stage} ${question.destination?.role} ${question.destination?.country}`
      expect(`${label}: ${answer.effect}`).toBe(`${label}: ${byRules(question)}`)
      expect(answer.allow).toBe(answer.effect === 'allow')
      expect(answer.reasons.length).toBeGreaterThan(0)
      expect(evaluate(question)).toEqual(answer)
      asked++
    }
    expect(asked).toBe(10 * 2 * 8 * 7 * 2 * 5 * 3)
  })

  test('revoking, denying, expiring or contradicting never enables anything', () => {
    for (const question of questions()) {
      const before = evaluate(question)
      for (const status of ['denied', 'revoked', 'expired', 'conflict', 'invalid'] as const) {
        const after = evaluate({ ...question, status })
        // Duties of the law stand whatever the person says.
        if (after.allow) expect(before.allow || question.status !== 'granted').toBe(true)
        if (!before.allow && question.status === 'granted') expect(after.effect).toBe('deny')
        if (question.purpose.basis === 'consent') expect(after.effect).toBe('deny')
      }
      const share = evaluate({ ...question, shareStatus: 'revoked' })
      if (!before.allow) expect(share.allow).toBe(false)
    }
  })

  test('unknown never allows sharing, deciding or activating where permission is needed', () => {
    for (const question of questions()) {
      if (
        question.status !== 'unknown' ||
        (question.purpose.basis !== 'consent' && question.purpose.basis !== 'contract')
      )
        continue
      expect(evaluate(question).allow).toBe(false)
    }
  })

  test('sensitive, suppressed, objected and undeclared only ever take away', () => {
    for (const question of questions()) {
      const before = evaluate(question)
      const { basis, lia } = question.purpose
      const overlays: Question[] = [
        { ...question, suppressed: true },
        { ...question, objected: true },
        { ...question, purpose: purposeOf(basis, { lia, sensitive: true }) },
        { ...question, purpose: purposeOf(basis, { lia, stages: [] }) },
        { ...question, destination: target({ ...question.destination, purposes: new Set() }) },
      ]
      for (const overlay of overlays) if (!before.allow) expect(evaluate(overlay).allow).toBe(false)
      expect(evaluate({ ...question, suppressed: true }).effect).toBe('deny')
    }
  })
})

describe('overlays', () => {
  const codes = (question: Partial<Question> & { purpose: Purpose; stage: Stage; status: Status }) =>
    evaluate(question).reasons.map(({ code }) => code)

  test('what is not declared is refused by name', () => {
    const purpose = purposeOf('consent', { stages: ['collect', 'decide'] })
    expect(codes({ purpose, status: 'granted', stage: 'activate' })).toEqual(['undeclared_stage'])
    expect(codes({ purpose, status: 'granted', stage: 'share', destination: target({ purposes: new Set() }) })).toEqual(
      ['undeclared_destination'],
    )
    expect(codes({ purpose, status: 'granted', stage: 'share' })).toContain('undeclared_destination')
    expect(codes({ purpose, status: 'granted', stage: 'profile' })).toEqual(['consent_granted'])
  })

  test('sensitive data never rests on legitimate interest, contract or credit', () => {
    expect(codes({ purpose: purposeOf('contract', { sensitive: true }), status: 'granted', stage: 'decide' })).toEqual([
      'sensitive',
    ])
    expect(
      evaluate({ purpose: purposeOf('consent', { sensitive: true }), status: 'granted', stage: 'decide' }).allow,
    ).toBe(true)
  })

  test('a browser that objects stops ads and sharing with controllers, and nothing else', () => {
    const ads = purposeOf('consent', { id: 'ads_measurement' })
    expect(codes({ purpose: ads, status: 'granted', stage: 'activate', objected: true })).toEqual(['objected'])
    const other = purposeOf('consent')
    expect(evaluate({ purpose: other, status: 'granted', stage: 'activate', objected: true }).allow).toBe(true)
    expect(
      codes({
        purpose: other,
        status: 'granted',
        stage: 'share',
        shareStatus: 'granted',
        destination: target({ role: 'controller' }),
        objected: true,
      }),
    ).toEqual(['objected'])
  })

  test('all reasons are listed, the first is the headline', () => {
    expect(codes({ purpose: purposeOf('consent'), status: 'revoked', stage: 'activate', suppressed: true })).toEqual([
      'suppressed',
      'consent_revoked',
    ])
  })
})
