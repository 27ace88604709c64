import Holidays from 'date-holidays'
import { expect, test } from 'vitest'
import { loadRules } from './index.ts'
import { nextAllowed, silenceAt } from './quiet-hours.ts'
import { STATE_CODES, stateHolidays } from './state-holidays.ts'

test('of every state the days that date-holidays knows besides those of the country', () => {
  expect(STATE_CODES).toHaveLength(27)
  const country = new Holidays('BR')
  for (let year = 2024; year <= 2034; year++) {
    const national = new Set(country.getHolidays(year).map(({ date }) => date.slice(0, 10)))
    for (const code of STATE_CODES) {
      const expected = new Holidays('BR', code.slice(3))
        .getHolidays(year)
        .filter(({ type, date }) => type === 'public' && !national.has(date.slice(0, 10)))
        .map(({ date }) => date.slice(0, 10))
      const own = [...stateHolidays(code, year)].filter((day) => !national.has(day))
      expect(new Set(own), `${code} ${year}`).toEqual(new Set(expected))
    }
  }
})

test('a message waits out the holiday of the state that the rule names, and not that of another', () => {
  const times = (...holidays: string[]) => ({
    zone: { zone: 'person' },
    quiet: undefined,
    holidays: new Set(holidays),
    windows: undefined,
  })
  const noon = Date.parse('2026-07-09T15:00:00Z')
  expect(silenceAt(times('BR-SP'), noon, 'America/Sao_Paulo')).toBe('holidays')
  expect(silenceAt(times('BR-RJ'), noon, 'America/Sao_Paulo')).toBeUndefined()
  expect(new Date(nextAllowed(times('BR-RJ', 'BR-SP'), noon, 'America/Sao_Paulo')!).toISOString()).toBe(
    '2026-07-10T03:00:00.000Z',
  )
})

test('a state that is none is refused with its place', () => {
  const text = (state: string) =>
    `id: r\nversion: 1\nwhen: {event: X}\nunless: {purpose: p, quiet_hours: {holidays: [BR, ${state}]}}\nthen: {all: [{destination: d, action: a}]}\n`
  expect(() => loadRules([{ file: 'r.yaml', text: text('BR-XX') }])).toThrow(/r\.yaml:4:\d+: .*BR-SP/)
  expect(loadRules([{ file: 'r.yaml', text: text('BR-SP') }]).rules).toHaveLength(1)
})
