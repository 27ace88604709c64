import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cases } from '../core/testing/effort.ts'
import type { ConsentSignal, EvidenceFlag, Status } from '../schemas/consent.ts'
import { conflictOnMerge } from './conflict.ts'
import {
  addDuration,
  applySignal,
  deriveStatus,
  evidenceClassOf,
  type LedgerEntryDraft,
  mergeStatuses,
  type PurposeStatus,
  statusAt,
} from './status.ts'

const DAY = '2026-11-24T'
const at = (time: string) => `${DAY}${time}:00.000Z`

interface Over {
  action?: ConsentSignal['action']
  at?: string
  origin?: string
  actor?: ConsentSignal['actor']
  flags?: EvidenceFlag[]
  notice?: number
  basis?: ConsentSignal['basis']
}
const signal = ({
  action = 'grant',
  at: time = at('10:00'),
  origin = 'segment',
  actor = 'subject',
  flags = [],
  notice = 1,
  basis = 'consent',
}: Over): ConsentSignal => ({
  purpose: 'email_marketing',
  scope: 'person',
  action,
  basis,
  origin: { kind: origin, ref: 'site' },
  actor,
  evidence: { method: 'cmp_string', flags, sha256: 'x' },
  ...(notice > 0 && { notice: { id: 'n', version: notice } }),
  occurredAt: time,
})

/** Feeds signals in order of receipt, a second after each occurrence unless said otherwise. */
class Person {
  status: PurposeStatus | undefined
  entries: LedgerEntryDraft[] = []
  readonly ends: string | undefined
  constructor(ends?: string) {
    this.ends = ends
  }
  say(over: Over, context: { receivedAt?: string; verified?: boolean } = {}) {
    const one = signal(over)
    const { next, entry } = applySignal(this.status, one, {
      receivedAt: context.receivedAt ?? one.occurredAt,
      newId: () => `e${this.entries.length + 1}`,
      ends: this.ends,
      verified: context.verified,
    })
    this.status = next
    if (entry) this.entries.push(entry)
    return this
  }
  is(status: Status, entries: number) {
    expect([this.status?.status ?? 'unknown', this.entries.length]).toEqual([status, entries])
    return this
  }
}

describe('answers in order', () => {
  test('grant, denial after a grant is a revocation, new grant', () => {
    new Person()
      .say({ at: at('10:00') })
      .is('granted', 1)
      .say({ action: 'deny', at: at('10:01') })
      .is('revoked', 2)
      .say({ at: at('10:02') })
      .is('granted', 3)
  })

  test('a first denial is a denial, a later explicit withdrawal a revocation, and it stays one', () => {
    new Person()
      .say({ action: 'deny' })
      .is('denied', 1)
      .say({ action: 'revoke', at: at('11:00') })
      .is('revoked', 2)
      .say({ action: 'deny', at: at('12:00') })
      .is('revoked', 2)
  })

  test('repeats write nothing and are counted', () => {
    const person = new Person()
      .say({})
      .say({ at: at('10:05') })
      .say({ at: at('10:03') })
      .is('granted', 1)
    expect(person.status).toMatchObject({ seen: 3, lastSeenAt: at('10:05'), occurredAt: at('10:00'), entryId: 'e1' })
  })

  test('a new notice version, a new actor and a new basis each write an entry', () => {
    new Person()
      .say({})
      .say({ at: at('10:10'), notice: 2 })
      .is('granted', 2)
      .say({ at: at('10:20'), notice: 2, actor: 'agent' })
      .is('granted', 3)
      .say({ at: at('10:30'), notice: 2, actor: 'agent', basis: 'legitimate_interest' })
      .is('granted', 4)
  })

  test('a browser repeating what a person said is no new act', () => {
    new Person()
      .say({ action: 'deny' })
      .say({ action: 'object', at: at('11:00'), origin: 'gpc', actor: 'browser_signal' })
      .is('denied', 1)
  })
})

