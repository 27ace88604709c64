/** Policies carried out on real rows: what is due goes, what is not stays, and the ledger says so. */
import { describe, expect, test } from 'vitest'
import { STARTER_PURPOSES } from '../../consent/starter.ts'
import type { Config } from '../../schemas/config.ts'
import type { LegalHold, RetentionPlan, RetentionPolicy, RetentionRun, RunAnswer } from '../../schemas/retention.ts'
import { isShredded } from '../ledger/shred.ts'
import { unsealJson } from '../seal.ts'
import { CommandError } from '../server/context.ts'
import type { SealedEvent } from '../stages/apply.ts'
import type { StateStore } from '../stores/open.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { DAY, HOUR, type Rig } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases, onSqlite } from '../testing/state-contract.ts'
import { retentionCommands } from './commands.ts'
import { createRetentionKeeper } from './keeper.ts'

const config = (policies: readonly RetentionPolicy[] = [], unusual?: { times?: number; atLeast?: number }): Config => ({
  organization: { name: 'Loja Exemplo' },
  sources: {},
  purposes: STARTER_PURPOSES,
  retention: { policies: [...policies], ...(unusual && { unusual }) },
})

function officer(rig: Rig, given: Config = config()) {
  const commands = retentionCommands(given, rig.keys, 5)
  const run = <T>(name: string, args: Record<string, unknown> = {}, actor = 'officer') =>
    rig.state.transaction((trx) =>
      commands[name]!(args, {
        state: { ...rig.state, db: trx as unknown as StateStore['db'], transaction: (work) => work(trx) },
        actor,
        now: rig.now,
      }),
    ) as Promise<T>
  const item = async (policy: string) =>
    (await run<RetentionPlan>('retentionPlan')).items.find(({ policyId }) => policyId === policy)!
  return {
    run,
    item,
    commands,
    async approve(...policies: string[]) {
      const plan = await run<RetentionPlan>('retentionPlan')
      await run('retentionApprove', { hash: plan.hash, policies })
      return plan
    },
    /** Every batch of what is approved and due. */
    async carryOut(...policies: string[]) {
      const answer = await run<RunAnswer>('retentionRun', policies.length > 0 ? { policies } : {})
      const runs = new Map<string, RetentionRun>()
      for (let step = await run<RetentionRun | null>('retentionStep'); step; step = await run('retentionStep'))
        runs.set(step.id, step)
      return { ...answer, runs: [...runs.values()] }
    },
  }
}

let made = 0
const order = (rig: Rig, userId: string, given: Partial<Parameters<typeof track>[0]> = {}) =>
  track({
    name: 'Order Completed',
    userId,
    properties: { order_id: `o-${++made}`, total: 100 },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `m-${++made}`,
    ...given,
  })
const answers = (rig: Rig, userId: string, action: 'grant' | 'revoke', ...purposes: string[]) =>
  identify({
    userId,
    anonymousId: `device-of-${userId}`,
    traits: { email: `${userId}@example.com`, name: 'Ana Silva' },
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    messageId: `a-${++made}`,
    consent: purposes.map((purpose) => signal(purpose, action, rig.at())),
  })

const ledgerTypes = async (rig: Rig) =>
  (await rig.state.db.selectFrom('ledger_pending').select('public').orderBy('id').execute())
    .map(({ public: text }) => JSON.parse(text) as Record<string, unknown>)
    .filter(({ subject }) => subject === 'hub')

