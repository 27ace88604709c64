import { expect, test } from 'vitest'
import { csvOf } from './src/csv.ts'

test('Excel in each language opens it: separator and decimal mark', () => {
  const rows = [
    ['Destino', 'Valor'],
    ['rdstation', 12.5],
    ['a;b', null],
  ]
  expect(csvOf(rows, 'pt-BR')).toBe('Destino;Valor\r\nrdstation;12,5\r\n"a;b";\r\n')
  expect(csvOf(rows, 'en')).toBe('Destino,Valor\r\nrdstation,12.5\r\na;b,\r\n')
})

test('what others sent stays text, and quotes and lines stay in their cell', () => {
  expect(csvOf([['=HYPERLINK("x")', '+55', '-1', '@x', -1]], 'en')).toBe(`"'=HYPERLINK(""x"")",'+55,'-1,'@x,-1\r\n`)
  expect(csvOf([['two\nlines', 'say "hi"']], 'en')).toBe('"two\nlines","say ""hi"""\r\n')
})