describe('order of time', () => {
  test('an older grant that comes late does not undo a later denial', () => {
    new Person()
      .say({ action: 'deny', at: at('10:00') })
      .say({ at: at('09:00') }, { receivedAt: at('11:00') })
      .is('denied', 1)
  })

  test('an older denial that comes late does not undo a later grant', () => {
    new Person()
      .say({ at: at('10:00') })
      .say({ action: 'deny', at: at('09:00') }, { receivedAt: at('11:00') })
      .is('granted', 1)
  })

  test('a grant between two reports of a denial does not count', () => {
    new Person()
      .say({ action: 'deny', at: at('10:00') })
      .say({ action: 'deny', at: at('10:30') })
      .say({ at: at('10:20') }, { receivedAt: at('10:31') })
      .is('denied', 1)
  })

  test('a denial between two reports of a grant does count', () => {
    new Person()
      .say({ at: at('10:00') })
      .say({ at: at('10:30') })
      .say({ action: 'deny', at: at('10:20') }, { receivedAt: at('10:31') })
      .is('revoked', 2)
  })

  test('different clocks within five minutes: the restrictive one, whichever comes first', () => {
    new Person()
      .say({ at: at('10:04') })
      .say({ action: 'deny', at: at('10:00'), origin: 'rd' }, { receivedAt: at('10:05') })
      .is('revoked', 2)
    new Person()
      .say({ action: 'deny', at: at('10:00'), origin: 'rd' })
      .say({ at: at('10:04') })
      .is('denied', 1)
    new Person()
      .say({ at: at('10:00') })
      .say({ action: 'deny', at: at('10:00'), origin: 'rd' })
      .is('revoked', 2)
  })

  test('different clocks more than five minutes apart, and one clock: the later one', () => {
    new Person()
      .say({ action: 'deny', at: at('10:00'), origin: 'rd' })
      .say({ at: at('10:06') })
      .is('granted', 2)
    new Person()
      .say({ action: 'deny', at: at('10:00') })
      .say({ at: at('10:01') })
      .is('granted', 2)
    new Person()
      .say({ at: at('10:06') })
      .say({ action: 'deny', at: at('10:00'), origin: 'rd' }, { receivedAt: at('10:07') })
      .is('granted', 1)
  })

  test('a time in the future counts as its receipt: a revocation works at once, a grant gains nothing', () => {
    const revoked = new Person()
      .say({})
      .say({ action: 'revoke', at: at('23:00') }, { receivedAt: at('11:00') })
      .is('revoked', 2)
    expect(revoked.status?.occurredAt).toBe(at('11:00'))
    new Person()
      .say({ at: at('23:00') }, { receivedAt: at('10:00') })
      .say({ action: 'deny', at: at('10:30') })
      .is('revoked', 2)
  })
})

describe('worthless evidence', () => {
  test.each(['preticked', 'bundled', 'forced', 'dark_pattern', 'no_notice'] as const)(
    'a %s grant never permits and never undoes a denial',
    (flag) => {
      const person = new Person().say({ flags: [flag] }).is('invalid', 1)
      expect(person.status?.evidenceClass).toBe('invalid')
      new Person()
        .say({ action: 'deny' })
        .say({ flags: [flag], at: at('12:00') })
        .is('denied', 2)
        .say({ flags: [flag], at: at('12:01') })
        .is('denied', 2)
      new Person()
        .say({})
        .say({ flags: [flag], at: at('12:00') })
        .is('granted', 2)
    },
  )

  test('it is kept as a record and counted, and a real answer replaces it', () => {
    const person = new Person()
      .say({ action: 'deny' })
      .say({ flags: ['bundled'], at: at('12:00') })
      .say({ flags: ['bundled'], at: at('13:00') })
    expect(person.entries[1]).toMatchObject({ effect: 'record', status: 'invalid', evidenceClass: 'invalid' })
    expect(person.status?.setAside).toMatchObject({ entryId: 'e2', seen: 2, lastSeenAt: at('13:00') })
    new Person()
      .say({ flags: ['bundled'] })
      .say({ at: at('09:00') }, { receivedAt: at('12:00') })
      .is('granted', 2)
  })

  test('a refusal needs no form, but a default that nobody answered is no refusal', () => {
    new Person()
      .say({})
      .say({ action: 'deny', flags: ['no_notice'], notice: 0, at: at('11:00') })
      .is('revoked', 2)
    new Person()
      .say({})
      .say({ action: 'deny', flags: ['preticked'], at: at('11:00') })
      .is('granted', 2)
    new Person()
      .say({ action: 'deny', flags: ['preticked'] })
      .is('invalid', 1)
      .say({ at: at('10:01') })
      .is('granted', 2)
    expect(evidenceClassOf(signal({ basis: 'contract', action: 'open', flags: ['no_notice'] }))).toBe('valid')
  })
})

