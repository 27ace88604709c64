import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { ExplainedJourney } from '../core/explain.ts'
import type { WhyAnswer } from '../schemas/why.ts'
import { renderJourney } from './explain.ts'
import { renderWhyAnswer } from './explain-why.ts'
import type { Terminal } from './output.ts'

const terminal: Terminal = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), env: {} }
const heldOut: ExplainedJourney = {
  id: 'm1',
  found: 'event',
  event: {
    id: '01J',
    messageId: 'm1',
    name: 'Product Added',
    type: 'track',
    source: 'site',
    occurredAt: '2026-11-24T13:00:00.000Z',
    receivedAt: '2026-11-24T13:00:01.000Z',
    purposes: ['email_marketing'],
  },
  journey: [
    { stage: 'normalize', at: '2026-11-24T13:00:01.000Z' },
    { stage: 'apply', exit: 'KEPT', detail: 'email_marketing' },
    { stage: 'permit', exit: 'HELD_OUT' },
  ],
  decisions: [
    {
      rule: 'cart-recovery',
      version: 2,
      result: 'ENQUEUED',
      at: '2026-11-24T14:00:00.000Z',
      arm: 'control',
      clauses: [
        {
          id: 'who.all.0',
          clause: 'cart total is at least 50.00',
          pt: 'total do carrinho é pelo menos 50,00',
          ok: true,
          value: 9900,
          unit: 'cents',
        },
        { id: 'who.all.1', clause: 'plan is gold', pt: 'plano é gold', ok: false, value: null },
      ],
      skipped: [{ destination: 'rd', action: 'addTags', code: 'NOT_REACHABLE' }],
      sentence: { pt: 'A regra teria agido.', en: 'The rule would have acted.' },
    },
  ],
  withheld: [
    {
      what: 'meta.conversion',
      kind: 'action',
      purpose: 'ads_measurement',
      code: 'NO_CONSENT',
      reason: { pt: 'a finalidade “Anúncios” não está autorizada', en: 'the purpose “Ads” is not permitted' },
    },
  ],
  consent: [
    {
      entryId: '01E',
      purpose: 'email_marketing',
      status: 'granted',
      basis: 'consent',
      at: '2026-11-20T10:00:00.000Z',
      origin: 'rd',
      notice: { id: 'form', version: 3 },
    },
  ],
  deliveries: [
    {
      id: 'd1',
      destination: 'rd',
      action: 'sendConversion',
      status: 'held_out',
      code: 'HELD_OUT',
      entryId: '01E',
      attempts: [{ n: 1, at: '2026-11-24T14:00:02.000Z', outcome: 'retry', reason: 'HTTP 503' }],
    },
  ],
  sentence: { pt: 'Nada foi enviado: grupo de controle.', en: 'Nothing was sent: control group.' },
}

test('in Portuguese, with local times, clauses, arm, consent and attempts', () => {
  const text = renderJourney(heldOut, { language: 'pt', timezone: 'America/Sao_Paulo' }, terminal)
  expect(text).toContain('Nada foi enviado: grupo de controle.')
  expect(text).toContain('24/11/2026, 10:00:00')
  expect(text).toMatch(/■ permit\s+HELD_OUT {2}A pessoa está no grupo de controle/)
  expect(text).toMatch(/✓ apply\s+KEPT {2}Guardado no histórico desta pessoa. \(email_marketing\)/)
  expect(text).toMatch(/✓ total do carrinho é pelo menos 50,00\s+encontrado 99,00/)
  expect(text).toMatch(/✗ plano é gold\s+ausente/)
  expect(text).toContain('Regra cart-recovery v2: ENQUEUED · grupo de controle (teria recebido)')
  expect(text).toMatch(/✓ email_marketing\s+granted \(consent\).*rd, aviso form v3\s+01E/)
  expect(text).toMatch(/1\.\s+24\/11\/2026, 11:00:02\s+retry\s+HTTP 503/)
  // No terminal, no colours.
  expect(text).not.toContain('\u001b')
})

test('in English', () => {
  const text = renderJourney(heldOut, { language: 'en', timezone: 'UTC' }, terminal)
  expect(text).toContain('Nothing was sent: control group.')
  expect(text).toContain('Rule cart-recovery v2: ENQUEUED · control group (would have been sent)')
  expect(text).toContain('– rd.addTags: NOT_REACHABLE')
  expect(text).toContain('24/11/2026, 13:00:00')
})

