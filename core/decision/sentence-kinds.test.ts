/** What a support agent reads out, for everything that sets a rule off, every way of sending and every way of not sending. */
import { describe, expect, test } from 'vitest'
import type { OpenProfile } from '../../schemas/profile.ts'
import { type DecisionInput, type Explanation, whySentence } from './index.ts'
import { at, event, Person, type PersonOptions, rulesFrom } from './person.fixture.ts'
import type { SentenceFacts } from './sentence.ts'

const END = `unless: {purpose: email_marketing}\nthen: {all: [{destination: email, action: send}]}\n`
const rule = (when: string, rest = END) =>
  rulesFrom(`id: r\nversion: 1\ntitle: {pt: Regra, en: Rule}\nwhen: ${when}\n${rest}`)
type Rules = ReturnType<typeof rulesFrom>

function last(rules: Rules, act: (person: Person) => void, options: PersonOptions = {}): Explanation {
  const person = new Person(rules, options)
  act(person)
  return person.explanations.at(-1)!
}
const says = (
  rules: Rules,
  explanation: Explanation,
  language: 'pt' | 'en' = 'pt',
  more: Partial<SentenceFacts> = {},
) => whySentence({ explanation, rule: rules.current[0]!.rule, ...more }, language)
const fires = (rules: Rules, input: DecisionInput, minutes = 0, profile: Partial<OpenProfile> = {}) =>
  last(rules, (person) => {
    person.profile = { ...person.profile, ...profile }
    person.fire(input, minutes)
  })
const buys = (person: Person) => void person.take(event('Order Completed', 0, { total: 90 }))

describe('what set it off', () => {
  const crossing: DecisionInput = { kind: 'score', score: 'churn', from: 0.2, to: 0.9, at: at(0), seq: 1 }
  const taken = (rules: Rules, ...names: string[]) =>
    last(rules, (person) => {
      for (const [index, name] of names.entries()) person.take(event(name, index))
    })
  test.each<[string, string, string, string, (rules: Rules) => Explanation]>([
    ['event', '{event: Order Completed}', 'a “Order Completed”', 'to “Order Completed”', (r) => last(r, buys)],
    [
      'absence',
      '{absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT30M}}',
      'quando, depois de “Product Added”, passa o tempo de 30 minutos sem que algo encerre a espera',
      'when 30 minutes pass after “Product Added” and nothing ends the wait',
      (r) =>
        last(r, (person) => {
          person.take(event('Product Added', 0))
          person.wake(40)
        }),
    ],
    [
      'sequence in order',
      '{sequence: {steps: [{event: A}, {event: B}], within: PT1H}}',
      'quando ocorrem “A”, depois “B” no período de 1 hora',
      'when “A”, then “B” happen within 1 hour',
      (r) => taken(r, 'A', 'B'),
    ],
    [
      'sequence in any order',
      '{sequence: {steps: [{event: A}, {event: B}], order: any, within: PT1H}}',
      'quando ocorrem “A”, “B” no período de 1 hora',
      'when “A”, “B” happen within 1 hour',
      (r) => taken(r, 'B', 'A'),
    ],
    [
      'count',
      '{count: {event: Order Completed, window: P7D}, op: gte, value: 2}',
      'quando passa a valer: quantidade de "Order Completed" no período de 7 dias é pelo menos 2',
      'when this becomes true: number of "Order Completed" within 7 days is at least 2',
      (r) => taken(r, 'Order Completed', 'Order Completed'),
    ],
    [
      'daily',
      '{schedule: "P1D@09:00 America/Sao_Paulo"}',
      'todos os dias às 09:00',
      'every day at 09:00',
      (r) => fires(r, { kind: 'schedule', rule: 'r', slot: at(0), seq: 1 }),
    ],
    [
      'every third day',
      '{schedule: "P3D@09:00 America/Sao_Paulo"}',
      'a cada 3 dias, às 09:00',
      'every 3 days at 09:00',
      (r) => fires(r, { kind: 'schedule', rule: 'r', slot: at(0), seq: 1 }),
    ],
    [
      'cron',
      '{schedule: {cron: "0 9 * * 1"}}',
      'em horários marcados',
      'at set times',
      (r) => fires(r, { kind: 'schedule', rule: 'r', slot: at(0), seq: 1 }),
    ],
    [
      'audience entered',
      '{audience: {enters: vip}}',
      'quando alguém entra no público “vip”',
      'when somebody enters the audience “vip”',
      (r) => fires(r, { kind: 'audience', audience: 'vip', change: 'entered', at: at(0), seq: 1 }),
    ],
    [
      'audience left',
      '{audience: {leaves: vip}}',
      'quando alguém sai do público “vip”',
      'when somebody leaves the audience “vip”',
      (r) => fires(r, { kind: 'audience', audience: 'vip', change: 'left', at: at(0), seq: 1 }),
    ],
    [
      'score',
      '{crosses: {score: churn, above: 0.8}}',
      'quando a pontuação “churn” sobe acima de 0,8',
      'when the score “churn” rises above 0.8',
      (r) => fires(r, crossing),
    ],
    [
      'request',
      '{request: vitrine}',
      'quando “vitrine” é solicitado',
      'when “vitrine” is asked for',
      (r) => fires(r, { kind: 'request', request: 'vitrine', at: at(0), seq: 1 }),
    ],
  ])('%s', (_, when, pt, en, act) => {
    const rules = rule(when)
    const explanation = act(rules)
    expect(explanation.result).toBe('ENQUEUED')
    expect(says(rules, explanation)).toContain(`a regra “Regra” (versão 1) decidiu agir. Ela reage ${pt}. A decisão`)
    expect(says(rules, explanation, 'en')).toContain(`decided to act. It responds ${en}. The decision`)
  })
})

