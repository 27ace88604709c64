/**
 * ISO 8601 durations of rules, in milliseconds. Weeks and days are fixed lengths (7 × 24 h, 24 h), so a
 * window means the same on every date; years and months have no fixed length and are refused.
 */
import { ConfigError } from '../kit/errors.ts'

export type Language = 'pt' | 'en'

const PARTS = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/

/** Why a duration cannot be used, with what to write instead; undefined when it can. */
export function durationProblem(text: string): string | undefined {
  const parts = PARTS.exec(text)
  if (!parts || text === 'P' || text.endsWith('T')) return `"${text}" is no duration: write one such as PT30M or P1D`
  if (parts[1] || parts[2])
    return `"${text}" counts years or months, which differ in length: write days, e.g. P30D or P365D`
  return undefined
}

/** @returns milliseconds. @throws ConfigError when `durationProblem` finds one. */
export function parseDuration(text: string): number {
  const problem = durationProblem(text)
  if (problem) throw new ConfigError(problem)
  const [, , , weeks, days, hours, minutes, seconds] = PARTS.exec(text)!
  const n = (part: string | undefined) => (part ? Number(part) : 0)
  return ((n(weeks) * 7 + n(days)) * 86_400 + n(hours) * 3600 + n(minutes) * 60 + n(seconds)) * 1000
}

const UNITS = [
  { ms: 86_400_000, pt: ['dia', 'dias'], en: ['day', 'days'] },
  { ms: 3_600_000, pt: ['hora', 'horas'], en: ['hour', 'hours'] },
  { ms: 60_000, pt: ['minuto', 'minutos'], en: ['minute', 'minutes'] },
  { ms: 1000, pt: ['segundo', 'segundos'], en: ['second', 'seconds'] },
] as const

/** "1 hour and 30 minutes" · "1 hora e 30 minutos". */
export function durationWords(ms: number, language: Language): string {
  const words: string[] = []
  let rest = ms
  for (const unit of UNITS) {
    const count = Math.floor(rest / unit.ms)
    rest -= count * unit.ms
    if (count > 0) words.push(`${count} ${unit[language][count === 1 ? 0 : 1]}`)
  }
  if (words.length === 0) return language === 'pt' ? '0 segundos' : '0 seconds'
  return words.join(language === 'pt' ? ' e ' : ' and ')
}