describe('contracts', () => {
  const open = (time: string): Over => ({
    action: 'open',
    basis: 'contract',
    actor: 'system',
    origin: 'system',
    notice: 0,
    at: time,
  })

  test('open, prolonged without an entry, expire, and open again with one', () => {
    const person = new Person('P1M').say(open('2026-01-31T00:00:00.000Z')).is('granted', 1)
    expect(person.status?.expiresAt).toBe('2026-02-28T00:00:00.000Z')
    person.say(open('2026-02-15T00:00:00.000Z')).is('granted', 1)
    expect(person.status?.expiresAt).toBe('2026-03-15T00:00:00.000Z')
    expect(statusAt(person.status, '2026-03-14T23:59:59.999Z')).toBe('granted')
    expect(statusAt(person.status, '2026-03-15T00:00:00.000Z')).toBe('expired')
    person.say(open('2026-06-01T00:00:00.000Z')).is('granted', 2)
    expect(statusAt(person.status, '2026-06-02T00:00:00.000Z')).toBe('granted')
  })

  test('an end closes it, a later opening reopens, an earlier one does not', () => {
    new Person()
      .say(open(at('10:00')))
      .say({ ...open(at('11:00')), action: 'end' })
      .is('expired', 2)
      .say(open(at('10:30')))
      .is('expired', 2)
      .say(open(at('12:00')))
      .is('granted', 3)
  })

  test('durations follow the calendar', () => {
    expect(addDuration('2024-02-29T10:00:00.000Z', 'P5Y')).toBe('2029-02-28T10:00:00.000Z')
    expect(addDuration('2026-11-24T10:00:00.000Z', 'P1DT2H')).toBe('2026-11-25T12:00:00.000Z')
  })
})

test("nobody's entry is unknown", () => {
  expect(statusAt(undefined, at('10:00'))).toBe('unknown')
})

// ---------------------------------------------------------------- properties

const minute = fc.integer({ min: 0, max: 40 })
const anySignal = (basis: 'consent' | 'contract') =>
  fc.record({
    action:
      basis === 'consent'
        ? fc.constantFrom('grant', 'deny', 'revoke', 'object' as const)
        : fc.constantFrom('open', 'end', 'object' as const),
    minute,
    delay: fc.oneof(fc.constant(0), fc.integer({ min: -5, max: 20 })),
    origin: fc.constantFrom('segment', 'rd', 'google'),
    actor: fc.constantFrom('subject', 'agent', 'browser_signal' as const),
    flags: fc.oneof(
      { weight: 3, arbitrary: fc.constant([] as EvidenceFlag[]) },
      { weight: 1, arbitrary: fc.constantFrom<EvidenceFlag[]>(['preticked'], ['no_notice']) },
    ),
    notice: fc.constantFrom(0, 1, 2),
    verified: fc.boolean(),
  })

function live(
  acts: readonly (ReturnType<typeof anySignal> extends fc.Arbitrary<infer T> ? T : never)[],
  basis: 'consent' | 'contract',
  ends?: string,
) {
  const start = Date.parse(at('10:00'))
  const person = new Person(ends)
  let received = start
  const steps: {
    said: ConsentSignal
    before: PurposeStatus | undefined
    after: PurposeStatus
    wrote: boolean
    receivedAt: string
  }[] = []
  for (const { minute: m, delay, verified, ...over } of acts) {
    const occurredAt = new Date(start + m * 60_000).toISOString()
    received = Math.max(received, start + (m + delay) * 60_000)
    const receivedAt = new Date(received).toISOString()
    const before = person.status
    const count = person.entries.length
    person.say({ ...over, basis, at: occurredAt }, { receivedAt, verified })
    steps.push({
      said: signal({ ...over, basis, at: occurredAt }),
      before,
      after: person.status!,
      wrote: person.entries.length > count,
      receivedAt,
    })
  }
  return { person, steps, received: new Date(received).toISOString() }
}

const rested = (status: PurposeStatus | undefined) =>
  status && {
    status: status.status,
    basis: status.basis,
    entryId: status.entryId,
    actor: status.actor,
    evidenceClass: status.evidenceClass,
    notice: status.notice,
    occurredAt: status.occurredAt,
    receivedAt: status.receivedAt,
    aside: status.setAside?.entryId,
    expiresAt: status.expiresAt,
  }

