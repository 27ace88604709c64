import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startOfPeriod } from './calendar.ts'
import { type CompiledCap, usedAt } from './caps.ts'

const SP = 'America/Sao_Paulo'
const DAY = 86_400_000
const at = (text: string) => Date.parse(text)
const cap = (more: Partial<CompiledCap> = {}): CompiledCap => ({
  per: 'person',
  max: 1,
  windowMs: DAY,
  period: undefined,
  zone: { zone: 'person' },
  ...more,
})
const perDay = cap({ period: 'day' })

describe('caps', () => {
  it('of a day begin anew at midnight of the person, on both sides of it', () => {
    const evening = at('2026-03-11T02:50:00Z') // 23:50 in São Paulo
    const afterMidnight = at('2026-03-11T03:10:00Z')
    expect(usedAt(perDay, [evening], afterMidnight, SP)).toBe(0)
    expect(usedAt(perDay, [evening], at('2026-03-11T02:59:59Z'), SP)).toBe(1)
    // In Manaus it is still the evening.
    expect(usedAt(perDay, [evening], afterMidnight, 'America/Manaus')).toBe(1)
    // Rolling: twenty minutes are twenty minutes.
    expect(usedAt(cap(), [evening], afterMidnight, SP)).toBe(1)
    expect(usedAt(cap(), [evening], evening + DAY, SP)).toBe(0)
    expect(usedAt(cap(), [evening], evening + DAY - 1, SP)).toBe(1)
  })

  it('of a day without midnight, and of one whose last hour comes twice', () => {
    const before = at('2018-11-04T02:30:00Z') // 23:30 on the 3rd; 01:00 on the 4th comes half an hour later
    expect(usedAt(perDay, [before], at('2018-11-04T03:00:00Z'), SP)).toBe(0)
    const first = at('2018-02-18T01:30:00Z') // 23:30 on the 17th, and again an hour later
    expect(usedAt(perDay, [first], at('2018-02-18T02:30:00Z'), SP)).toBe(1)
    expect(usedAt(perDay, [first], at('2018-02-18T03:00:00Z'), SP)).toBe(0)
  })

  it('of weeks and months follow the calendar', () => {
    const sunday = at('2026-03-15T15:00:00Z')
    expect(usedAt(cap({ period: 'week' }), [sunday], at('2026-03-16T15:00:00Z'), SP)).toBe(0)
    expect(usedAt(cap({ period: 'week' }), [at('2026-03-09T15:00:00Z')], sunday, SP)).toBe(1)
    expect(usedAt(cap({ period: 'month' }), [at('2026-03-31T23:00:00Z')], at('2026-04-01T12:00:00Z'), SP)).toBe(0)
    expect(usedAt(cap({ period: 'month' }), [at('2026-03-01T12:00:00Z')], at('2026-03-31T23:00:00Z'), SP)).toBe(1)
  })

  it('are never exceeded, whatever the order of decisions and of the times they lead to', () => {
    const moments = fc.array(fc.integer({ min: at('2018-02-10T00:00:00Z'), max: at('2018-02-24T00:00:00Z') }), {
      maxLength: 40,
    })
    const caps = fc.record({
      max: fc.integer({ min: 1, max: 3 }),
      windowMs: fc.integer({ min: 3_600_000, max: 3 * DAY }),
      period: fc.constantFrom(undefined, 'day' as const, 'week' as const),
    })
    fc.assert(
      fc.property(moments, caps, (times, settings) => {
        const limit = cap(settings)
        const taken: number[] = []
        for (const time of times) if (usedAt(limit, taken, time, SP) < limit.max) taken.push(time)
        for (const end of taken) {
          const together = limit.period
            ? taken.filter((use) => startOfPeriod(use, limit.period!, SP) === startOfPeriod(end, limit.period!, SP))
            : taken.filter((use) => use > end - limit.windowMs && use <= end)
          expect(together.length).toBeLessThanOrEqual(limit.max)
        }
        // And nobody is refused who would have fitted.
        for (const time of times)
          if (!taken.includes(time)) expect(usedAt(limit, taken, time, SP)).toBeGreaterThanOrEqual(limit.max)
      }),
      { numRuns: 60 },
    )
  })
})
