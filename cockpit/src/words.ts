/** Texts that come from the hub in both languages, and durations in words. */
import { currentLanguage } from './i18n/index.ts'

export const told = (text: { readonly pt: string; readonly en: string }) =>
  currentLanguage() === 'en' ? text.en : text.pt

const UNITS = { Y: 'year', M: 'month', W: 'week', D: 'day', H: 'hour', m: 'minute', S: 'second' } as const

/** "P13M" → "13 meses", "P1DT12H" → "1 dia, 12 horas". */
export function period(iso: string): string {
  const [, days = '', times = ''] = /^P([^T]*)T?(.*)$/.exec(iso) ?? []
  const parts = [...days.matchAll(/(\d+)([YMWD])/g), ...times.replace('M', 'm').matchAll(/(\d+)([HmS])/g)]
  return parts
    .map(([, count, unit]) =>
      new Intl.NumberFormat(currentLanguage(), {
        style: 'unit',
        unit: UNITS[unit as keyof typeof UNITS],
        unitDisplay: 'long',
      }).format(Number(count)),
    )
    .join(', ')
}
