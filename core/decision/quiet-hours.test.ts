import fc from 'fast-check'
import { DateTime } from 'luxon'
import { describe, expect, it } from 'vitest'
import { startOfPeriod, wallClock } from './calendar.ts'
import { lastAllowed, nearestAllowed, nextAllowed, type SendTimes, silenceAt, timeOfDay } from './quiet-hours.ts'
import { zoneFor, zoneFrom, zoneOfPhone, zoneOfState } from './zone.ts'

const SP = 'America/Sao_Paulo'
const at = (text: string) => Date.parse(text)
const iso = (ms: number | undefined) => ms !== undefined && new Date(ms).toISOString()
const night = (from: string, to: string, more: Partial<SendTimes> = {}): SendTimes => ({
  zone: { zone: 'person' },
  quiet: { from: timeOfDay(from), to: timeOfDay(to) },
  holidays: undefined,
  windows: undefined,
  ...more,
})

describe('quiet hours', () => {
  it('hold until their end by the clock of the zone', () => {
    const times = night('21:00', '08:00')
    // 23:30 in São Paulo; 22:30 in Manaus; 08:00 there is an hour later.
    expect(iso(nextAllowed(times, at('2026-03-11T02:30:00Z'), SP))).toBe('2026-03-11T11:00:00.000Z')
    expect(iso(nextAllowed(times, at('2026-03-11T02:30:00Z'), 'America/Manaus'))).toBe('2026-03-11T12:00:00.000Z')
    expect(iso(nextAllowed(times, at('2026-03-11T15:00:00Z'), SP))).toBe('2026-03-11T15:00:00.000Z')
  })

  it('begin at their first instant and are over at their last', () => {
    const times = night('21:00', '08:00')
    expect(silenceAt(times, at('2026-03-10T23:59:59.999Z'), SP)).toBeUndefined()
    expect(silenceAt(times, at('2026-03-11T00:00:00Z'), SP)).toBe('quiet_hours')
    expect(silenceAt(times, at('2026-03-11T10:59:59.999Z'), SP)).toBe('quiet_hours')
    expect(silenceAt(times, at('2026-03-11T11:00:00Z'), SP)).toBeUndefined()
  })

  it('wait out a national holiday and the night after it', () => {
    const times = night('21:00', '08:00', { holidays: new Set() })
    // Tiradentes, 21 April 2026: a Tuesday.
    expect(iso(nextAllowed(times, at('2026-04-21T15:00:00Z'), SP))).toBe('2026-04-22T11:00:00.000Z')
    expect(silenceAt(times, at('2026-04-21T15:00:00Z'), SP)).toBe('holidays')
    // Good Friday hangs on Easter; carnival is no national holiday.
    expect(silenceAt(times, at('2026-04-03T15:00:00Z'), SP)).toBe('holidays')
    expect(silenceAt(times, at('2026-02-17T15:00:00Z'), SP)).toBeUndefined()
    expect(
      silenceAt(night('21:00', '08:00', { holidays: new Set(['2026-01-25']) }), at('2026-01-25T15:00:00Z'), SP),
    ).toBe('holidays')
  })

  it('end where the clock jumps over their end: São Paulo had no midnight on 2018-11-04', () => {
    // 00:00 to 00:59 did not exist: the first instant after 23:59:59 was 01:00, 03:00 UTC.
    expect(iso(nextAllowed(night('22:00', '00:30'), at('2018-11-04T01:30:00Z'), SP))).toBe('2018-11-04T03:00:00.000Z')
    expect(iso(nextAllowed(night('22:00', '08:00'), at('2018-11-04T01:30:00Z'), SP))).toBe('2018-11-04T10:00:00.000Z')
  })

  it('count the hour that came twice: São Paulo, 2018-02-17', () => {
    // 23:00 to 23:59 came at 01:00 UTC (-02) and again at 02:00 UTC (-03).
    const late = night('23:30', '00:00')
    expect(iso(nextAllowed(late, at('2018-02-18T01:40:00Z'), SP))).toBe('2018-02-18T02:00:00.000Z')
    expect(iso(nextAllowed(late, at('2018-02-18T02:40:00Z'), SP))).toBe('2018-02-18T03:00:00.000Z')
    expect(iso(nextAllowed(night('22:00', '08:00'), at('2018-02-18T01:40:00Z'), SP))).toBe('2018-02-18T11:00:00.000Z')
  })

  it('leave only in the windows of the weekday', () => {
    const office = [{ from: timeOfDay('09:00'), to: timeOfDay('12:00') }]
    const times: SendTimes = {
      zone: { zone: 'person' },
      quiet: undefined,
      holidays: undefined,
      windows: new Map([1, 2, 3, 4, 5].map((day) => [day, office])),
    }
    // Friday 12:00 → Monday 09:00.
    expect(iso(nextAllowed(times, at('2026-03-13T15:00:00Z'), SP))).toBe('2026-03-16T12:00:00.000Z')
    expect(iso(nextAllowed(times, at('2026-03-13T14:59:00Z'), SP))).toBe('2026-03-13T14:59:00.000Z')
    // Ten in the morning, on a Friday and on a Saturday.
    expect(silenceAt(times, at('2026-03-13T13:00:00Z'), SP)).toBeUndefined()
    expect(silenceAt(times, at('2026-03-14T13:00:00Z'), SP)).toBe('send_windows')
    expect(nextAllowed({ ...times, windows: new Map() }, at('2026-03-13T15:00:00Z'), SP)).toBeUndefined()
  })

  it('move a chosen time to their nearest edge, and never into the past', () => {
    const times = night('21:00', '08:00')
    const noon = at('2026-03-10T15:00:00Z')
    // 22:00 is nearer to 21:00, 06:00 to 08:00.
    expect(iso(nearestAllowed(times, at('2026-03-11T01:00:00Z'), noon, SP))).toBe('2026-03-10T23:59:00.000Z')
    expect(iso(nearestAllowed(times, at('2026-03-11T09:00:00Z'), noon, SP))).toBe('2026-03-11T11:00:00.000Z')
    // The nearer edge is over already.
    expect(iso(nearestAllowed(times, at('2026-03-11T01:00:00Z'), at('2026-03-11T00:30:00Z'), SP))).toBe(
      '2026-03-11T11:00:00.000Z',
    )
    expect(iso(nearestAllowed(times, at('2026-03-11T18:00:00Z'), noon, SP))).toBe('2026-03-11T18:00:00.000Z')
  })

  const minutes = fc.integer({ min: 0, max: 24 * 60 - 1 }).map((minute) => minute * 60_000)
  const stretches = fc.tuple(minutes, minutes).filter(([from, to]) => from !== to)
  const windows = fc
    .array(
      fc.tuple(
        fc.integer({ min: 1, max: 7 }),
        stretches.map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) })),
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((entries) => new Map(entries.map(([day, stretch]) => [day, [stretch]])))
  const sendTimes: fc.Arbitrary<SendTimes> = fc.record({
    zone: fc.constant({ zone: 'person' }),
    quiet: fc.option(
      stretches.map(([from, to]) => ({ from, to })),
      { nil: undefined },
    ),
    holidays: fc.option(fc.constant(new Set<string>()), { nil: undefined }),
    windows: fc.option(windows, { nil: undefined }),
  })
  const zones = fc.constantFrom(SP, 'America/Manaus', 'America/Rio_Branco', 'America/Noronha', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Africa/Casablanca', 'America/St_Johns') // biome-ignore format: a list
  // Around the days on which São Paulo put its clock, and anywhere.
  const instants = fc.oneof(
    fc.integer({ min: at('2018-11-03T00:00:00Z'), max: at('2018-11-06T00:00:00Z') }),
    fc.integer({ min: at('2018-02-16T00:00:00Z'), max: at('2018-02-20T00:00:00Z') }),
    fc.integer({ min: at('2009-01-01T00:00:00Z'), max: at('2030-01-01T00:00:00Z') }),
  )

  it('nothing is ever due inside them, whatever zone and instant', () => {
    fc.assert(
      fc.property(
        sendTimes,
        instants,
        zones,
        fc.integer({ min: 0, max: 3 * 86_400_000 }),
        (times, now, zone, ahead) => {
          const next = nextAllowed(times, now, zone)
          const nearest = nearestAllowed(times, now + ahead, now, zone)
          for (const due of [next, nearest])
            if (due !== undefined) {
              expect(due).toBeGreaterThanOrEqual(now)
              expect(silenceAt(times, due, zone)).toBeUndefined()
            }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('and nothing waits longer than it must', () => {
    fc.assert(
      fc.property(sendTimes, instants, zones, (times, now, zone) => {
        const next = nextAllowed(times, now, zone)
        const steps = Math.min(((next ?? now + 86_400_000) - now) / 60_000, 3000)
        for (let step = 0; step < steps; step += 7)
          if (now + step * 60_000 < (next ?? Number.POSITIVE_INFINITY))
            expect(silenceAt(times, now + step * 60_000, zone)).toBeDefined()
        const last = lastAllowed(times, now, now - 86_400_000, zone)
        const earliest = last ?? now - 86_400_000
        for (let back = now; back > earliest; back -= 11 * 60_000) expect(silenceAt(times, back, zone)).toBeDefined()
      }),
      { numRuns: 60 },
    )
  })
})

describe('days, weeks and months of a zone', () => {
  it('begin where the first instant of the day is', () => {
    expect(iso(startOfPeriod(at('2018-11-04T15:00:00Z'), 'day', SP))).toBe('2018-11-04T03:00:00.000Z')
    expect(iso(startOfPeriod(at('2018-02-18T02:30:00Z'), 'day', SP))).toBe('2018-02-17T02:00:00.000Z')
    expect(iso(startOfPeriod(at('2026-03-11T02:59:59Z'), 'day', SP))).toBe('2026-03-10T03:00:00.000Z')
    expect(iso(startOfPeriod(at('2026-03-11T03:00:00Z'), 'day', SP))).toBe('2026-03-11T03:00:00.000Z')
    // Sunday still belongs to the week that began on Monday.
    expect(iso(startOfPeriod(at('2026-03-15T15:00:00Z'), 'week', SP))).toBe('2026-03-09T03:00:00.000Z')
    expect(iso(startOfPeriod(at('2026-04-01T02:00:00Z'), 'month', SP))).toBe('2026-03-01T03:00:00.000Z')
  })

  it('read the wall clock that luxon reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: at('2035-01-01T00:00:00Z') }), (now) => {
        const local = DateTime.fromMillis(now, { zone: SP })
        const { day, ms } = wallClock(now, SP)
        expect(new Date(day * 86_400_000 + ms).toISOString().slice(0, 23)).toBe(
          local.toFormat("yyyy-MM-dd'T'HH:mm:ss.SSS"),
        )
      }),
      { numRuns: 100 },
    )
  })
})

