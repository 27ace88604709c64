import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeShared, readVectors } from '../../core/testing/public-vectors.ts'
import { canonicalText, parseStrict } from './canonical.ts'

describe('canonical JSON', () => {
  test('sorts names by UTF-16 units at every depth, writes numbers and strings as ECMAScript does', () => {
    expect(
      canonicalText({ '\ufb33': 1, '\ud83d\ude00': 2, b: { z: 0, a: [] }, 10: null, 9: true, '': '\u000f"\\' }),
    ).toBe('{"":"\\u000f\\"\\\\","10":null,"9":true,"b":{"a":[],"z":0},"\ud83d\ude00":2,"\ufb33":1}')
    expect(canonicalText(JSON.parse('[333333333.33333329,1E30,4.50,2e-3,1e-27,-0]'))).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]',
    )
  })

  test('refuses what JSON cannot say', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, undefined, '\ud800', { a: '\udc00' }])
      expect(() => canonicalText(value)).toThrow(TypeError)
  })

  test('is the same for the same value however it was written, and reads back as that value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalText(value)
        expect(canonicalText(JSON.parse(JSON.stringify(value)))).toBe(text)
        expect(canonicalText(parseStrict(text))).toBe(text)
      }),
    )
  })
})

describe('strict reading', () => {
  test.each([
    '{"a":1,"a":2}',
    '{"a":{"b":1,"b":1}}',
    '[{"a":1},{"x":[{"k":0,"k":0}]}]',
    '{"a":1,"\\u0061":2}',
    '{"a" : 1, "b":2, "a" :3}',
  ])('refuses a name that stands twice: %s', (text) => {
    expect(() => parseStrict(text)).toThrow('twice')
  })
  test.each(['"\\ud800"', '{"\\udc00":1}', '["\\ud83d x"]', '"\ud800"'])(
    'refuses half a surrogate pair: %j',
    (text) => {
      expect(() => parseStrict(text)).toThrow('surrogate')
    },
  )
  test.each(['', '{', '{"a":1}x', "{'a':1}", '[1,]', 'NaN'])('refuses what is no JSON: %s', (text) => {
    expect(() => parseStrict(text)).toThrow(SyntaxError)
  })
  test('takes the same name in different objects, and names that look like structure', () => {
    expect(parseStrict('{"a":{"a":1},"b":[{"a":2},{"a":3}],"}{\\"a\\":":0,"c":"a\\":{"}')).toEqual({
      a: { a: 1 },
      b: [{ a: 2 }, { a: 3 }],
      '}{"a":': 0,
      c: 'a":{',
    })
  })
})

describeShared('public RFC 8785 vectors', ['vectors/jcs.json'], () => {
  const vectors = readVectors('jcs.json') as {
    cases: { name: string; input_text: string; output_hex: string }[]
    rfc8785_appendix_b: [string, string][]
    number_samples_readme: [string, string][]
    es6_generator: { static_u64_hex: string[]; sha256_first_lines: Record<string, string> }
  }
  test.each(vectors.cases.map(({ name, ...rest }) => [name, rest] as const))('%s', (_, { input_text, output_hex }) => {
    expect(Buffer.from(canonicalText(parseStrict(input_text))).toString('hex')).toBe(output_hex)
  })
  const number = (bits: string) => Buffer.from(bits.padStart(16, '0'), 'hex').readDoubleBE()
  test('numbers', () => {
    for (const [bits, text] of [...vectors.rfc8785_appendix_b, ...vectors.number_samples_readme])
      if (Number.isFinite(number(bits))) expect([bits, canonicalText(number(bits))]).toEqual([bits, text])
      else expect(() => canonicalText(number(bits))).toThrow(TypeError)
  })
  test('the first thousand generated numbers have the published checksum', () => {
    const lines = Array.from({ length: 1000 }, (_, n) => {
      const { static_u64_hex: fixed } = vectors.es6_generator
      const bits = n < fixed.length ? BigInt(`0x${fixed[n]}`) : 0x0010000000000000n + BigInt(n - fixed.length)
      const hex = bits.toString(16)
      return `${hex},${canonicalText(number(hex))}\n`
    })
    expect(createHash('sha256').update(lines.join('')).digest('hex')).toBe(
      vectors.es6_generator.sha256_first_lines['1000'],
    )
  })
})
