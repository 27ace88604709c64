import { describe, expect, test } from 'vitest'
import { DELIVERY_STATUSES } from '../../schemas/delivery.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { type Explanation, whySentence } from './index.ts'
import { CART_RECOVERY, event, Person, type PersonOptions, rulesFrom } from './person.fixture.ts'
import type { DeliveryFacts } from './sentence.ts'

const text = `${CART_RECOVERY}who: {all: [{field: cart.total, op: gte, value: 5000}], any: [{field: event.to, op: eq, value: ana@loja.example}, {field: event.coupon, op: exists}]}\n`
const rules = rulesFrom(text)
const rule = rules.current[0]!.rule
const purposeTitle = { pt: 'E-mail de ofertas', en: 'Offers by e-mail' }

function explained(options: PersonOptions = {}, total = 6000): Explanation {
  const person = new Person(rules, options)
  person.putInCart(total)
  person.take(event('Product Added', 0, { coupon: 'Maria Souza 11 98765-4321' }, 'e1'))
  person.wake(35)
  return person.explanations.at(-1)!
}

describe('why', () => {
  test('of somebody who got the message', () => {
    const facts = {
      explanation: explained(),
      rule,
      purposeTitle,
      delivery: { status: 'delivered', channel: 'email' } as DeliveryFacts,
    }
    expect(whySentence(facts, 'pt')).toBe(
      'Em 10/03/2026 às 09:35, a regra “Carrinho abandonado” (versão 3) enviou uma mensagem. ' +
        'Ela reage quando, depois de “Product Added”, passa o tempo de 30 minutos sem que algo encerre a espera. ' +
        'Valeram as condições: total do carrinho é pelo menos 50,00; "coupon" do evento é conhecido. ' +
        'A decisão se apoiou no registro 01JENTRY000000000000000000 para a finalidade “E-mail de ofertas”. ' +
        'A ferramenta de destino aceitou o envio (canal: email).',
    )
    expect(whySentence({ ...facts, zone: 'America/Manaus' }, 'en')).toBe(
      'On 10 Mar 2026 at 08:35, the rule “Cart recovery” (version 3) sent a message. ' +
        'It responds when 30 minutes pass after “Product Added” and nothing ends the wait. ' +
        'The conditions held: cart total is at least 50.00; "coupon" of the event is known. ' +
        'The decision rests on the record 01JENTRY000000000000000000 for the purpose “Offers by e-mail”. ' +
        'The receiving tool accepted it (channel: email).',
    )
  })

  test('of somebody who did not match: what did not hold, and no more', () => {
    const explanation = explained({}, 4000)
    expect(whySentence({ explanation, rule }, 'pt')).toBe(
      'Em 10/03/2026 às 09:35, a regra “Carrinho abandonado” (versão 3) foi avaliada e não agiu, porque uma condição não valeu. ' +
        'Não valeu: total do carrinho é pelo menos 50,00 (era 40,00).',
    )
  })

  test('of somebody held out, and of somebody without consent', () => {
    const control = { ...explained(), arm: 'control' as const }
    expect(whySentence({ explanation: control, rule, delivery: { status: 'held_out' } }, 'pt')).toMatch(
      /foi sorteada para o grupo que não recebe nada.*Nada foi enviado\.$/,
    )
    const denied = explained({ consent: () => ({ granted: false, entryId: 'E1' }) })
    expect(whySentence({ explanation: denied, rule }, 'en')).toContain(
      'did not act: the rule matched but the purpose of its action is not granted. ',
    )
  })

  test('of a wait that ended: what would have been needed', () => {
    const person = new Person(rules)
    person.take(event('Product Added', 0))
    person.take(event('Order Completed', 5))
    expect(whySentence({ explanation: person.explanations.at(-1)!, rule }, 'en')).toBe(
      'On 10 Mar 2026 at 09:05, the rule “Cart recovery” (version 3) stopped waiting and did nothing. ' +
        'It responds when 30 minutes pass after “Product Added” and nothing ends the wait. ' +
        'It would have needed: no "Order Completed" during the wait.',
    )
  })

  test('every outcome and every status of a delivery makes whole sentences without personal data', () => {
    const base = explained()
    const results = [
      'ENQUEUED',
      'ARMED',
      'RESET',
      'CANCELLED',
      ...(Object.keys(EXITS) as ExitCode[]),
    ] as Explanation['result'][]
    for (const language of ['pt', 'en'] as const)
      for (const result of results)
        for (const status of DELIVERY_STATUSES) {
          const said = whySentence(
            {
              explanation: { ...base, result },
              rule,
              delivery: { status, code: 'BLOCKED_BY_CONSENT', channel: 'email' },
            },
            language,
          )
          expect(said).toMatch(/^(Em|On) .*\.$/)
          expect(said).not.toMatch(/undefined|null|\[object|\.\.|: \.|Maria|98765|ana@/)
        }
  })
})
