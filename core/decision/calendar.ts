/** Days, weeks and months by the clock of a zone. Pure. Instants are epoch milliseconds. */
import { DateTime, IANAZone } from 'luxon'
import { nationalHolidays } from '../../consent/reports/business-days.ts'
import { stateHolidays } from './state-holidays.ts'

export const DAY_MS = 86_400_000

/** A wall clock: days since 1970-01-01, and milliseconds since its midnight. */
export interface WallClock {
  readonly day: number
  readonly ms: number
}

/** Minutes east of UTC. @param zone IANA name. */
export const offsetAt = (at: number, zone: string): number => IANAZone.create(zone).offset(at)

export function wallClock(at: number, zone: string): WallClock {
  const local = at + Math.round(offsetAt(at, zone) * 60_000)
  const day = Math.floor(local / DAY_MS)
  return { day, ms: local - day * DAY_MS }
}

/** 1 Monday … 7 Sunday. */
export const weekdayOf = (day: number): number => ((((day + 3) % 7) + 7) % 7) + 1

/** YYYY-MM-DD. */
export const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

export type Period = 'day' | 'week' | 'month'

/**
 * When the day, week (from Monday, ISO 8601) or month began that an instant lies in. Where midnight does not exist
 * (São Paulo, 2018-11-04) the day begins with its first instant.
 */
export function startOfPeriod(at: number, period: Period, zone: string): number {
  return DateTime.fromMillis(at, { zone }).startOf(period).toMillis()
}

/** The longest a period may be: one that an hour is put into. */
export const LONGEST: Readonly<Record<Period, number>> = {
  day: DAY_MS + 3_600_000,
  week: 7 * DAY_MS + 3_600_000,
  month: 31 * DAY_MS + 3_600_000,
}

const years = new Map<number, ReadonlySet<string>>()

/** National holidays of Brazil, those of the states named as BR-SP, local ones by their date. */
export function isHoliday(day: number, local: ReadonlySet<string>): boolean {
  const date = dateOf(day)
  if (local.has(date)) return true
  const year = Number(date.slice(0, 4))
  let holidays = years.get(year)
  if (!holidays) {
    holidays = new Set(nationalHolidays(year))
    years.set(year, holidays)
  }
  if (holidays.has(date)) return true
  for (const one of local) if (one.startsWith('BR-') && stateHolidays(one, year).has(date)) return true
  return false
}
