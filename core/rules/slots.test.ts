/** Schedules over everybody: once each, in pages, through crashes and downtime; priority, groups and budgets with them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { STARTER_PURPOSES } from '../../consent/starter.ts'
import { PersonTaken } from '../stages/lock.ts'
import type { ProcessPorts } from '../stages/ports.ts'
import { signal } from '../testing/consent-signals.ts'
import { cases } from '../testing/effort.ts'
import { identify } from '../testing/events.ts'
import { DAY, HOUR, MINUTE, type Rig, type RigOptions, START } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases, onSqlite } from '../testing/state-contract.ts'
import { storedDecisions } from '../testing/stored-decisions.ts'
import { BudgetTaken } from './budgets.ts'
import { setSwitch } from './publish.ts'
import { fireSchedules, SlotTaken } from './slots.ts'

const email_marketing = {
  ...STARTER_PURPOSES['email_marketing']!,
  collects: [{ identify: ['email', 'plan'] }],
}

/** START is noon UTC, nine in the morning in São Paulo. */
const rule = (id: string, more = '', at = '10:00') => `
id: ${id}
version: 1
when: {schedule: "P1D@${at} America/Sao_Paulo"}
unless: {purpose: email_marketing}
then: {all: [{destination: mail, action: send, with: {text: ${id}}}]}
${more}`

async function opened(
  open: OpenRig,
  rules: readonly string[],
  people: number,
  more: Partial<RigOptions> = {},
): Promise<Rig> {
  const rig = await open({ destinations: { mail: {} }, purposes: { email_marketing }, rules, ...more })
  await rig.take(
    ...Array.from({ length: people }, (_, n) =>
      identify({
        userId: `u${n}`,
        traits: { email: `u${n}@loja.example`, plan: n % 2 === 0 ? 'pro' : 'free' },
        occurredAt: rig.at(),
        receivedAt: rig.at(),
        consent: [signal('email_marketing', 'grant', rig.at())],
      }),
    ),
  )
  return rig
}

/** Everything that is due, page by page. @returns pages. */
async function run(rig: Rig, perPage = 3, ports: ProcessPorts = rig.processPorts): Promise<number> {
  for (let pages = 0; ; ) {
    try {
      if (!(await fireSchedules(rig.now, ports, perPage))) return pages
      pages += 1
    } catch (error) {
      if (!(error instanceof SlotTaken || error instanceof BudgetTaken || error instanceof PersonTaken)) throw error
    }
  }
}

const sends = async (rig: Rig) => (await rig.deliveries('mail')).map(({ person_id, rule: id }) => `${person_id} ${id}`)
const slots = async (rig: Rig) =>
  (await rig.state.db.selectFrom('rule_slots').selectAll().orderBy('slot').execute()).map(
    ({ slot, state, people, decided, reason }) => ({
      at: (Number(slot) - START) / HOUR,
      state,
      people,
      decided,
      reason,
    }),
  )

