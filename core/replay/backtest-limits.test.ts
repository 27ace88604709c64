/** What a backtest says of a small history whose every number can be counted by hand: what people share, and who is asked. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Explanation } from '../decision/index.ts'
import { inShare, Rollouts } from '../decision/rollout.ts'
import { signal } from '../testing/consent-signals.ts'
import { cases, patience } from '../testing/effort.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, Rig, type RigOptions, START } from '../testing/pipeline-rig.ts'
import { LIFE_RULES, life, live, TRIGGER_RULES } from '../testing/random-history.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { withRules } from '../testing/with-rules.ts'
import { type BacktestOptions, backtest } from './backtest.ts'

const rule = (id: string, event: string, more = '', offer = '') => `
id: ${id}
version: 1
when: {event: ${event}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send}]${offer}}
${more}`

/** The first text tried beside the others. */
function tried(rig: Rig, texts: readonly string[], more: Partial<BacktestOptions> = {}) {
  const { rules, settings } = withRules(rig, ...texts)
  return backtest({
    state: rig.state,
    keys: rig.keys,
    settings,
    rule: rules[0]!,
    published: false,
    from: 0,
    to: rig.now,
    now: rig.now,
    timezone: 'America/Sao_Paulo',
    ...more,
  })
}

let told = 0
const at = (rig: Rig) => ({ messageId: `l-${++told}`, occurredAt: rig.at(), receivedAt: rig.at() })
async function shop(people: readonly string[], options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.open(options)
  await rig.take(
    ...people.map((userId) =>
      identify({
        userId,
        ...at(rig),
        traits: { email: `${userId}@loja.example` },
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    ),
  )
  return rig
}
async function does(rig: Rig, moment: number, userId: string, name: string): Promise<void> {
  rig.now = moment
  await rig.take(track({ name, userId, ...at(rig), properties: { product_id: 'p1' } }))
}
async function within<T>(rig: Rig, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await rig.close()
  }
}

test('a budget is spent in the order of time, whoever comes first, by the day of the organisation', async () => {
  const rig = await shop(['ana', 'bia', 'cau'])
  await within(rig, async () => {
    // 23:30 in São Paulo, and half an hour later it is another day there.
    const evening = Date.parse('2026-03-12T02:30:00Z')
    await does(rig, evening, 'cau', 'Product Viewed')
    await does(rig, evening + MINUTE, 'ana', 'Product Viewed')
    await does(rig, evening + 2 * MINUTE, 'bia', 'Product Viewed')
    await does(rig, evening + 40 * MINUTE, 'bia', 'Product Viewed')
    await does(rig, evening + 41 * MINUTE, 'cau', 'Product Viewed')
    rig.advance(HOUR)
    const decided: [string, string][] = []
    const budget = 'budget: {sends: {day: 1, total: 3}}'
    const report = await tried(rig, [rule('visto', 'Product Viewed', budget)], {
      onDecision: ({ at: when, result }: Explanation) => decided.push([when.slice(11, 16), result]),
    })
    expect(decided).toEqual([
      ['02:30', 'ENQUEUED'],
      ['02:31', 'BUDGET'],
      ['02:32', 'BUDGET'],
      ['03:10', 'ENQUEUED'],
      ['03:11', 'BUDGET'],
    ])
    expect(report.days).toEqual([
      { day: '2026-03-11', matches: 3, sends: 1, heldOut: 0, blocked: 2 },
      { day: '2026-03-12', matches: 2, sends: 1, heldOut: 0, blocked: 1 },
    ])
    expect(report.blocked.reasons).toEqual({ BUDGET: { count: 3, share: 0.6 } })
    expect(report.people).toEqual({ computed: 3, leftOut: {}, matched: 3, sent: 2 })
    expect(report.notes.map(({ en }) => en).join()).toContain('what 3 people would have spent')
    // A total begins with the range, as if the rule were published with it.
    const total = (from: number) =>
      tried(rig, [rule('visto', 'Product Viewed', 'budget: {sends: {total: 2}}')], { from })
    expect((await total(0)).sends.total).toBe(2)
    expect((await total(evening + 30 * MINUTE)).sends.total).toBe(2)
    expect((await total(evening + 41 * MINUTE)).sends.total).toBe(1)
  })
})

test('a budget lets through what it let through live, what was given back included', async () => {
  const RULE = rule('visto', 'Product Viewed', 'budget: {sends: {total: 2}}')
  const rig = await shop(['ana', 'bia', 'cau', 'dora'], { rules: [RULE] })
  await within(rig, async () => {
    await does(rig, START + MINUTE, 'ana', 'Product Viewed')
    // Withdrawn before it left: its part of the budget is free again.
    rig.advance(MINUTE)
    await rig.take(identify({ userId: 'ana', ...at(rig), consent: [signal('email_marketing', 'revoke', rig.at())] }))
    await rig.deliver('mail')
    await does(rig, START + 10 * MINUTE, 'bia', 'Product Viewed')
    await does(rig, START + 11 * MINUTE, 'cau', 'Product Viewed')
    await does(rig, START + 12 * MINUTE, 'dora', 'Product Viewed')
    rig.advance(MINUTE)
    await rig.take(identify({ userId: 'ana', ...at(rig), consent: [signal('email_marketing', 'grant', rig.at())] }))
    rig.advance(MINUTE)
    const stored = await storedDecisions(rig.state)
    const decided: { at: string; result: string }[] = []
    const { settings } = withRules(rig, RULE)
    await tried(rig, [RULE], {
      published: true,
      live: { at: 0, settings },
      onDecision: ({ at: when, result }) => decided.push({ at: when, result }),
    })
    const inTime = (rows: readonly { at: string; result: string }[]) =>
      [...rows].sort((a, b) => (a.at < b.at ? -1 : 1)).map(({ result }) => result)
    expect(inTime(stored)).toEqual(['ENQUEUED', 'ENQUEUED', 'ENQUEUED', 'BUDGET'])
    expect(inTime(decided)).toEqual(inTime(stored))
  })
})

test('an offer is given as often as there is of it', async () => {
  const rig = await shop(['ana', 'bia', 'cau'], {
    offers: { frete: { title: { pt: 'Frete', en: 'Shipping' }, limits: { total: 2 }, code: 'FRETE' } },
  })
  await within(rig, async () => {
    for (const [index, who] of ['cau', 'ana', 'bia'].entries())
      await does(rig, START + (index + 1) * HOUR, who, 'Product Viewed')
    rig.advance(HOUR)
    const report = await tried(rig, [rule('visto', 'Product Viewed', '', ', offer: frete')])
    expect(report.results).toEqual({ ENQUEUED: 2, NO_OFFER: 1 })
    expect(report.sends.total).toBe(2)
  })
})

test('of a group the rule with the higher priority goes first, and the other one waits for the window', async () => {
  const rig = await shop(['ana'])
  await within(rig, async () => {
    await does(rig, START + HOUR, 'ana', 'Product Viewed')
    await does(rig, START + 2 * DAY, 'ana', 'Product Viewed')
    rig.advance(HOUR)
    const group = (priority: number) => `priority: ${priority}\ngroup: {id: vistos, window: P1D}`
    const first = rule('primeira', 'Product Viewed', group(2))
    const second = rule('segunda', 'Product Viewed', group(1))
    const report = await tried(rig, [second, first])
    expect(report.results).toEqual({ EXCLUDED: 2 })
    expect(report.sends.total).toBe(0)
    const winner = await tried(rig, [first, second])
    expect(winner.sends.total).toBe(2)
    // Each alone takes what is there.
    expect((await tried(rig, [second])).sends.total).toBe(2)
  })
})

test('tried on everybody, or on those it is published for', async () => {
  const people = Array.from({ length: 12 }, (_, n) => `u${n}`)
  const rig = await shop(people)
  await within(rig, async () => {
    for (const who of people) await does(rig, rig.now + MINUTE, who, 'Product Viewed')
    rig.advance(HOUR)
    const text = rule('visto', 'Product Viewed', 'experiment: {control: 0.3}')
    const ids = (await rig.state.db.selectFrom('persons').select('id').execute()).map(({ id }) => id)
    const inside = ids.filter((id) => inShare('visto', 0.4, id)).length
    const all = await tried(rig, [text])
    expect(all.blocked.matches).toBe(12)
    expect(all.sends.arms['treated']! + (all.sends.arms['control'] ?? 0)).toBe(12)
    expect(all.sends.total).toBe(all.sends.arms['treated'])
    expect(all.share).toEqual({ tried: 1, live: null })
    const { settings } = withRules(rig, text)
    const stage = {
      rule: 'visto',
      version: 1,
      stage: 'live',
      share: 0.4,
      recipients: new Set<string>(),
      since: 0,
    } as const
    const some = await tried(rig, [text], {
      settings: { ...settings, rules: { ...settings.rules, rollouts: new Rollouts([stage]) } },
      shares: { tried: 0.4, live: 0.4 },
    })
    expect(some.blocked.reasons['NOT_PUBLISHED']?.count ?? 0).toBe(12 - inside)
    expect(some.blocked.matches).toBe(12)
    expect(Object.values(some.sends.arms).reduce((a, b) => a + b, 0)).toBe(inside)
    expect(some.share).toEqual({ tried: 0.4, live: 0.4 })
    expect(some.notes.map(({ pt }) => pt).join()).toContain('não publicada')
  })
})

test('what is left closed changes no figure of the report', { timeout: patience(60_000) }, async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(life, async (happenings) => {
      const rig = await Rig.open({ rules: TEXTS, globalHoldout: 0.1 })
      await within(rig, async () => {
        await live([...LIFE, ...happenings], rig, `bl${++run}`)
        for (const text of [...TEXTS, BUDGETED]) {
          const texts = [text, ...TEXTS.filter((other) => other !== text)]
          // Who wants the whole log has everything opened, beside all rules.
          const whole = await tried(rig, texts, { onDecision: () => {} })
          expect(await tried(rig, texts)).toEqual(whole)
          expect(whole.events).toBeGreaterThan(0)
        }
      })
    }),
    { numRuns: cases(1) },
  )
})

