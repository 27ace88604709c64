/** Check digits of CPF and CNPJ, the alphanumeric one included. */
import { expect, it } from 'vitest'
import { describeShared, readVectors } from '../testing/public-vectors.ts'
import { normalizeCnpj } from './cnpj.ts'
import { normalizeCpf } from './identifiers.ts'

it('a CPF is eleven digits that fit, whatever stands between them', () => {
  expect(normalizeCpf('962.718.458-60')).toBe('96271845860')
  for (const wrong of ['', '123456', '40364478837', '11111111111', '!40364478829'])
    expect([wrong, normalizeCpf(wrong)]).toEqual([wrong, undefined])
})

it('a CNPJ may have letters, and its check digits count them', () => {
  expect(normalizeCnpj('12.ABC.345/01DE-35')).toBe('12ABC34501DE35')
  expect(normalizeCnpj('q0slfmbd7vx439')).toBe('Q0SLFMBD7VX439')
  for (const wrong of ['', '12.ABC.345/01DE-99', '00000000000000', 'AB.1C2.D3E/4F5G-3', '!13723705000189'])
    expect([wrong, normalizeCnpj(wrong)]).toEqual([wrong, undefined])
})

describeShared('public vectors', ['vectors/cpf_cnpj.json'], () => {
  const vectors = readVectors('cpf_cnpj.json') as Record<
    'cpf_valid' | 'cpf_invalid' | 'cnpj_valid' | 'cnpj_invalid',
    string[]
  >

  it('valid and invalid ones', () => {
    const bare = (value: string) => value.replace(/[./\-\s]/g, '').toUpperCase()
    for (const value of vectors.cpf_valid) expect([value, normalizeCpf(value)]).toEqual([value, bare(value)])
    for (const value of vectors.cnpj_valid) expect([value, normalizeCnpj(value)]).toEqual([value, bare(value)])
    for (const value of vectors.cpf_invalid) expect([value, normalizeCpf(value)]).toEqual([value, undefined])
    for (const value of vectors.cnpj_invalid) expect([value, normalizeCnpj(value)]).toEqual([value, undefined])
  })
})
