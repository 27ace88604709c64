/** Dead letters once more: who would go and who not is told first, by what consent says now. */
import { expect, test } from 'vitest'
import type { RedrivePreview } from '../../schemas/deliveries.ts'
import { createKeys } from '../keys.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, type Rig } from '../testing/pipeline-rig.ts'
import { onSqlite } from '../testing/state-contract.ts'
import { readDeliveryStats } from './admin/delivery-stats.ts'
import { processCommands } from './commands.ts'
import { redriveDeliveries } from './redrive-deliveries.ts'

const NAMES = ['ana', 'bia', 'caio', 'duda']

const person = (rig: Rig, name: string, action: 'grant' | 'revoke') =>
  identify({
    userId: name,
    traits: { email: `${name}@example.com` },
    messageId: `${name}-${action}-${rig.now}`,
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    consent: [signal('email_marketing', action, rig.at())],
  })

/** Four people agreed; the CRM refused all of them. */
async function dead(rig: Rig): Promise<void> {
  rig.answer = () => ({ status: 422 })
  for (const name of NAMES) await rig.take(person(rig, name, 'grant'))
  rig.advance(MINUTE)
  for (const name of NAMES)
    await rig.take(
      track({
        name: 'Product Viewed',
        userId: name,
        messageId: `v-${name}`,
        occurredAt: rig.at(),
        receivedAt: rig.at(),
      }),
    )
  await rig.deliver('crm')
  rig.answer = () => ({ status: 200 })
  rig.seen.splice(0)
  rig.advance(MINUTE)
}

async function redrive(rig: Rig, filter: Record<string, unknown>, dryRun: boolean): Promise<RedrivePreview> {
  const { state, keys, log, purposes, deliverPorts } = rig
  const commands = processCommands(
    {
      config: { organization: { name: 'L' }, sources: {}, purposes: {} },
      destinationSettings: rig.processPorts.settings.destinations,
    } as never,
    createKeys(Buffer.alloc(32)),
  )
  return redriveDeliveries(
    { name: 'redriveDeliveries', args: { filter, dryRun }, actor: 'test' },
    {
      state,
      keys,
      log,
      purposes,
      rules: deliverPorts.rules,
      destinations: rig.processPorts.settings.destinations,
      publicUrl: 'https://hub.example',
      clock: () => rig.now,
    },
    async ({ name, args, actor }) => ({ ok: true, value: await commands[name]!(args, { state, actor, now: rig.now }) }),
  )
}

onSqlite('re-driving dead letters', (open) => {
  test('told first: how many, who, who is left out and why; then they go once, slowly', async () => {
    const rig = await open()
    await dead(rig)
    const letters = (await rig.deliveries('crm')).filter(({ status }) => status === 'dead')
    const of = new Set(letters.map(({ person_id }) => person_id))
    expect(of.size).toBe(4)
    const filter = { destination: 'crm', code: 'REJECTED', http: '422' }
    // Bia took it back and the hub knows; Caio has, and it is not processed yet.
    await rig.take(person(rig, 'bia', 'revoke'))
    await rig.record(person(rig, 'caio', 'revoke'))

    const look = await redrive(rig, filter, true)
    const perPerson = letters.length / 4
    expect(look).toMatchObject({
      deliveries: 2 * perPerson,
      people: 2,
      mayRepeat: 0,
      dryRun: true,
      more: false,
      budgets: [{ destination: 'crm', deliveries: 2 * perPerson }],
    })
    expect(look.leftOut).toEqual(
      expect.arrayContaining([
        { code: 'BLOCKED_BY_CONSENT', count: perPerson },
        { code: 'BLOCKED_BY_FENCE', count: perPerson },
      ]),
    )
    expect(new Set(look.samples.map(({ contact }) => contact))).toEqual(
      new Set(['a•••@example.com', 'b•••@example.com', 'c•••@example.com', 'd•••@example.com']),
    )
    expect(JSON.stringify(look)).not.toMatch(/ana@|bia@/)
    expect((await rig.deliveries('crm')).filter(({ status }) => status === 'dead')).toHaveLength(letters.length)
    expect(rig.seen).toEqual([])

    expect(await redrive(rig, filter, false)).toMatchObject({ deliveries: 2 * perPerson, samples: [] })
    const due = (await rig.deliveries('crm')).filter(({ status }) => status === 'queued').map(({ due_at }) => due_at)
    expect(due.length).toBe(2 * perPerson)
    expect(Math.max(...due)).toBe(look.budgets[0]!.lastAt)
    rig.advance(10 * MINUTE)
    await rig.deliver('crm')
    expect(
      rig.seen
        .map(({ json }) => (json as { email?: string }).email)
        .filter(Boolean)
        .sort(),
    ).not.toContain('bia@example.com')
    const after = await rig.deliveries('crm')
    expect(after.filter(({ status }) => status === 'delivered')).toHaveLength(2 * perPerson)
    // Those left out stay where they were, for another day.
    expect(after.filter(({ status }) => status === 'dead')).toHaveLength(2 * perPerson)

    expect(await redrive(rig, { destination: 'crm', http: '500' }, true)).toMatchObject({ deliveries: 0, leftOut: [] })
  })

  test('never to those to whom the same was delivered', async () => {
    const rig = await open()
    await dead(rig)
    const [letter] = (await rig.deliveries('crm')).filter(({ status }) => status === 'dead')
    await rig.state.db
      .insertInto('deliveries')
      .values({ ...letter!, id: 'the-same', status: 'delivered', ord: 1 })
      .execute()
    const look = await redrive(rig, { id: letter!.id }, true)
    expect(look).toMatchObject({ deliveries: 0, leftOut: [{ code: 'DELIVERED', count: 1 }] })
    expect(look.samples).toMatchObject([{ id: letter!.id, code: 'DELIVERED' }])
  })

  test('over time: how deliveries of a destination ended, and what is dead now', async () => {
    const rig = await open()
    await dead(rig)
    const stats = await readDeliveryStats(rig.state.db, {
      destinations: ['crm', 'nobody'],
      from: rig.now - 60 * MINUTE,
      to: rig.now,
      now: rig.now,
    })
    const letters = (await rig.deliveries('crm')).filter(({ status }) => status === 'dead').length
    const [crm, nobody] = stats.items
    expect(crm).toMatchObject({
      destination: 'crm',
      dead: letters,
      waiting: 0,
      outcomes: { failed: letters, delivered: 0 },
    })
    expect(crm!.reasons).toContainEqual({ code: 'REJECTED', count: letters })
    expect(crm!.series.reduce((sum, { failed }) => sum + failed, 0)).toBe(letters)
    expect(nobody).toMatchObject({ created: 0, dead: 0, reasons: [] })
  })
})