onBothDatabases('schedules by several workers', (open: OpenRig) => {
  test('two workers: each page is written once', async () => {
    const rig = await opened(open, [rule('diaria')], 10)
    rig.advance(HOUR)
    await Promise.all([run(rig, 2), run(rig, 2, { ...rig.processPorts }), run(rig, 3, { ...rig.processPorts })])
    expect(await sends(rig)).toHaveLength(10)
    expect(new Set(await sends(rig)).size).toBe(10)
    expect(await slots(rig)).toMatchObject([{ state: 'done', people: 10, decided: 10 }])
  })

  test('a budget is never passed, by two workers either; what is blocked gives its part back', async () => {
    const rig = await opened(open, [rule('cara', 'budget: {sends: {day: 4}, money: {cost: 30, total: 1000}}')], 10)
    rig.advance(HOUR)
    await Promise.all([run(rig, 2), run(rig, 2, { ...rig.processPorts })])
    expect(await sends(rig)).toHaveLength(4)
    const results = (await storedDecisions(rig.state)).map(({ result }) => result)
    expect(results.filter((result) => result === 'BUDGET')).toHaveLength(6)
    const used = async () =>
      Object.fromEntries(
        (await rig.state.db.selectFrom('rule_budgets').selectAll().execute()).map(({ bucket, used }) => [
          bucket,
          Number(used),
        ]),
      )
    expect(await used()).toEqual({ 'sends/day/2026-03-10': 4, 'money/total': 120 })
    const [first] = await rig.deliveries('mail')
    const { nodes } = (await rig.person('userId', 'u0'))!
    expect(nodes.length).toBeGreaterThan(0)
    await rig.state.db.updateTable('deliveries').set({ expires_at: rig.now }).where('id', '=', first!.id).execute()
    await rig.deliver('mail')
    expect(await used()).toEqual({ 'sends/day/2026-03-10': 3, 'money/total': 90 })
    rig.advance(DAY)
    await run(rig)
    expect(await sends(rig)).toHaveLength(8)
  })
})

onBothDatabases('a budget that another process used up since it was read', (open: OpenRig) => {
  test('nothing of the page is written; decided again, what is left is given', async () => {
    const rig = await opened(open, [rule('cara', 'budget: {sends: {day: 4}}')], 6)
    rig.advance(HOUR)
    let meanwhile = true
    const overtaken: ProcessPorts = {
      ...rig.processPorts,
      state: {
        ...rig.state,
        transaction: async (work) => {
          if (meanwhile) {
            meanwhile = false
            await rig.state.db
              .insertInto('rule_budgets')
              .values({ rule: 'cara', bucket: 'sends/day/2026-03-10', used: 3, at: rig.now })
              .execute()
          }
          return rig.state.transaction(work)
        },
      },
    }
    await expect(fireSchedules(rig.now, overtaken)).rejects.toThrow(BudgetTaken)
    expect(await sends(rig)).toEqual([])
    await run(rig)
    expect(await sends(rig)).toHaveLength(1)
    const { used } = await rig.state.db.selectFrom('rule_budgets').select('used').executeTakeFirstOrThrow()
    expect(Number(used)).toBe(4)
  })
})

