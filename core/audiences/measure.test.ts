/** Memberships, computed traits and scores of one person: step by step as from scratch, by events and by time alone. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Config } from '../../schemas/config.ts'
import type { CanonicalEvent } from '../../schemas/event.ts'
import type { OpenProfile } from '../../schemas/profile.ts'
import { emptyProfile } from '../decision/empty-profile.ts'
import { cases } from '../testing/effort.ts'
import { track } from '../testing/events.ts'
import { type MeasureContext, type Measured, measureEvent, measureTime } from './measure.ts'
import { compileMeasures, type MeasureSet } from './set.ts'
import { EVERYTHING, type Touch } from './touch.ts'

const T0 = Date.parse('2026-03-10T12:00:00.000Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
const title = { pt: 'x', en: 'x' }
const iso = (ms: number) => new Date(ms).toISOString()

type Definitions = Pick<Config, 'audiences' | 'computed' | 'scores'>

/** A person around whom time passes; events are counted for the one purpose. */
class Person {
  readonly profile: OpenProfile = emptyProfile(iso(T0))
  readonly #set: MeasureSet
  now = T0
  #made = 0

  constructor(definitions: Definitions) {
    this.#set = compileMeasures(definitions)
  }

  context(now = this.now): MeasureContext {
    return {
      now,
      personKey: 'p1',
      known: true,
      holdout: { globalHoldout: 0, globalSeed: 's' },
      view: (profile, purpose, at, event) => ({
        now: at,
        profile,
        purpose,
        counted: profile.counted?.[purpose] ?? {},
        known: true,
        ...(event && { event }),
      }),
    }
  }

  happens(name: string, properties: Record<string, unknown> = {}, at = this.now): Measured {
    const event = track({ name, properties, occurredAt: iso(at), receivedAt: iso(at), messageId: `m${++this.#made}` })
    const counted = { ...this.profile.counted?.['ads'] }
    counted[name] = [...(counted[name] ?? []), event.occurredAt].sort()
    this.profile.counted = { ads: counted }
    return this.#take({ name }, event)
  }

  learns(trait: string, value: string | number): Measured {
    this.profile.traits[trait] = { value, at: iso(this.now), purposes: ['ads'] }
    return this.#take({ name: 'identify', traits: [trait] })
  }

