/** The states of a request and their clocks, under every order of acts. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ASSURANCES, REFUSAL_GROUNDS, REQUEST_KINDS, RIGHTS } from '../../schemas/requests.ts'
import { clocksOf, nextDue, readMoment } from './clock.ts'
import { isClosed, move, possibleActs, type RequestAct, type RequestFacts } from './machine.ts'
import { isAssured, RIGHT_RULES } from './rights.ts'

const anyAct: fc.Arbitrary<RequestAct> = fc.oneof(
  fc.constantFrom<RequestAct>(
    { act: 'ask_identity' },
    { act: 'acknowledge' },
    { act: 'collect' },
    { act: 'plan' },
    { act: 'withdraw' },
  ),
  fc.constantFrom(...ASSURANCES).map((assurance): RequestAct => ({ act: 'identify', assurance })),
  fc.boolean().map((approved): RequestAct => ({ act: 'execute', approved })),
  fc.nat(2).map((open): RequestAct => ({ act: 'progress', open })),
  fc
    .record({ outcome: fc.constantFrom('done', 'nothing_held', 'partly_kept'), open: fc.nat(2) })
    .map(({ outcome, open }): RequestAct => ({ act: 'answer', outcome: outcome as 'done', open })),
  fc.constantFrom(...REFUSAL_GROUNDS).map((ground): RequestAct => ({ act: 'refuse', ground })),
)
const anyStart = fc
  .record({
    kind: fc.constantFrom(...REQUEST_KINDS),
    right: fc.constantFrom(...RIGHTS),
    assurance: fc.constantFrom(...ASSURANCES),
  })
  .map(
    ({ kind, right, assurance }): RequestFacts => ({
      kind,
      right: kind === 'authority' ? null : right,
      state: 'received',
      assurance,
      ground: null,
      outcome: null,
    }),
  )

function walk(start: RequestFacts, acts: readonly RequestAct[], approval: boolean): RequestFacts[] {
  const seen = [start]
  for (const act of acts) {
    const moved = move(seen.at(-1)!, act, approval)
    if (moved.ok) seen.push(moved.facts)
  }
  return seen
}

describe('states', () => {
  test('whatever comes in whatever order: nothing is carried out or answered without identity, nor carried out without approval', () => {
    fc.assert(
      fc.property(anyStart, fc.array(anyAct, { maxLength: 25 }), fc.boolean(), (start, acts, approval) => {
        let facts = start
        let approved = false
        for (const act of acts) {
          const moved = move(facts, act, approval)
          if (!moved.ok) continue
          if (act.act === 'execute' && act.approved) approved = true
          facts = moved.facts
          const known = facts.kind === 'authority' || isAssured(facts.right!, facts.assurance)
          if (facts.state === 'acknowledged' && act.act === 'acknowledge') expect(known).toBe(true)
          if (act.act === 'execute' || act.act === 'answer') expect(known).toBe(true)
          if (approval && facts.state === 'executing') expect(approved).toBe(true)
          if (facts.state === 'answered') expect(facts.outcome).not.toBe(null)
          if (facts.state === 'refused') expect(facts.ground).not.toBe(null)
        }
      }),
    )
  })

  test('what is over stays over, and the same end again changes nothing', () => {
    fc.assert(
      fc.property(anyStart, fc.array(anyAct, { maxLength: 25 }), fc.boolean(), (start, acts, approval) => {
        const seen = walk(start, acts, approval)
        const end = seen.findIndex(({ state }) => isClosed(state))
        if (end < 0) return
        for (const later of seen.slice(end)) expect(later).toEqual(seen[end])
        expect(possibleActs(seen[end]!)).toEqual([])
      }),
    )
  })

  test('an act twice in a row is the act once', () => {
    fc.assert(
      fc.property(anyStart, fc.array(anyAct, { maxLength: 12 }), anyAct, fc.boolean(), (start, acts, act, approval) => {
        const before = walk(start, acts, approval).at(-1)!
        const once = move(before, act, approval)
        if (!once.ok) return
        const twice = move(once.facts, act, approval)
        if (twice.ok) expect(twice).toEqual({ ok: true, facts: once.facts, changed: false })
      }),
    )
  })

  test('open recipients keep it from being answered; erasure is not answered by words alone', () => {
    const ready: RequestFacts = {
      kind: 'subject',
      right: 'erasure',
      state: 'approval',
      assurance: 'contact_code',
      ground: null,
      outcome: null,
    }
    expect(move(ready, { act: 'answer', outcome: 'done', open: 0 }, true)).toEqual({ ok: false, code: 'OUT_OF_ORDER' })
    expect(move(ready, { act: 'execute', approved: false }, true)).toEqual({ ok: false, code: 'NOT_APPROVED' })
    const running = move(ready, { act: 'execute', approved: true }, true)
    if (!running.ok) return expect.unreachable(running.code)
    expect(move(running.facts, { act: 'answer', outcome: 'done', open: 1 }, true)).toEqual({
      ok: false,
      code: 'RECIPIENTS_OPEN',
    })
    expect(move(running.facts, { act: 'withdraw' }, true)).toEqual({ ok: false, code: 'OUT_OF_ORDER' })
    expect(move(running.facts, { act: 'answer', outcome: 'partly_kept', open: 0 }, true)).toMatchObject({
      ok: true,
      facts: { state: 'answered' },
    })
  })

  test('"we hold nothing" is an answer, but not to a stranger', () => {
    const stranger: RequestFacts = {
      kind: 'subject',
      right: 'access',
      state: 'received',
      assurance: 'claimed',
      ground: null,
      outcome: null,
    }
    expect(move(stranger, { act: 'answer', outcome: 'nothing_held', open: 0 }, true)).toEqual({
      ok: false,
      code: 'IDENTITY_NEEDED',
    })
    expect(
      move({ ...stranger, assurance: 'document' }, { act: 'answer', outcome: 'nothing_held', open: 0 }, true),
    ).toMatchObject({
      ok: true,
      facts: { state: 'answered', outcome: 'nothing_held' },
    })
  })
})

const settings = { timezone: 'America/Sao_Paulo', smallAgent: false, ownDays: 15 }
const arrived = readMoment('2026-11-24T15:30:00-03:00', settings.timezone)!
const facts = {
  kind: 'subject',
  right: 'access',
  receivedAt: arrived,
  authorityDueAt: null,
  pauses: [],
  done: {},
  closedAt: null,
} as const
const at = (time: number) => new Date(time).toISOString()

describe('clocks', () => {
  test('access: immediately in simplified form, complete after fifteen calendar days, both from arrival', () => {
    const clocks = clocksOf(facts, settings, arrived)
    expect(clocks.map(({ id, law }) => [id, law])).toEqual([
      ['immediate', 'art. 19 I'],
      ['complete', 'art. 19 II'],
    ])
    // End of 9 December in São Paulo.
    expect(at(clocks[1]!.dueAt)).toBe('2026-12-10T02:59:59.999Z')
    expect(nextDue(clocks)).toBe(clocks[0]!.dueAt)
  })

  test('a small agent has thirty days, and fifteen for the simplified form', () => {
    const clocks = clocksOf(facts, { ...settings, smallAgent: true }, arrived)
    expect(clocks.map(({ dueAt }) => at(dueAt))).toEqual(['2026-12-10T02:59:59.999Z', '2026-12-25T02:59:59.999Z'])
    expect(clocks[1]!.law).toContain('Res. CD/ANPD 2/2022')
  })

  test('where no statute sets a deadline the promise is labelled as our own', () => {
    for (const right of RIGHTS)
      for (const clock of clocksOf({ ...facts, right }, settings, arrived)) {
        expect(clock.law === null).toBe(clock.id === 'own')
        if (clock.id === 'own') expect(clock.label.pt).toContain('Prazo próprio')
      }
    expect(RIGHTS.filter((right) => RIGHT_RULES[right].clocks.includes('own'))).toEqual([
      'correction',
      'restriction',
      'portability',
      'erasure',
      'review',
    ])
  })

  test('a written wait moves an own promise and never a deadline of the statute', () => {
    fc.assert(
      fc.property(fc.constantFrom(...RIGHTS), fc.nat(20), fc.nat(20), (right, from, days) => {
        const start = arrived + from * 86_400_000
        const pauses = [{ from: start, to: start + days * 86_400_000, reason: 'documents' }]
        const without = clocksOf({ ...facts, right }, settings, arrived)
        const moved = clocksOf({ ...facts, right, pauses }, settings, arrived)
        without.forEach((clock, index) => {
          const shift = moved[index]!.dueAt - clock.dueAt
          expect(shift).toBe(clock.id === 'own' ? days * 86_400_000 : 0)
        })
      }),
    )
  })

  test('overdue is what was late, also after it was answered; entered late is late from the start', () => {
    const due = clocksOf(facts, settings, arrived)[1]!.dueAt
    expect(clocksOf(facts, settings, due + 1)[1]!.overdue).toBe(true)
    expect(clocksOf({ ...facts, done: { complete: due - 1 } }, settings, due + 9e9)[1]!.overdue).toBe(false)
    expect(clocksOf({ ...facts, done: { complete: due + 1 } }, settings, due + 2)[1]!.overdue).toBe(true)
  })

  test('the authority sets its own day', () => {
    const dueAt = arrived + 5 * 86_400_000
    expect(
      clocksOf({ ...facts, kind: 'authority', right: null, authorityDueAt: dueAt }, settings, arrived),
    ).toMatchObject([{ id: 'authority', dueAt, law: 'art. 55-J' }])
  })
})
