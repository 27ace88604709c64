import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { linesOf, numberOf } from './commerce.ts'
import { countryCode, hashedOnce, sha256 } from './hashing.ts'
import { mappedTraits, namesOf } from './payload-fields.ts'

describe('lines', () => {
  it('are the list of an event, or the one product it is about', () => {
    expect(linesOf({ productId: 'tenis', productName: 'Tênis', price: 99.9 })).toEqual([
      { id: 'tenis', name: 'Tênis', price: 99.9, quantity: 1 },
    ])
    expect(linesOf({ productId: 'ignored', products: [{ sku: 'meia', price: '9.90', quantity: '2' }] })).toEqual([
      { id: 'meia', price: 9.9, quantity: 2 },
    ])
    expect(linesOf({})).toEqual([])
  })

  it('what has no id is left out, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.string(), fc.anything())), (products) => {
        for (const line of linesOf({ products: products as Record<string, unknown>[] })) {
          expect(line.id).not.toBe('')
          expect(Number.isFinite(line.quantity)).toBe(true)
        }
      }),
    )
  })

  it.each([
    ['9.90', 9.9],
    [' ', undefined],
    ['1,50', undefined],
    [Number.NaN, undefined],
    [null, undefined],
    [0, 0],
  ])('%j as a number', (value, number) => {
    expect(numberOf(value)).toBe(number)
  })
})

describe('hashes', () => {
  it('are of the normal form, never twice, and nothing of nothing', () => {
    const lower = (value: string) => value.trim().toLowerCase()
    expect(hashedOnce(' A@B.co ', lower)).toBe(sha256('a@b.co'))
    expect(hashedOnce(sha256('a@b.co'), lower)).toBe(sha256('a@b.co'))
    expect(hashedOnce('  ', lower)).toBeUndefined()
    expect(hashedOnce(undefined, lower)).toBeUndefined()
  })
  it.each([
    ['Brasil', 'br'],
    ['BR', 'br'],
    ['United States', ''],
  ])('%s as a country', (value, code) => {
    expect(countryCode(value)).toBe(code)
  })
})

describe('people', () => {
  it.each([
    [{ name: 'Maria Inês Souza' }, { firstName: 'Maria', lastName: 'Inês Souza' }],
    [{ name: 'Maria' }, { firstName: 'Maria' }],
    [{ name: 'Outra Pessoa', firstName: 'Maria' }, { firstName: 'Maria' }],
    [{ name: ' ' }, {}],
  ])('names of %j', (given, names) => {
    expect(namesOf(given)).toEqual(names)
  })

  it('traits go by the table alone; no prototype and no empty value gets through', () => {
    const table = { A: 'plan', B: 'constructor', C: 'empty' }
    expect(mappedTraits(table, { plan: 'ouro', empty: '', other: 'x' })).toEqual({ A: 'ouro' })
  })
})