  #take(touch: Touch, event?: CanonicalEvent): Measured {
    const first = this.profile.seq === 0
    this.profile.seq += 1
    return measureEvent(
      this.profile,
      { ...touch, first },
      event && { event, as: (purpose) => (purpose === 'ads' ? event : undefined) },
      this.#set,
      this.context(),
    )
  }

  /** Time passes, and the hub looks when something is due, or later. */
  waits(ms: number): Measured {
    this.now += ms
    return measureTime(this.profile, this.#set, this.context())
  }

  in(): string[] {
    return Object.keys(this.profile.audiences ?? {}).sort()
  }

  /** What computing everything anew from the events gives. */
  scratch(events: readonly CanonicalEvent[]): Pick<OpenProfile, 'audiences' | 'computed' | 'scores'> {
    const { audiences: _a, computed: _c, scores: _s, measuresDueAt: _d, ...rest } = structuredClone(this.profile)
    const profile: OpenProfile = rest
    for (const event of events)
      measureEvent(
        profile,
        { name: event.name },
        { event, as: () => event },
        compileMeasures({ computed: this.#definitions().computed ?? {} }),
        this.context(),
      )
    measureEvent(profile, EVERYTHING, undefined, this.#set, this.context())
    return profile
  }

  #definitions(): Definitions {
    return ALL
  }
}

const entered = ({ changes }: Measured) => changes.map(({ audience, change }) => `${change} ${audience}`)

const ALL = {
  computed: {
    spent_2d: { title, purpose: 'ads', sum: { event: 'Order Completed', property: 'total', window: 'P2D' } },
    orders: { title, purpose: 'ads', count: { event: 'Order *' } },
    ticket: { title, purpose: 'ads', ratio: { of: 'spent_2d', to: 'orders' } },
    since_order: { title, purpose: 'ads', days_since: { event: 'Order Completed' } },
    recency: { title, purpose: 'ads', bucket: { of: 'since_order', limits: [1, 3], descending: true } },
    seen: { title, purpose: 'ads', distinct: { event: 'Product Viewed', property: 'sku', window: 'PT6H' } },
    cheapest: { title, purpose: 'ads', min: { event: 'Order Completed', property: 'total' } },
    latest: { title, purpose: 'ads', last: { event: 'Product Viewed', property: 'sku', window: 'PT6H' } },
  },
  scores: {
    interest: {
      title,
      purpose: 'ads',
      calibration: title,
      scorecard: {
        max: 10,
        points: [
          { if: { all: [{ count: { event: 'Product Viewed', window: 'PT3H' }, op: 'gte', value: 2 }] }, points: 6 },
          { if: { all: [{ field: 'computed.spent_2d', op: 'gt', value: 50 }] }, points: 4 },
        ],
      },
    },
    churn: {
      title,
      purpose: 'ads',
      calibration: title,
      logistic: { intercept: -1, features: [{ field: 'computed.since_order', weight: 0.5, missing: 4 }] },
    },
  },
  audiences: {
    viewers: {
      title,
      purpose: 'ads',
      who: { all: [{ count: { event: 'Product Viewed', window: 'PT2H' }, op: 'gte', value: 1 }] },
    },
    silent: {
      title,
      purpose: 'ads',
      who: { all: [{ count: { event: '*', window: 'P1D' }, op: 'eq', value: 0 }] },
    },
    buyers: { title, purpose: 'ads', who: { all: [{ field: 'computed.spent_2d', op: 'gte', value: 100 }] } },
    hot: {
      title,
      purpose: 'ads',
      who: {
        any: [
          { field: 'scores.interest', op: 'gte', value: 0.6 },
          { audience: 'buyers', in: true },
        ],
      },
    },
    hot_and_gone: {
      title,
      purpose: 'ads',
      who: {
        all: [
          { audience: 'hot', in: false },
          { field: 'computed.recency', op: 'lte', value: 2 },
        ],
      },
    },
    gold: { title, purpose: 'ads', who: { all: [{ field: 'traits.plan', op: 'eq', value: 'gold' }] } },
  },
} satisfies Definitions

type Act =
  | { kind: 'wait'; ms: number }
  | { kind: 'event'; name: string; properties: Record<string, unknown>; late: number }
  | { kind: 'plan'; value: string }

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 30 * HOUR }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('event' as const),
      name: fc.constantFrom('Product Viewed', 'Order Completed', 'Order Refunded', 'Ticket Opened'),
      properties: fc.record({
        total: fc.constantFrom(10, 60, 120, '30.5', 'x'),
        sku: fc.constantFrom('a', 'b', 'c'),
      }),
      late: fc.constantFrom(0, 0, 0, HOUR),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('plan' as const), value: fc.constantFrom('gold', 'free') }) },
)

describe('step by step as from scratch', () => {
  test('memberships, computed traits and scores at every instant, whatever happened and whenever the hub looked', () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 25 }), (acts) => {
        const person = new Person(ALL)
        person.learns('plan', 'free')
        const events: CanonicalEvent[] = []
        for (const one of acts) {
          if (one.kind === 'wait') person.waits(one.ms)
          else if (one.kind === 'plan') person.learns('plan', one.value)
          else {
            const at = person.now - one.late
            person.happens(one.name, one.properties, at)
            events.push(track({ name: one.name, properties: one.properties, occurredAt: iso(at), receivedAt: iso(at) }))
          }
          const scratch = person.scratch(events)
          expect(person.in()).toEqual(Object.keys(scratch.audiences ?? {}).sort())
          expect(values(person.profile.computed)).toEqual(values(scratch.computed))
          expect(values(person.profile.scores)).toEqual(values(scratch.scores))
        }
      }),
      { numRuns: cases(60) },
    )
  })

  test('a long silence gives the same moments as looking every hour', () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 6 }), (acts) => {
        const [slow, quick] = [new Person(ALL), new Person(ALL)]
        const told: [string[], string[]] = [[], []]
        const note = (which: 0 | 1, { changes }: Measured) =>
          told[which].push(...changes.map(({ audience, change, at }) => `${at} ${change} ${audience}`))
        for (const one of acts) {
          for (const [which, person] of [slow, quick].entries()) {
            const index = which as 0 | 1
            if (one.kind === 'wait' && index === 1)
              for (let left = one.ms; left > 0; left -= HOUR) note(1, person.waits(Math.min(HOUR, left)))
            else if (one.kind === 'wait') note(0, person.waits(one.ms))
            else if (one.kind === 'plan') note(index, person.learns('plan', one.value))
            else note(index, person.happens(one.name, one.properties))
          }
        }
        expect(told[0]).toEqual(told[1])
      }),
      { numRuns: cases(40) },
    )
  })
})

