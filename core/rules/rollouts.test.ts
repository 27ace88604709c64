/** What is published to whom, what stops it, and what a shadow writes down: on the whole pipeline, under a clock of its own. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadRules } from '../decision/index.ts'
import { inShare, Rollouts, type VersionStage } from '../decision/rollout.ts'
import { signal } from '../testing/consent-signals.ts'
import { cases } from '../testing/effort.ts'
import { identify, track } from '../testing/events.ts'
import { HOUR, MINUTE, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onSqlite } from '../testing/state-contract.ts'
import { storedDecisions, storedUnmatched } from '../testing/stored-decisions.ts'
import { addVersion, setStage, setSwitch } from './publish.ts'
import { cancelWaiting, holdWaiting, releaseWaiting } from './waiting.ts'

const rule = (version: number, more = '', text = `v${version}`) => `
id: ofertas
version: ${version}
when: {event: Product Viewed}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: ${text}}}], expires: PT6H}
${more}`

const CART = (version: number, text: string) => `
id: carrinho
version: ${version}
when: {absence: {start: {event: Product Added}, unless: {any: [{event: Order Completed}]}, within: PT30M}}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: ${text}}}], expires: PT6H}
`

/** One vendor, which nothing follows by itself. */
const opened = (open: OpenRig, options: Parameters<OpenRig>[0]) => open({ destinations: { mail: {} }, ...options })

