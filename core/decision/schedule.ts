/**
 * When a schedule is due: every so many days or weeks at a time of day, or by a cron line, by the clock of a zone. Pure.
 *
 * Where summer time begins or ends: a time of day that does not exist on that day is due as much later as the clock
 * was put forward; one that comes twice is due the first time only.
 */
import { IANAZone } from 'luxon'
import type { Schedule as Written } from '../../schemas/rule.ts'
import { ConfigError } from '../kit/errors.ts'
import { type CronDay, parseCron } from './cron.ts'

export interface Schedule {
  /** IANA name. */
  readonly zone: string
  /** Minutes of the day on a local date; none when it is not due that day. */
  readonly minutesOf: (day: CronDay) => readonly number[]
}

const DAY_MS = 86_400_000
const EVERY = /^P(\d{1,3})([DW])@([01]\d|2[0-3]):([0-5]\d)(?:\s+(\S+))?$/
/** 1 January 1970 was a Thursday: weeks are counted from the Monday after. */
const FIRST_MONDAY = 4
/** A cron line may ask for 29 February. */
const SEARCHED_DAYS = 366 * 9

/** Why a schedule cannot be used, with what to write instead; undefined when it can. */
export function scheduleProblem(written: Written): string | undefined {
  try {
    parseSchedule(written, 'UTC')
    return undefined
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

/** @param fallback zone of the organisation, for a schedule without its own. @throws ConfigError */
export function parseSchedule(written: Written, fallback: string): Schedule {
  if (typeof written !== 'string')
    return { zone: zoneOf(written.timezone ?? fallback), minutesOf: parseCron(written.cron) }
  const parts = EVERY.exec(written.trim())
  if (!parts || Number(parts[1]) === 0)
    throw new ConfigError(
      `"${written}" is no schedule: write days or weeks with a time, such as "P1D@09:00 America/Sao_Paulo", or {cron: "0 9 * * 1-5", timezone: America/Sao_Paulo}`,
    )
  const minutes = [Number(parts[3]) * 60 + Number(parts[4])]
  const days = Number(parts[1]) * (parts[2] === 'W' ? 7 : 1)
  const first = parts[2] === 'W' ? FIRST_MONDAY : 0
  return {
    zone: zoneOf(parts[5] ?? fallback),
    minutesOf: ({ number }) => ((number - first) % days === 0 ? minutes : []),
  }
}

/** As written, in one line. */
export function scheduleWords(written: Written): string {
  return typeof written === 'string' ? written : [written.cron, written.timezone].filter(Boolean).join(' ')
}

function zoneOf(name: string): string {
  if (IANAZone.isValidZone(name)) return name
  throw new ConfigError(`"${name}" is no time zone: write one such as America/Sao_Paulo`)
}

/** The first slot after this time; undefined when there is none in nine years. Epoch milliseconds. */
export function nextSlot(schedule: Schedule, after: number): number | undefined {
  const start = dayNumber(after, schedule.zone) - 1
  for (let number = start; number < start + SEARCHED_DAYS; number++) {
    const found = slotsOn(schedule, number).find((slot) => slot > after)
    if (found !== undefined) return found
  }
  return undefined
}

/** Slots after one time and up to another, oldest first; of many the newest `most`. */
export function slotsBetween(schedule: Schedule, after: number, upTo: number, most = 100): number[] {
  const found: number[] = []
  const first = dayNumber(after, schedule.zone) - 1
  for (let number = dayNumber(upTo, schedule.zone) + 1; number >= first && found.length < most; number--)
    found.unshift(...slotsOn(schedule, number).filter((slot) => slot > after && slot <= upTo))
  return found.slice(-most)
}

function slotsOn({ zone, minutesOf }: Schedule, number: number): number[] {
  const date = new Date(number * DAY_MS)
  const minutes = minutesOf({
    number,
    dayOfMonth: date.getUTCDate(),
    month: date.getUTCMonth() + 1,
    dayOfWeek: date.getUTCDay(),
  })
  const slots = minutes.map((minute) => instantOf(number * DAY_MS + minute * 60_000, zone))
  return [...new Set(slots)].sort((a, b) => a - b)
}

/** Days since 1 January 1970 on the calendar of a zone. */
const dayNumber = (ms: number, zone: string): number =>
  Math.floor((ms + IANAZone.create(zone).offset(ms) * 60_000) / DAY_MS)

/** @param local a local date and time, written as if it were UTC. */
function instantOf(local: number, zone: string): number {
  const iana = IANAZone.create(zone)
  const offsets = [iana.offset(local - DAY_MS), iana.offset(local + DAY_MS)]
  const instants = offsets.map((minutes) => local - minutes * 60_000)
  const real = instants.filter((instant) => local - iana.offset(instant) * 60_000 === instant)
  // A time that the clock jumped over, by the offset before the jump: as much later as it jumped.
  return real.length > 0 ? Math.min(...real) : instants[0]!
}