onSqlite('schedules', (open: OpenRig) => {
  test('at the slot, everybody who fits, once; the next day again', async () => {
    const rig = await opened(open, [rule('diaria', 'who: {all: [{field: traits.plan, op: eq, value: pro}]}')], 7)
    rig.advance(HOUR - 1)
    expect(await run(rig)).toBe(0)
    rig.advance(1)
    expect(await run(rig)).toBe(3)
    expect(await run(rig)).toBe(0)
    expect(new Set(await sends(rig)).size).toBe(4)
    expect(await sends(rig)).toHaveLength(4)
    await rig.deliver('mail')
    expect(rig.sent('to').sort()).toEqual(['u0', 'u2', 'u4', 'u6'].map((user) => `${user}@loja.example`))
    rig.advance(DAY)
    await run(rig)
    expect(await sends(rig)).toHaveLength(8)
    expect(await slots(rig)).toEqual([
      { at: 1, state: 'done', people: 7, decided: 4, reason: null },
      { at: 25, state: 'done', people: 7, decided: 4, reason: null },
    ])
  })

  test('killed before or after any commit, every person is decided on exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('before', 'after', 'no'), { maxLength: 8 }), async (deaths) => {
        const rig = await opened(open, [rule('diaria')], 8)
        rig.advance(HOUR)
        for (const death of deaths) {
          const { state } = rig.processPorts
          const dying: ProcessPorts = {
            ...rig.processPorts,
            state: {
              ...state,
              async transaction(work) {
                const result = await state.transaction(async (trx) => {
                  const value = await work(trx)
                  if (death === 'before') throw new Error('killed')
                  return value
                })
                if (death === 'after') throw new Error('killed')
                return result
              },
            },
          }
          await fireSchedules(rig.now, dying, 2).catch(() => undefined)
          await rig.restart()
        }
        await run(rig, 2)
        expect(await sends(rig)).toHaveLength(8)
        expect(new Set(await sends(rig)).size).toBe(8)
        expect(await slots(rig)).toEqual([{ at: 1, state: 'done', people: 8, decided: 8, reason: null }])
      }),
      { numRuns: cases(3) },
    )
  })

  test('after downtime the newest slot is made up for within its tolerance; others are skipped and told', async () => {
    const rig = await opened(open, [rule('diaria')], 2)
    rig.advance(2 * DAY + HOUR + 40 * MINUTE)
    await run(rig)
    expect(await slots(rig)).toEqual([
      { at: 1, state: 'skipped', people: 0, decided: 0, reason: 'LATE' },
      { at: 25, state: 'skipped', people: 0, decided: 0, reason: 'LATE' },
      { at: 49, state: 'done', people: 2, decided: 2, reason: null },
    ])
    rig.advance(DAY + 30 * MINUTE)
    await rig.restart()
    await run(rig)
    expect((await slots(rig)).at(-1)).toMatchObject({ at: 73, state: 'skipped', reason: 'LATE' })
    expect(await sends(rig)).toHaveLength(2)
  })

  test('a clock that is set back fires nothing again; published after its time, a rule waits for the next', async () => {
    const rig = await opened(open, [rule('diaria')], 2)
    rig.advance(HOUR)
    await run(rig)
    rig.advance(-2 * HOUR)
    await rig.restart()
    await run(rig)
    rig.advance(2 * HOUR)
    await run(rig)
    expect(await sends(rig)).toHaveLength(2)
    rig.advance(30 * MINUTE)
    await rig.restart({ rules: [rule('diaria'), rule('nova')] })
    await run(rig)
    expect(await sends(rig)).toHaveLength(2)
    rig.advance(DAY - 30 * MINUTE)
    await run(rig)
    expect(await sends(rig)).toHaveLength(6)
  })

  test('paused at its time, a slot is skipped and told', async () => {
    const rig = await opened(open, [rule('diaria')], 2)
    await setSwitch(rig.state.db, 'diaria', 'paused', { actor: 'ana', reason: 'holiday', now: rig.now })
    await rig.refreshRules()
    rig.advance(HOUR)
    await run(rig)
    expect(await slots(rig)).toEqual([{ at: 1, state: 'skipped', people: 0, decided: 0, reason: 'PAUSED' }])
    await setSwitch(rig.state.db, 'diaria', 'running', { actor: 'ana', reason: 'back', now: rig.now })
    await rig.refreshRules()
    await run(rig)
    expect(await sends(rig)).toEqual([])
  })

  test('of one group the highest priority wins at one moment, and whoever was first within the window', async () => {
    const group = (priority: number) => `priority: ${priority}\ngroup: {id: promo, window: P1D}`
    const rig = await opened(open, [rule('a', group(1)), rule('b', group(9)), rule('c', group(5), '11:00')], 4)
    rig.advance(HOUR)
    await run(rig)
    rig.advance(HOUR)
    await run(rig)
    expect((await sends(rig)).map((line) => line.split(' ')[1])).toEqual(['b', 'b', 'b', 'b'])
    const results = await storedDecisions(rig.state)
    expect(
      results
        .filter(({ result }) => result === 'EXCLUDED')
        .map(({ rule: id }) => id)
        .sort(),
    ).toEqual(['a', 'a', 'a', 'a', 'c', 'c', 'c', 'c'])
  })

  test('a shadow has slots of its own and sends nothing', async () => {
    const rig = await opened(open, [rule('diaria', 'rollout: {stage: shadow}')], 3)
    rig.advance(HOUR)
    await run(rig)
    expect(await rig.deliveries('mail')).toEqual([])
    expect(await rig.counts('shadow:diaria@1')).toEqual({ ENQUEUED: 3 })
  })
})
