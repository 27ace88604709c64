/**
 * Every reason for which somebody was, or was not, sent something: a clause with the value that was found, and a sentence
 * in both languages that a support agent can read out. A reason that is added without them fails here.
 */
import { expect, test } from 'vitest'
import { DELIVERY_STATUSES, type DeliveryStatus } from '../../schemas/delivery.ts'
import { EXITS, type ExitCode } from '../../schemas/exits.ts'
import { counterfactual } from '../reports/counterfactual.ts'
import { refusalWords } from './consent-words.ts'
import type { DecisionOutcome } from './decision.ts'
import { compileRule, type Explanation, whySentence } from './index.ts'
import { type PackedDecision, pack, unpack } from './packed.ts'
import { at, CART_RECOVERY, event, Person, type PersonOptions, rulesFrom } from './person.fixture.ts'
import type { DeliveryFacts, SentenceFacts } from './sentence.ts'

interface Row {
  readonly is: DecisionOutcome
  readonly name: string
  readonly rule: string
  readonly options?: PersonOptions
  readonly act?: (person: Person) => void
  /** Beginning of the id of the clause that did not hold, and what was found. */
  readonly clause?: readonly [id: string, value: unknown]
  readonly pt: string | RegExp
  readonly en: string | RegExp
}

const RULE = (unless = '', more = '', then = 'all: [{destination: email, action: send}]') =>
  `id: r\nversion: 1\ntitle: {pt: Regra, en: Rule}\nwhen: {event: Order Completed}\nunless: {purpose: email_marketing${unless}}\nthen: {${then}}\n${more}`
const buys = (person: Person) => void person.take(event('Order Completed', 0, { total: 90, plan: 'free' }))
const twice = (person: Person) => {
  buys(person)
  person.take(event('Order Completed', 5, { total: 90 }))
}
const adds = (person: Person, minutes = 0) => {
  person.putInCart(9000)
  person.take(event('Product Added', minutes))
}
const who = (conditions: string) => RULE('', `who: ${conditions}\n`)
const refusal = (code: ExitCode): PersonOptions => ({ context: { refusal: () => code } })
const denied = (reason: string, entryId?: string): PersonOptions => ({
  consent: () => ({ granted: false, code: 'NO_CONSENT', reason, ...(entryId && { entryId }) }),
})
const condition = (name: string, conditions: string, id: string, value: unknown, pt: string, en: string): Row => ({
  is: 'NOT_MATCHED',
  name,
  rule: who(conditions),
  clause: [id, value],
  pt,
  en,
})
const stopped = (code: ExitCode, pt: string, en: string): Row => ({
  is: code,
  name: code.toLowerCase(),
  rule: RULE(),
  options: refusal(code),
  clause: ['rollout', code],
  pt,
  en,
})

