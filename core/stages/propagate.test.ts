/** A withdrawal reaches every tool that has the person, once, also when the tool is away at first. */
import { expect, test } from 'vitest'
import { readPropagation } from '../answers/propagation.ts'
import { signal } from '../testing/consent-signals.ts'
import { identify, track } from '../testing/events.ts'
import { MINUTE, type Rig, SECOND } from '../testing/pipeline-rig.ts'
import { type OpenRig, onBothDatabases } from '../testing/state-contract.ts'

const ana = { userId: 'ana', traits: { email: 'ana@example.com', name: 'Ana' } }
const says = (rig: Rig, action: 'grant' | 'revoke', given: object = {}, origin?: { kind: string; ref: string }) =>
  identify({
    userId: 'ana',
    occurredAt: rig.at(),
    receivedAt: rig.at(),
    consent: [signal('email_marketing', action, rig.at(), origin ? { origin } : {})],
    ...given,
  })

/** Ana agreed, and the CRM and the ads tool have her. */
async function known(open: OpenRig): Promise<Rig> {
  const rig = await open()
  await rig.take(says(rig, 'grant', ana))
  await rig.take(track({ name: 'Product Viewed', userId: 'ana', occurredAt: rig.at(), receivedAt: rig.at() }))
  await rig.deliver('crm')
  await rig.deliver('ads')
  expect(rig.seen.map(({ destination }) => destination).sort()).toEqual(['ads', 'crm'])
  rig.seen.splice(0)
  rig.advance(MINUTE)
  return rig
}

const propagations = (rig: Rig) => rig.state.db.selectFrom('propagations').selectAll().orderBy('destination').execute()

