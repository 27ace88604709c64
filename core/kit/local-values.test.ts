import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { cases } from '../testing/effort.ts'
import { readBoolean, readDate, readNumber } from './local-values.ts'

test.each([
  ['1.219,90', undefined, 1219.9],
  ['1219.90', undefined, 1219.9],
  ['1219,9', undefined, 1219.9],
  ['R$ 1.219,90', undefined, 1219.9],
  ['-5', undefined, -5],
  [' 1.219 ', ',', 1219],
  ['1.219', '.', 1.219],
  ['1,219.50', '.', 1219.5],
  ['1,219.50', ',', undefined],
  ['12.19', ',', undefined],
  ['1e3', undefined, undefined],
  ['', undefined, undefined],
  ['Infinity', undefined, undefined],
  [Number.NaN, undefined, undefined],
  [null, undefined, undefined],
] as const)('%j with the sign %j is %j', (text, decimal, number) => {
  expect(readNumber(text, decimal && { decimal })).toBe(number)
})

it('reads back every amount as a Brazilian system writes it', () => {
  fc.assert(
    fc.property(fc.integer({ min: -999_999_999, max: 999_999_999 }), (cents) => {
      const written = (cents / 100).toLocaleString('pt-BR', { minimumFractionDigits: 2 })
      expect(readNumber(written)).toBe(cents / 100)
      expect(readNumber(written, { decimal: ',' })).toBe(cents / 100)
    }),
    { numRuns: cases(200) },
  )
})

test.each([
  ['24/11/2026', {}, '2026-11-24T03:00:00.000Z'],
  ['24/11/2026 08:30', {}, '2026-11-24T11:30:00.000Z'],
  ['24-11-2026 08:30:15', { timezone: 'America/Manaus' }, '2026-11-24T12:30:15.000Z'],
  ['11/24/2026', { dates: 'MDY' }, '2026-11-24T03:00:00.000Z'],
  ['2026-11-24 08:30:00', {}, '2026-11-24T11:30:00.000Z'],
  ['2026-11-24T08:30:00-05:00', {}, '2026-11-24T13:30:00.000Z'],
  ['2026-11-24T11:00:00+0000', {}, '2026-11-24T11:00:00.000Z'],
  [1795519800, {}, '2026-11-24T11:30:00.000Z'],
  ['1795519800000', {}, '2026-11-24T11:30:00.000Z'],
  ['31/02/2026', {}, undefined],
  ['11/24/2026', {}, undefined],
  ['ontem', {}, undefined],
  [Number.NaN, {}, undefined],
  [true, {}, undefined],
] as const)('%j with %j is %j', (text, notation, iso) => {
  expect(readDate(text, notation)).toBe(iso)
})

test.each([
  ['Sim', true],
  ['não', false],
  [0, false],
  ['talvez', undefined],
])('%j is %j', (text, value) => {
  expect(readBoolean(text)).toBe(value)
})
