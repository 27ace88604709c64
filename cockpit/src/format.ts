/** Numbers, dates and durations in the chosen language. Times come as epoch milliseconds and are shown in the organization's zone. */
import { currentLanguage } from './i18n/index.ts'

let zone = 'America/Sao_Paulo'
export function setZone(next: string): void {
  zone = next
}

const made = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>()
function once<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  key: string,
  make: (language: string) => T,
): T {
  const full = `${currentLanguage()} ${zone} ${key}`
  let found = made.get(full)
  if (!found) {
    found = make(currentLanguage())
    made.set(full, found)
  }
  return found as T
}

export const number = (value: number) => once('number', (language) => new Intl.NumberFormat(language)).format(value)

export const compact = (value: number) =>
  value < 10_000
    ? number(value)
    : once(
        'compact',
        (language) => new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 }),
      ).format(value)

export const share = (value: number) =>
  once(
    'share',
    (language) => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: value < 0.1 ? 1 : 0 }),
  ).format(value)

export const money = (minor: number, currency: string) =>
  once(`money ${currency}`, (language) => new Intl.NumberFormat(language, { style: 'currency', currency })).format(
    minor / 100,
  )

export const dateTime = (at: number) =>
  once(
    'dateTime',
    (language) => new Intl.DateTimeFormat(language, { dateStyle: 'short', timeStyle: 'medium', timeZone: zone }),
  ).format(at)

export const date = (at: number) =>
  once('date', (language) => new Intl.DateTimeFormat(language, { dateStyle: 'short', timeZone: zone })).format(at)

/** The day of a moment in the organization's zone, as YYYY-MM-DD. */
export const dayOf = (at: number) =>
  once('dayOf', () => new Intl.DateTimeFormat('en-CA', { timeZone: zone, dateStyle: 'short' })).format(at)

/** A day that was counted in UTC, whatever the zone of the organization. */
export const utcDay = (at: number) =>
  once(
    'utcDay',
    (language) => new Intl.DateTimeFormat(language, { day: '2-digit', month: '2-digit', timeZone: 'UTC' }),
  ).format(at)

export const clock = (at: number) =>
  once(
    'clock',
    (language) =>
      new Intl.DateTimeFormat(language, {
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
        timeZone: zone,
        hourCycle: 'h23',
      }),
  ).format(at)

export const hourMinute = (at: number) =>
  once(
    'hourMinute',
    (language) =>
      new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', timeZone: zone, hourCycle: 'h23' }),
  ).format(at)

export const dayHour = (at: number) =>
  once(
    'dayHour',
    (language) =>
      new Intl.DateTimeFormat(language, {
        day: '2-digit',
        month: '2-digit',
        hour: '2-digit',
        minute: '2-digit',
        timeZone: zone,
        hourCycle: 'h23',
      }),
  ).format(at)

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
]

/** "há 12 segundos", "ontem". */
export function ago(at: number, now: number): string {
  const past = Math.max(0, now - at)
  const [unit, size] = UNITS.find(([, ms]) => past >= ms) ?? UNITS[3]!
  return once('ago', (language) => new Intl.RelativeTimeFormat(language, { numeric: 'auto' })).format(
    -Math.floor(past / size),
    unit,
  )
}

/** "12 s", "3 min", "2 h", "4 d". */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 90) return `${number(seconds)}\u00a0s`
  if (seconds < 5400) return `${number(Math.round(seconds / 60))}\u00a0min`
  if (seconds < 172_800) return `${number(Math.round(seconds / 3600))}\u00a0h`
  return `${number(Math.round(seconds / 86_400))}\u00a0d`
}

/** When a day (YYYY-MM-DD) begins in the organization's zone; undefined for what is no day. */
export function startOfDay(day: string): number | undefined {
  const guess = Date.parse(`${day}T00:00:00Z`)
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(guess)) return undefined
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
    hourCycle: 'h23',
  }).format(guess)
  const [, date, time] = /^(\S+?),? (\S+)$/.exec(parts) ?? []
  return guess + (guess - Date.parse(`${date}T${time}Z`))
}

const DAY_MS = 86_400_000

/** From the beginning of one day to the end of another, as the API asks for it. */
export function dayRange(from: string | undefined, until: string | undefined): { from?: string; to?: string } {
  const start = from === undefined ? undefined : startOfDay(from)
  const last = until === undefined ? undefined : startOfDay(until)
  // Half a day more, then back to midnight: days of 23 and 25 hours end right.
  const end = last === undefined ? undefined : startOfDay(new Date(last + DAY_MS * 1.5).toISOString().slice(0, 10))
  return {
    ...(start !== undefined && { from: new Date(start).toISOString() }),
    ...(end !== undefined && { to: new Date(end).toISOString() }),
  }
}