onBothDatabases('propagation of a withdrawal', (open: OpenRig) => {
  test('the tool that has a call for it is told with the ledger entry; the other gets nothing more', async () => {
    const rig = await known(open)
    await rig.take(says(rig, 'revoke'))
    expect(await rig.passOn()).toBe(1)
    expect(await rig.passOn()).toBe(0)
    rig.advance(SECOND)
    await rig.deliver('crm')
    await rig.deliver('mail')

    expect(rig.seen.map(({ destination, request }) => [destination, new URL(request.url).pathname])).toEqual([
      ['crm', '/unsubscribe'],
    ])
    expect(rig.seen[0]?.json).toEqual({
      email: 'ana@example.com',
      rd: [{ category: 'communications', type: 'consent', status: 'declined' }],
    })
    const [withdrawal] = await rig.state.db.selectFrom('withdrawals').selectAll().execute()
    expect((await rig.deliveries('crm')).at(-1)).toMatchObject({ status: 'delivered', entry_id: withdrawal?.id })
    expect(await propagations(rig)).toMatchObject([
      { destination: 'ads', how: 'stop', delivery_id: null, confirmed_at: null },
      { destination: 'crm', how: 'action', asked_at: rig.now - SECOND, confirmed_at: rig.now },
    ])
  })

  test('a tool that is away is told later, and is not confirmed before', async () => {
    const rig = await known(open)
    await rig.take(says(rig, 'revoke'))
    await rig.passOn()
    rig.answer = () => ({ status: 503 })
    await rig.deliver('crm')
    expect((await propagations(rig)).find(({ destination }) => destination === 'crm')?.confirmed_at).toBeNull()
    rig.answer = () => ({ status: 200 })
    rig.advance(30 * MINUTE)
    await rig.deliver('crm')
    expect((await propagations(rig)).find(({ destination }) => destination === 'crm')?.confirmed_at).toBe(rig.now)
  })

  test('somebody who agrees again meanwhile is not unsubscribed', async () => {
    const rig = await known(open)
    await rig.take(says(rig, 'revoke'))
    await rig.passOn()
    rig.advance(10 * MINUTE)
    await rig.take(says(rig, 'grant'))
    await rig.deliver('crm')
    expect(rig.seen.filter(({ request }) => request.url.endsWith('/unsubscribe'))).toEqual([])
    expect((await rig.deliveries('crm')).find(({ action }) => action === 'unsubscribe')).toMatchObject({
      status: 'cancelled',
      reason: 'GRANTED_AGAIN',
    })
  })

  test('a tool that told of it is not told back, and a tool that never had the person hears nothing', async () => {
    const rig = await known(open)
    await rig.take(says(rig, 'revoke', {}, { kind: 'feedback', ref: 'crm' }))
    await rig.passOn()
    await rig.deliver('crm')
    expect(rig.seen).toEqual([])
    expect(await propagations(rig)).toMatchObject([
      { destination: 'ads', how: 'stop' },
      { destination: 'crm', how: 'origin', confirmed_at: rig.now },
    ])
  })

  test('two people who turn out to be one and answered differently: the tool that has them is told', async () => {
    const rig = await open()
    const times = () => ({ occurredAt: rig.at(), receivedAt: rig.at() })
    const email = { traits: { email: 'ana@example.com' } }
    const yes = [signal('email_marketing', 'grant', rig.at()), signal('sms_marketing', 'grant', rig.at())]
    await rig.take(identify({ ...times(), ...email, consent: yes }))
    await rig.deliver('crm')
    rig.advance(60 * MINUTE)
    const no = [signal('email_marketing', 'deny', rig.at()), signal('sms_marketing', 'grant', rig.at())]
    await rig.take(identify({ ...times(), anonymousId: 'd1', consent: no }))
    rig.advance(60 * MINUTE)
    await rig.take(
      track({
        name: 'Product Viewed',
        ...times(),
        anonymousId: 'd1',
        identifiers: [{ type: 'email', value: 'ana@example.com' }],
      }),
    )
    expect(await rig.status('email', 'ana@example.com', 'email_marketing')).toBe('conflict')
    expect(await rig.passOn()).toBe(1)
    await rig.deliver('crm')
    expect(rig.seen.filter(({ request }) => request.url.endsWith('/unsubscribe'))).toHaveLength(1)
  })

  test('one agreed and is known to the tool, the other one had refused and been passed on: the tool is told once more', async () => {
    const rig = await open()
    const times = () => ({ occurredAt: rig.at(), receivedAt: rig.at() })
    // Somebody agreed at a form, unverified, and the tool has them under that address.
    const yes = [signal('email_marketing', 'grant', rig.at())]
    await rig.take(identify({ ...times(), traits: { email: 'ana@example.com' }, consent: yes }))
    await rig.deliver('crm')
    rig.advance(60 * MINUTE)
    // The customer, logged in and known to the tool by another address, agreed and took it back: the tool was told.
    const other = { userId: 'ana', traits: { email: 'ana@work.example' } }
    await rig.take(identify({ ...times(), ...other, consent: [signal('email_marketing', 'grant', rig.at())] }))
    await rig.deliver('crm')
    rig.advance(60 * MINUTE)
    await rig.take(identify({ ...times(), ...other, consent: [signal('email_marketing', 'revoke', rig.at())] }))
    expect(await rig.passOn()).toBe(1)
    await rig.deliver('crm')
    expect(rig.seen.filter(({ request }) => request.url.endsWith('/unsubscribe'))).toHaveLength(1)
    rig.seen.splice(0)

    rig.advance(60 * MINUTE)
    const both = [{ type: 'email' as const, value: 'ana@example.com' }]
    const sms = [signal('sms_marketing', 'grant', rig.at())]
    await rig.take(track({ name: 'Product Viewed', ...times(), userId: 'ana', identifiers: both, consent: sms }))
    // The verified refusal wins without a conflict.
    const person = (await rig.person('email', 'ana@example.com'))!
    expect(person.nodes.map(({ type }) => type).sort()).toEqual(['email', 'email', 'userId'])
    const entries = await rig.state.db.selectFrom('ledger_pending').select(['id', 'public']).execute()
    expect(entries.filter((entry) => entry.public.includes('"consent.conflict"'))).toEqual([])
    expect(await rig.passOn()).toBe(1)
    await rig.deliver('crm')
    const told = rig.seen.filter(({ request }) => request.url.endsWith('/unsubscribe'))
    expect(told).toHaveLength(1)
    // It rests on the entry that stands, and its answer is kept apart from what the tool was told the first time.
    const rows = await rig.state.db.selectFrom('withdrawals').select(['id', 'entry_id']).orderBy('id').execute()
    expect(rows.map(({ entry_id }) => entry_id)).toEqual([null, rows[0]!.id])
    expect((await rig.deliveries('crm')).at(-1)).toMatchObject({ entry_id: rows[0]!.id, status: 'delivered' })
    const { recent } = await readPropagation(rig.state.db, 0, { withdrawal: rows[0]!.id })
    expect(recent.map(({ destination, state }) => [destination, state])).toEqual([
      ['crm', 'confirmed'],
      ['crm', 'confirmed'],
    ])
    // Nothing more comes of joining them again.
    await rig.take(track({ name: 'Product Viewed', ...times(), userId: 'ana', identifiers: both, consent: sms }))
    expect(await rig.passOn()).toBe(0)
  })

  test('who refused joins somebody unknown to the tools: there is nobody to tell', async () => {
    const rig = await open()
    const times = () => ({ occurredAt: rig.at(), receivedAt: rig.at() })
    const no = [signal('email_marketing', 'deny', rig.at()), signal('sms_marketing', 'grant', rig.at())]
    await rig.take(identify({ ...times(), userId: 'ana', consent: no }))
    rig.advance(60 * MINUTE)
    await rig.take(identify({ ...times(), anonymousId: 'd1', consent: no }))
    rig.advance(60 * MINUTE)
    await rig.take(track({ name: 'Product Viewed', ...times(), userId: 'ana', anonymousId: 'd1' }))
    expect((await rig.person('anonymousId', 'd1'))!.nodes).toHaveLength(2)
    expect(await rig.passOn()).toBe(0)
  })

  test('a refusal of what was never granted has nobody to tell', async () => {
    const rig = await open()
    await rig.take(says(rig, 'revoke', ana))
    expect(await rig.passOn()).toBe(0)
  })
})
