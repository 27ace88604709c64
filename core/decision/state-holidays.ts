/**
 * Holidays of the states of Brazil, by their own laws (Lei 9.093/1995 art. 1, II: a state has its magna date). Days that
 * bind only public offices or one trade are left out, and so are those of cities: a rule names these by their date.
 */
import { easter } from '../../consent/reports/business-days.ts'

/** MM-DD, or a day that moves with the year. */
const STATES: Readonly<Record<string, readonly (string | ((year: number) => string))[]>> = {
  AC: ['01-12', '03-08', '06-15', '09-05'],
  AL: ['06-24', '06-29', '09-16', consciousness],
  AM: ['09-05', consciousness],
  AP: ['03-19', '09-13'],
  BA: ['07-02'],
  CE: ['03-25'],
  DF: ['11-30'],
  // Nossa Senhora da Penha, eight days after Easter; a holiday of the state since 2020 (Lei 11.010/2019).
  ES: [(year) => (year >= 2020 ? shifted(easter(year), 8) : '')],
  GO: ['07-26', '10-24'],
  MA: ['07-28'],
  MG: [],
  MS: ['10-11'],
  MT: [consciousness],
  PA: ['08-15'],
  PB: ['07-26', '08-05'],
  PE: [(year) => sundayFrom(`${year}-03-01`)],
  PI: ['10-19'],
  PR: ['12-19'],
  RJ: ['04-23', consciousness],
  RN: ['10-03'],
  RO: ['01-04', '06-18'],
  RR: ['10-05'],
  RS: ['09-20'],
  // Both are kept on the Sunday that follows (Lei 10.306/1996, Lei 12.906/2004).
  SC: [(year) => sundayFrom(`${year}-08-11`), (year) => sundayFrom(`${year}-11-25`)],
  SE: ['07-08'],
  SP: ['07-09'],
  TO: ['03-18', '09-08', '10-05'],
}

/** Of the country since 2024 (Lei 14.759/2023), of some states before. */
function consciousness(year: number): string {
  return year < 2024 ? `${year}-11-20` : ''
}

function shifted(date: string, days: number): string {
  return new Date(Date.parse(date) + days * 86_400_000).toISOString().slice(0, 10)
}

/** That day when it is a Sunday, else the next one. */
const sundayFrom = (date: string): string => shifted(date, (7 - new Date(date).getUTCDay()) % 7)

/** What a rule may write: BR-AC … BR-TO. */
export const STATE_CODES = Object.keys(STATES).map((state) => `BR-${state}`)

const known = new Map<string, ReadonlySet<string>>()

/** YYYY-MM-DD of a year. @param code BR-SP */
export function stateHolidays(code: string, year: number): ReadonlySet<string> {
  const key = `${code}|${year}`
  let days = known.get(key)
  if (!days) {
    const rules = STATES[code.slice(3)] ?? []
    days = new Set(rules.map((rule) => (typeof rule === 'string' ? `${year}-${rule}` : rule(year))).filter(Boolean))
    known.set(key, days)
  }
  return days
}