/** Rules that read little, beside those of many kinds. */
const TEXTS = [
  ...LIFE_RULES,
  ...TRIGGER_RULES,
  rule('comprou', 'Order Completed', '').replace(
    'unless:',
    'who: {all: [{count: {event: Product Viewed, window: P1D}, op: gte, value: 2}]}\nunless:',
  ),
]
const BUDGETED = rule('viu', 'Product Viewed', 'budget: {sends: {day: 2}}')

const one = (what: number, who: number, product = 1) => ({ what, who, product, late: 0, source: 0, past: false })
const LIFE = [
  { kind: 'events' as const, list: [one(11, 0), one(11, 2), one(0, 0), one(5, 2), one(2, 0), one(4, 2)] },
  { kind: 'time' as const, minutes: 40, fire: true },
  { kind: 'events' as const, list: [one(3, 0), one(0, 2), one(6, 0), one(7, 2), one(8, 0)] },
  { kind: 'time' as const, minutes: 30, fire: true },
  { kind: 'events' as const, list: [one(9, 2, 0), one(4, 0, 2), one(10, 0), one(1, 2)] },
  { kind: 'time' as const, minutes: 20, fire: true },
  { kind: 'events' as const, list: [one(11, 2), one(0, 2), one(5, 0), one(0, 0, 2)] },
  { kind: 'time' as const, minutes: 120, fire: true },
]
