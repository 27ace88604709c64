/**
 * Business days in Brazil, for deadlines that are counted in them. National holidays only, with those that
 * hang on Easter; carnival and Corpus Christi are no national holidays, so that a deadline never comes out too late.
 * Local ones may be given (`organization.holidays`).
 */
import { DateTime } from 'luxon'

const ZONE = 'America/Sao_Paulo'

/** Lei 662/1949 (as of Lei 10.607/2002), Lei 6.802/1980 (12 October), Lei 14.759/2023 (20 November, from 2024). */
const FIXED: readonly (readonly [monthDay: string, since: number])[] = [
  ['01-01', 1949],
  ['04-21', 1949],
  ['05-01', 1949],
  ['09-07', 1949],
  ['10-12', 1980],
  ['11-02', 1949],
  ['11-15', 1949],
  ['11-20', 2024],
  ['12-25', 1949],
]

/** Sunday of Easter, Gregorian (Meeus/Jones/Butcher). @returns YYYY-MM-DD. */
export function easter(year: number): string {
  const a = year % 19
  const b = Math.floor(year / 100)
  const c = year % 100
  const d = Math.floor((19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30)
  const e = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - d - (c % 4)) % 7
  const f = Math.floor((a + 11 * d + 22 * e) / 451)
  const month = Math.floor((d + e - 7 * f + 114) / 31)
  const day = ((d + e - 7 * f + 114) % 31) + 1
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`
}

/** YYYY-MM-DD, in order. Good Friday is kept nationwide (Lei 9.093/1995 art. 2). */
export function nationalHolidays(year: number): string[] {
  const friday = DateTime.fromISO(easter(year), { zone: 'utc' }).minus({ days: 2 }).toISODate()!
  return [...FIXED.filter(([, since]) => year >= since).map(([day]) => `${year}-${day}`), friday].sort()
}

export function isBusinessDay(day: string, local: readonly string[] = []): boolean {
  const date = DateTime.fromISO(day, { zone: 'utc' })
  return date.weekday <= 5 && !nationalHolidays(date.year).includes(day) && !local.includes(day)
}

/**
 * The end of the n-th business day after a moment: the day itself is left out, the last one counts whole
 * (Lei 9.784/1999 art. 66).
 * @returns ISO 8601, UTC: the last millisecond of that day in São Paulo.
 */
export function afterBusinessDays(from: string, days: number, local: readonly string[] = []): string {
  let day = DateTime.fromISO(from, { zone: ZONE }).startOf('day')
  for (let left = days; left > 0; ) {
    day = day.plus({ days: 1 })
    if (isBusinessDay(day.toISODate()!, local)) left -= 1
  }
  return day.endOf('day').toUTC().toISO()!
}

/** Business days from now to a deadline, today not counted; negative once it has passed. */
export function businessDaysLeft(due: string, now: string, local: readonly string[] = []): number {
  const today = DateTime.fromISO(now, { zone: ZONE }).startOf('day')
  const last = DateTime.fromISO(due, { zone: ZONE }).startOf('day')
  const step = last >= today ? 1 : -1
  let count = 0
  for (let day = today; day.toISODate() !== last.toISODate(); ) {
    if (step > 0) day = day.plus({ days: 1 })
    if (isBusinessDay(day.toISODate()!, local)) count += step
    if (step < 0) day = day.minus({ days: 1 })
  }
  return count
}
