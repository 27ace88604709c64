import { describe, expect, test } from 'vitest'
import { nextSlot, parseSchedule, scheduleProblem, slotsBetween } from './schedule.ts'

const SP = 'America/Sao_Paulo'
const at = (text: string) => Date.parse(text)
const show = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString())
const between = (written: Parameters<typeof parseSchedule>[0], from: string, to: string) =>
  slotsBetween(parseSchedule(written, SP), at(from), at(to)).map((slot) => show(slot)!.slice(0, 16))

describe('schedules', () => {
  test('every day at nine by the clock of São Paulo', () => {
    const schedule = parseSchedule('P1D@09:00 America/Sao_Paulo', 'UTC')
    expect(show(nextSlot(schedule, at('2026-03-10T11:59:59Z')))).toBe('2026-03-10T12:00:00.000Z')
    expect(show(nextSlot(schedule, at('2026-03-10T12:00:00Z')))).toBe('2026-03-11T12:00:00.000Z')
  })

  test('a schedule without a zone is by the clock of the organisation', () => {
    expect(show(nextSlot(parseSchedule('P1D@09:00', 'America/Manaus'), at('2026-03-10T12:30:00Z')))).toBe(
      '2026-03-10T13:00:00.000Z',
    )
  })

  test('weeks begin on Mondays, and several days are counted from one fixed day', () => {
    expect(between('P1W@08:00', '2026-03-01T00:00:00Z', '2026-03-20T00:00:00Z')).toEqual([
      '2026-03-02T11:00',
      '2026-03-09T11:00',
      '2026-03-16T11:00',
    ])
    const three = between('P3D@08:00', '2026-03-01T00:00:00Z', '2026-03-12T00:00:00Z')
    expect(three.slice(1).map((slot, index) => at(`${slot}Z`) - at(`${three[index]}Z`))).toEqual([
      3 * 86_400_000,
      3 * 86_400_000,
      3 * 86_400_000,
    ])
  })

  test('cron: working days, lists, steps, names, the last field also 7', () => {
    expect(between({ cron: '30 9 * * mon-fri' }, '2026-03-06T00:00:00Z', '2026-03-10T00:00:00Z')).toEqual([
      '2026-03-06T12:30',
      '2026-03-09T12:30',
    ])
    expect(
      between({ cron: '*/30 9,18 * * 7', timezone: 'UTC' }, '2026-03-07T00:00:00Z', '2026-03-09T00:00:00Z'),
    ).toEqual(['2026-03-08T09:00', '2026-03-08T09:30', '2026-03-08T18:00', '2026-03-08T18:30'])
    // Either day, when both are named.
    expect(between({ cron: '0 0 1 * 1', timezone: 'UTC' }, '2026-02-27T00:00:00Z', '2026-03-10T00:00:00Z')).toEqual([
      '2026-03-01T00:00',
      '2026-03-02T00:00',
      '2026-03-09T00:00',
    ])
    expect(
      show(nextSlot(parseSchedule({ cron: '0 0 29 feb *', timezone: 'UTC' }, SP), at('2026-03-01T00:00:00Z'))),
    ).toBe('2028-02-29T00:00:00.000Z')
  })

  test('a midnight that summer time jumped over is due an hour later, once (São Paulo, 4 November 2018)', () => {
    expect(between('P1D@00:00 America/Sao_Paulo', '2018-11-02T12:00:00Z', '2018-11-05T12:00:00Z')).toEqual([
      '2018-11-03T03:00',
      '2018-11-04T03:00',
      '2018-11-05T02:00',
    ])
    // 00:00 to 00:45 do not exist that day and fall on 01:00 to 01:45, which are due themselves: each once.
    expect(between({ cron: '*/15 0-1 * * *' }, '2018-11-04T02:59:00Z', '2018-11-04T06:00:00Z')).toEqual([
      '2018-11-04T03:00',
      '2018-11-04T03:15',
      '2018-11-04T03:30',
      '2018-11-04T03:45',
    ])
  })

  test('a time that comes twice when summer time ends is due the first time only (17 February 2018)', () => {
    expect(between('P1D@23:30 America/Sao_Paulo', '2018-02-16T12:00:00Z', '2018-02-19T12:00:00Z')).toEqual([
      '2018-02-17T01:30',
      '2018-02-18T01:30',
      '2018-02-19T02:30',
    ])
  })

  test('a day of 23 or 25 hours has its slot at the same time of the clock', () => {
    expect(between('P1D@09:00 America/Sao_Paulo', '2018-11-03T00:00:00Z', '2018-11-05T23:00:00Z')).toEqual([
      '2018-11-03T12:00',
      '2018-11-04T11:00',
      '2018-11-05T11:00',
    ])
  })

  test('of many missed slots the newest are told', () => {
    const slots = slotsBetween(
      parseSchedule({ cron: '* * * * *' }, SP),
      at('2026-01-01T00:00:00Z'),
      at('2026-03-01T00:00:00Z'),
      3,
    )
    expect(slots.map(show)).toEqual([
      '2026-02-28T23:58:00.000Z',
      '2026-02-28T23:59:00.000Z',
      '2026-03-01T00:00:00.000Z',
    ])
  })

  test.each([
    ['every day', 'is no schedule'],
    ['P0D@09:00', 'is no schedule'],
    ['P1D@24:00', 'is no schedule'],
    ['P1D@09:00 Sao_Paulo', 'is no time zone'],
    [{ cron: '0 9 * *' }, 'five fields'],
    [{ cron: '61 9 * * *' }, 'not between 0 and 59'],
    [{ cron: '0 9 * * 5-1' }, '5-1'],
    [{ cron: '0 9 * foo *' }, 'foo'],
  ])('%j is refused with what to write', (written, words) => {
    expect(scheduleProblem(written)).toContain(words)
  })
})
