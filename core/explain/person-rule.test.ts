/** Why for a person and a rule, whole: who was sent something, who was not, and what the page behind the link says. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WhyAnswer } from '../../schemas/why.ts'
import { buildRuleSet, loadRules } from '../decision/index.ts'
import { explain } from '../explain.ts'
import { unmerge } from '../identity/unmerge.ts'
import { page } from '../server/privacy-page.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, Rig } from '../testing/pipeline-rig.ts'
import { explainPersonRule } from './person-rule.ts'

const CAPS = ', caps: [{per: person+rule, max: 1, window: P1D}]'
const text = (id: string, more = '', when = '{event: Order Completed}') => `
id: ${id}
version: 1
title: {pt: Obrigado, en: Thanks}
when: ${when}
who: {all: [{field: event.total, op: gte, value: 100}]}
unless: {purpose: email_marketing${more}}
then: {all: [{destination: mail, action: send}]}
`
const RULES = [
  text('grande', CAPS),
  text(
    'espera',
    '',
    '{absence: {start: {event: Order Completed}, unless: {any: [{event: Order Refunded}]}, within: PT5M}}',
  ),
  text('sequencia', '', '{sequence: {steps: [{event: Order Completed}, {event: Order Completed}], within: PT1H}}'),
  text('controle', '').replace('then:', 'experiment: {control: 0.99999}\nthen:'),
  `id: conta
version: 1
title: {pt: Conta, en: Count}
when: {count: {event: Order Completed, window: P7D}, op: gte, value: 2}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]}
`,
  text('sms', '').replace('email_marketing', 'sms_marketing').replace('mail, action: send', 'sms, action: send'),
]
let rig: Rig
let person: string
let given = 0
const order = (total: number, userId = 'ana') =>
  track({
    userId,
    messageId: `o${++given}`,
    name: 'Order Completed',
    properties: { order_id: `o${given}`, total, currency: 'BRL' },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
  })

beforeAll(async () => {
  rig = await Rig.open({ rules: RULES })
  rig.answer = () => ({ status: 200, body: { ok: true } })
  for (const [userId, action] of [
    ['ana', 'grant'],
    ['bia', 'deny'],
  ] as const)
    await rig.take(
      identify({
        userId,
        messageId: `i-${userId}`,
        traits: { email: `${userId}@loja.example` },
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        // What is bought is collected for analytics too, so that a refusal of the message alone is told.
        consent: [signal('email_marketing', action, rig.at()), signal('analytics', 'grant', rig.at())],
      }),
    )
  rig.advance(MINUTE)
  await rig.take(order(150))
  rig.advance(MINUTE)
  await rig.take(order(250))
  rig.advance(10 * MINUTE)
  await rig.fire()
  await rig.deliver('mail')
  person = (await rig.person('userId', 'ana'))!.id
}, 30_000)
afterAll(() => rig.close())

async function why(id: string, of = person, written = RULES.find((rule) => rule.includes(`id: ${id}\n`))!) {
  const [rule] = loadRules([{ file: 'r.yaml', text: written }]).rules
  const prepared = {
    rule: rule!,
    published: RULES.includes(written),
    settings: { ...rig.processPorts.settings, rules: buildRuleSet([rule!]) },
  }
  const ports = { state: rig.state, keys: rig.keys, now: rig.now, timezone: 'America/Sao_Paulo' }
  const answer = await explainPersonRule(of, prepared, ports)
  const ajv = new Ajv2020({ strict: false })
  ;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
  const validate = ajv.compile(WhyAnswer)
  if (answer) validate(answer)
  expect(validate.errors ?? null).toBeNull()
  return answer
}

test('sent: cause, clause with its value, cap, consent with its entry, and what the vendor answered', async () => {
  const told = (await why('grande'))!
  expect(told).toMatchObject({ source: 'stored', rule: { id: 'grande', published: true, purpose: 'email_marketing' } })
  expect(told.identity.identifiers).toEqual([
    { type: 'email', count: 1 },
    { type: 'userId', count: 1 },
  ])
  const [sent, capped] = told.decisions
  expect(sent).toMatchObject({
    result: 'ENQUEUED',
    cause: 'event',
    event: { name: 'Order Completed' },
    arm: 'treated',
    clauses: [{ id: 'who.all.0', ok: true, value: 150 }],
    caps: [{ max: 1, used: 0, pt: 'menos de 1 no período de 1 dia para esta pessoa por esta regra' }],
    consent: { purpose: 'email_marketing', status: 'granted', basis: 'consent' },
    deliveries: [{ destination: 'mail', status: 'delivered', attempts: [{ n: 1, outcome: 'DELIVERED' }] }],
  })
  expect(sent!.consent!.entryId).toBe(sent!.entryId)
  expect(sent!.sentence.pt).toContain(
    'a regra “Obrigado” (versão 1) enviou uma mensagem. Ela reage a “Order Completed”.',
  )
  expect(sent!.sentence.en).toContain('The receiving tool accepted it (channel: email).')
  expect(capped).toMatchObject({ result: 'CAPPED', caps: [{ used: 1 }], deliveries: [] })
  expect(told.sentence.pt).toContain('não agiu: a pessoa já recebeu o máximo que a regra permite.')
  expect(sent!.sentence.pt).toContain(
    `se apoiou no registro ${sent!.entryId}, de 10/03/2026 às 09:00 para a finalidade`,
  )
  expect(sent!.deliveries[0]).toMatchObject({ entryId: sent!.entryId, consent: { status: 'granted' } })
  expect(JSON.stringify(told)).not.toMatch(/loja\.example|"ana"/)
})

test('not sent: the control group, a condition, a refusal, a rule that was never asked', async () => {
  expect((await why('controle'))!.decisions.at(-1)).toMatchObject({
    arm: 'control',
    deliveries: [{ status: 'held_out', attempts: [] }],
    sentence: { pt: expect.stringContaining('foi sorteada para o grupo que não recebe nada') },
  })
  const sms = (await why('sms'))!
  expect(sms.now).toMatchObject({
    consent: { status: 'unknown', refused: 'unknown', entryId: null },
    events: [{ name: 'Order Completed', kept: 0, elsewhere: 2 }],
  })
  expect(sms.sentence.pt).toMatch(/nunca foi consultada para esta pessoa.*ninguém respondeu sobre ela/)
  const bia = (await rig.person('userId', 'bia'))!.id
  await rig.take(order(300, 'bia'))
  const refused = (await why('grande', bia))!
  expect(refused.decisions.flatMap(({ deliveries }) => deliveries)).toEqual([])
  expect(refused.now.consent).toMatchObject({ status: 'denied', refused: 'denied' })
  expect(refused.sentence.pt).toContain(
    `não está autorizada: ela foi negada (registro ${refused.now.consent!.entryId}, de 10/03/2026 às 09:00). O que acontece não é guardado para ela, e a regra não o vê. “Order Completed” ocorreu uma vez, guardado só para outras finalidades.`,
  )
  expect(refused.sentence.en).toContain('is not permitted: it was denied (record ')
  expect(await why('grande', '01NOBODY')).toBeUndefined()
})

test('a rule that is not published would have acted, and says that it was recomputed', async () => {
  const told = (await why('rascunho', person, text('rascunho')))!
  expect(told).toMatchObject({ source: 'recomputed', rule: { published: false } })
  expect(told.decisions.at(-1)).toMatchObject({ result: 'ENQUEUED', deliveries: [] })
  expect(told.sentence.pt).toMatch(/teria agido\..*foi recalculado a partir do histórico\.$/)
})

test('of triggers that did not match the newest is stored and the ones before it are recomputed, each with its values', async () => {
  await rig.take(
    identify({
      userId: 'caio',
      messageId: 'i-caio',
      traits: { email: 'caio@loja.example' },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      consent: [signal('email_marketing', 'grant', rig.at())],
    }),
  )
  for (const total of [10, 20, 30]) {
    rig.advance(MINUTE)
    await rig.take(order(total, 'caio'))
  }
  const told = (await why('grande', (await rig.person('userId', 'caio'))!.id))!
  expect(told.source).toBe('stored')
  expect(told.decisions).toMatchObject([
    { result: 'NOT_MATCHED', source: 'recomputed', clauses: [{ ok: false, value: 10 }] },
    { result: 'NOT_MATCHED', source: 'recomputed', clauses: [{ ok: false, value: 20 }] },
    { result: 'NOT_MATCHED', source: 'stored', clauses: [{ ok: false, value: 30 }] },
  ])
  expect(told.decisions[0]!.sentence.pt).toMatch(
    /uma condição não valeu\. Não valeu: "total" do evento é pelo menos 100 \(era 10\)\. .*recalculado/,
  )
  expect(told.sentence.pt).not.toContain('recalculado')
})

test('the person of that time: a browser that was nobody yet, then joined by a login, then taken apart', async () => {
  const seen = (more: object, name = 'Order Completed') => {
    rig.advance(MINUTE)
    return track({
      messageId: `d${++given}`,
      name,
      properties: { order_id: `d${given}`, total: 500, currency: 'BRL' },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      ...more,
    })
  }
  const granted = { consent: [signal('email_marketing', 'grant', rig.at()), signal('analytics', 'grant', rig.at())] }
  await rig.take(seen({ anonymousId: 'nav1', ...granted }))
  rig.advance(MINUTE)
  await rig.take(
    identify({
      anonymousId: 'nav1',
      userId: 'davi',
      messageId: 'i-davi',
      traits: { email: 'davi@loja.example' },
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      ...granted,
    }),
  )
  await rig.take(seen({ userId: 'davi' }))
  const { id } = (await rig.person('userId', 'davi'))!
  const of = async () => (await why('grande', id))!.decisions.map(({ identity }) => identity)
  const [alone, joined] = await of()
  expect(alone).toEqual({ identifiers: [{ type: 'anonymousId', count: 1 }], edges: [] })
  expect(joined!.identifiers.map(({ type }) => type)).toEqual(['anonymousId', 'email', 'userId'])
  expect(joined!.edges.map(({ source, takenBackAt }) => [source, takenBackAt])).toContainEqual(['site', null])
  const tie = joined!.edges.filter((edge) => [edge.a.type, edge.b.type].includes('anonymousId'))
  expect(tie.length).toBeGreaterThan(0)
  rig.advance(MINUTE)
  await unmerge(
    tie.map(({ a, b }) => ({ a: a.node, b: b.node })),
    'aparelho de loja',
    { state: rig.state, keys: rig.keys, settings: rig.processPorts.settings, actor: 'test', now: rig.now },
  )
  const sides = await Promise.all(
    (['userId', 'anonymousId'] as const).map(async (type) => {
      const side = (await rig.person(type, type === 'userId' ? 'davi' : 'nav1'))!
      return (await why('grande', side.id))!.decisions.at(-1)!.identity
    }),
  )
  const then = sides.find(({ edges }) => edges.some(({ takenBackAt }) => takenBackAt !== null))
  expect(then, JSON.stringify(sides)).toMatchObject({ identifiers: joined!.identifiers })
})

test('the page behind "Por que recebi isto?" tells the message of every kind of trigger', async () => {
  for (const [rule, words] of [
    ['grande', 'Ela reage a “Order Completed”.'],
    ['espera', 'passa o tempo de 5 minutos sem que algo encerre a espera'],
    ['sequencia', 'quando ocorrem “Order Completed”, depois “Order Completed” no período de 1 hora'],
    ['conta', 'quando passa a valer: quantidade de'],
  ] as const) {
    const row = (await rig.deliveries('mail')).find((one) => one.rule === rule && one.status === 'delivered')
    expect(row, rule).toBeDefined()
    const journey = (await explain(row!.id, {
      state: rig.state,
      keys: rig.keys,
      purposes: rig.purposes,
      sources: ['site'],
      timezone: 'America/Sao_Paulo',
    }))!
    const shown = page(
      {
        kind: 'why',
        journey: {
          ...journey,
          consent: journey.consent.map((entry) => ({
            ...entry,
            status: 'revoked',
            notice: { id: 'form', version: 2 },
          })),
        },
        purpose: { pt: 'Ofertas', en: 'Offers' },
        categories: [],
        notices: [{ id: 'form', version: 2, text: 'Aceito receber <ofertas>.' }],
        stopToken: 't',
      },
      'pt',
      {
        organization: 'Loja',
        dpo: { name: 'Encarregada', email: 'dpo@loja.example' },
        simulated: false,
        timezone: 'America/Sao_Paulo',
      },
    )
    expect(shown).toContain('enviou uma mensagem')
    expect(shown.replaceAll('&quot;', '"')).toContain(words)
    expect(shown).not.toContain('ana@')
    // The answer in words, with the text it was given to.
    expect(shown).toContain('Consentimento: retirado em 10 de março de 2026')
    expect(shown).toContain('<p class="text">Aceito receber &#60;ofertas&#62;.</p>')
  }
})