test('replaying the entries gives the status of the live path', () => {
  fc.assert(
    fc.property(fc.array(anySignal('consent'), { maxLength: 30 }), (acts) => {
      const { person, received } = live(acts, 'consent')
      expect(rested(deriveStatus(person.entries, received))).toEqual(rested(person.status))
    }),
    { numRuns: cases(2000) },
  )
})

test('the same for contracts, with the counter of repeated openings', () => {
  fc.assert(
    fc.property(
      fc.array(anySignal('contract'), { maxLength: 30 }),
      fc.constantFrom('PT3M', 'PT15M', 'P5Y'),
      (acts, ends) => {
        const { person, received } = live(acts, 'contract', ends)
        const derived = deriveStatus(person.entries, received, person.status)
        const now = person.status && { ...person.status, status: statusAt(person.status, received) }
        expect(rested(derived)).toEqual(rested(now))
      },
    ),
    { numRuns: cases(2000) },
  )
})

test('a conflict that a merge noted is replayed like any entry, and settled by a verified answer alone', () => {
  const said = (action: 'grant' | 'deny', time: string, id: string, verified = false) =>
    applySignal(undefined, signal({ action, at: at(time), origin: action }), {
      receivedAt: at(time),
      newId: () => id,
      verified,
    })
  const yes = said('grant', '10:00', 'e1')
  const no = said('deny', '10:20', 'e2')
  const merged = mergeStatuses(yes.next, no.next)!
  const facts = {
    purpose: signal({}).purpose,
    scope: signal({}).scope,
    sides: [yes.next, no.next],
    eventId: 'event',
    receivedAt: at('11:00'),
    newId: () => 'e3',
  }
  const conflict = conflictOnMerge(merged, facts)!
  expect(conflict.entry).toMatchObject({ id: 'e3', status: 'conflict', actor: 'system', action: 'conflict' })
  expect(conflict.entry.evidence.raw).toEqual({ eventId: 'event', entries: ['e1', 'e2'] })
  expect(conflictOnMerge(conflict.next, { ...facts, sides: [conflict.next, no.next] })).toBeUndefined()
  expect(conflictOnMerge(mergeStatuses(no.next, no.next)!, facts)).toBeUndefined()

  const entries = [yes.entry!, conflict.entry]
  expect(deriveStatus(entries, at('10:59'))?.status).toBe('granted')
  expect(deriveStatus(entries, at('11:00'))).toEqual(conflict.next)
  const answer = (verified: boolean) =>
    applySignal(conflict.next, signal({ at: at('11:01'), origin: 'rd' }), {
      receivedAt: at('11:01'),
      newId: () => 'e4',
      verified,
    })
  expect(answer(false).next.status).toBe('conflict')
  expect(answer(true).next.status).toBe('granted')
  expect(deriveStatus([...entries, answer(true).entry!], at('12:00'))).toEqual(answer(true).next)
})

test('replay as of an earlier moment knows only what had been received by then', () => {
  fc.assert(
    fc.property(fc.array(anySignal('consent'), { minLength: 1, maxLength: 20 }), fc.nat(), (acts, pick) => {
      const { person, steps } = live(acts, 'consent')
      const then = steps[pick % steps.length]!.receivedAt
      const last = steps.findLast(({ receivedAt }) => receivedAt <= then)!
      expect(rested(deriveStatus(person.entries, then))).toEqual(rested(last.after))
    }),
  )
})

test('an entry is written exactly when something the ledger names changed, and permission needs a valid grant', () => {
  fc.assert(
    fc.property(fc.array(anySignal('consent'), { maxLength: 30 }), (acts) => {
      for (const { said, before, after, wrote } of live(acts, 'consent').steps) {
        if (!wrote) expect(rested(after)).toEqual(rested(before))
        else if (before) expect(rested(after)).not.toEqual(rested(before))
        if (after.status === 'granted') expect(after.evidenceClass).toBe('valid')
        if (after.status === 'granted' && before?.status !== 'granted')
          expect([said.action, evidenceClassOf(said)]).toEqual(['grant', 'valid'])
        if (evidenceClassOf(said) === 'invalid' && before && before.status !== 'invalid')
          expect(after.status).toBe(before.status)
      }
    }),
  )
})