async function people(rig: Rig, count: number, from = 0): Promise<void> {
  await rig.take(
    ...Array.from({ length: count }, (_, n) =>
      identify({
        userId: `u${from + n}`,
        traits: { email: `u${from + n}@loja.example` },
        occurredAt: rig.at(),
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    ),
  )
}

let views = 0
const view = (rig: Rig, user: string, name = 'Product Viewed') =>
  track({ name, userId: user, occurredAt: rig.at(), messageId: `view-${++views}` })

async function publish(rig: Rig, change: Parameters<typeof setStage>[1]): Promise<void> {
  await setStage(rig.state.db, change, { actor: 'ana', reason: 'for the test', now: rig.now })
  await rig.refreshRules()
}

async function turn(rig: Rig, id: string, state: Parameters<typeof setSwitch>[2]): Promise<number> {
  const count = await rig.state.transaction(async (trx) => {
    await setSwitch(trx, id, state, { actor: 'ana', reason: 'for the test', now: rig.now })
    const store = { ...rig.state, db: trx as unknown as typeof rig.state.db }
    if (state === 'paused') return holdWaiting(id, store, rig.now)
    return state === 'killed' ? cancelWaiting(id, store, rig.now) : releaseWaiting(id, store, rig.now)
  })
  await rig.refreshRules()
  return count
}

const results = async (rig: Rig, stored = storedDecisions) => (await stored(rig.state)).map(({ result }) => result)

describe('the share', () => {
  const id = fc.string({ minLength: 26, maxLength: 26, unit: fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ') })

  // In parts of ten thousand, as it is published; of all doubles nearly every one is nearly 0.
  const share = fc.integer({ min: 0, max: 10_000 }).map((parts) => parts / 10_000)

  test('a smaller share is part of every larger one', () => {
    fc.assert(
      fc.property(id, share, share, (who, a, b) => {
        const [small, large] = a < b ? [a, b] : [b, a]
        expect(!inShare('r', small, who) || inShare('r', large, who)).toBe(true)
        expect(inShare('r', 1, who)).toBe(true)
      }),
      { numRuns: cases(300) },
    )
  })

  test('after merges, in whatever order, a person is where the smallest of their ids is', () => {
    fc.assert(
      fc.property(fc.uniqueArray(id, { minLength: 2, maxLength: 8 }), fc.integer(), (ids, seed) => {
        const canonical = (given: readonly string[]) => [...given].sort()[0]!
        let groups = ids.map((one) => [one])
        for (let n = Math.abs(seed); groups.length > 1; n = Math.floor(n / 3) + 1) {
          const [taken] = groups.splice(n % groups.length, 1)
          groups = groups.map((group, index) => (index === n % groups.length ? [...group, ...taken!] : group))
        }
        expect(inShare('r', 0.1, canonical(groups[0]!))).toBe(inShare('r', 0.1, canonical(ids)))
      }),
      { numRuns: cases(200) },
    )
  })

  test('of all versions a person gets exactly one, whatever is tried', () => {
    const stage = (version: number, given: Partial<VersionStage>): VersionStage => ({
      rule: 'r',
      version,
      stage: 'live',
      share: 1,
      recipients: new Set(),
      since: version,
      ...given,
    })
    fc.assert(
      fc.property(id, share, fc.boolean(), (who, share, testing) => {
        const trial = testing ? stage(2, { stage: 'test', recipients: new Set(['aa']) }) : stage(2, { share })
        const rollouts = new Rollouts([
          stage(1, {}),
          trial,
          stage(3, { stage: 'shadow' }),
          stage(4, { stage: 'draft' }),
        ])
        const person = { id: who, nodes: [{ hmac: 'bb' }] }
        expect(rollouts.versionFor('r', person)).toBe(!testing && inShare('r', share, who) ? 2 : 1)
        expect(rollouts.versionFor('r', { ...person, nodes: [{ hmac: 'aa' }] })).toBe(
          testing || inShare('r', share, who) ? 2 : 1,
        )
      }),
      { numRuns: cases(200) },
    )
  })

  test('its seed is its own: it tells nothing of the arms', () => {
    const ids = Array.from({ length: 4000 }, (_, n) => `01K${String(n).padStart(23, '0')}`)
    const inBoth = ids.filter((one) => inShare('r', 0.5, one) && inShare('s', 0.5, one)).length
    expect(inBoth / ids.length).toBeGreaterThan(0.2)
    expect(inBoth / ids.length).toBeLessThan(0.3)
  })
})

onSqlite('publishing', (open: OpenRig) => {
  test('a rule of a file is live for everybody; a draft is for nobody; a trial for its share, the rest keep what they had', async () => {
    const rig = await opened(open, { rules: [rule(1)] })
    await people(rig, 40)
    await rig.restart({ rules: [rule(2, 'rollout: {stage: draft}')] })
    await rig.take(...Array.from({ length: 40 }, (_, n) => view(rig, `u${n}`)))
    expect(new Set((await rig.deliveries()).map(({ rule_version }) => rule_version))).toEqual(new Set([1]))
    expect(await rig.deliveries()).toHaveLength(40)

    rig.advance(HOUR)
    await publish(rig, { rule: 'ofertas', version: 2, stage: 'live', share: 0.5 })
    await rig.take(...Array.from({ length: 40 }, (_, n) => view(rig, `u${n}`)))
    const second = (await rig.deliveries()).slice(40)
    const tried = new Set(second.filter((row) => row.rule_version === 2).map((row) => row.person_id))
    expect(second).toHaveLength(40)
    expect(tried.size).toBeGreaterThan(5)
    expect(tried.size).toBeLessThan(35)
    for (const row of second) expect(tried.has(row.person_id)).toBe(inShare('ofertas', 0.5, row.person_id))

    rig.advance(HOUR)
    await publish(rig, { rule: 'ofertas', version: 2, stage: 'live' })
    await rig.take(view(rig, 'u0'), view(rig, 'u1'))
    expect((await rig.deliveries()).slice(80).map((row) => row.rule_version)).toEqual([2, 2])
    // Back again, for everybody at once.
    await publish(rig, { rule: 'ofertas', version: 1, stage: 'live', act: 'revert' })
    rig.advance(HOUR)
    await rig.take(view(rig, 'u0'))
    expect((await rig.deliveries()).at(-1)!.rule_version).toBe(1)
    const log = await rig.state.db.selectFrom('rule_rollout_log').selectAll().orderBy('id').execute()
    expect(log.at(-1)).toMatchObject({
      act: 'revert',
      version: 1,
      actor: 'ana',
      reason: 'for the test',
      at: rig.now - HOUR,
    })
  })

  test('a restart with the same files leaves what was published otherwise; a change of the file is acted on', async () => {
    const rig = await opened(open, { rules: [rule(1)] })
    await publish(rig, { rule: 'ofertas', version: 1, stage: 'live', share: 0.1 })
    await rig.restart()
    expect(rig.rules.rollouts!.stageOf('ofertas', 1)).toMatchObject({ stage: 'live', share: 0.1 })
    await rig.restart({ rules: [rule(1, 'rollout: {stage: live, share: 0.25}')] })
    expect(rig.rules.rollouts!.stageOf('ofertas', 1)).toMatchObject({ stage: 'live', share: 0.25 })
    await rig.restart({ rules: [] })
    expect(rig.rules.rollouts!.stageOf('ofertas', 1)).toMatchObject({ stage: 'retired' })
    expect(rig.rules.current).toEqual([])
  })

  test('in test a version is for its recipients and those of the configuration, known by HMAC alone', async () => {
    const rig = await opened(open, {
      rules: [rule(1, 'rollout: {stage: test, recipients: [{email: U1@loja.example}]}')],
      testRecipients: [{ userId: 'u2' }],
    })
    await people(rig, 4)
    await rig.take(...['u0', 'u1', 'u2', 'u3'].map((user) => view(rig, user)))
    const got = new Set((await rig.deliveries()).map(({ person_id }) => person_id))
    const idOf = async (user: string) => (await rig.person('userId', user))!.id
    expect(got).toEqual(new Set([await idOf('u1'), await idOf('u2')]))
    expect(new Set(await results(rig, storedUnmatched))).toEqual(new Set(['NOT_PUBLISHED']))
    const stored = JSON.stringify([
      await rig.state.db.selectFrom('rule_rollouts').selectAll().execute(),
      await rig.state.db.selectFrom('rule_versions').selectAll().execute(),
      await rig.state.db.selectFrom('rule_files').selectAll().execute(),
    ])
    expect(stored.toLowerCase()).not.toContain('u1@loja.example')
  })

  test('in test a wait lasts ten seconds, and its explanation says so; whoever gets the rule later waits as written', async () => {
    const rig = await opened(open, {
      rules: [CART(1, 'prova')],
      testRecipients: [{ userId: 'u0' }],
    })
    await publish(rig, { rule: 'carrinho', version: 1, stage: 'test' })
    await people(rig, 2)
    await rig.take(view(rig, 'u0', 'Product Added'), view(rig, 'u1', 'Product Added'))
    rig.advance(9_999)
    await rig.fire()
    expect(await rig.deliveries()).toEqual([])
    rig.advance(1)
    await rig.fire()
    await rig.deliver('mail')
    expect(rig.sent('to')).toEqual(['u0@loja.example'])
    const sent = (await storedDecisions(rig.state)).find(({ result }) => result === 'ENQUEUED')
    expect(JSON.stringify(sent)).toContain('10 seconds')
    await rig.take(view(rig, 'u0', 'Product Added'), view(rig, 'u0', 'Order Completed'))
    await publish(rig, { rule: 'carrinho', version: 1, stage: 'live' })
    await rig.take(view(rig, 'u1', 'Product Added'))
    rig.advance(30 * MINUTE - 1)
    await rig.fire()
    expect(await rig.deliveries()).toHaveLength(1)
    rig.advance(1)
    await rig.fire()
    expect(await rig.deliveries()).toHaveLength(2)
  })

  test('in test nobody is held out, also who was before: whoever tries a version out sees it', async () => {
    const held = 'experiment: {control: 0.9}'
    const users = Array.from({ length: 8 }, (_, n) => `u${n}`)
    const rig = await opened(open, {
      rules: [rule(1, held)],
      testRecipients: users.map((userId) => ({ userId })),
    })
    await people(rig, users.length)
    await rig.take(...users.map((user) => view(rig, user)))
    const armsOf = async (version: number) =>
      (await rig.deliveries()).filter(({ rule_version }) => rule_version === version).map(({ arm }) => arm)
    expect(await armsOf(1)).toContain('control')
    await addVersion(rig.state.db, loadRules([{ file: 'v2.yaml', text: rule(2, held) }]).rules[0]!, 'api', {
      actor: 'ana',
      now: rig.now,
    })
    await publish(rig, { rule: 'ofertas', version: 2, stage: 'test' })
    await rig.take(...users.map((user) => view(rig, user)))
    expect(await armsOf(2)).toEqual(users.map(() => 'treated'))
    // No experiment counts them: whom it was tried on has seen more than an arm would.
    const counted = async () =>
      Promise.all(users.map(async (user) => (await rig.person('userId', user))!.profile.arms?.['ofertas']))
    expect(await counted()).toEqual(users.map(() => 'test'))
    // Out of the test, the draw holds again.
    await publish(rig, { rule: 'ofertas', version: 2, stage: 'live' })
    await rig.take(...users.map((user) => view(rig, user)))
    expect((await armsOf(2)).slice(users.length)).toContain('control')
    expect(await counted()).toEqual(users.map(() => 'test'))
  })

  test('running instances stay on their version', async () => {
    const rig = await opened(open, { rules: [CART(1, 'velho')] })
    await people(rig, 1)
    await rig.take(view(rig, 'u0', 'Product Added'))
    await rig.restart({ rules: [CART(2, 'novo')] })
    rig.advance(31 * MINUTE)
    await rig.fire()
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['velho'])
  })

  test('paused: nothing starts, what comes due ends, what waits is held and goes on when resumed', async () => {
    const rig = await opened(open, { rules: [rule(1), CART(1, 'carrinho')] })
    await people(rig, 3)
    await rig.take(view(rig, 'u0'), view(rig, 'u1', 'Product Added'))
    expect(await turn(rig, '*', 'paused')).toBe(1)
    await rig.take(view(rig, 'u2'))
    rig.advance(31 * MINUTE)
    await rig.fire()
    expect(await rig.deliver('mail')).toBe(0)
    expect(await results(rig)).toContain('PAUSED')
    expect(await rig.deliveries()).toMatchObject([{ status: 'queued', reason: 'PAUSED' }])
    expect(await turn(rig, '*', 'running')).toBe(1)
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['v1'])
    await rig.take(view(rig, 'u2'))
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['v1', 'v1'])
  })

  test('a lane goes on without what a paused rule holds, and what is no longer worth it is not sent after all', async () => {
    const other = rule(1).replace('id: ofertas', 'id: pedidos').replace('Product Viewed', 'Order Completed')
    const rig = await opened(open, { rules: [rule(1), other.replace('text: v1', 'text: pedido')] })
    await people(rig, 1)
    await rig.take(view(rig, 'u0'), view(rig, 'u0', 'Order Completed'))
    await turn(rig, 'ofertas', 'paused')
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['pedido'])
    rig.advance(7 * HOUR)
    await turn(rig, 'ofertas', 'running')
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['pedido'])
    expect((await rig.deliveries()).map(({ status, reason }) => [status, reason])).toContainEqual([
      'cancelled',
      'EXPIRED',
    ])
  })

  test('without a word of how long it is worth it, what was held for a day is not sent after all', async () => {
    const rig = await opened(open, { rules: [rule(1).replace(/, expires: \w+/, '')] })
    await people(rig, 2)
    await rig.take(view(rig, 'u0'))
    rig.advance(2 * HOUR)
    await rig.take(view(rig, 'u1'))
    await turn(rig, 'ofertas', 'paused')
    rig.advance(23 * HOUR)
    await turn(rig, 'ofertas', 'running')
    await rig.deliver('mail')
    expect(rig.sent('to')).toEqual(['u1@loja.example'])
    expect((await rig.deliveries()).map(({ status, reason }) => `${status} ${reason}`).sort()).toEqual([
      'cancelled EXPIRED',
      'delivered DELIVERED',
    ])
  })

  test.each(['ofertas', '*'])(
    'a delivery leased before the pause of %s is stopped by the last look, by a process that has not heard of it',
    async (paused) => {
      const rig = await opened(open, { rules: [rule(1)] })
      await people(rig, 1)
      await rig.take(view(rig, 'u0'))
      const begin = rig.deliverPorts.attempts.begin
      rig.deliverPorts = {
        ...rig.deliverPorts,
        attempts: {
          ...rig.deliverPorts.attempts,
          async begin(...given) {
            await setSwitch(rig.state.db, paused, 'paused', { actor: 'ana', reason: 'too many', now: rig.now })
            return begin(...given)
          },
        },
      }
      await rig.deliver('mail')
      expect(rig.seen).toEqual([])
      expect(await rig.deliveries()).toMatchObject([{ reason: 'PAUSED', settled_at: null }])
    },
  )

  test('the kill switch cancels what waits, gives back its caps, and stops new starts', async () => {
    const rig = await opened(open, {
      rules: [
        rule(1).replace(
          '{purpose: email_marketing}',
          '{purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}]}',
        ),
      ],
    })
    await people(rig, 1)
    await rig.take(view(rig, 'u0'))
    expect(await turn(rig, 'ofertas', 'killed')).toBe(1)
    await rig.take(view(rig, 'u0'))
    expect(await rig.deliver('mail')).toBe(0)
    expect(await rig.deliveries()).toMatchObject([{ status: 'cancelled', reason: 'KILLED' }])
    expect(await rig.rows('caps')).toBe(0)
    expect(await results(rig, storedUnmatched)).toEqual(['KILLED'])
    await turn(rig, 'ofertas', 'running')
    await rig.take(view(rig, 'u0'))
    expect(await rig.deliver('mail')).toBe(1)
  })
})

