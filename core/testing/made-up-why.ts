/** A made-up answer to "why" of a person and a rule: two decisions, one of them recomputed, and all they rest on. */
import type { WhyAnswer, WhyDecision } from '../../schemas/why.ts'
import type { ExplainedJourney } from '../explain.ts'

/** @param now epoch milliseconds. */
export function madeUpWhy(now: number): (person: string, rule: string) => Promise<WhyAnswer | 'NOBODY' | 'NO_RULE'> {
  return async (person, rule) => (rule === 'carrinho' ? answer(person, now) : 'NO_RULE')
}

export const MADE_UP_SENTENCE = {
  pt: 'A regra “Carrinho abandonado” (versão 2) enviou uma mensagem. Ela reage quando, depois de “Product Added”, passa o tempo de 30 minutos sem que algo encerre a espera. A ferramenta de destino aceitou o envio (canal: email).',
  en: 'The rule “Cart recovery” (version 2) sent a message. It responds when 30 minutes pass after “Product Added” and nothing ends the wait. The receiving tool accepted it (channel: email).',
}

function answer(person: string, now: number): WhyAnswer {
  const at = (minutes: number) => new Date(now - minutes * 60_000).toISOString()
  const consent = {
    entryId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    purpose: 'email_marketing',
    status: 'granted',
    basis: 'consent',
    at: at(2000),
    origin: 'rd',
    notice: { id: 'form', version: 3 },
  }
  const sent: WhyDecision = {
    rule: 'carrinho',
    version: 2,
    at: at(60),
    source: 'stored',
    identity: {
      identifiers: [
        { type: 'anonymousId', count: 2 },
        { type: 'email', count: 1 },
      ],
      edges: [
        {
          a: { node: 'n1', type: 'anonymousId' },
          b: { node: 'n2', type: 'email' },
          strength: 'stated',
          source: 'site',
          event: 'e0',
          at: at(3000),
          takenBackAt: at(10),
        },
      ],
    },
    result: 'ENQUEUED',
    would: null,
    cause: 'event',
    event: { id: 'e1', name: 'Product Added', type: 'track', source: 'site', occurredAt: at(90), receivedAt: at(90) },
    startedAt: at(90),
    clauses: [
      {
        id: 'when.absence.within',
        clause: 'nothing ended the wait of 30 minutes after "Product Added"',
        pt: 'nada encerrou a espera de 30 minutos depois de "Product Added"',
        ok: true,
        value: true,
      },
      {
        id: 'who.all.0',
        clause: 'cart total is at least 50.00',
        pt: 'total do carrinho é pelo menos 50,00',
        ok: true,
        value: 18_990,
        unit: 'cents',
      },
    ],
    arm: 'treated',
    variant: 'curta',
    offer: null,
    heldUntil: null,
    caps: [
      {
        clause: 'fewer than 2 within 7 days for this person',
        pt: 'menos de 2 no período de 7 dias para esta pessoa',
        max: 2,
        used: 1,
      },
    ],
    skipped: [{ destination: 'sms', action: 'send', code: 'NOT_REACHABLE' }],
    consent,
    entryId: consent.entryId,
    deliveries: [
      {
        id: 'd-delivered',
        destination: 'crm',
        action: 'sendConversion',
        channel: 'email',
        status: 'delivered',
        code: 'DELIVERED',
        reason: 'HTTP 200, event_uuid 5f1c',
        entryId: consent.entryId,
        consent,
        dueAt: at(60),
        settledAt: at(59),
        attempts: [{ n: 1, at: at(59), outcome: 'DELIVERED', reason: 'HTTP 200' }],
      },
    ],
    sentence: MADE_UP_SENTENCE,
  }
  const before: WhyDecision = {
    ...sent,
    at: at(4000),
    source: 'recomputed',
    result: 'NOT_MATCHED',
    clauses: [{ ...sent.clauses[1]!, ok: false, value: 3990 }],
    arm: null,
    variant: null,
    caps: [],
    skipped: [],
    consent: null,
    entryId: null,
    deliveries: [],
    sentence: {
      pt: 'A regra “Carrinho abandonado” (versão 2) foi avaliada e não agiu, porque uma condição não valeu. Não valeu: total do carrinho é pelo menos 50,00 (era 39,90). Isto não estava guardado e foi recalculado a partir do histórico.',
      en: 'The rule “Cart recovery” (version 2) was tried and did not act, because a condition did not hold. What did not hold: cart total is at least 50.00 (it was 39.90). This was not stored and was recomputed from history.',
    },
  }
  return {
    person,
    rule: {
      id: 'carrinho',
      version: 2,
      title: { pt: 'Carrinho abandonado', en: 'Cart recovery' },
      purpose: 'email_marketing',
      published: true,
    },
    source: 'stored',
    now: {
      consent: { status: 'revoked', refused: 'revoked', since: at(5), entryId: consent.entryId },
      stage: 'live',
      share: 0.1,
      stopped: null,
      events: [{ name: 'Product Added', kept: 4, elsewhere: 1 }],
    },
    identity: { identifiers: [{ type: 'email', count: 1 }], mergedFrom: 0, firstSeenAt: at(5000) },
    decisions: [before, sent],
    waiting: [],
    sentence: sent.sentence,
  }
}

/** What is told of the delivery of it. */
export const madeUpJourneys: Readonly<Record<string, ExplainedJourney>> = {
  'd-delivered': {
    id: 'd-delivered',
    found: 'delivery',
    journey: [],
    decisions: [
      {
        rule: 'carrinho',
        version: 2,
        result: 'ENQUEUED',
        at: '2026-11-24T14:00:00.000Z',
        clauses: [],
        skipped: [],
        sentence: MADE_UP_SENTENCE,
      },
    ],
    withheld: [],
    consent: [],
    deliveries: [],
    sentence: MADE_UP_SENTENCE,
  },
}