onSqlite('plan and approval', (open: OpenRig) => {
  test('a plan shows counts and pseudonyms, and changes nothing', async () => {
    const rig = await open()
    await rig.take(order(rig, 'ana'), order(rig, 'bia'))
    rig.advance(420 * DAY)
    await rig.take(order(rig, 'ana'))
    const { item } = officer(rig)
    const due = await item('history/*/occurred')
    expect(due).toMatchObject({ count: 2, people: 2, held: 0, action: 'erase' })
    expect(due.samples).toHaveLength(2)
    for (const { subject } of due.samples) expect(subject).toMatch(/^s_[0-9a-f]{32}$/)
    expect(JSON.stringify(due)).not.toContain('ana')
    expect(await rig.rows('history')).toBe(3)
  })

  test('nothing runs that was not approved, and nothing that changed since', async () => {
    const rig = await open()
    await rig.take(order(rig, 'ana'))
    rig.advance(420 * DAY)
    const before = officer(rig)
    expect((await before.carryOut('history/*/occurred')).waiting).toEqual([
      { policyId: 'history/*/occurred', why: 'new' },
    ])
    expect(await rig.rows('history')).toBe(1)
    await before.approve('history/*/occurred')

    const shorter = officer(
      rig,
      config([{ class: 'history', trigger: 'occurred', period: 'P6M', ground: 'processing', action: 'erase' }]),
    )
    expect((await shorter.carryOut('history/*/occurred')).waiting).toEqual([
      { policyId: 'history/*/occurred', why: 'changed' },
    ])
    expect(await rig.rows('history')).toBe(1)

    const { runs } = await before.carryOut('history/*/occurred')
    expect(runs).toMatchObject([{ state: 'done', due: 1, done: 1, remaining: 0 }])
    expect(await rig.rows('history')).toBe(0)
  })

  test('an old plan does not approve a policy it did not show', async () => {
    const rig = await open()
    const plan = await officer(rig).run<RetentionPlan>('retentionPlan')
    const changed = officer(
      rig,
      config([{ class: 'history', trigger: 'occurred', period: 'P6M', ground: 'processing', action: 'erase' }]),
    )
    await expect(
      changed.run('retentionApprove', { hash: plan.hash, policies: ['history/*/occurred'] }),
    ).rejects.toThrow('Make a new plan')
    await expect(changed.run('retentionApprove', { hash: '0'.repeat(64) })).rejects.toThrow(CommandError)
  })

  test('with a mistake in the policies nothing is approved', async () => {
    const rig = await open()
    const { run } = officer(
      rig,
      config([
        {
          class: 'access_log',
          trigger: 'occurred',
          period: 'P1M',
          ground: '16.I',
          reason: 'shorter please',
          action: 'erase',
        },
      ]),
    )
    const plan = await run<RetentionPlan>('retentionPlan')
    await expect(run('retentionApprove', { hash: plan.hash })).rejects.toThrow('legal minimum')
  })

  test('a count far above the usual one waits and asks again; a new approval lets it go on', async () => {
    const rig = await open()
    const { approve, carryOut, run } = officer(rig, config([], { times: 3, atLeast: 2 }))
    await rig.take(order(rig, 'ana'))
    rig.advance(420 * DAY)
    await approve('history/*/occurred')
    await carryOut('history/*/occurred')
    rig.advance(-300 * DAY)
    await rig.take(...Array.from({ length: 9 }, (_, n) => order(rig, `p${n}`)))
    rig.advance(720 * DAY)
    const { waiting, runs } = await carryOut('history/*/occurred')
    expect(waiting).toEqual([{ policyId: 'history/*/occurred', why: 'unusual' }])
    expect(runs).toEqual([])
    expect(await rig.rows('history')).toBe(9)
    const plan = await run<RetentionPlan>('retentionPlan')
    expect(plan.items.find(({ policyId }) => policyId === 'history/*/occurred')).toMatchObject({
      count: 9,
      unusual: true,
    })
    await run('retentionApprove', { hash: plan.hash, policies: ['history/*/occurred'] })
    expect((await carryOut('history/*/occurred')).runs).toMatchObject([{ done: 9, state: 'done' }])
  })
})

