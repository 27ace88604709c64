import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isGpp, readTcf } from './tcf.ts'

/** From the specification of the IAB; also read so by other public implementations. */
const SPEC =
  'COvFyGBOvFyGBAbAAAENAPCAAOAAAAAAAAAAAEEUACCKAAA.IFoEUQQgAIQwgIwQABAEAAAAOIAACAIAAAAQAIAgEAACEAAAAAgAQBAAAAAAAGBAAgAAAAAAAFAAECAAAgAAQARAEQAAAAAJAAIAAgAAAYQEAAAQmAgBC3ZAYzUw'

describe('TC strings', () => {
  test('are read as the specification says', () => {
    expect(readTcf(SPEC)).toMatchObject({
      version: 2,
      cmpId: 27,
      created: '2020-02-20T23:57:39.300Z',
      vendorListVersion: 15,
      consentLanguage: 'EN',
      purposeConsents: [1, 2, 3],
      vendorConsents: [2, 6, 8],
      vendorLegitimateInterests: [2, 6, 8],
    })
  })

  test('of version 1 are recognised as such', () => {
    expect(readTcf('BO2e4qiO2e4qiB9ABADEDS-AAAAxKABgACBiQA')).toEqual({ version: 1, cmpId: 125 })
  })

  test('what is none is none, whatever it is', () => {
    for (const text of [
      '',
      'hello',
      'COvFyGBOvFy',
      `${'A'.repeat(9000)}`,
      'CO%GB',
      '../../etc/passwd',
      SPEC.slice(0, 30),
    ])
      expect(readTcf(text)).toBeUndefined()
  })

  test('agree with the public vectors', () => {
    const file = join(process.env['ANUENTE_SHARED'] ?? '../shared', 'vectors/tcf.json')
    const cases = existsSync(file)
      ? (
          JSON.parse(readFileSync(file, 'utf8')) as {
            cases: { tcString: string; expected?: object; expectError?: boolean }[]
          }
        ).cases
      : [{ tcString: SPEC, expected: { cmpId: 27 } }]
    for (const { tcString, expected } of cases) {
      if (!expected) {
        expect(readTcf(tcString)).toBeUndefined()
        continue
      }
      const read = readTcf(tcString) as object
      const shared = Object.fromEntries(Object.entries(expected).filter(([name]) => name in read))
      expect(read).toMatchObject(shared)
      expect(Object.keys(shared).length).toBeGreaterThan(1)
    }
  })
})

test('GPP strings are known by their form', () => {
  expect(isGpp('DBACNYA~CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA~1YNN')).toBe(true)
  expect(isGpp('DBAA')).toBe(true)
  for (const text of ['', 'CPXx', 'D~', 'DBAA~<script>']) expect(isGpp(text)).toBe(false)
})
