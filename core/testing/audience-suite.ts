/** Audiences in the pipeline: entered and left in the transaction of their cause. What holds on either database. */
import { expect, test } from 'vitest'
import { inside, measures, says, stays, times, VIEWERS, vendorList, views } from './audience-world.ts'
import { signal } from './consent-signals.ts'
import { identify, track } from './events.ts'
import { DAY, HOUR } from './pipeline-rig.ts'
import type { OpenRig } from './state-contract.ts'

export function audienceSuite(open: OpenRig): void {
  test('entered by an event, told to the destination, left by time alone, and taken out there', async () => {
    const rig = await open({ measures })
    await says(rig, 'ana')
    await views(rig, 'ana')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example'])
    expect(rig.seen.map(({ json }) => json)).toEqual([{ email: 'ana@loja.example', audience: 'l1' }])
    const entered = rig.now
    rig.advance(3 * DAY)
    await rig.fire()
    expect(await stays(rig)).toEqual([{ audience: 'viewers', entered_at: entered, left_at: entered + DAY }])
    expect(await inside(rig, 'ana')).toEqual([])
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    const [stay] = await rig.state.db
      .selectFrom('audience_stays')
      .select(['why_entered', 'why_left', 'event_id'])
      .execute()
    expect(JSON.parse(stay!.why_entered)).toMatchObject([{ ok: true, value: 1 }])
    expect(JSON.parse(stay!.why_left!)).toMatchObject([{ ok: false, value: 0 }])
    expect(stay!.event_id).toEqual((await rig.history()).find(({ name }) => name === 'Product Viewed')!.id)
    expect(await rig.counts('audience:viewers')).toEqual({ ENTERED: 1, LEFT: 1 })
  })

  test('a withdrawal takes out of the list, not out of the audience; a new grant takes in again', async () => {
    const rig = await open({ measures })
    await says(rig, 'ana')
    await views(rig, 'ana')
    await rig.deliver('lists')
    await says(rig, 'ana', 'revoke')
    await rig.passOn()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    expect(await inside(rig, 'ana')).toEqual(['viewers'])
    rig.advance(HOUR)
    await says(rig, 'ana')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example'])
  })

  test('without consent a member is in the audience and nobody is told', async () => {
    const silent = { all: [{ count: { event: 'Product Viewed', window: 'P1D' }, op: 'eq' as const, value: 0 }] }
    const rig = await open({ measures: { audiences: { silent: { ...VIEWERS, who: silent } } } })
    // Kept for the contract; about marketing nothing was said.
    const bought = { order_id: 'o1', total: 10, currency: 'BRL' }
    await rig.take(track({ name: 'Order Completed', userId: 'ana', properties: bought, ...times(rig) }))
    expect(await inside(rig, 'ana')).toEqual(['silent'])
    await rig.passOver()
    expect(await rig.deliveries('lists')).toEqual([])
    // The same member is told as soon as there is an answer.
    rig.advance(HOUR)
    await says(rig, 'ana')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example'])
  })

  test('two people who turn out to be one are one member, since the earlier entry; both addresses are taken out', async () => {
    const rig = await open({ measures })
    const on = (device: string, email: string) =>
      rig.take(
        identify({
          anonymousId: device,
          traits: { email },
          ...times(rig),
          consent: [signal('email_marketing', 'grant', rig.at())],
        }),
      )
    const sees = (device: string) =>
      rig.take(track({ name: 'Product Viewed', anonymousId: device, properties: { product_id: 'p' }, ...times(rig) }))
    await on('d1', 'ana@loja.example')
    await on('d2', 'bia@loja.example')
    await sees('d1')
    const first = rig.now
    rig.advance(HOUR)
    await sees('d2')
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example', 'bia@loja.example'])
    await on('d1', 'bia@loja.example')
    const people = await rig.state.db.selectFrom('persons').select('id').where('merged_into', 'is', null).execute()
    expect(people).toHaveLength(1)
    const open_ = (await stays(rig)).filter(({ left_at }) => left_at === null)
    expect(open_).toEqual([{ audience: 'viewers', entered_at: first, left_at: null }])
    rig.advance(2 * DAY)
    await rig.fire()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
  })

  test('a new definition is held against everybody once, from history, a page at a time', async () => {
    const rig = await open({})
    for (const who of ['ana', 'bia', 'cida']) await says(rig, who)
    for (const who of ['ana', 'bia']) await views(rig, who)
    const before = (await rig.person('userId', 'cida'))!.seq
    await rig.restart({ measures })
    expect(await stays(rig)).toEqual([])
    await rig.passOver()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual(['ana@loja.example', 'bia@loja.example'])
    expect((await rig.person('userId', 'cida'))!.seq).toBe(before)
    expect(await rig.passOver()).toEqual([])
    // The window goes on from where history says it began.
    rig.advance(DAY)
    await rig.fire()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    // And a definition that is gone leaves nobody behind.
    await views(rig, 'ana')
    await rig.deliver('lists')
    await rig.restart({ measures: {} })
    await rig.passOver()
    await rig.deliver('lists')
    expect(vendorList(rig)).toEqual([])
    expect(await inside(rig, 'ana')).toEqual([])
  })
}
