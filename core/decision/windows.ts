/** Windows of time that conditions look back over: rolling, by the calendar of a zone, or between two dates. Pure. */
import { DateTime } from 'luxon'
import type { Measured } from '../../schemas/conditions.ts'
import type { RuleView } from './compile.ts'
import { durationWords, parseDuration } from './duration.ts'

export interface Window {
  /** Times (epoch ms) inside are later than `after` and not later than `until`. `next` is when time alone moves the window. */
  at(view: Pick<RuleView, 'now' | 'zones'>): { after: number; until: number }
  /** When, as time passes, an event of that time leaves or enters the window; undefined: never. */
  changeOf(at: number, view: Pick<RuleView, 'now' | 'zones'>): number | undefined
  /** How long times must be kept for it: epoch-independent milliseconds, or those between two dates. */
  readonly keepMs: number
  readonly range?: { readonly from: number; readonly to: number }
  readonly words: { readonly en: string; readonly pt: string }
}

const DAY = 86_400_000
export const DEFAULT_ZONE = 'America/Sao_Paulo'

export function windowOf(measured: Measured): Window {
  if (measured.from !== undefined) return rangeWindow(measured.from, measured.to)
  if (measured.calendar !== undefined) return calendarWindow(measured.window ?? 'P1D', measured.calendar)
  const ms = parseDuration(measured.window ?? 'P1D')
  return {
    at: ({ now }) => ({ after: now - ms, until: Number.POSITIVE_INFINITY }),
    changeOf: (at) => at + ms,
    keepMs: ms,
    words: { en: `within ${durationWords(ms, 'en')}`, pt: `no período de ${durationWords(ms, 'pt')}` },
  }
}

// ---------------------------------------------------------------- by the calendar

interface CalendarSpan {
  readonly unit: 'day' | 'month' | 'year'
  readonly count: number
}

const SPAN = /^P(?:(\d+)Y|(\d+)M|(?:(\d+)W)?(?:(\d+)D)?)$/

/** Whole days, weeks, months or years; undefined for anything else. */
export function calendarSpan(text: string): CalendarSpan | undefined {
  const parts = SPAN.exec(text)
  if (!parts) return undefined
  const [, years, months, weeks, days] = parts
  const span = years
    ? { unit: 'year' as const, count: Number(years) }
    : months
      ? { unit: 'month' as const, count: Number(months) }
      : { unit: 'day' as const, count: Number(weeks ?? 0) * 7 + Number(days ?? 0) }
  return span.count > 0 ? span : undefined
}

const LONGEST = { day: DAY, month: 31 * DAY, year: 366 * DAY }

/**
 * Days begin at the midnight of the zone; where summer time skips it, at the first moment of the day. The bounds are
 * worked out once per day and zone: reading a calendar costs more than a condition.
 */
function calendarWindow(text: string, whose: 'person' | 'organization'): Window {
  const { unit, count } = calendarSpan(text) ?? { unit: 'day', count: 1 }
  const known = new Map<string, { since: number; next: number; start: number }>()
  const bounds = ({ now, zones }: Pick<RuleView, 'now' | 'zones'>) => {
    const organization = zones?.organization ?? DEFAULT_ZONE
    const zone = whose === 'person' ? (zones?.person ?? organization) : organization
    const last = known.get(zone)
    if (last && now >= last.since && now < last.next) return last
    const day = DateTime.fromMillis(now, { zone })
    const fresh = {
      since: day.startOf(unit).toMillis(),
      next: day
        .startOf(unit)
        .plus({ [unit]: 1 })
        .startOf(unit)
        .toMillis(),
      start: day
        .startOf(unit)
        .minus({ [unit]: count - 1 })
        .startOf(unit)
        .toMillis(),
    }
    known.set(zone, fresh)
    return fresh
  }
  return {
    at: (view) => ({ after: bounds(view).start - 1, until: Number.POSITIVE_INFINITY }),
    changeOf: (_at, view) => bounds(view).next,
    keepMs: (count + 1) * LONGEST[unit],
    words: calendarWords(unit, count),
  }
}

function calendarWords(unit: CalendarSpan['unit'], count: number): Window['words'] {
  if (count === 1)
    return {
      day: { en: 'today', pt: 'hoje' },
      month: { en: 'this month', pt: 'neste mês' },
      year: { en: 'this year', pt: 'neste ano' },
    }[unit]
  const pt = { day: 'dias', month: 'meses', year: 'anos' }[unit]
  return {
    en: `in the last ${count} calendar ${unit}s, the current one included`,
    pt: `nos últimos ${count} ${pt} do calendário, com o atual`,
  }
}

// ---------------------------------------------------------------- between two dates

/** A date without a time is its midnight in the zone of the organization. @returns epoch ms; NaN when it is none. */
export function instantOf(text: string, zone = DEFAULT_ZONE): number {
  return DateTime.fromISO(text, { zone }).toMillis()
}

function rangeWindow(fromText: string, toText: string | undefined): Window {
  const from = instantOf(fromText)
  const to = toText === undefined ? Number.POSITIVE_INFINITY : instantOf(toText)
  return {
    at: () => ({ after: from - 1, until: to - 1 }),
    changeOf: () => undefined,
    keepMs: Number.POSITIVE_INFINITY,
    range: { from, to },
    words:
      toText === undefined
        ? { en: `since ${fromText}`, pt: `desde ${fromText}` }
        : { en: `from ${fromText} to before ${toText}`, pt: `de ${fromText} até antes de ${toText}` },
  }
}
