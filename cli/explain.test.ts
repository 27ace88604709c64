import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { ExplainedJourney } from '../core/explain.ts'
import { renderJourney } from './explain.ts'
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
