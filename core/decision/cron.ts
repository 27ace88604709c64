/** Cron lines of five fields: minute, hour, day of month, month, day of week. Pure. */
import { ConfigError } from '../kit/errors.ts'

export interface CronDay {
  /** Days since 1 January 1970. */
  readonly number: number
  readonly dayOfMonth: number
  /** 1 to 12. */
  readonly month: number
  /** 0 is Sunday. */
  readonly dayOfWeek: number
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/**
 * @returns minutes of the day on which it is due, in order; none on other days. As in crontab(5), a line that restricts
 * both days of the month and of the week is due on either.
 * @throws ConfigError
 */
export function parseCron(line: string): (day: CronDay) => readonly number[] {
  const fields = line.trim().split(/\s+/)
  if (fields.length !== 5)
    throw new ConfigError(
      `"${line}" is no cron line: it needs five fields (minute hour day month weekday), such as "0 9 * * 1-5"`,
    )
  const minutes = parseField(fields[0]!, 0, 59, [], line)
  const hours = parseField(fields[1]!, 0, 23, [], line)
  const daysOfMonth = parseField(fields[2]!, 1, 31, [], line)
  const months = parseField(fields[3]!, 1, 12, MONTHS, line)
  // 7 is Sunday too.
  const daysOfWeek = new Set([...parseField(fields[4]!, 0, 7, WEEKDAYS, line)].map((day) => day % 7))
  const anyDayOfMonth = fields[2]!.startsWith('*')
  const anyDayOfWeek = fields[4]!.startsWith('*')
  const all = [...hours].flatMap((hour) => [...minutes].map((minute) => hour * 60 + minute)).sort((a, b) => a - b)
  return ({ dayOfMonth, month, dayOfWeek }) => {
    if (!months.has(month)) return []
    const byMonth = daysOfMonth.has(dayOfMonth)
    const byWeek = daysOfWeek.has(dayOfWeek)
    return (anyDayOfMonth || anyDayOfWeek ? byMonth && byWeek : byMonth || byWeek) ? all : []
  }
}

function parseField(text: string, min: number, max: number, names: readonly string[], line: string): Set<number> {
  const wrong = (part: string) =>
    new ConfigError(
      `"${part}" in the cron line "${line}" is not between ${min} and ${max}: write numbers, ranges (1-5), lists (1,3) or steps (*/15)`,
    )
  const numberOf = (word: string, part: string) => {
    const name = names.indexOf(word.toLowerCase())
    const value = name >= 0 ? name + (min === 1 ? 1 : 0) : /^\d+$/.test(word) ? Number(word) : Number.NaN
    if (Number.isNaN(value) || value < min || value > max) throw wrong(part)
    return value
  }
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const [range, step, ...rest] = part.split('/')
    if (rest.length > 0 || range === undefined || (step !== undefined && !/^[1-9]\d*$/.test(step))) throw wrong(part)
    const ends = range === '*' ? [String(min), String(max)] : range.split('-')
    if (ends.length > 2) throw wrong(part)
    const from = numberOf(ends[0]!, part)
    const to = ends.length === 2 ? numberOf(ends[1]!, part) : step === undefined ? from : max
    if (to < from) throw wrong(part)
    for (let value = from; value <= to; value += Number(step ?? 1)) found.add(value)
  }
  return found
}
