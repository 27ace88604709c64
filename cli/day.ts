/** Days and times as people write them on the command line. */
import { DateTime } from 'luxon'
import { CliError } from './output.ts'

const ZONE = 'America/Sao_Paulo'

/** @returns ISO 8601, UTC. A day without an hour is its beginning in São Paulo, or its end. */
export function readTime(text: string, option: string, edge: 'start' | 'end' = 'start'): string {
  const at = DateTime.fromISO(text, { zone: ZONE })
  if (!at.isValid)
    throw new CliError(
      'INVALID',
      `${option} ${text} is no time. Write 2026-11-24 or 2026-11-24T10:00-03:00.`,
      1,
      option,
    )
  const exact = /T/.test(text) ? at : edge === 'end' ? at.endOf('day') : at.startOf('day')
  return exact.toUTC().toISO()!
}

/** As the officer reads it. */
export const showDay = (at: number | string): string =>
  (typeof at === 'number' ? DateTime.fromMillis(at) : DateTime.fromISO(at)).setZone(ZONE).toFormat('yyyy-MM-dd HH:mm')
