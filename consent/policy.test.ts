import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BASES, type Basis, STAGES, STATUSES, type Status } from '../schemas/consent.ts'
import { type Answer, reference, type Situation } from './policy/reference.fixture.ts'
import { evaluate, type Question } from './policy.ts'
import { loadPurposes, type Purpose, type SharingTarget } from './purposes.ts'

const phases = { purpose: 'p', necessity: 'n', balancing: 'b' }
const WRITTEN = ['public_policy', 'research', 'vital_interest', 'health', 'credit']
const made = new Map<string, Purpose>()

function purposeOf(situation: Situation): Purpose {
  const { basis, document, use, stageDeclared, solelyAutomatedAndHarmful, sensitivePurpose, destination } = situation
  const key = `${basis} ${document} ${use} ${stageDeclared} ${solelyAutomatedAndHarmful} ${sensitivePurpose} ${destination?.named}`
  let purpose = made.get(key)
  if (!purpose) {
    const id = use === 'ads' ? 'ads_x' : use === 'offers' ? 'x_marketing' : 'plain'
    const sharing = destination?.named ? ['d'] : []
    purpose = loadPurposes({
      purposes: {
        [id]: {
          basis: basis as Basis,
          scope: 'person',
          title: { pt: '', en: '' },
          collects: ['*'],
          stages: stageDeclared ? [...STAGES] : [],
          sensitive: sensitivePurpose !== 'no',
          ...(sensitivePurpose === 'ground' && basis !== 'consent' && { sensitiveGround: '11.II.a' as const }),
          ...(basis === 'legitimate_interest' && {
            lia: { approvedAt: '2026-01-01', approvedBy: 'x', ref: 'x', sharing, ...(document && { phases }) },
          }),
          ...(basis === 'contract' && { contract: { ref: 'terms', recipients: sharing } }),
          ...(WRITTEN.includes(basis) && document && { ground: 'written by the encarregado' }),
          ...(solelyAutomatedAndHarmful && { automated: 'harmful' as const }),
        },
      },
    }).all[0]!
    made.set(key, purpose)
  }
  return purpose
}

const AGES = { adult: 'adult', unknown: 'unknown', teen: 'teen', child: 'child' } as const

function questionOf(situation: Situation): Question {
  const { status, stage, person, destination: place } = situation
  const purpose = purposeOf(situation)
  const destination: SharingTarget | undefined = place && {
    id: 'd',
    role: place.role,
    country: place.country,
    transfer: place.mechanism ? { art33: 'II.a', ref: 'SCC' } : undefined,
    recipient: place.is === 'company' ? undefined : place.is,
    purposes: new Set(place.declared ? [purpose.id] : []),
    byStarter: new Map(),
    sharePurpose: undefined,
  }
  return {
    purpose,
    status: status as Status,
    stage,
    ...(destination && place && { destination, shareStatus: place.share }),
    suppressed: situation.suppressed,
    objected: situation.gpcOrOpposition,
    legalHold: situation.legalHold,
    age: AGES[person.split(',')[0] as keyof typeof AGES],
    childAudience: person === 'unknown, child product',
    guardian: person === 'child, guardian answered',
    purposeChanged: situation.purposeChanged,
    sensitiveFields: situation.sensitiveFieldAsked ? ['traits.health'] : [],
  }
}

/** Sensitive purposes on these bases have a ground only where art. 11 knows one. */
const possible = ({ basis, sensitivePurpose }: Situation) =>
  sensitivePurpose === 'no' ||
  (basis === 'consent'
    ? sensitivePurpose === 'ground'
    : ['legitimate_interest', 'contract', 'credit'].includes(basis)
      ? sensitivePurpose === 'no ground'
      : true)

const PLAIN: Omit<Situation, 'basis' | 'status' | 'stage' | 'document'> = {
  use: 'plain',
  stageDeclared: true,
  solelyAutomatedAndHarmful: false,
  sensitivePurpose: 'no',
  sensitiveFieldAsked: false,
  person: 'adult',
  suppressed: false,
  gpcOrOpposition: false,
  legalHold: false,
  purposeChanged: false,
}
const OVERLAYS: readonly Partial<Situation>[] = [
  { use: 'offers' },
  { use: 'ads' },
  { stageDeclared: false },
  { solelyAutomatedAndHarmful: true },
  { sensitivePurpose: 'no ground' },
  { sensitivePurpose: 'ground' },
  { sensitiveFieldAsked: true },
  { person: 'unknown' },
  { person: 'unknown, child product' },
  { person: 'teen' },
  { person: 'child' },
  { person: 'child, guardian answered' },
  { suppressed: true },
  { gpcOrOpposition: true },
  { legalHold: true },
  { purposeChanged: true },
]
/** Nothing laid over the row, each overlay alone, and each with each other. */
const COMBINED = [
  {},
  ...OVERLAYS,
  ...OVERLAYS.flatMap((one, index) => OVERLAYS.slice(index + 1).map((two) => ({ ...one, ...two }))),
]