describe('how it was sent', () => {
  const CHANNELS = `unless: {purpose: email_marketing}
then: {channel: {order: preferred, fallback: [sms, email]}, send: {sms: {destination: sms, action: sendSms}, email: {destination: email, action: send}}}
`
  test('the channel with the reason, and the one left out', () => {
    const rules = rule('{event: Order Completed}', CHANNELS)
    const said = last(rules, (person) => {
      const trait = { value: 'email', at: at(0), purposes: ['email_marketing'] }
      person.profile = { ...person.profile, traits: { canal_preferido: trait } }
      buys(person)
    })
    expect(says(rules, said)).toContain('O canal escolhido foi “email”: como a pessoa disse.')
    const order = last(rules, buys)
    expect(says(rules, order)).toContain(
      'O canal escolhido foi “email”: o primeiro, na ordem da regra, que podia ser usado. ' +
        'O canal “sms” ficou de fora: a pessoa não tem o identificador que a ação exige.',
    )
    expect(says(rules, order, 'en')).toContain('The channel chosen was “email”: the first, in the order of the rule')
  })

  test('the variant, and what a delivery that is waiting for the morning is told as', () => {
    const rules = rule(
      '{event: Order Completed}',
      `unless: {purpose: email_marketing, quiet_hours: {from: "08:00", to: "20:00", zone: organization}}
then: {all: [{destination: email, action: send}]}
experiment: {variants: [{id: b, weight: 1}, {id: c, weight: 1}]}
`,
    )
    const held = last(rules, buys)
    expect(says(rules, { ...held, variant: 'b' })).toContain(
      'A variante sorteada foi “b”. O envio ficou para 10/03/2026 às 20:00, por causa do horário de silêncio.',
    )
    expect(says(rules, held, 'en')).toContain('put off to 10 Mar 2026 at 20:00, because of quiet hours.')
  })

  test('an offer: given, or what those who are held out would have been given', () => {
    const rules = rule('{event: Order Completed}')
    const sent = { ...last(rules, buys), offer: 'dez' }
    expect(says(rules, sent)).toContain('Com ela foi a oferta “dez”.')
    expect(says(rules, { ...sent, arm: 'control' })).toContain('Com ela teria ido a oferta “dez”.')
  })

  test('control and the global holdout are told apart', () => {
    const rules = rule('{event: Order Completed}', `${END}experiment: {holdout: global, control: 0.3}\n`)
    const holdout = last(rules, buys, { globalHoldout: 1 })
    expect(holdout.arm).toBe('holdout')
    expect(says(rules, holdout)).toContain('teria agido, mas a pessoa está na reserva geral')
    expect(says(rules, { ...holdout, arm: 'control' })).toContain('foi sorteada para o grupo que não recebe nada')
  })

  test('a shadow and a rule that is not live only would have acted', () => {
    const rules = rule('{event: Order Completed}')
    const acted = last(rules, buys)
    expect(says(rules, { ...acted, result: 'SHADOW', would: 'ENQUEUED' })).toContain(
      'roda em sombra e não enviou nada; fora da sombra teria agido.',
    )
    expect(says(rules, acted, 'pt', { supposed: true })).toContain('teria agido.')
  })
})