test('a withdrawal of now always ends the permission', () => {
  fc.assert(
    fc.property(
      fc.array(anySignal('consent'), { maxLength: 20 }),
      fc.constantFrom('revoke', 'deny', 'object' as const),
      fc.integer({ min: 0, max: 600 }),
      (acts, action, ahead) => {
        const { person, received } = live(acts, 'consent')
        const later = new Date(Date.parse(received) + ahead * 60_000).toISOString()
        person.say({ action, at: later, origin: 'link', flags: [], notice: 0 }, { receivedAt: received })
        expect(['denied', 'revoked', 'conflict']).toContain(person.status?.status)
      },
    ),
  )
})

// ---------------------------------------------------------------- merge

describe('two nodes become one person', () => {
  const granted = new Person().say({}).status!
  const denied = new Person().say({ action: 'deny', at: at('09:00') }).status!
  const invalid = new Person().say({ flags: ['bundled'] }).status!

  test('differing answers are a conflict, which is denied', () => {
    expect(mergeStatuses(granted, denied)?.status).toBe('conflict')
  })

  test('one side that never answered takes the other', () => {
    expect(mergeStatuses(undefined, granted)).toBe(granted)
    expect(mergeStatuses(denied, undefined)).toBe(denied)
    expect(mergeStatuses(invalid, granted)?.status).toBe('granted')
    expect(mergeStatuses(undefined, undefined)).toBeUndefined()
  })

  test('an anonymous grant never overrides a verified denial', () => {
    const verified = new Person().say({ action: 'deny' }, { verified: true }).status!
    expect(mergeStatuses(granted, verified)?.status).toBe('denied')
    expect(mergeStatuses(verified, { ...granted, occurredAt: at('12:00') })?.status).toBe('denied')
  })

  test('the verified person settles a conflict; anybody may settle it by refusing', () => {
    const conflict = () => Object.assign(new Person(), { status: mergeStatuses(granted, denied) })
    conflict()
      .say({ at: at('12:00') })
      .is('conflict', 0)
    conflict()
      .say({ at: at('12:00') }, { verified: true })
      .is('granted', 1)
    conflict()
      .say({ action: 'deny', at: at('12:00') })
      .is('denied', 1)
  })

  test('a contract runs when it runs for one of them', () => {
    const running = new Person('P5Y').say({ action: 'open', basis: 'contract' }).status!
    const ended = new Person('P1Y')
      .say({ action: 'open', basis: 'contract', at: at('08:00') })
      .say({ action: 'end', basis: 'contract', at: at('09:00') }).status!
    expect(mergeStatuses(running, ended)).toMatchObject({ status: 'granted', expiresAt: running.expiresAt })
  })

  const anyStatus = fc.record({
    status: fc.constantFrom<Status>(
      'unknown',
      'granted',
      'denied',
      'revoked',
      'expired',
      'stale',
      'conflict',
      'invalid',
    ),
    minute,
    basis: fc.constantFrom('consent', 'contract' as const),
    verified: fc.boolean(),
    id: fc.constantFrom('a', 'b', 'c'),
  })
  const made = ({
    status,
    minute: m,
    basis,
    verified,
    id,
  }: {
    status: Status
    minute: number
    basis: 'consent' | 'contract'
    verified: boolean
    id: string
  }): PurposeStatus => {
    const time = new Date(Date.parse(at('10:00')) + m * 60_000).toISOString()
    return {
      ...granted,
      status,
      basis,
      occurredAt: time,
      lastSeenAt: time,
      entryId: `${id}${m}${status}${basis}${verified}`,
      ...(verified && { verified: true as const }),
    }
  }

  test('order does not matter, and nothing refused by a person is ever permitted', () => {
    fc.assert(
      fc.property(anyStatus, anyStatus, (one, other) => {
        const a = made(one)
        const b = made(other)
        const merged = mergeStatuses(a, b)!
        expect(mergeStatuses(b, a)).toEqual(merged)
        if (merged.status === 'granted') {
          expect([a.status, b.status]).toContain('granted')
          for (const status of ['denied', 'revoked', 'conflict']) expect([a.status, b.status]).not.toContain(status)
        }
      }),
      { numRuns: cases(2000) },
    )
  })

  test('merging a status with itself changes nothing', () => {
    fc.assert(
      fc.property(anyStatus, (one) => {
        expect(mergeStatuses(made(one), made(one))).toEqual(made(one))
      }),
    )
  })
})
