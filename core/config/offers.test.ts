import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { codesOfOffers, offerProblems, readCodes } from './offers.ts'

const title = { pt: 'Frete grátis', en: 'Free shipping' }
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'anuente-offers-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test.each([
  ['one a line, each once', 'A1\nB2\n\n A1 \nC3\n', ['A1', 'B2', 'C3']],
  ['a column, wherever it stands', '\uFEFFlote;Código;valor\n7;A1;10\n7;B2;10\n8;;10\n', ['A1', 'B2']],
  ['the first of several without a name', 'A1,2026-01-01\nB2,2026-01-01\n', ['A1', 'B2']],
  ['nothing', '', []],
])('codes of a file: %s', (_what, text, codes) => {
  expect(readCodes(text)).toEqual(codes)
})

test('a file that is missing, empty or no CSV is told with the offer it belongs to', () => {
  writeFileSync(join(dir, 'good.csv'), 'A1\nB2\n')
  writeFileSync(join(dir, 'empty.csv'), 'code\n')
  writeFileSync(join(dir, 'broken.csv'), 'code\n"A1\nB2')
  const told: string[] = []
  const offer = (codes: string) => ({ title, codes })
  const lists = codesOfOffers(
    { good: offer('good.csv'), none: offer('none.csv'), empty: offer('empty.csv'), broken: offer('broken.csv') },
    dir,
    (path, message) => told.push(`${path.join('.')} ${message}`),
  )
  expect(lists.get('good')).toEqual(['A1', 'B2'])
  expect(told).toEqual([
    expect.stringMatching(/^offers\.none\.codes names a file that does not exist/),
    expect.stringMatching(/^offers\.empty\.codes has no codes in it/),
    expect.stringMatching(/^offers\.broken\.codes names a file that cannot be read as CSV/),
  ])
})

test('offers that could never be given, or not as meant, are refused', () => {
  const count = { count: { event: 'Order Completed', window: 'P30D' }, op: 'gte' as const, value: 1 }
  const found = offerProblems({
    both: { title, code: 'A', codes: 'codes.csv' },
    late: { title, from: '2026-02-01', to: '2026-01-31' },
    counted: { title, who: { any: [{ all: [count] }] } },
    good: { title, from: '2026-01-31', to: '2026-01-31', who: { all: [{ audience: 'vip', in: true }] } },
  })
  expect(found.map(({ path }) => path.join('.'))).toEqual(['offers.both.codes', 'offers.late.to', 'offers.counted.who'])
})
