import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Arrival, crowd, letterOf, marksOf } from './alike.ts'

const DAY = 86_400_000
const LETTER = (name: string, cpf: string, email: string) =>
  `Eu, ${name}, CPF ${cpf}, e-mail ${email}, venho, com base no art. 18 da LGPD, requerer a eliminação de todos os meus dados pessoais.`

describe('marks', () => {
  test('one form letter with other names, numbers and addresses is one text', () => {
    const of = (name: string, cpf: string, email: string) => marksOf({ text: LETTER(name, cpf, email), name })
    expect(of('Ana de Souza', '390.533.447-05', 'ana@example.com')).toEqual(
      of('João Çelik', '111.444.777-35', 'joao.c@outra.example'),
    )
  })

  test('nothing of the person is left in it', () => {
    const letter = letterOf(LETTER('Ana Segredo', '390.533.447-05', 'ana@example.com'), 'Ana Segredo')!
    expect(letter).not.toMatch(/segredo|390|@|ana /)
    expect(letter).toContain('requerer a eliminacao todos os meus dados pessoais')
  })

  test('a few words are no form letter: everybody writes them', () => {
    expect(marksOf({ text: 'Quero apagar meus dados' })).toEqual([])
  })

  test('who acts for others, and where answers go, are marks too', () => {
    expect(
      marksOf({
        contact: ' Advocacia@Lima.example ',
        representative: { name: 'Dra. Lúcia Lima', kind: 'lawyer', proof: 'procuração' },
      }),
    ).toEqual([
      { kind: 'contact', value: 'advocacia@lima.example' },
      { kind: 'representative', value: 'dra. lucia lima' },
    ])
  })
})

describe('crowd', () => {
  const arrivals = (...days: number[]): Arrival[] =>
    days.map((day, index) => ({ id: `r${index}`, person: `p${index}`, at: day * DAY }))

  test('enough people within the days, wherever the days begin', () => {
    expect(crowd(arrivals(0, 3, 6, 9), { count: 3, days: 6 }).map(({ id }) => id)).toEqual(['r0', 'r1', 'r2', 'r3'])
    expect(crowd(arrivals(0, 3, 7, 20), { count: 3, days: 6 })).toEqual([])
    expect(crowd(arrivals(0, 20, 21, 22), { count: 3, days: 6 }).map(({ id }) => id)).toEqual(['r1', 'r2', 'r3'])
  })

  test('one person asking often is no crowd', () => {
    const same = arrivals(0, 1, 2, 3).map((one) => ({ ...one, person: 'ana' }))
    expect(crowd(same, { count: 3, days: 7 })).toEqual([])
  })

  test('agrees with looking at every stretch', () => {
    const arrival = fc.record({ id: fc.uuid(), person: fc.constantFrom('a', 'b', 'c', 'd'), at: fc.nat(30 * DAY) })
    fc.assert(
      fc.property(
        fc.uniqueArray(arrival, { selector: ({ id }) => id, maxLength: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 10 }),
        (all, count, days) => {
          const expected = all.filter((one) =>
            all.some((start) => {
              const stretch = all.filter(({ at }) => at >= start.at && at <= start.at + days * DAY)
              return stretch.includes(one) && new Set(stretch.map(({ person }) => person)).size >= count
            }),
          )
          expect(new Set(crowd(all, { count, days }))).toEqual(new Set(expected))
        },
      ),
    )
  })
})