type Place = NonNullable<Situation['destination']>
const NEAR: Place = {
  declared: true,
  role: 'operator',
  country: 'BR',
  mechanism: false,
  named: false,
  is: 'company',
  share: 'unknown',
}
const SHARES: readonly Place[] = [true, false].flatMap((declared) =>
  (['operator', 'controller'] as const).flatMap((role) =>
    [true, false].flatMap((named) =>
      (['company', 'authority', 'counsel'] as const).flatMap((is) =>
        (['unknown', 'granted', 'revoked'] as const).map((share) => ({ ...NEAR, declared, role, named, is, share })),
      ),
    ),
  ),
)
const TRANSFERS: readonly Place[] = [true, false].flatMap((declared) =>
  ['BR', 'PT', 'NO', 'US', undefined].flatMap((country) =>
    [true, false].map((mechanism) => ({ ...NEAR, declared, country, mechanism })),
  ),
)

function* situations(): Generator<Situation> {
  for (const basis of BASES)
    for (const document of [true, false])
      for (const status of STATUSES)
        for (const stage of STAGES) {
          const places = stage === 'share' ? SHARES : stage === 'transfer' ? TRANSFERS : [undefined]
          for (const destination of places)
            for (const overlay of COMBINED) {
              const situation: Situation = {
                basis,
                document,
                status,
                stage,
                ...PLAIN,
                ...overlay,
                ...(destination && { destination }),
              }
              if (possible(situation)) yield situation
            }
        }
}

const effectOf = (situation: Situation): Answer => evaluate(questionOf(situation)).effect

const anySituation: fc.Arbitrary<Situation> = fc
  .record({
    basis: fc.constantFrom(...BASES),
    document: fc.boolean(),
    status: fc.constantFrom(...STATUSES),
    stage: fc.constantFrom(...STAGES),
    use: fc.constantFrom('plain' as const, 'offers' as const, 'ads' as const),
    stageDeclared: fc.boolean(),
    solelyAutomatedAndHarmful: fc.boolean(),
    sensitivePurpose: fc.constantFrom('no' as const, 'no ground' as const, 'ground' as const),
    sensitiveFieldAsked: fc.boolean(),
    person: fc.constantFrom<Situation['person']>(
      'adult',
      'unknown',
      'unknown, child product',
      'teen',
      'child',
      'child, guardian answered',
    ),
    suppressed: fc.boolean(),
    gpcOrOpposition: fc.boolean(),
    legalHold: fc.boolean(),
    purposeChanged: fc.boolean(),
    place: fc.record({
      declared: fc.boolean(),
      role: fc.constantFrom('operator' as const, 'controller' as const),
      country: fc.constantFrom('BR', 'PT', 'IS', 'US', undefined),
      mechanism: fc.boolean(),
      named: fc.boolean(),
      is: fc.constantFrom('company' as const, 'authority' as const, 'counsel' as const),
      share: fc.constantFrom('unknown' as const, 'granted' as const, 'revoked' as const),
    }),
  })
  .map(({ place, ...rest }) => ({
    ...rest,
    ...((rest.stage === 'share' || rest.stage === 'transfer') && { destination: place }),
  }))
  .filter(possible)

