/** What a rule would have done, told from history; and what it did, told the same way. */
import canonicalize from 'canonicalize'
import { expect, test } from 'vitest'
import type { Explanation } from '../decision/index.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, MINUTE, Rig } from '../testing/pipeline-rig.ts'
import { LIFE_RULES, live } from '../testing/random-history.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { withRules } from '../testing/with-rules.ts'
import { backtest } from './backtest.ts'

const THANKS = `
id: obrigado
version: 1
when: {event: Order Completed}
who: {all: [{field: event.total, op: gte, value: 20}]}
unless: {purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}
then: {all: [{destination: mail, action: send}]}
`
const OTHER = THANKS.replace('id: obrigado', 'id: pesquisa').replace(', caps: [{per: person, max: 1, window: P1D}]', '')

const range = (rig: Rig, from = 0) => ({ from, to: rig.now, now: rig.now, timezone: 'America/Sao_Paulo' })
const ports = (rig: Rig) => ({ state: rig.state, keys: rig.keys })

let made = 0
async function says(rig: Rig, userId: string, action: 'grant' | 'revoke'): Promise<void> {
  await rig.take(
    identify({
      userId,
      traits: { email: `${userId}@loja.example` },
      messageId: `b-${++made}`,
      occurredAt: rig.at(),
      receivedAt: rig.at(),
      consent: [signal('email_marketing', action, rig.at())],
    }),
  )
  rig.advance(MINUTE)
}
async function buys(rig: Rig, userId: string, total: number): Promise<void> {
  await rig.take(
    track({
      name: 'Order Completed',
      userId,
      properties: { order_id: `o-${++made}`, total, currency: 'BRL' },
      messageId: `b-${made}`,
      occurredAt: rig.at(),
      receivedAt: rig.at(),
    }),
  )
  rig.advance(MINUTE)
}

test('tells matches, sends, what stopped them, overlap, samples and who was left out', async () => {
  const rig = await Rig.open({ rules: [OTHER] })
  try {
    const began = rig.at()
    for (const who of ['ana', 'bia', 'cau', 'dora']) await says(rig, who, 'grant')
    await buys(rig, 'ana', 50)
    await buys(rig, 'ana', 60)
    await buys(rig, 'bia', 10)
    await buys(rig, 'cau', 90)
    rig.advance(DAY)
    await buys(rig, 'ana', 70)
    // Revoked then, granted today: computed, and consent as of then stops it.
    await says(rig, 'dora', 'revoke')
    await buys(rig, 'dora', 80)
    await says(rig, 'dora', 'grant')
    await says(rig, 'cau', 'revoke')
    const before = await rig.rows('deliveries')
    const { rules, settings } = withRules(rig, THANKS, OTHER)
    const report = await backtest({ ...ports(rig), ...range(rig), settings, rule: rules[0]!, published: false })
    expect([report.from, report.historyBegins]).toEqual([new Date(0).toISOString(), began])
    expect(report.people).toEqual({ computed: 3, leftOut: { REVOKED: 1 }, matched: 1, sent: 1 })
    expect(report.results).toEqual({ ENQUEUED: 2, CAPPED: 1, NOT_MATCHED: 1 })
    expect(report.days.map(({ matches, sends, blocked }) => ({ matches, sends, blocked }))).toEqual([
      { matches: 2, sends: 1, blocked: 1 },
      { matches: 1, sends: 1, blocked: 0 },
    ])
    expect(report.sends).toMatchObject({ total: 2, byChannel: { email: 2 }, byDestination: { mail: 2 } })
    expect(report.blocked.reasons).toEqual({ CAPPED: { count: 1, share: 0.3333 } })
    // Dora's order was not kept for e-mail marketing: of four triggers one was stopped by consent.
    expect(report.notAsked).toEqual({ NO_CONSENT: 1 })
    expect(report.blocked.consentShare).toBe(0.25)
    expect(report.overlap).toEqual([{ rule: 'pesquisa', people: 1, sends: 3 }])
    expect(report.stopped.map(({ id, count }) => [id, count])).toEqual([
      ['unless.caps.0', 1],
      ['who.all.0', 1],
    ])
    expect(report.samples.map(({ result }) => result)).toEqual(['ENQUEUED', 'NOT_MATCHED'])
    expect(report.samples[0]!.sentence.pt).toContain('obrigado')
    expect(JSON.stringify(report)).not.toContain('loja.example')
    expect(await rig.rows('deliveries')).toBe(before)
    // The same days from the second on: what lies before still fills the caps and is not told.
    const later = await backtest({
      ...ports(rig),
      ...range(rig, Date.parse('2026-03-11T12:00:00Z')),
      settings,
      rule: rules[0]!,
      published: false,
    })
    expect(later.sends.total).toBe(1)
  } finally {
    await rig.close()
  }
})

test('a rule that was live gives the decisions that were stored', async () => {
  const rig = await Rig.open({ rules: LIFE_RULES })
  try {
    await live(LIFE, rig, 'bt')
    const { rules, settings } = withRules(rig, ...LIFE_RULES)
    for (const rule of rules) {
      const decided: Explanation[] = []
      await backtest({
        ...ports(rig),
        ...range(rig),
        settings,
        rule,
        published: true,
        live: { at: 0, settings },
        onDecision: (explanation) => decided.push(explanation),
      })
      const stored = (await storedDecisions(rig.state)).filter((one) => one.rule === rule.rule.id)
      const kept = decided.filter(({ latestOnly }) => !latestOnly)
      expect(inOrder(kept)).toEqual(inOrder(stored.map(({ id: _, personId: __, ...explanation }) => explanation)))
    }
  } finally {
    await rig.close()
  }
})

const inOrder = (decisions: readonly Explanation[]) => decisions.map((one) => canonicalize(one)).sort()
const one = (what: number, who: number, product = 1) => ({ what, who, product, late: 0, source: 0 })
const LIFE = [
  { kind: 'events' as const, list: [one(11, 0), one(11, 2), one(0, 0), one(5, 2)] },
  { kind: 'time' as const, minutes: 40, fire: true },
  { kind: 'deliver' as const },
  { kind: 'events' as const, list: [one(3, 0), one(0, 2)] },
  { kind: 'time' as const, minutes: 30, fire: true },
  { kind: 'events' as const, list: [one(9, 2, 0), one(4, 0, 2)] },
  { kind: 'time' as const, minutes: 20, fire: true },
  // Whoever revoked has to have come back to be computed.
  { kind: 'events' as const, list: [one(11, 2)] },
]