describe('the zone of a person', () => {
  it('is what they said, else their state, else the area code', () => {
    expect(zoneFrom({ timezone: 'America/Recife', state: 'AM', phone: '+5511987654321' })).toEqual({
      name: 'America/Recife',
      from: 'timezone',
    })
    expect(zoneFrom({ timezone: 'UTC', state: 'Amazonas' })).toEqual({ name: 'America/Manaus', from: 'state' })
    expect(zoneFrom({ state: 'AC', country: 'US', phone: '+5568987654321' })).toEqual({
      name: 'America/Rio_Branco',
      from: 'phone',
    })
    expect(zoneFrom({ phone: '+15551234567' })).toBeUndefined()
  })

  it('knows every state and every area code in use', () => {
    expect(['São Paulo', 'BR-MT', 'acre', 'pará'].map(zoneOfState)).toEqual([SP, 'America/Cuiaba', 'America/Rio_Branco', 'America/Belem']) // biome-ignore format: a list
    const codes = Array.from({ length: 89 }, (_, index) => index + 11)
    const known = codes.filter((code) => zoneOfPhone(`+55${code}987654321`) !== undefined)
    expect(known).toHaveLength(67)
    expect(zoneOfPhone('+5592987654321')).toBe('America/Manaus')
    expect(zoneOfState('XX')).toBeUndefined()
  })

  it('falls back to the default of the rule, then to the organisation', () => {
    const known = { name: 'America/Manaus', from: 'state' as const, at: '', purposes: ['email_marketing'] }
    expect(zoneFor({ zone: 'person' }, known, 'email_marketing', SP)).toBe('America/Manaus')
    // Known for another purpose: not this rule's to know.
    expect(zoneFor({ zone: 'person', defaultZone: 'America/Bahia' }, known, 'sms', SP)).toBe('America/Bahia')
    expect(zoneFor({ zone: 'person' }, undefined, 'sms', SP)).toBe(SP)
    expect(zoneFor({ zone: 'America/Noronha' }, known, 'email_marketing', SP)).toBe('America/Noronha')
  })
})