const ROWS: readonly Row[] = [
  // -------------------------------------------------------------- who
  condition(
    'number',
    '{all: [{field: event.total, op: gte, value: 100}]}',
    'who.all.0',
    90,
    'é pelo menos 100 (era 90)',
    'is at least 100 (it was 90)',
  ),
  condition(
    'equality',
    '{all: [{field: event.plan, op: eq, value: gold}]}',
    'who.all.0',
    '(text)',
    'Não valeu: "plan" do evento é "gold"',
    'What did not hold: "plan" of the event is "gold"',
  ),
  condition(
    'list',
    '{all: [{field: event.plan, op: in, value: [gold, silver]}]}',
    'who.all.0',
    '(text)',
    'é um de "gold", "silver"',
    'is one of "gold", "silver"',
  ),
  condition(
    'missing',
    '{all: [{field: event.coupon, op: exists}]}',
    'who.all.0',
    null,
    '"coupon" do evento é conhecido',
    '"coupon" of the event is known',
  ),
  condition('present', '{all: [{field: event.total, op: absent}]}', 'who.all.0', 90, 'não é conhecido', 'is not known'),
  condition(
    'none',
    '{none: [{field: event.total, op: lt, value: 100}]}',
    'who.none.0',
    90,
    'não: "total" do evento',
    'not: "total" of the event',
  ),
  condition(
    'any of a nested group',
    '{all: [{any: [{field: event.total, op: gt, value: 500}, {field: event.coupon, op: exists}]}]}',
    'who.all.0.any.0',
    90,
    'é maior que 500 (era 90); "coupon"',
    'is more than 500 (it was 90); "coupon"',
  ),
  condition(
    'count in a window',
    '{all: [{count: {event: Order Completed, window: P30D}, op: gte, value: 3}]}',
    'who.all.0',
    1,
    'quantidade de "Order Completed" no período de 30 dias é pelo menos 3 (era 1)',
    'number of "Order Completed" within 30 days is at least 3 (it was 1)',
  ),
  condition(
    'sum in a window',
    '{all: [{sum: {event: Order Completed, property: total, window: P30D}, op: gte, value: 200.5}]}',
    'who.all.0',
    90,
    'é pelo menos 200,5 (era 90)',
    'is at least 200.5 (it was 90)',
  ),
  condition(
    'audience',
    '{all: [{audience: vip, in: true}]}',
    'who.all.0',
    false,
    'está no público "vip"',
    'is in the audience "vip"',
  ),
  condition(
    'score',
    '{all: [{field: scores.churn, op: gte, value: 0.5}]}',
    'who.all.0',
    null,
    'pontuação "churn" é pelo menos 0,5',
    'score "churn" is at least 0.5',
  ),
  {
    is: 'NOT_MATCHED',
    name: 'score that had not come back',
    rule: RULE().replace('{event: Order Completed}', '{crosses: {score: churn, above: 0.8}}'),
    act: (person) => {
      for (const minutes of [0, 1])
        person.fire({ kind: 'score', score: 'churn', from: 0.2, to: 0.9, at: at(minutes), seq: minutes + 1 }, minutes)
    },
    clause: ['when.crosses.rearm', at(0)],
    pt: 'desde o último disparo da regra',
    en: 'since the rule last fired',
  },
  // -------------------------------------------------------------- clocks
  { is: 'ARMED', name: 'waits', rule: CART_RECOVERY, act: adds, pt: 'começou a esperar', en: 'began to wait' },
  {
    is: 'RESET',
    name: 'waits again',
    rule: CART_RECOVERY,
    act: (person) => {
      adds(person)
      adds(person, 5)
    },
    pt: 'recomeçou a espera',
    en: 'began its wait again',
  },
  {
    is: 'CANCELLED',
    name: 'ended by a purchase',
    rule: CART_RECOVERY,
    act: (person) => {
      adds(person)
      person.take(event('Order Completed', 5))
    },
    clause: ['when.absence.unless', 1],
    pt: 'parou de esperar e não fez nada',
    en: 'stopped waiting and did nothing',
  },
  {
    is: 'GOAL_REACHED',
    name: 'goal',
    rule: `${CART_RECOVERY}exit_on: [Checkout Started]\n`,
    act: (person) => {
      adds(person)
      person.take(event('Checkout Started', 5))
    },
    clause: ['when.absence.unless', 1],
    pt: 'não agiu: a pessoa já fez o que a regra busca',
    en: 'did not act: the person already did what the rule wants',
  },
  {
    is: 'EXPIRED',
    name: 'too late',
    rule: CART_RECOVERY.replace('PT24H', 'PT1M'),
    act: (person) => {
      adds(person)
      person.wake(600)
    },
    clause: ['then.expires', expect.stringMatching(/^PT\d+S$/)],
    pt: 'Teria sido preciso: ainda valia a pena agir',
    en: 'It would have needed: it was still worth acting',
  },
  // -------------------------------------------------------------- consent and reach
  {
    is: 'NO_CONSENT',
    name: 'never answered',
    rule: RULE(),
    options: denied('consent_unknown'),
    clause: ['unless.purpose', 'unknown'],
    pt: 'Não há registro de autorização para a finalidade “email_marketing”.',
    en: 'There is no record of a permission for the purpose “email_marketing”.',
  },
  ...(
    [
      ['denied', 'ela foi negada', 'it was denied'],
      ['revoked', 'a autorização foi retirada', 'the permission was withdrawn'],
      ['expired', 'ela expirou', 'it has expired'],
      ['conflict', 'há respostas em conflito', 'there are conflicting answers'],
      ['stale', 'o aviso mudou desde a resposta', 'the notice has changed since the answer'],
      ['invalid', 'a evidência da resposta não vale', 'the evidence of the answer is worthless'],
    ] as const
  ).map(
    ([status, pt, en]): Row => ({
      is: 'NO_CONSENT',
      name: status,
      rule: RULE(),
      options: denied(`consent_${status}`, 'E1'),
      clause: ['unless.purpose', status],
      pt: `A finalidade “email_marketing” não estava autorizada: ${pt} (registro E1).`,
      en: `The purpose “email_marketing” was not permitted: ${en} (record E1).`,
    }),
  ),
  {
    is: 'NO_CONSENT',
    name: 'a minor',
    rule: RULE(),
    options: denied('minor_ads', 'E1'),
    clause: ['unless.purpose', 'minor_ads'],
    pt: 'publicidade não alcança menores',
    en: 'advertising must not reach minors',
  },
  {
    is: 'SUBJECT_SUPPRESSED',
    name: 'forgotten',
    rule: RULE(),
    options: { consent: () => ({ granted: false, code: 'SUBJECT_SUPPRESSED' }) },
    clause: ['unless.purpose', 'suppressed'],
    pt: 'a pessoa pediu para ser esquecida',
    en: 'the person asked to be forgotten',
  },
  {
    is: 'NOT_REACHABLE',
    name: 'no contact',
    rule: RULE(),
    options: { identifiers: ['userId'] },
    clause: ['then.contact.email', null],
    pt: 'Teria sido preciso: um contato é conhecido: e-mail.',
    en: 'It would have needed: a contact is known: e-mail address.',
  },
  {
    is: 'UNDECLARED',
    name: 'an action that is gone',
    rule: RULE('', '', 'all: [{destination: nowhere, action: send}]'),
    clause: ['then.action.nowhere.send', null],
    pt: 'a ação "send" de "nowhere" existe',
    en: 'the action "send" of "nowhere" exists',
  },
  // -------------------------------------------------------------- limits
  {
    is: 'CAPPED',
    name: 'rolling cap',
    rule: RULE(', caps: [{per: person, max: 1, window: P1D}]'),
    act: twice,
    clause: ['unless.caps.0', 1],
    pt: 'para esta pessoa (já eram 1)',
    en: '(there were 1)',
  },
  {
    is: 'CAPPED',
    name: 'calendar cap',
    rule: RULE(', caps: [{per: person+channel, max: 1, window: P1M, count: calendar}]'),
    act: twice,
    clause: ['unless.caps.0', 1],
    pt: '(já eram 1)',
    en: '(there were 1)',
  },
  {
    is: 'REENTRY',
    name: 'times',
    rule: RULE(', reentry: {max: 1}'),
    act: twice,
    clause: ['unless.reentry.max', 1],
    pt: 'entrou menos de 1 vezes (já eram 1)',
    en: 'entered fewer than 1 times (there were 1)',
  },
  {
    is: 'REENTRY',
    name: 'interval',
    rule: RULE(', reentry: {min_interval: P1D}'),
    act: twice,
    clause: ['unless.reentry.min_interval', at(0)],
    pt: 'a última entrada foi há tempo suficiente',
    en: 'the last entry is long enough ago',
  },
  {
    is: 'SUPPRESSED',
    name: 'complained',
    rule: RULE(', suppress: [complained]'),
    act: (person) => {
      person.profile = { ...person.profile, suppressed: { complained: at(-5) } }
      buys(person)
    },
    clause: ['unless.suppress', at(-5)],
    pt: 'a regra não escreve a quem reclamou',
    en: 'did not act:',
  },
  {
    is: 'QUIET_HOURS',
    name: 'silence that skips',
    rule: RULE(', quiet_hours: {from: "08:00", to: "20:00", zone: organization, on_hit: skip}'),
    clause: ['unless.quiet_hours', expect.any(String)],
    pt: 'horário de silêncio',
    en: 'quiet hours',
  },
  {
    is: 'BUDGET',
    name: 'spent',
    rule: RULE('', 'budget: {sends: {day: 10}}\n'),
    options: { context: { budgets: { zone: 'America/Sao_Paulo', used: () => 10 } } },
    clause: ['budget', 10],
    pt: 'o orçamento da regra acabou',
    en: /budget/,
  },
  {
    is: 'EXCLUDED',
    name: 'group',
    rule: RULE('', 'group: {id: promo, window: P2D}\n'),
    act: twice,
    clause: ['group', 1],
    pt: 'nenhuma mensagem do grupo "promo" em 2 dias',
    en: 'no message of the group "promo" within 2 days',
  },
  {
    is: 'NO_OFFER',
    name: 'offer',
    rule: RULE('', '', 'offer: dez, all: [{destination: email, action: send}]'),
    clause: ['then.offer', 'dez'],
    pt: 'a oferta "dez" existe',
    en: 'the offer "dez" exists',
  },
  // -------------------------------------------------------------- publishing
  stopped('PAUSED', 'a regra não está pausada', 'the rule is not paused'),
  stopped('KILLED', 'a regra não está parada', 'the rule is not stopped'),
  stopped('NOT_PUBLISHED', 'a pessoa está fora da parcela', 'the rule is published to this person'),
  // -------------------------------------------------------------- sent, or nearly
  { is: 'ENQUEUED', name: 'acted', rule: RULE(), pt: 'decidiu agir', en: 'decided to act' },
  {
    is: 'ENQUEUED',
    name: 'control',
    rule: RULE('', 'experiment: {control: 0.99999}\n'),
    pt: 'foi sorteada para o grupo que não recebe nada',
    en: 'drawn into the group that receives nothing',
  },
  {
    is: 'ENQUEUED',
    name: 'holdout',
    rule: RULE('', 'experiment: {holdout: global}\n'),
    options: { globalHoldout: 1 },
    pt: 'está na reserva geral',
    en: 'is in the global holdout',
  },
  {
    is: 'ENQUEUED',
    name: 'held by quiet hours',
    rule: RULE(', quiet_hours: {from: "08:00", to: "20:00", zone: organization}'),
    pt: 'O envio ficou para 10/03/2026 às 20:00, por causa do horário de silêncio.',
    en: 'because of quiet hours',
  },
]