const values = (all: Readonly<Record<string, { readonly value?: unknown }>> | undefined) =>
  Object.fromEntries(Object.entries(all ?? {}).flatMap(([id, { value }]) => (value === undefined ? [] : [[id, value]])))

describe('entering and leaving', () => {
  const viewers = { audiences: { viewers: ALL.audiences.viewers } }

  test('by an event, and out again by time alone at the very moment the window ends', () => {
    const person = new Person(viewers)
    expect(entered(person.happens('Product Viewed'))).toEqual(['entered viewers'])
    expect(entered(person.waits(2 * HOUR - 1))).toEqual([])
    const left = person.waits(5 * HOUR)
    expect(left.changes).toMatchObject([
      {
        audience: 'viewers',
        change: 'left',
        at: iso(T0 + 2 * HOUR),
        why: [{ id: 'audiences.viewers.who.all.0', ok: false, value: 0 }],
      },
    ])
    expect(person.profile.measuresDueAt).toBeUndefined()
  })

  test('an event that nothing reads is not looked at', () => {
    const person = new Person(viewers)
    person.happens('Product Viewed')
    const before = structuredClone(person.profile)
    expect(person.happens('Ticket Opened').touched).toBe(false)
    expect({ ...person.profile, seq: 0, counted: {} }).toEqual({ ...before, seq: 0, counted: {} })
  })

  test('a minimum stay holds against a condition that no longer does', () => {
    const person = new Person({
      audiences: { gold: { ...ALL.audiences.gold, stay: 'P3D' } },
    })
    person.learns('plan', 'gold')
    person.now += HOUR
    expect(entered(person.learns('plan', 'free'))).toEqual([])
    expect(entered(person.waits(3 * DAY - HOUR - 1))).toEqual([])
    expect(entered(person.waits(1))).toEqual(['left gold'])
  })

  test('an audience of audiences follows the one it reads, in the same step', () => {
    const person = new Person(ALL)
    expect(entered(person.happens('Order Completed', { total: 120 }))).toEqual(['entered buyers', 'entered hot'])
    const later = person.waits(2 * DAY)
    expect(entered(later)).toContain('left hot')
    expect(later.changes.filter(({ audience }) => audience === 'hot')[0]!.at).toBe(
      later.changes.filter(({ audience }) => audience === 'buyers')[0]!.at,
    )
  })

  test('held-out people of an experiment make an exclusion list, and who leaves is out of both', () => {
    const held = (control: number) => {
      const person = new Person({
        audiences: {
          viewers: { ...ALL.audiences.viewers, experiment: { control } },
          spared: { title, purpose: 'ads', held_out: [{ audience: 'viewers' }] },
        },
      })
      person.happens('Product Viewed')
      const during = person.in()
      person.waits(3 * HOUR)
      return [during, person.in()]
    }
    expect(held(0)).toEqual([['viewers'], []])
    expect(held(0.9999)).toEqual([['spared', 'viewers'], []])
  })

  test('a score tells where it came from and where it went', () => {
    const person = new Person({ scores: { interest: ALL.scores.interest } })
    person.happens('Product Viewed')
    expect(person.happens('Product Viewed').scores).toEqual([{ score: 'interest', from: 0, to: 0.6, at: iso(T0) }])
    expect(person.waits(4 * HOUR).scores).toEqual([{ score: 'interest', from: 0.6, to: 0, at: iso(T0 + 3 * HOUR) }])
  })

  test('the logistic model is the formula, with what stands for a missing value', () => {
    const person = new Person(ALL)
    person.happens('Ticket Opened')
    expect(person.profile.scores!['churn']!.value).toBeCloseTo(1 / (1 + Math.exp(1 - 0.5 * 4)), 5)
    person.happens('Order Completed', { total: 1 })
    expect(person.profile.scores!['churn']!.value).toBeCloseTo(1 / (1 + Math.exp(1)), 5)
    person.waits(2 * DAY)
    expect(person.profile.scores!['churn']!.value).toBeCloseTo(0.5, 5)
  })

  test('text that could be somebody stays out of a computed trait', () => {
    const person = new Person(ALL)
    person.happens('Product Viewed', { sku: 'ana@loja.example' })
    expect(person.profile.computed!['latest']).toBeUndefined()
    person.happens('Product Viewed', { sku: 'a' })
    expect(person.profile.computed!['latest']!.value).toBe('a')
  })
})