onBothDatabases('retention', (open: OpenRig) => {
  describe('runs', () => {
    test('a run that was cut short goes on where it was, and its entry covers all of it', async () => {
      const rig = await open()
      await rig.take(...Array.from({ length: 12 }, (_, n) => order(rig, `p${n}`)))
      rig.advance(420 * DAY)
      const first = officer(rig)
      await first.approve('history/*/occurred')
      await first.run('retentionRun', { policies: ['history/*/occurred'] })
      await first.run('retentionStep')
      expect(await rig.rows('history')).toBe(7)

      // Another process, another day: due is what was due when the run began.
      rig.advance(2 * HOUR)
      const second = officer(rig)
      const { runs } = await second.carryOut()
      expect(runs.at(-1)).toMatchObject({ state: 'done', due: 12, done: 12, remaining: 0 })
      expect(await rig.rows('history')).toBe(0)
      const entries = (await ledgerTypes(rig)).filter(({ type }) => type === 'retention.run')
      expect(entries).toMatchObject([{ rows: 12, remaining: 0, policy: 'history/*/occurred', root: runs.at(-1)!.root }])
    })

    test('approved policies run by themselves, once a day', async () => {
      const rig = await open()
      const { approve, commands } = officer(rig)
      await rig.take(order(rig, 'ana'))
      await approve('history/*/occurred')
      const keeper = createRetentionKeeper(rig.state, commands)
      while (await keeper.round(rig.now, true));
      expect(await rig.rows('history')).toBe(1)
      rig.advance(420 * DAY)
      expect(await keeper.round(rig.now, false)).toBe(false)
      while (await keeper.round(rig.now, true));
      expect(await rig.rows('history')).toBe(0)
    })

    test('each row stays as long as the longest period of its purposes', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(
        rig,
        config([
          {
            class: 'history',
            purpose: 'orders',
            trigger: 'occurred',
            period: 'P5Y',
            ground: '16.I',
            reason: 'tax code, five years',
            action: 'erase',
          },
        ]),
      )
      await rig.take(answers(rig, 'ana', 'grant', 'email_marketing'))
      await rig.take(
        order(rig, 'ana'),
        track({ name: 'Product Viewed', userId: 'ana', occurredAt: rig.at(), messageId: 'pv' }),
      )
      rig.advance(420 * DAY)
      await approve('history/*/occurred', 'history/orders/occurred')
      await carryOut()
      expect((await rig.history()).map(({ name }) => name)).toEqual(['Order Completed'])
      rig.advance(5 * 366 * DAY)
      await carryOut('history/orders/occurred')
      expect(await rig.rows('history')).toBe(0)
    })

    test('settled deliveries go with their attempts, and the ledger says since when', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(rig)
      await rig.take(order(rig, 'ana', { traits: { email: 'ana@example.com' } }))
      const [destination] = [...new Set((await rig.deliveries()).map((row) => row.destination))]
      await rig.deliver(destination!)
      const before = (await rig.deliveries(destination)).length
      expect(before).toBeGreaterThan(0)
      const open_ = (await rig.deliveries()).filter(({ settled_at }) => settled_at === null).length
      rig.advance(400 * DAY)
      await approve('deliveries/*/settled')
      await carryOut('deliveries/*/settled')
      expect(await rig.rows('deliveries')).toBe(open_)
      expect((await ledgerTypes(rig)).map(({ type }) => type)).toContain('retention.batch')
    })

    test('answered requests and withdrawals that were passed on go by their clocks; open ones and suppressions stay', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(rig)
      const { db } = rig.state
      const request = (id: string, closed: number | null) => ({
        id,
        kind: 'subject',
        right_id: 'access',
        state: closed === null ? 'received' : 'answered',
        channel: 'portal',
        language: 'pt-BR',
        received_at: rig.now,
        entered_at: rig.now,
        entered_by: 'portal',
        due_at: null,
        assurance: 'none',
        person_id: null,
        subject: null,
        scope: '{}',
        pauses: '[]',
        done: '{}',
        plan: null,
        ground: null,
        outcome: null,
        closed_at: closed,
        duplicate_of: null,
        reference: null,
        data_key: rig.keys.create().wrapped,
        sealed: Buffer.alloc(1),
      })
      await db
        .insertInto('requests')
        .values([request('open', null), request('answered', rig.now)])
        .execute()
      await db
        .insertInto('request_log')
        .values({
          id: 'l1',
          request_id: 'answered',
          at: rig.now,
          actor: 'u',
          what: 'answered',
          from_state: null,
          to_state: null,
          detail: null,
        })
        .execute()
      await db
        .insertInto('suppressions')
        .values({ hmac: Buffer.alloc(16), request_id: 'answered', at: rig.now, lifted_at: null, lifted_by: null })
        .execute()
      const withdrawal = (id: string, passed: number | null) => ({
        id,
        node_id: 'n',
        purpose: 'p',
        at: rig.now,
        origin_kind: 'link',
        origin_ref: 'x',
        passed_on_at: passed,
      })
      await db
        .insertInto('withdrawals')
        .values([withdrawal('w1', rig.now), withdrawal('w2', null)])
        .execute()
      rig.advance(5 * 366 * DAY)
      await approve('requests/*/answered', 'decisions/*/decided')
      const { runs } = await carryOut()
      expect(runs.map(({ state, done }) => [state, done])).toEqual([
        ['done', 1],
        ['done', 1],
      ])
      expect(await db.selectFrom('requests').select('id').execute()).toEqual([{ id: 'open' }])
      expect(await db.selectFrom('withdrawals').select('id').execute()).toEqual([{ id: 'w2' }])
      expect(await rig.rows('request_log')).toBe(0)
      expect(await rig.rows('suppressions')).toBe(1)
    })

    test('devices nobody was identified on: data gone, an opposition stays, and the device may come back', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(rig)
      const visit = (device: string, action: 'grant' | 'deny') =>
        track({
          name: 'Product Viewed',
          anonymousId: device,
          occurredAt: rig.at(),
          receivedAt: rig.at(),
          messageId: `v-${++made}`,
          consent: [signal('analytics', 'grant', rig.at()), signal('ads_measurement', action, rig.at())],
        })
      await rig.take(visit('d1', 'grant'), visit('d2', 'deny'))
      rig.advance(100 * DAY)
      await approve('unidentified/*/last_seen')
      const { runs } = await carryOut('unidentified/*/last_seen')
      expect(runs).toMatchObject([{ state: 'done', done: 2, remaining: 0 }])
      expect(await rig.rows('history')).toBe(0)
      expect(await rig.person('anonymousId', 'd1')).toBeUndefined()
      expect(await rig.status('anonymousId', 'd2', 'ads_measurement')).toBe('denied')
      expect(await rig.status('anonymousId', 'd2', 'analytics')).toBeUndefined()
      const shredded = await rig.state.db.selectFrom('nodes').select(['data_key', 'proof_key']).execute()
      expect(shredded.filter(({ data_key }) => isShredded(data_key))).toHaveLength(2)
      expect(shredded.filter(({ proof_key }) => isShredded(proof_key))).toHaveLength(0)

      await rig.take(visit('d1', 'grant'), visit('d2', 'grant'))
      expect(await rig.rows('history')).toBe(2)
      expect(await rig.status('anonymousId', 'd2', 'ads_measurement')).toBe('granted')
    })

    test('a proof of consent is destroyed when its own period is over', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(rig)
      await rig.take(
        track({
          name: 'Product Viewed',
          anonymousId: 'd1',
          occurredAt: rig.at(),
          consent: [signal('analytics', 'grant', rig.at())],
        }),
      )
      rig.advance(100 * DAY)
      await approve('unidentified/*/last_seen', 'consent_proof/*/erased')
      await carryOut()
      rig.advance(4 * 365 * DAY)
      await carryOut()
      const proof = () => rig.state.db.selectFrom('nodes').select('proof_key').executeTakeFirstOrThrow()
      expect(isShredded((await proof()).proof_key)).toBe(false)
      rig.advance(366 * DAY + DAY)
      await carryOut()
      expect(isShredded((await proof()).proof_key)).toBe(true)
    })
  })

  describe('after a revocation', () => {
    test('what only that purpose carried goes; the rest is narrowed to what the others need', async () => {
      const rig = await open()
      const { approve, carryOut, item } = officer(rig)
      await rig.take(answers(rig, 'ana', 'grant', 'email_marketing'))
      await rig.take(
        order(rig, 'ana'),
        track({ name: 'Product Viewed', userId: 'ana', occurredAt: rig.at(), messageId: 'pv' }),
      )
      expect((await rig.history()).length).toBeGreaterThanOrEqual(3)
      rig.advance(DAY)
      await rig.take(answers(rig, 'ana', 'revoke', 'email_marketing'))
      rig.advance(10 * DAY)
      expect(await item('history/*/ended')).toMatchObject({ count: 0 })
      rig.advance(25 * DAY)
      await approve('history/*/ended', 'profile/*/ended')
      const { runs } = await carryOut()
      expect(runs.map(({ state }) => state)).toEqual(['done', 'done'])
      const left = await rig.history()
      expect(left.map(({ name }) => name)).toContain('Order Completed')
      expect(left.map(({ name }) => name)).not.toContain('Product Viewed')
      for (const row of left) expect(JSON.parse(row.purposes)).not.toContain('email_marketing')
      const person = (await rig.person('userId', 'ana'))!
      expect(Object.keys(person.profile.counters)).not.toContain('email_marketing')
    })

    test('without any purpose that needs it, the address itself goes', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(rig)
      await rig.take(answers(rig, 'ana', 'grant', 'email_marketing'))
      const sealed = () =>
        rig.state.db.selectFrom('identifiers').select('type').where('sealed', 'is not', null).orderBy('type').execute()
      expect((await sealed()).map(({ type }) => type)).toContain('email')
      rig.advance(DAY)
      await rig.take(answers(rig, 'ana', 'revoke', 'email_marketing'))
      rig.advance(40 * DAY)
      await approve('history/*/ended', 'profile/*/ended')
      await carryOut()
      expect(await sealed()).toEqual([])
      expect(await rig.rows('node_traits')).toBe(0)
      expect(await rig.rows('history')).toBe(0)
      expect(await rig.status('userId', 'ana', 'email_marketing')).toBe('revoked')
    })

    test('one device took its answer back, the other did not', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(rig)
      const view = (device: string, action: 'grant' | 'revoke', name: string) =>
        track({
          name,
          userId: 'ana',
          anonymousId: device,
          occurredAt: rig.at(),
          receivedAt: rig.at(),
          messageId: `d-${++made}`,
          consent: [signal('analytics', action, rig.at())],
        })
      await rig.take(view('phone', 'grant', 'On Phone'))
      await rig.take(view('laptop', 'grant', 'On Laptop'))
      rig.advance(DAY)
      await rig.take(view('phone', 'revoke', 'Later'))
      rig.advance(40 * DAY)
      await approve('history/*/ended')
      await carryOut()
      expect((await rig.history()).map(({ name }) => name)).toEqual(['On Laptop'])
    })
  })

  describe('legal holds', () => {
    test('a person under a hold stays until it is released', async () => {
      const rig = await open()
      const { run, approve, carryOut, item } = officer(rig)
      await rig.take(order(rig, 'ana'), order(rig, 'bia'))
      const subject = (await rig.person('userId', 'ana'))!.nodes[0]!.subject
      rig.advance(420 * DAY)
      const hold = await run<LegalHold>('setHold', { subject, ref: 'Processo 123', reason: 'ordered by the court' })
      expect(hold).toMatchObject({ kind: 'person', subject })
      expect(await item('history/*/occurred')).toMatchObject({ count: 1, held: 1, holds: [hold.id] })
      await approve('history/*/occurred')
      expect((await carryOut('history/*/occurred')).runs).toMatchObject([{ state: 'done', done: 1, held: 1 }])
      expect(await rig.rows('history')).toBe(1)
      await run('releaseHold', { id: hold.id, reason: 'proceeding has ended' })
      await carryOut('history/*/occurred')
      expect(await rig.rows('history')).toBe(0)
      const entries = await ledgerTypes(rig)
      expect(entries.map(({ type }) => type)).toEqual(expect.arrayContaining(['hold.set', 'hold.released']))
      expect(JSON.stringify(entries)).not.toContain('Processo')
    })

    test('a hold on a range of one kind of data', async () => {
      const rig = await open()
      const { run, approve, carryOut } = officer(rig)
      await rig.take(order(rig, 'ana'))
      const from = rig.at(HOUR)
      rig.advance(2 * HOUR)
      await rig.take(order(rig, 'bia'))
      rig.advance(420 * DAY)
      await run('setHold', { class: 'history', from, ref: 'IC 7', reason: 'inquiry of the authority' })
      await approve('history/*/occurred', 'facts/*/occurred')
      await carryOut()
      expect(await rig.rows('history')).toBe(1)
      expect(await rig.rows('facts')).toBe(0)
    })

    test('what is kept for a proceeding is not used: nothing is sent to the person meanwhile', async () => {
      const rig = await open()
      const { run } = officer(rig)
      await rig.take(answers(rig, 'ana', 'grant', 'email_marketing'))
      const subject = (await rig.person('userId', 'ana'))!.nodes[0]!.subject
      const hold = await run<LegalHold>('setHold', { subject, ref: 'Processo 123', reason: 'ordered by the court' })
      await rig.deliver('crm')
      expect(await rig.deliveries('crm')).toMatchObject([
        { status: 'blocked', answer: expect.stringContaining('legal_hold') },
      ])
      expect(rig.seen).toEqual([])
      await run('releaseHold', { id: hold.id, reason: 'proceeding has ended' })
      await rig.take(answers(rig, 'ana', 'grant', 'email_marketing'))
      await rig.deliver('crm')
      expect(rig.seen.length).toBeGreaterThan(0)
    })

    test('a hold says whom or what it is about', async () => {
      const rig = await open()
      const { run } = officer(rig)
      await expect(run('setHold', { ref: 'x', reason: 'nothing said about what' })).rejects.toThrow('Say whom or what')
      await expect(run('setHold', { subject: 's_nobody', ref: 'x', reason: 'nobody of that name' })).rejects.toThrow(
        'Nobody',
      )
      await expect(run('setHold', { class: 'nonsense', ref: 'x', reason: 'no such kind' })).rejects.toThrow(
        'must be one of',
      )
    })
  })

  describe('other ends than erasure', () => {
    test('anonymised: counts of k people and more remain, smaller cells do not', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(
        rig,
        config([
          {
            class: 'history',
            trigger: 'occurred',
            period: 'P13M',
            ground: '16.IV',
            reason: 'own use, anonymised',
            action: 'anonymise',
            anonymise: { method: 'aggregate', k: 5 },
          },
        ]),
      )
      await rig.take(...Array.from({ length: 6 }, (_, n) => order(rig, `p${n}`)), order(rig, 'p0'))
      rig.advance(DAY)
      await rig.take(...Array.from({ length: 4 }, (_, n) => order(rig, `p${n}`)))
      rig.advance(420 * DAY)
      await approve('history/*/occurred')
      const { runs } = await carryOut('history/*/occurred')
      expect(runs.at(-1)).toMatchObject({ state: 'done', done: 11 })
      expect(JSON.parse(runs.at(-1)!.method!)).toEqual({ method: 'aggregate', k: 5, kept: 1, suppressed: 1 })
      expect(await rig.rows('history')).toBe(0)
      expect(await rig.state.db.selectFrom('anonymous_counts').selectAll().execute()).toMatchObject([
        { day: '2026-03-10', name: 'Order Completed', source_id: 'site', events: 7, people: 6 },
      ])
    })

    test('blocked: out of the history, whole, until its own period ends', async () => {
      const rig = await open()
      const { approve, carryOut } = officer(
        rig,
        config([
          {
            class: 'history',
            trigger: 'occurred',
            period: 'P13M',
            ground: '16.I',
            reason: 'tax code, five years',
            action: 'block',
          },
        ]),
      )
      await rig.take(order(rig, 'ana'))
      rig.advance(420 * DAY)
      await approve('history/*/occurred', 'blocked/*/blocked')
      await carryOut()
      expect(await rig.rows('history')).toBe(0)
      const blocked = await rig.state.db.selectFrom('blocked').selectAll().executeTakeFirstOrThrow()
      const node = await rig.state.db
        .selectFrom('nodes')
        .select('data_key')
        .where('id', '=', blocked.node_id)
        .executeTakeFirstOrThrow()
      expect(unsealJson<SealedEvent>(rig.keys.unwrap(node.data_key), blocked.sealed).properties).toMatchObject({
        total: 100,
      })
      rig.advance(5 * 366 * DAY)
      await carryOut()
      expect(await rig.rows('blocked')).toBe(0)
    })
  })
})