describe('why not', () => {
  const stops: [string, string, PersonOptions, (person: Person) => void, string, string][] = [
    [
      'no consent',
      END,
      { consent: () => ({ granted: false }) },
      buys,
      'NO_CONSENT',
      'Não há registro de autorização para a finalidade “email_marketing”.',
    ],
    [
      'nothing to reach the person by',
      END,
      { identifiers: [] },
      buys,
      'NOT_REACHABLE',
      'não agiu: a pessoa não tem o identificador que a ação exige.',
    ],
    [
      'a cap',
      `unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}\nthen: {all: [{destination: email, action: send}]}\n`,
      {},
      (person) => {
        buys(person)
        person.take(event('Order Completed', 5))
      },
      'CAPPED',
      'Teria sido preciso: menos de 1 no período de 1 dia para esta pessoa (já eram 1).',
    ],
    [
      're-entry',
      `unless: {purpose: email_marketing, reentry: {max: 1}}\nthen: {all: [{destination: email, action: send}]}\n`,
      {},
      (person) => {
        buys(person)
        person.take(event('Order Completed', 5))
      },
      'REENTRY',
      'Teria sido preciso: entrou menos de 1 vezes (já eram 1).',
    ],
    [
      'quiet hours that skip',
      `unless: {purpose: email_marketing, quiet_hours: {from: "08:00", to: "20:00", zone: organization, on_hit: skip}}\nthen: {all: [{destination: email, action: send}]}\n`,
      {},
      buys,
      'QUIET_HOURS',
      'Teria sido preciso: pode sair agora: horário de silêncio (America/Sao_Paulo).',
    ],
    [
      'suppression',
      `unless: {purpose: email_marketing, suppress: [complained]}\nthen: {all: [{destination: email, action: send}]}\n`,
      {},
      (person) => {
        person.profile = {
          ...person.profile,
          suppressed: { complained: at(-5) },
        }
        buys(person)
      },
      'SUPPRESSED',
      'não agiu: a regra não escreve a quem reclamou',
    ],
    [
      'an offer that is not there',
      `unless: {purpose: email_marketing}\nthen: {offer: dez, all: [{destination: email, action: send}]}\n`,
      {},
      buys,
      'NO_OFFER',
      'Teria sido preciso: a oferta "dez" existe.',
    ],
  ]
  test.each(stops)('%s', (_, rest, options, act, result, words) => {
    const rules = rule('{event: Order Completed}', rest)
    const explanation = last(rules, act, options)
    expect(explanation.result).toBe(result)
    expect(says(rules, explanation)).toContain(words)
    expect(says(rules, explanation)).toMatch(/^Em 10\/03\/2026 às 09:0\d, a regra “Regra” \(versão 1\) não agiu: /)
    expect(says(rules, explanation, 'en')).toMatch(
      /^On 10 Mar 2026 at 09:0\d, the rule “Rule” \(version 1\) did not act: /,
    )
  })

  test('a nested condition that did not hold, named alone', () => {
    const rules = rule(
      '{event: Order Completed}',
      `who: {all: [{any: [{field: event.total, op: gte, value: 100}, {field: event.coupon, op: exists}]}]}\n${END}`,
    )
    const said = says(rules, last(rules, buys))
    expect(said).toContain('uma condição não valeu. Não valeu: ')
    expect(said).toContain('"total" do evento é pelo menos 100')
  })
})
