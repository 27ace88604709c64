/** Numbers and dates as Brazilian systems write them into webhooks and files. */
import { DateTime } from 'luxon'

/** How one sender writes. Whatever is absent is told from the value itself, where that leaves no doubt. */
export interface Notation {
  /** The decimal sign. Absent: 1.219,90 and 1219.90 are both read. */
  readonly decimal?: ',' | '.'
  /** Order of day and month where slashes or dots are written. Default: DMY. */
  readonly dates?: 'DMY' | 'MDY'
  /** IANA zone of times without one. Default: America/Sao_Paulo. */
  readonly timezone?: string
}

const PLAIN = /^[+-]?\d+(\.\d+)?$/
const BRAZILIAN = /^[+-]?\d{1,3}(\.\d{3})*,\d+$|^[+-]?\d+,\d+$/

/** @returns undefined when it is no finite number. A currency sign before it is left out. */
export function readNumber(value: unknown, { decimal }: Notation = {}): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string') return undefined
  const text = value.replace(/^\s*(R\$|US\$|\$|€)\s*/, '').replace(/[\s\u00A0]/g, '')
  const number =
    decimal === ','
      ? /^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$|^[+-]?\d+(,\d+)?$/.test(text)
        ? Number(text.replaceAll('.', '').replace(',', '.'))
        : Number.NaN
      : decimal === '.'
        ? /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) || PLAIN.test(text)
          ? Number(text.replaceAll(',', ''))
          : Number.NaN
        : PLAIN.test(text)
          ? Number(text)
          : BRAZILIAN.test(text)
            ? Number(text.replaceAll('.', '').replace(',', '.'))
            : Number.NaN
  return Number.isFinite(number) ? number : undefined
}

const SLASHED = /^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/
/** Seconds until the year 2286; milliseconds are longer. */
const SECONDS = 9_999_999_999

/**
 * ISO 8601, `YYYY-MM-DD HH:mm`, DD/MM/YYYY with or without a time, and seconds or milliseconds since 1970.
 * @returns ISO 8601 in UTC; undefined when it is no date that exists.
 */
export function readDate(
  value: unknown,
  { dates = 'DMY', timezone = 'America/Sao_Paulo' }: Notation = {},
): string | undefined {
  if (typeof value === 'number' || (typeof value === 'string' && /^\d{9,13}$/.test(value.trim()))) {
    const number = Number(value)
    return utc(DateTime.fromMillis(Math.abs(number) > SECONDS ? number : number * 1000))
  }
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  const slashed = SLASHED.exec(text)
  if (slashed) {
    const [first, second, year, hour, minute, sec] = slashed.slice(1).map((part) => Number(part ?? 0))
    const [day, month] = dates === 'DMY' ? [first, second] : [second, first]
    return utc(
      DateTime.fromObject(
        { year: year!, month: month!, day: day!, hour: hour!, minute: minute!, second: sec! },
        {
          zone: timezone,
        },
      ),
    )
  }
  return utc(DateTime.fromISO(text.replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, '$1T'), { zone: timezone }))
}

const utc = (at: DateTime): string | undefined => (at.isValid ? (at.toUTC().toISO() ?? undefined) : undefined)

const YES = new Set(['true', '1', 'sim', 's', 'yes', 'y', 'verdadeiro'])
const NO = new Set(['false', '0', 'não', 'nao', 'n', 'no', 'falso'])

export function readBoolean(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  const text = String(value).trim().toLowerCase()
  return YES.has(text) ? true : NO.has(text) ? false : undefined
}
