import { describe, expect, test } from 'vitest'
import { asksToStop } from './feedback.ts'

describe('a reply that asks to stop', () => {
  test.each(['SAIR', 'sair', ' Sair! ', 'PARE', 'stop', 'Parar.', 'cancelar envio', 'descadastrar', 'SAIR 🙏'])(
    '%s',
    (text) => {
      expect(asksToStop(text)).toBe(true)
    },
  )
  test.each([
    'Posso sair mais cedo para buscar o pedido?',
    'Obrigado!',
    'sairei',
    '',
    'não quero parar de receber',
    'x'.repeat(100),
    undefined,
  ])('not: %s', (text) => {
    expect(asksToStop(text)).toBe(false)
  })
})