onSqlite('shadow', (open: OpenRig) => {
  test('decides on what happens and sends nothing; its clocks, entries and caps are its own', async () => {
    const caps = '{purpose: email_marketing, caps: [{per: person, max: 1, window: P1D}], reentry: {max: 2}}'
    const rig = await opened(open, { rules: [CART(1, 'velho').replace('{purpose: email_marketing}', caps)] })
    await people(rig, 1)
    const next = CART(2, 'sombra').replace('{purpose: email_marketing}', caps).replace('PT30M', 'PT10M')
    await rig.restart({ rules: [`${next}rollout: {stage: shadow}`] })
    await publish(rig, { rule: 'carrinho', version: 1, stage: 'live' })
    await rig.take(view(rig, 'u0', 'Product Added'))
    rig.advance(11 * MINUTE)
    await rig.fire()
    expect(await rig.deliveries()).toEqual([])
    rig.advance(20 * MINUTE)
    await rig.fire()
    await rig.deliver('mail')
    expect(rig.sent('text')).toEqual(['velho'])
    rig.advance(HOUR)
    await rig.take(view(rig, 'u0', 'Product Added'))
    rig.advance(HOUR)
    await rig.fire()
    const rows = await storedDecisions(rig.state)
    expect(rows.filter(({ result }) => result === 'SHADOW')).toMatchObject([
      { rule: 'carrinho', would: 'ENQUEUED' },
      { rule: 'carrinho', would: 'CAPPED' },
    ])
    expect(await rig.counts('shadow:carrinho@2')).toMatchObject({ ENQUEUED: 1, CAPPED: 1 })
    expect(await rig.counts('rule:carrinho@1')).toMatchObject({ ENQUEUED: 1, CAPPED: 1, DELIVERED: 1 })
    const { profile } = (await rig.person('userId', 'u0'))!
    expect(profile.timers).toEqual([])
    expect(profile.entries['carrinho']).toHaveLength(1)
  })

  test('what began as a shadow stays one, also when its version goes live meanwhile', async () => {
    const rig = await opened(open, { rules: [`${CART(1, 'um')}rollout: {stage: shadow}`] })
    await people(rig, 1)
    await rig.take(view(rig, 'u0', 'Product Added'))
    await publish(rig, { rule: 'carrinho', version: 1, stage: 'live' })
    rig.advance(31 * MINUTE)
    await rig.fire()
    expect(await rig.deliveries()).toEqual([])
    expect(await results(rig)).toEqual(['SHADOW'])
  })

  test('blocked by consent is counted like everything else', async () => {
    const rig = await opened(open, { rules: [rule(1, 'rollout: {stage: shadow}')] })
    await rig.take(
      identify({
        userId: 'u0',
        traits: { email: 'u0@loja.example' },
        occurredAt: rig.at(),
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
      view(rig, 'u0'),
      view(rig, 'u0'),
    )
    expect(await rig.counts('shadow:ofertas@1')).toEqual({ ENQUEUED: 2 })
    expect(await rig.rows('deliveries')).toBe(0)
  })
})