const decided = (row: Row): { explanation: Explanation; facts: SentenceFacts } => {
  const rules = rulesFrom(row.rule)
  const person = new Person(rules, row.options)
  ;(row.act ?? buys)(person)
  const explanation = person.explanations.at(-1)!
  return { explanation, facts: { explanation, rule: rules.current[0]!.rule } }
}

test.each(ROWS.map((row) => [`${row.is}: ${row.name}`, row] as const))('%s', (_, row) => {
  const { explanation, facts } = decided(row)
  expect(explanation.result).toBe(row.is)
  for (const [language, words] of [
    ['pt', row.pt],
    ['en', row.en],
  ] as const) {
    const said = whySentence(facts, language)
    expect(said).toMatch(words)
    expect(said).toMatch(/^(Em|On) 10/)
    expect(said).toMatch(/\.$/)
    expect(said).not.toMatch(/undefined|\[object|\.\.|: \./)
  }
  for (const { id, clause, pt, value } of explanation.clauses) {
    expect(clause, id).not.toBe('')
    expect(pt, id).not.toBe('')
    expect(value, id).toBeDefined()
  }
  if (row.clause) {
    const [id, value] = row.clause
    const failed = explanation.clauses.find((one) => !one.ok && one.id.startsWith(id))
    expect(failed, JSON.stringify(explanation.clauses)).toMatchObject({ value })
  }
  const compiled = compileRule(facts.rule!)
  const text = JSON.stringify(pack(explanation, compiled))
  expect(unpack(JSON.parse(text) as PackedDecision, explanation, compiled)).toEqual(explanation)
  const turned = counterfactual(explanation, facts.rule!)
  const acted = row.is === 'ENQUEUED' || row.is === 'ARMED' || row.is === 'RESET'
  if (!acted) expect(turned.flipsTo, JSON.stringify(turned)).toBe('matched')
  expect(turned.sentence.pt).toMatch(/\.$/)
})

test('every reason a rule can have is in the table', () => {
  const told = new Set<string>(ROWS.map(({ is }) => is))
  const reasons = (Object.keys(EXITS) as ExitCode[]).filter((code) => EXITS[code].stage === 'decide')
  // A shadow is any of them, and is told with what it would have been.
  expect(reasons.filter((code) => !told.has(code))).toEqual(['SHADOW'])
  for (const row of ROWS) {
    const { explanation, facts } = decided(row)
    const shadow = { ...explanation, result: 'SHADOW' as const, would: explanation.result }
    expect(whySentence({ ...facts, explanation: shadow }, 'pt')).toMatch(
      /roda em sombra e não enviou nada; fora da sombra .+\./,
    )
    const value = explanation.clauses.find(({ id, ok }) => id === 'unless.purpose' && !ok)?.value
    if (value !== undefined) expect(refusalWords(String(value)), String(value)).toBeDefined()
  }
})

/** What may become of a delivery, by the exit its row holds, and words of the sentence about it. */
const ENDS: readonly [DeliveryStatus, ExitCode, string, string][] = [
  ['queued', 'HELD_UNTIL', 'O envio está na fila', 'It is waiting to be sent'],
  ['queued', 'WAITING', 'a cota da conta ou deste contato acabou', 'It is waiting to be sent (channel: email): '],
  ['retry', 'RETRY', 'será tentado de novo', 'will be tried again'],
  [
    'delivered',
    'DELIVERED',
    'A ferramenta de destino aceitou o envio (canal: email)',
    'The receiving tool accepted it',
  ],
  ['held_out', 'HELD_OUT', 'Nada foi enviado', 'Nothing was sent'],
  [
    'blocked',
    'BLOCKED_BY_CONSENT',
    'não autorizado (registro E9, de 10/03/2026 às 09:30)',
    '(record E9 of 10 Mar 2026 at 09:30)',
  ],
  ['blocked', 'BLOCKED_BY_FENCE', 'uma revogação chegou', 'It was stopped by the last check: '],
  [
    'blocked',
    'BLOCKED_BY_SHARING',
    'não há consentimento específico para compartilhar',
    'It was stopped by the last check: ',
  ],
  ['blocked', 'BLOCKED_BY_TRANSFER', 'fora do país', 'It was stopped by the last check: '],
  ['blocked', 'UNDECLARED', 'o destino não declara esta finalidade', 'It was stopped by the last check: '],
  ['suppressed', 'SUBJECT_SUPPRESSED', 'pediu para ser esquecida', 'It was stopped by the last check: '],
  ['cancelled', 'GOAL_REACHED', 'a pessoa já fez o que a regra busca', 'It was cancelled before it left: '],
  ['cancelled', 'EXPIRED', 'a mensagem já não valia a pena', 'It was cancelled before it left: '],
  ['cancelled', 'KILLED', 'alguém parou a regra', 'It was cancelled before it left: '],
  ['cancelled', 'GRANTED_AGAIN', 'concordou de novo', 'It was cancelled before it left: '],
  ['superseded', 'SUPERSEDED', 'Um valor mais novo foi enviado no lugar', 'A newer value was sent in its place'],
  ['uncertain', 'UNCERTAIN', 'não se sabe se o envio chegou', 'it is not known whether it arrived'],
  ['dead', 'REJECTED', 'o fornecedor recusa este item', 'It could not be sent: '],
  ['dead', 'AUTHENTICATION', 'o fornecedor recusa as credenciais', 'It could not be sent: '],
  ['dead', 'EXHAUSTED', 'todas as tentativas falharam', 'It could not be sent: '],
  ['dead', 'MAPPING_FAILED', 'falta um campo obrigatório', 'It could not be sent: '],
  ['dead', 'FAULT', 'o hub falhou ao preparar só esta entrega', 'It could not be sent: '],
]

test.each(ENDS)('delivery %s, %s', (status, code, pt, en) => {
  const { facts } = decided(ROWS.find(({ name }) => name === 'acted')!)
  const delivery: DeliveryFacts = {
    status,
    code,
    channel: 'email',
    ...(code === 'BLOCKED_BY_CONSENT' && { consent: { entryId: 'E9', status: 'revoked', at: at(30) } }),
  }
  expect(whySentence({ ...facts, delivery }, 'pt')).toContain(pt)
  expect(whySentence({ ...facts, delivery }, 'en')).toContain(en)
})

test('every end of a delivery is in the table', () => {
  const stages = ['lease', 'permit', 'map', 'send', 'settle']
  const codes = (Object.keys(EXITS) as ExitCode[]).filter((code) => stages.includes(EXITS[code].stage))
  const told = new Set<ExitCode>(ENDS.map(([, code]) => code))
  expect(codes.filter((code) => !told.has(code))).toEqual([])
  const statuses = new Set<DeliveryStatus>([...ENDS.map(([status]) => status), 'leased', 'attempted'])
  expect(DELIVERY_STATUSES.filter((status) => !statuses.has(status))).toEqual([])
})

test('a decision that sent on two channels tells both', () => {
  const { facts } = decided(ROWS.find(({ name }) => name === 'acted')!)
  const said = whySentence(
    {
      ...facts,
      delivery: { status: 'delivered', channel: 'email' },
      others: [{ status: 'dead', code: 'REJECTED', channel: 'sms' }],
    },
    'pt',
  )
  expect(said).toContain('aceitou o envio (canal: email). O envio não foi possível')
})