describe('every combination of the table', () => {
  test('8 statuses × 10 bases × 7 stages × overlays, alone and in pairs, agree with the table written a second time', () => {
    let asked = 0
    const seen = new Set<string>()
    const differing: string[] = []
    for (const situation of situations()) {
      asked++
      seen.add(`${situation.status} ${situation.basis} ${situation.stage}`)
      const answer = effectOf(situation)
      const expected = reference(situation)
      if (answer !== expected && differing.length < 5)
        differing.push(`${JSON.stringify(situation)}: ${answer}, the other says ${expected}`)
    }
    expect(differing).toEqual([])
    expect(seen.size).toBe(8 * 10 * 7)
    expect(asked).toBeGreaterThan(1_000_000)
  })

  test('any number of overlays at once agree too', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        expect(effectOf(situation)).toBe(reference(situation))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('what holds for every question', () => {
  const rank: Readonly<Record<Answer, number>> = { deny: 0, hold: 1, redact: 2, allow: 3 }
  const neverMore = (before: Situation, after: Situation) =>
    expect(rank[effectOf(after)]).toBeLessThanOrEqual(rank[effectOf(before)])

  test('revoking, refusing, contradicting or ending never enables anything', () => {
    fc.assert(
      fc.property(
        anySituation,
        fc.constantFrom('denied', 'revoked', 'expired', 'conflict', 'invalid'),
        (situation, status) => {
          // Duties of the law stand whatever the person says: there the answer is the same, never more.
          neverMore({ ...situation, status: 'granted' }, { ...situation, status })
          if (situation.destination)
            neverMore(situation, { ...situation, destination: { ...situation.destination, share: 'revoked' } })
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('adding sensitive data, an opposition, a hold, a minor or an erasure never enables anything', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const adult: Situation = { ...situation, person: 'adult' }
        for (const person of ['unknown, child product', 'teen', 'child', 'child, guardian answered'] as const)
          neverMore(adult, { ...adult, person })
        for (const more of [
          { sensitiveFieldAsked: true },
          { suppressed: true },
          { gpcOrOpposition: true },
          { legalHold: true },
          { purposeChanged: true },
          { stageDeclared: false },
        ])
          neverMore(situation, { ...situation, ...more })
        const plain: Situation = { ...situation, sensitivePurpose: 'no' }
        for (const sensitivePurpose of ['no ground', 'ground'] as const) {
          const sensitive: Situation = { ...plain, sensitivePurpose, sensitiveFieldAsked: false }
          if (possible(sensitive)) neverMore({ ...plain, sensitiveFieldAsked: false }, sensitive)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('unknown consent never shares, decides, activates or leaves the country', () => {
    for (const situation of situations()) {
      if (situation.basis !== 'consent' || situation.status !== 'unknown') continue
      const effect = effectOf(situation)
      if (effect !== 'deny' && !(effect === 'hold' && situation.stage === 'collect'))
        expect(`${JSON.stringify(situation)}: ${effect}`).toBe('deny')
    }
  })

  test('the same question gives the same answer, with reasons and the hash of the policy', () => {
    fc.assert(
      fc.property(anySituation, (situation) => {
        const question = { ...questionOf(situation), policyHash: 'h' }
        const answer = evaluate(question)
        expect(evaluate(question)).toEqual(answer)
        expect(answer.policyHash).toBe('h')
        expect(answer.reasons.length).toBeGreaterThan(0)
        for (const { code, art } of answer.reasons) {
          expect(code).toMatch(/^[a-z_]+$/)
          expect(art).not.toBe('')
        }
        expect(answer.allow).toBe(answer.effect === 'allow' || answer.effect === 'redact')
      }),
      { numRuns: 1000 },
    )
  })
})

describe('reasons a person reads', () => {
  const granted: Situation = { ...PLAIN, basis: 'consent', document: true, status: 'granted', stage: 'activate' }
  const codes = (over: Partial<Situation>) => {
    return evaluate(questionOf({ ...granted, ...over })).reasons.map(({ code, art }) => `${code} (${art})`)
  }
  const meta: Place = { ...NEAR, role: 'controller', country: 'US' }

  test('all reasons are listed, the first is the headline', () => {
    expect(codes({ status: 'revoked', suppressed: true })).toEqual(['suppressed (18 VI)', 'consent_revoked (8 §5)'])
  })

  test('each overlay has its own reason with its article', () => {
    expect(codes({ stageDeclared: false })).toEqual(['undeclared_stage (6 I)'])
    expect(codes({ stage: 'share' })).toContain('undeclared_destination (6 I)')
    expect(codes({ basis: 'contract', sensitivePurpose: 'no ground' })).toEqual(['sensitive (11)'])
    expect(codes({ use: 'ads', person: 'teen' })).toEqual(['minor_ads (ECA Digital 22)'])
    expect(codes({ person: 'child' })).toEqual(['guardian_missing (14 §1)'])
    expect(codes({ use: 'ads', gpcOrOpposition: true })).toEqual(['objected (18 §2)'])
    expect(codes({ legalHold: true })).toEqual(['legal_hold (5 XIII)'])
    expect(codes({ status: 'stale', stage: 'collect', purposeChanged: true })).toEqual(['purpose_changed (9 §2)'])
    expect(codes({ stage: 'share', destination: meta })).toEqual(['sharing_not_consented (7 §5)'])
    expect(codes({ stage: 'transfer', destination: meta })).toEqual(['no_transfer_ground (33)'])
    expect(codes({ stage: 'transfer', destination: { ...meta, country: undefined } })).toEqual([
      'country_undeclared (33)',
    ])
    expect(codes({ basis: 'legitimate_interest', stage: 'share', destination: meta })).toEqual([
      'sharing_not_named (9 V)',
    ])
    expect(codes({ basis: 'legitimate_interest', document: false })).toEqual(['no_balancing_test (10)'])
    expect(codes({ basis: 'legitimate_interest', stage: 'decide', solelyAutomatedAndHarmful: true })).toEqual([
      'automated_harmful (20)',
    ])
    expect(codes({ basis: 'contract', use: 'offers' })).toEqual(['not_needed_for_contract (7 V)'])
    expect(codes({ basis: 'health', document: false, stage: 'collect' })).toEqual(['ground_undeclared (6 I)'])
  })

  test('a sensitive field under a purpose without a ground is named for redaction', () => {
    const answer = evaluate(questionOf({ ...granted, sensitiveFieldAsked: true }))
    expect(answer).toMatchObject({ allow: true, effect: 'redact', redact: ['traits.health'] })
  })

  test('what may be kept and nothing more says so', () => {
    expect(evaluate(questionOf({ ...granted, basis: 'legal_obligation', stage: 'profile' }))).toMatchObject({
      allow: true,
      only: 'store',
    })
  })
})