const why: WhyAnswer = {
  person: 'p1',
  rule: { id: 'cart-recovery', version: 2, title: null, purpose: 'email_marketing', published: true },
  source: 'stored',
  now: {
    consent: { status: 'revoked', refused: 'revoked', since: '2026-11-25T10:00:00.000Z', entryId: '01R' },
    stage: 'live',
    share: 0.1,
    stopped: null,
    events: [{ name: 'Product Added', kept: 2, elsewhere: 1 }],
  },
  identity: { identifiers: [{ type: 'email', count: 1 }], mergedFrom: 1, firstSeenAt: null },
  decisions: [
    {
      rule: 'cart-recovery',
      version: 2,
      at: '2026-11-24T14:00:00.000Z',
      source: 'recomputed',
      identity: {
        identifiers: [
          { type: 'anonymousId', count: 1 },
          { type: 'email', count: 1 },
        ],
        edges: [
          {
            a: { node: 'n1', type: 'anonymousId' },
            b: { node: 'n2', type: 'email' },
            strength: 'stated',
            source: 'site',
            event: '01E',
            at: '2026-11-20T10:00:00.000Z',
            takenBackAt: '2026-11-25T10:00:00.000Z',
          },
        ],
      },
      result: 'ENQUEUED',
      would: null,
      cause: 'event',
      event: {
        id: '01J',
        name: 'Product Added',
        type: 'track',
        source: 'site',
        occurredAt: '2026-11-24T13:00:00.000Z',
        receivedAt: '2026-11-24T13:00:01.000Z',
      },
      startedAt: null,
      clauses: heldOut.decisions[0]!.clauses.map((one) => ({ ...one })),
      arm: 'treated',
      variant: 'b',
      offer: null,
      heldUntil: null,
      caps: [{ clause: 'fewer than 1', pt: 'menos de 1', max: 1, used: 0 }],
      skipped: [{ destination: 'sms', action: 'send', code: 'NOT_REACHABLE' }],
      consent: {
        entryId: '01E',
        purpose: 'email_marketing',
        status: 'granted',
        basis: 'consent',
        at: '2026-11-20T10:00:00.000Z',
        origin: 'rd',
      },
      entryId: '01E',
      deliveries: [
        {
          id: 'd1',
          destination: 'rd',
          action: 'send',
          channel: 'email',
          status: 'blocked',
          code: 'BLOCKED_BY_CONSENT',
          reason: 'HTTP 202',
          entryId: '01R',
          consent: {
            entryId: '01R',
            purpose: 'email_marketing',
            status: 'revoked',
            basis: 'consent',
            at: '2026-11-25T10:00:00.000Z',
            origin: 'portal',
          },
          dueAt: '2026-11-24T14:00:00.000Z',
          settledAt: null,
          attempts: [{ n: 1, at: '2026-11-24T14:00:02.000Z', outcome: 'RETRY', reason: 'HTTP 503' }],
        },
      ],
      sentence: { pt: 'A regra agiu.', en: 'The rule acted.' },
    },
  ],
  waiting: [{ startedAt: '2026-11-24T13:00:00.000Z', dueAt: '2026-11-24T15:00:00.000Z' }],
  sentence: { pt: 'A regra agiu.', en: 'The rule acted.' },
}

test('of a person and a rule: how they stand, who it was then, clauses, caps, consent, deliveries and the answer', () => {
  const text = renderWhyAnswer(why, { language: 'pt', timezone: 'America/Sao_Paulo' })
  for (const words of [
    'Identidade: 1 email; reúne uma pessoa de antes',
    'Hoje: cart-recovery v2 live 10 %',
    '✗ finalidade email_marketing: revoked, 25/11/2026, 07:00:00, 01R',
    'Product Added: 2 guardados para ela, 1 só para outras',
    '24/11/2026, 11:00:00  cart-recovery v2  ENQUEUED  (recalculado a partir do histórico)',
    'pessoa de então: 1 anonymousId, 1 email',
    'anonymousId ↔ email  site, 20/11/2026, 07:00:00, desfeito em 25/11/2026, 07:00:00',
    '✓ total do carrinho é pelo menos 50,00  encontrado 99,00',
    '✗ plano é gold  ausente',
    'limite: menos de 1  0/1',
    'grupo: grupo tratado',
    'variante: b',
    '– sms.send: NOT_REACHABLE  A pessoa não tem o identificador que a ação exige.',
    'consentimento: email_marketing granted (consent), 20/11/2026, 07:00:00, rd, 01E',
    'entrega: rd.send blocked  d1',
    'consentimento na entrega: email_marketing revoked (consent), 25/11/2026, 07:00:00, portal, 01R',
    'resposta do fornecedor: HTTP 202',
    '1. 24/11/2026, 11:00:02 RETRY HTTP 503',
    'Espera até 24/11/2026, 12:00:00.',
  ])
    expect(text).toContain(words)
  expect(renderWhyAnswer({ ...why, decisions: [], waiting: [] }, { language: 'en', timezone: 'UTC' })).toContain(
    'Now: cart-recovery v2 live 10 %',
  )
})
