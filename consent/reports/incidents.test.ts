import Holidays from 'date-holidays'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { afterBusinessDays, businessDaysLeft, easter, isBusinessDay, nationalHolidays } from './business-days.ts'
import { incidentClocks } from './incident-clock.ts'
import { draftLetters } from './letters.ts'

describe('business days', () => {
  test('Easter, and what hangs on it', () => {
    expect([2024, 2025, 2026, 2027, 2038].map(easter)).toEqual([
      '2024-03-31',
      '2025-04-20',
      '2026-04-05',
      '2027-03-28',
      '2038-04-25',
    ])
    expect(nationalHolidays(2026)).toContain('2026-04-03')
  })

  test('20 November is national from 2024 on', () => {
    expect(nationalHolidays(2023)).not.toContain('2023-11-20')
    expect(nationalHolidays(2024)).toContain('2024-11-20')
  })

  test('the same days as date-holidays knows for Brazil, elections apart', () => {
    const known = new Holidays('BR')
    for (let year = 2024; year <= 2040; year++) {
      const days = known
        .getHolidays(year)
        .filter(({ type, name }) => type === 'public' && !/Elei/.test(name))
        .map(({ date }) => date.slice(0, 10))
      expect(nationalHolidays(year)).toEqual([...new Set(days)].sort())
    }
  })

  test('carnival is no national holiday: the earlier deadline is the safe one', () => {
    expect(isBusinessDay('2026-02-17')).toBe(true)
    expect(isBusinessDay('2026-02-17', ['2026-02-17'])).toBe(false)
  })

  test('three business days over a long weekend', () => {
    // Thursday before Good Friday 2026, in the evening of São Paulo: already Friday in UTC.
    expect(afterBusinessDays('2026-04-03T01:30:00Z', 3)).toBe('2026-04-09T02:59:59.999Z')
    // Friday 2026-11-13: the 15th is a Sunday; the 20th is a holiday.
    expect(afterBusinessDays('2026-11-17T12:00:00-03:00', 3)).toBe('2026-11-24T02:59:59.999Z')
  })

  test('the last day is a business day, and as many of them lie before it as were asked for', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2024-01-01'), max: new Date('2035-01-01'), noInvalidDate: true }),
        fc.integer({ min: 1, max: 45 }),
        (from, days) => {
          const due = afterBusinessDays(from.toISOString(), days)
          expect(businessDaysLeft(due, from.toISOString())).toBe(days)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('days overdue are counted too', () => {
    expect(businessDaysLeft('2026-11-24T02:59:59.999Z', '2026-11-25T12:00:00Z')).toBe(-2)
  })
})

describe('clocks of an incident', () => {
  const incident = {
    knownAt: '2026-11-17T12:00:00-03:00',
    notifiable: true,
    authorityAt: null,
    subjectsAt: null,
    supplementAt: null,
  }
  const big = { smallAgent: false, holidays: [] }
  const at = (iso: string) => Date.parse(iso)

  test('three business days from knowledge, for the authority and the people', () => {
    const clocks = incidentClocks(incident, at('2026-11-18T12:00:00Z'), big)
    expect(clocks.map(({ what, due, overdue, daysLeft }) => ({ what, due, overdue, daysLeft }))).toEqual([
      { what: 'authority', due: '2026-11-24T02:59:59.999Z', overdue: false, daysLeft: 2 },
      { what: 'subjects', due: '2026-11-24T02:59:59.999Z', overdue: false, daysLeft: 2 },
    ])
    expect(incidentClocks(incident, at('2026-11-24T03:00:00Z'), big).every(({ overdue }) => overdue)).toBe(true)
  })

  test('doubled for small agents', () => {
    expect(incidentClocks(incident, at('2026-11-18T12:00:00Z'), { smallAgent: true, holidays: [] })[0]).toMatchObject({
      businessDays: 6,
      due: '2026-11-27T02:59:59.999Z',
    })
  })

  test('twenty business days for the supplement, from the communication', () => {
    const clocks = incidentClocks(
      { ...incident, authorityAt: at('2026-11-19T12:00:00Z') },
      at('2026-11-23T12:00:00Z'),
      big,
    )
    expect(clocks[2]).toMatchObject({ what: 'supplement', businessDays: 20, due: '2026-12-19T02:59:59.999Z' })
    expect(clocks[0]).toMatchObject({ overdue: false, done: at('2026-11-19T12:00:00Z') })
  })

  test('told too late stays late', () => {
    const late = { ...incident, authorityAt: at('2026-11-30T12:00:00Z') }
    expect(incidentClocks(late, at('2026-12-30T12:00:00Z'), big)[0]).toMatchObject({ overdue: true })
  })

  test('what need not be told has no clock', () => {
    expect(incidentClocks({ ...incident, notifiable: false }, at('2027-01-01T00:00:00Z'), big)).toEqual([])
  })
})

describe('letters', () => {
  const facts = {
    title: 'Planilha exposta',
    description: 'Uma planilha com contatos ficou pública.',
    knownAt: '2026-11-17T12:00:00-03:00',
  }
  const incident = { id: '01X', facts, people: null, smallAgent: false, authorityDue: '2026-11-24T02:59:59.999Z' }

  test('what is not known is asked for, in the letter and in a list', () => {
    const { items, missing } = draftLetters(incident, { name: 'Loja Exemplo' }, '2026-11-18T12:00:00Z')
    expect(items.map(({ name }) => name)).toEqual(['incidente-01X-anpd.txt', 'incidente-01X-titulares.txt'])
    expect(missing).toContain('número de titulares afetados')
    for (const what of missing) expect(items.some(({ text }) => text.includes(`[preencher: ${what}]`))).toBe(true)
  })

  test('complete: nothing is left to fill in', () => {
    const { items, missing } = draftLetters(
      {
        ...incident,
        people: 120,
        facts: {
          ...facts,
          occurredAt: '2026-11-16T09:00:00-03:00',
          dataCategories: ['nome', 'e-mail'],
          sensitive: false,
          minors: false,
          measuresBefore: 'acesso por senha',
          measuresAfter: 'a planilha foi apagada',
          risks: 'mensagens falsas',
        },
      },
      { name: 'Loja Exemplo', cnpj: '12.345.678/0001-95', dpo: { name: 'Rui Prado', email: 'dpo@loja.example' } },
      '2026-11-18T12:00:00Z',
    )
    expect(missing).toEqual([])
    expect(items[0]!.text).toContain('120')
    expect(items[1]!.text).toContain('dpo@loja.example')
    for (const { text } of items) expect(text).not.toContain('[preencher')
  })

  test('after the deadline the letter to the authority gives the reason', () => {
    const { missing } = draftLetters(incident, { name: 'Loja' }, '2026-12-18T12:00:00Z')
    expect(missing).toContain('motivo da comunicação fora do prazo')
  })
})
